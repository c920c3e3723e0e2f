#ifndef LK_REDIS_PACKED_H
#define LK_REDIS_PACKED_H

#include "store/store.h"

/* A store command with bytes of its own: what a struct store_command of some 400 bytes and all that it points to come
 * to, in one piece of memory that its owner allocates. */
struct packed {
	uint8_t script;
	uint8_t key_count;
	uint8_t argc;
	uint8_t key_at;	 /* the argument that is the key, or argc: it stands behind them all */
	uint32_t lens[]; /* of the arguments and perhaps the key; their bytes follow */
};

size_t packed_bytes(const struct store_command *command);

/* ret: packed_bytes of it. */
void packed_write(const struct store_command *command, struct packed *ret);

/* A write that may be repeated; borrows from p. */
void packed_read(const struct packed *p, struct store_command *ret);

#endif
