/* The codec is held against protobuf-c: every message type there is, with random contents, whole and damaged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/codec.h"
#include "latchkey/v1/auth_cache.pb-c.h"
#include "latchkey/v1/frame.pb-c.h"
#include "latchkey/v1/health.pb-c.h"
#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"

static const ProtobufCServiceDescriptor *const services[] = {
    &latchkey__v1__auth_cache__descriptor, &latchkey__v1__health__descriptor,	&latchkey__v1__limits__descriptor,
    &latchkey__v1__locks__descriptor,	   &latchkey__v1__profiles__descriptor, &latchkey__v1__server__descriptor,
    &latchkey__v1__sessions__descriptor,   &latchkey__v1__visitors__descriptor,
};

#define TYPES_MAX    256
#define MEMORY_BYTES ((size_t)1 << 20)
#define ROUNDS	     200

/* Bump memory, taken back as a whole. */
struct memory {
	ProtobufCAllocator allocator;
	size_t used;
	size_t cap;
	uint8_t *bytes;
};

struct stage {
	const ProtobufCMessageDescriptor *types[TYPES_MAX];
	size_t type_count;
	struct memory memory;
};

static void *take(void *owner, size_t bytes)
{
	struct memory *m = owner;
	uint8_t *at = m->bytes + m->used;

	bytes = (bytes + 15) & ~(size_t)15;
	if (bytes > m->cap - m->used)
		return NULL;
	m->used += bytes;
	return at;
}

static void leave(void *owner, void *bytes)
{
	(void)owner;
	(void)bytes;
}

/* The type and those in it, each once. */
static void add_type(struct stage *s, const ProtobufCMessageDescriptor *type)
{
	for (size_t i = 0; i < s->type_count; i++)
		if (s->types[i] == type)
			return;
	assert_true(s->type_count < TYPES_MAX);
	s->types[s->type_count++] = type;
	for (unsigned i = 0; i < type->n_fields; i++)
		if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			add_type(s, type->fields[i].descriptor);
}

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	add_type(s, &latchkey__v1__request_frame__descriptor);
	add_type(s, &latchkey__v1__reply_frame__descriptor);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		for (unsigned m = 0; m < services[i]->n_methods; m++) {
			add_type(s, services[i]->methods[m].input);
			add_type(s, services[i]->methods[m].output);
		}
	s->memory = (struct memory){.cap = MEMORY_BYTES, .bytes = malloc(MEMORY_BYTES)};
	s->memory.allocator = (ProtobufCAllocator){take, leave, &s->memory};
	srand(11);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	free(s->memory.bytes);
	free(s);
	return 0;
}

/* Of all lengths as varint. */
static uint64_t any_number(void)
{
	const uint64_t n = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();

	return n >> rand() % 64;
}

static ProtobufCMessage *any_message(struct stage *s, const ProtobufCMessageDescriptor *type);

static void fill_value(struct stage *s, const ProtobufCFieldDescriptor *f, void *place)
{
	ProtobufCBinaryData *bytes = place;

	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM:
		*(uint32_t *)place = (uint32_t)any_number();
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)place = rand() % 2;
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)place = any_message(s, f->descriptor);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		bytes->len = (size_t)rand() % (rand() % 8 == 0 ? 300 : 20);
		bytes->data = take(&s->memory, bytes->len);
		for (size_t i = 0; i < bytes->len; i++)
			bytes->data[i] = (uint8_t)rand();
		break;
	default:
		*(uint64_t *)place = any_number();
	}
}

static void fill_repeated(struct stage *s, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const size_t each =
	    f->type == PROTOBUF_C_TYPE_MESSAGE ? sizeof(ProtobufCMessage *) : sizeof(ProtobufCBinaryData);
	const size_t count = (size_t)rand() % 4;
	uint8_t *base = (uint8_t *)m;
	uint8_t *entries = take(&s->memory, count * each);

	for (size_t i = 0; i < count; i++)
		fill_value(s, f, entries + i * each);
	*(size_t *)(void *)(base + f->quantifier_offset) = count;
	*(void **)(void *)(base + f->offset) = entries;
}

static ProtobufCMessage *any_message(struct stage *s, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *m = take(&s->memory, type->sizeof_message);
	uint8_t *base = (uint8_t *)m;

	assert_non_null(m);
	type->message_init(m);
	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &type->fields[i];

		if (rand() % 2 == 0)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			fill_repeated(s, m, f);
			continue;
		}
		fill_value(s, f, base + f->offset);
		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			*(protobuf_c_boolean *)(void *)(base + f->quantifier_offset) = 1;
	}
	return m;
}

static struct codec_reader reader_of(struct stage *s)
{
	return (struct codec_reader){.allocator = &s->memory.allocator, .unknown_max = 16, .repeated_max = 64};
}

