#include "rpc/frame.h"

#include <assert.h>

#include "codec/codec.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "rpc/server.h"

/* Field numbers of RequestFrame, for the survey. */
#define FIELD_CALLS 3

_Static_assert(RPC_CALLS_MAX <= FRAME_REPEATED_MAX, "the calls of a frame are a repeated field too");
_Static_assert(FRAME_REFUSAL_BYTES_MAX >= STATUS_TEXT_BYTES + 24, "a refusal holds any status text");

struct reader {
	const uint8_t *at;
	const uint8_t *end;
};

static bool read_varint(struct reader *r, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
		const uint8_t byte = *r->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		*ret = value;
		return true;
	}
	return false;
}

static bool skip_bytes(struct reader *r, uint64_t count)
{
	if (count > (uint64_t)(r->end - r->at))
		return false;
	r->at += count;
	return true;
}

static bool skip_value(struct reader *r, unsigned wire_type)
{
	uint64_t n;

	switch (wire_type) {
	case PROTOBUF_C_WIRE_TYPE_VARINT:
		return read_varint(r, &n);
	case PROTOBUF_C_WIRE_TYPE_64BIT:
		return skip_bytes(r, 8);
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
		return read_varint(r, &n) && skip_bytes(r, n);
	case PROTOBUF_C_WIRE_TYPE_32BIT:
		return skip_bytes(r, 4);
	default:
		return false; /* groups: no message of ours has one, and they nest */
	}
}

enum status_code frame_survey(span frame, size_t *ret_calls, struct status *st)
{
	const uint8_t *start = frame.len == 0 ? (const uint8_t *)"" : frame.ptr;
	struct reader r = {.at = start, .end = start + frame.len};
	size_t calls = 0;
	uint64_t tag;

	while (r.at < r.end) {
		const size_t offset = (size_t)(r.at - start);

		if (!read_varint(&r, &tag) || !skip_value(&r, tag & 7))
			return status_set(st, STATUS_INVALID_ARGUMENT,
					  "the message is no serialized latchkey.v1.RequestFrame: its field at byte "
					  "%zu is malformed or cut off",
					  offset);
		if (tag >> 3 == FIELD_CALLS)
			calls++;
	}
	if (calls == 0 || calls > RPC_CALLS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "the frame holds %zu calls: send 1 to %d in one frame",
				  calls, RPC_CALLS_MAX);
	*ret_calls = calls;
	return STATUS_OK;
}

struct arena_allocator {
	ProtobufCAllocator callbacks;
	arena *arena;
	size_t left;
};

static void *allocate(void *data, size_t bytes)
{
	struct arena_allocator *self = data;
	void *p = bytes <= self->left ? arena_alloc(self->arena, bytes) : NULL;

	if (p != NULL)
		self->left -= bytes;
	return p;
}

static void leave_to_arena(void *data, void *p)
{
	(void)data;
	(void)p;
}

static size_t entries_max(const ProtobufCMessageDescriptor *type)
{
	if (type == &latchkey__v1__put_profile_request__descriptor ||
	    type == &latchkey__v1__ack_profile_changes_request__descriptor)
		return FRAME_WIDE_MAX;
	return type == &latchkey__v1__record_visitors_request__descriptor ? FRAME_IDS_MAX : FRAME_REPEATED_MAX;
}

static void say_fault(const struct codec_reader *r, const ProtobufCMessageDescriptor *type, size_t len,
		      struct status *st)
{
	switch (r->fault) {
	case CODEC_UNKNOWN:
		(void)status_set(st, STATUS_INVALID_ARGUMENT,
				 "%s has fields that this version does not know: it tolerates at most %d",
				 r->type->name, FRAME_UNKNOWN_FIELDS_MAX);
		return;
	case CODEC_REPEATED:
		(void)status_set(st, STATUS_INVALID_ARGUMENT, "%s.%s has %zu entries: send at most %zu", r->type->name,
				 r->field->name, r->count, r->repeated_max);
		return;
	case CODEC_NO_MEMORY:
		(void)status_set(st, STATUS_INVALID_ARGUMENT,
				 "%s: decoding %zu bytes takes more than %zu: too many small fields", type->name, len,
				 frame_decode_bytes_max(len));
		return;
	case CODEC_MALFORMED:
	case CODEC_OK:
		(void)status_set(st, STATUS_INVALID_ARGUMENT, "the %zu bytes sent are no serialized %s", len,
				 type->name);
	}
}

