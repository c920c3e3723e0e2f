/* What good, damaged and hostile answers to the calls of a session's later life become. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer_util.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"

#define REPLY_BYTES 4096

static struct results results;
static struct lk_error error;

/* The answer to `method` whose body is this message. */
static enum lk_err told(enum method method, const ProtobufCMessage *body)
{
	size_t asked = results.asked;
	uint8_t bytes[REPLY_BYTES];

	results_clear(&results);
	results.asked = asked;
	error = (struct lk_error)LK_ERROR_INIT;
	return answer(method, bytes, pack_reply(bytes, LATCHKEY__V1__CODE__OK, NULL, body), &results, &error);
}

static int forget(void **state)
{
	(void)state;
	results_clear(&results);
	return 0;
}

static ProtobufCBinaryData bytes_of(const char *text)
{
	return binary_of(lk_text(text));
}

static void a_rotation_has_its_successor(void **state)
{
	Latchkey__V1__RotateSessionResponse response = LATCHKEY__V1__ROTATE_SESSION_RESPONSE__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;

	(void)state;
	response.has_verdict = response.has_token = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.token = bytes_of("lks1_next");
	response.info = &info;
	info.has_privileged_until_ms = true;
	info.privileged_until_ms = 77;
	assert_int_equal(told(METHOD_ROTATE, &response.base), LK_OK);
	assert_string_equal(lk_session_token(results.session), "lks1_next");
	assert_int_equal(lk_session_privileged_until_ms(results.session), 77);
	assert_int_equal(results.verdict, LK_VALID);
}

static void a_rotation_without_a_successor_is_none(void **state)
{
	Latchkey__V1__RotateSessionResponse response = LATCHKEY__V1__ROTATE_SESSION_RESPONSE__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;

	(void)state;
	assert_int_equal(told(METHOD_ROTATE, &response.base), LK_E_PROTOCOL);
	response.has_verdict = response.has_token = response.has_reason = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.info = &info;
	assert_int_equal(told(METHOD_ROTATE, &response.base), LK_E_PROTOCOL);
	response.token = bytes_of("lks1_next");
	response.info = NULL;
	assert_int_equal(told(METHOD_ROTATE, &response.base), LK_E_PROTOCOL);
	/* Dead, and not known: no session even if a token came with it. */
	response.info = &info;
	response.verdict = LATCHKEY__V1__VERDICT__INVALID;
	response.reason = LATCHKEY__V1__REASON__REUSE_DETECTED;
	assert_int_equal(told(METHOD_ROTATE, &response.base), LK_E_SESSION_INVALID);
	assert_int_equal(error.reason, LK_REASON_REUSE_DETECTED);
	assert_null(results.session);
	assert_non_null(strstr(error.message, "has ended"));
	/* The one reason that is no end. */
	response.reason = LATCHKEY__V1__REASON__ASSURANCE_TOO_LOW;
	assert_int_equal(told(METHOD_ROTATE, &response.base), LK_E_SESSION_INVALID);
	assert_int_equal(error.reason, LK_REASON_ASSURANCE_TOO_LOW);
	assert_null(strstr(error.message, "has ended"));
	response.verdict = LATCHKEY__V1__VERDICT__UNKNOWN;
	response.reason = LATCHKEY__V1__REASON__NEWER_FORMAT;
	assert_int_equal(told(METHOD_ROTATE, &response.base), LK_E_UNREADABLE);
	assert_int_equal(error.reason, LK_REASON_NEWER_FORMAT);
	response.reason = LATCHKEY__V1__REASON__REASON_NONE;
	assert_int_equal(told(METHOD_ROTATE, &response.base), LK_E_UNAVAILABLE);
	assert_null(results.session);
}

static void an_update_of_an_anonymous_session_has_its_token(void **state)
{
	Latchkey__V1__UpdateSessionResponse response = LATCHKEY__V1__UPDATE_SESSION_RESPONSE__INIT;

	(void)state;
	response.has_verdict = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	assert_int_equal(told(METHOD_UPDATE, &response.base), LK_OK);
	assert_null(results.session);
	response.has_token = true;
	response.token = bytes_of("lka1_next");
	assert_int_equal(told(METHOD_UPDATE, &response.base), LK_OK);
	assert_string_equal(lk_session_token(results.session), "lka1_next");
	assert_true(lk_session_is_anonymous(results.session));
	assert_null(lk_session_handle(results.session));
}

struct many {
	Latchkey__V1__GetManySessionsResponse response;
	Latchkey__V1__GetSessionResponse rows[3];
	Latchkey__V1__GetSessionResponse *all[3];
	Latchkey__V1__SessionInfo infos[3];
};

