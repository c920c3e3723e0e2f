#ifndef LK_SESSION_HANDLE_H
#define LK_SESSION_HANDLE_H

/* Who a session is to everybody but its holder: the user's TAG and the session's NAME, both keyed hashes; and the keys
 * in Redis made of them. All keys with one TAG share a slot. */

#include "plan/subject.h"
#include "session/session.h"
#include "session/token.h"

struct handle {
	char tag[USER_TAG_CHARS];
	char name[NAME_CHARS];
};

/* Of what concerns a whole realm: RTAG in the place of a TAG, and no name. */
void handle_of_realm(const struct realm *realm, struct handle *ret);

void handle_of_token(const keyring *kr, const struct token *t, struct handle *ret);
void handle_print(const struct handle *h, char out[static HANDLE_CHARS]);
/* Strict: one spelling for each handle. */
bool handle_parse(span text, struct handle *ret) MUST_CHECK;

/* False: the arena is full. */
bool key_of_session(arena *a, const struct handle *h, span *ret) MUST_CHECK;
bool key_of_index(arena *a, const struct handle *h, span *ret) MUST_CHECK;
/* The key by which session_restore learns of the user's last logouts everywhere. */
bool key_of_logouts(arena *a, const struct handle *h, span *ret) MUST_CHECK;
/* The key that says since when an update of the session waits to be brought back. */
bool key_of_mark(arena *a, const struct handle *h, span *ret) MUST_CHECK;
/* What all of the user's session keys start with; NAME follows. */
bool key_prefix(arena *a, const struct handle *h, span *ret) MUST_CHECK;

#endif
