#include "bench/latencies.h"

#include <stdlib.h>

#include "bench/bench.h"

struct latencies *latencies_new(void)
{
	struct latencies *l = calloc(1, sizeof(*l));

	if (l == NULL)
		bench_die("out of memory", NULL);
	return l;
}

void latencies_note(struct latencies *l, uint64_t took_us)
{
	atomic_fetch_add_explicit(&l->of[took_us < LATENCY_US_MAX ? took_us : LATENCY_US_MAX], 1, memory_order_relaxed);
}

double latencies_at(const struct latencies *l, double share)
{
	uint64_t count = 0;
	uint64_t passed = 0;

	for (size_t i = 0; i <= LATENCY_US_MAX; i++)
		count += atomic_load_explicit(&l->of[i], memory_order_relaxed);
	for (size_t i = 0; i <= LATENCY_US_MAX; i++) {
		passed += atomic_load_explicit(&l->of[i], memory_order_relaxed);
		if (passed > 0 && (double)passed >= share * (double)count)
			return (double)i;
	}
	return 0;
}
