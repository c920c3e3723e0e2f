#ifndef LK_BENCH_BENCH_H
#define LK_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/report.h"
#include "bench/stage.h"

#define ROUNDS_MAX 15

struct settings {
	double seconds; /* of a measurement of calls a second */
	unsigned rounds;
	bool is_full; /* with what takes many minutes and gigabytes */
};

/* What the lines are measured on, and what has come of them. */
struct bench {
	struct settings settings;
	struct stage stage;
	struct report report;
};

/* A measurement of a line, or of what it is compared with. */
typedef double bench_measure(struct bench *b, void *arg);

/* Ours, the baseline, ours, the baseline, ...: what else the machine does meets both. Reports the medians. */
void bench_in_turn(struct bench *b, const char *line, bench_measure *ours, bench_measure *baseline, void *arg);

/* For this long of the settings' time. */
void bench_nap(double seconds);

#endif
