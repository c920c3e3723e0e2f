/* Calls against one scripted server: answers late, twice, never, wrong; retries; cancellation; misuse. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_util.h"

#define UNAVAILABLE LATCHKEY__V1__CODE__UNAVAILABLE

static void calls_are_answered(void **state)
{
	struct fake_server server;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", fake_serving, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	for (int i = 0; i < 100; i++)
		assert_int_equal(health(client, 0, &error), LK_OK);
	assert_int_equal(error.code, LK_OK);
	assert_string_equal(error.message, "");
	assert_int_equal(error.attempts, 1);
	lk_client_close(&client);
	assert_null(client);
	assert_int_equal(fake_call_count(&server), 100);
	assert_int_equal(server.accepted, 1);
	fake_stop(&server);
}

struct own_get {
	lk_call *call;
	struct tally *tally;
	char token[16];
	bool mine;
};

static void check_own(lk_call *call, enum lk_err err, void *arg)
{
	struct own_get *own = arg;
	lk_session *session = lk_call_take_session(call);

	own->mine =
	    err == LK_OK && lk_call_verdict(call) == LK_VALID && strcmp(lk_session_user(session).data, own->token) == 0;
	lk_session_free(&session);
	tally_add(own->tally, err);
}

/* Each of 1,000 calls in flight at once gets the answer to its own question. */
static void many_calls_share_a_connection(void **state)
{
	enum { CALLS = 1000 };
	struct own_get *owns = calloc(CALLS, sizeof(*owns));
	struct fake_server server;
	struct tally tally;
	lk_client *client;

	(void)state;
	tally_init(&tally);
	fake_start(&server, "tcp://127.0.0.1:0", fake_valid, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	for (unsigned i = 0; i < CALLS; i++) {
		struct lk_session_get_request get = LK_SESSION_GET_REQUEST_INIT;

		owns[i].tally = &tally;
		(void)snprintf(owns[i].token, sizeof(owns[i].token), "token-%u", i);
		get.token = lk_text(owns[i].token);
		assert_int_equal(lk_call_new(client, check_own, &owns[i], &owns[i].call), LK_OK);
		assert_int_equal(lk_session_get_async(owns[i].call, &get), LK_OK);
	}
	tally_wait(&tally, CALLS);
	for (unsigned i = 0; i < CALLS; i++) {
		assert_true(owns[i].mine);
		lk_call_free(&owns[i].call);
	}
	assert_int_equal(server.accepted, 1);
	lk_client_close(&client);
	fake_stop(&server);
	tally_clear(&tally);
	free(owns);
}

/* ---- What Redis cannot write, or does not know yet ---- */

static void pending_revocation(const struct fake_call *call)
{
	Latchkey__V1__RevokeSessionResponse revoked = LATCHKEY__V1__REVOKE_SESSION_RESPONSE__INIT;

	revoked.has_was_alive = revoked.was_alive = true;
	revoked.has_pending = true;
	revoked.pending = call->nth == 1;
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__OK, NULL, &revoked.base, 0);
}

static void a_revocation_may_be_pending(void **state)
{
	struct lk_session_revoke_request revoke = LK_SESSION_REVOKE_REQUEST_INIT;
	struct fake_server server;
	bool pending = false;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", pending_revocation, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	revoke.token = lk_text("t");
	revoke.ret_pending = &pending;
	assert_int_equal(lk_session_revoke(client, &revoke, NULL, NULL), LK_OK);
	assert_true(pending);
	assert_int_equal(lk_session_revoke(client, &revoke, NULL, NULL), LK_OK);
	assert_false(pending);
	lk_client_close(&client);
	fake_stop(&server);
}

static void unknown_session(const struct fake_call *call)
{
	Latchkey__V1__GetSessionResponse response = LATCHKEY__V1__GET_SESSION_RESPONSE__INIT;

	response.has_verdict = response.has_reason = true;
	response.verdict = LATCHKEY__V1__VERDICT__UNKNOWN;
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__OK, NULL, &response.base, 0);
}

/* Neither dead nor damaged. */
static void unknown_without_a_reason_is_unavailable(void **state)
{
	struct lk_session_get_request get = LK_SESSION_GET_REQUEST_INIT;
	struct fake_server server;
	enum lk_verdict verdict = LK_VALID;
	lk_session *session = NULL;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", unknown_session, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	get.token = lk_text("t");
	assert_int_equal(lk_session_get(client, &get, &verdict, &session, NULL), LK_E_UNAVAILABLE);
	assert_int_equal(verdict, LK_UNKNOWN);
	assert_null(session);
	lk_client_close(&client);
	fake_stop(&server);
}

