/* Requests as they reach a server: every field in its place, what is not said left out, limits kept here. And results as
 * their callers take them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "latchkey/admin.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/watch.h"
#include "seen_util.h"

static void rotate_says_what_it_is_told(void **state)
{
	static const char *const amr[] = {"pwd", "hwk"};
	struct lk_session_rotate_request request = LK_SESSION_ROTATE_REQUEST_INIT;
	Latchkey__V1__RotateSessionRequest *m;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session = NULL;

	(void)state;
	request.token = lk_text("lks1_x");
	assert_int_equal(lk_session_rotate(client, &request, &session, &error), LK_E_UNIMPLEMENTED);
	assert_string_equal(error.message, "as told");
	assert_null(session);
	m = unpack_seen(&latchkey__v1__rotate_session_request__descriptor, "/latchkey.v1.Sessions/Rotate", true);
	assert_bytes(m->realm, "shop");
	assert_bytes(m->token, "lks1_x");
	assert_false(m->has_grace_s);
	assert_null(m->authentication);
	done_with(m);
	/* Zero means the default unless it is said that it does not. */
	request.has_grace = true;
	request.authenticated = true;
	assert_int_equal(lk_session_rotate(client, &request, &session, NULL), LK_E_UNIMPLEMENTED);
	m = unpack_seen(&latchkey__v1__rotate_session_request__descriptor, "/latchkey.v1.Sessions/Rotate", true);
	assert_true(m->has_grace_s && m->grace_s == 0);
	assert_non_null(m->authentication);
	assert_false(m->authentication->has_at_ms);
	done_with(m);
	request = (struct lk_session_rotate_request)LK_SESSION_ROTATE_REQUEST_INIT;
	request.grace_s = 3;
	request.aal = 2;
	request.amr = amr;
	request.amr_count = 2;
	assert_int_equal(lk_session_rotate(client, &request, &session, NULL), LK_E_UNIMPLEMENTED);
	m = unpack_seen(&latchkey__v1__rotate_session_request__descriptor, "/latchkey.v1.Sessions/Rotate", true);
	assert_int_equal(m->grace_s, 3);
	assert_int_equal(m->authentication->aal, 2);
	assert_int_equal(m->authentication->n_amr, 2);
	assert_bytes(m->authentication->amr[1], "hwk");
	done_with(m);
	request.amr_count = 9;
	assert_int_equal(lk_session_rotate(client, &request, &session, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "at most 8"));
}

static void create_may_be_anonymous_or_promote(void **state)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	Latchkey__V1__CreateSessionRequest *m;
	lk_session *session = NULL;

	(void)state;
	request.anonymous = true;
	assert_int_equal(lk_session_create(client, &request, &session, NULL), LK_E_UNIMPLEMENTED);
	m = unpack_seen(&latchkey__v1__create_session_request__descriptor, "/latchkey.v1.Sessions/Create", true);
	assert_true(m->anonymous);
	assert_false(m->has_user || m->has_promote);
	assert_null(m->authentication);
	assert_null(m->device);
	done_with(m);
	request = (struct lk_session_create_request)LK_SESSION_CREATE_REQUEST_INIT;
	request.user = lk_text("ann");
	request.promote = lk_text("lka1_x");
	assert_int_equal(lk_session_create(client, &request, &session, NULL), LK_E_UNIMPLEMENTED);
	m = unpack_seen(&latchkey__v1__create_session_request__descriptor, "/latchkey.v1.Sessions/Create", true);
	assert_false(m->has_anonymous);
	assert_bytes(m->promote, "lka1_x");
	done_with(m);
}

