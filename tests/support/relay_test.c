/* The relay's misbehaviour, with a real server behind it. */

#include "support/relay.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "support/port.h"
#include "support/redis_server.h"
#include "support/wait.h"

static struct redis_server server;

static int setup(void **state)
{
	(void)state;
	redis_server_init(&server, NULL);
	redis_server_start(&server);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	redis_server_remove(&server);
	return 0;
}

static redisContext *connect_through(struct relay *r)
{
	redisContext *c = redis_try_connect_tcp(relay_port(r), NULL);

	assert_non_null(c);
	return c;
}

static bool pings(redisContext *c)
{
	redisReply *reply = redisCommand(c, "PING");
	bool is_there = reply != NULL && reply->type == REDIS_REPLY_STATUS;

	freeReplyObject(reply);
	return is_there;
}

/* A command is sent, and nothing comes back within the time. */
static bool is_silent(redisContext *c, int ms)
{
	struct pollfd readable = {.fd = c->fd, .events = POLLIN};
	int is_done = 0;

	assert_int_equal(redisAppendCommand(c, "PING"), REDIS_OK);
	while (!is_done)
		assert_int_equal(redisBufferWrite(c, &is_done), REDIS_OK);
	return poll(&readable, 1, ms) == 0;
}

static bool answers_at_last(redisContext *c)
{
	void *reply = NULL;
	bool is_there = redisGetReply(c, &reply) == REDIS_OK;

	freeReplyObject(reply);
	return is_there;
}

static uint64_t open_links(struct relay *r)
{
	struct relay_counts counts;

	relay_get_counts(r, &counts);
	return counts.open;
}

static uint64_t bytes_down(struct relay *r)
{
	struct relay_counts counts;

	relay_get_counts(r, &counts);
	return counts.bytes_down;
}

static void test_forwards_and_counts(void **state)
{
	struct relay *r = relay_open(server.port);
	struct relay_counts counts;
	redisContext *c = connect_through(r);
	redisContext *other = connect_through(r);

	(void)state;
	assert_true(pings(c));
	assert_true(pings(other));
	/* The last answer may be here before it is counted. */
	assert_becomes(bytes_down(r) == 2 * strlen("+PONG\r\n"), BOUND_MS);
	relay_get_counts(r, &counts);
	assert_int_equal(counts.accepted, 2);
	assert_int_equal(counts.open, 2);
	assert_int_equal(counts.bytes_up, 2 * strlen("*1\r\n$4\r\nPING\r\n"));
	redisFree(other);
	assert_becomes(open_links(r) == 1, BOUND_MS);
	redisFree(c);
	relay_close(&r);
	assert_null(r);
	relay_close(&r);
}

static void test_delays_each_way(void **state)
{
	struct relay *r = relay_open(server.port);
	redisContext *c = connect_through(r);
	uint64_t begin;

	(void)state;
	relay_set_delay(r, 60, 90);
	begin = now_mono_ms();
	assert_true(pings(c));
	assert_true(now_mono_ms() - begin >= 150);
	relay_set_delay(r, 0, 0);
	assert_true(pings(c));
	redisFree(c);
	relay_close(&r);
}

static void test_stalls_and_loses_nothing(void **state)
{
	struct relay *r = relay_open(server.port);
	redisContext *c = connect_through(r);
	redisContext *late;

	(void)state;
	assert_true(pings(c));
	relay_set_mode(r, RELAY_STALL);
	assert_true(is_silent(c, 100));
	late = connect_through(r);
	assert_true(is_silent(late, 100));
	relay_set_mode(r, RELAY_FORWARD);
	assert_true(answers_at_last(c));
	assert_true(answers_at_last(late));
	redisFree(late);
	redisFree(c);
	relay_close(&r);
}

static void test_cuts_and_refuses(void **state)
{
	struct relay *r = relay_open(server.port);
	redisContext *c = connect_through(r);

	(void)state;
	assert_true(pings(c));
	relay_set_mode(r, RELAY_CUT);
	assert_false(pings(c));
	assert_int_equal(c->err, REDIS_ERR_IO);
	redisFree(c);
	assert_null(redis_try_connect_tcp(relay_port(r), NULL));
	relay_set_mode(r, RELAY_FORWARD);
	c = connect_through(r);
	assert_true(pings(c));
	relay_reset(r);
	assert_false(pings(c));
	redisFree(c);
	c = connect_through(r);
	assert_true(pings(c));
	redisFree(c);
	relay_close(&r);
}

