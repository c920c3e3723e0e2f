#ifndef LK_CLIENT_BLOB_H
#define LK_CLIENT_BLOB_H

/* One block of memory filled from the front: first measured, with the same calls, then allocated, then filled. While
 * measuring, `start` is NULL and what the calls return must not be used. */

#include <protobuf-c/protobuf-c.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "latchkey/latchkey.h"

struct blob {
	uint8_t *start; /* zeroed memory */
	size_t used;
};

/* Room for a struct or an array. */
static inline void *blob_room(struct blob *blob, size_t bytes)
{
	size_t at = (blob->used + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

	blob->used = at + bytes;
	return blob->start != NULL ? blob->start + at : NULL;
}

/* A copy, with a NUL behind it. Nothing given: nothing taken. */
static inline struct lk_bytes blob_copy(struct blob *blob, ProtobufCBinaryData from)
{
	size_t at = blob->used;

	if (from.data == NULL)
		return (struct lk_bytes){NULL, 0};
	blob->used += from.len + 1;
	if (blob->start == NULL)
		return (struct lk_bytes){NULL, 0};
	memcpy(blob->start + at, from.data, from.len);
	return (struct lk_bytes){(const char *)blob->start + at, from.len};
}

/* As text: empty where nothing is given. */
static inline const char *blob_text(struct blob *blob, ProtobufCBinaryData from)
{
	const char *text = blob_copy(blob, from).data;

	return text != NULL ? text : "";
}

/* Copies into `to`, an object in the blob and what it points to, or, while measuring, into one that is thrown away. */
typedef void (*blob_fill)(struct blob *blob, const void *from, void *to);

/* An object of so many bytes with all that it points to, in one block, which free() frees. NULL when memory is out.
 * ret_block_bytes may be NULL. */
void *blob_build(size_t bytes, blob_fill fill, const void *from, size_t *ret_block_bytes)
    __attribute__((warn_unused_result));

#endif
