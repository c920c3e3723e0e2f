#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "call.h"
#include "peer.h"
#include "redis/script.h"
#include "support/wait.h"

struct scene {
	struct peer peer;
	struct events events;
	struct redis_options options;
	redis *redis;
};

static int set_up(void **state)
{
	static struct scene scene;

	scene = (struct scene){.events = EVENTS_INIT};
	peer_open(&scene.peer);
	scene.options = options_for(scene.peer.url, &scene.events);
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	redis_close(&s->redis);
	assert_null(s->redis);
	peer_close(&s->peer);
	return 0;
}

static void start(struct scene *s)
{
	s->redis = open_redis(&s->options);
	peer_welcome(&s->peer);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
}

static void greets_and_tells_the_version(void **state)
{
	struct scene *s = *state;
	struct store_state st;

	s->options.user = "me";
	s->options.password = "secret";
	s->redis = open_redis(&s->options);
	store_get_state(redis_store(s->redis), &st);
	assert_false(st.is_ready);
	assert_string_equal(st.mode, "unix");
	assert_string_equal(st.version, "");
	peer_accept(&s->peer);
	peer_expect(&s->peer, "AUTH me secret");
	peer_send(&s->peer, "+OK\r\n");
	assert_false(redis_wait_ready(s->redis, 20));
	peer_greet_with(&s->peer, "+PONG\r\n");
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
	store_get_state(redis_store(s->redis), &st);
	assert_true(st.is_ready);
	assert_string_equal(st.version, "7.9.9");
	assert_becomes(events_have(&s->events, "redis_connected"), BOUND_MS);
	assert_false(events_have(&s->events, "secret"));
}

static void selects_the_database(void **state)
{
	struct scene *s = *state;
	char url[200];

	(void)snprintf(url, sizeof(url), "%s?db=5", s->peer.url);
	s->options.url = url;
	s->redis = open_redis(&s->options);
	peer_accept(&s->peer);
	peer_expect(&s->peer, "SELECT 5");
	peer_send(&s->peer, "-ERR DB index is out of range\r\n");
	assert_true(peer_is_closed(&s->peer));
	assert_becomes(events_have(&s->events, "SELECT refused: ERR DB index"), BOUND_MS);
	assert_false(is_ready(s->redis));
}

static void is_not_ready_when_refused(void **state)
{
	struct scene *s = *state;

	s->options.password = "secret";
	s->redis = open_redis(&s->options);
	peer_accept(&s->peer);
	peer_expect(&s->peer, "AUTH secret");
	peer_send(&s->peer, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
	assert_true(peer_is_closed(&s->peer));
	assert_becomes(events_have(&s->events, "AUTH refused: WRONGPASS"), BOUND_MS);
	assert_false(events_have(&s->events, "secret"));
	call_expect(s->redis, "GET k", STORE_UNAVAILABLE, NULL);
	/* It tries again by itself: the operator may have corrected it. */
	peer_welcome(&s->peer);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
}

static void is_not_ready_while_loading(void **state)
{
	struct scene *s = *state;

	s->redis = open_redis(&s->options);
	for (int i = 0; i < 3; i++) {
		peer_accept(&s->peer);
		peer_greet_with(&s->peer, "-LOADING Redis is loading the dataset in memory\r\n");
		assert_true(peer_is_closed(&s->peer));
		assert_false(is_ready(s->redis));
	}
	assert_becomes(events_have(&s->events, "not ready: LOADING"), BOUND_MS);
	peer_welcome(&s->peer);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
}

static void loading_later_is_refused(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	call_init(&c, "GET k");
	call_start(&c, s->redis);
	peer_expect(&s->peer, "GET k");
	peer_send(&s->peer, "-LOADING later\r\n");
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REFUSED);
	assert_string_equal(c.text, "LOADING later");
	assert_true(is_ready(s->redis));
}

/* The name of a lone server may stand for another one by now. */
static void dials_anew_when_demoted(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	call_init_write(&c, "SET k v");
	call_start(&c, s->redis);
	peer_expect(&s->peer, "SET k v");
	peer_send(&s->peer, "-READONLY You can't write against a read only replica.\r\n");
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REFUSED);
	assert_true(peer_is_closed(&s->peer));
	peer_welcome(&s->peer);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
}

static void greeting_times_out(void **state)
{
	struct scene *s = *state;

	s->options.connect_timeout_ms = 100;
	s->redis = open_redis(&s->options);
	peer_accept(&s->peer);
	assert_true(peer_is_closed(&s->peer));
	assert_becomes(events_have(&s->events, "timed out"), BOUND_MS);
	peer_welcome(&s->peer);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
}

