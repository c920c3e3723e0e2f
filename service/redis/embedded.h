#ifndef LK_REDIS_EMBEDDED_H
#define LK_REDIS_EMBEDDED_H

#include "redis/redis.h"

/* A private redis-server: started, watched, started again when it dies, and stopped with the service. Its data, its
 * socket and its log are in one folder that only this user can enter. */
typedef struct embedded embedded;

struct embedded_options {
	const char *folder;	   /* absolute; made when absent */
	const char *server_binary; /* a path, or a name to be found in PATH */
	struct redis_events events;
};

/* Returns when the server answers, or has been loading its data for 10 s. FAILED_PRECONDITION: another process uses the
 * folder, the folder is open to others, the binary is not found, or the server does not answer within 10 s, or dies,
 * with its last words. INVALID_ARGUMENT: the socket's path would be too long. */
enum status_code embedded_start(const struct embedded_options *options, embedded **ret, struct status *st) MUST_CHECK;

/* "ipc:///folder/redis.sock". Lives as long as the server. */
const char *embedded_address(const embedded *e);

/* SIGTERM, at which it saves its data; after 10 s SIGKILL. Nulls *e; accepts NULL in it. */
void embedded_stop(embedded **e);

#endif
