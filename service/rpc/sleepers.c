/* As with parked calls nobody is woken by an event: the ticker looks at two numbers for each. The list is made of the
 * tasks themselves, so going to sleep cannot fail. The lock is a leaf. */

#include "rpc/sleepers.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "rpc/exchange.h"

struct sleepers {
	pthread_mutex_t lock;
	_Atomic size_t count;
	struct sleeper *first;
};

sleepers *sleepers_new(void)
{
	sleepers *s = calloc(1, sizeof(*s));

	if (s != NULL)
		(void)pthread_mutex_init(&s->lock, NULL);
	return s;
}

void sleepers_free(sleepers **s)
{
	sleepers *old = *s;

	*s = NULL;
	if (old == NULL)
		return;
	assert(old->first == NULL);
	(void)pthread_mutex_destroy(&old->lock);
	free(old);
}

bool sleepers_is_full(const sleepers *s)
{
	return atomic_load_explicit(&s->count, memory_order_relaxed) >= SLEEPERS_MAX;
}

void sleepers_add(sleepers *s, struct sleeper *sleeper)
{
	exchange_retain(sleeper->exchange);
	(void)pthread_mutex_lock(&s->lock);
	sleeper->next = s->first;
	s->first = sleeper;
	(void)atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&s->lock);
}

static bool is_to_be_woken(const struct sleeper *sleeper, const auth_news *news, uint64_t now_ms)
{
	return sleeper->due_ms <= now_ms || auth_news_count(news, sleeper->place) != sleeper->seen;
}

/* Out of the list, and into another. */
static struct sleeper *take_due(sleepers *s, const auth_news *news, uint64_t now_ms)
{
	struct sleeper *due = NULL;
	struct sleeper **at = &s->first;

	(void)pthread_mutex_lock(&s->lock);
	while (*at != NULL) {
		struct sleeper *sleeper = *at;

		if (!is_to_be_woken(sleeper, news, now_ms)) {
			at = &sleeper->next;
			continue;
		}
		*at = sleeper->next;
		sleeper->next = due;
		due = sleeper;
		(void)atomic_fetch_sub_explicit(&s->count, 1, memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return due;
}

void sleepers_wake(sleepers *s, const auth_news *news, uint64_t now_ms, void (*wake)(struct sleeper *sleeper))
{
	struct sleeper *due;

	if (atomic_load_explicit(&s->count, memory_order_relaxed) == 0)
		return;
	due = take_due(s, news, now_ms);
	while (due != NULL) {
		struct sleeper *sleeper = due;
		/* It may sleep again, or be gone, as soon as it is awake. */
		struct exchange *x = sleeper->exchange;

		due = sleeper->next;
		wake(sleeper);
		exchange_release(&x);
	}
}
