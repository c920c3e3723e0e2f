#ifndef LK_TESTS_REAL_REDIS_H
#define LK_TESTS_REAL_REDIS_H

/* A redis-server of the test's own, on a unix socket in a temporary folder, without persistence; and a store that
 * carries commands out on it one at a time. Scripts are read from service/scripts. */

#include <hiredis/hiredis.h>

#include "base/arena.h"
#include "store/store.h"

struct real_redis {
	char folder[64];
	char socket_path[96];
	pid_t pid;
	redisContext *connection;
	char *scripts[STORE_SCRIPTS]; /* by enum store_script; NULL until used */
};

/* Fails the test when it cannot start. */
void real_redis_start(struct real_redis *r);
void real_redis_stop(struct real_redis *r);

/* The reply, in the arena; also an ERROR. */
const struct store_reply *real_redis_do(struct real_redis *r, arena *a, const struct store_command *command);

/* redisCommand's format; the reply is freed by the caller. Fails the test on an error. */
redisReply *real_redis_ask(struct real_redis *r, const char *format, ...);
long long real_redis_number(struct real_redis *r, const char *format, ...);

#endif
