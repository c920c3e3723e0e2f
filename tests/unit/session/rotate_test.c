/* Rotating a session, and what its old token is good for while it stands for the successor. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/codec.h"
#include "history.h"
#include "session/lineage.h"
#include "session/validate.h"

static struct session_get_result get(struct stage *s, const struct held_token *t)
{
	const struct session_get_request req = {.token = token_of(t)};
	struct session_get_result result = {0};

	assert_int_equal(do_get(s, &req, &result), STATUS_OK);
	return result;
}

static void expect_successor(struct stage *s, const struct held_token *old, const struct held_token *successor)
{
	const struct session_get_result result = get(s, old);

	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	assert_true(span_eq(result.successor, token_of(successor)));
	assert_memory_equal(result.info.handle, successor->handle, HANDLE_CHARS);
}

static void expect_one_entry(struct stage *s, const struct held_token *t)
{
	char key[64];

	index_key(t, key);
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", key), 1);
	assert_int_equal(real_redis_number(&s->redis, "ZRANK %s %b", key, t->handle + 12, (size_t)16), 0);
}

static void the_successor_is_the_same_session(void **state)
{
	struct stage *s = *state;
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_create_request create = {.user = SPAN_LIT("ann"),
						      .class_name = SPAN_LIT("remember"),
						      .attribute_count = 1,
						      .attributes = &set,
						      .device = {.label = SPAN_LIT("phone")},
						      .authentication = {.aal = 2}};
	struct session_create_result made;
	struct session_rotate_result rotated;
	struct session_rotate_request req = {0};
	struct held_token next;
	struct session_get_result seen;

	assert_int_equal(do_create(s, &create, &made), STATUS_OK);
	req.token = made.token;
	s->world.env.now_ms += 5000;
	assert_int_equal(do_rotate(s, &req, &rotated), STATUS_OK);
	assert_int_equal(rotated.outcome.verdict, VERDICT_VALID);
	assert_memory_not_equal(rotated.info.handle, made.info.handle, HANDLE_CHARS);
	memcpy(next.text, rotated.token, TOKEN_CHARS);
	memcpy(next.handle, rotated.info.handle, HANDLE_CHARS);
	seen = get(s, &next);
	assert_int_equal(seen.outcome.verdict, VERDICT_VALID);
	assert_int_equal(seen.successor.len, 0);
	assert_true(span_eq(seen.info.user, SPAN_LIT("ann")));
	assert_true(span_eq(seen.info.class_name, SPAN_LIT("remember")));
	assert_true(span_eq(seen.info.device.label, SPAN_LIT("phone")));
	assert_int_equal(seen.info.created_at_ms, made.info.created_at_ms);
	assert_int_equal(seen.info.expires_at_ms, made.info.expires_at_ms);
	assert_int_equal(seen.info.authentication.aal, 2);
	assert_int_equal(seen.info.authentication.at_ms, WORLD_NOW_MS);
	assert_int_equal(seen.attribute_count, 1);
	/* What rotate said, but for what it is not asked for. */
	assert_int_equal(rotated.info.version, seen.info.version);
	assert_int_equal(rotated.info.expires_at_ms, seen.info.expires_at_ms);
	assert_int_equal(rotated.info.idle_expires_at_ms, seen.info.idle_expires_at_ms);
	expect_one_entry(s, &next);
}

static void the_old_token_stands_for_the_successor(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct held_token b = rotate(s, &a);

	expect_successor(s, &a, &b);
	assert_true(is_valid(s, &a));
	s->world.env.now_ms += WORLD_GRACE_S * 1000 - 1;
	expect_successor(s, &a, &b);
	expect_one_entry(s, &b);
	/* A second round trip, and only for those who show the old one. */
	s->commands = 0;
	(void)get(s, &a);
	assert_int_equal(s->commands, 2);
	(void)get(s, &b);
	assert_int_equal(s->commands, 3);
}

static void all_who_rotate_it_get_the_same(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct held_token b = rotate(s, &a);

	for (int i = 0; i < 3; i++) {
		const struct held_token again = rotate(s, &a);

		assert_memory_equal(&again, &b, sizeof(b));
	}
	expect_one_entry(s, &b);
}

