#include "wire/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Smallest allocation: holds a few small messages, and 10,000 quiet links cost 10 MB at most. */
#define CAP_MIN 1024U

static size_t round_up(size_t n)
{
	size_t cap = CAP_MIN;

	while (cap < n)
		cap *= 2;
	return cap;
}

bool wire_buffer_reserve(struct wire_buffer *b, size_t more)
{
	size_t len = wire_buffer_len(b);
	uint8_t *data;
	size_t cap;

	if (b->cap - b->end >= more)
		return true;
	if (more > SIZE_MAX / 4 - len)
		return false;
	/* Moving is cheaper than growing only while it moves less than it frees. */
	if (b->cap - len >= more && len <= b->start) {
		memcpy(b->data, b->data + b->start, len);
	} else {
		cap = round_up(len + more);
		data = malloc(cap);
		if (data == NULL)
			return false;
		if (len > 0)
			memcpy(data, b->data + b->start, len);
		free(b->data);
		b->data = data;
		b->cap = cap;
	}
	b->start = 0;
	b->end = len;
	return true;
}

void wire_buffer_shrink(struct wire_buffer *b, size_t cap)
{
	size_t len = wire_buffer_len(b);
	uint8_t *data;

	assert(cap >= len && cap > 0);
	data = malloc(cap);
	if (data == NULL)
		return;
	if (len > 0)
		memcpy(data, b->data + b->start, len);
	free(b->data);
	*b = (struct wire_buffer){.data = data, .cap = cap, .end = len};
}

void wire_buffer_consume(struct wire_buffer *b, size_t n)
{
	assert(n <= wire_buffer_len(b));
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void wire_buffer_drop(struct wire_buffer *b)
{
	free(b->data);
	*b = (struct wire_buffer){0};
}

void wire_buffer_put(struct wire_buffer *b, const void *data, size_t len)
{
	assert(b->cap - b->end >= len);
	if (len > 0)
		memcpy(b->data + b->end, data, len);
	b->end += len;
}
