#include "session/record.h"

#include "base/bytes.h"
#include "base/metrics.h"
#include "crypto/codec.h"
#include "crypto/names.h"
#include "crypto/part.h"
#include "session/handle.h"
#include "session/packing.h"

enum part { PART_METADATA = 1, PART_DATA = 2, PART_DELTA = 3 };

#define FIXED_BYTES	  38 /* of the header, up to the nonce */
#define SESSION_KEY_BYTES (7 + USER_TAG_CHARS + 2 + NAME_CHARS)
/* Part, key ("lk1:s:{TAG}:NAME"), and the header's fixed bytes; or created_s, key id and bound version of a delta. */
#define BINDING_BYTES_MAX (1 + SESSION_KEY_BYTES + FIXED_BYTES)

/* Metadata is a few hundred bytes; nothing that opens is larger than the attributes may be. */
#define PART_TEXT_BYTES_MAX ATTRIBUTES_TEXT_BYTES_MAX

_Static_assert(ATTRIBUTES_TEXT_BYTES_MAX <= UINT16_MAX, "the text bound has 16 bits");
_Static_assert(RECORD_BYTES_MAX + 1 + PART_TAG_BYTES <= UINT16_MAX, "parts' lengths have 16 bits");
_Static_assert(ATTRIBUTES_STORED_MAX <= UINT16_MAX, "the attributes bound has 16 bits");
_Static_assert(DELTAS_READ_MAX <= UINT8_MAX, "the delta count has 8 bits");
_Static_assert(RECORD_HEADER_BYTES == FIXED_BYTES + PART_NONCE_BYTES + 1 + 2 + 2, "the fields fill the header");
_Static_assert(DELTA_HEADER_BYTES == 2 + 2 + 5 + PART_NONCE_BYTES, "the fields fill a delta's header");
_Static_assert(NAME_CHARS == PART_SALT_BYTES, "a name is metadata's salt");
_Static_assert(TOKEN_ID_BYTES == NAME_SECRET_BYTES + PART_SALT_BYTES, "one half of an id names, the other seals");

struct binding {
	uint8_t bytes[BINDING_BYTES_MAX];
	size_t len;
};

static void put_binding(struct writer *w, enum part part, span key, span fixed)
{
	put_number(w, part, 1);
	put_bytes(w, key);
	put_bytes(w, fixed);
}

static struct binding bind_metadata(span key, span fixed)
{
	struct binding b;
	struct writer w = writer_over(b.bytes, sizeof(b.bytes));

	put_binding(&w, PART_METADATA, key, fixed);
	b.len = (size_t)(w.at - b.bytes);
	return b;
}

/* The metadata too, sealed: so its tag is for those only who cannot open the data. False: the arena is full. */
static bool bind_data(arena *a, span key, span fixed, span metadata, span *ret)
{
	const size_t len = 1 + key.len + fixed.len + metadata.len;
	uint8_t *bytes = arena_alloc(a, len);
	struct writer w;

	if (bytes == NULL)
		return false;
	w = writer_over(bytes, len);
	put_binding(&w, PART_DATA, key, fixed);
	put_bytes(&w, metadata);
	*ret = span_of(bytes, len);
	return true;
}

static struct binding bind_delta(const struct record_place *place, uint16_t key_id, uint64_t bound_version)
{
	struct binding b;
	struct writer w = writer_over(b.bytes, sizeof(b.bytes));

	put_number(&w, PART_DELTA, 1);
	put_bytes(&w, place->key);
	put_number(&w, place->created_s, 5);
	put_number(&w, key_id, 2);
	put_number(&w, bound_version, 5);
	b.len = (size_t)(w.at - b.bytes);
	return b;
}

static struct part_seal how_of(const struct record_place *place, uint16_t key_id, enum part part, span nonce,
			       span binding)
{
	const bool is_metadata = part == PART_METADATA;

	assert(is_metadata ? place->key.len > NAME_CHARS : place->id.len == TOKEN_ID_BYTES);
	assert(nonce.len == PART_NONCE_BYTES);
	return (struct part_seal){
	    .key_id = key_id,
	    .which = is_metadata ? PART_KEY_METADATA : PART_KEY_DATA,
	    .salt = is_metadata ? place->key.ptr + place->key.len - NAME_CHARS : place->id.ptr + NAME_SECRET_BYTES,
	    .nonce = nonce.ptr,
	    .ad = binding,
	};
}

/* Room for what is in a sealed part. UNREADABLE: it is none. */
static enum record_result room_for(arena *a, span sealed, uint8_t **ret)
{
	if (sealed.len < PART_TAG_BYTES)
		return RECORD_UNREADABLE;
	*ret = arena_alloc(a, sealed.len - PART_TAG_BYTES);
	return *ret == NULL ? RECORD_NO_MEMORY : RECORD_OK;
}

static enum record_result refuse(const struct record_place *place, uint16_t key_id)
{
	if (!keyring_has(place->keys, key_id))
		metric_add(METRIC_RECORDS_KEY_MISSING, 1);
	return RECORD_UNREADABLE;
}