/* Packed by protobuf-c; the caller frees. */
static uint8_t *pack_by_other(const ProtobufCMessage *m, size_t *ret_len)
{
	uint8_t *bytes = malloc(protobuf_c_message_get_packed_size(m) + 1);

	assert_non_null(bytes);
	*ret_len = protobuf_c_message_pack(m, bytes);
	return bytes;
}

static void assert_packs_to(const ProtobufCMessage *m, const uint8_t *expected, size_t len)
{
	uint8_t *bytes = malloc(len + 1);

	assert_non_null(bytes);
	assert_int_equal(codec_packed_bytes(m), len);
	codec_pack(m, bytes, len);
	assert_memory_equal(bytes, expected, len);
	free(bytes);
}

/* In a buffer of its own, so that what is written in front of it is seen. */
static void assert_packs_at_the_end_of(size_t room, const ProtobufCMessage *m, const uint8_t *expected, size_t len)
{
	uint8_t *bytes = calloc(1, room + 1);
	const uint8_t *start;

	assert_non_null(bytes);
	bytes[room] = 0xa5;
	start = codec_pack_end(m, bytes, room);
	assert_int_equal(bytes[room], 0xa5);
	if (room < len) {
		assert_null(start);
	} else {
		assert_ptr_equal(start, bytes + room - len);
		assert_memory_equal(start, expected, len);
		for (size_t i = 0; i < room - len; i++)
			assert_int_equal(bytes[i], 0);
	}
	free(bytes);
}

static void all_types_are_served(void **state)
{
	const struct stage *s = *state;

	assert_true(s->type_count > 60);
	for (size_t i = 0; i < s->type_count; i++)
		if (!codec_serves(s->types[i]))
			fail_msg("%s has a field of a kind that is not served", s->types[i]->name);
}

static void messages_pack_as_by_protobuf_c_and_come_back(void **state)
{
	struct stage *s = *state;

	for (size_t i = 0; i < s->type_count * ROUNDS; i++) {
		const ProtobufCMessage *m;
		ProtobufCMessage *back;
		struct codec_reader r = reader_of(s);
		uint8_t *bytes;
		size_t len;

		s->memory.used = 0;
		m = any_message(s, s->types[i % s->type_count]);
		bytes = pack_by_other(m, &len);
		assert_packs_to(m, bytes, len);
		assert_packs_at_the_end_of(len, m, bytes, len);
		assert_packs_at_the_end_of(len + (size_t)rand() % 100, m, bytes, len);
		assert_packs_at_the_end_of((size_t)rand() % (len + 1), m, bytes, len);
		back = codec_unpack(&r, m->descriptor, bytes, len);
		assert_non_null(back);
		assert_packs_to(back, bytes, len);
		free(bytes);
	}
}

/* What is accepted protobuf-c accepts too, and understands alike. False: it is refused. */
static bool compare_on(struct stage *s, const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len)
{
	struct codec_reader r = reader_of(s);
	const ProtobufCMessage *ours = codec_unpack(&r, type, bytes, len);
	ProtobufCMessage *theirs;
	uint8_t *packed;
	size_t packed_len;

	if (ours == NULL) {
		assert_int_not_equal(r.fault, CODEC_OK);
		return false;
	}
	theirs = protobuf_c_message_unpack(type, NULL, len, bytes);
	assert_non_null(theirs);
	if (r.unknown == 0) {
		packed = pack_by_other(theirs, &packed_len);
		assert_packs_to(ours, packed, packed_len);
		free(packed);
	}
	protobuf_c_message_free_unpacked(theirs, NULL);
	return true;
}

static void damaged_messages_are_refused_or_understood_alike(void **state)
{
	struct stage *s = *state;

	for (size_t i = 0; i < s->type_count * ROUNDS; i++) {
		const ProtobufCMessageDescriptor *type = s->types[i % s->type_count];
		uint8_t *bytes;
		size_t len;

		s->memory.used = 0;
		bytes = pack_by_other(any_message(s, type), &len);
		for (unsigned n = 0; n < 8 && len > 0; n++) {
			const size_t at = (size_t)rand() % len;

			s->memory.used = 0;
			bytes[at] ^= (uint8_t)(1U << rand() % 8);
			(void)compare_on(s, type, bytes, len);
			(void)compare_on(s, type, bytes, at);
		}
		free(bytes);
	}
}

static void what_comes_twice_is_merged(void **state)
{
	static const uint8_t call[] = {0x0a, 1, 'm', 0x18, 1, 0x18, 2}; /* method: "m" timeout_ms: 1 timeout_ms: 2 */
	/* device { 1: "a" } device { 2: "b" }: one device with both */
	static const uint8_t two[] = {0x3a, 3, 0x0a, 1, 'a', 0x3a, 3, 0x12, 1, 'b'};
	struct stage *s = *state;

	assert_true(compare_on(s, &latchkey__v1__call__descriptor, call, sizeof(call)));
	assert_true(compare_on(s, &latchkey__v1__create_session_request__descriptor, two, sizeof(two)));
}

