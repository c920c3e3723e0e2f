#include "redis/queue.h"

/* store_op.store_flags: when it was sent, modulo 24 days, and whether a script was sent in full. */
#define FLAG_IN_FULL   0x80000000U
#define FLAG_TIME_MASK 0x7fffffffU

static size_t argument_bytes(const struct store_command *command)
{
	size_t bytes = 0;

	for (size_t i = 0; i < command->argc; i++)
		bytes += command->argv[i].len;
	return bytes;
}

void queue_push(struct queue *q, struct store_op *op, bool is_in_full, uint64_t now_ms)
{
	op->store_flags = (is_in_full ? FLAG_IN_FULL : 0) | ((uint32_t)now_ms & FLAG_TIME_MASK);
	op->next = NULL;
	if (q->last == NULL)
		q->first = op;
	else
		q->last->next = op;
	q->last = op;
	q->count++;
	q->bytes += argument_bytes(&op->command);
}

struct store_op *queue_pop(struct queue *q)
{
	struct store_op *op = q->first;

	if (op == NULL)
		return NULL;
	q->first = op->next;
	if (q->first == NULL)
		q->last = NULL;
	q->count--;
	q->bytes -= argument_bytes(&op->command);
	return op;
}

struct store_op *queue_take_all(struct queue *q)
{
	struct store_op *first = q->first;

	*q = (struct queue){0};
	return first;
}

bool queue_has_room(const struct queue *q, const struct store_op *op, uint32_t count_max, size_t bytes_max)
{
	return q->count < count_max && q->bytes + argument_bytes(&op->command) <= bytes_max;
}

uint32_t queue_oldest_age_ms(const struct queue *q, uint64_t now_ms)
{
	uint32_t age;

	if (q->first == NULL)
		return 0;
	age = ((uint32_t)now_ms - q->first->store_flags) & FLAG_TIME_MASK;
	/* Sent by another thread after now_ms was read. */
	return age > FLAG_TIME_MASK / 2 ? 0 : age;
}

bool queue_was_in_full(const struct store_op *op)
{
	return (op->store_flags & FLAG_IN_FULL) != 0;
}