static void takes_replies_byte_by_byte(void **state)
{
	static const char replies[] = "$5\r\nhello\r\n*2\r\n:1\r\n$-1\r\n-ERR x\r\n";
	struct scene *s = *state;
	struct call calls[3];

	start(s);
	for (size_t cut = 1; cut < sizeof(replies) - 1; cut++) {
		char half[sizeof(replies)];

		for (size_t i = 0; i < 3; i++) {
			call_init(&calls[i], "GET k");
			call_start(&calls[i], s->redis);
			peer_expect(&s->peer, "GET k");
		}
		memcpy(half, replies, cut);
		half[cut] = '\0';
		peer_send(&s->peer, half);
		peer_send(&s->peer, replies + cut);
		for (size_t i = 0; i < 3; i++)
			call_await(&calls[i]);
		assert_string_equal(calls[0].text, "hello");
		assert_int_equal(calls[1].type, STORE_ARRAY);
		assert_int_equal(calls[2].outcome, STORE_REFUSED);
		assert_true(calls[0].order < calls[1].order && calls[1].order < calls[2].order);
	}
}

static void start_calls(struct call *calls, size_t count, struct scene *s)
{
	for (size_t i = 0; i < count; i++) {
		call_init(&calls[i], "SET k v");
		call_start(&calls[i], s->redis);
		peer_expect(&s->peer, "SET k v");
	}
}

static void expect_lost(struct call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		call_await(&calls[i]);
		assert_int_equal(calls[i].outcome, STORE_LOST);
		if (i > 0)
			assert_true(calls[i].order > calls[i - 1].order);
	}
}

static void loses_what_is_in_flight(void **state)
{
	struct scene *s = *state;
	struct call calls[10];
	uint64_t ended = metric_get(METRIC_REDIS_DISCONNECTS);

	start(s);
	start_calls(calls, 10, s);
	peer_send(&s->peer, "+OK\r\n+OK\r\n+O");
	peer_hang_up(&s->peer);
	call_await(&calls[0]);
	call_await(&calls[1]);
	assert_int_equal(calls[0].outcome, STORE_REPLIED);
	assert_int_equal(calls[1].outcome, STORE_REPLIED);
	expect_lost(calls + 2, 8);
	assert_becomes(events_have(&s->events, "commands=8"), BOUND_MS);
	assert_int_equal(metric_get(METRIC_REDIS_DISCONNECTS), ended + 1);
	/* Half a reply of the old connection is not put in front of the new one's. */
	peer_welcome(&s->peer);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
	start_calls(calls, 1, s);
	peer_send(&s->peer, "+new\r\n");
	call_await(&calls[0]);
	assert_string_equal(calls[0].text, "new");
}

static void gives_up_on_garbage(void **state)
{
	static const char *const garbage[] = {"hello\r\n", "%1\r\n+a\r\n+b\r\n", "*2147483647\r\n", "$-7\r\n"};
	struct scene *s = *state;
	struct call calls[3];

	start(s);
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		start_calls(calls, 3, s);
		peer_send(&s->peer, garbage[i]);
		assert_true(peer_is_closed(&s->peer));
		expect_lost(calls, 3);
		peer_welcome(&s->peer);
		assert_true(redis_wait_ready(s->redis, BOUND_MS));
	}
}

static void gives_up_on_a_reply_to_nothing(void **state)
{
	struct scene *s = *state;
	struct call calls[2];

	start(s);
	start_calls(calls, 1, s);
	peer_send(&s->peer, "+OK\r\n+OK\r\n");
	assert_true(peer_is_closed(&s->peer));
	call_await(&calls[0]);
	assert_int_equal(calls[0].outcome, STORE_REPLIED);
	peer_welcome(&s->peer);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
}

static void gives_up_a_silent_peer(void **state)
{
	struct scene *s = *state;
	struct call calls[3];
	uint64_t began_ms;

	s->options.response_timeout_ms = 200;
	start(s);
	began_ms = clock_mono_ms();
	start_calls(calls, 3, s);
	peer_send(&s->peer, "+OK\r\n");
	expect_lost(calls + 1, 2);
	assert_in_range(clock_mono_ms() - began_ms, 190, BOUND_MS);
	assert_true(peer_is_closed(&s->peer));
	assert_int_equal(calls[0].outcome, STORE_REPLIED);
	peer_welcome(&s->peer);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
}

/* A pipeline that goes on being answered is no reason to wait for ever for one that is slow: each is timed by itself. */
static void times_the_oldest_command(void **state)
{
	struct scene *s = *state;
	struct call first;
	struct call calls[20];

	s->options.response_timeout_ms = 300;
	start(s);
	call_init(&first, "GET a");
	call_start(&first, s->redis);
	peer_expect(&s->peer, "GET a");
	start_calls(calls, 20, s);
	peer_send(&s->peer, "+OK\r\n");
	call_await(&first);
	expect_lost(calls, 20);
}