/* ---- Retries ---- */

static void unavailable_then_ok(const struct fake_call *call)
{
	Latchkey__V1__RevokeSessionResponse revoked = LATCHKEY__V1__REVOKE_SESSION_RESPONSE__INIT;

	revoked.has_was_alive = true;
	revoked.was_alive = true;
	if (call->nth == 1)
		fake_reply(call->channel, call->route, UNAVAILABLE, "redis is away", NULL, 150);
	else
		fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__OK, NULL, &revoked.base, 0);
}

static void a_retry_keeps_its_key_and_waits_as_told(void **state)
{
	struct lk_session_revoke_request revoke = LK_SESSION_REVOKE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	bool was_alive = false;
	lk_client *client;
	uint64_t began;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", unavailable_then_ok, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	revoke.token = lk_text("t");
	began = now_ms();
	assert_int_equal(lk_session_revoke(client, &revoke, &was_alive, &error), LK_OK);
	assert_true(was_alive);
	assert_int_equal(error.attempts, 2);
	assert_true(now_ms() - began >= 150);
	assert_int_equal(server.seen[0].key_bytes, 16);
	assert_int_equal(server.seen[1].key_bytes, 16);
	assert_memory_equal(server.seen[0].key, server.seen[1].key, 16);
	/* The second attempt asks for what is left of the time, not for all of it again. */
	assert_int_equal(server.seen[0].timeout_ms, LONG_MS);
	assert_true(server.seen[1].timeout_ms <= LONG_MS - 150);

	/* Another call, another key; a key that is given is taken. */
	assert_int_equal(lk_session_revoke(client, &revoke, NULL, NULL), LK_OK);
	assert_memory_not_equal(server.seen[1].key, server.seen[2].key, 16);
	revoke.idempotency_key = lk_text("mine");
	assert_int_equal(lk_session_revoke(client, &revoke, NULL, NULL), LK_OK);
	assert_int_equal(server.seen[3].key_bytes, 4);
	assert_memory_equal(server.seen[3].key, "mine", 4);
	lk_client_close(&client);
	fake_stop(&server);
}

static void always_unavailable(const struct fake_call *call)
{
	fake_reply(call->channel, call->route, UNAVAILABLE, "redis is away", NULL,
		   call->server->arg != NULL ? 5000 : 0);
}

static void attempts_have_an_end(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", always_unavailable, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(health(client, 0, &error), LK_E_UNAVAILABLE);
	assert_string_equal(error.message, "redis is away");
	assert_int_equal(error.attempts, 3);
	assert_int_equal(fake_call_count(&server), 3);
	lk_client_close(&client);
	fake_stop(&server);
}

static void no_retry_beyond_the_deadline(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	lk_client *client;
	uint64_t began;

	(void)state;
	/* With an arg: retry-after is 5 s. */
	fake_start(&server, "tcp://127.0.0.1:0", always_unavailable, &error);
	client = open_to(NULL, fake_url(&server), NULL);
	began = now_ms();
	assert_int_equal(health(client, 4000, &error), LK_E_UNAVAILABLE);
	assert_true(now_ms() - began < 4000);
	assert_int_equal(error.attempts, 1);
	assert_int_equal(error.retry_after_ms, 5000);
	lk_client_close(&client);
	fake_stop(&server);
}

/* 1,000 calls to a server that is down for all: not 3,000 requests, but some 1,000 and the budget. */
static void the_budget_bounds_a_storm(void **state)
{
	struct fake_server server;
	lk_client *client;
	uint64_t began = now_ms();
	unsigned sent;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", always_unavailable, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(health(client, 0, NULL), LK_E_UNAVAILABLE);
	sent = fake_call_count(&server);
	/* 10 to begin with, 10 % of the calls, one a second. */
	assert_in_range(sent, 1000 + 100, 1000 + 10 + 100 + 1 + (now_ms() - began) / 1000);
	lk_client_close(&client);
	fake_stop(&server);
}

static void refuse(const struct fake_call *call)
{
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED, "too many", NULL, 70);
}

static void other_refusals_are_not_repeated(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", refuse, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(health(client, 0, &error), LK_E_LIMIT);
	assert_int_equal(error.retry_after_ms, 70);
	assert_string_equal(error.message, "too many");
	assert_int_equal(fake_call_count(&server), 1);
	lk_client_close(&client);
	fake_stop(&server);
}

