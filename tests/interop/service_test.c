/* Stock REQ sockets as callers of the service: what a program without our library does. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interop/calls.h"
#include "interop/proxy.h"
#include "support/latchkeyd.h"
#include "support/wait.h"

#define OK		 LATCHKEY__V1__CODE__OK
#define CALLS_OF_A_FRAME 64
/* The contract's limit. */
#define FRAME_BYTES_MAX 65536

static struct tmpdir folder; /* of the unix socket */
static struct latchkeyd over_tcp;
static struct latchkeyd over_ipc;

static int start(void **state)
{
	static char url[TMPDIR_URL_BYTES];

	(void)state;
	tmpdir_make(&folder);
	tmpdir_url(&folder, "latchkey.sock", url);
	latchkeyd_init(&over_tcp, NULL);
	latchkeyd_init(&over_ipc, &(struct latchkeyd_options){.listen_url = url});
	latchkeyd_start_serving(&over_tcp);
	latchkeyd_start_serving(&over_ipc);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	latchkeyd_stop(&over_tcp);
	latchkeyd_stop(&over_ipc);
	latchkeyd_remove(&over_tcp);
	latchkeyd_remove(&over_ipc);
	tmpdir_remove(&folder);
	return 0;
}

static nng_ctx context_of(nng_socket socket)
{
	nng_ctx ctx;

	assert_int_equal(nng_ctx_open(&ctx, socket), 0);
	return ctx;
}

static void check_health(const struct latchkeyd *service)
{
	nng_socket socket = stock_req(service->url, NULL);
	nng_ctx ctx = context_of(socket);
	Latchkey__V1__ServingStatus status;

	assert_int_equal(health_over(ctx, &status), OK);
	assert_int_equal(status, LATCHKEY__V1__SERVING_STATUS__SERVING);
	stock_close(socket);
}

static void test_health(void **state)
{
	(void)state;
	check_health(&over_tcp);
	check_health(&over_ipc);
}

static void check_contexts(const struct latchkeyd *service)
{
	nng_socket socket = stock_req(service->url, NULL);
	unsigned lives = 200 / CALLS_OF_A_LIFE;

	stock_in_parallel(socket, 16, work_session_lives, &lives);
	stock_close(socket);
}

static void test_contexts(void **state)
{
	(void)state;
	check_contexts(&over_tcp);
	check_contexts(&over_ipc);
}

/* ---- Full frames: each call has its own answer, in the calls' order. ---- */

struct round {
	char users[CALLS_OF_A_FRAME][16];
	char tokens[CALLS_OF_A_FRAME][TOKEN_BYTES];
};

static Latchkey__V1__ReplyFrame *exchange_full(nng_ctx ctx, const struct raw_call *calls)
{
	Latchkey__V1__ReplyFrame *frame = NULL;

	assert_int_equal(frame_exchange(ctx, calls, CALLS_OF_A_FRAME, &frame), 0);
	assert_int_equal(frame->code, OK);
	assert_int_equal(frame->n_replies, CALLS_OF_A_FRAME);
	for (size_t i = 0; i < CALLS_OF_A_FRAME; i++)
		assert_int_equal(frame->replies[i]->code, OK);
	return frame;
}

static void create_all(nng_ctx ctx, struct round *round)
{
	Latchkey__V1__CreateSessionRequest requests[CALLS_OF_A_FRAME];
	struct raw_call calls[CALLS_OF_A_FRAME];
	Latchkey__V1__ReplyFrame *frame;

	for (size_t i = 0; i < CALLS_OF_A_FRAME; i++) {
		snprintf(round->users[i], sizeof(round->users[i]), "frame-%zu", i);
		latchkey__v1__create_session_request__init(&requests[i]);
		requests[i].has_user = true;
		requests[i].user = raw_text(round->users[i]);
		calls[i] = (struct raw_call){.method = "/latchkey.v1.Sessions/Create", .request = &requests[i].base};
	}
	frame = exchange_full(ctx, calls);
	for (size_t i = 0; i < CALLS_OF_A_FRAME; i++)
		token_of(frame->replies[i], round->tokens[i]);
	raw_free(frame);
}

