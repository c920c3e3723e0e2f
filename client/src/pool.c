#include "pool.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"

#define ALIGNMENT	16U
#define BLOCK_BYTES_MIN 16384U

struct pool_block {
	struct pool_block *next;
	size_t bytes;
	_Alignas(ALIGNMENT) uint8_t data[];
};

static bool add_block(struct pool *pool, size_t bytes)
{
	struct pool_block *block;
	size_t size = bytes > BLOCK_BYTES_MIN ? bytes : BLOCK_BYTES_MIN;

	if (size > pool->left)
		return false;
	block = malloc(sizeof(*block) + size);
	if (block == NULL)
		return false;
	block->next = pool->blocks;
	block->bytes = size;
	pool->blocks = block;
	pool->left -= size;
	pool->at = block->data;
	pool->end = block->data + size;
	return true;
}

static void *pool_alloc(void *owner, size_t bytes)
{
	struct pool *pool = owner;
	uint8_t *at;

	if (bytes > pool->left + POOL_FIRST_BYTES)
		return NULL;
	bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (bytes > (size_t)(pool->end - pool->at) && !add_block(pool, bytes))
		return NULL;
	at = pool->at;
	pool->at += bytes;
	return at;
}

static void pool_free_nothing(void *owner, void *bytes)
{
	(void)owner;
	(void)bytes;
}

void pool_init(struct pool *pool, size_t cap_bytes)
{
	pool->allocator = (ProtobufCAllocator){pool_alloc, pool_free_nothing, pool};
	pool->blocks = NULL;
	pool->at = pool->first;
	pool->end = pool->first + POOL_FIRST_BYTES;
	pool->left = cap_bytes;
}

void pool_clear(struct pool *pool)
{
	size_t first_used = pool->blocks == NULL ? (size_t)(pool->at - pool->first) : POOL_FIRST_BYTES;
	struct pool_block *block;

	while ((block = pool->blocks) != NULL) {
		pool->blocks = block->next;
		explicit_bzero(block->data, block->bytes);
		free(block);
	}
	/* Only what was used: this is on the path of every call. */
	explicit_bzero(pool->first, first_used);
}

/* How much a message may hold is bounded by the pool; fields of a newer server are passed over. */
ProtobufCMessage *pool_unpack(struct pool *pool, const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
			      size_t len)
{
	struct codec_reader reader = {.allocator = &pool->allocator, .unknown_max = UINT_MAX, .repeated_max = SIZE_MAX};

	return codec_unpack(&reader, type, bytes, len);
}