static void get_demands_what_it_is_told(void **state)
{
	static const char *const amr[] = {"hwk"};
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	Latchkey__V1__GetSessionRequest *m;
	enum lk_verdict verdict;

	(void)state;
	request.token = lk_text("lks1_x");
	request.peek = true;
	request.staleness_ms = 500;
	request.minimum_aal = 2;
	request.authenticated_within_s = 60;
	request.amr = amr;
	request.amr_count = 1;
	request.privileged = true;
	assert_int_equal(lk_session_get(client, &request, &verdict, NULL, NULL), LK_E_UNIMPLEMENTED);
	assert_int_equal(verdict, LK_UNKNOWN);
	m = unpack_seen(&latchkey__v1__get_session_request__descriptor, "/latchkey.v1.Sessions/Get", false);
	assert_true(m->peek && m->privileged);
	assert_int_equal(m->staleness_ms, 500);
	assert_int_equal(m->minimum_aal, 2);
	assert_int_equal(m->authenticated_within_s, 60);
	assert_int_equal(m->n_amr, 1);
	assert_bytes(m->amr[0], "hwk");
	done_with(m);
}

/* A program built when structs ended earlier: what it has behind them is no part of its request. */
static void structs_of_older_programs_are_taken(void **state)
{
	struct lk_session_get_request get;
	struct lk_session_create_request create;
	struct lk_session_update_request update;
	Latchkey__V1__GetSessionRequest *m;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session = NULL;
	enum lk_verdict verdict;

	(void)state;
	memset(&get, 0xff, sizeof(get));
	memset(&get, 0, offsetof(struct lk_session_get_request, amr));
	get.struct_size = offsetof(struct lk_session_get_request, amr);
	get.token = lk_text("lks1_x");
	assert_int_equal(lk_session_get(client, &get, &verdict, NULL, NULL), LK_E_UNIMPLEMENTED);
	m = unpack_seen(&latchkey__v1__get_session_request__descriptor, "/latchkey.v1.Sessions/Get", false);
	assert_false(m->has_privileged || m->n_amr > 0 || m->has_staleness_ms);
	done_with(m);
	memset(&create, 0xff, sizeof(create));
	memset(&create, 0, offsetof(struct lk_session_create_request, promote));
	create.struct_size = offsetof(struct lk_session_create_request, promote);
	assert_int_equal(lk_session_create(client, &create, &session, NULL), LK_E_UNIMPLEMENTED);
	memset(&update, 0xff, sizeof(update));
	memset(&update, 0, offsetof(struct lk_session_update_request, ret_session));
	update.struct_size = offsetof(struct lk_session_update_request, ret_session);
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, NULL), LK_E_UNIMPLEMENTED);
	/* None ever was as short as this. */
	get.struct_size = offsetof(struct lk_session_get_request, peek);
	assert_int_equal(lk_session_get(client, &get, &verdict, NULL, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "LK_..._INIT"));
}

static void get_many_asks_in_order(void **state)
{
	struct lk_session_get_many_request request = LK_SESSION_GET_MANY_REQUEST_INIT;
	struct lk_bytes tokens[65] = {lk_text("one"), lk_text(""), lk_text("three")};
	Latchkey__V1__GetManySessionsRequest *m;
	struct lk_error error = LK_ERROR_INIT;
	lk_sessions *sessions = NULL;

	(void)state;
	request.tokens = tokens;
	request.token_count = 3;
	request.peek = true;
	assert_int_equal(lk_session_get_many(client, &request, &sessions, NULL), LK_E_UNIMPLEMENTED);
	m = unpack_seen(&latchkey__v1__get_many_sessions_request__descriptor, "/latchkey.v1.Sessions/GetMany", false);
	assert_int_equal(m->n_tokens, 3);
	assert_bytes(m->tokens[0], "one");
	assert_bytes(m->tokens[1], "");
	assert_bytes(m->tokens[2], "three");
	assert_true(m->peek);
	done_with(m);
	request.token_count = 65;
	assert_int_equal(lk_session_get_many(client, &request, &sessions, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "65 tokens in one request, at most 64"));
	assert_null(sessions);
}

