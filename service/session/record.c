#include "session/record.h"

#include "base/bytes.h"
#include "base/metrics.h"
#include "crypto/seal.h"
#include "session/handle.h"
#include "session/packing.h"

enum part { PART_METADATA = 1, PART_DATA = 2, PART_DELTA = 3 };

/* Part, key ("lk1:s:{TAG}:NAME"), key id, version, created_ms, realm tag, class tag, idle timeout, lifetime, issued_ms. */
#define SESSION_KEY_BYTES (7 + USER_TAG_CHARS + 2 + NAME_CHARS)
#define BINDING_BYTES_MAX (1 + SESSION_KEY_BYTES + 2 + 8 + 8 + 2 + 2 + 4 + 4 + 8)

/* Metadata is a few hundred bytes; nothing that opens is larger than the attributes may be. */
#define PART_TEXT_BYTES_MAX ATTRIBUTES_TEXT_BYTES_MAX

_Static_assert(ATTRIBUTES_TEXT_BYTES_MAX <= UINT16_MAX, "the text bound has 16 bits");
_Static_assert(RECORD_BYTES_MAX + 1 + SEAL_OVERHEAD_BYTES <= UINT16_MAX, "parts' lengths have 16 bits");
_Static_assert(ATTRIBUTES_STORED_MAX <= UINT16_MAX, "the attributes bound has 16 bits");
_Static_assert(DELTAS_READ_MAX <= UINT8_MAX, "the delta count has 8 bits");

struct binding {
	uint8_t bytes[BINDING_BYTES_MAX];
	size_t len;
};

static struct binding bind_base(enum part part, span key, const struct record_header *h)
{
	struct binding b;
	struct writer w = writer_over(b.bytes, sizeof(b.bytes));

	put_number(&w, part, 1);
	put_bytes(&w, key);
	put_number(&w, h->key_id, 2);
	put_number(&w, h->base_version, 8);
	put_number(&w, h->created_ms, 8);
	put_number(&w, h->realm_tag, 2);
	put_number(&w, h->class_tag, 2);
	put_number(&w, h->idle_timeout_s, 4);
	put_number(&w, h->lifetime_s, 4);
	put_number(&w, h->issued_ms, 8);
	b.len = (size_t)(w.at - b.bytes);
	return b;
}

static struct binding bind_delta(const struct record_place *place, uint16_t key_id, uint64_t bound_version)
{
	struct binding b;
	struct writer w = writer_over(b.bytes, sizeof(b.bytes));

	put_number(&w, PART_DELTA, 1);
	put_bytes(&w, place->key);
	put_number(&w, place->created_s, 8);
	put_number(&w, key_id, 2);
	put_number(&w, bound_version, 8);
	b.len = (size_t)(w.at - b.bytes);
	return b;
}

static enum record_result open_part(arena *a, const struct record_place *place, uint16_t key_id, enum part part,
				    const struct binding *binding, span sealed, span *ret_text)
{
	const enum seal_key which = part == PART_METADATA ? SEAL_METADATA : SEAL_DATA;
	const span secret = part == PART_METADATA ? SPAN_EMPTY : place->id;
	uint8_t *packed;

	if (sealed.len < SEAL_OVERHEAD_BYTES)
		return RECORD_UNREADABLE;
	packed = arena_alloc(a, sealed.len - SEAL_OVERHEAD_BYTES);
	if (packed == NULL)
		return RECORD_NO_MEMORY;
	if (!seal_open(place->keys, key_id, which, secret, span_of(binding->bytes, binding->len), sealed, packed)) {
		metric_add(METRIC_RECORDS_KEY_MISSING, keyring_has(place->keys, key_id) ? 0 : 1);
		return RECORD_UNREADABLE;
	}
	keyring_note(place->keys, key_id, part == PART_METADATA ? KEY_USE_RECORD : KEY_USE_PART, place->now_ms);
	return unpack_text(a, span_of(packed, sealed.len - SEAL_OVERHEAD_BYTES), PART_TEXT_BYTES_MAX, ret_text);
}

static void put_part(struct writer *w, const struct record_place *place, uint16_t key_id, enum part part,
		     const struct binding *binding, span packed)
{
	const enum seal_key which = part == PART_METADATA ? SEAL_METADATA : SEAL_DATA;
	const span secret = part == PART_METADATA ? SPAN_EMPTY : place->id;

	assert((size_t)(w->end - w->at) >= packed.len + SEAL_OVERHEAD_BYTES);
	seal(place->keys, key_id, which, secret, span_of(binding->bytes, binding->len), packed, w->at);
	w->at += packed.len + SEAL_OVERHEAD_BYTES;
}

