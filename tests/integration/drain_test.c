/* SIGTERM with calls in flight: each is answered, then the service ends with exit status 0. Calls are kept in flight by
 * stopping the redis-server process, and let go by continuing it. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define FRAMES	   100
#define CALLS_EACH 16

/* Longer than the test takes: nothing here may end by a timeout. */
static const char config[] = "redis: { response_timeout_ms: 30000 }\n"
			     "calls: { timeout_default_ms: 30000, timeout_max_ms: 30000 }\n"
			     "drain: { timeout_ms: 25000 }\n";

static bool refuses_connections(const char *url)
{
	struct raw r;

	if (!raw_try_connect(&r, url))
		return true;
	raw_close(&r);
	return false;
}

static void send_gets(struct raw *r, const char *token)
{
	Latchkey__V1__GetSessionRequest req = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;
	struct raw_call calls[CALLS_EACH];

	req.has_token = true;
	req.token = raw_text(token);
	for (size_t i = 0; i < CALLS_EACH; i++)
		calls[i] = (struct raw_call){.method = "/latchkey.v1.Sessions/Get", .request = &req.base};
	for (uint32_t i = 0; i < FRAMES; i++)
		assert_true(raw_send_calls(r, i, calls, CALLS_EACH));
}

static void expect_all_answered(struct raw *r)
{
	bool answered[FRAMES] = {0};
	uint32_t id;

	for (size_t i = 0; i < FRAMES; i++) {
		Latchkey__V1__ReplyFrame *frame = NULL;

		if (!raw_receive(r, &id, &frame, BOUND_MS))
			fail_msg("only %zu of %d frames were answered", i, FRAMES);
		assert_in_range(id, 0, FRAMES - 1);
		assert_false(answered[id]);
		answered[id] = true;
		assert_int_equal(frame->n_replies, CALLS_EACH);
		for (size_t k = 0; k < CALLS_EACH; k++)
			assert_int_equal(frame->replies[k]->code, LATCHKEY__V1__CODE__OK);
		raw_free(frame);
	}
}

/* Redis stands still while they arrive; then the service is asked to end. The watcher's connection stays, idle. */
static void stop_with_calls_in_flight(struct scene *s, struct raw *watcher)
{
	char token[TOKEN_BYTES];
	uint64_t before;

	raw_connect(watcher, s->service.url);
	session_create(&s->caller, &(struct session_wish){.user = "ann"}, token);
	process_signal(&s->redis.process, SIGSTOP);
	before = server_counter(watcher, "latchkey_calls_total");
	send_gets(&s->caller, token);
	assert_becomes(server_counter(watcher, "latchkey_calls_total") >= before + FRAMES * CALLS_EACH, BOUND_MS);
	process_signal(&s->service.process, SIGTERM);
}

static void test_calls_in_flight_are_answered(void **state)
{
	struct scene scene;
	struct raw watcher;
	int status = -1;

	(void)state;
	scene_open(&scene, config, NULL);
	stop_with_calls_in_flight(&scene, &watcher);
	assert_becomes(refuses_connections(scene.service.url), BOUND_MS);
	assert_true(process_is_running(&scene.service.process));
	process_signal(&scene.redis.process, SIGCONT);
	expect_all_answered(&scene.caller);
	/* No second SIGTERM: that would end it at once. */
	assert_true(process_wait(&scene.service.process, BOUND_MS, &status));
	assert_int_equal(status, 0);
	raw_close(&watcher);
	scene_close(&scene);
}

/* A Redis that never answers must not hold the exit up for longer than the drain may take; what was cut off shows in
 * the exit status. */
static void test_drain_is_bounded(void **state)
{
	static const char impatient[] = "redis: { response_timeout_ms: 60000 }\n"
					"calls: { timeout_default_ms: 30000, timeout_max_ms: 30000 }\n"
					"drain: { timeout_ms: 300 }\n";
	struct scene scene;
	struct raw watcher;
	int status = -1;

	(void)state;
	scene_open(&scene, impatient, NULL);
	stop_with_calls_in_flight(&scene, &watcher);
	assert_true(process_wait(&scene.service.process, BOUND_MS, &status));
	assert_int_equal(status, 1);
	process_signal(&scene.redis.process, SIGCONT);
	raw_close(&watcher);
	scene_close(&scene);
}

static void test_idle_service_ends_at_once(void **state)
{
	struct scene scene;
	uint64_t began;

	(void)state;
	scene_open(&scene, NULL, NULL);
	began = now_mono_ms();
	latchkeyd_stop(&scene.service);
	assert_in_range(now_mono_ms() - began, 0, 5000);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_calls_in_flight_are_answered),
	    cmocka_unit_test(test_drain_is_bounded),
	    cmocka_unit_test(test_idle_service_ends_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
