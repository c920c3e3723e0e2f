#ifndef LK_AUTH_GROUPS_H
#define LK_AUTH_GROUPS_H

/* What an answer depends on besides its subject: groups, by the tags of their names, in the order of these, and the epoch
 * that each is in. Where the realm has been revoked, it is one more, whose epoch each instance knows without asking. */

#include "auth/auth.h"

#define EPOCH_BYTES	8
#define GROUP_TAG_BYTES 8
/* "lk1:g:{GTAG}" */
#define GROUP_KEY_CHARS	 (8 + USER_TAG_CHARS)
#define GROUPS_BYTES_MAX (1 + AUTH_GROUPS_MAX * (GROUP_TAG_BYTES + EPOCH_BYTES) + EPOCH_BYTES)

struct group {
	uint8_t tag[GROUP_TAG_BYTES];
	uint8_t epoch[EPOCH_BYTES]; /* as it is now */
	bool has_epoch;
	span key; /* in Redis */
};

struct groups {
	uint64_t realm_revoked_ms; /* 0: never */
	size_t count;
	struct group list[AUTH_GROUPS_MAX];
};

/* INVALID_ARGUMENT: too many, too long, or one is there twice. */
enum status_code groups_make(const struct plan_env *env, const span *names, size_t count, struct groups *ret,
			     struct status *st) MUST_CHECK;
enum status_code groups_check_name(span name, struct status *st) MUST_CHECK;
void group_tag(const struct plan_env *env, span name, uint8_t out[static GROUP_TAG_BYTES]);
/* False: the arena is full. */
bool group_key(arena *a, const uint8_t tag[static GROUP_TAG_BYTES], span *ret) MUST_CHECK;

/* NULL: it is none of theirs. */
struct group *groups_find(struct groups *groups, span key);
bool groups_have_epochs(const struct groups *groups);

/* As values and leases hold them: number, tags and epochs; then when the realm was revoked, if it was, which the number's
 * first bit tells. Returns the length. */
size_t groups_write(const struct groups *groups, uint8_t out[static GROUPS_BYTES_MAX]);
/* At the beginning of text: their length; 0: it is none. */
size_t groups_length(span text);
/* text has that length. Keys are made; their epochs become the list's. */
bool groups_read(arena *a, span text, struct groups *ret) MUST_CHECK;

#endif