static void put_header(struct writer *w, const struct record_header *h, size_t metadata_len, size_t data_len)
{
	put_number(w, RECORD_FORMAT, 1);
	put_number(w, h->key_id, 2);
	put_number(w, h->version, 8);
	put_number(w, h->base_version, 8);
	put_number(w, h->created_ms, 8);
	put_number(w, h->realm_tag, 2);
	put_number(w, h->class_tag, 2);
	put_number(w, h->idle_timeout_s, 4);
	put_number(w, h->delta_count, 1);
	put_number(w, metadata_len, 2);
	put_number(w, data_len, 2);
	put_number(w, h->attributes_bound, 2);
	put_number(w, h->text_bound, 2);
	put_number(w, h->lifetime_s, 4);
	put_number(w, h->issued_ms, 8);
}

/* Reads all behind the format byte. */
static void take_header(struct reader *r, struct record_header *ret, size_t *ret_metadata_len, size_t *ret_data_len)
{
	ret->key_id = (uint16_t)take_number(r, 2);
	ret->version = take_number(r, 8);
	ret->base_version = take_number(r, 8);
	ret->created_ms = take_number(r, 8);
	ret->realm_tag = (uint16_t)take_number(r, 2);
	ret->class_tag = (uint16_t)take_number(r, 2);
	ret->idle_timeout_s = (uint32_t)take_number(r, 4);
	ret->delta_count = (uint8_t)take_number(r, 1);
	*ret_metadata_len = take_number(r, 2);
	*ret_data_len = take_number(r, 2);
	ret->attributes_bound = (uint16_t)take_number(r, 2);
	ret->text_bound = (uint16_t)take_number(r, 2);
	ret->lifetime_s = (uint32_t)take_number(r, 4);
	ret->issued_ms = take_number(r, 8);
}

static enum record_result split(span value, bool is_whole, struct record *ret)
{
	struct reader r = reader_over(value);
	struct record out = {0};
	size_t metadata_len;
	size_t data_len;

	if (value.len == 0)
		return RECORD_UNREADABLE;
	if (take_number(&r, 1) != RECORD_FORMAT)
		return RECORD_NEWER;
	take_header(&r, &out.header, &metadata_len, &data_len);
	out.metadata = take_bytes(&r, metadata_len);
	if (is_whole) {
		out.data = take_bytes(&r, data_len);
		out.deltas = take_bytes(&r, reader_left(&r));
	}
	if (r.is_short || reader_left(&r) > 0)
		return RECORD_UNREADABLE;
	if (out.header.version != out.header.base_version + out.header.delta_count)
		return RECORD_UNREADABLE;
	*ret = out;
	return RECORD_OK;
}

bool is_record(span value)
{
	return value.len > 0 && value.ptr[0] == RECORD_FORMAT;
}

enum record_result record_split(span value, struct record *ret)
{
	return split(value, true, ret);
}

enum record_result record_split_head(span value, struct record *ret)
{
	return split(value, false, ret);
}

enum record_result record_open_metadata(arena *a, const struct record_place *place, const struct record *r,
					struct metadata *ret)
{
	const struct binding binding = bind_base(PART_METADATA, place->key, &r->header);
	enum record_result result;
	span text;

	result = open_part(a, place, r->header.key_id, PART_METADATA, &binding, r->metadata, &text);
	if (result != RECORD_OK)
		return result;
	return metadata_read(text, ret) ? RECORD_OK : RECORD_UNREADABLE;
}

/* index: the delta's place, from 0. A delta bound to a version opens in no other place. */
static enum record_result open_delta(arena *a, const struct record_place *place, const struct record *r, size_t index,
				     struct reader *deltas, span *ret_text)
{
	const size_t len = take_number(deltas, 2);
	const uint16_t key_id = (uint16_t)take_number(deltas, 2);
	const uint64_t bound_version = take_number(deltas, 8);
	const span sealed = take_bytes(deltas, len);
	struct binding binding;

	if (deltas->is_short)
		return RECORD_UNREADABLE;
	if (bound_version != 0 && bound_version != r->header.base_version + index + 1)
		return RECORD_UNREADABLE;
	binding = bind_delta(place, key_id, bound_version);
	return open_part(a, place, key_id, PART_DELTA, &binding, sealed, ret_text);
}

bool record_delta_of(const struct record *r, uint64_t version, span *ret)
{
	struct reader deltas = reader_over(r->deltas);

	if (version <= r->header.base_version || version > r->header.version)
		return false;
	for (uint64_t at = r->header.base_version + 1; !deltas.is_short; at++) {
		const size_t start = r->deltas.len - reader_left(&deltas);
		const size_t len = take_number(&deltas, 2);

		(void)take_bytes(&deltas, DELTA_HEADER_BYTES - 2 + len);
		if (at < version || deltas.is_short)
			continue;
		*ret = span_of(r->deltas.ptr + start, DELTA_HEADER_BYTES + len);
		return true;
	}
	return false;
}

