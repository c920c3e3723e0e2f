#ifndef LK_AUTH_VALUE_H
#define LK_AUTH_VALUE_H

/* An answer as it is stored: a header, which the scripts read and write (auth_lookup.lua has its fields), and a body.
 *
 *     1    number of groups, and 0x80 if the realm has been revoked
 *     16   of each: tag and epoch, 8 bytes each
 *     8    when the realm was revoked last, ms; if it was
 *     2    number of the key that sealed it
 *          sealed, bound to the Redis key, the epoch and all of the above: 0 plain, 1 zstd, 2 negative; and the answer */

#include "auth/groups.h"

enum value_result { VALUE_OK, VALUE_UNREADABLE, VALUE_NO_MEMORY };

struct value {
	uint64_t fresh_until_ms;
	span epoch;
	span body;
	span groups; /* of the body: number, tags and epochs */
};

struct value_place {
	const keyring *keys;
	struct compressor *compressor;
	span key; /* in Redis */
	span epoch;
};

/* False: it is none. Everything is borrowed. */
bool value_parse(span stored, struct value *ret) MUST_CHECK;
/* What tells an answer from all others, readable or not: the beginning of its body, with the seal's nonce. */
span value_mark(span stored);

/* answer NULL: there is none. False: the arena is full. */
bool value_seal(arena *a, const struct value_place *place, span groups, const span *answer, span *ret_body) MUST_CHECK;
enum value_result value_open(arena *a, const struct value_place *place, const struct value *v, bool *ret_is_negative,
			     span *ret_answer) MUST_CHECK;

#endif
