#ifndef LK_REDIS_QUEUE_H
#define LK_REDIS_QUEUE_H

#include "store/store.h"

/* The operations that a connection has sent and that wait for their replies, in the order of the wire. Linked through
 * store_op.next; nothing is allocated. Not thread-safe. */
struct queue {
	struct store_op *first;
	struct store_op *last;
	uint32_t count;
	size_t bytes; /* of all arguments */
};

/* is_in_full: a script sent by its source. */
void queue_push(struct queue *q, struct store_op *op, bool is_in_full, uint64_t now_ms);

/* NULL when it is empty. */
struct store_op *queue_pop(struct queue *q);

/* Empties it: the first of all operations, linked. */
struct store_op *queue_take_all(struct queue *q);

/* Whether op fits beside what is there. */
bool queue_has_room(const struct queue *q, const struct store_op *op, uint32_t count_max, size_t bytes_max);

/* How long the first has been waiting; 0 when it is empty. */
uint32_t queue_oldest_age_ms(const struct queue *q, uint64_t now_ms);

#endif