/* ---- Late, twice, never, wrong ---- */

/* Holds the call named in `arg`, answers the others. */
static void hold_some(const struct fake_call *call)
{
	Latchkey__V1__GetSessionRequest *request =
	    latchkey__v1__get_session_request__unpack(NULL, call->call->body.len, call->call->body.data);
	bool hold = request != NULL && request->token.len == 4 && memcmp(request->token.data, "hold", 4) == 0;

	latchkey__v1__get_session_request__free_unpacked(request, NULL);
	if (hold)
		fake_hold(call);
	else
		fake_valid(call);
}

static enum lk_err get(lk_client *client, const char *token, uint32_t timeout_ms, enum lk_verdict *verdict,
		       char user[static 32])
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	lk_session *session = NULL;
	enum lk_err err;

	request.token = lk_text(token);
	request.timeout_ms = timeout_ms;
	err = lk_session_get(client, &request, verdict, &session, NULL);
	(void)snprintf(user, 32, "%s", session != NULL ? lk_session_user(session).data : "");
	lk_session_free(&session);
	return err;
}

static void a_late_answer_reaches_nobody(void **state)
{
	Latchkey__V1__GetSessionResponse late = LATCHKEY__V1__GET_SESSION_RESPONSE__INIT;
	Latchkey__V1__SessionInfo stranger = LATCHKEY__V1__SESSION_INFO__INIT;
	struct lk_options options = LK_OPTIONS_INIT;
	enum lk_verdict verdict = LK_VALID;
	struct fake_server server;
	lk_client *client;
	uint8_t name[] = {'s', 't', 'r', 'a', 'n', 'g', 'e', 'r'};
	char user[32];

	(void)state;
	late.has_verdict = true;
	late.verdict = LATCHKEY__V1__VERDICT__VALID;
	late.info = &stranger;
	stranger.has_user = true;
	stranger.user = (ProtobufCBinaryData){sizeof(name), name};
	fake_start(&server, "tcp://127.0.0.1:0", hold_some, NULL);
	/* One slot: the late answer's id and the next call's share it. */
	options.in_flight_max = 1;
	client = open_to(&options, fake_url(&server), NULL);
	/* The short timeout must not have to cover connecting. */
	assert_int_equal(get(client, "ann", 0, &verdict, user), LK_OK);
	assert_int_equal(get(client, "hold", 50, &verdict, user), LK_E_TIMED_OUT);
	assert_int_equal(verdict, LK_UNKNOWN);
	for (int i = 0; i < 20; i++) {
		fake_answer_held(&server, 0, LATCHKEY__V1__CODE__OK, &late.base);
		assert_int_equal(get(client, "ann", 0, &verdict, user), LK_OK);
		assert_int_equal(verdict, LK_VALID);
		assert_string_equal(user, "ann");
	}
	lk_client_close(&client);
	fake_stop(&server);
}

static void answer_twice(const struct fake_call *call)
{
	fake_valid(call);
	fake_valid(call);
}

static void a_second_answer_reaches_nobody(void **state)
{
	struct lk_options options = LK_OPTIONS_INIT;
	enum lk_verdict verdict;
	struct fake_server server;
	lk_client *client;
	char user[32], token[32];

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", answer_twice, NULL);
	options.in_flight_max = 1;
	client = open_to(&options, fake_url(&server), NULL);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(token, sizeof(token), "user-%d", i);
		assert_int_equal(get(client, token, 0, &verdict, user), LK_OK);
		assert_string_equal(user, token);
	}
	lk_client_close(&client);
	fake_stop(&server);
}

static void never(const struct fake_call *call)
{
	(void)call;
}

static void no_answer_is_a_timeout_and_unknown(void **state)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	enum lk_verdict verdict = LK_VALID;
	struct fake_server server;
	lk_client *client;
	uint64_t began, took;
	char user[32];

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", hold_some, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(get(client, "ann", 0, &verdict, user), LK_OK);
	request.token = lk_text("hold");
	request.timeout_ms = 200;
	began = now_ms();
	assert_int_equal(lk_session_get(client, &request, &verdict, NULL, &error), LK_E_TIMED_OUT);
	took = now_ms() - began;
	assert_int_equal(verdict, LK_UNKNOWN);
	assert_true(took >= 200 && took < 5000);
	assert_non_null(strstr(error.message, "200 ms"));
	fake_release_held(&server);
	lk_client_close(&client);
	fake_stop(&server);
}

