#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Later blocks are at least this large, so that many small allocations do not each cost a malloc. */
#define ARENA_BLOCK_BYTES_MIN 4096U

struct block {
	struct block *next;
	size_t bytes; /* usable */
	size_t used;
	alignas(max_align_t) uint8_t data[];
};

struct arena {
	struct block *current; /* newest first; the last is the one that the arena itself lives in */
	size_t cap_bytes;
	size_t total_bytes; /* usable bytes of all blocks */
	size_t used_bytes;
};

static struct block *block_new(size_t bytes)
{
	struct block *b = calloc(1, sizeof(*b) + bytes);

	if (b != NULL)
		b->bytes = bytes;
	return b;
}

static size_t align_up(size_t bytes)
{
	const size_t mask = alignof(max_align_t) - 1;

	return (bytes + mask) & ~mask;
}

static void *block_take(struct block *b, size_t bytes)
{
	void *p = b->data + b->used;

	b->used += bytes;
	return p;
}

arena *arena_new(size_t first_bytes, size_t cap_bytes)
{
	const size_t own = align_up(sizeof(struct arena));
	struct block *b;
	arena *a;

	assert(first_bytes <= cap_bytes);
	b = block_new(own + align_up(first_bytes));
	if (b == NULL)
		return NULL;
	a = block_take(b, own);
	a->current = b;
	a->cap_bytes = cap_bytes;
	a->total_bytes = first_bytes;
	return a;
}

void arena_free(arena **a)
{
	struct block *b;

	if (*a == NULL)
		return;
	b = (*a)->current;
	*a = NULL;
	while (b != NULL) {
		struct block *next = b->next;

		explicit_bzero(b->data, b->used);
		free(b);
		b = next;
	}
}

void arena_reset(arena *a)
{
	const size_t own = align_up(sizeof(struct arena));
	struct block *b = a->current;

	while (b->next != NULL) {
		struct block *next = b->next;

		explicit_bzero(b->data, b->used);
		a->total_bytes -= b->bytes;
		free(b);
		b = next;
	}
	explicit_bzero(b->data + own, b->used - own);
	b->used = own;
	a->current = b;
	a->used_bytes = 0;
}

void *arena_alloc(arena *a, size_t bytes)
{
	size_t wanted;
	struct block *b;

	if (bytes > a->cap_bytes)
		return NULL;
	wanted = align_up(bytes == 0 ? 1 : bytes);
	b = a->current;
	if (b->bytes - b->used < wanted) {
		size_t size = wanted > ARENA_BLOCK_BYTES_MIN ? wanted : ARENA_BLOCK_BYTES_MIN;

		if (size > a->cap_bytes - a->total_bytes)
			size = wanted;
		if (size > a->cap_bytes - a->total_bytes)
			return NULL;
		b = block_new(size);
		if (b == NULL)
			return NULL;
		b->next = a->current;
		a->current = b;
		a->total_bytes += size;
	}
	a->used_bytes += wanted;
	return block_take(b, wanted);
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
	return a->used_bytes;
}
