#ifndef LK_BENCH_LATENCIES_H
#define LK_BENCH_LATENCIES_H

#include <stdatomic.h>
#include <stdint.h>

/* How long calls took, counted by the microsecond up to LATENCY_US_MAX; what is slower counts as this. */

#define LATENCY_US_MAX 200000

struct latencies {
	_Atomic uint32_t of[LATENCY_US_MAX + 1];
};

/* Zeroed; freed with free. */
struct latencies *latencies_new(void);
/* By any thread. */
void latencies_note(struct latencies *l, uint64_t took_us);
/* us; share: 0.5 is the median. 0 when nothing was counted. */
double latencies_at(const struct latencies *l, double share);

#endif
