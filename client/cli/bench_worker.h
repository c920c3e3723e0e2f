#ifndef LK_CLI_BENCH_WORKER_H
#define LK_CLI_BENCH_WORKER_H

/* Parts of a load. A worker has a connection, sessions, and lanes; a lane is one call at a time. */

#include <pthread.h>

#include "bench_pool.h"
#include "bench_tally.h"
#include "line.h"

#define BENCH_RUN_BYTES 20
/* "bench-0123456789ab-4294967295". */
#define BENCH_USER_BYTES (BENCH_RUN_BYTES + 11)

enum bench_phase { BENCH_IDLE, BENCH_PREPARING, BENCH_RUNNING, BENCH_CLEANING };

struct bench_worker;

struct bench_lane {
	struct bench_worker *worker;
	lk_call *call;
	struct bench_lane *next_free;
	uint64_t start_ns; /* when the call was due; that is when it began, but in an open loop */
	uint64_t random;
	enum bench_kind kind;
	enum bench_phase phase; /* in which it began */
	struct bench_holding held;
	uint32_t user;
	char user_name[BENCH_USER_BYTES];
};

struct bench_worker {
	struct bench_load *load;
	lk_client *client;
	struct bench_pool *pool;
	struct bench_tally *tally;
	struct bench_lane *lanes;
	uint32_t lane_count;
	_Atomic uint32_t to_make; /* sessions */
	pthread_mutex_t lock;	  /* covers what follows */
	struct bench_lane *free;
	uint32_t free_count;
};

struct bench_load {
	const struct line *line;
	struct bench_mix mix;
	char run[BENCH_RUN_BYTES];
	char *value;
	struct lk_attribute attribute;
	uint32_t worker_count;
	uint32_t next_worker; /* for the next call of an open loop */
	uint64_t start_ns;
	double due_after_ns; /* open loop: when the next call is due, from the start on */
	uint64_t from_ns;    /* calls that begin from here on count */
	uint64_t not_started;
	uint64_t random;
	struct bench_worker *workers;
	struct bench_tally tallies[BENCH_TALLIES];
	_Atomic uint64_t until_ns;
	_Atomic enum bench_phase phase;
	_Atomic uint64_t users; /* numbers given out; with line->bench.user_count they come again */
	uint64_t to_clean;	/* users */
	_Atomic uint64_t cleaned;
	_Atomic uint64_t clean_failures;
	_Atomic uint64_t errors[BENCH_ERRORS];
	pthread_mutex_t lock; /* covers what follows */
	struct lk_error failure;
};

#define BENCH_SECOND_NS 1000000000

uint64_t bench_now_ns(void);
uint64_t bench_random(uint64_t *state);

/* NULL: all are busy. */
struct bench_lane *bench_worker_pop(struct bench_worker *worker);
void bench_worker_push(struct bench_worker *worker, struct bench_lane *lane);
uint32_t bench_worker_free_lanes(struct bench_worker *worker);

#endif
