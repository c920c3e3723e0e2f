#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Later blocks are at least this large, so that many small allocations do not each cost a malloc, and at least a quarter
 * of what there is already: who needs a hundred of the small ones gets by with a dozen. */
#define ARENA_BLOCK_BYTES_MIN 4096U
#define ARENA_GROWTH_DIVISOR  4U

struct block {
	struct block *next;
	uint8_t *at;  /* what is free, once it is no longer the current one */
	uint8_t *end; /* of that: behind it is what was kept of the end */
	size_t bytes; /* usable */
	alignas(max_align_t) uint8_t data[];
};

/* What is free in the current block begins and ends aligned, so any number of bytes that fits does so rounded up too. */
struct arena {
	uint8_t *at;
	uint8_t *end;
	struct block *current; /* newest first; the last is the one that the arena itself lives in */
	size_t cap_bytes;
	size_t total_bytes; /* usable bytes of all blocks */
	block_pool *pool;   /* to which that last one goes back; NULL: it is freed */
};

static void block_init(struct block *b, size_t bytes)
{
	b->bytes = bytes;
	b->at = b->data;
	b->end = b->data + bytes;
}

static struct block *block_new(size_t bytes)
{
	struct block *b = calloc(1, sizeof(*b) + bytes);

	if (b != NULL)
		block_init(b, bytes);
	return b;
}

static size_t align_up(size_t bytes)
{
	const size_t mask = alignof(max_align_t) - 1;

	return (bytes + mask) & ~mask;
}

static size_t own_bytes(void)
{
	return align_up(sizeof(struct arena));
}

/* The arena's place in the current block, written back to it. */
static struct block *put_back(arena *a)
{
	a->current->at = a->at;
	a->current->end = a->end;
	return a->current;
}

static void use(arena *a, struct block *b)
{
	a->current = b;
	a->at = b->at;
	a->end = b->end;
}

/* Of all that was handed out from it. */
static void block_wipe(struct block *b, size_t from)
{
	explicit_bzero(b->data + from, (size_t)(b->at - b->data) - from);
	explicit_bzero(b->end, (size_t)(b->data + b->bytes - b->end));
}

static arena *begin(struct block *b, size_t first_bytes, size_t cap_bytes, block_pool *pool)
{
	arena *a = (arena *)(void *)b->data;

	b->at += own_bytes();
	use(a, b);
	a->cap_bytes = cap_bytes;
	a->total_bytes = first_bytes;
	a->pool = pool;
	return a;
}

arena *arena_new(size_t first_bytes, size_t cap_bytes)
{
	struct block *b;

	assert(first_bytes <= cap_bytes);
	b = block_new(own_bytes() + align_up(first_bytes));
	return b == NULL ? NULL : begin(b, first_bytes, cap_bytes, NULL);
}

arena *arena_new_from(block_pool *pool, size_t first_bytes, size_t cap_bytes)
{
	const size_t overhead = sizeof(struct block) + own_bytes();
	const size_t bytes = block_pool_bytes(pool);
	struct block *b;

	assert(bytes > overhead && bytes % alignof(max_align_t) == 0);
	if (first_bytes > bytes - overhead || cap_bytes < bytes - overhead)
		return arena_new(first_bytes, cap_bytes);
	b = block_pool_take(pool);
	if (b == NULL)
		return NULL;
	block_init(b, bytes - sizeof(*b));
	return begin(b, bytes - overhead, cap_bytes, pool);
}

/* The block is wiped but for its header. */
static void give_back(block_pool *pool, struct block *b)
{
	*b = (struct block){0};
	block_pool_give(pool, b);
}

void arena_free(arena **a)
{
	block_pool *pool;
	struct block *b;

	if (*a == NULL)
		return;
	pool = (*a)->pool;
	b = put_back(*a);
	*a = NULL;
	while (b != NULL) {
		struct block *next = b->next;

		block_wipe(b, 0);
		if (next == NULL && pool != NULL)
			give_back(pool, b);
		else
			free(b);
		b = next;
	}
}

void arena_reset(arena *a)
{
	struct block *b = put_back(a);

	while (b->next != NULL) {
		struct block *next = b->next;

		block_wipe(b, 0);
		a->total_bytes -= b->bytes;
		free(b);
		b = next;
	}
	block_wipe(b, own_bytes());
	b->at = b->data + own_bytes();
	b->end = b->data + b->bytes;
	use(a, b);
}

/* Room for a later block of at least `wanted` bytes; 0: not under the cap. */
static size_t size_of_next(const arena *a, size_t wanted)
{
	const size_t left = a->cap_bytes - a->total_bytes;
	const size_t growth = align_up(a->total_bytes / ARENA_GROWTH_DIVISOR);
	size_t size = growth > ARENA_BLOCK_BYTES_MIN ? growth : ARENA_BLOCK_BYTES_MIN;

	if (size < wanted || size > left)
		size = wanted;
	return size > left ? 0 : size;
}

/* From a new block. Not inlined: arena_alloc would save registers for it each time. */
static __attribute__((noinline)) void *alloc_anew(arena *a, size_t bytes)
{
	struct block *b;
	size_t size;

	if (bytes > a->cap_bytes)
		return NULL;
	size = size_of_next(a, align_up(bytes));
	b = size == 0 ? NULL : block_new(size);
	if (b == NULL)
		return NULL;
	b->next = put_back(a);
	b->at += align_up(bytes);
	a->total_bytes += size;
	use(a, b);
	return b->data;
}

void *arena_alloc(arena *a, size_t bytes)
{
	uint8_t *p = a->at;

	bytes += bytes == 0;
	if (bytes > (size_t)(a->end - p))
		return alloc_anew(a, bytes);
	a->at = p + align_up(bytes);
	return p;
}

uint8_t *arena_rest(const arena *a, size_t *ret_len)
{
	*ret_len = (size_t)(a->end - a->at);
	return a->at;
}

void arena_keep_end(arena *a, size_t bytes)
{
	assert(bytes <= (size_t)(a->end - a->at));
	a->end -= align_up(bytes);
}

void *arena_array(arena *a, size_t count, size_t bytes_each)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, bytes_each, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

bool arena_copy(arena *a, span s, span *ret)
{
	uint8_t *p = arena_alloc(a, s.len);

	if (p == NULL)
		return false;
	if (s.len > 0)
		memcpy(p, s.ptr, s.len);
	*ret = span_of(p, s.len);
	return true;
}

span arena_printf(arena *a, const char *format, ...)
{
	va_list args;
	char *p;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return SPAN_EMPTY;
	va_start(args, format);
	(void)vsnprintf(p, (size_t)n + 1, format, args);
	va_end(args);
	return span_of(p, (size_t)n);
}

size_t arena_used(const arena *a)
{
	size_t used = a->current->bytes - (size_t)(a->end - a->at);

	for (const struct block *b = a->current->next; b != NULL; b = b->next)
		used += b->bytes - (size_t)(b->end - b->at);
	return used - own_bytes();
}
