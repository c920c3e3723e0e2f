/* Memory of some kilobytes costs the allocator a thousand instructions to find, clear, and take back, where it is taken and
 * given by several threads; here it is a lock and a pointer. Blocks are wiped by who gives them, who knows how much of them
 * he has written, and so need not be cleared for the next.
 *
 * Under a sanitizer none is kept: it would not see that a block is used by who has given it back. */

#include "base/block_pool.h"

#include <pthread.h>
#include <stdlib.h>

#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) ||                 \
    HAS_FEATURE(thread_sanitizer)
#define KEEPS_BLOCKS 0
#else
#define KEEPS_BLOCKS 1
#endif

struct block_pool {
	pthread_mutex_t lock; /* a leaf */
	size_t block_bytes;
	size_t kept_max;
	size_t kept;
	void *blocks[];
};

block_pool *block_pool_new(size_t block_bytes, size_t kept_max)
{
	const size_t max = KEEPS_BLOCKS ? kept_max : 0;
	block_pool *p = calloc(1, sizeof(*p) + max * sizeof(p->blocks[0]));

	if (p == NULL)
		return NULL;
	(void)pthread_mutex_init(&p->lock, NULL);
	p->block_bytes = block_bytes;
	p->kept_max = max;
	return p;
}

void block_pool_free(block_pool **p)
{
	block_pool *old = *p;

	*p = NULL;
	if (old == NULL)
		return;
	while (old->kept > 0)
		free(old->blocks[--old->kept]);
	(void)pthread_mutex_destroy(&old->lock);
	free(old);
}

size_t block_pool_bytes(const block_pool *p)
{
	return p->block_bytes;
}

void *block_pool_take(block_pool *p)
{
	void *block = NULL;

	(void)pthread_mutex_lock(&p->lock);
	if (p->kept > 0)
		block = p->blocks[--p->kept];
	(void)pthread_mutex_unlock(&p->lock);
	return block != NULL ? block : calloc(1, p->block_bytes);
}

void block_pool_give(block_pool *p, void *block)
{
	(void)pthread_mutex_lock(&p->lock);
	if (p->kept < p->kept_max) {
		p->blocks[p->kept++] = block;
		block = NULL;
	}
	(void)pthread_mutex_unlock(&p->lock);
	free(block);
}
