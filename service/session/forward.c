#include "session/forward.h"

#include "base/bytes.h"
#include "crypto/codec.h"
#include "crypto/seal.h"

/* Parts 1 to 3 are a record's (record.c): none of them opens as this. */
#define PART_FORWARD 4

#define SESSION_KEY_BYTES (7 + USER_TAG_CHARS + 2 + NAME_CHARS)
#define BINDING_BYTES_MAX (1 + SESSION_KEY_BYTES + FORWARD_HEADER_BYTES)
#define INSIDE_BYTES_MAX  (TOKEN_BYTES + 8 + 1 + 1 + AMR_MAX * (1 + AMR_BYTES_MAX))

_Static_assert(FORWARD_HEADER_BYTES == 1 + 2 + 6 + 6 + REALM_TAG_BYTES + NAME_CHARS, "the fields fill the header");

struct binding {
	uint8_t bytes[BINDING_BYTES_MAX];
	size_t len;
};

static struct binding bind(span key, const uint8_t header[static FORWARD_HEADER_BYTES])
{
	struct binding b;
	struct writer w = writer_over(b.bytes, sizeof(b.bytes));

	put_number(&w, PART_FORWARD, 1);
	put_bytes(&w, key);
	put_bytes(&w, span_of(header, FORWARD_HEADER_BYTES));
	b.len = (size_t)(w.at - b.bytes);
	return b;
}

bool is_forward(span value)
{
	return value.len > 0 && value.ptr[0] == FORWARD_FORMAT;
}

static size_t put_inside(uint8_t out[static INSIDE_BYTES_MAX], const struct forward_inside *inside)
{
	const struct session_authentication *a = &inside->authentication;
	struct writer w = writer_over(out, INSIDE_BYTES_MAX);

	put_bytes(&w, span_of(inside->token, TOKEN_BYTES));
	put_number(&w, a->at_ms, 8);
	put_number(&w, a->aal, 1);
	put_number(&w, a->amr_count, 1);
	for (size_t i = 0; i < a->amr_count; i++) {
		put_number(&w, a->amr[i].len, 1);
		put_bytes(&w, a->amr[i]);
	}
	return (size_t)(w.at - out);
}

static bool take_inside(span text, struct forward_inside *ret)
{
	struct reader r = reader_over(text);
	struct session_authentication *a = &ret->authentication;

	take_array(&r, ret->token, TOKEN_BYTES);
	a->at_ms = take_number(&r, 8);
	a->aal = (uint32_t)take_number(&r, 1);
	a->amr_count = take_number(&r, 1);
	if (a->amr_count > AMR_MAX)
		return false;
	for (size_t i = 0; i < a->amr_count; i++)
		a->amr[i] = take_bytes(&r, take_number(&r, 1));
	return !r.is_short && reader_left(&r) == 0;
}

bool forward_write(arena *a, const struct record_place *place, const struct forward_header *header,
		   const struct forward_inside *inside, span *ret)
{
	const uint16_t key_id = keyring_first_id(place->keys);
	uint8_t text[INSIDE_BYTES_MAX];
	const size_t text_len = put_inside(text, inside);
	const size_t len = FORWARD_HEADER_BYTES + text_len + SEAL_OVERHEAD_BYTES;
	uint8_t *out = arena_alloc(a, len);
	struct binding binding;
	struct writer w;

	if (out != NULL) {
		w = writer_over(out, FORWARD_HEADER_BYTES);
		put_number(&w, FORWARD_FORMAT, 1);
		put_number(&w, key_id, 2);
		put_number(&w, header->rotated_at_ms, 6);
		put_number(&w, header->grace_until_ms, 6);
		put_number(&w, header->realm_tag, REALM_TAG_BYTES);
		put_bytes(&w, span_of(header->name, NAME_CHARS));
		binding = bind(place->key, out);
		seal(place->keys, key_id, SEAL_DATA, place->id, span_of(binding.bytes, binding.len),
		     span_of(text, text_len), out + FORWARD_HEADER_BYTES);
		*ret = span_of(out, len);
	}
	secret_wipe(text, sizeof(text));
	return out != NULL;
}

enum record_result forward_read(span value, struct forward_header *ret)
{
	struct reader r = reader_over(value);

	assert(is_forward(value));
	(void)take_number(&r, 1);
	ret->key_id = (uint16_t)take_number(&r, 2);
	ret->rotated_at_ms = take_number(&r, 6);
	ret->grace_until_ms = take_number(&r, 6);
	ret->realm_tag = (uint32_t)take_number(&r, REALM_TAG_BYTES);
	take_array(&r, (uint8_t *)ret->name, NAME_CHARS);
	return r.is_short || reader_left(&r) < SEAL_OVERHEAD_BYTES ? RECORD_UNREADABLE : RECORD_OK;
}

enum record_result forward_open(arena *a, const struct record_place *place, span value, struct forward_inside *ret)
{
	struct forward_header header;
	struct binding binding;
	size_t text_len;
	uint8_t *text;
	span sealed;

	if (forward_read(value, &header) != RECORD_OK)
		return RECORD_UNREADABLE;
	binding = bind(place->key, value.ptr);
	sealed = span_of(value.ptr + FORWARD_HEADER_BYTES, value.len - FORWARD_HEADER_BYTES);
	text_len = sealed.len - SEAL_OVERHEAD_BYTES;
	text = arena_alloc(a, text_len);
	if (text == NULL)
		return RECORD_NO_MEMORY;
	if (!seal_open(place->keys, header.key_id, SEAL_DATA, place->id, span_of(binding.bytes, binding.len), sealed,
		       text))
		return RECORD_UNREADABLE;
	return take_inside(span_of(text, text_len), ret) ? RECORD_OK : RECORD_UNREADABLE;
}
