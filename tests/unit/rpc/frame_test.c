/* The envelope: hostile bytes in, whole frames out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "latchkey/v1/visitors.pb-c.h"

#include "rpc/server.h"
#include "support/frames.h"

#define DECODE_BYTES (4U << 20)

static enum status_code decode(struct bytes frame, struct status *st)
{
	arena *a = arena_new(1024, DECODE_BYTES);
	const span bytes = span_of(frame.data, frame.len);
	Latchkey__V1__RequestFrame *decoded = NULL;
	enum status_code code;
	size_t calls;

	assert_non_null(a);
	code = frame_survey(bytes, &calls, st);
	if (code == STATUS_OK) {
		decoded = frame_decode(a, bytes, st);
		code = decoded == NULL ? st->code : STATUS_OK;
	}
	if (decoded != NULL)
		assert_int_equal(decoded->n_calls, calls);
	arena_free(&a);
	return code;
}

static struct bytes good_frame(size_t calls)
{
	struct sent_call sent[RPC_CALLS_MAX + 1];
	Latchkey__V1__GetSessionRequest body = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;

	body.has_token = true;
	body.token = text("lks1_not_a_token");
	for (size_t i = 0; i < calls; i++)
		sent[i] =
		    (struct sent_call){.method = GET, .body = &body.base, .timeout_ms = 100, .idempotency_key = "k"};
	return frame_of(sent, calls);
}

static void refuses(struct bytes frame, enum status_code code, const char *part)
{
	struct status st = {0};

	assert_int_equal(decode(frame, &st), code);
	assert_int_equal(st.code, code);
	if (strstr(st.text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", st.text, part);
	bytes_free(&frame);
}

static void test_good(void **state)
{
	struct status st;

	(void)state;
	for (size_t calls = 1; calls <= RPC_CALLS_MAX; calls++) {
		struct bytes frame = good_frame(calls);

		assert_int_equal(decode(frame, &st), STATUS_OK);
		bytes_free(&frame);
	}
}

/* Cut anywhere, a frame is either refused or, where a call ends, a shorter frame. */
static void test_truncated(void **state)
{
	struct bytes whole = good_frame(3);
	size_t accepted = 0;
	struct status st;

	(void)state;
	for (size_t len = 0; len < whole.len; len++) {
		struct bytes part = bytes_of(whole.data, len);

		if (decode(part, &st) == STATUS_OK)
			accepted++;
		bytes_free(&part);
	}
	assert_int_equal(accepted, 2);
	bytes_free(&whole);
}

