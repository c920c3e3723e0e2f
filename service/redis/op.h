#ifndef LK_REDIS_OP_H
#define LK_REDIS_OP_H

#include "store/store.h"

/* store_op.store_flags: when the operation was sent, and what has been its fate so far. */

/* The moment of sending in ms, modulo 70 minutes: longer than any response time-out. */
#define OP_TIME_MASK 0x003fffffU
/* A script, sent by its source. */
#define OP_IN_FULL (1U << 22)
/* The store's own: its result goes to `done` as it is, past the router. */
#define OP_DIRECT (1U << 23)
/* Sent behind ASKING, to a node that is not the slot's owner yet. */
#define OP_ASKING (1U << 24)
/* A write that was sent and not answered: whatever comes, its outcome is unknown until a later run is answered. */
#define OP_IN_DOUBT (1U << 25)
/* Its reply was not to be believed: see store_keep. */
#define OP_LATE (1U << 26)
/* Answered by a replica: staleness is the lag's matter, not the topology's. */
#define OP_OF_REPLICA (1U << 27)
/* How often it was sent again, 0..15. */
#define OP_RESENDS_SHIFT 28
#define OP_RESENDS_MAX	 15U

/* What a connection sets anew each time it sends. */
#define OP_OF_SENDING (OP_TIME_MASK | OP_IN_FULL)

static inline bool op_has(const struct store_op *op, uint32_t flag)
{
	return (op->store_flags & flag) != 0;
}

static inline uint32_t op_age_ms(const struct store_op *op, uint64_t now_ms)
{
	uint32_t age = ((uint32_t)now_ms - op->store_flags) & OP_TIME_MASK;

	/* Sent by another thread after now_ms was read. */
	return age > OP_TIME_MASK / 2 ? 0 : age;
}

static inline unsigned op_resends(const struct store_op *op)
{
	return op->store_flags >> OP_RESENDS_SHIFT;
}

static inline void op_count_resend(struct store_op *op)
{
	if (op_resends(op) < OP_RESENDS_MAX)
		op->store_flags += 1U << OP_RESENDS_SHIFT;
}

/* Of all arguments. */
static inline size_t op_bytes(const struct store_op *op)
{
	size_t bytes = 0;

	for (size_t i = 0; i < op->command.argc; i++)
		bytes += op->command.argv[i].len;
	return bytes;
}

static inline void op_finish(struct store_op *op, const struct store_result *result)
{
	op->done(op, result);
}

#endif
