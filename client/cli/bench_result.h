#ifndef LK_CLI_BENCH_RESULT_H
#define LK_CLI_BENCH_RESULT_H

#include "bench_tally.h"

struct bench_load;

/* Of the calls that began in the time that counts. */
struct bench_result {
	double seconds;
	uint64_t in_time[BENCH_MIXED]; /* good ones, begun and ended in that time */
	uint64_t errors[BENCH_ERRORS];
	uint64_t failed;      /* their sum */
	uint64_t not_started; /* open loop: due in that time, and there was no room for one more in flight */
	struct histogram *latency[BENCH_MIXED]; /* of good ones, in ns */
	struct histogram *all;
	struct histogram *corrected; /* all, with what callers of a closed loop missed while they waited */
};

/* NULL: out of memory. */
struct bench_result *bench_load_result(struct bench_load *load);
void bench_result_free(struct bench_result **result);

#endif
