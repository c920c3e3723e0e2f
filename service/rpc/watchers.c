#include "rpc/watchers.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "rpc/exchange.h"

/* Design notes.
 *
 * Nobody is woken by an event: the ticker looks, every few milliseconds, at two numbers for each watcher. So a burst of
 * thousands of events costs one pass, and whoever appends to the log need not know of anybody.
 *
 * A slot holds a reference of its exchange from watchers_add to watchers_remove, which alone ends it: an exchange found
 * here under the lock is alive. The lock is a leaf; it is taken with an exchange's lock held, and no exchange is touched
 * with this one held, but for its count of references. */

/* Exchanges visited without taking the lock again. */
#define BATCH 64

struct watchers {
	const event_log *log;
	pthread_mutex_t lock;
	_Atomic size_t count;
	size_t high;		     /* slots ever used */
	size_t vacant[WATCHERS_MAX]; /* a stack of those below `high` that are free */
	size_t vacant_count;
	struct watcher slots[WATCHERS_MAX]; /* exchange NULL: free */
};

watchers *watchers_new(const event_log *log)
{
	watchers *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->log = log;
	(void)pthread_mutex_init(&w->lock, NULL);
	return w;
}

void watchers_free(watchers **w)
{
	watchers *old = *w;

	*w = NULL;
	if (old == NULL)
		return;
	assert(atomic_load(&old->count) == 0);
	(void)pthread_mutex_destroy(&old->lock);
	free(old);
}

size_t watchers_count(const watchers *w)
{
	return atomic_load_explicit(&w->count, memory_order_relaxed);
}

static size_t take_slot_locked(watchers *w)
{
	return w->vacant_count > 0 ? w->vacant[--w->vacant_count] : w->high++;
}

bool watchers_add(watchers *w, const struct watcher *watcher, size_t *ret_slot)
{
	bool has_room;

	(void)pthread_mutex_lock(&w->lock);
	has_room = atomic_load(&w->count) < WATCHERS_MAX;
	if (has_room) {
		const size_t slot = take_slot_locked(w);

		exchange_retain(watcher->exchange);
		w->slots[slot] = *watcher;
		(void)atomic_fetch_add(&w->count, 1);
		*ret_slot = slot;
	}
	(void)pthread_mutex_unlock(&w->lock);
	return has_room;
}

void watchers_set_after(watchers *w, size_t slot, uint64_t after)
{
	(void)pthread_mutex_lock(&w->lock);
	assert(w->slots[slot].exchange != NULL);
	w->slots[slot].after = after;
	(void)pthread_mutex_unlock(&w->lock);
}

void watchers_remove(watchers *w, size_t slot)
{
	(void)pthread_mutex_lock(&w->lock);
	assert(w->slots[slot].exchange != NULL);
	w->slots[slot].exchange = NULL;
	w->vacant[w->vacant_count++] = slot;
	(void)atomic_fetch_sub(&w->count, 1);
	(void)pthread_mutex_unlock(&w->lock);
}

static bool is_to_be_visited(const watchers *w, const struct watcher *watcher, uint64_t now_ms)
{
	return watcher->exchange != NULL &&
	       (watcher->due_ms <= now_ms || event_log_has_news(w->log, watcher->realm_tag, watcher->after));
}

/* From slot *at on, which moves. */
static size_t take_batch(watchers *w, uint64_t now_ms, size_t *at, struct exchange *batch[static BATCH])
{
	size_t count = 0;

	(void)pthread_mutex_lock(&w->lock);
	for (; *at < w->high && count < BATCH; (*at)++) {
		if (!is_to_be_visited(w, &w->slots[*at], now_ms))
			continue;
		batch[count] = w->slots[*at].exchange;
		exchange_retain(batch[count++]);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return count;
}

void watchers_visit(watchers *w, uint64_t now_ms, void (*visit)(struct exchange *x, void *arg), void *arg)
{
	struct exchange *batch[BATCH];
	size_t at = 0;
	size_t count;

	if (atomic_load(&w->count) == 0)
		return;
	do {
		count = take_batch(w, now_ms, &at, batch);
		for (size_t i = 0; i < count; i++) {
			visit(batch[i], arg);
			exchange_release(&batch[i]);
		}
	} while (count == BATCH);
}