static void make_many(struct many *many)
{
	static const char *const users[] = {"ann", "bob", "cy"};

	latchkey__v1__get_many_sessions_response__init(&many->response);
	many->response.n_sessions = 3;
	many->response.sessions = many->all;
	for (size_t i = 0; i < 3; i++) {
		latchkey__v1__get_session_response__init(&many->rows[i]);
		latchkey__v1__session_info__init(&many->infos[i]);
		many->all[i] = &many->rows[i];
		many->rows[i].has_verdict = true;
		many->rows[i].verdict = LATCHKEY__V1__VERDICT__VALID;
		many->rows[i].info = &many->infos[i];
		many->infos[i].has_user = true;
		many->infos[i].user = bytes_of(users[i]);
	}
}

static void many_answers_are_one_for_each_token(void **state)
{
	struct many many;

	(void)state;
	make_many(&many);
	many.rows[1].verdict = LATCHKEY__V1__VERDICT__INVALID;
	many.rows[1].has_reason = true;
	many.rows[1].reason = LATCHKEY__V1__REASON__LOGOUT;
	many.rows[2].verdict = LATCHKEY__V1__VERDICT__UNKNOWN;
	results.asked = 3;
	assert_int_equal(told(METHOD_GET_MANY, &many.response.base), LK_OK);
	assert_int_equal(lk_sessions_count(results.sessions), 3);
	assert_string_equal(lk_session_user(lk_sessions_at(results.sessions, 0)).data, "ann");
	assert_int_equal(lk_session_reason(lk_sessions_at(results.sessions, 1)), LK_REASON_LOGOUT);
	assert_int_equal(lk_session_verdict(lk_sessions_at(results.sessions, 2)), LK_UNKNOWN);
	/* A server that answers about others than were asked for. */
	for (size_t asked = 0; asked < 5; asked++) {
		results.asked = asked;
		assert_int_equal(told(METHOD_GET_MANY, &many.response.base), asked == 3 ? LK_OK : LK_E_PROTOCOL);
		assert_true((results.sessions != NULL) == (asked == 3));
	}
}

static void many_answers_without_a_user_or_a_verdict_are_none(void **state)
{
	struct many many;

	(void)state;
	make_many(&many);
	many.rows[1].info = NULL;
	results.asked = 3;
	assert_int_equal(told(METHOD_GET_MANY, &many.response.base), LK_E_PROTOCOL);
	assert_null(results.sessions);
	make_many(&many);
	many.rows[2].has_verdict = false;
	assert_int_equal(told(METHOD_GET_MANY, &many.response.base), LK_E_PROTOCOL);
	assert_null(results.sessions);
}

static void a_watch_has_its_cursor(void **state)
{
	Latchkey__V1__WatchSessionsResponse response = LATCHKEY__V1__WATCH_SESSIONS_RESPONSE__INIT;

	(void)state;
	/* Whoever went on without one would miss what comes between, in silence. */
	assert_int_equal(told(METHOD_WATCH, &response.base), LK_E_PROTOCOL);
	assert_null(results.events);
	response.has_cursor = true;
	response.cursor = bytes_of("c");
	assert_int_equal(told(METHOD_WATCH, &response.base), LK_OK);
	assert_int_equal(lk_events_count(results.events), 0);
	assert_false(lk_events_gap(results.events));
}

static void a_realms_moment_is_told(void **state)
{
	Latchkey__V1__RevokeRealmResponse response = LATCHKEY__V1__REVOKE_REALM_RESPONSE__INIT;

	(void)state;
	assert_int_equal(told(METHOD_REVOKE_REALM, &response.base), LK_E_PROTOCOL);
	response.has_not_before_ms = true;
	response.not_before_ms = 1700000000000;
	assert_int_equal(told(METHOD_REVOKE_REALM, &response.base), LK_OK);
	assert_int_equal(results.not_before_ms, 1700000000000);
}

static void a_verification_counts(void **state)
{
	Latchkey__V1__VerifySessionsResponse response = LATCHKEY__V1__VERIFY_SESSIONS_RESPONSE__INIT;

	(void)state;
	response.has_sessions = response.has_dangling = response.has_wrong_score = response.has_missing = true;
	response.sessions = 4;
	response.dangling = 3;
	response.wrong_score = 2;
	response.missing = 1;
	assert_int_equal(told(METHOD_VERIFY, &response.base), LK_OK);
	assert_int_equal(results.verification.sessions, 4);
	assert_int_equal(results.verification.dangling, 3);
	assert_int_equal(results.verification.wrong_score, 2);
	assert_int_equal(results.verification.missing, 1);
}

/* What belongs to LK_OK, for each method: a caller relies on it. */
static void check_ok(enum method method)
{
	if (method == METHOD_ROTATE)
		assert_non_null(lk_session_token(results.session));
	if (method == METHOD_GET_MANY)
		assert_int_equal(lk_sessions_count(results.sessions), results.asked);
	if (method == METHOD_WATCH)
		assert_true(lk_events_cursor(results.events).len > 0);
}

