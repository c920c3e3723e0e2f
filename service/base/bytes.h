#ifndef LK_BASE_BYTES_H
#define LK_BASE_BYTES_H

/* Big-endian numbers and byte strings in a buffer. A writer's buffer was measured beforehand: writing beyond it is a
 * defect. A reader's input is hostile: reading beyond it sets `is_short` and gives zeros and empty spans from then
 * on. */

#include <assert.h>
#include <endian.h>

#include "base/span.h"

struct writer {
	uint8_t *at;
	const uint8_t *end;
};

static inline struct writer writer_over(uint8_t *buffer, size_t len)
{
	return (struct writer){.at = buffer, .end = buffer + len};
}

/* 1 to 8 bytes: where their number is known to the compiler, a move. */
static inline void put_number(struct writer *w, uint64_t n, size_t bytes)
{
	uint64_t whole;

	assert(bytes > 0 && bytes <= sizeof(whole) && (size_t)(w->end - w->at) >= bytes);
	assert(bytes == 8 || n >> (8 * bytes) == 0);
	whole = htobe64(n << (64 - 8 * bytes));
	memcpy(w->at, &whole, bytes);
	w->at += bytes;
}

static inline void put_bytes(struct writer *w, span s)
{
	assert((size_t)(w->end - w->at) >= s.len);
	if (s.len > 0)
		memcpy(w->at, s.ptr, s.len);
	w->at += s.len;
}

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool is_short;
};

static inline struct reader reader_over(span s)
{
	return (struct reader){.at = s.ptr, .end = s.ptr + s.len};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline span take_bytes(struct reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->is_short || reader_left(r) < len) {
		r->is_short = true;
		return SPAN_EMPTY;
	}
	r->at += len;
	return span_of(at, len);
}

/* As many zeros when there is not enough left. */
static inline void take_array(struct reader *r, uint8_t *out, size_t len)
{
	const span s = take_bytes(r, len);

	memset(out, 0, len);
	if (s.len > 0)
		memcpy(out, s.ptr, s.len);
}

/* Up to 8 bytes, and as put_number. */
static inline uint64_t take_number(struct reader *r, size_t bytes)
{
	const span s = take_bytes(r, bytes);
	uint64_t whole = 0;

	assert(bytes <= sizeof(whole));
	if (s.len == 0)
		return 0;
	memcpy(&whole, s.ptr, bytes);
	return be64toh(whole) >> (64 - 8 * bytes);
}

#endif
