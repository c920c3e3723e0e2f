#include "redis/waiting.h"

#include <assert.h>

#include "base/metrics.h"
#include "redis/op.h"

void waiting_init(struct waiting *w)
{
	*w = (struct waiting){0};
	pthread_mutex_init(&w->lock, NULL);
}

static bool has_room_locked(const struct waiting *w, const struct store_op *op, const struct node *n)
{
	return !w->is_closed && atomic_load(&w->count) < WAITING_MAX && w->bytes + op_bytes(op) <= WAITING_BYTES_MAX &&
	       (n == NULL ? w->ownerless : n->waiting) < WAITING_OF_NODE_MAX;
}

static void append_locked(struct waiting *w, struct store_op *op)
{
	op->next = NULL;
	if (w->last == NULL)
		w->first = op;
	else
		w->last->next = op;
	w->last = op;
}

bool waiting_add(struct waiting *w, struct store_op *op, struct node *n, uint64_t due_ms)
{
	bool has_room;

	pthread_mutex_lock(&w->lock);
	has_room = has_room_locked(w, op, n);
	if (has_room) {
		/* From here on another thread may take it. */
		op->due_ms = due_ms;
		op->node = n;
		w->bytes += op_bytes(op);
		++*(n != NULL ? &n->waiting : &w->ownerless);
		append_locked(w, op);
		atomic_fetch_add(&w->count, 1);
	}
	pthread_mutex_unlock(&w->lock);
	if (has_room)
		metric_add(METRIC_REDIS_WAITS, 1);
	return has_room;
}

static void account_taken_locked(struct waiting *w, const struct store_op *op)
{
	struct node *n = op->node;
	uint32_t *count = n != NULL ? &n->waiting : &w->ownerless;

	w->bytes -= op_bytes(op);
	assert(*count > 0);
	--*count;
	atomic_fetch_sub(&w->count, 1);
}

struct store_op *waiting_take(struct waiting *w, bool (*may_go)(void *owner, const struct store_op *op), void *owner)
{
	struct store_op *taken = NULL;
	struct store_op **end = &taken;
	struct store_op *op;

	pthread_mutex_lock(&w->lock);
	op = w->first;
	w->first = NULL;
	w->last = NULL;
	while (op != NULL) {
		struct store_op *next = op->next;

		if (may_go(owner, op)) {
			account_taken_locked(w, op);
			op->next = NULL;
			*end = op;
			end = &op->next;
		} else {
			append_locked(w, op);
		}
		op = next;
	}
	pthread_mutex_unlock(&w->lock);
	return taken;
}

static bool all_go(void *owner, const struct store_op *op)
{
	(void)owner;
	(void)op;
	return true;
}

struct store_op *waiting_close(struct waiting *w)
{
	pthread_mutex_lock(&w->lock);
	w->is_closed = true;
	pthread_mutex_unlock(&w->lock);
	return waiting_take(w, all_go, NULL);
}

void waiting_destroy(struct waiting *w)
{
	assert(w->first == NULL);
	pthread_mutex_destroy(&w->lock);
}
