#ifndef LK_TEST_CLIENT_SEEN_UTIL_H
#define LK_TEST_CLIENT_SEEN_UTIL_H

/* A server that keeps the last request and answers as it is told, and a client of it in the realm "shop". Include after
 * cmocka. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_util.h"

/* The last request, and what it is answered with. */
static struct {
	char method[64];
	uint8_t body[65536];
	size_t body_bytes;
	bool has_key;
	uint32_t timeout_ms;
	Latchkey__V1__Code code;	/* OK without an answer is UNIMPLEMENTED */
	const ProtobufCMessage *answer; /* goes with any code */
} seen;

static struct fake_server server;
static lk_client *client;

static inline void keep_seen(const struct fake_call *call)
{
	const Latchkey__V1__Call *given = call->call;
	Latchkey__V1__Code code = seen.code;

	if (given->body.len > sizeof(seen.body))
		abort();
	(void)snprintf(seen.method, sizeof(seen.method), "%.*s", (int)given->method.len,
		       (const char *)given->method.data);
	if (given->body.len > 0)
		memcpy(seen.body, given->body.data, given->body.len);
	seen.body_bytes = given->body.len;
	seen.has_key = given->has_idempotency_key;
	seen.timeout_ms = given->timeout_ms;
	if (code == LATCHKEY__V1__CODE__OK && seen.answer == NULL)
		code = LATCHKEY__V1__CODE__UNIMPLEMENTED;
	fake_reply(call->channel, call->route, code, "as told", seen.answer, 0);
}

static inline int open_seen(void **state)
{
	struct lk_options options = LK_OPTIONS_INIT;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", keep_seen, NULL);
	options.realm = "shop";
	client = open_to(&options, fake_url(&server), NULL);
	return 0;
}

static inline int close_seen(void **state)
{
	(void)state;
	lk_client_close(&client);
	fake_stop(&server);
	return 0;
}

static inline int forget_seen(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	return 0;
}

/* A test that begins without a last request, and without an answer. */
#define SEEN_TEST(test) cmocka_unit_test_setup(test, forget_seen)

/* The last request's message, which was for this method, with an idempotency key or without one. */
static inline void *unpack_seen(const ProtobufCMessageDescriptor *descriptor, const char *method, bool has_key)
{
	void *message = protobuf_c_message_unpack(descriptor, NULL, seen.body_bytes, seen.body);

	assert_string_equal(seen.method, method);
	assert_int_equal(seen.has_key, has_key);
	assert_non_null(message);
	return message;
}

static inline void done_with(void *message)
{
	protobuf_c_message_free_unpacked(message, NULL);
}

static inline ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static inline void assert_bytes(ProtobufCBinaryData bytes, const char *text)
{
	assert_int_equal(bytes.len, strlen(text));
	assert_memory_equal(bytes.data, text, bytes.len);
}

#endif
