#ifndef LK_CLI_HISTOGRAM_H
#define LK_CLI_HISTOGRAM_H

/* How often which duration, in ns. Any number of threads may add at once. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* 128 slots for each power of two: a value is told up to 0.8 % too high, never too low. */
#define HISTOGRAM_BITS 7
/* 18 minutes, more than the longest timeout of a call. What is longer counts as this. */
#define HISTOGRAM_VALUE_BITS 40
#define HISTOGRAM_VALUE_MAX  ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)
#define HISTOGRAM_SLOTS	     ((HISTOGRAM_VALUE_BITS - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS)

struct histogram {
	_Atomic uint64_t max;
	_Atomic uint64_t counts[HISTOGRAM_SLOTS];
};

void histogram_add(struct histogram *h, uint64_t value, uint64_t times);
void histogram_merge(struct histogram *into, const struct histogram *from);
uint64_t histogram_count(const struct histogram *h);
/* At most so much are `share` of all, which is 0 to 1. 0 where there are none. */
uint64_t histogram_at(const struct histogram *h, double share);

/* As histogram_merge, with what a caller missed while it waited: one that wants to call every `interval` and once has to
 * wait for longer would have met value - interval, value - 2 interval, ... as well, had it not been waiting. As
 * recordValueWithExpectedInterval of HdrHistogram, http://hdrhistogram.github.io/HdrHistogram/JavaDoc. */
void histogram_correct(struct histogram *into, const struct histogram *from, uint64_t interval);

#endif