static void garbage(const struct fake_call *call)
{
	static const uint8_t junk[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x01};

	fake_reply_raw(call->channel, call->route, junk, call->nth % 2 == 0 ? sizeof(junk) : 0);
}

static void garbage_is_no_answer(void **state)
{
	enum lk_verdict verdict;
	struct fake_server server;
	lk_client *client;
	char user[32];

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", garbage, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	for (int i = 0; i < 4; i++) {
		verdict = LK_VALID;
		assert_int_equal(get(client, "t", 0, &verdict, user), LK_E_PROTOCOL);
		assert_int_equal(verdict, LK_UNKNOWN);
	}
	lk_client_close(&client);
	fake_stop(&server);
}

static void say_invalid(const struct fake_call *call)
{
	Latchkey__V1__GetSessionResponse response = LATCHKEY__V1__GET_SESSION_RESPONSE__INIT;

	response.has_verdict = true;
	response.verdict = LATCHKEY__V1__VERDICT__INVALID;
	response.has_reason = true;
	response.reason = LATCHKEY__V1__REASON__EVICTED;
	response.has_revoked_at_ms = true;
	response.revoked_at_ms = 77;
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__OK, NULL, &response.base, 0);
}

static void invalid_comes_with_its_reason(void **state)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	enum lk_verdict verdict = LK_UNKNOWN;
	lk_session *session = NULL;
	struct fake_server server;
	lk_client *client;
	static char huge[100000];

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", say_invalid, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	/* However much a browser sends: it is judged, not refused. */
	request.token = lk_bytes_of(huge, sizeof(huge));
	assert_int_equal(lk_session_get(client, &request, &verdict, &session, NULL), LK_OK);
	assert_int_equal(verdict, LK_INVALID);
	assert_int_equal(lk_session_reason(session), LK_REASON_EVICTED);
	assert_int_equal(lk_session_revoked_at_ms(session), 77);
	lk_session_free(&session);
	lk_client_close(&client);
	fake_stop(&server);
}

/* ---- Limits, cancellation, misuse ---- */

static void calls_beyond_the_limit_are_refused(void **state)
{
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	struct tally tally;
	lk_client *client;
	lk_call *calls[5];

	(void)state;
	tally_init(&tally);
	fake_start(&server, "tcp://127.0.0.1:0", fake_hold, NULL);
	options.in_flight_max = 4;
	client = open_to(&options, fake_url(&server), NULL);
	for (int i = 0; i < 5; i++)
		assert_int_equal(lk_call_new(client, tally_callback, &tally, &calls[i]), LK_OK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(lk_health_async(calls[i], NULL), LK_OK);
	assert_int_equal(lk_health_async(calls[4], NULL), LK_E_LIMIT);
	lk_call_detail(calls[4], &error);
	assert_non_null(strstr(error.message, "in_flight_max"));
	assert_int_equal(lk_health_async(calls[0], NULL), LK_E_MISUSE);
	fake_wait_calls(&server, 4);
	lk_call_cancel(calls[0]);
	assert_int_equal(lk_call_wait(calls[0]), LK_E_CANCELED);
	assert_int_equal(lk_health_async(calls[4], NULL), LK_OK);
	lk_client_close(&client);
	assert_int_equal(tally.ended, 5);
	assert_int_equal(tally.by_err[LK_E_CANCELED], 5);
	for (int i = 0; i < 5; i++)
		lk_call_free(&calls[i]);
	fake_stop(&server);
	tally_clear(&tally);
}

static void requests_too_large_are_refused_here(void **state)
{
	struct lk_session_update_request update = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_session_create_request create = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_attribute attributes[65];
	struct lk_error error = LK_ERROR_INIT;
	static char value[16384];
	lk_session *session = NULL;
	struct fake_server server;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", never, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	for (size_t i = 0; i < 65; i++)
		attributes[i] = (struct lk_attribute){lk_text("k"), lk_bytes_of(value, sizeof(value))};
	update.token = lk_text("t");
	update.set = attributes;
	update.set_count = 65;
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "65 attributes"));
	update.set_count = 4;
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "at most 65536"));
	create.user = lk_text("ann");
	create.timeout_ms = LK_TIMEOUT_MS_MAX + 1;
	assert_int_equal(lk_session_create(client, &create, &session, &error), LK_E_INVALID_ARGUMENT);
	assert_null(session);
	create.timeout_ms = 0;
	create.struct_size = 0;
	assert_int_equal(lk_session_create(client, &create, &session, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "lk_session_create_request"));
	lk_client_close(&client);
	assert_int_equal(fake_call_count(&server), 0);
	fake_stop(&server);
}

