#ifndef LK_PLAN_SUBJECT_H
#define LK_PLAN_SUBJECT_H

/* TAG: who a user, or subject, of a realm is in Redis. All keys with one TAG share a slot. */

#include "crypto/codec.h"
#include "crypto/names.h"
#include "plan/plan.h"

#define USER_BYTES_MAX 256
#define USER_TAG_BYTES 8
#define USER_TAG_CHARS 11 /* base64url */
/* What a name tells apart is all of one TAG, a user's sessions or what he repeats: among 12,500 of them two meet once in
 * 2^70 users. It is keyed, so that nobody can look for two that do, and no credential, so that guessing one is no use; a
 * session that would get another's is refused by the script that stores it. */
#define NAME_BYTES 12
#define NAME_CHARS 16 /* base64url */

_Static_assert(USER_TAG_CHARS == BASE64_CHARS(USER_TAG_BYTES), "a tag in base64url");
_Static_assert(NAME_CHARS == BASE64_CHARS(NAME_BYTES), "a name in base64url");

void user_tag_make(const keyring *kr, span realm, span user, uint8_t out[static USER_TAG_BYTES]);
/* The same, as keys have it. */
void user_tag_print(const uint8_t tag[static USER_TAG_BYTES], char out[static USER_TAG_CHARS]);
/* Both at once, of a user of the call's realm; */
void tag_of_user(const struct plan_env *env, span user, char out[static USER_TAG_CHARS]);
/* and the TAG of what is no user's but has a slot of its own. */
void tag_of_inputs(const struct plan_env *env, enum name_purpose purpose, const span *inputs, size_t count,
		   char out[static USER_TAG_CHARS]);
/* A NAME, which stands behind a TAG. */
void name_of_inputs(const struct plan_env *env, enum name_purpose purpose, const span *inputs, size_t count,
		    char out[static NAME_CHARS]);

/* "lk1:KIND:{TAG}"; and that with ":" and the last part. False: the arena is full. */
bool key_of_subject(arena *a, char kind, const char tag[static USER_TAG_CHARS], span *ret) MUST_CHECK;
bool key_under_subject(arena *a, char kind, const char tag[static USER_TAG_CHARS], span last, span *ret) MUST_CHECK;
/* The key that remembers the answer to the caller's idempotency key, in the subject's slot. */
bool key_of_idempotency(const struct plan_env *env, const char tag[static USER_TAG_CHARS], span method,
			span *ret) MUST_CHECK;

#endif
