#ifndef LK_BENCH_LOAD_H
#define LK_BENCH_LOAD_H

#include <stdatomic.h>

#include "bench/bench.h"
#include "bench/cost.h"
#include "bench/crowd.h"
#include "bench/latencies.h"

/* Gets that each start themselves again until the load is stopped. */

#define LOAD_IN_FLIGHT_MAX 512

/* What goes on besides the load. A Get belongs to HARD if it was so at any moment of it. */
enum load_moment { LOAD_UNMEASURED, LOAD_CALM, LOAD_HARD };

struct lane {
	struct load *load;
	lk_call *call;
	struct lk_session_get_request request;
	uint64_t random;
	const char *next; /* token */
	uint64_t start_us;
	enum load_moment moment;
};

struct load {
	struct lane lanes[LOAD_IN_FLIGHT_MAX];
	const struct crowd *crowd;
	unsigned in_flight;
	_Atomic int moment; /* enum load_moment */
	_Atomic bool is_over;
	_Atomic unsigned running;
	_Atomic uint64_t done;
	_Atomic uint64_t failed;
	_Atomic int first_error; /* enum lk_err */
	/* By moment; NULL: latencies are not measured. Both the caller's. */
	struct latencies *calm;
	struct latencies *hard;
};

/* Zeroed; freed with free. */
struct load *load_new(void);
/* Each Get is of a random session of the crowd. Lane i calls by client i modulo client_count. */
void load_start(struct load *load, lk_client *const *clients, unsigned client_count, const struct crowd *crowd,
		unsigned in_flight);
/* Ends the program when a Get was not VALID. */
void load_stop(struct load *load);

/* Gets a second of a load for the settings' time, after a tenth of it to warm up. */
double load_rate(const struct bench *b, lk_client *const *clients, unsigned client_count, const struct crowd *crowd,
		 unsigned in_flight);
/* The same on the bench's own stage, with one client, and adds what it costs. */
double load_rate_and_cost(const struct bench *b, const struct crowd *crowd, unsigned in_flight, struct cost *cost);

#endif
