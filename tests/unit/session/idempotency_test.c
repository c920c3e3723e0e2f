/* Repetitions of create and update under an idempotency key, on a real Redis. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"

static void a_repeated_create_gets_the_same_answer(void **state)
{
	struct stage *s = *state;
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_create_request req = {.user = SPAN_LIT("ann"), .attribute_count = 1, .attributes = &set};
	struct session_create_result first;
	struct session_create_result again;
	struct held_token logins[WORLD_CAP];

	for (int i = 0; i < WORLD_CAP; i++)
		logins[i] = login(s, "ann", "");
	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_create(s, &req, &first), STATUS_OK);
	assert_int_equal(first.evicted_count, 1);
	s->world.env.now_ms += 5000;
	assert_int_equal(do_create(s, &req, &again), STATUS_OK);
	assert_memory_equal(first.token.ptr, again.token.ptr, TOKEN_CHARS);
	assert_memory_equal(first.info.handle, again.info.handle, HANDLE_CHARS);
	assert_int_equal(again.info.created_at_ms, first.info.created_at_ms);
	assert_int_equal(again.info.idle_expires_at_ms, first.info.idle_expires_at_ms);
	assert_int_equal(again.info.expires_at_ms, first.info.expires_at_ms);
	assert_int_equal(again.evicted_count, 1);
	assert_memory_equal(again.evicted[0], first.evicted[0], HANDLE_CHARS);
	(void)logins;
}

static void another_request_is_refused(void **state)
{
	struct stage *s = *state;
	struct session_attribute set = {SPAN_LIT("ab"), SPAN_LIT("c")};
	struct session_create_request req = {.user = SPAN_LIT("ann"), .attribute_count = 1, .attributes = &set};
	struct session_create_result made;

	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	set = (struct session_attribute){SPAN_LIT("a"), SPAN_LIT("bc")};
	assert_int_equal(do_create(s, &req, &made), STATUS_ALREADY_EXISTS);
	set = (struct session_attribute){SPAN_LIT("ab"), SPAN_LIT("c")};
	req.authentication.aal = 1;
	assert_int_equal(do_create(s, &req, &made), STATUS_ALREADY_EXISTS);
	req.authentication.aal = 0;
	req.device.ip = SPAN_LIT("192.0.2.1");
	assert_int_equal(do_create(s, &req, &made), STATUS_ALREADY_EXISTS);
	req.device.ip = SPAN_EMPTY;
	req.idle_timeout_s = 60;
	assert_int_equal(do_create(s, &req, &made), STATUS_ALREADY_EXISTS);
	req.idle_timeout_s = 0;
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 3);
}

static void keys_belong_to_caller_realm_and_user(void **state)
{
	struct stage *s = *state;
	struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made[4];

	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_create(s, &req, &made[0]), STATUS_OK);
	s->world.env.caller = SPAN_LIT("another");
	assert_int_equal(do_create(s, &req, &made[1]), STATUS_OK);
	s->world.env.caller = SPAN_LIT("caller");
	s->world.env.realm = &s->world.realm_list[1];
	assert_int_equal(do_create(s, &req, &made[2]), STATUS_OK);
	s->world.env.realm = &s->world.realm_list[0];
	req.user = SPAN_LIT("ben");
	assert_int_equal(do_create(s, &req, &made[3]), STATUS_OK);
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(made[i].token.ptr, made[k].token.ptr, TOKEN_CHARS);
}

static void memories_are_kept_for_a_while_and_open_under_their_keys_only(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result first;
	struct session_create_result again;
	redisReply *keys;

	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_create(s, &req, &first), STATUS_OK);
	keys = real_redis_ask(&s->redis, "KEYS lk1:i:*");
	assert_int_equal(keys->elements, 1);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", keys->element[0]->str), IDEMPOTENCY_S * 1000 - 20000,
			IDEMPOTENCY_S * 1000);
	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	assert_int_equal(do_create(s, &req, &again), STATUS_OK);
	assert_memory_equal(first.token.ptr, again.token.ptr, TOKEN_CHARS);
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 50 x", keys->element[0]->str));
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 51 y", keys->element[0]->str));
	assert_int_equal(do_create(s, &req, &again), STATUS_DATA_LOSS);
	freeReplyObject(keys);
}

static void a_memory_is_bound_to_its_key(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made;
	redisReply *keys;

	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	keys = real_redis_ask(&s->redis, "KEYS lk1:i:*");
	s->world.env.idempotency_key = SPAN_LIT("key-2");
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	for (int i = 0; i < 2; i++) {
		redisReply *now = real_redis_ask(&s->redis, "KEYS lk1:i:*");
		const char *other = now->element[0]->str;

		assert_int_equal(now->elements, 2);
		if (strcmp(other, keys->element[0]->str) == 0)
			other = now->element[1]->str;
		freeReplyObject(real_redis_ask(&s->redis, "COPY %s %s REPLACE", keys->element[0]->str, other));
		freeReplyObject(now);
	}
	assert_int_equal(do_create(s, &req, &made), STATUS_DATA_LOSS);
	freeReplyObject(keys);
}

static void a_repeated_update_is_applied_once(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("n"), SPAN_LIT("1")};
	struct session_update_request req = {
	    .token = token_of(&t), .set_count = 1, .set = &set, .has_expected_version = true, .expected_version = 1};
	struct session_update_result result;

	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 2);
	s->world.env.idempotency_key = SPAN_EMPTY;
	assert_int_equal(put(s, &t, "n", "2"), 3);
	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	assert_int_equal(result.version, 2);
	expect_attribute(s, &t, "n", "2");
	req.expected_version = 3;
	assert_int_equal(do_update(s, &req, &result), STATUS_ALREADY_EXISTS);
	expect_attribute(s, &t, "n", "2");
}

static void a_repeated_update_of_another_session_is_refused(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct held_token t2 = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("n"), SPAN_LIT("1")};
	struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct session_update_result result;

	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	req.token = token_of(&t2);
	assert_int_equal(do_update(s, &req, &result), STATUS_ALREADY_EXISTS);
	expect_attribute(s, &t2, "n", "-");
}

static void a_repeated_update_tells_that_the_session_has_ended(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("n"), SPAN_LIT("1")};
	const struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	const struct session_revoke_request revoke = {.token = token_of(&t)};
	struct session_update_result result;
	struct session_revoke_result revoked;

	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(do_revoke(s, &revoke, &revoked), STATUS_OK);
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(result.outcome.reason, REASON_LOGOUT);
}

static void a_repeated_rewrite_is_applied_once(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("n"), SPAN_LIT("17")};
	const struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct session_update_result result;

	for (int i = 0; i < 16; i++)
		(void)put(s, &t, "n", "0");
	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 18);
	s->world.env.idempotency_key = SPAN_EMPTY;
	(void)put(s, &t, "n", "18");
	s->world.env.idempotency_key = SPAN_LIT("key-1");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 18);
	expect_attribute(s, &t, "n", "18");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_repeated_create_gets_the_same_answer, stage_reset),
	    cmocka_unit_test_setup(another_request_is_refused, stage_reset),
	    cmocka_unit_test_setup(keys_belong_to_caller_realm_and_user, stage_reset),
	    cmocka_unit_test_setup(memories_are_kept_for_a_while_and_open_under_their_keys_only, stage_reset),
	    cmocka_unit_test_setup(a_memory_is_bound_to_its_key, stage_reset),
	    cmocka_unit_test_setup(a_repeated_update_is_applied_once, stage_reset),
	    cmocka_unit_test_setup(a_repeated_update_of_another_session_is_refused, stage_reset),
	    cmocka_unit_test_setup(a_repeated_update_tells_that_the_session_has_ended, stage_reset),
	    cmocka_unit_test_setup(a_repeated_rewrite_is_applied_once, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
