#include "session/handle.h"

#include "crypto/codec.h"
#include "crypto/names.h"

#define SEPARATOR '.'

_Static_assert(HANDLE_CHARS == USER_TAG_CHARS + 1 + NAME_CHARS, "TAG.NAME");
_Static_assert(NAME_CHARS == BASE64_CHARS(NAME_BYTES), "a name in base64url");

void user_tag_make(const keyring *kr, span realm, span user, uint8_t out[static USER_TAG_BYTES])
{
	name_hash(kr, NAME_USER_TAG, (const span[]){realm, user}, 2, out, USER_TAG_BYTES);
}

void handle_of_token(const keyring *kr, const struct token *t, struct handle *ret)
{
	const span id = span_of(t->id, sizeof(t->id));
	uint8_t name[NAME_BYTES];

	name_hash(kr, NAME_SESSION, &id, 1, name, sizeof(name));
	hex_encode(span_of(t->user_tag, sizeof(t->user_tag)), ret->tag);
	base64_encode(span_of(name, sizeof(name)), ret->name);
}

void handle_of_realm(const keyring *kr, span realm, struct handle *ret)
{
	uint8_t tag[USER_TAG_BYTES];

	*ret = (struct handle){0};
	name_hash(kr, NAME_SCOPE, &realm, 1, tag, sizeof(tag));
	hex_encode(span_of(tag, sizeof(tag)), ret->tag);
}

void handle_print(const struct handle *h, char out[static HANDLE_CHARS])
{
	memcpy(out, h->tag, USER_TAG_CHARS);
	out[USER_TAG_CHARS] = SEPARATOR;
	memcpy(out + USER_TAG_CHARS + 1, h->name, NAME_CHARS);
}

bool handle_parse(span text, struct handle *ret)
{
	uint8_t tag[USER_TAG_BYTES];
	uint8_t name[NAME_BYTES];

	if (text.len != HANDLE_CHARS || text.ptr[USER_TAG_CHARS] != SEPARATOR)
		return false;
	if (!hex_decode(span_of(text.ptr, USER_TAG_CHARS), tag, sizeof(tag)))
		return false;
	if (!base64_decode(span_of(text.ptr + USER_TAG_CHARS + 1, NAME_CHARS), name, sizeof(name)))
		return false;
	memcpy(ret->tag, text.ptr, USER_TAG_CHARS);
	memcpy(ret->name, text.ptr + USER_TAG_CHARS + 1, NAME_CHARS);
	return true;
}

/* "lk1:KIND:{TAG}" and, if there is one, ":" and the last part. */
static bool key_make(arena *a, char kind, const struct handle *h, bool has_last, span last, span *ret)
{
	const size_t head = sizeof("lk1:?:{") - 1;
	char *key = arena_alloc(a, head + USER_TAG_CHARS + 2 + last.len);
	size_t len;

	if (key == NULL)
		return false;
	memcpy(key, "lk1:?:{", head);
	key[4] = kind;
	memcpy(key + head, h->tag, USER_TAG_CHARS);
	len = head + USER_TAG_CHARS;
	key[len++] = '}';
	if (has_last) {
		key[len++] = ':';
		if (last.len > 0)
			memcpy(key + len, last.ptr, last.len);
		len += last.len;
	}
	*ret = span_of(key, len);
	return true;
}

bool key_of_session(arena *a, const struct handle *h, span *ret)
{
	return key_make(a, 's', h, true, span_of(h->name, sizeof(h->name)), ret);
}

bool key_prefix(arena *a, const struct handle *h, span *ret)
{
	return key_make(a, 's', h, true, SPAN_EMPTY, ret);
}

bool key_of_index(arena *a, const struct handle *h, span *ret)
{
	return key_make(a, 'u', h, false, SPAN_EMPTY, ret);
}

bool key_of_logouts(arena *a, const struct handle *h, span *ret)
{
	return key_make(a, 'r', h, false, SPAN_EMPTY, ret);
}

bool key_of_mark(arena *a, const struct handle *h, span *ret)
{
	return key_make(a, 'w', h, true, span_of(h->name, sizeof(h->name)), ret);
}

bool key_of_idempotency(const struct session_env *env, const struct handle *h, span method, span *ret)
{
	const span inputs[] = {env->realm->name, env->caller, method, env->idempotency_key};
	uint8_t hash[NAME_BYTES];
	char name[NAME_CHARS];

	name_hash(env->keys, NAME_IDEMPOTENCY, inputs, sizeof(inputs) / sizeof(inputs[0]), hash, sizeof(hash));
	base64_encode(span_of(hash, sizeof(hash)), name);
	return key_make(env->arena, 'i', h, true, span_of(name, sizeof(name)), ret);
}
