#include "bench/rate.h"
#include "support/wait.h"

double rate_of(const struct bench *b, _Atomic uint64_t *count, unsigned calls, struct cost *cost)
{
	uint64_t start_us, took_us, before, counted;

	bench_nap(b->settings.seconds / 10);
	if (cost != NULL)
		cost_start(cost, &b->stage);
	before = atomic_load(count);
	start_us = bench_now_us();
	bench_nap(b->settings.seconds);
	if (!WAIT_FOR(atomic_load(count) > before, BOUND_MS))
		bench_die("nothing is answered any more", NULL);
	counted = atomic_load(count) - before;
	took_us = bench_now_us() - start_us;
	if (cost != NULL)
		cost_stop(cost, &b->stage, (double)(counted * calls));
	return (double)counted * 1e6 / (double)took_us;
}
