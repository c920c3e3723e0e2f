#ifndef LK_BENCH_PUMP_H
#define LK_BENCH_PUMP_H

#include "bench/cost.h"
#include "bench/framing.h"
#include "bench/latencies.h"

/* A load generator as light as redis-benchmark: one thread and one epoll, a request a connection, the next as soon as
 * the answer is there. */

#define PUMP_REQUEST_BYTES_MAX 4096
#define PUMP_CONNECTIONS_MAX   64

struct pump {
	uint16_t port;
	unsigned connections;
	const struct framing *framing;
	/* Writes request number `serial`, at most PUMP_REQUEST_BYTES_MAX; returns its length. */
	size_t (*ask)(void *arg, uint64_t serial, uint8_t *out);
	void *arg;
	/* What an answer must have near its front (NULL: anything), and its length at least: a refusal counts for nothing. */
	const char *answer_has;
	size_t answer_bytes_min;
	struct cost *cost; /* what the requests cost is added here; NULL: not wanted, or not the bench's own stage */
	struct latencies *latencies; /* of the requests after the first tenth of the time; NULL: not wanted */
	uint64_t count;		     /* requests; 0: as many as fit in the settings' time */
};

/* Answers a second. Ends the program when one is wrong or none comes. */
double pump_run(const struct bench *b, const struct pump *p);

#endif
