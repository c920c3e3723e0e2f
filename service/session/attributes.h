#ifndef LK_SESSION_ATTRIBUTES_H
#define LK_SESSION_ATTRIBUTES_H

/* The inside of a session's sealed parts, before compression, big-endian.
 *
 * Changes, in order: key length u8, and 128 if it is removed | key | if it is set: length | value. A new session's
 * attributes are changes to nothing.
 * Metadata: tag u8 | length | value, unknown tags skipped.
 * A length is of one to three bytes, seven bits in each, the low ones first (LEB128). */

#include "session/session.h"

/* False: the arena is full. Removals come first. The text is not over ATTRIBUTES_TEXT_BYTES_MAX, which the caller
 * checks with attributes_text_bytes. */
bool attributes_print(arena *a, const struct session_attribute *set, size_t set_count, const span *remove,
		      size_t remove_count, span *ret) MUST_CHECK;
size_t attributes_text_bytes(const struct session_attribute *set, size_t set_count, const span *remove,
			     size_t remove_count);

enum attributes_result { ATTRIBUTES_OK, ATTRIBUTES_DAMAGED, ATTRIBUTES_NO_MEMORY };

/* Applies texts of changes one after the other. *ret is sorted by key, borrows from the texts. */
enum attributes_result attributes_merge(arena *a, const span *texts, size_t text_count,
					const struct session_attribute **ret, size_t *ret_count) MUST_CHECK;

struct metadata {
	span user;
	struct session_device device;
	struct session_authentication authentication;
};

bool metadata_print(arena *a, const struct metadata *m, span *ret) MUST_CHECK;
/* False: damaged. Borrows from the text. */
bool metadata_read(span text, struct metadata *ret) MUST_CHECK;

#endif