static void sends_unknown_scripts_in_full(void **state)
{
	struct scene *s = *state;
	const struct script *script = script_get(STORE_SCRIPT_SESSION_PEEK);
	uint64_t reloads = metric_get(METRIC_REDIS_SCRIPT_RELOADS);
	uint64_t errors = metric_get(METRIC_REDIS_ERRORS);
	char words[65536];
	char expected[65536];
	struct call c;

	start(s);
	call_init_script(&c, STORE_SCRIPT_SESSION_PEEK, 1, "key");
	call_start(&c, s->redis);
	(void)snprintf(expected, sizeof(expected), "EVALSHA %s 1 key", script->sha1);
	peer_expect(&s->peer, expected);
	peer_send(&s->peer, "-NOSCRIPT No matching script. Please use EVAL.\r\n");
	assert_true(peer_read(&s->peer, words, sizeof(words)));
	(void)snprintf(expected, sizeof(expected), "EVAL %.*s 1 key", SPAN_FMT(script->source));
	assert_string_equal(words, expected);
	assert_int_equal(atomic_load(&c.done), 0);
	peer_send(&s->peer, ":7\r\n");
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REPLIED);
	assert_int_equal(c.integer, 7);
	assert_int_equal(metric_get(METRIC_REDIS_SCRIPT_RELOADS), reloads + 1);
	assert_int_equal(metric_get(METRIC_REDIS_ERRORS), errors);
}

/* A peer that answers NOSCRIPT to the source itself does not get it for ever. */
static void sends_a_script_in_full_once(void **state)
{
	struct scene *s = *state;
	char words[65536];
	struct call c;

	start(s);
	call_init_script(&c, STORE_SCRIPT_SESSION_PEEK, 1, "key");
	call_start(&c, s->redis);
	for (int i = 0; i < 2; i++) {
		assert_true(peer_read(&s->peer, words, sizeof(words)));
		peer_send(&s->peer, "-NOSCRIPT again\r\n");
	}
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REFUSED);
}

static void sends_no_script_after_its_deadline(void **state)
{
	struct scene *s = *state;
	char words[65536];
	struct call c;

	start(s);
	call_init_script(&c, STORE_SCRIPT_SESSION_PEEK, 1, "key");
	c.op.deadline_ms = clock_mono_ms() + 50;
	call_start(&c, s->redis);
	assert_true(peer_read(&s->peer, words, sizeof(words)));
	assert_becomes(clock_mono_ms() >= c.op.deadline_ms, BOUND_MS);
	peer_send(&s->peer, "-NOSCRIPT No matching script.\r\n");
	call_await(&c);
	assert_int_equal(c.outcome, STORE_EXPIRED);
	call_init(&c, "GET next");
	call_start(&c, s->redis);
	peer_expect(&s->peer, "GET next");
	peer_send(&s->peer, "+OK\r\n");
	call_await(&c);
}

