#ifndef LK_CLIENT_POOL_H
#define LK_CLIENT_POOL_H

/* Memory for unpacking one reply: bump allocation on the caller's stack first, then in blocks, with a hard cap, freed
 * and wiped as a whole. A hostile peer's empty fields would otherwise cost many times their size. */

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

/* A reply to Get with a few attributes unpacks into less. */
#define POOL_FIRST_BYTES 4096

struct pool_block;

struct pool {
	ProtobufCAllocator allocator;
	struct pool_block *blocks;
	uint8_t *at;
	uint8_t *end;
	size_t left; /* of the cap, for blocks */
	_Alignas(16) uint8_t first[POOL_FIRST_BYTES];
};

/* cap_bytes: of the blocks, the first on the stack not counted. */
void pool_init(struct pool *pool, size_t cap_bytes);
void pool_clear(struct pool *pool);

/* The message's bytes fields point into `bytes`. NULL: they are no such message, or take more than the cap. */
ProtobufCMessage *pool_unpack(struct pool *pool, const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
			      size_t len) __attribute__((warn_unused_result));

#endif