/* The rotations that came behind have graces of their own; the token shown is in its. */
static void a_chain_is_followed_to_its_end(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct held_token b = rotate(s, &a);
	const struct held_token c = rotate_within(s, &b, 0);
	const struct held_token d = rotate_within(s, &c, 0);
	const struct held_token again = rotate(s, &a);

	expect_successor(s, &a, &d);
	assert_memory_equal(&again, &d, sizeof(d));
	assert_int_equal(put(s, &a, "k", "v"), 2);
	expect_attribute(s, &d, "k", "v");
	expect_one_entry(s, &d);
}

static void a_chain_has_an_end(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_get_request get_a = {.token = token_of(&a)};
	struct session_get_result result;
	struct held_token t = a;

	for (int i = 0; i < FORWARD_HOPS_MAX; i++) {
		t = rotate(s, &t);
		world_fresh(&s->world);
	}
	expect_successor(s, &a, &t);
	t = rotate(s, &t);
	/* Not INVALID: the session lives. */
	assert_int_equal(do_get(s, &get_a, &result), STATUS_FAILED_PRECONDITION);
	assert_true(is_valid(s, &t));
}

static void a_step_up_raises_the_successor_only(void **state)
{
	struct stage *s = *state;
	const struct session_create_request create = {
	    .user = SPAN_LIT("ann"), .authentication = {.aal = 1, .amr_count = 1, .amr = {SPAN_LIT("pwd")}}};
	struct session_create_result made;
	struct session_rotate_result up;
	struct session_rotate_request req = {.has_authentication = true,
					     .authentication = {.aal = 2, .amr_count = 1, .amr = {SPAN_LIT("otp")}}};
	struct session_get_request look_up = {.minimum_aal = 2};
	struct session_get_result result;

	assert_int_equal(do_create(s, &create, &made), STATUS_OK);
	req.token = made.token;
	s->world.env.now_ms += 5000;
	assert_int_equal(do_rotate(s, &req, &up), STATUS_OK);
	/* Of now, when the request does not say. */
	assert_int_equal(up.info.authentication.at_ms, WORLD_NOW_MS + 5000);
	assert_int_equal(up.info.authentication.aal, 2);
	look_up.token = span_of(up.token, TOKEN_CHARS);
	assert_int_equal(do_get(s, &look_up, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	look_up.token = made.token;
	assert_int_equal(do_get(s, &look_up, &result), STATUS_OK);
	assert_int_equal(result.outcome.reason, REASON_ASSURANCE_TOO_LOW);
	look_up.minimum_aal = 1;
	assert_int_equal(do_get(s, &look_up, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	assert_int_equal(result.info.authentication.aal, 1);
	assert_int_equal(result.info.authentication.at_ms, WORLD_NOW_MS);
	assert_true(span_eq(result.info.authentication.amr[0], SPAN_LIT("pwd")));
	assert_int_equal(result.successor.len, 0);
	look_up.authenticated_within_s = 4;
	assert_int_equal(do_get(s, &look_up, &result), STATUS_OK);
	assert_int_equal(result.outcome.reason, REASON_ASSURANCE_TOO_LOW);
}

/* A thief has the old token too. */
static void a_step_up_is_shared_by_those_who_prove_as_much(void **state)
{
	struct stage *s = *state;
	const struct session_create_request create = {.user = SPAN_LIT("ann"), .authentication = {.aal = 1}};
	struct session_create_result made;
	struct session_rotate_request req = {.has_authentication = true,
					     .authentication = {.aal = 2, .amr_count = 1, .amr = {SPAN_LIT("otp")}}};
	struct session_rotate_result up;
	struct session_rotate_result other;

	assert_int_equal(do_create(s, &create, &made), STATUS_OK);
	req.token = made.token;
	s->world.env.now_ms += 1000;
	assert_int_equal(do_rotate(s, &req, &up), STATUS_OK);
	s->world.env.now_ms += 1000;
	assert_int_equal(do_rotate(s, &(struct session_rotate_request){.token = made.token}, &other), STATUS_OK);
	assert_int_equal(other.outcome.reason, REASON_ASSURANCE_TOO_LOW);
	req.authentication.aal = 1;
	assert_int_equal(do_rotate(s, &req, &other), STATUS_OK);
	assert_int_equal(other.outcome.reason, REASON_ASSURANCE_TOO_LOW);
	/* Levels may say nothing, or the same, of another method. */
	req.authentication.aal = 2;
	req.authentication.amr[0] = SPAN_LIT("pwd");
	assert_int_equal(do_rotate(s, &req, &other), STATUS_OK);
	assert_int_equal(other.outcome.reason, REASON_ASSURANCE_TOO_LOW);
	req.authentication.amr_count = 2;
	req.authentication.amr[1] = SPAN_LIT("otp");
	assert_int_equal(do_rotate(s, &req, &other), STATUS_OK);
	assert_int_equal(other.outcome.verdict, VERDICT_VALID);
	assert_memory_equal(other.token, up.token, TOKEN_CHARS);
}

static void a_step_down_lowers_the_old_token_too(void **state)
{
	struct stage *s = *state;
	const struct session_create_request create = {.user = SPAN_LIT("ann"), .authentication = {.aal = 3}};
	struct session_create_result made;
	struct session_rotate_result down;
	struct session_rotate_request req = {.has_authentication = true, .authentication = {.aal = 1}};
	struct session_get_request look_up = {0};
	struct session_get_result result;

	assert_int_equal(do_create(s, &create, &made), STATUS_OK);
	req.token = look_up.token = made.token;
	assert_int_equal(do_rotate(s, &req, &down), STATUS_OK);
	assert_int_equal(do_get(s, &look_up, &result), STATUS_OK);
	assert_int_equal(result.info.authentication.aal, 1);
}

static void updates_by_the_old_token_reach_the_successor(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("3")};
	struct session_update_request req = {
	    .token = token_of(&a), .set_count = 1, .set = &set, .has_expected_version = true, .expected_version = 2};
	struct session_update_result result;
	struct held_token b;

	assert_int_equal(put(s, &a, "a", "1"), 2);
	b = rotate(s, &a);
	expect_attribute(s, &b, "a", "1");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 3);
	assert_int_equal(do_update(s, &req, &result), STATUS_ABORTED);
	assert_int_equal(result.version, 3);
	expect_attribute(s, &b, "a", "3");
	expect_attribute(s, &a, "a", "3");
	/* Also when it has to be written anew. */
	for (uint64_t version = 4; version < 4 + 2 * DELTAS_MAX; version++)
		assert_int_equal(put(s, &a, "b", "x"), version);
	expect_attribute(s, &b, "b", "x");
	/* And what was made then is kept under the successor. */
	assert_true(span_eq(s->kept[s->kept_count - 1].command.key, s->last.key));
}

static void an_update_is_repeated_over_a_rotation(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request req = {.token = token_of(&a), .set_count = 1, .set = &set};
	struct session_update_result result;

	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 2);
	s->world.env.idempotency_key = SPAN_EMPTY;
	(void)rotate(s, &a);
	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 2);
}