/* Neither bytes nor ends pass, and what lost bytes never works again. */
static void test_half_open_is_silent_for_ever(void **state)
{
	struct relay *r = relay_open(server.port);
	redisContext *c = connect_through(r);
	struct relay_counts counts;
	redisContext *late;

	(void)state;
	assert_true(pings(c));
	relay_set_mode(r, RELAY_HALF_OPEN);
	assert_true(is_silent(c, 100));
	late = connect_through(r);
	assert_true(is_silent(late, 100));
	relay_set_mode(r, RELAY_FORWARD);
	assert_true(is_silent(c, 100));
	relay_get_counts(r, &counts);
	assert_true(counts.bytes_lost >= 2 * strlen("*1\r\n$4\r\nPING\r\n"));
	redisFree(late);
	redisFree(c);
	c = connect_through(r);
	assert_true(pings(c));
	redisFree(c);
	relay_close(&r);
}

static void test_half_open_hides_the_server_death(void **state)
{
	struct redis_server other;
	struct relay *r;
	redisContext *c;

	(void)state;
	redis_server_init(&other, NULL);
	redis_server_start(&other);
	r = relay_open(other.port);
	c = connect_through(r);
	assert_true(pings(c));
	relay_set_mode(r, RELAY_HALF_OPEN);
	redis_server_kill(&other);
	assert_true(is_silent(c, 100));
	redisFree(c);
	relay_close(&r);
	redis_server_remove(&other);
}

static void test_keeps_a_rate(void **state)
{
	static char value[20000];
	struct relay *r = relay_open(server.port);
	redisContext *c = connect_through(r);
	redisReply *reply;
	uint64_t begin;

	(void)state;
	memset(value, 'v', sizeof(value));
	relay_set_rate(r, 100000);
	begin = now_mono_ms();
	reply = redisCommand(c, "SET k %b", value, sizeof(value));
	assert_int_equal(reply->type, REDIS_REPLY_STATUS);
	assert_true(now_mono_ms() - begin >= 150);
	freeReplyObject(reply);
	relay_set_rate(r, 0);
	reply = redisCommand(c, "GET k");
	assert_int_equal(reply->len, sizeof(value));
	assert_memory_equal(reply->str, value, sizeof(value));
	freeReplyObject(reply);
	redisFree(c);
	relay_close(&r);
}

static void test_new_target_and_dead_target(void **state)
{
	struct relay *r = relay_open(port_free());
	struct relay_counts counts;
	redisContext *c = redis_try_connect_tcp(relay_port(r), NULL);

	(void)state;
	/* The kernel accepts before the relay knows. */
	if (c != NULL) {
		assert_false(pings(c));
		redisFree(c);
	}
	relay_get_counts(r, &counts);
	assert_int_equal(counts.unconnected, 1);
	relay_set_target(r, server.port);
	c = connect_through(r);
	assert_true(pings(c));
	redisFree(c);
	relay_close(&r);
}

#define CALLERS 8

static void *ping_often(void *arg)
{
	struct relay *r = arg;
	redisContext *c = redis_try_connect_tcp(relay_port(r), NULL);
	uintptr_t answered = 0;

	for (unsigned i = 0; c != NULL && i < 200; i++)
		answered += pings(c);
	if (c != NULL)
		redisFree(c);
	return (void *)answered;
}

/* Settings change under load, and change nothing that was promised. */
static void test_many_connections(void **state)
{
	struct relay *r = relay_open(server.port);
	pthread_t callers[CALLERS];

	(void)state;
	for (unsigned i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_create(&callers[i], NULL, ping_often, r), 0);
	for (unsigned i = 0; i < 20; i++) {
		relay_set_mode(r, i % 2 == 0 ? RELAY_STALL : RELAY_FORWARD);
		relay_set_delay(r, i % 3, i % 2);
	}
	relay_set_mode(r, RELAY_FORWARD);
	for (unsigned i = 0; i < CALLERS; i++) {
		void *answered;

		assert_int_equal(pthread_join(callers[i], &answered), 0);
		assert_int_equal((uintptr_t)answered, 200);
	}
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forwards_and_counts),
	    cmocka_unit_test(test_delays_each_way),
	    cmocka_unit_test(test_stalls_and_loses_nothing),
	    cmocka_unit_test(test_cuts_and_refuses),
	    cmocka_unit_test(test_half_open_is_silent_for_ever),
	    cmocka_unit_test(test_half_open_hides_the_server_death),
	    cmocka_unit_test(test_keeps_a_rate),
	    cmocka_unit_test(test_new_target_and_dead_target),
	    cmocka_unit_test(test_many_connections),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