ProtobufCMessage *frame_unpack(arena *a, const ProtobufCMessageDescriptor *type, span bytes, struct status *st)
{
	struct arena_allocator allocator = {
	    .callbacks = {.alloc = allocate, .free = leave_to_arena, .allocator_data = &allocator},
	    .arena = a,
	    .left = frame_decode_bytes_max(bytes.len),
	};
	struct codec_reader reader = {
	    .allocator = &allocator.callbacks,
	    .unknown_max = FRAME_UNKNOWN_FIELDS_MAX,
	    .repeated_max = entries_max(type),
	};
	ProtobufCMessage *m = codec_unpack(&reader, type, bytes.ptr, bytes.len);

	if (m == NULL)
		say_fault(&reader, type, bytes.len, st);
	return m;
}

static enum status_code check_frame(const Latchkey__V1__RequestFrame *f, struct status *st)
{
	if (!f->has_protocol || f->protocol != RPC_PROTOCOL)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "protocol %u is not spoken here: set RequestFrame.protocol to %d",
				  f->has_protocol ? f->protocol : 0, RPC_PROTOCOL);
	if (f->has_credential && f->credential.len > FRAME_CREDENTIAL_BYTES_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "the credential has %zu bytes: at most %d are allowed",
				  f->credential.len, FRAME_CREDENTIAL_BYTES_MAX);
	return STATUS_OK;
}

Latchkey__V1__RequestFrame *frame_decode(arena *a, span frame, struct status *st)
{
	ProtobufCMessage *m = frame_unpack(a, &latchkey__v1__request_frame__descriptor, frame, st);
	Latchkey__V1__RequestFrame *f = (Latchkey__V1__RequestFrame *)m;

	return f != NULL && check_frame(f, st) == STATUS_OK ? f : NULL;
}

/* Of the arena's block that is in use; false: too little is left of it. Most responses come to a few hundred bytes, and
 * then need not be measured beforehand. */
static bool pack_short(arena *a, const ProtobufCMessage *m, span *ret)
{
	size_t room;
	uint8_t *rest = arena_rest(a, &room);
	const uint8_t *start = codec_pack_end(m, rest, room);

	if (start == NULL) {
		memset(rest, 0, room);
		return false;
	}
	*ret = span_of(start, (size_t)(rest + room - start));
	arena_keep_end(a, ret->len);
	return true;
}

enum frame_fit frame_pack(arena *a, const ProtobufCMessage *m, size_t max, span *ret)
{
	uint8_t *bytes;
	size_t len;

	if (pack_short(a, m, ret))
		return ret->len <= max ? FRAME_FITS : FRAME_TOO_LONG;
	len = codec_packed_bytes(m);
	*ret = span_of(NULL, len);
	if (len > max)
		return FRAME_TOO_LONG;
	bytes = arena_alloc(a, len);
	if (bytes == NULL)
		return FRAME_NO_MEMORY;
	codec_pack(m, bytes, len);
	*ret = span_of(bytes, len);
	return FRAME_FITS;
}

bool frame_encode(arena *a, Latchkey__V1__Reply **replies, size_t count, bool is_going_away, span *ret)
{
	Latchkey__V1__ReplyFrame frame = LATCHKEY__V1__REPLY_FRAME__INIT;
	enum frame_fit fit;

	frame.has_protocol = true;
	frame.protocol = RPC_PROTOCOL;
	frame.has_code = true;
	frame.code = LATCHKEY__V1__CODE__OK;
	frame.n_replies = count;
	frame.replies = replies;
	frame.has_going_away = is_going_away;
	frame.going_away = is_going_away;
	fit = frame_pack(a, &frame.base, RPC_REPLY_BYTES_MAX, ret);
	assert(fit != FRAME_TOO_LONG);
	return fit == FRAME_FITS;
}

size_t frame_encode_refusal(const struct status *st, uint8_t out[static FRAME_REFUSAL_BYTES_MAX])
{
	uint8_t text[STATUS_TEXT_BYTES];
	const size_t len = strlen(st->text);
	Latchkey__V1__ReplyFrame frame = LATCHKEY__V1__REPLY_FRAME__INIT;
	size_t bytes;

	assert(st->code != STATUS_OK);
	memcpy(text, st->text, len);
	frame.has_protocol = true;
	frame.protocol = RPC_PROTOCOL;
	frame.has_code = true;
	frame.code = (Latchkey__V1__Code)st->code;
	frame.has_message = true;
	frame.message = (ProtobufCBinaryData){.len = len, .data = text};
	frame.has_retry_after_ms = st->retry_after_ms > 0;
	frame.retry_after_ms = st->retry_after_ms;
	frame.has_going_away = st->code == STATUS_UNAVAILABLE;
	frame.going_away = frame.has_going_away;
	bytes = codec_packed_bytes(&frame.base);
	assert(bytes <= FRAME_REFUSAL_BYTES_MAX);
	codec_pack(&frame.base, out, bytes);
	return bytes;
}
