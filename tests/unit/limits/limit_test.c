/* Limits through plans and answers, on a real Redis and by its clock. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"
#include "limits/limits.h"

static const struct limit_check_request typical = {
    .name = {(const uint8_t *)"login:ip:192.0.2.1", 18}, .limit = 3, .per_ms = 600000, .cost = 1};

static enum status_code check(struct stage *s, const struct limit_check_request *req, struct limit_check_result *ret)
{
	struct plan plan = {0};
	enum status_code code = limit_check_plan(&s->world.env, req, &plan, &s->st);

	if (code != STATUS_OK)
		return code;
	s->last = plan.command;
	return limit_check_answer(&s->world.env, &plan, carry_out(s, &plan), ret, &s->st);
}

static struct limit_check_result must_check(struct stage *s, const struct limit_check_request *req)
{
	struct limit_check_result result = {0};

	if (check(s, req, &result) != STATUS_OK)
		fail_msg("check: %s", s->st.text);
	return result;
}

static bool reset(struct stage *s, enum limit_algorithm algorithm)
{
	const struct limit_reset_request req = {.name = typical.name, .algorithm = algorithm};
	struct limit_reset_result result = {0};
	struct plan plan = {0};

	assert_int_equal(limit_reset_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_int_equal(limit_reset_answer(&s->world.env, &plan, carry_out(s, &plan), &result, &s->st), STATUS_OK);
	assert_non_null(plan.redos);
	s->kept[0] = *plan.redos;
	s->kept_count = 1;
	return result.existed;
}

static void test_each_algorithm(void **state)
{
	struct stage *s = *state;

	for (enum limit_algorithm a = LIMIT_GCRA; a < LIMIT_ALGORITHMS; a++) {
		struct limit_check_request req = typical;
		struct limit_check_result r;

		req.algorithm = a;
		for (uint32_t left = 3; left-- > 0;) {
			r = must_check(s, &req);
			assert_true(r.allowed && r.remaining == left && r.retry_after_ms == 0);
			assert_in_range(r.reset_ms, 1, req.per_ms);
		}
		r = must_check(s, &req);
		assert_true(!r.allowed && r.remaining == 0);
		assert_in_range(r.retry_after_ms, 1, req.per_ms);
		assert_true(reset(s, a));
		assert_false(reset(s, a));
		assert_string_equal(redo(s, 0), "there");
		assert_true(must_check(s, &req).allowed);
	}
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), LIMIT_ALGORITHMS);
}

static void test_a_look_takes_nothing(void **state)
{
	struct stage *s = *state;

	for (enum limit_algorithm a = LIMIT_GCRA; a < LIMIT_ALGORITHMS; a++) {
		struct limit_check_request look = typical;
		struct limit_check_request all = typical;

		look.algorithm = all.algorithm = a;
		look.cost = 0;
		all.cost = 3;
		for (int i = 0; i < 5; i++)
			assert_int_equal(must_check(s, &look).remaining, 3);
		assert_false(s->last.is_write);
		assert_true(s->last.is_repeatable);
		assert_true(must_check(s, &all).allowed);
		assert_false(must_check(s, &look).allowed);
		assert_true(must_check(s, &look).retry_after_ms > 0);
	}
}

/* Such as somebody who has mistaken the limit: by its measure what was taken is over. */
static void test_a_look_at_another_limit_gives_nothing_back(void **state)
{
	struct stage *s = *state;

	for (enum limit_algorithm a = LIMIT_GCRA; a < LIMIT_ALGORITHMS; a++) {
		struct limit_check_request other = typical;
		struct limit_check_request all = typical;

		other.algorithm = all.algorithm = a;
		other.limit = other.per_ms = 1;
		other.cost = 0;
		all.cost = 3;
		assert_true(must_check(s, &all).allowed);
		/* Together they take longer than a millisecond. */
		for (int i = 0; i < 200; i++)
			(void)must_check(s, &other);
		assert_false(must_check(s, &all).allowed);
	}
}

static void test_limits_are_apart(void **state)
{
	struct limit_check_request req = typical;
	struct stage *s = *state;

	req.cost = 3;
	assert_true(must_check(s, &req).allowed);
	assert_false(must_check(s, &typical).allowed);
	req.name = SPAN_LIT("login:ip:192.0.2.2");
	assert_true(must_check(s, &req).allowed);
	s->world.env.realm = &s->world.realm_list[1];
	assert_true(must_check(s, &typical).allowed);
}

static void test_idempotency_key(void **state)
{
	struct stage *s = *state;

	for (enum limit_algorithm a = LIMIT_GCRA; a < LIMIT_ALGORITHMS; a++) {
		struct limit_check_request req = typical;
		struct limit_check_result r;

		req.algorithm = a;
		assert_int_equal(must_check(s, &req).remaining, 2);
		assert_false(s->last.is_repeatable);
		s->world.env.idempotency_key = SPAN_LIT("one");
		for (int i = 0; i < 3; i++) {
			r = must_check(s, &req);
			assert_true(r.allowed && r.remaining == 1);
			assert_true(s->last.is_repeatable && s->last.is_write);
		}
		req.limit = 4;
		assert_int_equal(check(s, &req, &r), STATUS_ALREADY_EXISTS);
		req.limit = 3;
		/* A refusal is asked anew: nothing was taken. */
		s->world.env.idempotency_key = SPAN_LIT("two");
		req.cost = 2;
		assert_false(must_check(s, &req).allowed);
		assert_true(reset(s, a));
		assert_true(must_check(s, &req).allowed);
		s->world.env.idempotency_key = SPAN_EMPTY;
	}
}

