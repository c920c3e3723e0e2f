#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer_util.h"
#include "latchkey/v1/sessions.pb-c.h"

static void frames_carry_everything(void **state)
{
	const uint8_t body[] = {1, 0, 2};
	struct envelope envelope = {.credential = "id.secret",
				    .method = "/s/m",
				    .body = body,
				    .body_bytes = sizeof(body),
				    .timeout_ms = 123,
				    .key = (const uint8_t *)"k\0y",
				    .key_bytes = 3,
				    .traceparent = "00-ab",
				    .wait_replicas = 2,
				    .wait_ms = 70};
	struct lk_error error = LK_ERROR_INIT;
	Latchkey__V1__RequestFrame *m;
	struct frame *frame;

	(void)state;
	assert_int_equal(frame_new(&envelope, &frame, &error), LK_OK);
	m = latchkey__v1__request_frame__unpack(NULL, frame->len, frame->bytes);
	assert_non_null(m);
	assert_int_equal(m->protocol, 1);
	assert_memory_equal(m->credential.data, "id.secret", 9);
	assert_int_equal(m->n_calls, 1);
	assert_memory_equal(m->calls[0]->method.data, "/s/m", 4);
	assert_int_equal(m->calls[0]->body.len, 3);
	assert_memory_equal(m->calls[0]->body.data, body, 3);
	assert_int_equal(m->calls[0]->timeout_ms, 123);
	assert_int_equal(m->calls[0]->idempotency_key.len, 3);
	assert_memory_equal(m->calls[0]->traceparent.data, "00-ab", 5);
	assert_int_equal(m->calls[0]->wait_replicas, 2);
	assert_int_equal(m->calls[0]->wait_ms, 70);
	latchkey__v1__request_frame__free_unpacked(m, NULL);
	frame_release(&frame);
	assert_null(frame);
}

static void frames_over_the_limit_are_refused(void **state)
{
	static uint8_t body[LK_REQUEST_BYTES_MAX];
	struct envelope envelope = {.credential = "", .method = "/s/m", .body = body, .traceparent = ""};
	struct lk_error error = LK_ERROR_INIT;
	struct frame *frame = NULL;

	(void)state;
	envelope.body_bytes = sizeof(body) - 40;
	assert_int_equal(frame_new(&envelope, &frame, &error), LK_OK);
	frame_release(&frame);
	envelope.body_bytes = sizeof(body);
	assert_int_equal(frame_new(&envelope, &frame, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "65536"));
	assert_null(frame);
}

static size_t pack_valid_get(uint8_t *to)
{
	Latchkey__V1__GetSessionResponse response = LATCHKEY__V1__GET_SESSION_RESPONSE__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	Latchkey__V1__Attribute attribute = LATCHKEY__V1__ATTRIBUTE__INIT;
	Latchkey__V1__Attribute *attributes[] = {&attribute};

	response.has_verdict = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.info = &info;
	response.n_attributes = 1;
	response.attributes = attributes;
	info.has_user = true;
	info.user = binary_of(lk_text("ann"));
	attribute.has_key = true;
	attribute.key = binary_of(lk_text("cart"));
	attribute.has_value = true;
	attribute.value = binary_of(lk_bytes_of("a\0b", 3));
	return pack_reply(to, LATCHKEY__V1__CODE__OK, NULL, &response.base);
}

static void a_valid_get_has_its_session(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	struct results results = {0};
	uint8_t bytes[1024];

	(void)state;
	assert_int_equal(answer(METHOD_GET, bytes, pack_valid_get(bytes), &results, &error), LK_OK);
	assert_int_equal(results.verdict, LK_VALID);
	assert_int_equal(lk_session_verdict(results.session), LK_VALID);
	assert_string_equal(lk_session_user(results.session).data, "ann");
	assert_int_equal(lk_session_attribute(results.session, "cart").len, 3);
	results_clear(&results);
}

/* Whatever is cut off or flipped: an answer that is an answer, or LK_E_PROTOCOL; never a crash, and LK_OK only with a
 * session. */
