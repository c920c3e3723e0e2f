#ifndef LK_TESTS_REDIS_PEER_H
#define LK_TESTS_REDIS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "support/tmpdir.h"

/* A Redis played by the test, word by word, on a unix socket. One connection at a time. */
struct peer {
	struct tmpdir dir;
	char path[TMPDIR_FILE_BYTES];
	char url[TMPDIR_FILE_BYTES + 16];
	int listener;
	int fd; /* -1: none */
};

void peer_open(struct peer *p);
void peer_close(struct peer *p);

/* Waits for the next connection. */
void peer_accept(struct peer *p);
void peer_hang_up(struct peer *p);

/* The next command, its arguments joined by spaces and cut to size; false when the connection has ended. */
bool peer_read(struct peer *p, char *words, size_t size);
/* The next command must be this. */
void peer_expect(struct peer *p, const char *words);
void peer_send(struct peer *p, const char *bytes);
/* Whether the other end closes, whatever it sends before. */
bool peer_is_closed(struct peer *p);

/* Plays a greeting to its end; the PING gets this answer. */
void peer_greet_with(struct peer *p, const char *pong);
/* Accepts, and greets well. */
void peer_welcome(struct peer *p);

#endif
