#ifndef LK_BASE_CALL_METRICS_H
#define LK_BASE_CALL_METRICS_H

/* Calls answered: for each method how many with which code, and how long they took. Thread-safe, relaxed; part of the
 * same global as the counters. */

#include <stddef.h>

#include "base/status.h"

/* Room for the table of methods and its place for calls of none: whatever a caller sends makes no further series. */
#define CALL_METHODS_MAX 64

/* From a tenth of what a Get takes over loopback to the longest timeout a call has by default. */
#define CALL_BOUNDS_MAP(X)                                                                                             \
	X(100)                                                                                                         \
	X(250)                                                                                                         \
	X(500)                                                                                                         \
	X(1000)                                                                                                        \
	X(2500)                                                                                                        \
	X(5000)                                                                                                        \
	X(10000)                                                                                                       \
	X(25000)                                                                                                       \
	X(50000)                                                                                                       \
	X(100000)                                                                                                      \
	X(250000)                                                                                                      \
	X(500000)                                                                                                      \
	X(1000000)                                                                                                     \
	X(2500000)                                                                                                     \
	X(5000000)                                                                                                     \
	X(10000000)                                                                                                    \
	X(30000000)

#define X(us) +1
enum { CALL_BOUNDS = 0 CALL_BOUNDS_MAP(X) };
#undef X

/* Inclusive upper ends; what takes longer than the last is in one more bucket. */
extern const uint32_t call_bounds_us[CALL_BOUNDS];

/* method: its place, below CALL_METHODS_MAX. */
void call_metric_add(size_t method, enum status_code code, uint64_t took_us);

struct call_metrics {
	uint64_t calls;
	uint64_t by_code[STATUS_CODES];
	uint64_t by_time[CALL_BOUNDS + 1];
	uint64_t took_us; /* in sum */
};

/* `calls` is the sum of by_time; others may be a call ahead while one is being counted. */
void call_metrics_read(size_t method, struct call_metrics *ret);

#endif
