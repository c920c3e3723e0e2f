#ifndef LK_CLI_BENCH_CALL_H
#define LK_CLI_BENCH_CALL_H

/* One call of a lane. */

#include "bench_worker.h"

/* Gives the lane what a call of its kind is about. May make a create of it, where no session can be had. */
void bench_call_equip(struct bench_lane *lane);
LK_MUST_CHECK enum lk_err bench_call_start(struct bench_lane *lane);
/* What the call ended with, given back to the pool: LK_OK, an error, or, in *ret_ended, that the session has ended. Also of a
 * call that could not be started. */
enum lk_err bench_call_finish(struct bench_lane *lane, enum lk_err err, bool *ret_ended);

#endif
