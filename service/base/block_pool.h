#ifndef LK_BASE_BLOCK_POOL_H
#define LK_BASE_BLOCK_POOL_H

#include <stddef.h>

/* Blocks of one size, all zeros, that are kept for the next who needs one. Thread-safe; its lock is a leaf. */
typedef struct block_pool block_pool;

/* kept_max: how many it keeps at most. NULL: no memory. */
block_pool *block_pool_new(size_t block_bytes, size_t kept_max) __attribute__((warn_unused_result));
/* Nulls *p; accepts NULL in it. All blocks must have been given back. */
void block_pool_free(block_pool **p);

size_t block_pool_bytes(const block_pool *p);

/* NULL: no memory. */
void *block_pool_take(block_pool *p) __attribute__((warn_unused_result));
/* A block that was taken, and that is all zeros again. */
void block_pool_give(block_pool *p, void *block);

#endif
