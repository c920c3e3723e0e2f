/* Channels as they are meant to be used: a requester and a replier, both ours. */

#include "support/wait.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/callers.h"
#include "support/peer.h"
#include "support/tmpdir.h"

struct stage {
	struct desk desk;
	struct caller caller;
	struct tmpdir dir;
	char url[TMPDIR_URL_BYTES];
};

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	tmpdir_make(&s->dir);
	tmpdir_url(&s->dir, "s", s->url);
	caller_init(&s->caller);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	caller_finish(&s->caller);
	if (s->desk.listener != NULL)
		desk_close(&s->desk);
	assert_true(wire_drain(BOUND_MS));
	tmpdir_remove(&s->dir);
	free(s);
	return 0;
}

static void meet(struct stage *s, const char *url)
{
	desk_open(&s->desk, url, &caller_limits, NULL);
	caller_dial(&s->caller, desk_url(&s->desk), &caller_limits, NULL);
	assert_becomes(atomic_load(&s->caller.ready) == 1, BOUND_MS);
}

static void ask_many(struct stage *s, const char *url)
{
	meet(s, url);
	for (uint32_t i = 0; i < 3000; i++)
		caller_ask(&s->caller, i * 2654435761U, i * 7 % 4000);
	caller_ask(&s->caller, 1, CALLER_MESSAGE_MAX);
	assert_becomes(atomic_load(&s->caller.replies) == 3001, BOUND_MS);
	assert_int_equal(s->caller.wrong, 0);
	assert_int_equal(s->desk.messages, 3001);
	assert_int_equal(s->desk.ready, 1);
}

static void requests_are_answered_over_tcp(void **state)
{
	ask_many(*state, "tcp://127.0.0.1:0");
}

static void requests_are_answered_over_ipc(void **state)
{
	struct stage *s = *state;

	ask_many(s, s->url);
}

static void an_empty_body_is_a_message(void **state)
{
	struct stage *s = *state;

	meet(s, s->url);
	caller_ask(&s->caller, 7, 0);
	assert_becomes(atomic_load(&s->caller.replies) == 1, BOUND_MS);
}

static void sending_too_early_or_too_late_goes_nowhere(void **state)
{
	struct stage *s = *state;

	desk_open(&s->desk, s->url, &caller_limits, NULL);
	caller_dial(&s->caller, s->url, &caller_limits, NULL);
	if (atomic_load(&s->caller.ready) == 0)
		caller_ask(&s->caller, 1, 10);
	assert_becomes(atomic_load(&s->caller.ready) == 1, BOUND_MS);
	wire_channel_close(s->caller.ch, WIRE_FAILED, true);
	assert_becomes(atomic_load(&s->caller.closed) == 1, BOUND_MS);
	assert_int_equal(s->caller.reason, WIRE_FAILED);
	caller_ask(&s->caller, 1, 10);
	assert_becomes(atomic_load(&s->desk.closed) == 1, BOUND_MS);
	assert_true(s->desk.messages <= 1);
}

#define ASKERS 6
#define ASKS   3000

static void *ask_from_a_thread(void *arg)
{
	struct caller *c = arg;

	for (uint32_t i = 0; i < ASKS; i++)
		caller_ask(c, i << 3, i % 300);
	return NULL;
}

static void many_threads_ask_on_one_channel(void **state)
{
	struct stage *s = *state;
	pthread_t threads[ASKERS];

	meet(s, "tcp://127.0.0.1:0");
	for (int i = 0; i < ASKERS; i++)
		pthread_create(&threads[i], NULL, ask_from_a_thread, &s->caller);
	for (int i = 0; i < ASKERS; i++)
		pthread_join(threads[i], NULL);
	assert_becomes(atomic_load(&s->caller.replies) == ASKERS * ASKS, BOUND_MS);
	assert_int_equal(s->caller.wrong, 0);
}

static void many_channels_share_a_replier(void **state)
{
	struct stage *s = *state;
	struct caller callers[40];

	desk_open(&s->desk, "tcp://127.0.0.1:0", &caller_limits, NULL);
	for (int i = 0; i < 40; i++) {
		caller_init(&callers[i]);
		caller_dial(&callers[i], desk_url(&s->desk), &caller_limits, NULL);
	}
	for (int i = 0; i < 40; i++) {
		assert_becomes(atomic_load(&callers[i].ready) == 1, BOUND_MS);
		for (uint32_t j = 0; j < 100; j++)
			caller_ask(&callers[i], j, j);
	}
	for (int i = 0; i < 40; i++) {
		assert_becomes(atomic_load(&callers[i].replies) == 100, BOUND_MS);
		assert_int_equal(callers[i].wrong, 0);
		caller_finish(&callers[i]);
	}
}

