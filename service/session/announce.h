#ifndef LK_SESSION_ANNOUNCE_H
#define LK_SESSION_ANNOUNCE_H

/* What scripts PUBLISH on STORE_CHANNEL, and the service where no script can: what happened to whom, for the memory of
 * revocations (session/recent.h) and for those who watch. Big-endian:
 *
 *      0  format u8 = 1 | 1 kind u8 | 2 realm tag u32 | 6 reason u8 | 7 at_ms u64 | 15 TAG 11 | 26 NAME 16, any number
 *
 * and of an end that Redis cannot write now, which is to be remembered for so long:
 *
 *      0  format u8 = 2 | the same up to TAG | 26 seconds u32 | 30 NAME 16, one or more
 *
 * and of a rotation, whether or not anybody watches, for the memory only:
 *
 *      0  format u8 = 3 | the same as in format 1, with the old NAME
 *
 * All up to TAG is the head: the service makes it, a script puts the names behind it. Names are those of the sessions
 * that it happened to; of a rotation, the old one and the new one; of a realm's revocation there are none, TAG is the
 * realm's RTAG, and at_ms is the moment before which sessions must have been created to end. */

#include "session/handle.h"
#include "session/session.h"

#define ANNOUNCEMENT_HEAD_BYTES 26

/* Numbers as EventKind in proto/latchkey/v1/sessions.proto. */
enum session_event_kind {
	EVENT_CREATED = 1,
	EVENT_ROTATED = 2,
	EVENT_UPDATED = 3,
	EVENT_REVOKED = 4,
	EVENT_EVICTED = 5,
	EVENT_REUSE_DETECTED = 6,
	EVENT_REALM_REVOKED = 7,
};

struct announcement {
	enum session_event_kind kind;
	uint32_t realm_tag;
	uint8_t reason; /* enum session_reason; 0: none */
	uint64_t at_ms;
	uint64_t lives_ms; /* 0: for the usual time */
	span tag;	   /* USER_TAG_CHARS */
	span names;	   /* NAME_CHARS each, whole */
};

/* SPAN_EMPTY when the arena is full. */
span announcement_head(arena *a, const struct plan_env *env, const struct handle *h, enum session_event_kind kind,
		       enum session_reason reason, uint64_t at_ms);
/* The whole announcement, of the session itself, of what only those who watch want to know: empty unless the realm has
 * events. False: the arena is full. */
bool announcement_wanted(const struct plan_env *env, const struct handle *h, enum session_event_kind kind,
			 span *ret) MUST_CHECK;
/* Head and all that follows; lives_ms 0: format 1. */
span announcement_write(arena *a, const struct plan_env *env, const struct handle *h, const struct announcement *n);

/* That the session was rotated, whole, of format 3. SPAN_EMPTY when the arena is full. */
span announcement_rotated(arena *a, const struct plan_env *env, const struct handle *h);
bool announcement_read_rotated(span message, struct announcement *ret) MUST_CHECK;

/* False: it is none that this version knows, or of format 3. Everything is borrowed from the message. */
bool announcement_read(span message, struct announcement *ret) MUST_CHECK;
/* Whether it says that sessions have ended. */
bool announcement_is_end(const struct announcement *n);

#endif