static enum record_result unpack(arena *a, const struct record_place *place, const uint8_t *packed, span sealed,
				 span *ret_text)
{
	return unpack_text(place->compressor, a, span_of(packed, sealed.len - PART_TAG_BYTES), PART_TEXT_BYTES_MAX,
			   ret_text);
}

static enum record_result open_part(arena *a, const struct record_place *place, enum key_use use,
				    const struct part_seal *how, span sealed, span *ret_text)
{
	uint8_t *packed = NULL;
	const enum record_result result = room_for(a, sealed, &packed);

	if (result != RECORD_OK)
		return result;
	if (!part_open(place->keys, how, sealed, packed))
		return refuse(place, how->key_id);
	keyring_note(place->keys, how->key_id, use, place->now_ms);
	return unpack(a, place, packed, sealed, ret_text);
}

/* Metadata and data of a base. */
static enum record_result open_base(arena *a, const struct record_place *place, const struct record *r,
				    span *ret_metadata, span *ret_data)
{
	const uint16_t key_id = r->header.key_id;
	struct part_sealed metadata = {.sealed = r->metadata};
	struct part_sealed data = {.sealed = r->data};
	uint8_t *metadata_packed = NULL;
	uint8_t *data_packed = NULL;
	enum record_result result;
	span binding;

	result = room_for(a, r->metadata, &metadata_packed);
	if (result == RECORD_OK)
		result = room_for(a, r->data, &data_packed);
	if (result == RECORD_OK && !bind_data(a, place->key, r->fixed, r->metadata, &binding))
		result = RECORD_NO_MEMORY;
	if (result != RECORD_OK)
		return result;
	metadata.how = how_of(place, key_id, PART_METADATA, r->nonce, SPAN_EMPTY);
	data.how = how_of(place, key_id, PART_DATA, r->nonce, binding);
	if (!part_open_both(place->keys, &metadata, metadata_packed, &data, data_packed))
		return refuse(place, key_id);
	keyring_note(place->keys, key_id, KEY_USE_RECORD, place->now_ms);
	result = unpack(a, place, metadata_packed, r->metadata, ret_metadata);
	return result == RECORD_OK ? unpack(a, place, data_packed, r->data, ret_data) : result;
}

static void put_part(struct writer *w, const struct record_place *place, const struct part_seal *how, span packed)
{
	assert((size_t)(w->end - w->at) >= packed.len + PART_TAG_BYTES);
	part_seal(place->keys, how, packed, w->at);
	w->at += packed.len + PART_TAG_BYTES;
}

static span put_nonce(struct writer *w)
{
	const span nonce = span_of(w->at, PART_NONCE_BYTES);

	random_fill(w->at, PART_NONCE_BYTES);
	w->at += PART_NONCE_BYTES;
	return nonce;
}

/* Up to the nonce. */
static void put_fixed(struct writer *w, const struct record_header *h, size_t metadata_len, size_t data_len)
{
	assert(h->base_version <= VERSION_MAX);
	put_number(w, RECORD_FORMAT, 1);
	put_number(w, h->key_id, 2);
	put_number(w, h->created_ms, 6);
	put_number(w, h->issued_ms, 6);
	put_number(w, h->lifetime_s, 4);
	put_number(w, h->idle_timeout_s, 4);
	put_number(w, h->realm_tag, REALM_TAG_BYTES);
	put_number(w, h->class_tag, 2);
	put_number(w, h->base_version, 5);
	put_number(w, metadata_len, 2);
	put_number(w, data_len, 2);
}

