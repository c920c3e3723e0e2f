#ifndef LK_REDIS_REPORTER_H
#define LK_REDIS_REPORTER_H

#include <pthread.h>

#include "redis/redis.h"

/* What is told of all that happens: a node has several connections, each of which meets the same trouble again and again,
 * and a line for each would bury the one that matters.
 *
 * A problem is the same when name, node and error are. It is told at once, and again after 1 s, 2 s, 4 s ... 10 min at
 * the earliest, with the number of times that it was not told. A recovery of its node starts that anew. */

#define REPORTER_PERIOD_MS_MIN 1000U
#define REPORTER_PERIOD_MS_MAX 600000U
/* All nodes of a large cluster, each with what its connections, its subscription and its term have to say; when there are
 * more, what was due longest is forgotten, and told once more than it had to be. */
#define REPORTER_LINES_MAX 256

struct reporter {
	struct redis_events to;
	pthread_mutex_t lock;
	uint64_t told; /* counts what is told */
	struct reporter_line {
		uint64_t key;  /* hash of name, node and error; 0: free */
		uint64_t node; /* hash of it */
		bool is_problem;
		uint64_t told; /* when, by the count; */
		uint64_t next_ms;
		uint32_t period_ms;
		uint64_t held_back;
	} lines[REPORTER_LINES_MAX];
};

void reporter_init(struct reporter *r, const struct redis_events *to);
void reporter_destroy(struct reporter *r);

/* Tells the event, at that moment, or does not. Thread-safe; never calls with its lock held. */
void reporter_tell(struct reporter *r, const struct redis_event *event, uint64_t now_ms);

/* That, now: for redis_events.report, the owner being a struct reporter. */
void reporter_report(void *owner, const struct redis_event *event);

#endif
