#ifndef LK_SESSION_FORWARD_H
#define LK_SESSION_FORWARD_H

/* What stands in the place of a record whose session was rotated, big-endian. The scripts read at these places too.
 *
 *      0  format u8 = 3 | 1 key id u16 | 3 rotated_at_ms u48 | 9 grace_until_ms u48 | 15 realm tag u32
 *     19  successor's NAME 16, so that scripts find what came of it | 35 sealed
 * sealed: successor's token 75 bytes | authentication: at_ms u64 | aal u8 | methods u8 | each: length u8, bytes
 *
 * The authentication is what the session had before the rotation, which may be a step-up: the old token is worth no more.
 * Only who shows the old token opens the forward: it is sealed under the session id that it names no more, and bound to
 * the Redis key and to all of its header. */

#include "session/handle.h"
#include "session/record.h"

#define FORWARD_FORMAT	     3
#define FORWARD_HEADER_BYTES 35

struct forward_header {
	uint16_t key_id;
	uint64_t rotated_at_ms;
	uint64_t grace_until_ms; /* from then on the old token is reused */
	uint32_t realm_tag;
	char name[NAME_CHARS];
};

struct forward_inside {
	uint8_t token[TOKEN_BYTES];
	struct session_authentication authentication;
};

bool is_forward(span value);

/* place: of the session that was rotated. The header's key id is filled in here. False: the arena is full. */
bool forward_write(arena *a, const struct record_place *place, const struct forward_header *header,
		   const struct forward_inside *inside, span *ret) MUST_CHECK;

/* Needs is_forward. RECORD_UNREADABLE when it is none for all that. */
enum record_result forward_read(span value, struct forward_header *ret) MUST_CHECK;
/* The methods' bytes live in the arena. */
enum record_result forward_open(arena *a, const struct record_place *place, span value,
				struct forward_inside *ret) MUST_CHECK;

#endif
