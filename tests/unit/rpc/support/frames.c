#include "support/frames.h"

#include "rpc/server.h"
#include "support/check.h"

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}

struct bytes bytes_of(const void *data, size_t len)
{
	/* Exactly as long as its content, so that reading beyond is noticed. */
	struct bytes b = {.len = len, .data = malloc(len == 0 ? 1 : len)};

	check(b.data != NULL);
	if (len > 0)
		memcpy(b.data, data, len);
	return b;
}

ProtobufCBinaryData text(const char *s)
{
	return (ProtobufCBinaryData){.len = strlen(s), .data = (uint8_t *)(uintptr_t)s};
}

static ProtobufCBinaryData packed(const ProtobufCMessage *m)
{
	ProtobufCBinaryData b = {.len = protobuf_c_message_get_packed_size(m)};

	b.data = malloc(b.len + 1);
	check(b.data != NULL);
	(void)protobuf_c_message_pack(m, b.data);
	return b;
}

struct bytes frame_packed(const Latchkey__V1__RequestFrame *frame)
{
	const ProtobufCBinaryData b = packed(&frame->base);
	struct bytes out = bytes_of(b.data, b.len);

	free(b.data);
	return out;
}

struct bytes frame_of(const struct sent_call *calls, size_t count)
{
	Latchkey__V1__RequestFrame frame = LATCHKEY__V1__REQUEST_FRAME__INIT;
	Latchkey__V1__Call *each = calloc(count, sizeof(*each));
	Latchkey__V1__Call **all = calloc(count, sizeof(Latchkey__V1__Call *));
	struct bytes out;

	check(each != NULL && all != NULL);
	for (size_t i = 0; i < count; i++) {
		latchkey__v1__call__init(&each[i]);
		all[i] = &each[i];
		each[i].has_method = true;
		each[i].method = text(calls[i].method);
		each[i].has_body = calls[i].body != NULL;
		if (calls[i].body != NULL)
			each[i].body = packed(calls[i].body);
		each[i].has_timeout_ms = calls[i].timeout_ms > 0;
		each[i].timeout_ms = calls[i].timeout_ms;
		each[i].has_wait_replicas = calls[i].has_wait;
		each[i].wait_replicas = calls[i].wait_replicas;
		each[i].has_wait_ms = calls[i].has_wait;
		each[i].wait_ms = calls[i].wait_ms;
		each[i].has_idempotency_key = calls[i].idempotency_key != NULL;
		if (calls[i].idempotency_key != NULL)
			each[i].idempotency_key = text(calls[i].idempotency_key);
	}
	frame.has_protocol = true;
	frame.protocol = RPC_PROTOCOL;
	frame.n_calls = count;
	frame.calls = all;
	out = frame_packed(&frame);
	for (size_t i = 0; i < count; i++)
		free(each[i].body.data);
	free(each);
	free(all);
	return out;
}

struct bytes frame_of_one(const char *method, const ProtobufCMessage *body, uint32_t timeout_ms)
{
	return frame_of(&(struct sent_call){.method = method, .body = body, .timeout_ms = timeout_ms}, 1);
}

void *body_of(const Latchkey__V1__Reply *reply, const ProtobufCMessageDescriptor *type)
{
	void *m;

	check(reply->has_body);
	m = protobuf_c_message_unpack(type, NULL, reply->body.len, reply->body.data);
	check(m != NULL);
	return m;
}

void body_free(void *message)
{
	protobuf_c_message_free_unpacked(message, NULL);
}
