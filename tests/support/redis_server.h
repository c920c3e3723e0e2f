#ifndef LK_SUPPORT_REDIS_SERVER_H
#define LK_SUPPORT_REDIS_SERVER_H

#include <hiredis/hiredis.h>

#include "support/process.h"
#include "support/tmpdir.h"

#define REDIS_ARGS_MAX 16

/* A real redis-server on a folder of its own, with a unix socket and a loopback port, no persistence unless asked for. */
struct redis_server_options {
	const char *password;		  /* NULL: none */
	bool may_load;			  /* redis_server_start returns while it still reads its data in */
	const char *args[REDIS_ARGS_MAX]; /* further arguments, such as "--appendonly", "yes" */
};

struct redis_server {
	struct redis_server_options options;
	struct tmpdir dir;
	struct process process;
	uint16_t port;
	char socket[TMPDIR_FILE_BYTES];
	char log[TMPDIR_FILE_BYTES];
	char url[TMPDIR_FILE_BYTES + 16]; /* unix://SOCKET */
};

/* options NULL: none. Picks folder and port, starts nothing. */
void redis_server_init(struct redis_server *s, const struct redis_server_options *options);

/* Starts, and waits until it answers. Again after a stop or kill: same folder, socket and port. */
void redis_server_start(struct redis_server *s);

/* SIGTERM, and waits. */
void redis_server_stop(struct redis_server *s);

/* SIGKILL, and waits. */
void redis_server_kill(struct redis_server *s);

/* Kills and removes the folder. Accepts one that was never initialised but zeroed. */
void redis_server_remove(struct redis_server *s);

/* A connection for observing; the caller frees. NULL from redis_try_connect when nobody answers. */
redisContext *redis_server_connect(const struct redis_server *s);
redisContext *redis_try_connect(const char *unix_socket, const char *password);

/* One command, over a connection of its own; the caller frees the reply. An error reply fails the test. */
redisReply *redis_server_command(const struct redis_server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* An INFO field as a number: redis_info_number(c, "server", "process_id"); -1 when it is not there. */
long long redis_info_number(redisContext *c, const char *section, const char *field);

/* calls of a command as `INFO commandstats` counts them, scripts' inner calls included; name in lower case. */
long long redis_command_calls(redisContext *c, const char *name);

/* All calls of commands that name a key of ours or run a script: what a caller's request can cause. */
long long redis_data_commands(redisContext *c);

#endif