static void damaged_replies_do_no_harm(void **state)
{
	uint8_t bytes[1024], damaged[1024];
	size_t len = pack_valid_get(bytes);

	(void)state;
	for (size_t cut = 0; cut <= len; cut++)
		for (unsigned flip = 0; flip < 8; flip++) {
			struct lk_error error = LK_ERROR_INIT;
			struct results results = {0};

			memcpy(damaged, bytes, len);
			damaged[cut % len] ^= (uint8_t)(1U << flip);
			if (answer(METHOD_GET, damaged, len, &results, &error) == LK_OK)
				assert_non_null(results.session);
			results_clear(&results);
			memcpy(damaged, bytes, len);
			if (answer(METHOD_GET, damaged, cut, &results, &error) == LK_OK)
				assert_non_null(results.session);
			results_clear(&results);
		}
}

static void a_reply_cannot_unpack_into_much_more_than_itself(void **state)
{
	size_t len = 1024 * 1024;
	uint8_t *bytes = malloc(len);
	struct reply reply;
	struct pool pool;

	(void)state;
	assert_non_null(bytes);
	/* Half a million empty replies: field 4, no bytes. */
	for (size_t i = 0; i < len; i += 2) {
		bytes[i] = 0x22;
		bytes[i + 1] = 0x00;
	}
	pool_init(&pool, reply_pool_bytes(len));
	assert_false(reply_open(bytes, len, &pool, &reply));
	pool_clear(&pool);
	free(bytes);
}

static void only_one_reply_of_this_protocol_is_one(void **state)
{
	Latchkey__V1__ReplyFrame frame = LATCHKEY__V1__REPLY_FRAME__INIT;
	Latchkey__V1__Reply reply = LATCHKEY__V1__REPLY__INIT;
	Latchkey__V1__Reply *replies[] = {&reply, &reply};
	struct lk_error error = LK_ERROR_INIT;
	struct results results = {0};
	uint8_t bytes[256];

	(void)state;
	frame.replies = replies;
	frame.n_replies = 1;
	assert_int_equal(answer(METHOD_HEALTH, bytes, latchkey__v1__reply_frame__pack(&frame, bytes), &results, &error),
			 LK_E_PROTOCOL);
	frame.has_protocol = true;
	frame.protocol = 2;
	assert_int_equal(answer(METHOD_HEALTH, bytes, latchkey__v1__reply_frame__pack(&frame, bytes), &results, &error),
			 LK_E_PROTOCOL);
	frame.protocol = 1;
	frame.n_replies = 2;
	assert_int_equal(answer(METHOD_HEALTH, bytes, latchkey__v1__reply_frame__pack(&frame, bytes), &results, &error),
			 LK_E_PROTOCOL);
	frame.n_replies = 0;
	assert_int_equal(answer(METHOD_HEALTH, bytes, latchkey__v1__reply_frame__pack(&frame, bytes), &results, &error),
			 LK_E_PROTOCOL);
	frame.n_replies = 1;
	assert_int_equal(answer(METHOD_HEALTH, bytes, latchkey__v1__reply_frame__pack(&frame, bytes), &results, &error),
			 LK_OK);
}

static void a_frame_refused_as_a_whole_is_the_calls_answer(void **state)
{
	Latchkey__V1__ReplyFrame frame = LATCHKEY__V1__REPLY_FRAME__INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct results results = {0};
	uint8_t bytes[256];

	(void)state;
	/* Of another protocol version even: it is how a server says that it speaks only another. */
	frame.has_protocol = true;
	frame.protocol = 2;
	frame.has_code = true;
	frame.code = LATCHKEY__V1__CODE__FAILED_PRECONDITION;
	frame.has_message = true;
	frame.message = binary_of(lk_text("speak version 2"));
	assert_int_equal(answer(METHOD_GET, bytes, latchkey__v1__reply_frame__pack(&frame, bytes), &results, &error),
			 LK_E_FAILED_PRECONDITION);
	assert_string_equal(error.message, "speak version 2");
	assert_int_equal(results.verdict, LK_UNKNOWN);
}

static void every_code_of_the_wire_has_its_error(void **state)
{
	(void)state;
	for (uint32_t code = 0; code <= 40; code++) {
		struct lk_error error = LK_ERROR_INIT;
		struct results results = {0};
		uint8_t bytes[256];
		enum lk_err err = answer(METHOD_HEALTH, bytes, pack_reply(bytes, (Latchkey__V1__Code)code, NULL, NULL),
					 &results, &error);

		assert_true((err == LK_OK) == (code == 0));
		if (code > 16)
			assert_int_equal(err, LK_E_INTERNAL);
		if (code != 0)
			assert_true(error.message[0] != '\0');
	}
}