static void refuses_beyond_the_limit(void **state)
{
	struct scene *s = *state;
	struct call calls[4];
	struct call more;

	s->options.commands_in_flight_max = 4;
	start(s);
	start_calls(calls, 4, s);
	call_init(&more, "SET k v");
	call_run(&more, s->redis);
	assert_int_equal(more.outcome, STORE_OVERLOADED);
	assert_true(more.retry_after_ms > 0);
	peer_send(&s->peer, "+OK\r\n");
	call_await(&calls[0]);
	start_calls(calls, 1, s);
	peer_send(&s->peer, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
	for (size_t i = 0; i < 4; i++)
		call_await(&calls[i]);
}

static void refuses_too_many_bytes(void **state)
{
	enum { BYTES = 12 * 1024 * 1024 };
	static uint8_t value[BYTES];
	struct scene *s = *state;
	struct call calls[3];

	start(s);
	for (size_t i = 0; i < 3; i++) {
		call_init(&calls[i], "SET k");
		calls[i].op.command.argv[calls[i].op.command.argc++] = span_of(value, sizeof(value));
		call_start(&calls[i], s->redis);
	}
	call_await(&calls[2]);
	if (calls[2].outcome != STORE_OVERLOADED) {
		/* The reason comes a moment after the outcome. */
		(void)WAIT_FOR(events_have(&s->events, "redis_disconnected"), BOUND_MS);
		fail_msg("outcome %d; %s", calls[2].outcome, s->events.texts);
	}
	peer_hang_up(&s->peer);
	expect_lost(calls, 2);
}

static void says_when_to_come_back(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	peer_hang_up(&s->peer);
	assert_becomes(!is_ready(s->redis), BOUND_MS);
	for (int i = 0; i < 4; i++) {
		peer_accept(&s->peer);
		peer_hang_up(&s->peer);
		call_init(&c, "GET k");
		call_start(&c, s->redis);
		assert_int_equal(atomic_load(&c.done), 1);
		assert_int_equal(c.outcome, STORE_UNAVAILABLE);
		assert_in_range(c.retry_after_ms, 1, 2000);
	}
}

/* A connection that died without a word (a firewall, a power cut) is found before a caller needs it. */
static void asks_an_idle_peer(void **state)
{
	struct scene *s = *state;

	s->options.response_timeout_ms = 200;
	start(s);
	peer_expect(&s->peer, "PING");
	assert_true(peer_is_closed(&s->peer));
	assert_becomes(events_have(&s->events, "redis_disconnected"), BOUND_MS);
}

static void closes_with_calls_in_flight(void **state)
{
	struct scene *s = *state;
	struct call calls[5];

	start(s);
	start_calls(calls, 5, s);
	redis_close(&s->redis);
	expect_lost(calls, 5);
	assert_true(peer_is_closed(&s->peer));
}

/* `done` may submit again, also to the connection whose reply it handles. */
struct chain {
	struct call call; /* first: found by its address */
	redis *redis;
	unsigned left;
	void (*remember)(struct store_op *op, const struct store_result *result);
};

static void on_chain(struct store_op *op, const struct store_result *result)
{
	struct chain *c = (struct chain *)op;

	if (result->outcome == STORE_REPLIED && c->left > 0) {
		c->left--;
		store_submit(redis_store(c->redis), op);
		return;
	}
	c->remember(op, result);
}

static void submits_from_within_done(void **state)
{
	struct scene *s = *state;
	struct chain chain;

	start(s);
	call_init(&chain.call, "GET k");
	chain.redis = s->redis;
	chain.left = 99;
	chain.remember = chain.call.op.done;
	chain.call.op.done = on_chain;
	call_start(&chain.call, s->redis);
	for (int i = 0; i < 100; i++) {
		peer_expect(&s->peer, "GET k");
		peer_send(&s->peer, ":1\r\n");
	}
	call_await(&chain.call);
	assert_int_equal(chain.call.outcome, STORE_REPLIED);
	assert_int_equal(chain.left, 0);
}

static void opens_and_closes_without_a_peer(void **state)
{
	struct scene *s = *state;

	s->options.connections = 16;
	for (int i = 0; i < 50; i++) {
		s->redis = open_redis(&s->options);
		redis_close(&s->redis);
	}
	s->options.url = "unix:///nowhere/at/all.sock";
	s->redis = open_redis(&s->options);
	assert_false(redis_wait_ready(s->redis, 50));
	call_expect(s->redis, "GET k", STORE_UNAVAILABLE, NULL);
	assert_becomes(events_have(&s->events, "redis_connect_failed"), BOUND_MS);
}

static void refuses_wrong_options(void **state)
{
	struct scene *s = *state;
	redis *r = NULL;
	struct status st;

	s->options.url = "rediss://localhost";
	assert_int_equal(redis_open(&s->options, &r, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "redis.tls_ca"));
	s->options.url = "embedded:";
	assert_int_equal(redis_open(&s->options, &r, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "folder"));
	s->options.url = "nonsense";
	assert_int_equal(redis_open(&s->options, &r, &st), STATUS_INVALID_ARGUMENT);
	assert_null(r);
}

#define PEER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    PEER_TEST(greets_and_tells_the_version),
	    PEER_TEST(selects_the_database),
	    PEER_TEST(is_not_ready_when_refused),
	    PEER_TEST(is_not_ready_while_loading),
	    PEER_TEST(loading_later_is_refused),
	    PEER_TEST(dials_anew_when_demoted),
	    PEER_TEST(greeting_times_out),
	    PEER_TEST(takes_replies_byte_by_byte),
	    PEER_TEST(loses_what_is_in_flight),
	    PEER_TEST(gives_up_on_garbage),
	    PEER_TEST(gives_up_on_a_reply_to_nothing),
	    PEER_TEST(gives_up_a_silent_peer),
	    PEER_TEST(times_the_oldest_command),
	    PEER_TEST(sends_unknown_scripts_in_full),
	    PEER_TEST(sends_a_script_in_full_once),
	    PEER_TEST(sends_no_script_after_its_deadline),
	    PEER_TEST(refuses_beyond_the_limit),
	    PEER_TEST(refuses_too_many_bytes),
	    PEER_TEST(says_when_to_come_back),
	    PEER_TEST(asks_an_idle_peer),
	    PEER_TEST(closes_with_calls_in_flight),
	    PEER_TEST(submits_from_within_done),
	    PEER_TEST(opens_and_closes_without_a_peer),
	    PEER_TEST(refuses_wrong_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
