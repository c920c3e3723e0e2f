#ifndef LK_WIRE_BUFFER_H
#define LK_WIRE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Bytes in [start, end) of an allocation; all zero: empty. */
struct wire_buffer {
	uint8_t *data;
	size_t cap;
	size_t start;
	size_t end;
};

static inline size_t wire_buffer_len(const struct wire_buffer *b)
{
	return b->end - b->start;
}

/* Makes room for `more` bytes behind end, by moving the content to the front or by growing to a power of two. False
 * when memory is out; the content is untouched then. */
bool wire_buffer_reserve(struct wire_buffer *b, size_t more) __attribute__((warn_unused_result));

/* Exchanges the memory for `cap` bytes, no fewer than the content has; does nothing when memory is out. */
void wire_buffer_shrink(struct wire_buffer *b, size_t cap);

/* Takes the bytes off the front; an empty buffer starts over at its beginning. */
void wire_buffer_consume(struct wire_buffer *b, size_t n);

/* Frees the memory; the buffer is empty and usable. */
void wire_buffer_drop(struct wire_buffer *b);

/* The caller has reserved. */
void wire_buffer_put(struct wire_buffer *b, const void *data, size_t len);

#endif
