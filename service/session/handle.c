#include "session/handle.h"

#include "crypto/codec.h"
#include "crypto/names.h"

#define SEPARATOR '.'

_Static_assert(HANDLE_CHARS == USER_TAG_CHARS + 1 + NAME_CHARS, "TAG.NAME");
_Static_assert(REALM_RTAG_CHARS == USER_TAG_CHARS, "RTAG is as long as a TAG");

void handle_of_token(const keyring *kr, const struct token *t, struct handle *ret)
{
	uint8_t name[NAME_BYTES];

	name_session(kr, t->id, name, sizeof(name));
	user_tag_print(t->user_tag, ret->tag);
	base64_encode(span_of(name, sizeof(name)), ret->name);
}

void handle_of_realm(const struct realm *realm, struct handle *ret)
{
	*ret = (struct handle){0};
	memcpy(ret->tag, realm->rtag, USER_TAG_CHARS);
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
	if (!base64_decode(span_of(text.ptr, USER_TAG_CHARS), tag, sizeof(tag)))
		return false;
	if (!base64_decode(span_of(text.ptr + USER_TAG_CHARS + 1, NAME_CHARS), name, sizeof(name)))
		return false;
	memcpy(ret->tag, text.ptr, USER_TAG_CHARS);
	memcpy(ret->name, text.ptr + USER_TAG_CHARS + 1, NAME_CHARS);
	return true;
}

bool key_of_session(arena *a, const struct handle *h, span *ret)
{
	return key_under_subject(a, 's', h->tag, span_of(h->name, sizeof(h->name)), ret);
}

bool key_prefix(arena *a, const struct handle *h, span *ret)
{
	return key_under_subject(a, 's', h->tag, SPAN_EMPTY, ret);
}

bool key_of_index(arena *a, const struct handle *h, span *ret)
{
	return key_of_subject(a, 'u', h->tag, ret);
}

bool key_of_logouts(arena *a, const struct handle *h, span *ret)
{
	return key_of_subject(a, 'r', h->tag, ret);
}

bool key_of_mark(arena *a, const struct handle *h, span *ret)
{
	return key_under_subject(a, 'w', h->tag, span_of(h->name, sizeof(h->name)), ret);
}