/* What strangers have made too long does not fill the frame, and stays malformed. */
static void long_tokens_leave_room_for_the_others(void **state)
{
	static const struct {
		const char *begin;
		size_t bytes;
		size_t sent;
	} cases[] = {
	    {"lks1_", 105, 105},   {"lks1_", 106, 106},	  {"lks1_", 8192, 106},	 {"", 8192, 106},
	    {"Lka1_", 8192, 106},  {"lka1_", 3072, 3072}, {"lka1_", 3073, 3073}, {"lka1_", 8192, 3073},
	    {"lkz9_", 8192, 3073}, {"l", 1, 1},		  {"lk", 2, 2},
	};
	enum { CASES = sizeof(cases) / sizeof(cases[0]), MANY = 64 };
	static char text[CASES][8192];
	struct lk_session_get_many_request request = LK_SESSION_GET_MANY_REQUEST_INIT;
	struct lk_bytes tokens[MANY];
	Latchkey__V1__GetManySessionsRequest *m;
	lk_sessions *sessions = NULL;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < MANY; i++) {
		const size_t c = i < CASES ? i : 3;

		memcpy(text[c], cases[c].begin, strlen(cases[c].begin));
		tokens[i] = lk_bytes_of(text[c], cases[c].bytes);
	}
	request.tokens = tokens;
	request.token_count = MANY;
	assert_int_equal(lk_session_get_many(client, &request, &sessions, NULL), LK_E_UNIMPLEMENTED);
	m = unpack_seen(&latchkey__v1__get_many_sessions_request__descriptor, "/latchkey.v1.Sessions/GetMany", false);
	assert_int_equal(m->n_tokens, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(m->tokens[i].len, cases[i < CASES ? i : 3].sent);
		assert_memory_equal(m->tokens[i].data, tokens[i].data, m->tokens[i].len);
	}
	done_with(m);
}

static void realms_users_and_servers_are_asked_for(void **state)
{
	struct lk_session_revoke_realm_request realm = LK_SESSION_REVOKE_REALM_REQUEST_INIT;
	struct lk_session_verify_request verify = LK_SESSION_VERIFY_REQUEST_INIT;
	struct lk_server_policy_request policy = LK_SERVER_POLICY_REQUEST_INIT;
	struct lk_verification verification = LK_VERIFICATION_INIT;
	Latchkey__V1__RevokeRealmRequest *realm_message;
	Latchkey__V1__VerifySessionsRequest *verify_message;
	Latchkey__V1__ServerPolicyRequest *policy_message;
	const struct lk_bytes token = lk_text("lks1_x");
	uint64_t not_before_ms = 7;
	lk_policy *ret_policy = NULL;
	lk_keys *keys = NULL;

	(void)state;
	realm.not_before_ms = 1700000000000;
	assert_int_equal(lk_session_revoke_realm(client, &realm, &not_before_ms, NULL), LK_E_UNIMPLEMENTED);
	assert_int_equal(not_before_ms, 7);
	realm_message =
	    unpack_seen(&latchkey__v1__revoke_realm_request__descriptor, "/latchkey.v1.Sessions/RevokeRealm", true);
	assert_bytes(realm_message->realm, "shop");
	assert_int_equal(realm_message->not_before_ms, 1700000000000);
	done_with(realm_message);
	verify.user = lk_text("ann");
	verify.tokens = &token;
	verify.token_count = 1;
	assert_int_equal(lk_session_verify(client, &verify, &verification, NULL), LK_E_UNIMPLEMENTED);
	verify_message =
	    unpack_seen(&latchkey__v1__verify_sessions_request__descriptor, "/latchkey.v1.Sessions/Verify", false);
	assert_bytes(verify_message->user, "ann");
	assert_int_equal(verify_message->n_tokens, 1);
	done_with(verify_message);
	policy.session_class = "sudo";
	assert_int_equal(lk_server_policy(client, &policy, &ret_policy, NULL), LK_E_UNIMPLEMENTED);
	policy_message =
	    unpack_seen(&latchkey__v1__server_policy_request__descriptor, "/latchkey.v1.Server/Policy", false);
	assert_bytes(policy_message->realm, "shop");
	assert_bytes(policy_message->session_class, "sudo");
	done_with(policy_message);
	assert_int_equal(lk_server_policy(client, NULL, &ret_policy, NULL), LK_E_UNIMPLEMENTED);
	assert_int_equal(lk_server_keys(client, NULL, &keys, NULL), LK_E_UNIMPLEMENTED);
	assert_string_equal(seen.method, "/latchkey.v1.Server/Keys");
	assert_null(keys);
}

