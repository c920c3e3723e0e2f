#ifndef LK_SUPPORT_REDIS_SERVER_H
#define LK_SUPPORT_REDIS_SERVER_H

#include <hiredis/hiredis.h>

#include "support/certificates.h"
#include "support/netns.h"
#include "support/process.h"
#include "support/tmpdir.h"

#define REDIS_ARGS_MAX 48

/* A real redis-server on a folder of its own, with a unix socket and a loopback port, no persistence unless asked for. */
struct redis_server_options {
	const char *password; /* NULL: none */
	const char *user;     /* an ACL user with all rights and that password, besides `default`; NULL: none */
	const struct certificates *tls; /* a TLS port besides the plain one; must live as long; NULL: none */
	bool is_mutual;			/* TLS clients must bring a certificate */
	const struct netns_host *host;	/* listens there; must live as long; NULL: on loopback */
	bool may_load;			/* redis_server_start returns while it still reads its data in */
	const char *file;		/* a configuration file, read before the arguments; NULL: none */
	const char
	    *args[REDIS_ARGS_MAX]; /* further arguments, such as "--appendonly", "yes"; the strings must live as long */
};

struct redis_server {
	struct redis_server_options options;
	struct tmpdir dir;
	struct process process;
	bool is_frozen;
	uint16_t port;
	uint16_t tls_port; /* 0: none */
	char socket[TMPDIR_FILE_BYTES];
	char log[TMPDIR_FILE_BYTES];
	char url[TMPDIR_FILE_BYTES + 16]; /* unix://SOCKET */
};

/* options NULL: none. Picks folder and ports, starts nothing. */
void redis_server_init(struct redis_server *s, const struct redis_server_options *options);

/* Starts, and waits until it answers. Again after a stop or kill: same folder, socket and ports. */
void redis_server_start(struct redis_server *s);

/* The two halves of a start, for many servers at once. */
void redis_server_launch(struct redis_server *s);
void redis_server_wait_up(struct redis_server *s);

/* SIGTERM, and waits. */
void redis_server_stop(struct redis_server *s);

/* SIGKILL, and waits. */
void redis_server_kill(struct redis_server *s);

/* SIGSTOP and SIGCONT. A frozen one can be killed, not stopped. */
void redis_server_freeze(struct redis_server *s);
void redis_server_thaw(struct redis_server *s);

/* Defines SET_VERB for a set of servers: that of the server number `at` in its `list`. */
#define REDIS_SERVER_FORWARD(set, verb, suffix, list)                                                                  \
	void set##_##verb##suffix(struct set *s, unsigned at)                                                          \
	{                                                                                                              \
		redis_server_##verb(&s->list[at]);                                                                     \
	}

/* Runs and is not frozen. */
bool redis_server_is_live(const struct redis_server *s);

/* Kills and removes the folder. Accepts one that was never initialised but zeroed. */
void redis_server_remove(struct redis_server *s);

/* Where others connect: "127.0.0.1" or the host's address, and the TLS port if it has one, else the plain one. */
const char *redis_server_address(const struct redis_server *s);
uint16_t redis_server_service_port(const struct redis_server *s);

/* The end of its log, for a failure's message; the caller frees. */
char *redis_server_last_words(const struct redis_server *s);

/* A connection for observing, by the unix socket: works for TLS servers and in other network namespaces alike. The
 * caller frees. NULL from redis_try_connect when nobody answers. */
redisContext *redis_server_connect(const struct redis_server *s);
redisContext *redis_try_connect(const char *unix_socket, const char *password);

/* The same by loopback TCP, without TLS. */
redisContext *redis_try_connect_tcp(uint16_t port, const char *password);

/* One command, over a connection of its own; the caller frees the reply. An error reply fails the test. */
redisReply *redis_server_command(const struct redis_server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same of a server that may be dead, frozen or refusing: NULL when it does not answer soon; error replies are
 * returned. */
redisReply *redis_server_try(const struct redis_server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* INFO's field has this value (up to the line's end); false too when nobody answers. */
bool redis_server_info_is(const struct redis_server *s, const char *section, const char *field, const char *value);

/* An INFO field as a number: redis_info_number(c, "server", "process_id"); -1 when it is not there. */
long long redis_info_number(redisContext *c, const char *section, const char *field);

/* calls of a command as `INFO commandstats` counts them, scripts' inner calls included; name in lower case. */
long long redis_command_calls(redisContext *c, const char *name);

/* All calls of commands that name a key of ours or run a script: what a caller's request can cause. Not GET, by which
 * realms are asked for all the time. */
long long redis_data_commands(redisContext *c);

#endif
