#ifndef LK_CLI_BENCH_MIX_H
#define LK_CLI_BENCH_MIX_H

/* Which calls a load is made of, and how often each. */

#include <stdbool.h>
#include <stdint.h>

enum bench_kind {
	BENCH_GET,
	BENCH_PEEK,
	BENCH_UPDATE,
	BENCH_CREATE,
	BENCH_ROTATE,
	BENCH_REVOKE,
	BENCH_LIST,
	BENCH_MIXED, /* those before may be in a mix */
	BENCH_REVOKE_USER = BENCH_MIXED,
	BENCH_KINDS,
};

/* A mix counts in whole parts: per mille of per mille are enough. */
#define BENCH_WEIGHT_MAX 1000000

struct bench_mix {
	uint32_t weights[BENCH_MIXED];
	uint64_t total;
};

/* "get". */
const char *bench_kind_name(enum bench_kind kind);

/* "get=90,update=10", or words without numbers, which count as 1. False: a sentence was said, and nothing written. */
bool bench_mix_parse(const char *text, struct bench_mix *ret);

/* The call for a random number. */
enum bench_kind bench_mix_draw(const struct bench_mix *mix, uint64_t random);

#endif
