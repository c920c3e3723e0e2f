#ifndef LK_BENCH_COST_H
#define LK_BENCH_COST_H

#include "bench/bench.h"

/* Processor time a call, by process: what else runs on the machine moves it less than a rate. */

enum cost_of { COST_SERVICE, COST_REDIS, COST_CLIENT, COSTS };

struct cost {
	double us[COSTS];
	double calls;
	double start_us[COSTS];
};

void cost_start(struct cost *c, const struct stage *s);
/* Adds what was spent since the start on so many calls. */
void cost_stop(struct cost *c, const struct stage *s, double calls);

/* A row of a table, of what was added, and details of the line. */
void cost_print(const struct cost *c, struct bench *b, const char *line);

#endif
