/* Long polls: they stay with their server, are no load, no silence and no retry, and end in time. */

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
#include "latchkey/watch.h"

static bool is_watch(const struct fake_call *call)
{
	static const char path[] = "/latchkey.v1.Sessions/Watch";

	return call->call->method.len == sizeof(path) - 1 &&
	       memcmp(call->call->method.data, path, sizeof(path) - 1) == 0;
}

/* The server's name is its cursor. A cursor of another is a gap. */
static void answer_watch(const struct fake_call *call, const char *name)
{
	Latchkey__V1__WatchSessionsResponse response = LATCHKEY__V1__WATCH_SESSIONS_RESPONSE__INIT;
	Latchkey__V1__WatchSessionsRequest *request =
	    latchkey__v1__watch_sessions_request__unpack(NULL, call->call->body.len, call->call->body.data);

	if (request == NULL)
		abort();
	response.has_cursor = response.has_gap = true;
	response.cursor = (ProtobufCBinaryData){strlen(name), (uint8_t *)(uintptr_t)name};
	response.gap = request->cursor.len > 0 && (request->cursor.len != strlen(name) ||
						   memcmp(request->cursor.data, name, request->cursor.len) != 0);
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__OK, NULL, &response.base, 0);
	latchkey__v1__watch_sessions_request__free_unpacked(request, NULL);
}

struct named {
	const char *name;
	atomic_bool drops; /* the connection, in place of an answer */
};

/* Answers watches at once. */
static void by_name(const struct fake_call *call)
{
	struct named *named = call->server->arg;

	if (named->drops)
		wire_channel_close(call->channel, WIRE_CLOSED, false);
	else if (is_watch(call))
		answer_watch(call, named->name);
	else
		fake_serving(call);
}

/* Keeps watches waiting. */
static void park(const struct fake_call *call)
{
	if (is_watch(call))
		fake_hold(call);
	else
		fake_serving(call);
}

static enum lk_err watch(lk_client *client, struct lk_bytes cursor, uint32_t timeout_ms, lk_events **ret_events,
			 struct lk_error *error)
{
	struct lk_session_watch_request request = LK_SESSION_WATCH_REQUEST_INIT;

	request.cursor = cursor;
	request.timeout_ms = timeout_ms;
	return lk_session_watch(client, &request, ret_events, error);
}

/* Until calls reach it: then the greeting is over. */
static void wait_ready(lk_client *client, struct fake_server *server)
{
	for (uint64_t until = now_ms() + LONG_MS; fake_call_count(server) == 0;) {
		assert_true(now_ms() < until);
		assert_int_equal(health(client, 0, NULL), LK_OK);
	}
}

/* Many calls beside, and none of the watches goes elsewhere; until the server is lost: then the other one tells of the
 * gap, and has them from then on. */
static void a_watch_stays_until_its_server_is_lost(void **state)
{
	struct named names[2] = {{.name = "zero"}, {.name = "one"}};
	struct fake_server servers[2];
	struct lk_bytes cursor = lk_text(NULL);
	lk_events *events = NULL;
	lk_client *client;
	unsigned first, gaps = 0;
	char at[8];

	(void)state;
	fake_start(&servers[0], "tcp://127.0.0.1:0", by_name, &names[0]);
	fake_start(&servers[1], "tcp://127.0.0.1:0", by_name, &names[1]);
	client = open_to(NULL, fake_url(&servers[0]), fake_url(&servers[1]));
	fake_wait_channels(&servers[0], 1);
	fake_wait_channels(&servers[1], 1);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(watch(client, cursor, 0, &events, NULL), LK_OK);
		assert_false(lk_events_gap(events));
		(void)snprintf(at, sizeof(at), "%s", lk_events_cursor(events).data);
		cursor = lk_text(at);
		lk_events_free(&events);
		assert_int_equal(health(client, 0, NULL), LK_OK);
	}
	first = strcmp(at, "one") == 0;
	fake_stop_listening(&servers[first]);
	names[first].drops = true;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(watch(client, cursor, 0, &events, NULL), LK_OK);
		gaps += lk_events_gap(events);
		(void)snprintf(at, sizeof(at), "%s", lk_events_cursor(events).data);
		cursor = lk_text(at);
		lk_events_free(&events);
	}
	assert_int_equal(gaps, 1);
	assert_string_equal(at, first == 1 ? "zero" : "one");
	lk_client_close(&client);
	fake_stop(&servers[0]);
	fake_stop(&servers[1]);
}

/* A parked watch is no work: its server is not taken for the busier one. */
static void a_waiting_watch_is_no_load(void **state)
{
	struct lk_session_watch_request request = LK_SESSION_WATCH_REQUEST_INIT;
	struct fake_server servers[2];
	lk_client *client;
	lk_call *call;
	unsigned before;

	(void)state;
	fake_start(&servers[0], "tcp://127.0.0.1:0", park, NULL);
	fake_start(&servers[1], "tcp://127.0.0.1:0", fake_serving, NULL);
	client = open_to(NULL, fake_url(&servers[0]), fake_url(&servers[1]));
	/* Of two that are idle the first is picked, once it is connected. */
	wait_ready(client, &servers[0]);
	assert_int_equal(lk_call_new(client, NULL, NULL, &call), LK_OK);
	before = fake_call_count(&servers[0]);
	assert_int_equal(lk_session_watch_async(call, &request), LK_OK);
	fake_wait_calls(&servers[0], before + 1);
	before = fake_call_count(&servers[1]);
	for (int i = 0; i < 50; i++)
		assert_int_equal(health(client, 0, NULL), LK_OK);
	assert_int_equal(fake_call_count(&servers[1]), before);
	lk_call_free(&call);
	fake_release_held(&servers[0]);
	lk_client_close(&client);
	fake_stop(&servers[0]);
	fake_stop(&servers[1]);
}

