#ifndef LK_REDIS_FOLDER_H
#define LK_REDIS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"
#include "redis/url.h"

/* The embedded server's folder: its lock, and the names in it. */

/* The socket's path, FOLDER/redis.sock, is the tightest. */
#define FOLDER_PATH_BYTES (URL_SOCKET_BYTES_MAX + 1)

struct folder {
	int lock_fd; /* -1: not held */
	char path[FOLDER_PATH_BYTES];
	char socket[FOLDER_PATH_BYTES];
	char log[FOLDER_PATH_BYTES];
	char pid_file[FOLDER_PATH_BYTES];
};

/* Makes the folder if it is absent, checks that it is this user's alone, and locks it. INVALID_ARGUMENT: path too long
 * or not absolute. FAILED_PRECONDITION: cannot be made, belongs or is open to others, in use. */
enum status_code folder_open(const char *path, struct folder *ret, struct status *st) MUST_CHECK;
void folder_close(struct folder *f);

/* Ends a server that a killed predecessor has left on the folder's socket, once it is proven to be that: the kernel
 * names the process that listens there, and it is the one in the pid file. FAILED_PRECONDITION: another listens. */
enum status_code folder_clear(const struct folder *f, struct status *st) MUST_CHECK;

enum folder_service {
	FOLDER_SILENT,	/* nobody listens, or whoever does gives no answer within 200 ms */
	FOLDER_LOADING, /* a server that answers, but not with its data yet */
	FOLDER_SERVED,
};

/* Asks the server on the socket. */
enum folder_service folder_ask(const struct folder *f);

/* Notes the server's process id for a successor's folder_clear; 0 removes the note. Best effort. */
void folder_note_pid(const struct folder *f, pid_t pid);

/* Keeps the log from growing for ever: one that is over 1 MiB steps aside as redis.log.1. Returns the log's length. */
off_t folder_rotate_log(const struct folder *f);

/* The last line that the log got after `since`, printable, cut to size; empty when there is none. */
void folder_last_words(const struct folder *f, off_t since, char *ret, size_t size);

#endif