static void a_verification_may_be_of_a_newer_program(void **state)
{
	struct {
		struct lk_verification known;
		uint64_t newer;
	} verification = {.known.struct_size = sizeof(verification), .newer = 5};
	Latchkey__V1__VerifySessionsResponse response = LATCHKEY__V1__VERIFY_SESSIONS_RESPONSE__INIT;
	struct lk_session_verify_request verify = LK_SESSION_VERIFY_REQUEST_INIT;

	(void)state;
	response.has_missing = true;
	response.missing = 2;
	seen.answer = &response.base;
	assert_int_equal(lk_session_verify(client, &verify, &verification.known, NULL), LK_OK);
	assert_int_equal(verification.known.struct_size, sizeof(verification));
	assert_int_equal(verification.known.missing, 2);
	assert_int_equal(verification.newer, 5);
}

/* An anonymous session lives in its token: who does not take the new one has changed nothing, and is told. */
static void an_anonymous_update_needs_room_for_its_token(void **state)
{
	Latchkey__V1__UpdateSessionResponse response = LATCHKEY__V1__UPDATE_SESSION_RESPONSE__INIT;
	struct lk_session_update_request request = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session = NULL;
	uint64_t version = 7;

	(void)state;
	response.has_verdict = response.has_token = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.token = (ProtobufCBinaryData){9, (uint8_t *)(uintptr_t) "lka1_next"};
	seen.answer = &response.base;
	request.token = lk_text("lka1_x");
	assert_int_equal(lk_session_update(client, &request, &version, NULL, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "ret_session"));
	assert_int_equal(version, 7);
	request.ret_session = &session;
	assert_int_equal(lk_session_update(client, &request, NULL, NULL, NULL), LK_OK);
	assert_string_equal(lk_session_token(session), "lka1_next");
	lk_session_free(&session);
	response.has_token = false;
	session = (lk_session *)&request;
	assert_int_equal(lk_session_update(client, &request, NULL, NULL, NULL), LK_OK);
	assert_null(session);
}

/* Taken once; not taken, it goes with the call or with its next start. */
static void a_result_is_taken_once(void **state)
{
	Latchkey__V1__ServerRedisResponse response = LATCHKEY__V1__SERVER_REDIS_RESPONSE__INIT;
	Latchkey__V1__RedisNode node = LATCHKEY__V1__REDIS_NODE__INIT;
	Latchkey__V1__RedisNode *nodes[] = {&node, &node};
	lk_redis_status *status;
	lk_call *call;

	(void)state;
	response.n_nodes = 2;
	response.nodes = nodes;
	seen.answer = &response.base;
	assert_int_equal(lk_call_new(client, NULL, NULL, &call), LK_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(lk_server_redis_async(call, NULL), LK_OK);
		assert_int_equal(lk_call_wait(call), LK_OK);
	}
	status = lk_call_take_redis_status(call);
	assert_int_equal(lk_redis_status_node_count(status), 2);
	assert_null(lk_call_take_redis_status(call));
	assert_int_equal(lk_server_redis_async(call, NULL), LK_OK);
	assert_int_equal(lk_call_wait(call), LK_OK);
	lk_call_free(&call);
	lk_redis_status_free(&status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SEEN_TEST(rotate_says_what_it_is_told),
	    SEEN_TEST(create_may_be_anonymous_or_promote),
	    SEEN_TEST(get_demands_what_it_is_told),
	    SEEN_TEST(structs_of_older_programs_are_taken),
	    SEEN_TEST(get_many_asks_in_order),
	    SEEN_TEST(long_tokens_leave_room_for_the_others),
	    SEEN_TEST(realms_users_and_servers_are_asked_for),
	    SEEN_TEST(a_verification_may_be_of_a_newer_program),
	    SEEN_TEST(an_anonymous_update_needs_room_for_its_token),
	    SEEN_TEST(a_result_is_taken_once),
	};

	return cmocka_run_group_tests(tests, open_seen, close_seen);
}
