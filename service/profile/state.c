#include "profile/state.h"

#include "crypto/names.h"

struct profile_state *profile_state_of(const struct plan_env *env, span user)
{
	struct profile_state *s = arena_alloc(env->arena, sizeof(*s));
	uint8_t tag[USER_TAG_BYTES];

	if (s == NULL)
		return NULL;
	user_tag_make(env->keys, env->realm->name, user, tag);
	user_tag_print(tag, s->tag);
	return key_of_subject(env->arena, 'p', s->tag, &s->key) ? s : NULL;
}

void realm_tag_print(const struct plan_env *env, char out[static USER_TAG_CHARS])
{
	uint8_t tag[USER_TAG_BYTES];

	name_hash(env->keys, NAME_SCOPE, &env->realm->name, 1, tag, sizeof(tag));
	user_tag_print(tag, out);
}

bool key_of_stream(const struct plan_env *env, span *ret)
{
	char tag[USER_TAG_CHARS];

	realm_tag_print(env, tag);
	return key_of_subject(env->arena, 'c', tag, ret);
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
