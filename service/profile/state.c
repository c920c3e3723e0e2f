#include "profile/state.h"

_Static_assert(REALM_RTAG_CHARS == USER_TAG_CHARS, "RTAG stands in keys where TAG does");

struct profile_state *profile_state_of(const struct plan_env *env, span user)
{
	struct profile_state *s = arena_alloc(env->arena, sizeof(*s));

	if (s == NULL)
		return NULL;
	tag_of_user(env, user, s->tag);
	return key_of_subject(env->arena, 'p', s->tag, &s->key) ? s : NULL;
}

bool key_of_stream(const struct plan_env *env, span *ret)
{
	return key_of_subject(env->arena, 'c', env->realm->rtag, ret);
}

bool key_of_run(const struct plan_env *env, const char tag[static USER_TAG_CHARS], span *ret)
{
	uint8_t random[NAME_BYTES];
	char name[NAME_CHARS];

	random_fill(random, sizeof(random));
	base64_encode(span_of(random, sizeof(random)), name);
	return key_under_subject(env->arena, 'i', tag, span_of(name, sizeof(name)), ret);
}

enum status_code check_bytes(const char *what, size_t len, size_t min, size_t max, struct status *st)
{
	if (len >= min && len <= max)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "%s: %zu bytes; must be %zu to %zu", what, len, min, max);
}