/* Entries of a message that comes twice are joined, however many were there before and whatever lies behind them. */
static void entries_of_what_comes_twice_are_joined(void **state)
{
	static const uint8_t message[] = {
	    0x42, 3, 0x1a, 1, 'a',		    /* authentication { amr: "a" } */
	    0x22, 3, 0x0a, 1, 'k',		    /* attributes { key: "k" } */
	    0x42, 6, 0x1a, 1, 'b',  0x1a, 1,   'c', /* authentication { amr: "b" amr: "c" } */
	    0x42, 2, 0x10, 1,			    /* authentication { aal: 1 } */
	    0x42, 5, 0x10, 2, 0x1a, 1,	  'd',	    /* authentication { aal: 2 amr: "d" } */
	};
	struct stage *s = *state;

	assert_true(compare_on(s, &latchkey__v1__create_session_request__descriptor, message, sizeof(message)));
}

static void tags_and_lengths_have_five_bytes_at_most(void **state)
{
	/* method: "m" */
	static const uint8_t tag_of_five[] = {0x8a, 0x80, 0x80, 0x80, 0x00, 1, 'm'};
	static const uint8_t tag_of_six[] = {0x8a, 0x80, 0x80, 0x80, 0x80, 0x00, 1, 'm'};
	static const uint8_t length_of_five[] = {0x0a, 0x81, 0x80, 0x80, 0x80, 0x00, 'm'};
	static const uint8_t length_of_six[] = {0x0a, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 'm'};
	struct stage *s = *state;

	assert_true(compare_on(s, &latchkey__v1__call__descriptor, tag_of_five, sizeof(tag_of_five)));
	assert_false(compare_on(s, &latchkey__v1__call__descriptor, tag_of_six, sizeof(tag_of_six)));
	assert_true(compare_on(s, &latchkey__v1__call__descriptor, length_of_five, sizeof(length_of_five)));
	assert_false(compare_on(s, &latchkey__v1__call__descriptor, length_of_six, sizeof(length_of_six)));
}

static void joined_entries_are_bounded(void **state)
{
	struct stage *s = *state;
	struct codec_reader r = reader_of(s);
	uint8_t bytes[4 * 65];

	for (size_t i = 0; i < 65; i++)
		memcpy(bytes + 4 * i, "\x42\x02\x1a\x00", 4); /* authentication { amr: "" } */
	assert_non_null(codec_unpack(&r, &latchkey__v1__create_session_request__descriptor, bytes, sizeof(bytes) - 4));
	assert_null(codec_unpack(&r, &latchkey__v1__create_session_request__descriptor, bytes, sizeof(bytes)));
	assert_int_equal(r.fault, CODEC_REPEATED);
	assert_int_equal(r.count, 65);
	assert_string_equal(r.field->name, "amr");
}

static void bounds_are_kept(void **state)
{
	struct stage *s = *state;
	struct codec_reader r = reader_of(s);
	uint8_t bytes[2 * 65];

	for (size_t i = 0; i < 65; i++)
		memcpy(bytes + 2 * i, "\x1a\x00", 2); /* calls {} */
	assert_non_null(codec_unpack(&r, &latchkey__v1__request_frame__descriptor, bytes, sizeof(bytes) - 2));
	assert_null(codec_unpack(&r, &latchkey__v1__request_frame__descriptor, bytes, sizeof(bytes)));
	assert_int_equal(r.fault, CODEC_REPEATED);
	assert_int_equal(r.count, 65);
	assert_string_equal(r.field->name, "calls");

	r = reader_of(s);
	for (size_t i = 0; i < 17; i++)
		memcpy(bytes + 4 * i, "\x1a\x02\x78\x01", 4); /* calls { 15: 1 } */
	assert_non_null(codec_unpack(&r, &latchkey__v1__request_frame__descriptor, bytes, 16 * 4));
	r = reader_of(s);
	assert_null(codec_unpack(&r, &latchkey__v1__request_frame__descriptor, bytes, 17 * 4));
	assert_int_equal(r.fault, CODEC_UNKNOWN);

	r = reader_of(s);
	s->memory.cap = 256;
	s->memory.used = 0;
	assert_null(codec_unpack(&r, &latchkey__v1__request_frame__descriptor, bytes, 16 * 4));
	assert_int_equal(r.fault, CODEC_NO_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    T(all_types_are_served),
	    T(messages_pack_as_by_protobuf_c_and_come_back),
	    T(damaged_messages_are_refused_or_understood_alike),
	    T(what_comes_twice_is_merged),
	    T(entries_of_what_comes_twice_are_joined),
	    T(joined_entries_are_bounded),
	    T(tags_and_lengths_have_five_bytes_at_most),
	    T(bounds_are_kept),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
