#ifndef LK_CLI_BENCH_LOAD_H
#define LK_CLI_BENCH_LOAD_H

/* A load of calls on a server: sessions are made, calls run for a while, and the sessions are ended. All functions are of
 * one thread; the calls end in threads of the library. */

#include "bench_mix.h"
#include "line.h"

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

/* From now on an interruption or SIGTERM ends what is under way early; a second one ends the program. */
void bench_catch_interrupts(void);
bool bench_is_interrupted(void);

#endif