static void answer_then_close(struct desk *d, wire_channel *ch, const struct wire_route *route, const uint8_t *body,
			      size_t len)
{
	desk_echo(d, ch, route, body, len);
	wire_channel_close(ch, WIRE_CLOSED, true);
}

static void no_message_comes_after_a_close_within_one(void **state)
{
	struct stage *s = *state;

	s->desk.answer = answer_then_close;
	meet(s, "tcp://127.0.0.1:0");
	wire_cork();
	for (uint32_t i = 0; i < 100; i++)
		caller_ask(&s->caller, i, 20);
	wire_uncork();
	assert_becomes(atomic_load(&s->caller.closed) == 1, BOUND_MS);
	assert_int_equal(s->desk.messages, 1);
	assert_int_equal(s->caller.replies, 1);
	assert_int_equal(s->caller.reason, WIRE_PEER_CLOSED);
}

static void a_reply_over_the_limit_ends_the_requester(void **state)
{
	struct stage *s = *state;
	struct wire_route route = wire_route_of_id(WIRE_ID_BIT | 1);
	uint8_t *large = calloc(1, CALLER_MESSAGE_MAX + 1);
	struct iovec part = {.iov_base = large, .iov_len = CALLER_MESSAGE_MAX + 1};

	meet(s, s->url);
	assert_becomes(atomic_load(&s->desk.ready) == 1, BOUND_MS);
	pthread_mutex_lock(&s->desk.lock);
	wire_channel_send(s->desk.last, &route, &part, 1);
	pthread_mutex_unlock(&s->desk.lock);
	assert_becomes(atomic_load(&s->caller.closed) == 1, BOUND_MS);
	assert_int_equal(s->caller.too_large, 1);
	assert_int_equal(s->caller.reason, WIRE_TOO_LARGE);
	assert_int_equal(s->caller.replies, 0);
	free(large);
}

static void a_requester_does_not_speak_to_a_requester(void **state)
{
	struct stage *s = *state;
	char url[PEER_URL_BYTES];
	int listener = peer_listen(1, url);
	int fd;

	caller_dial(&s->caller, url, &caller_limits, NULL);
	fd = peer_accept(listener);
	peer_send(fd, "\0SP\0\0\x30\0\0", 8);
	assert_becomes(atomic_load(&s->caller.closed) == 1, BOUND_MS);
	assert_int_equal(s->caller.reason, WIRE_PROTOCOL);
	assert_int_equal(s->caller.ready, 0);
	peer_close(fd);
	peer_close(listener);
}

static void a_replier_that_never_greets_is_given_up(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = caller_limits;
	char url[PEER_URL_BYTES];
	int listener = peer_listen(1, url);

	limits.connect_timeout_ms = 100;
	caller_dial(&s->caller, url, &limits, NULL);
	assert_becomes(atomic_load(&s->caller.closed) == 1, BOUND_MS);
	assert_int_equal(s->caller.reason, WIRE_TIMED_OUT);
	assert_int_equal(s->caller.ready, 0);
	peer_close(listener);
}

static void idle_callers_are_asked_about(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = caller_limits;

	limits.idle_timeout_ms = 100;
	desk_open(&s->desk, s->url, &limits, NULL);
	caller_dial(&s->caller, s->url, &caller_limits, NULL);
	assert_becomes(atomic_load(&s->caller.closed) == 1, BOUND_MS);
	assert_int_equal(s->caller.reason, WIRE_PEER_CLOSED);
	assert_becomes(atomic_load(&s->desk.closed) == 1, BOUND_MS);
	assert_int_equal(s->desk.reason, WIRE_IDLE);
}

static void routes_carry_ids(void **state)
{
	struct wire_route route = wire_route_of_id(0x80010203U);

	(void)state;
	assert_int_equal(route.len, 4);
	assert_memory_equal(route.bytes, "\x80\x01\x02\x03", 4);
	assert_int_equal(wire_route_id(&route), 0x80010203U);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    T(requests_are_answered_over_tcp),
	    T(requests_are_answered_over_ipc),
	    T(an_empty_body_is_a_message),
	    T(sending_too_early_or_too_late_goes_nowhere),
	    T(many_threads_ask_on_one_channel),
	    T(many_channels_share_a_replier),
	    T(no_message_comes_after_a_close_within_one),
	    T(a_reply_over_the_limit_ends_the_requester),
	    T(a_requester_does_not_speak_to_a_requester),
	    T(a_replier_that_never_greets_is_given_up),
	    T(idle_callers_are_asked_about),
	    T(routes_carry_ids),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