static void expect_all(nng_ctx ctx, const struct round *round, Latchkey__V1__Verdict verdict)
{
	Latchkey__V1__GetSessionRequest requests[CALLS_OF_A_FRAME];
	struct raw_call calls[CALLS_OF_A_FRAME];
	Latchkey__V1__ReplyFrame *frame;
	struct verdict seen;

	for (size_t i = 0; i < CALLS_OF_A_FRAME; i++) {
		latchkey__v1__get_session_request__init(&requests[i]);
		requests[i].has_token = true;
		requests[i].token = raw_text(round->tokens[i]);
		calls[i] = (struct raw_call){.method = "/latchkey.v1.Sessions/Get", .request = &requests[i].base};
	}
	frame = exchange_full(ctx, calls);
	for (size_t i = 0; i < CALLS_OF_A_FRAME; i++) {
		verdict_of(frame->replies[i], &seen);
		assert_int_equal(seen.verdict, verdict);
		if (verdict == LATCHKEY__V1__VERDICT__VALID)
			assert_string_equal(seen.user, round->users[i]);
	}
	raw_free(frame);
}

static void revoke_all(nng_ctx ctx, const struct round *round)
{
	Latchkey__V1__RevokeSessionRequest requests[CALLS_OF_A_FRAME];
	struct raw_call calls[CALLS_OF_A_FRAME];

	for (size_t i = 0; i < CALLS_OF_A_FRAME; i++) {
		latchkey__v1__revoke_session_request__init(&requests[i]);
		requests[i].has_token = true;
		requests[i].token = raw_text(round->tokens[i]);
		calls[i] = (struct raw_call){.method = "/latchkey.v1.Sessions/Revoke", .request = &requests[i].base};
	}
	raw_free(exchange_full(ctx, calls));
}

static void check_full_frames(const struct latchkeyd *service)
{
	nng_socket socket = stock_req(service->url, NULL);
	nng_ctx ctx = context_of(socket);
	static struct round round;

	create_all(ctx, &round);
	expect_all(ctx, &round, LATCHKEY__V1__VERDICT__VALID);
	revoke_all(ctx, &round);
	expect_all(ctx, &round, LATCHKEY__V1__VERDICT__INVALID);
	stock_close(socket);
}

static void test_full_frames(void **state)
{
	(void)state;
	check_full_frames(&over_tcp);
	check_full_frames(&over_ipc);
}

/* ---- A stock socket repeats by itself what it has had no answer to. ---- */

/* The token in the reply that the relay has kept, which is one whole SP message. */
static void token_lost(const struct proxy *p, char ret_token[static TOKEN_BYTES])
{
	const size_t head = 8 + 4;
	Latchkey__V1__ReplyFrame *frame;

	assert_true(p->lost_len > head);
	frame = latchkey__v1__reply_frame__unpack(NULL, p->lost_len - head, p->lost + head);
	assert_non_null(frame);
	assert_int_equal(frame->n_replies, 1);
	assert_int_equal(frame->replies[0]->code, OK);
	token_of(frame->replies[0], ret_token);
	raw_free(frame);
}

static void test_resent_after_a_lost_reply(void **state)
{
	static struct proxy proxy;
	char first[TOKEN_BYTES];
	char token[TOKEN_BYTES];
	nng_socket socket;
	size_t sessions;
	nng_ctx ctx;

	(void)state;
	proxy_open(&proxy, over_tcp.url);
	atomic_store(&proxy.to_lose, 2);
	socket = stock_req(proxy.url, NULL);
	ctx = context_of(socket);
	assert_int_equal(create_over(ctx, "resent", "an-idempotency-key", token), OK);
	assert_int_equal(atomic_load(&proxy.to_lose), 0);
	assert_int_equal(atomic_load(&proxy.connections), 3);
	token_lost(&proxy, first);
	assert_string_equal(token, first);
	assert_int_equal(count_over(ctx, "resent", &sessions), OK);
	assert_int_equal(sessions, 1);
	stock_close(socket);
	proxy_close(&proxy);
}