/* Reads all behind the format byte. */
static void take_header(struct reader *r, struct record *ret, size_t *ret_metadata_len, size_t *ret_data_len)
{
	struct record_header *h = &ret->header;

	h->key_id = (uint16_t)take_number(r, 2);
	h->created_ms = take_number(r, 6);
	h->issued_ms = take_number(r, 6);
	h->lifetime_s = (uint32_t)take_number(r, 4);
	h->idle_timeout_s = (uint32_t)take_number(r, 4);
	h->realm_tag = (uint32_t)take_number(r, REALM_TAG_BYTES);
	h->class_tag = (uint16_t)take_number(r, 2);
	h->base_version = take_number(r, 5);
	*ret_metadata_len = take_number(r, 2);
	*ret_data_len = take_number(r, 2);
	ret->nonce = take_bytes(r, PART_NONCE_BYTES);
	h->delta_count = (uint8_t)take_number(r, 1);
	h->attributes_bound = (uint16_t)take_number(r, 2);
	h->text_bound = (uint16_t)take_number(r, 2);
	h->version = h->base_version + h->delta_count;
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
	take_header(&r, &out, &metadata_len, &data_len);
	out.metadata = take_bytes(&r, metadata_len);
	if (is_whole) {
		out.data = take_bytes(&r, data_len);
		out.deltas = take_bytes(&r, reader_left(&r));
	}
	if (r.is_short || reader_left(&r) > 0)
		return RECORD_UNREADABLE;
	out.fixed = span_of(value.ptr, FIXED_BYTES);
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
	const struct binding binding = bind_metadata(place->key, r->fixed);
	const struct part_seal how =
	    how_of(place, r->header.key_id, PART_METADATA, r->nonce, span_of(binding.bytes, binding.len));
	span text;
	const enum record_result result = open_part(a, place, KEY_USE_RECORD, &how, r->metadata, &text);

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
	const uint64_t bound_version = take_number(deltas, 5);
	const span nonce = take_bytes(deltas, PART_NONCE_BYTES);
	const span sealed = take_bytes(deltas, len);
	struct binding binding;
	struct part_seal how;

	if (deltas->is_short)
		return RECORD_UNREADABLE;
	if (bound_version != 0 && bound_version != r->header.base_version + index + 1)
		return RECORD_UNREADABLE;
	binding = bind_delta(place, key_id, bound_version);
	how = how_of(place, key_id, PART_DELTA, nonce, span_of(binding.bytes, binding.len));
	return open_part(a, place, KEY_USE_PART, &how, sealed, ret_text);
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

enum record_result record_open(arena *a, const struct record_place *place, const struct record *r, span change,
			       struct record_content *ret)
{
	struct reader deltas = reader_over(r->deltas);
	span texts[1 + DELTAS_READ_MAX + 1];
	enum record_result result;
	span metadata;
	size_t count = 1;

	if (r->header.delta_count > DELTAS_READ_MAX)
		return RECORD_UNREADABLE;
	result = open_base(a, place, r, &metadata, &texts[0]);
	for (size_t i = 0; i < r->header.delta_count && result == RECORD_OK; i++)
		result = open_delta(a, place, r, i, &deltas, &texts[count++]);
	if (result != RECORD_OK)
		return result;
	if (reader_left(&deltas) > 0 || !metadata_read(metadata, &ret->metadata))
		return RECORD_UNREADABLE;
	if (change.len > 0)
		texts[count++] = change;
	return merge(a, texts, count, &ret->attributes, &ret->attribute_count);
}

/* Metadata and data behind the header. False: the arena is full. */
static bool put_parts(arena *a, struct writer *w, const struct record_place *place, const struct record *r)
{
	const uint16_t key_id = r->header.key_id;
	const uint8_t *start = w->at;
	struct binding binding = bind_metadata(place->key, r->fixed);
	struct part_seal how = how_of(place, key_id, PART_METADATA, r->nonce, span_of(binding.bytes, binding.len));
	span data_binding;

	put_part(w, place, &how, r->metadata);
	if (!bind_data(a, place->key, r->fixed, span_of(start, (size_t)(w->at - start)), &data_binding))
		return false;
	how = how_of(place, key_id, PART_DATA, r->nonce, data_binding);
	put_part(w, place, &how, r->data);
	return true;
}

bool record_write(arena *a, const struct record_place *place, const struct record_header *header, span metadata_text,
		  span data_text, span *ret)
{
	struct record r = {.header = *header}; /* its parts as they are before they are sealed */
	struct record_header *h = &r.header;
	struct writer w;
	uint8_t *out;
	size_t len;

	h->key_id = keyring_first_id(place->keys);
	h->base_version = h->version;
	if (!pack_text(place->compressor, a, metadata_text, &r.metadata) ||
	    !pack_text(place->compressor, a, data_text, &r.data))
		return false;
	len = RECORD_HEADER_BYTES + r.metadata.len + r.data.len + 2UL * PART_TAG_BYTES;
	out = arena_alloc(a, len);
	if (out == NULL)
		return false;
	w = writer_over(out, len);
	put_fixed(&w, h, r.metadata.len + PART_TAG_BYTES, r.data.len + PART_TAG_BYTES);
	assert((size_t)(w.at - out) == FIXED_BYTES);
	r.fixed = span_of(out, FIXED_BYTES);
	r.nonce = put_nonce(&w);
	put_number(&w, 0, 1);
	put_number(&w, h->attributes_bound, 2);
	put_number(&w, h->text_bound, 2);
	if (!put_parts(a, &w, place, &r))
		return false;
	*ret = span_of(out, len);
	return true;
}

bool delta_write(arena *a, const struct record_place *place, uint64_t bound_version, span changes_text, span *ret)
{
	const uint16_t key_id = keyring_first_id(place->keys);
	const struct binding binding = bind_delta(place, key_id, bound_version);
	struct part_seal how;
	struct writer w;
	span packed;
	uint8_t *out;
	size_t len;

	if (!pack_text(place->compressor, a, changes_text, &packed))
		return false;
	len = DELTA_HEADER_BYTES + packed.len + PART_TAG_BYTES;
	out = arena_alloc(a, len);
	if (out == NULL)
		return false;
	w = writer_over(out, len);
	put_number(&w, packed.len + PART_TAG_BYTES, 2);
	put_number(&w, key_id, 2);
	put_number(&w, bound_version, 5);
	how = how_of(place, key_id, PART_DELTA, put_nonce(&w), span_of(binding.bytes, binding.len));
	put_part(&w, place, &how, packed);
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
