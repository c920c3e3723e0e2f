/* Connections: none, late, lost, silent; one server for another. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <unistd.h>

#include "client_util.h"

static char folder[64];

static void socket_url(const char *name, char url[static 96])
{
	(void)snprintf(url, 96, "ipc://%s/%s", folder, name);
}

static int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/lk-client-XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void without_a_server_calls_end_at_their_deadline(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client;
	uint64_t began, took;
	char url[96];

	(void)state;
	socket_url("nobody", url);
	client = open_to(NULL, url, NULL);
	began = now_ms();
	assert_int_equal(health(client, 300, &error), LK_E_UNAVAILABLE);
	took = now_ms() - began;
	assert_true(took >= 300 && took < 5000);
	assert_int_equal(error.attempts, 0);
	assert_non_null(strstr(error.message, url));
	lk_client_close(&client);
}

static void with_fail_fast_they_end_at_once(void **state)
{
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	char url[96], other[96];
	lk_client *client;
	uint64_t began;

	(void)state;
	socket_url("nobody", url);
	socket_url("nobody-else", other);
	options.fail_fast = true;
	client = open_to(&options, url, other);
	began = now_ms();
	assert_int_equal(health(client, 0, &error), LK_E_UNAVAILABLE);
	assert_true(now_ms() - began < LONG_MS / 2);
	assert_non_null(strstr(error.message, "any of 2 servers"));
	lk_client_close(&client);
}

static void a_call_waits_for_a_server_to_come(void **state)
{
	struct fake_server server;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client;
	lk_call *call;
	char url[96];

	(void)state;
	socket_url("late", url);
	client = open_to(NULL, url, NULL);
	/* The first dials have failed by then. */
	assert_int_equal(health(client, 200, &error), LK_E_UNAVAILABLE);
	assert_int_equal(lk_call_new(client, NULL, NULL, &call), LK_OK);
	assert_int_equal(lk_health_async(call, NULL), LK_OK);
	fake_start(&server, url, fake_serving, NULL);
	assert_int_equal(lk_call_wait(call), LK_OK);
	lk_call_free(&call);
	lk_client_close(&client);
	fake_stop(&server);
}

static void drop_the_first(const struct fake_call *call)
{
	if (call->nth == 1)
		wire_channel_close(call->channel, WIRE_CLOSED, false);
	else
		fake_serving(call);
}

static void a_lost_call_is_sent_again(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", drop_the_first, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(health(client, 0, &error), LK_OK);
	assert_int_equal(error.attempts, 2);
	assert_int_equal(fake_call_count(&server), 2);
	assert_int_equal(server.accepted, 2);
	lk_client_close(&client);
	fake_stop(&server);
}

static void drop_all(const struct fake_call *call)
{
	wire_channel_close(call->channel, WIRE_CLOSED, false);
}

static void a_server_that_always_drops_is_given_up(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", drop_all, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(health(client, 0, &error), LK_E_UNAVAILABLE);
	assert_int_equal(error.attempts, 3);
	assert_int_equal(fake_call_count(&server), 3);
	assert_non_null(strstr(error.message, "connection lost"));
	lk_client_close(&client);
	fake_stop(&server);
}

/* Waits until the client is connected to both. */
static void open_to_both(struct fake_server *one, struct fake_server *two, lk_client **ret_client)
{
	struct lk_options options = LK_OPTIONS_INIT;

	/* Each call earns its retry: what was spent before both were connected does not matter. */
	options.retry_budget_percent = 100;
	*ret_client = open_to(&options, fake_url(one), fake_url(two));
	fake_wait_channels(one, 1);
	fake_wait_channels(two, 1);
}

static void end_channels(struct fake_server *server)
{
	for (unsigned i = 0; i < server->held_count; i++)
		wire_channel_close(server->held[i].channel, WIRE_CLOSED, false);
}

/* 40 calls are in flight on two servers; one of them goes away; none fails. */
static void calls_move_when_a_server_goes(void **state)
{
	enum { CALLS = 40 };
	struct fake_server one, two;
	Latchkey__V1__HealthCheckResponse good = fake_health();
	struct tally tally;
	lk_client *client;
	lk_call *calls[CALLS];
	unsigned held;

	(void)state;
	tally_init(&tally);
	fake_start(&one, "tcp://127.0.0.1:0", fake_hold, NULL);
	fake_start(&two, "tcp://127.0.0.1:0", fake_hold, NULL);
	open_to_both(&one, &two, &client);
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(lk_call_new(client, tally_callback, &tally, &calls[i]), LK_OK);
		assert_int_equal(lk_health_async(calls[i], NULL), LK_OK);
	}
	/* Both have greeted by now or a little later: together they have them all. */
	for (uint64_t until = now_ms() + LONG_MS; fake_call_count(&one) + fake_call_count(&two) < CALLS;) {
		assert_true(now_ms() < until);
		usleep(1000);
	}
	fake_stop_listening(&one);
	held = fake_call_count(&one);
	end_channels(&one);
	fake_wait_calls(&two, CALLS);
	assert_int_equal(fake_call_count(&two), CALLS);
	assert_int_equal(fake_call_count(&one), held);
	for (unsigned i = 0; i < CALLS; i++)
		fake_answer_held(&two, i, LATCHKEY__V1__CODE__OK, &good.base);
	tally_wait(&tally, CALLS);
	assert_int_equal(tally.by_err[LK_OK], CALLS);
	for (int i = 0; i < CALLS; i++)
		lk_call_free(&calls[i]);
	fake_release_held(&one);
	fake_release_held(&two);
	lk_client_close(&client);
	fake_stop(&one);
	fake_stop(&two);
	tally_clear(&tally);
}

