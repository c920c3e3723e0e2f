/* A message to bytes: fields in the order of their numbers, each that is there. Written from the end to the front: then
 * the length of an inner message is known when it is to be written, and no message is measured twice; where
 * there is room enough anyway none is measured at all. */

#include <assert.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/codec.h"

static inline size_t varint_bytes(uint64_t n)
{
	/* Seven bits a byte, and one byte for 0. */
	return (size_t)(70 - __builtin_clzll(n | 1)) / 7;
}

/* The put_ functions write before `end` and return where they began. NULL: there is no room from `floor` on. */
static uint8_t *put_long_varint(uint8_t *floor, uint8_t *end, uint64_t n)
{
	const size_t bytes = varint_bytes(n);
	uint8_t *at;

	if (bytes > (size_t)(end - floor))
		return NULL;
	at = end - bytes;
	while (n >= 0x80) {
		*at++ = (uint8_t)(n | 0x80);
		n >>= 7;
	}
	*at = (uint8_t)n;
	return end - bytes;
}

static inline uint8_t *put_varint(uint8_t *floor, uint8_t *end, uint64_t n)
{
	if (n >= 0x80 || end == floor)
		return put_long_varint(floor, end, n);
	*--end = (uint8_t)n;
	return end;
}

static inline uint64_t tag_of(const ProtobufCFieldDescriptor *f)
{
	return (uint64_t)f->id << 3 | codec_wire_type(f);
}

static inline size_t tag_bytes(const ProtobufCFieldDescriptor *f)
{
	return f->id < 16 ? 1 : varint_bytes(tag_of(f));
}

static inline uint8_t *put_tag(uint8_t *floor, uint8_t *end, const ProtobufCFieldDescriptor *f)
{
	return put_varint(floor, end, tag_of(f));
}

/* Of a field whose value is a number. */
static inline uint64_t number_at(const ProtobufCFieldDescriptor *f, const void *place)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT32:
		return *(const uint32_t *)place;
	case PROTOBUF_C_TYPE_ENUM:
		return (uint64_t)(int64_t) * (const int32_t *)place;
	case PROTOBUF_C_TYPE_BOOL:
		return *(const protobuf_c_boolean *)place != 0;
	case PROTOBUF_C_TYPE_UINT64:
		return *(const uint64_t *)place;
	case PROTOBUF_C_TYPE_SINT64:
		return codec_zigzag(*(const int64_t *)place);
	default:
		assert(false && "codec_serves");
		return 0;
	}
}

/* Where a field's value is; NULL: it is absent. Not for repeated ones. */
static inline const void *value_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const uint8_t *base = (const uint8_t *)m;
	const void *place = base + f->offset;

	if (codec_is_message(f))
		return *(const void *const *)place;
	return *(const protobuf_c_boolean *)(const void *)(base + f->quantifier_offset) ? place : NULL;
}

/* The entries of a repeated field: messages or bytes. */
struct entries {
	size_t count;
	union {
		const ProtobufCMessage *const *messages;
		const ProtobufCBinaryData *bytes;
		const void *any;
	} at;
};

static struct entries entries_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const uint8_t *base = (const uint8_t *)m;

	return (struct entries){
	    .count = *(const size_t *)(const void *)(base + f->quantifier_offset),
	    .at.any = *(const void *const *)(const void *)(base + f->offset),
	};
}

static inline const void *entry_at(const struct entries *e, const ProtobufCFieldDescriptor *f, size_t i)
{
	return codec_is_message(f) ? (const void *)e->at.messages[i] : &e->at.bytes[i];
}

/* Tag and value. */
static inline size_t field_bytes(const ProtobufCFieldDescriptor *f, const void *value)
{
	size_t len;

	if (f->type == PROTOBUF_C_TYPE_BYTES)
		len = ((const ProtobufCBinaryData *)value)->len;
	else if (codec_is_message(f))
		len = codec_packed_bytes(value);
	else
		return tag_bytes(f) + varint_bytes(number_at(f, value));
	return tag_bytes(f) + varint_bytes(len) + len;
}

