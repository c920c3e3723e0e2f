#ifndef LK_SUPPORT_MONITOR_H
#define LK_SUPPORT_MONITOR_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

/* MONITOR, captured. Redis tells its monitors of commands in the order in which it runs them, so an ECHO of a unique
 * marker over a second connection, once seen, proves that everything before it was seen. */
struct monitor {
	redisContext *feed;
	redisContext *marker;
	unsigned serial;
	char **lines; /* what the last monitor_take brought, markers left out */
	size_t count;
	size_t room;
};

void monitor_start(struct monitor *m, const char *unix_socket, const char *password);
void monitor_stop(struct monitor *m);

/* Everything since monitor_start or the last take, but PING, by which connections are kept alive, and the questions whether
 * realms were revoked. */
void monitor_take(struct monitor *m);

/* A command's words. */
#define MONITOR_WORDS_MAX 32

struct monitor_command {
	bool is_from_script;
	size_t argc;
	char *argv[MONITOR_WORDS_MAX]; /* unescaped; ends with the record */
	char *text;
};

/* Taken apart; the caller frees with monitor_command_free. False: not a command line. */
bool monitor_parse(const char *line, struct monitor_command *ret);
void monitor_command_free(struct monitor_command *c);

/* Of the taken lines, those that a connection sent (not those that scripts ran); *ret_first (NULL allowed) is the first. */
size_t monitor_count_sent(const struct monitor *m, const char **ret_first);

#endif
