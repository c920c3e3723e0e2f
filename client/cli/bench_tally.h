#ifndef LK_CLI_BENCH_TALLY_H
#define LK_CLI_BENCH_TALLY_H

/* What calls are counted in. */

#include <latchkey/latchkey.h>
#include <stdatomic.h>

#include "bench_mix.h"
#include "histogram.h"

/* As many connections write to one set of counters: the processors that add to one seldom meet. */
#define BENCH_TALLIES 8
/* Room for the codes of errors; those above are counted with the last. */
#define BENCH_ERRORS 32
/* Where errors are counted by code, LK_OK stands for an answer that the session has ended. */
#define BENCH_ENDED LK_OK

struct bench_tally {
	struct histogram *latency[BENCH_MIXED]; /* NULL: not in the mix */
	_Atomic uint64_t in_time[BENCH_MIXED];
};

#endif