/* Each bit flipped, and cut off anywhere: an answer that is one, or an error; never a crash. */
static void damage(enum method method, const ProtobufCMessage *body)
{
	static uint8_t bytes[REPLY_BYTES], damaged[REPLY_BYTES];
	size_t len = pack_reply(bytes, LATCHKEY__V1__CODE__OK, NULL, body);
	size_t asked = results.asked;

	for (size_t i = 0; i < len * 9; i++) {
		size_t cut = i < len * 8 ? len : i - len * 8;

		memcpy(damaged, bytes, len);
		if (cut == len)
			damaged[i / 8] ^= (uint8_t)(1U << i % 8);
		results_clear(&results);
		results.asked = asked;
		error = (struct lk_error)LK_ERROR_INIT;
		if (answer(method, damaged, cut, &results, &error) == LK_OK)
			check_ok(method);
	}
	results_clear(&results);
}

static void damaged_answers_do_no_harm(void **state)
{
	Latchkey__V1__RotateSessionResponse rotate = LATCHKEY__V1__ROTATE_SESSION_RESPONSE__INIT;
	Latchkey__V1__WatchSessionsResponse watch = LATCHKEY__V1__WATCH_SESSIONS_RESPONSE__INIT;
	Latchkey__V1__ServerPolicyResponse policy = LATCHKEY__V1__SERVER_POLICY_RESPONSE__INIT;
	Latchkey__V1__ServerKeysResponse keys = LATCHKEY__V1__SERVER_KEYS_RESPONSE__INIT;
	Latchkey__V1__SessionEvent event = LATCHKEY__V1__SESSION_EVENT__INIT;
	Latchkey__V1__SessionEvent *events[] = {&event};
	Latchkey__V1__KeyInfo key = LATCHKEY__V1__KEY_INFO__INIT;
	Latchkey__V1__KeyInfo *all_keys[] = {&key, &key};
	struct many many;

	(void)state;
	make_many(&many);
	results.asked = 3;
	damage(METHOD_GET_MANY, &many.response.base);
	rotate.has_verdict = rotate.has_token = true;
	rotate.verdict = LATCHKEY__V1__VERDICT__VALID;
	rotate.token = bytes_of("lks1_next");
	rotate.info = &many.infos[0];
	damage(METHOD_ROTATE, &rotate.base);
	event.has_kind = event.has_handle = event.has_at_ms = true;
	event.kind = LATCHKEY__V1__EVENT_KIND__EVENT_REVOKED;
	event.handle = bytes_of("handle");
	event.at_ms = 1700000000000;
	watch.n_events = 1;
	watch.events = events;
	watch.has_cursor = true;
	watch.cursor = bytes_of("cursor");
	damage(METHOD_WATCH, &watch.base);
	policy.has_realm = policy.has_at_cap = true;
	policy.realm = bytes_of("default");
	policy.at_cap = LATCHKEY__V1__AT_CAP__REFUSE;
	damage(METHOD_POLICY, &policy.base);
	keys.n_keys = 2;
	keys.keys = all_keys;
	key.has_id = true;
	damage(METHOD_KEYS, &keys.base);
}

/* A server that is older than these calls says so, and its sentence reaches the caller. */
static void what_a_server_does_not_serve_is_told(void **state)
{
	static const enum method newer[] = {METHOD_ROTATE, METHOD_GET_MANY, METHOD_REVOKE_REALM, METHOD_VERIFY,
					    METHOD_WATCH,  METHOD_POLICY,   METHOD_KEYS};
	uint8_t bytes[REPLY_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(newer) / sizeof(newer[0]); i++) {
		size_t len = pack_reply(bytes, LATCHKEY__V1__CODE__UNIMPLEMENTED, "no such method", NULL);

		assert_int_equal(answer(newer[i], bytes, len, &results, &error), LK_E_UNIMPLEMENTED);
		assert_string_equal(error.message, "no such method");
		assert_true(method_is_mutating(newer[i]) ==
			    (newer[i] == METHOD_ROTATE || newer[i] == METHOD_REVOKE_REALM));
	}
}

#define TEST(f) cmocka_unit_test_teardown(f, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_rotation_has_its_successor),
	    TEST(a_rotation_without_a_successor_is_none),
	    TEST(an_update_of_an_anonymous_session_has_its_token),
	    TEST(many_answers_are_one_for_each_token),
	    TEST(many_answers_without_a_user_or_a_verdict_are_none),
	    TEST(a_watch_has_its_cursor),
	    TEST(a_realms_moment_is_told),
	    TEST(a_verification_counts),
	    TEST(damaged_answers_do_no_harm),
	    TEST(what_a_server_does_not_serve_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
