/* Races, for the thread sanitizer above all: many threads start, cancel and free while servers drop, answer late and
 * refuse, and the client is closed under it all. Every call that was started ends exactly once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "client_util.h"

#define THREADS	   4
#define CALLS_EACH 16

/* By turns: answers, says UNAVAILABLE, drops the connection, never answers, answers twice. */
static void unruly(const struct fake_call *call)
{
	if (call->nth % 211 == 0)
		wire_channel_close(call->channel, WIRE_CLOSED, false);
	else if (call->nth % 7 == 0)
		fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__UNAVAILABLE, "no", NULL, 1);
	else if (call->nth % 11 == 0)
		return;
	else
		fake_valid(call);
	if (call->nth % 13 == 0)
		fake_valid(call);
}

struct worker {
	lk_client *client;
	pthread_t thread;
	unsigned rounds;
	atomic_uint started;
	atomic_uint ended;
	atomic_uint wrong;
};

struct item {
	struct worker *worker;
	lk_call *call;
	char token[24];
	atomic_uint ended;
	atomic_uint started;
};

static void on_end(lk_call *call, enum lk_err err, void *arg)
{
	struct item *item = arg;
	lk_session *session = lk_call_take_session(call);
	bool valid = lk_call_verdict(call) == LK_VALID;

	if (valid != (err == LK_OK) || (valid && strcmp(lk_session_user(session).data, item->token) != 0))
		atomic_fetch_add(&item->worker->wrong, 1);
	lk_session_free(&session);
	atomic_fetch_add(&item->ended, 1);
	atomic_fetch_add(&item->worker->ended, 1);
}

static void start(struct item *item, unsigned round)
{
	struct lk_session_get_request get = LK_SESSION_GET_REQUEST_INIT;

	(void)snprintf(item->token, sizeof(item->token), "%p-%u", (void *)item, round);
	get.token = lk_text(item->token);
	get.timeout_ms = 20 + round % 50;
	/* Counted first: the end may come before the start returns. */
	atomic_fetch_add(&item->worker->started, 1);
	if (lk_session_get_async(item->call, &get) != LK_OK)
		atomic_fetch_sub(&item->worker->started, 1);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct item items[CALLS_EACH] = {0};

	for (size_t i = 0; i < CALLS_EACH; i++) {
		items[i].worker = worker;
		if (lk_call_new(worker->client, on_end, &items[i], &items[i].call) != LK_OK)
			abort();
	}
	for (unsigned round = 0; round < worker->rounds; round++) {
		for (size_t i = 0; i < CALLS_EACH; i++)
			start(&items[i], round);
		for (size_t i = 0; i < CALLS_EACH; i += 1 + round % 3)
			lk_call_cancel(items[i].call);
		for (size_t i = 0; i < CALLS_EACH; i++)
			(void)!lk_call_wait(items[i].call);
	}
	for (size_t i = 0; i < CALLS_EACH; i++) {
		start(&items[i], 0);
		lk_call_free(&items[i].call);
	}
	return NULL;
}

static void every_start_ends_once_whatever_happens(void **state)
{
	struct worker workers[THREADS] = {0};
	struct fake_server one, two;
	struct lk_options options = LK_OPTIONS_INIT;
	lk_client *client;

	(void)state;
	fake_start(&one, "tcp://127.0.0.1:0", unruly, NULL);
	fake_start(&two, "tcp://127.0.0.1:0", unruly, NULL);
	options.retry_budget_percent = 100;
	client = open_to(&options, fake_url(&one), fake_url(&two));
	for (size_t i = 0; i < THREADS; i++) {
		workers[i].client = client;
		workers[i].rounds = 60;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	lk_client_close(&client);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(atomic_load(&workers[i].started), CALLS_EACH * 61);
		assert_int_equal(atomic_load(&workers[i].ended), atomic_load(&workers[i].started));
		assert_int_equal(atomic_load(&workers[i].wrong), 0);
	}
	fake_stop(&one);
	fake_stop(&two);
}

struct loop {
	atomic_uint started;
	atomic_uint ended;
};

static void go_on(lk_call *call, enum lk_err err, void *arg)
{
	struct lk_session_get_request get = LK_SESSION_GET_REQUEST_INIT;
	struct loop *loop = arg;

	(void)err;
	get.token = lk_text("t");
	get.timeout_ms = 50;
	atomic_fetch_add(&loop->started, 1);
	if (lk_session_get_async(call, &get) != LK_OK)
		atomic_fetch_sub(&loop->started, 1);
	atomic_fetch_add(&loop->ended, 1);
}

/* Callbacks start calls without end while the client is closed: closing ends that. */
static void closing_ends_calls_that_start_each_other(void **state)
{
	struct fake_server server;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", unruly, NULL);
	for (int round = 0; round < 20; round++) {
		lk_client *client = open_to(NULL, fake_url(&server), NULL);
		lk_call *calls[CALLS_EACH];
		struct loop loop = {0};

		for (size_t i = 0; i < CALLS_EACH; i++) {
			assert_int_equal(lk_call_new(client, go_on, &loop, &calls[i]), LK_OK);
			atomic_fetch_add(&loop.started, 1);
			assert_int_equal(lk_health_async(calls[i], NULL), LK_OK);
		}
		while (atomic_load(&loop.ended) < (unsigned)round * 20)
			(void)sched_yield();
		lk_client_close(&client);
		assert_int_equal(atomic_load(&loop.ended), atomic_load(&loop.started));
		for (size_t i = 0; i < CALLS_EACH; i++)
			lk_call_free(&calls[i]);
	}
	fake_stop(&server);
}

static void *get_in_a_loop(void *arg)
{
	struct worker *worker = arg;

	for (unsigned i = 0; i < worker->rounds; i++) {
		struct lk_session_get_request get = LK_SESSION_GET_REQUEST_INIT;
		enum lk_verdict verdict = LK_INVALID;
		lk_session *session = NULL;
		enum lk_err err;
		char token[32];

		(void)snprintf(token, sizeof(token), "%p-%u", arg, i);
		get.token = lk_text(token);
		get.timeout_ms = LONG_MS;
		err = lk_session_get(worker->client, &get, &verdict, &session, NULL);
		if ((err == LK_OK) != (verdict == LK_VALID) || verdict == LK_INVALID)
			atomic_fetch_add(&worker->wrong, 1);
		if (session != NULL && strcmp(lk_session_user(session).data, token) != 0)
			atomic_fetch_add(&worker->wrong, 1);
		lk_session_free(&session);
	}
	return NULL;
}

static void threads_share_a_client(void **state)
{
	struct worker workers[THREADS * 2] = {0};
	struct fake_server server;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", fake_valid, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	for (size_t i = 0; i < THREADS * 2; i++) {
		workers[i].client = client;
		workers[i].rounds = 300;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, get_in_a_loop, &workers[i]), 0);
	}
	for (size_t i = 0; i < THREADS * 2; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(atomic_load(&workers[i].wrong), 0);
	}
	assert_int_equal(fake_call_count(&server), THREADS * 2 * 300);
	lk_client_close(&client);
	fake_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_share_a_client),
	    cmocka_unit_test(every_start_ends_once_whatever_happens),
	    cmocka_unit_test(closing_ends_calls_that_start_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
