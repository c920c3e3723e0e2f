/* Sliding the idle timeout at most once in an interval, on a real Redis. Its clock is the real one: how long ago a session
 * was slid is made by setting its time to live. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "history.h"

#define INTERVAL_S 60
#define IDLE_MS	   (WORLD_IDLE_S * 1000LL)
#define POLLS	   100

static int with_interval(void **state)
{
	struct stage *s = *state;

	(void)stage_reset(state);
	s->world.classes[0].policy.touch_interval_s = INTERVAL_S;
	return 0;
}

static int without_interval(void **state)
{
	struct stage *s = *state;

	s->world.classes[0].policy.touch_interval_s = 0;
	return 0;
}

static void set_left(struct stage *s, const struct held_token *t, long long left_ms)
{
	char key[64];

	session_key(t, key);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s %lld", key, left_ms), 1);
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG RESETSTAT"));
}

static long long left(struct stage *s, const struct held_token *t)
{
	char key[64];

	session_key(t, key);
	return real_redis_number(&s->redis, "PTTL %s", key);
}

/* Writes since set_left: whatever may change a time to live. */
static long long writes(struct stage *s)
{
	static const char *const commands[] = {"pexpire", "getex", "set"};
	redisReply *stats = real_redis_ask(&s->redis, "INFO commandstats");
	long long calls = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char field[64];
		const char *at;

		(void)snprintf(field, sizeof(field), "cmdstat_%s:calls=", commands[i]);
		at = strstr(stats->str, field);
		calls += at == NULL ? 0 : strtoll(at + strlen(field), NULL, 10);
	}
	freeReplyObject(stats);
	return calls;
}

static struct session_info use(struct stage *s, const struct held_token *t)
{
	const struct session_get_request req = {.token = token_of(t)};
	struct session_get_result got = {0};

	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.outcome.verdict, VERDICT_VALID);
	return got.info;
}

/* Time goes on here as it does in Redis; `behind_ms` is another instance's clock. */
static void poll_by_two(struct stage *s, const struct held_token *t, uint64_t behind_ms)
{
	const uint64_t began_ms = clock_mono_ms();
	const uint64_t now_ms = s->world.env.now_ms;

	for (int i = 0; i < POLLS; i++) {
		world_fresh(&s->world);
		s->world.env.now_ms = now_ms + (clock_mono_ms() - began_ms) - (i % 2) * behind_ms;
		(void)use(s, t);
	}
	s->world.env.now_ms = now_ms + (clock_mono_ms() - began_ms);
}

static void polling_writes_once_in_an_interval(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	set_left(s, &t, IDLE_MS);
	poll_by_two(s, &t, 0);
	assert_int_equal(writes(s), 0);
	set_left(s, &t, IDLE_MS - INTERVAL_S * 1000);
	poll_by_two(s, &t, 0);
	assert_int_equal(writes(s), 1);
	assert_in_range(left(s, &t), IDLE_MS - SLACK_MS, IDLE_MS);
}

static void uses_are_counted(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const uint64_t slid = metric_get(METRIC_TOUCHES);
	const uint64_t spared = metric_get(METRIC_TOUCHES_SPARED);

	(void)use(s, &t);
	(void)use(s, &t);
	set_left(s, &t, IDLE_MS / 2);
	(void)use(s, &t);
	(void)is_valid(s, &t);
	assert_int_equal(metric_get(METRIC_TOUCHES), slid + 1);
	assert_int_equal(metric_get(METRIC_TOUCHES_SPARED), spared + 2);
}

static void last_seen_is_derived_in_between(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct session_info info;

	s->world.env.now_ms += 600000;
	set_left(s, &t, IDLE_MS - 30000);
	info = use(s, &t);
	assert_in_range(info.last_seen_at_ms, s->world.env.now_ms - 30000 - SLACK_MS, s->world.env.now_ms - 30000);
	assert_in_range(info.idle_expires_at_ms, s->world.env.now_ms + IDLE_MS - 30000 - SLACK_MS,
			s->world.env.now_ms + IDLE_MS - 30000);
	set_left(s, &t, IDLE_MS - 2 * INTERVAL_S * 1000);
	info = use(s, &t);
	assert_int_equal(info.last_seen_at_ms, s->world.env.now_ms);
	assert_int_equal(info.idle_expires_at_ms, s->world.env.now_ms + IDLE_MS);
}

static void what_another_gave_is_not_shortened(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	set_left(s, &t, IDLE_MS + 60000);
	(void)use(s, &t);
	assert_int_equal(writes(s), 0);
	assert_true(left(s, &t) > IDLE_MS);
}

/* Used all the time, a session lives to its deadline, and no longer. */
static void the_deadline_is_reached_and_not_passed(void **state)
{
	const uint64_t rest_ms = 600000;
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	s->world.env.now_ms = (WORLD_NOW_MS / 1000 + WORLD_ABSOLUTE_S) * 1000 - rest_ms;
	/* Less than an interval short of the deadline, and slid long ago. */
	set_left(s, &t, (long long)rest_ms - INTERVAL_S * 500);
	poll_by_two(s, &t, 0);
	assert_int_equal(writes(s), 1);
	assert_in_range(left(s, &t), rest_ms - SLACK_MS, rest_ms);
}