static enum record_result merge(arena *a, const span *texts, size_t count, const struct session_attribute **ret,
				size_t *ret_count)
{
	switch (attributes_merge(a, texts, count, ret, ret_count)) {
	case ATTRIBUTES_OK:
		return RECORD_OK;
	case ATTRIBUTES_NO_MEMORY:
		return RECORD_NO_MEMORY;
	case ATTRIBUTES_DAMAGED:
		break;
	}
	return RECORD_UNREADABLE;
}

enum record_result record_open_attributes(arena *a, const struct record_place *place, const struct record *r,
					  span change, const struct session_attribute **ret, size_t *ret_count)
{
	const struct binding binding = bind_base(PART_DATA, place->key, &r->header);
	struct reader deltas = reader_over(r->deltas);
	span texts[1 + DELTAS_READ_MAX + 1];
	enum record_result result;
	size_t count = 1;

	if (r->header.delta_count > DELTAS_READ_MAX)
		return RECORD_UNREADABLE;
	result = open_part(a, place, r->header.key_id, PART_DATA, &binding, r->data, &texts[0]);
	for (size_t i = 0; i < r->header.delta_count && result == RECORD_OK; i++)
		result = open_delta(a, place, r, i, &deltas, &texts[count++]);
	if (result != RECORD_OK)
		return result;
	if (reader_left(&deltas) > 0)
		return RECORD_UNREADABLE;
	if (change.len > 0)
		texts[count++] = change;
	return merge(a, texts, count, ret, ret_count);
}

bool record_write(arena *a, const struct record_place *place, const struct record_header *header, span metadata_text,
		  span data_text, span *ret)
{
	struct record_header h = *header;
	struct binding binding;
	struct writer w;
	span metadata;
	span data;
	uint8_t *out;
	size_t len;

	h.key_id = keyring_first_id(place->keys);
	h.base_version = h.version;
	h.delta_count = 0;
	if (!pack_text(a, metadata_text, &metadata) || !pack_text(a, data_text, &data))
		return false;
	len = RECORD_HEADER_BYTES + metadata.len + data.len + 2UL * SEAL_OVERHEAD_BYTES;
	out = arena_alloc(a, len);
	if (out == NULL)
		return false;
	w = writer_over(out, len);
	put_header(&w, &h, metadata.len + SEAL_OVERHEAD_BYTES, data.len + SEAL_OVERHEAD_BYTES);
	assert((size_t)(w.at - out) == RECORD_HEADER_BYTES);
	binding = bind_base(PART_METADATA, place->key, &h);
	put_part(&w, place, h.key_id, PART_METADATA, &binding, metadata);
	binding = bind_base(PART_DATA, place->key, &h);
	put_part(&w, place, h.key_id, PART_DATA, &binding, data);
	*ret = span_of(out, len);
	return true;
}

bool delta_write(arena *a, const struct record_place *place, uint64_t bound_version, span changes_text, span *ret)
{
	const uint16_t key_id = keyring_first_id(place->keys);
	const struct binding binding = bind_delta(place, key_id, bound_version);
	struct writer w;
	span packed;
	uint8_t *out;
	size_t len;

	if (!pack_text(a, changes_text, &packed))
		return false;
	len = DELTA_HEADER_BYTES + packed.len + SEAL_OVERHEAD_BYTES;
	out = arena_alloc(a, len);
	if (out == NULL)
		return false;
	w = writer_over(out, len);
	put_number(&w, packed.len + SEAL_OVERHEAD_BYTES, 2);
	put_number(&w, key_id, 2);
	put_number(&w, bound_version, 8);
	put_part(&w, place, key_id, PART_DELTA, &binding, packed);
	*ret = span_of(out, len);
	return true;
}

void tombstone_write(enum session_reason reason, uint64_t at_ms, uint8_t out[static TOMBSTONE_BYTES])
{
	struct writer w = writer_over(out, TOMBSTONE_BYTES);

	put_number(&w, TOMBSTONE_FORMAT, 1);
	put_number(&w, reason, 1);
	put_number(&w, at_ms, 8);
}

enum record_result tombstone_read(span value, enum session_reason *ret_reason, uint64_t *ret_at_ms)
{
	struct reader r = reader_over(value);
	const uint64_t format = take_number(&r, 1);
	const uint64_t reason = take_number(&r, 1);
	const uint64_t at_ms = take_number(&r, 8);

	if (r.is_short || reader_left(&r) > 0 || format != TOMBSTONE_FORMAT || reason == REASON_NONE)
		return RECORD_UNREADABLE;
	if (reason > REASON_ASSURANCE_TOO_LOW)
		return RECORD_NEWER;
	*ret_reason = (enum session_reason)reason;
	*ret_at_ms = at_ms;
	return RECORD_OK;
}
