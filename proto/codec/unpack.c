/* Bytes to a message, in one pass. protobuf-c's own function first lists all fields, then copies each; it stores what
 * it does not know, and believes every count.
 *
 * A repeated field's entries are counted when the first is met, by skimming what is left of the message, so that the
 * array is allocated once and an excess is refused before anything is. A message field that comes twice is read into
 * the same struct, which is what merging means: what was repeated in the first then needs an array for both. */

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/codec.h"

/* Of tags and lengths: 32 bits, seven in a byte. */
#define SHORT_BYTES_MAX 5

struct input {
	const uint8_t *at;
	const uint8_t *end;
};

/* One field's place and number, and its value: a number or the bytes. */
struct value {
	uint64_t number;
	const uint8_t *bytes;
	size_t len;
};

static bool fail(struct codec_reader *r, enum codec_fault fault, const ProtobufCMessageDescriptor *type)
{
	r->fault = fault;
	r->type = type;
	return false;
}

/* Of eight bytes the first and those behind it up to one without its high bit, seven bits from each: pairs, fours and all
 * of them are moved at once. False: none of them is without. */
static inline bool read_eight(struct input *in, uint64_t *ret)
{
	const uint64_t high_bits = 0x8080808080808080;
	uint64_t v;
	uint64_t last;

	memcpy(&v, in->at, sizeof(v));
	v = le64toh(v);
	last = ~v & high_bits;
	if (last == 0)
		return false;
	in->at += __builtin_ctzll(last) / 8 + 1;
	v &= (last ^ (last - 1)) & ~high_bits;
	v = (v & 0x7f007f007f007f00) >> 1 | (v & 0x007f007f007f007f);
	v = (v & 0x3fff00003fff0000) >> 2 | (v & 0x00003fff00003fff);
	*ret = (v & 0x0fffffff00000000) >> 4 | (v & 0x000000000fffffff);
	return true;
}

static bool read_long_varint(struct input *in, uint64_t *ret)
{
	uint64_t value = 0;

	if (in->end - in->at >= 8 && read_eight(in, ret))
		return true;

	for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		const uint8_t byte = *in->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		*ret = value;
		return true;
	}
	return false;
}

static inline bool read_varint(struct input *in, uint64_t *ret)
{
	if (in->at < in->end && *in->at < 0x80) {
		*ret = *in->at++;
		return true;
	}
	return read_long_varint(in, ret);
}

/* One of 32 bits. With more bytes than those take, zeros though they be, it is refused by others too. */
static inline bool read_short_varint(struct input *in, uint64_t *ret)
{
	const uint8_t *start = in->at;

	return read_varint(in, ret) && *ret <= UINT32_MAX && in->at - start <= SHORT_BYTES_MAX;
}

static bool take_bytes(struct input *in, uint64_t len, struct value *ret)
{
	if (len > (uint64_t)(in->end - in->at))
		return false;
	ret->bytes = in->at;
	ret->len = (size_t)len;
	in->at += len;
	return true;
}

static inline bool read_value(struct input *in, unsigned wire_type, struct value *ret)
{
	switch (wire_type) {
	case PROTOBUF_C_WIRE_TYPE_VARINT:
		return read_varint(in, &ret->number);
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
		return read_short_varint(in, &ret->number) && take_bytes(in, ret->number, ret);
	case PROTOBUF_C_WIRE_TYPE_64BIT:
		return take_bytes(in, 8, ret);
	case PROTOBUF_C_WIRE_TYPE_32BIT:
		return take_bytes(in, 4, ret);
	default:
		return false; /* groups: no message of ours has one, and they nest */
	}
}

/* Field numbers are 1 to 2^29 - 1. */
static inline bool read_tag(struct input *in, uint32_t *ret_id, unsigned *ret_wire_type)
{
	uint64_t tag;

	if (!read_short_varint(in, &tag) || tag >> 3 == 0)
		return false;
	*ret_id = (uint32_t)(tag >> 3);
	*ret_wire_type = (unsigned)(tag & 7);
	return true;
}

static inline const ProtobufCFieldDescriptor *find(const ProtobufCMessageDescriptor *type, uint32_t id)
{
	/* Most types number their fields from 1 without gaps. */
	if (id <= type->n_fields && type->fields[id - 1].id == id)
		return &type->fields[id - 1];
	return protobuf_c_message_descriptor_get_field(type, id);
}

/* Entries of the field in what is left. What is malformed there is met again when it is read. */
static size_t count_entries(struct input rest, uint32_t id)
{
	struct value ignored;
	size_t count = 0;
	unsigned wire_type;
	uint32_t other;

	while (rest.at < rest.end && read_tag(&rest, &other, &wire_type) && read_value(&rest, wire_type, &ignored))
		count += other == id;
	return count;
}

static bool read_message(struct codec_reader *r, ProtobufCMessage *m, struct input in);

static size_t entry_bytes(const ProtobufCFieldDescriptor *f)
{
	return codec_is_message(f) ? sizeof(ProtobufCMessage *) : sizeof(ProtobufCBinaryData);
}

static size_t *count_at(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	return (size_t *)(void *)((uint8_t *)m + f->quantifier_offset);
}

static void **array_at(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	return (void **)(void *)((uint8_t *)m + f->offset);
}

