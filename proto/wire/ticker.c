/* A ticker is one sleep after another on one aio. Nothing cancels a sleep (cancelling is where nng's aios have had
 * their bugs): a ticker sleeps in slices short enough to wait for, and looks between them whether it is to stop.
 *
 * Threads: tick runs on nng's task threads, one slice at a time. `lock` guards stopping and done. */

#include "wire/ticker.h"

#include <assert.h>
#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "wire/link.h"

#define PERIOD_MS_MAX 60000

/* The longest wait in wire_ticker_stop. */
#define SLICE_MS 50

struct wire_ticker {
	nng_aio *aio;
	void (*tick)(void *owner);
	void *owner;
	uint64_t due_ms; /* only the tick's thread */
	uint32_t period_ms;
	bool stopping;
	bool done;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

uint64_t wire_now_ms(void)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_MONOTONIC, &ts);

	assert(rc == 0);
	(void)rc;
	return (uint64_t)ts.tv_sec * 1000U + (uint64_t)ts.tv_nsec / 1000000U;
}

static bool is_stopping(wire_ticker *t)
{
	bool stopping;

	pthread_mutex_lock(&t->lock);
	stopping = t->stopping;
	if (stopping) {
		t->done = true;
		pthread_cond_broadcast(&t->changed);
	}
	pthread_mutex_unlock(&t->lock);
	return stopping;
}

static void sleep_slice(wire_ticker *t, uint64_t now)
{
	uint64_t left = t->due_ms > now ? t->due_ms - now : 1;

	nng_sleep_aio(left < SLICE_MS ? (nng_duration)left : SLICE_MS, t->aio);
}

static void on_slept(void *arg)
{
	wire_ticker *t = arg;
	uint64_t now = wire_now_ms();

	if (is_stopping(t))
		return;
	if (now >= t->due_ms) {
		wire_cork();
		t->tick(t->owner);
		wire_uncork();
		/* Ticks that were missed are not made up for. */
		now = wire_now_ms();
		t->due_ms += t->period_ms;
		if (t->due_ms <= now)
			t->due_ms = now + t->period_ms;
	}
	sleep_slice(t, now);
}

wire_ticker *wire_ticker_start(uint32_t period_ms, void (*tick)(void *owner), void *owner)
{
	wire_ticker *t;
	uint64_t now = wire_now_ms();

	assert(period_ms >= 1 && period_ms <= PERIOD_MS_MAX);
	assert(tick != NULL);

	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	if (nng_aio_alloc(&t->aio, on_slept, t) != 0) {
		free(t);
		return NULL;
	}
	t->tick = tick;
	t->owner = owner;
	t->period_ms = period_ms;
	t->due_ms = now + period_ms;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	sleep_slice(t, now);
	return t;
}

void wire_ticker_stop(wire_ticker **ticker)
{
	wire_ticker *t = *ticker;

	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->stopping = true;
	while (!t->done)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
	/* Waits for the end of the last callback. */
	nng_aio_free(t->aio);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
	*ticker = NULL;
}