/* Without a key it is another session each time: the reason for the key. */
static void test_resent_without_a_key(void **state)
{
	static struct proxy proxy;
	char first[TOKEN_BYTES];
	char token[TOKEN_BYTES];
	nng_socket socket;
	size_t sessions;
	nng_ctx ctx;

	(void)state;
	proxy_open(&proxy, over_tcp.url);
	atomic_store(&proxy.to_lose, 1);
	socket = stock_req(proxy.url, NULL);
	ctx = context_of(socket);
	assert_int_equal(create_over(ctx, "twice", NULL, token), OK);
	token_lost(&proxy, first);
	assert_string_not_equal(token, first);
	assert_int_equal(count_over(ctx, "twice", &sessions), OK);
	assert_int_equal(sessions, 2);
	stock_close(socket);
	proxy_close(&proxy);
}

/* A socket stays connected to an address, not to a process. */
static void check_restart(struct latchkeyd *service)
{
	nng_socket socket = stock_req(service->url, NULL);
	nng_ctx ctx = context_of(socket);
	char token[TOKEN_BYTES];
	struct verdict seen;

	assert_int_equal(create_over(ctx, "restart", NULL, token), OK);
	latchkeyd_stop(service);
	latchkeyd_start_serving(service);
	assert_int_equal(get_over(ctx, token, &seen), OK);
	assert_int_equal(seen.verdict, LATCHKEY__V1__VERDICT__VALID);
	stock_close(socket);
}

static void test_service_restarts(void **state)
{
	(void)state;
	check_restart(&over_tcp);
	check_restart(&over_ipc);
}

/* ---- Frames that are refused are answered too. ---- */

static void expect_refused(nng_ctx ctx, size_t frame_bytes, Latchkey__V1__Code code)
{
	uint8_t *garbage = malloc(frame_bytes);
	Latchkey__V1__ReplyFrame *frame;
	nng_msg *answer = NULL;

	assert_non_null(garbage);
	memset(garbage, 0xFF, frame_bytes);
	assert_int_equal(stock_exchange(ctx, garbage, frame_bytes, &answer), 0);
	frame = latchkey__v1__reply_frame__unpack(NULL, nng_msg_len(answer), nng_msg_body(answer));
	assert_non_null(frame);
	assert_int_equal(frame->code, code);
	assert_int_equal(frame->n_replies, 0);
	raw_free(frame);
	nng_msg_free(answer);
	free(garbage);
}

static void check_refusals(const struct latchkeyd *service)
{
	static const size_t too_large[] = {FRAME_BYTES_MAX + 1, 2 * FRAME_BYTES_MAX, 4U << 20};
	nng_socket socket = stock_req(service->url, NULL);
	nng_ctx ctx = context_of(socket);
	unsigned lives = 1;

	expect_refused(ctx, 100, LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	expect_refused(ctx, FRAME_BYTES_MAX, LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++)
		expect_refused(ctx, too_large[i], LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	stock_alone(socket, work_session_lives, &lives);
	stock_close(socket);
}

static void test_refused_frames(void **state)
{
	(void)state;
	check_refusals(&over_tcp);
	check_refusals(&over_ipc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_health),
	    cmocka_unit_test(test_contexts),
	    cmocka_unit_test(test_full_frames),
	    cmocka_unit_test(test_resent_after_a_lost_reply),
	    cmocka_unit_test(test_resent_without_a_key),
	    cmocka_unit_test(test_service_restarts),
	    cmocka_unit_test(test_refused_frames),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
