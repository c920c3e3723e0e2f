/* A ticker is a thread that waits for its next tick or for its end. `lock` guards is_stopping, and is not held during a
 * tick. */

#include "wire/ticker.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "wire/link.h"
#include "wire/thread.h"

#define PERIOD_MS_MAX 60000

struct wire_ticker {
	void (*tick)(void *owner);
	void *owner;
	uint32_t period_ms;
	bool is_stopping;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
};

uint64_t wire_now_ns(void)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_MONOTONIC, &ts);

	assert(rc == 0);
	(void)rc;
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t wire_now_ms(void)
{
	return wire_now_ns() / 1000000U;
}

/* False: it is to stop. */
static bool wait_for_tick(wire_ticker *t, uint64_t due_ms)
{
	bool is_stopping;

	pthread_mutex_lock(&t->lock);
	while (!t->is_stopping && thread_wait_until(&t->changed, &t->lock, due_ms))
		;
	is_stopping = t->is_stopping;
	pthread_mutex_unlock(&t->lock);
	return !is_stopping;
}

static void *run(void *arg)
{
	wire_ticker *t = arg;
	uint64_t due_ms = wire_now_ms() + t->period_ms;

	while (wait_for_tick(t, due_ms)) {
		uint64_t now;

		wire_cork();
		t->tick(t->owner);
		wire_uncork();
		/* Ticks that were missed are not made up for. */
		now = wire_now_ms();
		due_ms += t->period_ms;
		if (due_ms <= now)
			due_ms = now + t->period_ms;
	}
	return NULL;
}

wire_ticker *wire_ticker_start(uint32_t period_ms, void (*tick)(void *owner), void *owner)
{
	wire_ticker *t;

	assert(period_ms >= 1 && period_ms <= PERIOD_MS_MAX);
	assert(tick != NULL);

	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->tick = tick;
	t->owner = owner;
	t->period_ms = period_ms;
	pthread_mutex_init(&t->lock, NULL);
	thread_condition_init(&t->changed);
	if (thread_start(&t->thread, run, t))
		return t;
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

void wire_ticker_stop(wire_ticker **ticker)
{
	wire_ticker *t = *ticker;

	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->is_stopping = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
	*ticker = NULL;
}
