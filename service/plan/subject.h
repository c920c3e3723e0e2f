#ifndef LK_PLAN_SUBJECT_H
#define LK_PLAN_SUBJECT_H

/* TAG: who a user, or subject, of a realm is in Redis. All keys with one TAG share a slot. */

#include "crypto/codec.h"
#include "plan/plan.h"

#define USER_BYTES_MAX 256
#define USER_TAG_BYTES 8
#define USER_TAG_CHARS 16 /* hex */
#define NAME_BYTES     16
#define NAME_CHARS     22 /* base64url */

_Static_assert(NAME_CHARS == BASE64_CHARS(NAME_BYTES), "a name in base64url");

void user_tag_make(const keyring *kr, span realm, span user, uint8_t out[static USER_TAG_BYTES]);
/* The same, as keys have it. */
void user_tag_print(const uint8_t tag[static USER_TAG_BYTES], char out[static USER_TAG_CHARS]);

/* "lk1:KIND:{TAG}"; and that with ":" and the last part. False: the arena is full. */
bool key_of_subject(arena *a, char kind, const char tag[static USER_TAG_CHARS], span *ret) MUST_CHECK;
bool key_under_subject(arena *a, char kind, const char tag[static USER_TAG_CHARS], span last, span *ret) MUST_CHECK;
/* The key that remembers the answer to the caller's idempotency key, in the subject's slot. */
bool key_of_idempotency(const struct plan_env *env, const char tag[static USER_TAG_CHARS], span method,
			span *ret) MUST_CHECK;

#endif
