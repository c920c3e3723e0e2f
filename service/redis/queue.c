#include "redis/queue.h"

#include "redis/op.h"

void queue_push(struct queue *q, struct store_op *op, bool is_in_full, uint64_t now_ms)
{
	op->store_flags &= ~OP_OF_SENDING;
	op->store_flags |= (is_in_full ? OP_IN_FULL : 0) | ((uint32_t)now_ms & OP_TIME_MASK);
	op->next = NULL;
	if (q->last == NULL)
		q->first = op;
	else
		q->last->next = op;
	q->last = op;
	q->count++;
	q->bytes += op_bytes(op);
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
	q->bytes -= op_bytes(op);
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
	return q->count < count_max && q->bytes + op_bytes(op) <= bytes_max;
}

uint32_t queue_oldest_age_ms(const struct queue *q, uint64_t now_ms)
{
	return q->first == NULL ? 0 : op_age_ms(q->first, now_ms);
}
