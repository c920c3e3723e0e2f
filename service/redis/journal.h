#ifndef LK_REDIS_JOURNAL_H
#define LK_REDIS_JOURNAL_H

#include "base/status.h"
#include "store/store.h"

/* What was acknowledged in the last moments, as commands that bring about the same effect again. Redis replicates
 * asynchronously, so a primary that takes over may lack them: they are carried out again on it before anything else is
 * sent there. Thread-safe; nothing is called with its lock held. */
typedef struct journal journal;

/* Commands of one replay in flight at once: about 1 ms of work for Redis. */
#define JOURNAL_IN_FLIGHT 256
/* A redo may answer `again` (a status or string): what it builds on is another instance's to bring back. So many
 * times in a row for the keys of one hash tag, after such a pause each: 1 s, of which deadline_ms must allow. OVERLOADED
 * counts as `again`: nothing was sent. */
#define JOURNAL_AGAIN_MAX 20
#define JOURNAL_AGAIN_MS  50U

/* The node that acknowledged, for journal_expire. */
struct journal_origin {
	const void *node;
	uint32_t tenure;
};

/* window_ms 0: nothing is kept. NULL when memory is out. */
journal *journal_new(uint32_t window_ms, size_t bytes_max) MUST_CHECK;

/* Copies the command. lifetime_ms: after that the effect would have ended by itself, so it is dropped. When bytes_max
 * is reached the oldest go, which is counted. False: no memory, or more than bytes_max by itself; counted as well. */
bool journal_put(journal *j, const struct store_command *redo, uint16_t slot, struct journal_origin origin,
		 uint64_t lifetime_ms, uint64_t now_ms) MUST_CHECK;

/* Drops what is older than the window. Time stands still for what came from an origin of which is_trusted says no: a
 * primary that is cut off, or of which nothing is heard, may be replaced before it can hand on what it has. To be called
 * every few ms: what is_trusted says goes for the time since the last call. It is asked once for each origin, and must
 * come to say yes of one that has nothing to hand on any more, or only room and lifetime bound what is kept of it. */
void journal_expire(journal *j, bool (*is_trusted)(void *owner, struct journal_origin origin), void *owner,
		    uint64_t now_ms);

/* Carries out again all commands in slots of which is_wanted says yes. Those of one hash tag are sent one after the
 * other, in the order in which they were put, each when the one before is answered: over which connections they go does
 * not matter. submit sends one, to the new primary only, and calls op->done as store_submit does, perhaps before it
 * returns. REPLIED, neither late nor `again`, is carried out. When all are answered, done is called, with the number
 * that failed (which stay in the journal as they were); the others count as put by `origin` now. done is called exactly
 * once, from within this call, journal_tick or any op's done. When memory is out, every entry counts as failed. */
struct journal_replay {
	bool (*is_wanted)(void *owner, uint16_t slot);
	void (*submit)(void *owner, struct store_op *op);
	void (*done)(void *owner, size_t carried_out, size_t failed);
	void *owner;
	struct journal_origin origin;
	uint64_t deadline_ms; /* of every operation */
};
void journal_replay(journal *j, const struct journal_replay *replay, uint64_t now_ms);

/* For `again` and its pauses. Every few ms. */
void journal_tick(journal *j, uint64_t now_ms);

struct journal_state {
	size_t entries;
	size_t bytes;	  /* what the entries take, the allocator's share as far as it is known */
	uint64_t dropped; /* for want of room, ever */
};
void journal_get_state(journal *j, struct journal_state *ret);

/* No replay and no call may be under way: whoever submits has answered everything. Nulls *j; accepts NULL in it. */
void journal_free(journal **j);

#endif
