#ifndef LK_BENCH_RATE_H
#define LK_BENCH_RATE_H

#include <stdatomic.h>

#include "bench/cost.h"

/* How much is counted a second, for the settings' time after a tenth of it to warm up; on a machine that is so slow that
 * nothing is counted by then, until something is. cost NULL: not wanted; else what was spent is added to it, calls for
 * each that is counted. */
double rate_of(const struct bench *b, _Atomic uint64_t *count, unsigned calls, struct cost *cost);

#endif
