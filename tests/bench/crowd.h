#ifndef LK_BENCH_CROWD_H
#define LK_BENCH_CROWD_H

#include "bench/bench.h"

/* Many sessions, made as fast as it goes. */

#define CROWD_TOKEN_BYTES  106
#define CROWD_HANDLE_BYTES 29
#define CROWD_USER_BYTES   48

struct crowd_policy {
	const char *realm;
	const char *session_class;
};

struct crowd {
	unsigned count;
	unsigned per_user;
	char name[CROWD_USER_BYTES - 16]; /* its users' names start with it: no two crowds share users */
	char (*tokens)[CROWD_TOKEN_BYTES];
	char (*handles)[CROWD_HANDLE_BYTES];
};

/* policy, or what is in it, NULL: the default ones. Each session has one attribute, bench_attribute(). */
void crowd_make(struct bench *b, const char *name, const struct crowd_policy *policy, unsigned count, unsigned per_user,
		struct crowd *ret);
/* The user of session i. */
void crowd_user(const struct crowd *c, unsigned i, char out[static CROWD_USER_BYTES]);
void crowd_free(struct crowd *c);

#endif