static void verdicts_that_are_no_verdicts_are_unknown(void **state)
{
	static const uint32_t verdicts[] = {LATCHKEY__V1__VERDICT__UNKNOWN, LATCHKEY__V1__VERDICT__VERDICT_UNSPECIFIED,
					    17};

	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		Latchkey__V1__GetSessionResponse response = LATCHKEY__V1__GET_SESSION_RESPONSE__INIT;
		struct lk_error error = LK_ERROR_INIT;
		struct results results = {0};
		uint8_t bytes[256];

		response.has_verdict = true;
		response.verdict = (Latchkey__V1__Verdict)verdicts[i];
		response.has_reason = true;
		response.reason = LATCHKEY__V1__REASON__UNREADABLE;
		assert_int_equal(answer(METHOD_GET, bytes,
					pack_reply(bytes, LATCHKEY__V1__CODE__OK, NULL, &response.base), &results,
					&error),
				 LK_E_UNREADABLE);
		assert_int_equal(error.reason, LK_REASON_UNREADABLE);
		assert_int_equal(results.verdict, LK_UNKNOWN);
		assert_null(results.session);
	}
}

static void valid_without_a_user_is_not_valid(void **state)
{
	Latchkey__V1__GetSessionResponse response = LATCHKEY__V1__GET_SESSION_RESPONSE__INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct results results = {0};
	uint8_t bytes[256];
	size_t len;

	(void)state;
	len = pack_reply(bytes, LATCHKEY__V1__CODE__OK, NULL, &response.base);
	assert_int_equal(answer(METHOD_GET, bytes, len, &results, &error), LK_E_PROTOCOL);
	response.has_verdict = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	len = pack_reply(bytes, LATCHKEY__V1__CODE__OK, NULL, &response.base);
	assert_int_equal(answer(METHOD_GET, bytes, len, &results, &error), LK_E_PROTOCOL);
	assert_int_equal(results.verdict, LK_UNKNOWN);
}

static void updates_say_whether_they_were_written(void **state)
{
	Latchkey__V1__UpdateSessionResponse response = LATCHKEY__V1__UPDATE_SESSION_RESPONSE__INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct results results = {0};
	uint8_t bytes[256];
	size_t len;

	(void)state;
	response.has_verdict = true;
	response.verdict = LATCHKEY__V1__VERDICT__INVALID;
	response.has_reason = true;
	response.reason = LATCHKEY__V1__REASON__LOGOUT;
	len = pack_reply(bytes, LATCHKEY__V1__CODE__OK, NULL, &response.base);
	assert_int_equal(answer(METHOD_UPDATE, bytes, len, &results, &error), LK_E_SESSION_INVALID);
	assert_int_equal(error.reason, LK_REASON_LOGOUT);

	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.has_version = true;
	response.version = 9;
	len = pack_reply(bytes, LATCHKEY__V1__CODE__ABORTED, "version is 9", &response.base);
	assert_int_equal(answer(METHOD_UPDATE, bytes, len, &results, &error), LK_E_CONFLICT);
	assert_int_equal(error.version, 9);
	assert_string_equal(error.message, "version is 9");

	len = pack_reply(bytes, LATCHKEY__V1__CODE__OK, NULL, &response.base);
	assert_int_equal(answer(METHOD_UPDATE, bytes, len, &results, &error), LK_OK);
	assert_int_equal(results.version, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_carry_everything),
	    cmocka_unit_test(frames_over_the_limit_are_refused),
	    cmocka_unit_test(a_valid_get_has_its_session),
	    cmocka_unit_test(damaged_replies_do_no_harm),
	    cmocka_unit_test(a_reply_cannot_unpack_into_much_more_than_itself),
	    cmocka_unit_test(only_one_reply_of_this_protocol_is_one),
	    cmocka_unit_test(a_frame_refused_as_a_whole_is_the_calls_answer),
	    cmocka_unit_test(every_code_of_the_wire_has_its_error),
	    cmocka_unit_test(verdicts_that_are_no_verdicts_are_unknown),
	    cmocka_unit_test(valid_without_a_user_is_not_valid),
	    cmocka_unit_test(updates_say_whether_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
