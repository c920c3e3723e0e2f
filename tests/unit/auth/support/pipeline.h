#ifndef LK_TESTS_AUTH_PIPELINE_H
#define LK_TESTS_AUTH_PIPELINE_H

/* Commands on a connection of their own, many in flight: real races, a hundred thousand of them in seconds. */

#include "real_redis.h"

struct pipeline {
	redisContext *connection;
	char sha1[STORE_SCRIPTS][41];
	size_t in_flight;
};

void pipeline_open(struct pipeline *p, const struct real_redis *redis);
void pipeline_close(struct pipeline *p);
void pipeline_send(struct pipeline *p, const struct store_command *command);
/* The next reply, in the arena. */
const struct store_reply *pipeline_take(struct pipeline *p, arena *a);

#endif
