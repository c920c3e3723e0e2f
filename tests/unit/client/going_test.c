/* A server that asks for another connection (going_away): the new one is opened first, nothing fails, nothing is
 * cut off. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client_util.h"

#define NAP_MS 2

/* What a script has seen. */
struct visits {
	_Atomic(wire_channel *) first; /* which connection came first */
	atomic_uint by_first;
	atomic_uint by_others;
	atomic_bool holds; /* the next call is put aside */
};

static struct fake_server server;
static struct fake_server other;
static struct visits visits;

static void reply_serving(const struct fake_call *call, bool is_going_away)
{
	Latchkey__V1__HealthCheckResponse response = fake_health();
	Latchkey__V1__ReplyFrame frame = LATCHKEY__V1__REPLY_FRAME__INIT;
	Latchkey__V1__Reply reply = LATCHKEY__V1__REPLY__INIT;
	Latchkey__V1__Reply *replies[] = {&reply};
	uint8_t body[64];
	uint8_t packed[128];

	frame.has_protocol = true;
	frame.protocol = 1;
	frame.n_replies = 1;
	frame.replies = replies;
	frame.has_going_away = is_going_away;
	frame.going_away = is_going_away;
	reply.has_body = true;
	reply.body = (ProtobufCBinaryData){protobuf_c_message_pack(&response.base, body), body};
	fake_reply_raw(call->channel, call->route, packed, latchkey__v1__reply_frame__pack(&frame, packed));
}

/* Only the first connection is to make way. */
static void first_goes(const struct fake_call *call)
{
	wire_channel *none = NULL;
	bool is_first;

	(void)atomic_compare_exchange_strong(&visits.first, &none, call->channel);
	is_first = atomic_load(&visits.first) == call->channel;
	atomic_fetch_add(is_first ? &visits.by_first : &visits.by_others, 1);
	if (atomic_exchange(&visits.holds, false))
		fake_hold(call);
	else
		reply_serving(call, is_first);
}

static void all_go(const struct fake_call *call)
{
	reply_serving(call, true);
}

static void nap(void)
{
	const struct timespec pause = {.tv_nsec = NAP_MS * 1000000L};

	(void)nanosleep(&pause, NULL);
}

static unsigned accepted(struct fake_server *s)
{
	unsigned count;

	pthread_mutex_lock(&s->lock);
	count = s->accepted;
	pthread_mutex_unlock(&s->lock);
	return count;
}

static void wait_accepted(unsigned count)
{
	const uint64_t until = now_ms() + LONG_MS;

	while (accepted(&server) < count && now_ms() < until)
		nap();
	assert_int_equal(accepted(&server), count);
}

static lk_client *begin(fake_script script)
{
	memset(&visits, 0, sizeof(visits));
	fake_start(&server, "tcp://127.0.0.1:0", script, NULL);
	return open_to(NULL, fake_url(&server), NULL);
}

static void expect_health(lk_client *client)
{
	assert_int_equal(health(client, 0, NULL), LK_OK);
}

static void expect_calls_by_others(lk_client *client)
{
	const uint64_t until = now_ms() + LONG_MS;

	while (atomic_load(&visits.by_others) == 0 && now_ms() < until)
		expect_health(client);
	assert_int_not_equal(visits.by_others, 0);
}

static void another_connection_takes_over_and_the_first_is_closed(void **state)
{
	lk_client *client = begin(first_goes);
	unsigned by_first;

	(void)state;
	expect_health(client);
	wait_accepted(2);
	fake_wait_channels(&server, 1);
	by_first = visits.by_first;
	for (int i = 0; i < 20; i++)
		expect_health(client);
	assert_int_equal(visits.by_first, by_first);
	assert_int_equal(visits.by_others, 20);
	assert_int_equal(accepted(&server), 2);
	lk_client_close(&client);
	fake_stop(&server);
}

static void *ask_health(void *client)
{
	expect_health(client);
	return NULL;
}

static void what_is_in_flight_on_the_first_is_answered(void **state)
{
	lk_client *client = begin(first_goes);
	Latchkey__V1__HealthCheckResponse response = fake_health();
	pthread_t asker;

	(void)state;
	atomic_store(&visits.holds, true);
	assert_int_equal(pthread_create(&asker, NULL, ask_health, client), 0);
	fake_wait_calls(&server, 1);
	expect_health(client);
	wait_accepted(2);
	expect_calls_by_others(client);
	/* Ticks pass: whoever is awaited is not closed. */
	for (int i = 0; i < 20; i++) {
		nap();
		assert_int_equal(server.channels, 2);
	}
	fake_answer_held(&server, 0, LATCHKEY__V1__CODE__OK, &response.base);
	assert_int_equal(pthread_join(asker, NULL), 0);
	fake_release_held(&server);
	fake_wait_channels(&server, 1);
	lk_client_close(&client);
	fake_stop(&server);
}

static void without_another_the_first_serves_on(void **state)
{
	lk_client *client;
	char url[128];

	(void)state;
	memset(&visits, 0, sizeof(visits));
	fake_start(&server, "tcp://127.0.0.1:0", first_goes, NULL);
	(void)snprintf(url, sizeof(url), "%s", fake_url(&server));
	client = open_to(NULL, url, NULL);
	fake_wait_channels(&server, 1);
	fake_stop_listening(&server);
	for (int i = 0; i < 100; i++) {
		expect_health(client);
		nap();
	}
	assert_int_equal(visits.by_first, 100);
	assert_int_equal(server.channels, 1);
	lk_client_close(&client);
	fake_stop(&server);
}

static void calls_go_to_another_server_at_once(void **state)
{
	const uint64_t until = now_ms() + LONG_MS;
	lk_client *client;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", all_go, NULL);
	fake_start(&other, "tcp://127.0.0.1:0", fake_serving, NULL);
	client = open_to(NULL, fake_url(&server), fake_url(&other));
	while (fake_call_count(&other) < 20 && now_ms() < until)
		expect_health(client);
	assert_true(fake_call_count(&other) >= 20);
	lk_client_close(&client);
	fake_stop(&server);
	fake_stop(&other);
}

/* As one that shuts down is: each new connection is asked to make way as well. */
static void a_server_that_always_asks_is_dialed_less_and_less(void **state)
{
	lk_client *client = begin(all_go);
	const uint64_t began = now_ms();
	uint64_t took;

	(void)state;
	while (accepted(&server) < 6) {
		expect_health(client);
		assert_true(now_ms() - began < LONG_MS);
		nap();
	}
	took = now_ms() - began;
	/* The pauses before the third to the sixth are 25, 50, 100 and 200 ms at least. */
	assert_true(took >= 375);
	lk_client_close(&client);
	fake_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(another_connection_takes_over_and_the_first_is_closed),
	    cmocka_unit_test(what_is_in_flight_on_the_first_is_answered),
	    cmocka_unit_test(without_another_the_first_serves_on),
	    cmocka_unit_test(calls_go_to_another_server_at_once),
	    cmocka_unit_test(a_server_that_always_asks_is_dialed_less_and_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
