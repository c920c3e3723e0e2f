#ifndef LK_BENCH_BENCH_H
#define LK_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <latchkey/latchkey.h>

#include "support/latchkeyd.h"
#include "support/redis_server.h"

#define ROUNDS_MAX	15
#define ATTRIBUTE_BYTES 256

struct settings {
	unsigned seconds; /* of a measurement of calls a second */
	unsigned rounds;
};

/* A Redis and a service of its own, and where the rows go. */
struct bench {
	struct settings settings;
	struct redis_server redis;
	struct latchkeyd service;
	lk_client *client;
	FILE *json; /* NULL: not wanted */
	bool has_rows;
};

/* Of the default realm, besides its default class: a cap of 10,000. */
#define CLASS_MANY "many"
/* A realm whose sessions slide their idle timeout at most so often. The others' Gets are another command. */
#define REALM_POLLED   "polled"
#define POLLED_TOUCH_S "5"

/* What is measured: each prints a table of its own. */
void bench_get(struct bench *b);
void bench_revoke_user(struct bench *b);
void bench_memory(struct bench *b);
void bench_touch(struct bench *b);

_Noreturn void bench_die(const char *what, const struct lk_error *error);

/* An attribute whose value has ATTRIBUTE_BYTES and does not compress, as an identity provider's tokens do not. */
struct lk_attribute bench_attribute(void);

uint64_t bench_now_us(void);
double bench_median(double *values, unsigned count);

/* One object of the JSON array: the members, without braces. */
void bench_row(struct bench *b, const char *members, ...) __attribute__((format(printf, 2, 3)));

#endif
