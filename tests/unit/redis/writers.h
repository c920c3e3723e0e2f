#ifndef LK_TESTS_REDIS_WRITERS_H
#define LK_TESTS_REDIS_WRITERS_H

#include "call.h"

/* Threads that write one key after the other, and acknowledge to themselves what the store lets them: as a caller of
 * store_keep must. */
struct writers;

struct writers_result {
	unsigned acknowledged;
	unsigned failed;     /* told that it was not done, or may not have been */
	unsigned late;	     /* had to be made sure of */
	uint64_t longest_ms; /* between two acknowledged of one thread */
	enum store_outcome failure;
	char error[300]; /* of one that failed */
};

/* wait_ms: a command's deadline. */
struct writers *writers_start(redis *r, unsigned threads, uint32_t wait_ms);
/* How many were acknowledged so far. */
unsigned writers_count(const struct writers *w);
/* Stops and counts. */
void writers_stop(struct writers *w, struct writers_result *ret);
/* Reads all back; fails the test with the number of acknowledged ones that are not there. Frees and nulls. */
void writers_check(struct writers **w);

#endif