struct chain {
	struct tally tally;
	lk_client *client;
	unsigned left;
	enum lk_err sync_err;
	enum lk_err wait_err;
};

static void start_again(lk_call *call, enum lk_err err, void *arg)
{
	struct chain *chain = arg;

	chain->sync_err = health(chain->client, 100, NULL);
	chain->wait_err = lk_call_wait(call);
	if (chain->left > 0) {
		chain->left--;
		if (lk_health_async(call, NULL) != LK_OK)
			abort();
	} else {
		lk_call_free(&call);
	}
	tally_add(&chain->tally, err);
}

/* The callback starts the call again and again, is refused to block, and frees it in the end. */
static void callbacks_may_start_and_free_but_not_block(void **state)
{
	struct chain chain = {.left = 99};
	struct fake_server server;
	lk_call *call;

	(void)state;
	tally_init(&chain.tally);
	fake_start(&server, "tcp://127.0.0.1:0", fake_serving, NULL);
	chain.client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(lk_call_new(chain.client, start_again, &chain, &call), LK_OK);
	assert_int_equal(lk_health_async(call, NULL), LK_OK);
	tally_wait(&chain.tally, 100);
	assert_int_equal(chain.tally.by_err[LK_OK], 100);
	lk_client_close(&chain.client);
	assert_int_equal(chain.sync_err, LK_E_MISUSE);
	assert_int_equal(chain.wait_err, LK_E_MISUSE);
	fake_stop(&server);
	tally_clear(&chain.tally);
}

static void freeing_a_call_in_flight_ends_it(void **state)
{
	struct fake_server server;
	struct tally tally;
	lk_client *client;
	lk_call *call;

	(void)state;
	tally_init(&tally);
	fake_start(&server, "tcp://127.0.0.1:0", never, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(lk_call_new(client, tally_callback, &tally, &call), LK_OK);
	assert_int_equal(lk_call_wait(call), LK_OK);
	assert_int_equal(lk_health_async(call, NULL), LK_OK);
	lk_call_free(&call);
	assert_null(call);
	assert_int_equal(tally.ended, 1);
	assert_int_equal(tally.by_err[LK_E_CANCELED], 1);
	lk_call_free(&call);
	lk_client_close(&client);
	fake_stop(&server);
	tally_clear(&tally);
}

static void a_call_outlives_its_client(void **state)
{
	struct fake_server server;
	lk_client *client;
	lk_call *call;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", fake_serving, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(lk_call_new(client, NULL, NULL, &call), LK_OK);
	assert_int_equal(lk_health_async(call, NULL), LK_OK);
	assert_int_equal(lk_call_wait(call), LK_OK);
	assert_int_equal(lk_call_serving(call), LK_SERVING);
	lk_client_close(&client);
	assert_int_equal(lk_health_async(call, NULL), LK_E_CANCELED);
	lk_call_free(&call);
	fake_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_are_answered),
	    cmocka_unit_test(many_calls_share_a_connection),
	    cmocka_unit_test(a_revocation_may_be_pending),
	    cmocka_unit_test(unknown_without_a_reason_is_unavailable),
	    cmocka_unit_test(a_retry_keeps_its_key_and_waits_as_told),
	    cmocka_unit_test(attempts_have_an_end),
	    cmocka_unit_test(no_retry_beyond_the_deadline),
	    cmocka_unit_test(the_budget_bounds_a_storm),
	    cmocka_unit_test(other_refusals_are_not_repeated),
	    cmocka_unit_test(a_late_answer_reaches_nobody),
	    cmocka_unit_test(a_second_answer_reaches_nobody),
	    cmocka_unit_test(no_answer_is_a_timeout_and_unknown),
	    cmocka_unit_test(garbage_is_no_answer),
	    cmocka_unit_test(invalid_comes_with_its_reason),
	    cmocka_unit_test(calls_beyond_the_limit_are_refused),
	    cmocka_unit_test(requests_too_large_are_refused_here),
	    cmocka_unit_test(callbacks_may_start_and_free_but_not_block),
	    cmocka_unit_test(freeing_a_call_in_flight_ends_it),
	    cmocka_unit_test(a_call_outlives_its_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
