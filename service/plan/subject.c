#include "plan/subject.h"

void user_tag_make(const keyring *kr, span realm, span user, uint8_t out[static USER_TAG_BYTES])
{
	name_hash(kr, NAME_USER_TAG, (const span[]){realm, user}, 2, out, USER_TAG_BYTES);
	/* As text it begins with a letter: no handle is taken for a command's option. */
	out[0] &= 0x7f;
}

void user_tag_print(const uint8_t tag[static USER_TAG_BYTES], char out[static USER_TAG_CHARS])
{
	base64_encode(span_of(tag, USER_TAG_BYTES), out);
}

void tag_of_user(const struct plan_env *env, span user, char out[static USER_TAG_CHARS])
{
	uint8_t tag[USER_TAG_BYTES];

	user_tag_make(env->keys, env->realm->name, user, tag);
	user_tag_print(tag, out);
}

void tag_of_inputs(const struct plan_env *env, enum name_purpose purpose, const span *inputs, size_t count,
		   char out[static USER_TAG_CHARS])
{
	uint8_t tag[USER_TAG_BYTES];

	name_hash(env->keys, purpose, inputs, count, tag, sizeof(tag));
	user_tag_print(tag, out);
}

void name_of_inputs(const struct plan_env *env, enum name_purpose purpose, const span *inputs, size_t count,
		    char out[static NAME_CHARS])
{
	uint8_t hash[NAME_BYTES];

	name_hash(env->keys, purpose, inputs, count, hash, sizeof(hash));
	base64_encode(span_of(hash, sizeof(hash)), out);
}

static bool key_make(arena *a, char kind, const char *tag, size_t room, char **ret, size_t *ret_len)
{
	const size_t head = sizeof("lk1:?:{") - 1;
	char *key = arena_alloc(a, head + USER_TAG_CHARS + 1 + room);

	if (key == NULL)
		return false;
	memcpy(key, "lk1:?:{", head);
	key[4] = kind;
	memcpy(key + head, tag, USER_TAG_CHARS);
	key[head + USER_TAG_CHARS] = '}';
	*ret = key;
	*ret_len = head + USER_TAG_CHARS + 1;
	return true;
}

bool key_of_subject(arena *a, char kind, const char tag[static USER_TAG_CHARS], span *ret)
{
	char *key;
	size_t len;

	if (!key_make(a, kind, tag, 0, &key, &len))
		return false;
	*ret = span_of(key, len);
	return true;
}

bool key_under_subject(arena *a, char kind, const char tag[static USER_TAG_CHARS], span last, span *ret)
{
	char *key;
	size_t len;

	if (!key_make(a, kind, tag, 1 + last.len, &key, &len))
		return false;
	key[len++] = ':';
	if (last.len > 0)
		memcpy(key + len, last.ptr, last.len);
	*ret = span_of(key, len + last.len);
	return true;
}

bool key_of_idempotency(const struct plan_env *env, const char tag[static USER_TAG_CHARS], span method, span *ret)
{
	const span inputs[] = {env->realm->name, env->caller, method, env->idempotency_key};
	char name[NAME_CHARS];

	name_of_inputs(env, NAME_IDEMPOTENCY, inputs, sizeof(inputs) / sizeof(inputs[0]), name);
	return key_under_subject(env->arena, 'i', tag, span_of(name, sizeof(name)), ret);
}
