#include "bench_worker.h"

#include <time.h>

uint64_t bench_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* xorshift64*, S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016). */
uint64_t bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(2685821657736338717)) >> 16;
}

struct bench_lane *bench_worker_pop(struct bench_worker *worker)
{
	struct bench_lane *lane;

	(void)pthread_mutex_lock(&worker->lock);
	lane = worker->free;
	if (lane != NULL) {
		worker->free = lane->next_free;
		worker->free_count--;
	}
	(void)pthread_mutex_unlock(&worker->lock);
	return lane;
}

void bench_worker_push(struct bench_worker *worker, struct bench_lane *lane)
{
	(void)pthread_mutex_lock(&worker->lock);
	lane->next_free = worker->free;
	worker->free = lane;
	worker->free_count++;
	(void)pthread_mutex_unlock(&worker->lock);
}

uint32_t bench_worker_free_lanes(struct bench_worker *worker)
{
	uint32_t count;

	(void)pthread_mutex_lock(&worker->lock);
	count = worker->free_count;
	(void)pthread_mutex_unlock(&worker->lock);
	return count;
}
