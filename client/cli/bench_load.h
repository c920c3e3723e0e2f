#ifndef LK_CLI_BENCH_LOAD_H
#define LK_CLI_BENCH_LOAD_H

/* A load of calls on a server: sessions are made, calls run for a while, and the sessions are ended. All functions are of
 * one thread; the calls end in threads of the library. */

#include "bench_mix.h"
#include "histogram.h"
#include "line.h"

/* As many connections write to one set of counters: the processors that add to one seldom meet. */
#define BENCH_TALLIES 8
/* Room for the codes of errors; those above are counted with the last. */
#define BENCH_ERRORS 32
/* Where errors are counted by code, LK_OK stands for an answer that the session has ended. */
#define BENCH_ENDED LK_OK

#define BENCH_RUN_BYTES 20

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

struct bench_load;

/* How many of a closed loop. */
uint32_t bench_callers(const struct bench_line *bench);

/* Says what fails, and returns the exit status. *ret is to be closed when it is EXIT_DONE. */
int bench_load_open(const struct line *line, const struct bench_mix *mix, struct bench_load **ret);
void bench_load_close(struct bench_load **load);

/* What its users' names begin with. */
const char *bench_load_run(const struct bench_load *load);
/* How many there are so far. */
uint64_t bench_load_users(const struct bench_load *load);
/* The first failure of what was done last; its code is LK_OK where there was none. */
void bench_load_failure(struct bench_load *load, struct lk_error *ret);

/* Makes the sessions. False: not all could be made, or it was interrupted. */
bool bench_load_prepare(struct bench_load *load);
/* Runs the calls, until the time is over or it is interrupted. */
void bench_load_measure(struct bench_load *load);
/* Ends the sessions of all users. Returns how many users are left that may have some. */
uint64_t bench_load_clean(struct bench_load *load);

/* NULL: out of memory. */
struct bench_result *bench_load_result(struct bench_load *load);
void bench_result_free(struct bench_result **result);

/* From now on an interruption or SIGTERM ends what is under way early; a second one ends the program. */
void bench_catch_interrupts(void);
bool bench_is_interrupted(void);

#endif