/* Clocks that differ a little, and much: each instance may only ever prolong. */
static void near_the_deadline_two_instances_do_not_take_turns(void **state)
{
	const uint64_t rest_ms = 600000;
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	s->world.env.now_ms = (WORLD_NOW_MS / 1000 + WORLD_ABSOLUTE_S) * 1000 - rest_ms;
	set_left(s, &t, (long long)rest_ms);
	poll_by_two(s, &t, 500);
	assert_int_equal(writes(s), 0);
	poll_by_two(s, &t, 5000);
	assert_int_equal(writes(s), 1);
	assert_true(left(s, &t) <= (long long)rest_ms + 5000);
}

/* An interval that is longer than the session's own idle timeout must not let it die in use. */
static void a_session_with_a_short_timeout_of_its_own_is_slid(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann"), .idle_timeout_s = 40};
	struct session_create_result made;
	struct held_token t;

	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	memcpy(t.text, made.token.ptr, sizeof(t.text));
	memcpy(t.handle, made.info.handle, sizeof(t.handle));
	set_left(s, &t, 39000);
	(void)use(s, &t);
	assert_int_equal(writes(s), 0);
	set_left(s, &t, 19000);
	(void)use(s, &t);
	assert_int_equal(writes(s), 1);
	assert_true(left(s, &t) > 20000);
}

static void other_classes_slide_at_every_use(void **state)
{
	struct stage *s = *state;
	const struct held_token strict = login(s, "ann", "strict");
	struct session_info info;

	set_left(s, &strict, IDLE_MS - 1000);
	s->world.env.now_ms += 1000;
	info = use(s, &strict);
	assert_int_equal(writes(s), 1);
	assert_int_equal(info.last_seen_at_ms, s->world.env.now_ms);
	/* A class that is no longer configured. */
	s->world.classes[0].tag ^= 1;
	set_left(s, &strict, IDLE_MS - 1000);
	(void)use(s, &strict);
	s->world.classes[0].tag ^= 1;
	assert_int_equal(writes(s), 1);
}

static void without_an_interval_it_is_getex(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	(void)use(s, &t);
	assert_int_equal(s->last.script, STORE_SCRIPT_SESSION_TOUCH);
	s->world.classes[0].policy.touch_interval_s = 0;
	(void)use(s, &t);
	assert_int_equal(s->last.script, STORE_NO_SCRIPT);
	assert_true(span_eq(s->last.argv[0], SPAN_LIT("GETEX")));
}

static void an_update_always_slides(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	set_left(s, &t, IDLE_MS - 30000);
	(void)put(s, &t, "a", "1");
	assert_true(writes(s) > 0);
	assert_in_range(left(s, &t), IDLE_MS - SLACK_MS, IDLE_MS);
}

static void the_dead_are_told_why(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct held_token gone = login(s, "ann", "");
	struct session_get_request req = {.token = token_of(&t)};
	struct session_get_result got;
	char key[64];

	end(s, &t);
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.outcome.reason, REASON_LOGOUT);
	session_key(&gone, key);
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
	req.token = token_of(&gone);
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(got.outcome.reason, REASON_NOT_FOUND_IN_STORE);
}

static void a_full_redis_is_no_obstacle(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	set_left(s, &t, IDLE_MS / 2);
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	(void)use(s, &t);
	assert_int_equal(writes(s), 1);
}

/* As when its disk is full: the rpc layer then asks for a plan that writes nothing. */
static void it_can_be_read_without_sliding(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_get_request req = {.token = token_of(&t)};
	struct session_get_result got;
	struct plan plan;
	enum plan_next next;

	set_left(s, &t, IDLE_MS / 2);
	assert_int_equal(session_get_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_true(session_get_unslid(&s->world.env, &plan));
	assert_int_equal(session_get_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &got, &s->st), STATUS_OK);
	assert_int_equal(got.outcome.verdict, VERDICT_VALID);
	assert_int_equal(writes(s), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, with_interval, without_interval)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(polling_writes_once_in_an_interval),
	    TEST(uses_are_counted),
	    TEST(last_seen_is_derived_in_between),
	    TEST(what_another_gave_is_not_shortened),
	    TEST(the_deadline_is_reached_and_not_passed),
	    TEST(near_the_deadline_two_instances_do_not_take_turns),
	    TEST(a_session_with_a_short_timeout_of_its_own_is_slid),
	    TEST(other_classes_slide_at_every_use),
	    TEST(without_an_interval_it_is_getex),
	    TEST(an_update_always_slides),
	    TEST(the_dead_are_told_why),
	    TEST(a_full_redis_is_no_obstacle),
	    TEST(it_can_be_read_without_sliding),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
