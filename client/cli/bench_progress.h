#ifndef LK_CLI_BENCH_PROGRESS_H
#define LK_CLI_BENCH_PROGRESS_H

/* A line each second on the standard error, while it is a terminal or the line wants it. */

#include "bench_worker.h"

struct bench_progress {
	bool is_wanted;
	bool is_terminal;
	uint64_t start_ns;
	uint64_t next_ns;
	uint64_t done;
};

struct bench_progress bench_progress_begin(const struct bench_load *load, uint64_t now_ns);
/* Shows it, if a second has passed. */
void bench_progress_show(const struct bench_load *load, struct bench_progress *p, uint64_t now_ns);
void bench_progress_end(const struct bench_progress *p, uint64_t now_ns);

#endif
