#ifndef LK_CLI_BENCH_LANE_H
#define LK_CLI_BENCH_LANE_H

#include "bench_worker.h"

/* The callback of every lane's call. */
void bench_lane_done(lk_call *call, enum lk_err err, void *arg);
/* Starts the next call that is to be made. False: there is none, or it could not be started, which has been counted. */
bool bench_lane_begin(struct bench_lane *lane, uint64_t start_ns);

#endif
