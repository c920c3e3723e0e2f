#ifndef LK_BENCH_CROWD_H
#define LK_BENCH_CROWD_H

#include <stdbool.h>

#include <latchkey/latchkey.h>

#include "support/redis_server.h"

/* Many sessions, made as fast as it goes. */

#define CROWD_TOKEN_BYTES  106
#define CROWD_HANDLE_BYTES 29
#define CROWD_USER_BYTES   48
#define CROWD_KEY_BYTES	   80

struct crowd_policy {
	const char *realm;
	const char *session_class;
	bool
	    has_texts; /* 256 bytes of attributes as an application keeps them, in the place of those that do not compress */
};

struct crowd {
	unsigned count;
	unsigned per_user;
	char name[CROWD_USER_BYTES - 16]; /* its users' names start with it: no two crowds share users */
	char (*tokens)[CROWD_TOKEN_BYTES];
	char (*handles)[CROWD_HANDLE_BYTES];
};

/* policy, or what is in it, NULL: the default ones. Each session has one attribute, bench_attribute(). Returns the
 * creations a second. */
double crowd_make(lk_client *client, const char *name, const struct crowd_policy *policy, unsigned count,
		  unsigned per_user, struct crowd *ret);
/* The user of session i. */
void crowd_user(const struct crowd *c, unsigned i, char out[static CROWD_USER_BYTES]);
/* The Redis key of session i. */
void crowd_key(const struct crowd *c, unsigned i, char out[static CROWD_KEY_BYTES]);
/* Bytes of a session's record. */
size_t crowd_record_bytes(const struct crowd *c, const struct redis_server *redis);
void crowd_free(struct crowd *c);

#endif
