#include "auth/value.h"

#include "base/bytes.h"
#include "compress/compress.h"
#include "crypto/seal.h"

#define FORMAT	     1
#define HEADER_BYTES 54
#define FRESH_AT     26
#define EPOCH_AT     46
#define KEY_ID_BYTES 2
/* Where the nonce of the seal, 24 bytes, has ended. */
#define MARK_BYTES (GROUPS_BYTES_MAX + KEY_ID_BYTES + 24)

enum packing { PACKED_PLAIN = 0, PACKED_ZSTD = 1, PACKED_NEGATIVE = 2 };

_Static_assert(HEADER_BYTES == EPOCH_AT + EPOCH_BYTES, "the epoch ends the header");

bool value_parse(span stored, struct value *ret)
{
	struct reader fresh;
	size_t groups_len;

	if (stored.len <= HEADER_BYTES || stored.ptr[0] != FORMAT)
		return false;
	fresh = reader_over(span_of(stored.ptr + FRESH_AT, 8));
	ret->fresh_until_ms = take_number(&fresh, 8);
	ret->epoch = span_of(stored.ptr + EPOCH_AT, EPOCH_BYTES);
	ret->body = span_of(stored.ptr + HEADER_BYTES, stored.len - HEADER_BYTES);
	groups_len = groups_length(ret->body);
	ret->groups = span_of(ret->body.ptr, groups_len);
	return groups_len > 0 && ret->body.len >= groups_len + KEY_ID_BYTES + SEAL_OVERHEAD_BYTES;
}

span value_mark(span stored)
{
	const size_t len = stored.len <= HEADER_BYTES ? 0 : stored.len - HEADER_BYTES;

	return len == 0 ? SPAN_EMPTY : span_of(stored.ptr + HEADER_BYTES, len < MARK_BYTES ? len : MARK_BYTES);
}

/* What the seal is bound to. head: of the body, up to the sealed part. SPAN_EMPTY: the arena is full. */
static span binding(arena *a, const struct value_place *place, span head)
{
	const size_t len = place->key.len + place->epoch.len + head.len;
	uint8_t *out = arena_alloc(a, len);
	struct writer w;

	if (out == NULL)
		return SPAN_EMPTY;
	w = writer_over(out, len);
	put_bytes(&w, place->key);
	put_bytes(&w, place->epoch);
	put_bytes(&w, head);
	return span_of(out, len);
}

static bool pack(struct compressor *c, arena *a, const span *answer, span *ret)
{
	enum packing packing = answer == NULL ? PACKED_NEGATIVE : PACKED_PLAIN;
	span text = answer == NULL ? SPAN_EMPTY : *answer;
	uint8_t *out;

	if (compress_text(c, a, text, &text))
		packing = PACKED_ZSTD;
	out = arena_alloc(a, 1 + text.len);
	if (out == NULL)
		return false;
	out[0] = (uint8_t)packing;
	if (text.len > 0)
		memcpy(out + 1, text.ptr, text.len);
	*ret = span_of(out, 1 + text.len);
	return true;
}

bool value_seal(arena *a, const struct value_place *place, span groups, const span *answer, span *ret_body)
{
	const uint16_t key_id = keyring_first_id(place->keys);
	const size_t head_len = groups.len + KEY_ID_BYTES;
	struct writer w;
	uint8_t *body;
	span packed;
	span ad;

	if (!pack(place->compressor, a, answer, &packed))
		return false;
	body = arena_alloc(a, head_len + packed.len + SEAL_OVERHEAD_BYTES);
	if (body == NULL)
		return false;
	w = writer_over(body, head_len);
	put_bytes(&w, groups);
	put_number(&w, key_id, KEY_ID_BYTES);
	ad = binding(a, place, span_of(body, head_len));
	if (ad.len == 0)
		return false;
	seal(place->keys, key_id, SEAL_AUTH, SPAN_EMPTY, ad, packed, body + head_len);
	*ret_body = span_of(body, head_len + packed.len + SEAL_OVERHEAD_BYTES);
	return true;
}

static enum value_result unpack(struct compressor *c, arena *a, span packed, bool *ret_is_negative, span *ret_answer)
{
	const span text = span_of(packed.ptr + 1, packed.len - 1);

	*ret_is_negative = packed.ptr[0] == PACKED_NEGATIVE;
	*ret_answer = text;
	if (packed.ptr[0] == PACKED_ZSTD)
		return decompress_text(c, a, text, AUTH_ANSWER_BYTES_MAX, ret_answer) ? VALUE_OK : VALUE_UNREADABLE;
	if (packed.ptr[0] == PACKED_NEGATIVE)
		return text.len == 0 ? VALUE_OK : VALUE_UNREADABLE;
	return packed.ptr[0] == PACKED_PLAIN && text.len <= AUTH_ANSWER_BYTES_MAX ? VALUE_OK : VALUE_UNREADABLE;
}

enum value_result value_open(arena *a, const struct value_place *place, const struct value *v, bool *ret_is_negative,
			     span *ret_answer)
{
	const span head = span_of(v->body.ptr, v->groups.len + KEY_ID_BYTES);
	const span sealed = span_of(v->body.ptr + head.len, v->body.len - head.len);
	struct reader key_id = reader_over(span_of(v->body.ptr + v->groups.len, KEY_ID_BYTES));
	const span ad = binding(a, place, head);
	const size_t len = sealed.len - SEAL_OVERHEAD_BYTES;
	uint8_t *packed = arena_alloc(a, len);

	if (ad.len == 0 || packed == NULL)
		return VALUE_NO_MEMORY;
	if (len == 0 || !seal_open(place->keys, (uint16_t)take_number(&key_id, KEY_ID_BYTES), SEAL_AUTH, SPAN_EMPTY, ad,
				   sealed, packed))
		return VALUE_UNREADABLE;
	return unpack(place->compressor, a, span_of(packed, len), ret_is_negative, ret_answer);
}