static void test_nothing_stands_in_clear_or_for_ever(void **state)
{
	struct stage *s = *state;
	redisReply *keys;

	s->world.env.idempotency_key = SPAN_LIT("one");
	for (enum limit_algorithm a = LIMIT_GCRA; a < LIMIT_ALGORITHMS; a++) {
		struct limit_check_request req = typical;

		req.algorithm = a;
		(void)must_check(s, &req);
	}
	keys = real_redis_ask(&s->redis, "KEYS *");
	assert_int_equal(keys->elements, 2 * LIMIT_ALGORITHMS);
	for (size_t i = 0; i < keys->elements; i++) {
		assert_null(strstr(keys->element[i]->str, "typical"));
		assert_in_range(real_redis_number(&s->redis, "PTTL %s", keys->element[i]->str), 1, 600002);
	}
	freeReplyObject(keys);
}

/* A thousand grants that are over do not hold one check up, and are dropped by those that follow. */
static void test_sliding_window_drops_what_is_over(void **state)
{
	struct limit_check_request req = typical;
	struct stage *s = *state;
	redisReply *key;

	req.algorithm = LIMIT_SLIDING_WINDOW;
	req.limit = 10000;
	req.per_ms = 3600000;
	for (int i = 0; i < 300; i++)
		assert_true(must_check(s, &req).allowed);
	key = real_redis_ask(&s->redis, "RANDOMKEY");
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", key->str), 300);
	req.per_ms = 1;
	/* All are over, but the last of them, if this is as fast. */
	assert_true(must_check(s, &req).allowed);
	assert_true(real_redis_number(&s->redis, "ZCARD %s", key->str) <= 202);
	freeReplyObject(key);
}

static void test_bad_requests(void **state)
{
	static const struct {
		struct limit_check_request req;
		const char *says;
	} cases[] = {
	    {{.limit = 1, .per_ms = 1}, "name has 0 bytes"},
	    {{.name = {(const uint8_t *)"n", 1}, .per_ms = 1}, "limit 0"},
	    {{.name = {(const uint8_t *)"n", 1}, .limit = 1000001, .per_ms = 1}, "limit 1000001"},
	    {{.name = {(const uint8_t *)"n", 1}, .limit = 10001, .per_ms = 1, .algorithm = LIMIT_SLIDING_WINDOW},
	     "1 to 10000 are allowed with SLIDING_WINDOW"},
	    {{.name = {(const uint8_t *)"n", 1}, .limit = 1}, "per_ms 0"},
	    {{.name = {(const uint8_t *)"n", 1}, .limit = 1, .per_ms = 2592000001U}, "per_ms 2592000001"},
	    {{.name = {(const uint8_t *)"n", 1}, .limit = 1, .per_ms = 1, .burst = 1000001}, "burst 1000001"},
	    {{.name = {(const uint8_t *)"n", 1}, .limit = 1, .per_ms = 2592000000U, .burst = 2}, "more than 30 days"},
	    {{.name = {(const uint8_t *)"n", 1}, .limit = 5, .per_ms = 1, .cost = 6}, "cost 6: no more than 5"},
	    {{.name = {(const uint8_t *)"n", 1}, .limit = 5, .per_ms = 1, .algorithm = LIMIT_ALGORITHMS},
	     "algorithm 4"},
	};
	struct limit_check_result r;
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(check(s, &cases[i].req, &r), STATUS_INVALID_ARGUMENT);
		if (strstr(s->st.text, cases[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", s->st.text, cases[i].says);
	}
}

static void test_odd_replies(void **state)
{
	const struct store_reply word = {.type = STORE_STRING, .string = SPAN_LIT("ok")};
	const struct store_reply number = {.type = STORE_INTEGER, .integer = -1};
	const struct store_reply *elements[] = {&word, &number, &number, &number, &number};
	const struct store_reply odd[] = {
	    {.type = STORE_NIL},
	    {.type = STORE_STRING, .string = SPAN_LIT("ok")},
	    {.type = STORE_ARRAY, .count = 1, .elements = elements},
	    {.type = STORE_ARRAY, .count = 5, .elements = elements},
	};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct limit_check_result result;
		struct limit_reset_result was;
		struct plan plan = {0};

		assert_int_equal(limit_check_answer(&s->world.env, &plan, &odd[i], &result, &s->st), STATUS_INTERNAL);
		assert_int_equal(limit_reset_answer(&s->world.env, &plan, &odd[i], &was, &s->st), STATUS_INTERNAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_each_algorithm, stage_reset),
	    cmocka_unit_test_setup(test_a_look_takes_nothing, stage_reset),
	    cmocka_unit_test_setup(test_a_look_at_another_limit_gives_nothing_back, stage_reset),
	    cmocka_unit_test_setup(test_limits_are_apart, stage_reset),
	    cmocka_unit_test_setup(test_idempotency_key, stage_reset),
	    cmocka_unit_test_setup(test_nothing_stands_in_clear_or_for_ever, stage_reset),
	    cmocka_unit_test_setup(test_sliding_window_drops_what_is_over, stage_reset),
	    cmocka_unit_test_setup(test_bad_requests, stage_reset),
	    cmocka_unit_test_setup(test_odd_replies, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