/* The server is told less time than there is, so that the answer "nothing happened" comes before the deadline here. */
static void a_server_is_told_to_answer_in_time(void **state)
{
	struct named named = {.name = "zero"};
	struct fake_server server;
	lk_events *events = NULL;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", by_name, &named);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(watch(client, lk_text(NULL), 0, &events, NULL), LK_OK);
	lk_events_free(&events);
	assert_in_range(server.seen[0].timeout_ms, LK_WATCH_TIMEOUT_MS / 2, LK_WATCH_TIMEOUT_MS - 1000);
	assert_int_equal(watch(client, lk_text(NULL), 1000, &events, NULL), LK_OK);
	lk_events_free(&events);
	assert_in_range(server.seen[1].timeout_ms, 1, 750);
	/* Not told of calls that wait for nothing. */
	assert_int_equal(health(client, 1000, NULL), LK_OK);
	assert_int_equal(server.seen[2].timeout_ms, 1000);
	assert_int_equal(server.seen[0].key_bytes, 0);
	lk_client_close(&client);
	fake_stop(&server);
}

/* Watches that wait, and are given up by their callers, cost nobody the connection while the server answers others. */
static void waiting_is_not_silence(void **state)
{
	struct fake_server server;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", park, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	for (int i = 0; i < 4; i++) {
		struct lk_session_watch_request request = LK_SESSION_WATCH_REQUEST_INIT;
		lk_call *call;

		request.timeout_ms = 300;
		assert_int_equal(lk_call_new(client, NULL, NULL, &call), LK_OK);
		assert_int_equal(lk_session_watch_async(call, &request), LK_OK);
		fake_wait_calls(&server, 2 * (unsigned)i + 1);
		assert_int_equal(health(client, 0, NULL), LK_OK);
		assert_int_equal(lk_call_wait(call), LK_E_TIMED_OUT);
		assert_null(lk_call_take_events(call));
		lk_call_free(&call);
	}
	assert_int_equal(server.accepted, 1);
	fake_release_held(&server);
	lk_client_close(&client);
	fake_stop(&server);
}

static unsigned accepted(struct fake_server *server)
{
	unsigned count;

	pthread_mutex_lock(&server->lock);
	count = server->accepted;
	pthread_mutex_unlock(&server->lock);
	return count;
}

/* A server that said nothing at all, in all the time that a long poll gave it, is dialed anew. */
static void a_watch_without_an_answer_is_silence(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	lk_events *events = NULL;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", park, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	assert_int_equal(health(client, 0, NULL), LK_OK);
	assert_int_equal(watch(client, lk_text(NULL), 4500, &events, &error), LK_E_TIMED_OUT);
	assert_null(events);
	for (uint64_t until = now_ms() + LONG_MS; accepted(&server) < 2;) {
		assert_true(now_ms() < until);
		usleep(1000);
	}
	fake_release_held(&server);
	lk_client_close(&client);
	fake_stop(&server);
}

static void unavailable(const struct fake_call *call)
{
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__UNAVAILABLE, "not now", NULL, 0);
}

/* Who polls asks again anyway: so it takes none of the retries that others have, and gives none. */
static void a_watch_is_not_retried(void **state)
{
	struct lk_error error = LK_ERROR_INIT;
	struct fake_server server;
	lk_events *events = NULL;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", unavailable, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(watch(client, lk_text(NULL), 0, &events, &error), LK_E_UNAVAILABLE);
		assert_int_equal(error.attempts, 1);
	}
	assert_int_equal(fake_call_count(&server), 30);
	assert_int_equal(health(client, 0, &error), LK_E_UNAVAILABLE);
	assert_int_equal(error.attempts, 3);
	lk_client_close(&client);
	fake_stop(&server);
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

/* A server that shuts down refuses the frame: the watch goes to another at once. */
static void a_watch_leaves_a_server_that_refuses(void **state)
{
	struct named named = {.name = "good"};
	struct fake_server leaving, good;
	struct lk_bytes cursor = lk_text("leaving");
	lk_events *events = NULL;
	lk_client *client;

	(void)state;
	fake_start(&leaving, "tcp://127.0.0.1:0", refuse_the_frame, NULL);
	fake_start(&good, "tcp://127.0.0.1:0", by_name, &named);
	client = open_to(NULL, fake_url(&leaving), fake_url(&good));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(watch(client, cursor, 0, &events, NULL), LK_OK);
		assert_true(lk_events_gap(events) == (i == 0));
		cursor = lk_text("good");
		lk_events_free(&events);
	}
	lk_client_close(&client);
	fake_stop(&leaving);
	fake_stop(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_watch_stays_until_its_server_is_lost), cmocka_unit_test(a_waiting_watch_is_no_load),
	    cmocka_unit_test(a_server_is_told_to_answer_in_time),     cmocka_unit_test(waiting_is_not_silence),
	    cmocka_unit_test(a_watch_without_an_answer_is_silence),   cmocka_unit_test(a_watch_is_not_retried),
	    cmocka_unit_test(a_watch_leaves_a_server_that_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