/* An array with room for as many entries; those that are there already are taken along. */
static bool new_array(struct codec_reader *r, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t count)
{
	const size_t used = *count_at(m, f) * entry_bytes(f);
	void **array = array_at(m, f);
	uint8_t *bytes;

	if (count > r->repeated_max) {
		r->field = f;
		r->count = count;
		return fail(r, CODEC_REPEATED, m->descriptor);
	}
	bytes = r->allocator->alloc(r->allocator->allocator_data, count * entry_bytes(f));
	if (bytes == NULL)
		return fail(r, CODEC_NO_MEMORY, m->descriptor);
	if (used > 0)
		memcpy(bytes, *array, used);
	memset(bytes + used, 0, count * entry_bytes(f) - used);
	*array = bytes;
	return true;
}

/* Before more is read into a message. Arrays that have no entries yet are made when the first comes. */
static bool widen(struct codec_reader *r, ProtobufCMessage *m, struct input more)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		size_t added;

		if (f->label != PROTOBUF_C_LABEL_REPEATED || *count_at(m, f) == 0)
			continue;
		added = count_entries(more, f->id);
		if (added > 0 && !new_array(r, m, f, *count_at(m, f) + added))
			return false;
	}
	return true;
}

static ProtobufCMessage *new_message(const struct codec_reader *r, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *m = r->allocator->alloc(r->allocator->allocator_data, type->sizeof_message);

	if (m != NULL)
		type->message_init(m);
	return m;
}

/* place: where the message's pointer is. */
static bool read_inner(struct codec_reader *r, const ProtobufCFieldDescriptor *f, const struct value *v,
		       ProtobufCMessage **place)
{
	const struct input in = {.at = v->bytes, .end = v->bytes + v->len};

	if (*place != NULL)
		return widen(r, *place, in) && read_message(r, *place, in);
	*place = new_message(r, f->descriptor);
	if (*place == NULL)
		return fail(r, CODEC_NO_MEMORY, f->descriptor);
	return read_message(r, *place, in);
}

static inline void put_bytes(const struct value *v, ProtobufCBinaryData *to)
{
	to->len = v->len;
	to->data = v->len == 0 ? NULL : (uint8_t *)(uintptr_t)v->bytes;
}

/* All but messages. */
static inline void store(const ProtobufCFieldDescriptor *f, const struct value *v, void *place)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM:
		*(uint32_t *)place = (uint32_t)v->number;
		return;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)place = v->number != 0;
		return;
	case PROTOBUF_C_TYPE_UINT64:
		*(uint64_t *)place = v->number;
		return;
	case PROTOBUF_C_TYPE_SINT64:
		*(int64_t *)place = codec_unzigzag(v->number);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(v, place);
		return;
	default:
		assert(false && "codec_serves");
	}
}

/* rest begins behind the entry. */
static bool add_entry(struct codec_reader *r, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
		      const struct value *v, struct input rest)
{
	size_t *count = count_at(m, f);
	size_t at = *count;

	if (at == 0 && !new_array(r, m, f, 1 + count_entries(rest, f->id)))
		return false;
	*count = at + 1;
	if (codec_is_message(f))
		return read_inner(r, f, v, (ProtobufCMessage **)*array_at(m, f) + at);
	put_bytes(v, (ProtobufCBinaryData *)*array_at(m, f) + at);
	return true;
}

static inline bool set(struct codec_reader *r, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
		       const struct value *v)
{
	uint8_t *base = (uint8_t *)m;
	void *place = base + f->offset;

	if (codec_is_message(f))
		return read_inner(r, f, v, place);
	*(protobuf_c_boolean *)(void *)(base + f->quantifier_offset) = 1;
	store(f, v, place);
	return true;
}

static bool read_message(struct codec_reader *r, ProtobufCMessage *m, struct input in)
{
	const ProtobufCMessageDescriptor *type = m->descriptor;

	while (in.at < in.end) {
		const ProtobufCFieldDescriptor *f;
		unsigned wire_type;
		struct value v = {0};
		uint32_t id;
		bool ok;

		if (!read_tag(&in, &id, &wire_type) || !read_value(&in, wire_type, &v))
			return fail(r, CODEC_MALFORMED, type);
		f = find(type, id);
		if (f == NULL) {
			if (++r->unknown > r->unknown_max)
				return fail(r, CODEC_UNKNOWN, type);
			continue;
		}
		if (wire_type != codec_wire_type(f))
			return fail(r, CODEC_MALFORMED, type);
		ok = f->label == PROTOBUF_C_LABEL_REPEATED ? add_entry(r, m, f, &v, in) : set(r, m, f, &v);
		if (!ok)
			return false;
	}
	return true;
}

ProtobufCMessage *codec_unpack(struct codec_reader *r, const ProtobufCMessageDescriptor *type, const uint8_t *data,
			       size_t len)
{
	const uint8_t *start = len == 0 ? (const uint8_t *)"" : data;
	const struct input in = {.at = start, .end = start + len};
	ProtobufCMessage *m = new_message(r, type);

	if (m == NULL) {
		(void)fail(r, CODEC_NO_MEMORY, type);
		return NULL;
	}
	return read_message(r, m, in) ? m : NULL;
}