static void test_every_bit_flipped(void **state)
{
	struct bytes frame = good_frame(2);
	struct status st;

	(void)state;
	for (size_t bit = 0; bit < 8 * frame.len; bit++) {
		frame.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (decode(frame, &st) != STATUS_OK)
			assert_true(st.code == STATUS_INVALID_ARGUMENT || st.code == STATUS_FAILED_PRECONDITION);
		frame.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	bytes_free(&frame);
}

static void test_garbage(void **state)
{
	uint8_t noise[512];
	struct status st;

	(void)state;
	srand(7);
	for (int round = 0; round < 20000; round++) {
		const size_t len = (size_t)rand() % sizeof(noise);
		struct bytes frame;

		for (size_t i = 0; i < len; i++)
			noise[i] = (uint8_t)rand();
		frame = bytes_of(noise, len);
		if (decode(frame, &st) != STATUS_OK)
			assert_true(st.code == STATUS_INVALID_ARGUMENT || st.code == STATUS_FAILED_PRECONDITION);
		bytes_free(&frame);
	}
	refuses(bytes_of("\xff\xff\xff\xff", 4), STATUS_INVALID_ARGUMENT, "byte 0");
	refuses(bytes_of("\x08\x01\x1b", 3), STATUS_INVALID_ARGUMENT, "byte 2");
}

static struct bytes empty_calls(size_t count)
{
	struct bytes frame = bytes_of(NULL, 0);

	frame.data = realloc(frame.data, 2 + 2 * count);
	assert_non_null(frame.data);
	memcpy(frame.data, "\x08\x01", 2);
	for (size_t i = 0; i < count; i++)
		memcpy(frame.data + 2 + 2 * i, "\x1a\x00", 2);
	frame.len = 2 + 2 * count;
	return frame;
}

static void test_call_count(void **state)
{
	(void)state;
	refuses(empty_calls(0), STATUS_INVALID_ARGUMENT, "0 calls");
	refuses(good_frame(RPC_CALLS_MAX + 1), STATUS_INVALID_ARGUMENT, "65 calls");
	refuses(empty_calls(10000), STATUS_INVALID_ARGUMENT, "10000 calls: send 1 to 64");
}

static void test_protocol(void **state)
{
	(void)state;
	refuses(bytes_of("\x08\x02\x1a\x00", 4), STATUS_FAILED_PRECONDITION, "protocol 2");
	refuses(bytes_of("\x1a\x00", 2), STATUS_FAILED_PRECONDITION, "set RequestFrame.protocol to 1");
}

static void test_credential_length(void **state)
{
	char credential[FRAME_CREDENTIAL_BYTES_MAX + 2];
	Latchkey__V1__RequestFrame frame = LATCHKEY__V1__REQUEST_FRAME__INIT;
	Latchkey__V1__Call call = LATCHKEY__V1__CALL__INIT;
	Latchkey__V1__Call *calls = &call;
	struct bytes bytes;
	struct status st;

	(void)state;
	memset(credential, 'x', sizeof(credential));
	credential[sizeof(credential) - 1] = '\0';
	frame.has_protocol = true;
	frame.protocol = RPC_PROTOCOL;
	frame.n_calls = 1;
	frame.calls = &calls;
	frame.has_credential = true;
	frame.credential = text(credential);
	refuses(frame_packed(&frame), STATUS_INVALID_ARGUMENT, "credential has 129 bytes");
	frame.credential.len--;
	bytes = frame_packed(&frame);
	assert_int_equal(decode(bytes, &st), STATUS_OK);
	bytes_free(&bytes);
}

/* `count` fields that nobody knows, of two bytes each, behind a frame that is good. */
static struct bytes with_unknown(size_t count)
{
	struct bytes frame = good_frame(1);

	frame.data = realloc(frame.data, frame.len + 2 * count);
	assert_non_null(frame.data);
	for (size_t i = 0; i < count; i++, frame.len += 2)
		memcpy(frame.data + frame.len, "\x78\x01", 2);
	return frame;
}

static void test_unknown_fields(void **state)
{
	struct bytes tolerated = with_unknown(FRAME_UNKNOWN_FIELDS_MAX);
	struct status st;

	(void)state;
	assert_int_equal(decode(tolerated, &st), STATUS_OK);
	bytes_free(&tolerated);
	refuses(with_unknown(FRAME_UNKNOWN_FIELDS_MAX + 1), STATUS_INVALID_ARGUMENT, "tolerates at most 16");
	refuses(with_unknown(30000), STATUS_INVALID_ARGUMENT, "tolerates at most 16");
}

/* Unknown fields count wherever they are: 17 in the sub-messages of a body. */
static void test_unknown_fields_inside(void **state)
{
	uint8_t body[17 * 4];
	arena *a = arena_new(1024, DECODE_BYTES);
	struct status st;

	(void)state;
	for (size_t i = 0; i < 17; i++)
		memcpy(body + 4 * i, "\x22\x02\x78\x01", 4); /* attributes { 15: 1 } */
	assert_non_null(
	    frame_unpack(a, &latchkey__v1__create_session_request__descriptor, span_of(body, sizeof(body) - 4), &st));
	assert_null(
	    frame_unpack(a, &latchkey__v1__create_session_request__descriptor, span_of(body, sizeof(body)), &st));
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	arena_free(&a);
}

static void test_repeated_fields(void **state)
{
	uint8_t body[65 * 2];
	arena *a = arena_new(1024, DECODE_BYTES);
	struct status st;

	(void)state;
	for (size_t i = 0; i < 65; i++)
		memcpy(body + 2 * i, "\x12\x00", 2); /* tokens: "" */
	assert_non_null(frame_unpack(a, &latchkey__v1__get_many_sessions_request__descriptor,
				     span_of(body, sizeof(body) - 2), &st));
	assert_null(
	    frame_unpack(a, &latchkey__v1__get_many_sessions_request__descriptor, span_of(body, sizeof(body)), &st));
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "GetManySessionsRequest.tokens has 65 entries"));
	arena_free(&a);
}

