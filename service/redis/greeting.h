#ifndef LK_REDIS_GREETING_H
#define LK_REDIS_GREETING_H

#include "redis/info.h"

/* What a new connection says first, all of it at once, and what it makes of the answers. */

enum greeting_step {
	GREETING_AUTH,	   /* with a password */
	GREETING_SELECT,   /* with a database other than 0 */
	GREETING_NAME,	   /* shown by CLIENT LIST */
	GREETING_READONLY, /* a replica of a cluster is to answer reads itself */
	GREETING_INFO,	   /* Redis's version, which run of it this is, and its role */
	GREETING_PING,	   /* last: refused while Redis loads its data or has lost its master */
	GREETING_STEPS
};

struct greeting_settings {
	const char *user;     /* NULL: Redis's `default` */
	const char *password; /* NULL: none */
	uint32_t db;
	bool is_readonly; /* never for a primary: once demoted it would answer reads that are somebody else's */
};

/* A sentence about a refused step: name of the command and Redis's own words. */
#define GREETING_TEXT_BYTES 160

struct greeting_result {
	struct info info;
	char refusal[GREETING_TEXT_BYTES]; /* empty: none */
	bool is_login_refused;		   /* that was AUTH, or the want of it */
	char untold[GREETING_TEXT_BYTES];  /* why it does not tell its version and role; empty: it does */
};

/* Fills *ret with the step's command, or returns false when these settings need no such step. The command borrows from
 * settings and from scratch. */
struct greeting_scratch {
	char db[12];
};
bool greeting_command(enum greeting_step step, const struct greeting_settings *settings,
		      struct greeting_scratch *scratch, struct store_command *ret);

/* Takes a step's reply. False: the connection cannot be used, *ret says why. */
bool greeting_answer(enum greeting_step step, const struct store_reply *reply, struct greeting_result *ret)
    __attribute__((warn_unused_result));

/* Redis 7.0 is the floor, for its scripts and commands. An unknown version passes. */
bool greeting_version_is_served(const char *version);

#endif
