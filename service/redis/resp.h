#ifndef LK_REDIS_RESP_H
#define LK_REDIS_RESP_H

/* RESP2, both ways: a store command into bytes, bytes into store replies. */

#include <sys/uio.h>

#include "store/store.h"

/* EVALSHA, its hash and the key count stand in front of a script's arguments. */
#define RESP_ARGS_MAX (STORE_ARGS_MAX + 3)
/* Per argument its header and its bytes, if they are long; one part closes the last. */
#define RESP_PARTS_MAX (2 * RESP_ARGS_MAX + 1)
/* Keys, numbers and words are copied: a part of their own for each costs more. */
#define RESP_SHORT_BYTES 64
/* "$", at most 20 digits, CRLF, short bytes, and the CRLF behind them; as much again for the array's own header. */
#define RESP_TEXT_BYTES ((25 + RESP_SHORT_BYTES) * (RESP_ARGS_MAX + 1))

/* How a script is named: by its hash, or in full for a Redis that does not know it; and so that a replica will run it.
 * Plain commands do not care. */
enum resp_form { RESP_BY_HASH, RESP_BY_SOURCE, RESP_BY_HASH_READ_ONLY, RESP_BY_SOURCE_READ_ONLY };

/* An encoded command: parts borrow from `text`, from the command and from the scripts, so it must not be moved. */
struct resp_request {
	struct iovec parts[RESP_PARTS_MAX];
	size_t count;
	char text[RESP_TEXT_BYTES];
	size_t text_len;
	size_t text_in_parts; /* how much of it is in parts already */
};

/* The command must have 1..STORE_ARGS_MAX arguments (a script may have none) and no more keys than arguments. */
void resp_encode(const struct store_command *command, enum resp_form form, struct resp_request *ret);

/* All arrays of replies that the service plans are pages of at most 501 entries; victims of a cap are fewer. */
#define RESP_ELEMENTS_MAX 65536
/* The longest reply planned is a page of 500 sessions of some 1 KiB each. What is received of one reply and not yet
 * parsed, and what is built from it, are bounded by this each. */
#define RESP_REPLY_BYTES_MAX ((size_t)8 * 1024 * 1024)
/* hiredis 0.14 stops at this depth; later versions have no bound of their own. */
#define RESP_DEPTH_MAX 7

/* A parser fed with what a connection brings. One thread at a time. */
typedef struct resp_reader resp_reader;

/* NULL when memory is out. */
resp_reader *resp_reader_new(void) __attribute__((warn_unused_result));
/* Nulls *r; accepts NULL in it. */
void resp_reader_free(resp_reader **r);

/* Parses data, of which it consumes all, and calls `reply` for each whole reply, which is borrowed until it returns.
 * `reply` returning false ends the parsing and drops the rest. False when the peer does not speak RESP2 or goes beyond
 * the limits above: the reader is of no more use. */
bool resp_reader_input(resp_reader *r, span data, bool (*reply)(void *owner, const struct store_reply *reply),
		       void *owner) __attribute__((warn_unused_result));

#endif
