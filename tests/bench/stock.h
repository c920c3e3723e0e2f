#ifndef LK_BENCH_STOCK_H
#define LK_BENCH_STOCK_H

#include "bench/cost.h"
#include "bench/frames.h"

/* Callers with nng's own REQ socket: each of its contexts asks again as soon as it has its answer. */
#define STOCK_CONTEXTS_MAX 64

struct stock {
	const char *url;
	unsigned contexts;
	const struct frames *frames;
	/* NULL: any answer is right. */
	bool (*check)(const uint8_t *body, size_t len, unsigned calls);
	/* What the frames cost is added here; NULL: not wanted, or they do not go to the bench's own stage. */
	struct cost *cost;
};

/* Frames answered a second. Ends the program when one is wrong. */
double stock_rate(const struct bench *b, const struct stock *s);

#endif