/* Between reading the record and storing the successor. */
static void what_comes_between_is_not_lost(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_rotate_request req = {.token = token_of(&a)};
	struct session_rotate_result result = {0};
	struct plan plan;
	struct held_token b;
	enum plan_next next;
	int steps = 0;

	assert_int_equal(session_rotate_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	do {
		const struct store_reply *reply = carry_out(s, &plan);

		assert_int_equal(session_rotate_answer(&s->world.env, &plan, reply, &next, &result, &s->st), STATUS_OK);
		if (steps++ == 0)
			(void)put(s, &a, "a", "between");
	} while (next == PLAN_AGAIN);
	assert_int_equal(steps, 3);
	memcpy(b.text, result.token, TOKEN_CHARS);
	expect_attribute(s, &b, "a", "between");
	assert_int_equal(result.info.version, 2);
}

/* One update by another, whose memory is its own. */
static void put_meanwhile(struct stage *s, const struct held_token *t)
{
	arena *ours = s->world.env.arena;

	s->world.env.arena = arena_new(4096, PLAN_BYTES_MAX);
	assert_non_null(s->world.env.arena);
	(void)put(s, t, "c", "between");
	arena_free(&s->world.env.arena);
	s->world.env.arena = ours;
}

/* Others update it in each of the tries. The answer does not tell the caller to ask for less. */
static void a_large_session_is_not_tried_for_ever(void **state)
{
	enum { BYTES = 16000 };
	static uint8_t values[2][BYTES];
	struct stage *s = *state;
	const struct session_attribute set[] = {{SPAN_LIT("a"), span_of(values[0], BYTES)},
						{SPAN_LIT("b"), span_of(values[1], BYTES)}};
	const struct held_token a = login(s, "ann", "");
	const struct session_update_request update = {.token = token_of(&a), .set_count = 2, .set = set};
	const struct session_rotate_request req = {.token = token_of(&a)};
	struct session_update_result updated = {0};
	struct session_rotate_result result = {0};
	enum plan_next next = PLAN_AGAIN;
	enum status_code code;
	struct plan plan;
	int tries = 0;

	random_fill(values, sizeof(values));
	assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
	world_fresh(&s->world);
	code = session_rotate_plan(&s->world.env, &req, &plan, &s->st);
	for (int i = 0; code == STATUS_OK && next == PLAN_AGAIN; i++) {
		const struct store_reply *reply = carry_out(s, &plan);

		assert_in_range(i, 0, PLAN_STEPS_MAX);
		code = session_rotate_answer(&s->world.env, &plan, reply, &next, &result, &s->st);
		put_meanwhile(s, &a);
		tries += next == PLAN_AGAIN ? 1 : 0;
	}
	assert_true(tries > 2);
	assert_int_equal(code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(s->st.text, "others update the session"));
	assert_true(s->st.retry_after_ms > 0);
	world_fresh(&s->world);
	assert_int_equal(do_rotate(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
}

static void what_has_ended_is_not_rotated(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_rotate_request req = {.token = token_of(&a)};
	struct session_rotate_result result = {0};

	end(s, &a);
	assert_int_equal(do_rotate(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(result.outcome.reason, REASON_LOGOUT);
	flush(s);
	assert_int_equal(do_rotate(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.reason, REASON_NOT_FOUND_IN_STORE);
	s->world.env.is_unsettled = true;
	assert_int_equal(do_rotate(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_UNKNOWN);
	s->world.env.now_ms += WORLD_ABSOLUTE_S * 1000ULL;
	assert_int_equal(do_rotate(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.reason, REASON_ABSOLUTE_TIMEOUT);
}

static void the_deadline_stays(void **state)
{
	struct stage *s = *state;
	struct held_token t = login(s, "ann", "");
	char key[64];

	s->world.env.now_ms += (WORLD_ABSOLUTE_S - 60) * 1000ULL;
	session_key(&t, key);
	freeReplyObject(real_redis_ask(&s->redis, "PERSIST %s", key));
	t = rotate(s, &t);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), 1, 60000);
	session_key(&t, key);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), 1, 60000);
	index_key(&t, key);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), 1, WORLD_ABSOLUTE_S * 1000);
	s->world.env.now_ms += 60000;
	assert_int_equal(look(s, &t).reason, REASON_ABSOLUTE_TIMEOUT);
}

static void a_key_that_is_rotated_out_moves_on(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	struct held_token b;

	(void)put(s, &a, "a", "1");
	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	b = rotate(s, &a);
	world_use_keyring(&s->world, WORLD_KEYRING_RETIRED);
	expect_attribute(s, &b, "a", "1");
	assert_int_equal(look(s, &a).reason, REASON_RETIRED_KEY);
}

static void bad_requests_are_refused(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	struct session_rotate_request req = {.token = token_of(&a), .has_authentication = true};
	struct session_rotate_result result;

	s->commands = 0;
	req.authentication.aal = AAL_MAX + 1;
	assert_int_equal(do_rotate(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.authentication.aal = 1;
	req.authentication.at_ms = s->world.env.now_ms + 3600000;
	assert_int_equal(do_rotate(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.authentication.at_ms = 0;
	req.token = SPAN_LIT("lks1_none");
	assert_int_equal(do_rotate(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.reason, REASON_MALFORMED);
	assert_int_equal(s->commands, 0);
}

/* ---- Idempotency keys ---- */

static struct session_rotate_result rotate_by_key(struct stage *s, const struct held_token *t, const char *key)
{
	const struct session_rotate_request req = {.token = token_of(t), .has_grace = true, .grace_s = 1};
	struct session_rotate_result result = {0};

	s->world.env.idempotency_key = span_str(key);
	if (do_rotate(s, &req, &result) != STATUS_OK)
		fail_msg("rotate: %s", s->st.text);
	s->world.env.idempotency_key = SPAN_EMPTY;
	return result;
}

/* Whoever missed the answer asks again with the same key: no theft, however late. */
static void a_repetition_after_the_grace_is_none(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_rotate_result first = rotate_by_key(s, &a, "first");
	const struct session_rotate_result racer = rotate_by_key(s, &a, "racer");
	struct session_rotate_result again;

	assert_memory_equal(racer.token, first.token, TOKEN_CHARS);
	s->world.env.now_ms += 5000;
	again = rotate_by_key(s, &a, "first");
	assert_memory_equal(again.token, first.token, TOKEN_CHARS);
	again = rotate_by_key(s, &a, "racer");
	assert_memory_equal(again.token, first.token, TOKEN_CHARS);
	again = rotate_by_key(s, &a, "late");
	assert_int_equal(again.outcome.reason, REASON_REUSE_DETECTED);
	again = rotate_by_key(s, &a, "first");
	assert_int_equal(again.outcome.reason, REASON_REUSE_DETECTED);
}

static void a_repetition_comes_to_the_session_that_lives(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_rotate_result first = rotate_by_key(s, &a, "first");
	struct held_token b;
	struct held_token c;
	struct session_rotate_result again;

	memcpy(b.text, first.token, TOKEN_CHARS);
	c = rotate_within(s, &b, 0);
	s->world.env.now_ms += 5000;
	again = rotate_by_key(s, &a, "first");
	assert_memory_equal(again.token, c.text, TOKEN_CHARS);
}

static void a_key_is_for_one_request(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct held_token other = login(s, "ann", "");
	struct session_rotate_request req = {.token = token_of(&other)};
	struct session_rotate_result result;

	(void)rotate_by_key(s, &a, "key");
	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_rotate(s, &req, &result), STATUS_ALREADY_EXISTS);
	req.token = token_of(&a);
	assert_int_equal(do_rotate(s, &req, &result), STATUS_ALREADY_EXISTS);
	s->world.env.now_ms += 5000;
	assert_int_equal(do_rotate(s, &req, &result), STATUS_ALREADY_EXISTS);
	s->world.env.idempotency_key = SPAN_EMPTY;
	assert_true(is_valid(s, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_successor_is_the_same_session, stage_reset),
	    cmocka_unit_test_setup(the_old_token_stands_for_the_successor, stage_reset),
	    cmocka_unit_test_setup(all_who_rotate_it_get_the_same, stage_reset),
	    cmocka_unit_test_setup(a_chain_is_followed_to_its_end, stage_reset),
	    cmocka_unit_test_setup(a_chain_has_an_end, stage_reset),
	    cmocka_unit_test_setup(a_step_up_raises_the_successor_only, stage_reset),
	    cmocka_unit_test_setup(a_step_up_is_shared_by_those_who_prove_as_much, stage_reset),
	    cmocka_unit_test_setup(a_step_down_lowers_the_old_token_too, stage_reset),
	    cmocka_unit_test_setup(updates_by_the_old_token_reach_the_successor, stage_reset),
	    cmocka_unit_test_setup(an_update_is_repeated_over_a_rotation, stage_reset),
	    cmocka_unit_test_setup(what_comes_between_is_not_lost, stage_reset),
	    cmocka_unit_test_setup(a_large_session_is_not_tried_for_ever, stage_reset),
	    cmocka_unit_test_setup(what_has_ended_is_not_rotated, stage_reset),
	    cmocka_unit_test_setup(the_deadline_stays, stage_reset),
	    cmocka_unit_test_setup(a_key_that_is_rotated_out_moves_on, stage_reset),
	    cmocka_unit_test_setup(bad_requests_are_refused, stage_reset),
	    cmocka_unit_test_setup(a_repetition_after_the_grace_is_none, stage_reset),
	    cmocka_unit_test_setup(a_repetition_comes_to_the_session_that_lives, stage_reset),
	    cmocka_unit_test_setup(a_key_is_for_one_request, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
