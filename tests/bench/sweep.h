#ifndef LK_BENCH_SWEEP_H
#define LK_BENCH_SWEEP_H

#include <latchkey/latchkey.h>

/* So many calls, each with a number of its own, so many of them at once. */
struct sweep {
	lk_client *client;
	const char *name; /* of what is done, for a message */
	unsigned count;
	unsigned in_flight; /* at most SWEEP_IN_FLIGHT_MAX */
	enum lk_err (*start)(lk_call *call, unsigned at, void *arg);
	/* A call that succeeded; false: its answer is not the expected one. NULL: any is. */
	bool (*check)(lk_call *call, unsigned at, void *arg);
	void *arg;
};

#define SWEEP_IN_FLIGHT_MAX 64

/* Calls a second. Ends the program when one failed. */
double sweep_run(const struct sweep *s);

#endif
