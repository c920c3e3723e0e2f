#ifndef LK_BENCH_BASELINE_H
#define LK_BENCH_BASELINE_H

#include "bench/bench.h"

/* redis-benchmark, against whatever speaks Redis's protocol. */

#define BASELINE_WORDS_MAX 8

struct baseline {
	uint16_t port;
	const char *clients;			 /* -c */
	const char *pipeline;			 /* -P */
	const char *keyspace;			 /* -r: __rand_int__ is below it */
	const char *command[BASELINE_WORDS_MAX]; /* NULL-terminated */
};

/* Answers a second, for the settings' time. (Its latencies are of no use: it counts them by eight microseconds.) */
double baseline_run(const struct bench *b, const struct baseline *baseline);

/* Keys "bench:" and twelve digits, as __rand_int__ writes them, below BASELINE_KEYS, with values of so many bytes. */
#define BASELINE_KEYS	   1000
#define BASELINE_KEYS_TEXT "1000"
#define BASELINE_KEY	   "bench:__rand_int__"
#define BASELINE_KEY_OF_N  "bench:%012u"
#define BASELINE_EXPIRY_MS "1800000"
void baseline_fill(const struct redis_server *redis, size_t value_bytes);

#endif