size_t codec_packed_bytes(const ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *type = m->descriptor;
	size_t bytes = 0;

	for (unsigned n = 0; n < type->n_fields; n++) {
		const ProtobufCFieldDescriptor *f = &type->fields[n];

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			const struct entries e = entries_of(m, f);

			for (size_t i = 0; i < e.count; i++)
				bytes += field_bytes(f, entry_at(&e, f, i));
		} else {
			const void *value = value_of(m, f);

			bytes += value == NULL ? 0 : field_bytes(f, value);
		}
	}
	return bytes;
}

static uint8_t *put_message(const ProtobufCMessage *m, uint8_t *floor, uint8_t *end);

static inline uint8_t *put_bytes(const ProtobufCBinaryData *bytes, uint8_t *floor, uint8_t *end)
{
	if (bytes->len > (size_t)(end - floor))
		return NULL;
	end -= bytes->len;
	if (bytes->len > 0)
		memcpy(end, bytes->data, bytes->len);
	return end;
}

/* In front of a value that has been written, and ends at `end`: its length, and the field's tag. */
static inline uint8_t *put_block_head(const ProtobufCFieldDescriptor *f, uint8_t *floor, uint8_t *start, uint8_t *end)
{
	uint8_t *at = start == NULL ? NULL : put_varint(floor, start, (uint64_t)(end - start));

	return at == NULL ? NULL : put_tag(floor, at, f);
}

static inline uint8_t *put_bytes_field(const ProtobufCFieldDescriptor *f, const ProtobufCBinaryData *value,
				       uint8_t *floor, uint8_t *end)
{
	return put_block_head(f, floor, put_bytes(value, floor, end), end);
}

static inline uint8_t *put_message_field(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *value,
					 uint8_t *floor, uint8_t *end)
{
	return put_block_head(f, floor, put_message(value, floor, end), end);
}

static inline uint8_t *put_number_field(const ProtobufCFieldDescriptor *f, const void *value, uint8_t *floor,
					uint8_t *end)
{
	end = put_varint(floor, end, number_at(f, value));
	return end == NULL ? NULL : put_tag(floor, end, f);
}

static uint8_t *put_entries(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, uint8_t *floor, uint8_t *end)
{
	const struct entries e = entries_of(m, f);

	for (size_t i = e.count; i-- > 0 && end != NULL;)
		end = codec_is_message(f) ? put_message_field(f, e.at.messages[i], floor, end)
					  : put_bytes_field(f, &e.at.bytes[i], floor, end);
	return end;
}

static uint8_t *put_message(const ProtobufCMessage *m, uint8_t *floor, uint8_t *end)
{
	const ProtobufCMessageDescriptor *type = m->descriptor;

	for (unsigned n = type->n_fields; n-- > 0 && end != NULL;) {
		const ProtobufCFieldDescriptor *f = &type->fields[n];
		const void *value;

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			end = put_entries(m, f, floor, end);
			continue;
		}
		value = value_of(m, f);
		if (value == NULL)
			continue;
		if (f->type == PROTOBUF_C_TYPE_BYTES)
			end = put_bytes_field(f, value, floor, end);
		else if (codec_is_message(f))
			end = put_message_field(f, value, floor, end);
		else
			end = put_number_field(f, value, floor, end);
	}
	return end;
}

void codec_pack(const ProtobufCMessage *m, uint8_t *out, size_t bytes)
{
	const uint8_t *start = put_message(m, out, out + bytes);

	assert(start == out && "bytes is codec_packed_bytes");
	(void)start;
}

uint8_t *codec_pack_end(const ProtobufCMessage *m, uint8_t *out, size_t room)
{
	return put_message(m, out, out + room);
}

static bool is_served(const ProtobufCFieldDescriptor *f)
{
	const bool is_block = f->type == PROTOBUF_C_TYPE_BYTES || codec_is_message(f);
	const bool is_number = f->type == PROTOBUF_C_TYPE_UINT32 || f->type == PROTOBUF_C_TYPE_ENUM ||
			       f->type == PROTOBUF_C_TYPE_BOOL || f->type == PROTOBUF_C_TYPE_UINT64 ||
			       f->type == PROTOBUF_C_TYPE_SINT64;

	if (f->flags != 0)
		return false;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return is_block;
	return f->label == PROTOBUF_C_LABEL_OPTIONAL && (is_block || is_number);
}

bool codec_serves(const ProtobufCMessageDescriptor *type)
{
	for (unsigned i = 0; i < type->n_fields; i++)
		if (!is_served(&type->fields[i]))
			return false;
	return true;
}