static void refuse_all(const struct fake_call *call)
{
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__UNAVAILABLE, "away", NULL, 0);
}

/* A retry goes to another server than the one that could not. */
static void a_retry_goes_elsewhere(void **state)
{
	struct fake_server bad, good;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client;

	(void)state;
	fake_start(&bad, "tcp://127.0.0.1:0", refuse_all, NULL);
	fake_start(&good, "tcp://127.0.0.1:0", fake_serving, NULL);
	open_to_both(&bad, &good, &client);
	/* The greetings are over once each has answered. */
	while (fake_call_count(&bad) == 0 || fake_call_count(&good) == 0)
		(void)health(client, 0, &error);
	for (int i = 0; i < 5; i++)
		assert_int_equal(health(client, 0, &error), LK_OK);
	lk_client_close(&client);
	fake_stop(&bad);
	fake_stop(&good);
}

/* The first connection says nothing after its first answer. */
static void fall_silent(const struct fake_call *call)
{
	if (call->nth == 1 || call->server->accepted > 1)
		fake_serving(call);
}

/* A peer that says nothing at all is taken for dead, and dialed anew. */
static void a_silent_connection_is_replaced(void **state)
{
	struct fake_server server;
	lk_client *client;
	unsigned silent = 0;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", fall_silent, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	/* The short timeouts must not have to cover connecting. */
	assert_int_equal(health(client, 0, NULL), LK_OK);
	while (health(client, 200, NULL) == LK_E_TIMED_OUT)
		assert_true(++silent < 50);
	assert_true(silent >= 3);
	assert_int_equal(server.accepted, 2);
	lk_client_close(&client);
	fake_stop(&server);
}

static void answer_the_first_only(const struct fake_call *call)
{
	if (call->nth == 1)
		fake_serving(call);
	else
		fake_hold(call);
}

/* Calls of one moment that all run out of time are no sign that the server has gone: a slow store looks the same. */
static void timeouts_at_once_cost_nobody_the_connection(void **state)
{
	const Latchkey__V1__HealthCheckResponse serving = fake_health();
	struct lk_server_request request = LK_SERVER_REQUEST_INIT;
	struct fake_server server;
	struct tally tally;
	lk_client *client;
	lk_call *calls[9];

	(void)state;
	tally_init(&tally);
	fake_start(&server, "tcp://127.0.0.1:0", answer_the_first_only, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(health(client, 0, NULL), LK_OK);
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(lk_call_new(client, tally_callback, &tally, &calls[i]), LK_OK);
		request.timeout_ms = i == 0 ? LONG_MS : 100;
		assert_int_equal(lk_health_async(calls[i], &request), LK_OK);
		fake_wait_calls(&server, 2 + i);
	}
	tally_wait(&tally, 8);
	assert_int_equal(tally.by_err[LK_E_TIMED_OUT], 8);
	fake_answer_held(&server, 0, LATCHKEY__V1__CODE__OK, &serving.base);
	assert_int_equal(lk_call_wait(calls[0]), LK_OK);
	assert_int_equal(server.accepted, 1);
	for (unsigned i = 0; i < 9; i++)
		lk_call_free(&calls[i]);
	fake_release_held(&server);
	lk_client_close(&client);
	fake_stop(&server);
	tally_clear(&tally);
}

static void refuse_the_frame(const struct fake_call *call)
{
	Latchkey__V1__ReplyFrame frame = LATCHKEY__V1__REPLY_FRAME__INIT;
	uint8_t bytes[64];

	frame.has_protocol = true;
	frame.protocol = 1;
	frame.has_code = true;
	frame.code = LATCHKEY__V1__CODE__UNAVAILABLE;
	fake_reply_raw(call->channel, call->route, bytes, latchkey__v1__reply_frame__pack(&frame, bytes));
}