/* Visitors come by the thousand. */
static void test_repeated_ids(void **state)
{
	enum { IDS = FRAME_IDS_MAX + 1 };
	uint8_t body[IDS * 3];
	arena *a = arena_new(1024, DECODE_BYTES);
	struct status st;

	(void)state;
	for (size_t i = 0; i < IDS; i++)
		memcpy(body + 3 * i, "\x1a\x01x", 3); /* ids: "x" */
	assert_non_null(
	    frame_unpack(a, &latchkey__v1__record_visitors_request__descriptor, span_of(body, sizeof(body) - 3), &st));
	assert_null(
	    frame_unpack(a, &latchkey__v1__record_visitors_request__descriptor, span_of(body, sizeof(body)), &st));
	assert_non_null(strstr(st.text, "RecordVisitorsRequest.ids has 1025 entries: send at most 1024"));
	arena_free(&a);
}

/* What a message may make the decoder allocate is bounded by its size, whatever it holds. */
static void test_memory_bound(void **state)
{
	enum { BYTES = 65536 };
	uint8_t *body = malloc(BYTES);
	arena *a = arena_new(1024, 64U << 20);
	struct status st;

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < BYTES; i += 2)
		memcpy(body + i, "\x22\x00", 2); /* attributes {} */
	assert_null(frame_unpack(a, &latchkey__v1__create_session_request__descriptor, span_of(body, BYTES), &st));
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_true(arena_used(a) <= frame_decode_bytes_max(BYTES) + 4096);
	arena_free(&a);
	free(body);
}

static void test_reply_round_trip(void **state)
{
	Latchkey__V1__Reply replies[2] = {LATCHKEY__V1__REPLY__INIT, LATCHKEY__V1__REPLY__INIT};
	Latchkey__V1__Reply *all[2] = {&replies[0], &replies[1]};
	arena *a = arena_new(1024, 4096);
	Latchkey__V1__ReplyFrame *frame;
	span bytes;

	(void)state;
	replies[0].has_body = true;
	replies[0].body = text("first");
	replies[1].has_code = true;
	replies[1].code = LATCHKEY__V1__CODE__UNAVAILABLE;
	assert_true(frame_encode(a, all, 2, false, &bytes));
	frame = latchkey__v1__reply_frame__unpack(NULL, bytes.len, bytes.ptr);
	assert_non_null(frame);
	assert_int_equal(frame->protocol, RPC_PROTOCOL);
	assert_int_equal(frame->code, LATCHKEY__V1__CODE__OK);
	assert_int_equal(frame->n_replies, 2);
	assert_memory_equal(frame->replies[0]->body.data, "first", 5);
	assert_int_equal(frame->replies[1]->code, LATCHKEY__V1__CODE__UNAVAILABLE);
	assert_false(frame->has_going_away);
	latchkey__v1__reply_frame__free_unpacked(frame, NULL);
	arena_free(&a);
}

static void test_reply_without_room(void **state)
{
	Latchkey__V1__Reply reply = LATCHKEY__V1__REPLY__INIT;
	Latchkey__V1__Reply *all = &reply;
	arena *a = arena_new(16, 16);
	uint8_t body[64] = {0};
	span bytes;

	(void)state;
	reply.has_body = true;
	reply.body = (ProtobufCBinaryData){sizeof(body), body};
	assert_false(frame_encode(a, &all, 1, false, &bytes));
	arena_free(&a);
}

static void test_refusal(void **state)
{
	uint8_t out[FRAME_REFUSAL_BYTES_MAX];
	struct status st = {.code = STATUS_RESOURCE_EXHAUSTED, .retry_after_ms = UINT32_MAX};
	Latchkey__V1__ReplyFrame *frame;

	(void)state;
	memset(st.text, 'x', sizeof(st.text) - 1);
	frame = latchkey__v1__reply_frame__unpack(NULL, frame_encode_refusal(&st, out), out);
	assert_non_null(frame);
	assert_int_equal(frame->code, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	assert_int_equal(frame->message.len, STATUS_TEXT_BYTES - 1);
	assert_int_equal(frame->retry_after_ms, UINT32_MAX);
	assert_int_equal(frame->n_replies, 0);
	latchkey__v1__reply_frame__free_unpacked(frame, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_every_bit_flipped),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_call_count),
	    cmocka_unit_test(test_protocol),
	    cmocka_unit_test(test_credential_length),
	    cmocka_unit_test(test_unknown_fields),
	    cmocka_unit_test(test_unknown_fields_inside),
	    cmocka_unit_test(test_repeated_fields),
	    cmocka_unit_test(test_repeated_ids),
	    cmocka_unit_test(test_memory_bound),
	    cmocka_unit_test(test_reply_round_trip),
	    cmocka_unit_test(test_reply_without_room),
	    cmocka_unit_test(test_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