/* Many at once, and all of them served. */
static void all_are_served(lk_client *client)
{
	struct tally tally;
	lk_call *calls[400];

	tally_init(&tally);
	for (unsigned i = 0; i < 400; i++) {
		assert_int_equal(lk_call_new(client, tally_callback, &tally, &calls[i]), LK_OK);
		assert_int_equal(lk_health_async(calls[i], NULL), LK_OK);
	}
	tally_wait(&tally, 400);
	assert_int_equal(tally.by_err[LK_OK], 400);
	for (unsigned i = 0; i < 400; i++)
		lk_call_free(&calls[i]);
	tally_clear(&tally);
}

/* A server that shuts down refuses frames while it finishes what it has. Far more calls than the retry budget holds move
 * on without a failure, and it is asked no more. */
static void a_server_that_refuses_frames_is_left(void **state)
{
	struct lk_options options = LK_OPTIONS_INIT;
	struct fake_server leaving, good;
	lk_client *client;

	(void)state;
	fake_start(&leaving, "tcp://127.0.0.1:0", refuse_the_frame, NULL);
	fake_start(&good, "tcp://127.0.0.1:0", fake_serving, NULL);
	client = open_to(&options, fake_url(&leaving), fake_url(&good));
	fake_wait_channels(&leaving, 1);
	fake_wait_channels(&good, 1);
	/* The client's end of the one connection may be ready a moment later than that of the other. */
	for (unsigned i = 0; i < 1000 && fake_call_count(&leaving) == 0; i++)
		all_are_served(client);
	assert_true(fake_call_count(&leaving) > 0);
	lk_client_close(&client);
	fake_stop(&leaving);
	fake_stop(&good);
}

/* Closing one client waits for its own connections, not for those of another. */
static void a_client_closes_beside_another(void **state)
{
	struct fake_server server;
	lk_client *client, *other;
	uint64_t took_ms, best_ms = UINT64_MAX;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", fake_serving, NULL);
	other = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(health(other, 0, NULL), LK_OK);
	/* What it must not do takes a second each time, so the best of a few tells. */
	for (int i = 0; i < 5; i++) {
		client = open_to(NULL, fake_url(&server), NULL);
		assert_int_equal(health(client, 0, NULL), LK_OK);
		took_ms = now_ms();
		lk_client_close(&client);
		took_ms = now_ms() - took_ms;
		if (took_ms < best_ms)
			best_ms = took_ms;
	}
	assert_true(best_ms < 1000);
	lk_client_close(&other);
	fake_stop(&server);
}

static void closing_while_dialing_and_connecting_is_clean(void **state)
{
	struct fake_server server;
	char url[96];

	(void)state;
	socket_url("nobody", url);
	fake_start(&server, "tcp://127.0.0.1:0", fake_serving, NULL);
	for (int i = 0; i < 30; i++) {
		lk_client *client = open_to(NULL, fake_url(&server), url);

		if (i % 3 == 0)
			assert_int_equal(health(client, 0, NULL), LK_OK);
		lk_client_close(&client);
	}
	lk_client_close(&(lk_client *){NULL});
	fake_stop(&server);
}

static void tls_files_are_read_at_open(void **state)
{
	static const char *const urls[] = {"tls+tcp://127.0.0.1:1"};
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client = NULL;

	(void)state;
	options.endpoints = urls;
	options.endpoint_count = 1;
	options.tls_ca_file = "/nowhere/ca.pem";
	assert_int_equal(lk_client_open(&options, &client, &error), LK_E_TLS);
	assert_non_null(strstr(error.message, "/nowhere/ca.pem"));
	assert_null(client);
}

static void urls_that_cannot_be_dialed_are_refused_at_open(void **state)
{
	static const char *const urls[] = {"tcp://no-port"};
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client = NULL;

	(void)state;
	options.endpoints = urls;
	options.endpoint_count = 1;
	assert_int_equal(lk_client_open(&options, &client, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "tcp://no-port"));
	assert_null(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_server_calls_end_at_their_deadline),
	    cmocka_unit_test(with_fail_fast_they_end_at_once),
	    cmocka_unit_test(a_call_waits_for_a_server_to_come),
	    cmocka_unit_test(a_lost_call_is_sent_again),
	    cmocka_unit_test(a_server_that_always_drops_is_given_up),
	    cmocka_unit_test(calls_move_when_a_server_goes),
	    cmocka_unit_test(a_retry_goes_elsewhere),
	    cmocka_unit_test(a_silent_connection_is_replaced),
	    cmocka_unit_test(timeouts_at_once_cost_nobody_the_connection),
	    cmocka_unit_test(a_server_that_refuses_frames_is_left),
	    cmocka_unit_test(a_client_closes_beside_another),
	    cmocka_unit_test(closing_while_dialing_and_connecting_is_clean),
	    cmocka_unit_test(tls_files_are_read_at_open),
	    cmocka_unit_test(urls_that_cannot_be_dialed_are_refused_at_open),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
