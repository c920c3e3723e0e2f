/* Ending sessions, one or all of a user's, on a real Redis. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"

#define TOMBSTONE_MS (WORLD_TOMBSTONE_S * 1000LL)
#define ABSOLUTE_MS  (WORLD_ABSOLUTE_S * 1000LL)

static bool revoke(struct stage *s, const struct held_token *t, enum session_reason reason)
{
	const struct session_revoke_request req = {.token = token_of(t), .reason = reason};
	struct session_revoke_result result;

	if (do_revoke(s, &req, &result) != STATUS_OK)
		fail_msg("revoke: %s", s->st.text);
	return result.was_alive;
}

static bool revoke_handle(struct stage *s, const struct held_token *t)
{
	const struct session_revoke_request req = {.handle = handle_text(t), .reason = REASON_ADMIN};
	struct session_revoke_result result;

	if (do_revoke(s, &req, &result) != STATUS_OK)
		fail_msg("revoke: %s", s->st.text);
	return result.was_alive;
}

static void expect_no_handle(struct stage *s, const struct held_token *t)
{
	const struct session_revoke_request req = {.handle = handle_text(t), .reason = REASON_ADMIN};
	struct session_revoke_result result;

	assert_int_equal(do_revoke(s, &req, &result), STATUS_NOT_FOUND);
}

static void the_first_reason_stands(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char index[64];

	index_key(&t, index);
	assert_true(revoke(s, &t, REASON_CREDENTIAL_CHANGE));
	s->world.env.now_ms += 1000;
	assert_false(revoke(s, &t, REASON_LOGOUT));
	assert_int_equal(look(s, &t).reason, REASON_CREDENTIAL_CHANGE);
	assert_int_equal(look(s, &t).revoked_at_ms, WORLD_NOW_MS);
	assert_int_equal(real_redis_number(&s->redis, "EXISTS %s", index), 0);
}

static void a_tombstone_lives_no_longer_than_it_must(void **state)
{
	struct stage *s = *state;
	const struct held_token whole = login(s, "ann", "");
	const struct held_token idle = login(s, "ann", "");
	const struct held_token late = login(s, "ann", "");
	char key[64];

	assert_true(revoke(s, &whole, REASON_NONE));
	expect_session_ttl(s, &whole, TOMBSTONE_MS);
	session_key(&idle, key);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s 40000", key), 1);
	/* The idle timeout is the record's; why it ended is remembered for longer. */
	assert_true(revoke(s, &idle, REASON_NONE));
	expect_session_ttl(s, &idle, TOMBSTONE_MS);
	s->world.env.now_ms = WORLD_DEADLINE_MS - 50000;
	assert_true(revoke(s, &late, REASON_NONE));
	expect_session_ttl(s, &late, 50000);
}

/* Of a rotated session the index tells a little more than the deadline. */
static struct held_token login_and_rotate(struct stage *s)
{
	const struct held_token first = login(s, "ann", "");

	return rotate(s, &first);
}

static void a_tombstone_by_handle_knows_the_deadline(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login_and_rotate(s);

	s->world.env.now_ms = WORLD_DEADLINE_MS - 50000;
	assert_true(revoke_handle(s, &t));
	expect_session_ttl(s, &t, 50000);
}

static void a_tombstone_of_all_knows_the_deadline(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login_and_rotate(s);
	const struct session_revoke_user_request req = {.user = SPAN_LIT("ann")};
	struct session_revoke_user_result result;

	s->world.env.now_ms = WORLD_DEADLINE_MS - 50000;
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, 1);
	expect_session_ttl(s, &t, 50000);
}

static void a_token_leaves_a_tombstone_where_no_record_is(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	assert_false(revoke(s, &t, REASON_ADMIN));
	assert_int_equal(look(s, &t).reason, REASON_ADMIN);
	expect_session_ttl(s, &t, TOMBSTONE_MS);
}

static void a_newer_record_can_be_revoked(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char key[64];

	session_key(&t, key);
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %b PX 90000", key, "\4newer", (size_t)6));
	assert_true(revoke(s, &t, REASON_NONE));
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
}

static void a_handle_revokes_in_its_realm_only(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	s->world.env.realm = &s->world.realm_list[1];
	expect_no_handle(s, &t);
	s->world.env.realm = &s->world.realm_list[0];
	assert_true(is_valid(s, &t));
	assert_true(revoke_handle(s, &t));
	assert_int_equal(look(s, &t).reason, REASON_ADMIN);
	expect_session_ttl(s, &t, TOMBSTONE_MS);
	s->world.env.now_ms += 1;
	assert_false(revoke_handle(s, &t));
	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	expect_no_handle(s, &t);
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 0);
}

static void what_names_no_session_is_refused(void **state)
{
	struct stage *s = *state;
	struct held_token t = login(s, "ann", "");
	struct session_revoke_request req = {0};
	struct session_revoke_result result;
	const unsigned before = s->commands;

	assert_int_equal(do_revoke(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.token = token_of(&t);
	req.handle = handle_text(&t);
	assert_int_equal(do_revoke(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.handle = SPAN_EMPTY;
	req.reason = REASON_EVICTED;
	assert_int_equal(do_revoke(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.reason = REASON_NONE;
	s->world.env.realm = &s->world.realm_list[1];
	assert_int_equal(do_revoke(s, &req, &result), STATUS_OK);
	assert_int_equal(result.reason, REASON_FORGED);
	s->world.env.realm = &s->world.realm_list[0];
	world_use_keyring(&s->world, WORLD_KEYRING_RETIRED);
	assert_int_equal(do_revoke(s, &req, &result), STATUS_OK);
	assert_int_equal(result.reason, REASON_RETIRED_KEY);
	world_use_keyring(&s->world, WORLD_KEYRING);
	s->world.env.now_ms += ABSOLUTE_MS;
	assert_int_equal(do_revoke(s, &req, &result), STATUS_OK);
	assert_false(result.was_alive);
	assert_int_equal(result.reason, REASON_NONE);
	s->world.env.now_ms -= ABSOLUTE_MS;
	t.text[TOKEN_CHARS - 1] = t.text[TOKEN_CHARS - 1] == 'A' ? 'B' : 'A';
	assert_int_equal(do_revoke(s, &req, &result), STATUS_OK);
	assert_int_equal(result.reason, REASON_FORGED);
	req.token = SPAN_EMPTY;
	t.handle[0] = '+';
	req.handle = handle_text(&t);
	assert_int_equal(do_revoke(s, &req, &result), STATUS_INVALID_ARGUMENT);
	assert_int_equal(s->commands, before);
}

static void revoking_works_when_redis_is_full(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct held_token t2 = login(s, "ann", "");
	const struct session_create_request create = {.user = SPAN_LIT("ben")};
	const struct session_revoke_user_request everywhere = {.user = SPAN_LIT("ann")};
	struct session_revoke_user_result ended;
	struct plan plan = {0};
	const struct store_reply *reply;

	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	assert_true(is_valid(s, &t));
	assert_true(revoke(s, &t, REASON_NONE));
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
	assert_int_equal(do_revoke_user(s, &everywhere, &ended), STATUS_OK);
	assert_int_equal(ended.revoked, 1);
	assert_int_equal(look(s, &t2).reason, REASON_LOGOUT_EVERYWHERE);
	assert_int_equal(session_create_plan(&s->world.env, &create, &plan, &s->st), STATUS_OK);
	reply = real_redis_do(&s->redis, s->world.env.arena, &plan.command);
	assert_int_equal(reply->type, STORE_ERROR);
	assert_true(span_starts_with(reply->string, SPAN_LIT("OOM")));
	/* Two tombstones, the index, and what restoring looks at. */
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 4);
}

static void everywhere_means_all_of_one_user(void **state)
{
	struct stage *s = *state;
	const struct held_token a1 = login(s, "ann", "");
	const struct held_token a2 = login(s, "ann", "");
	const struct held_token b = login(s, "ben", "");
	const struct session_revoke_user_request req = {.user = SPAN_LIT("ann")};
	struct session_revoke_user_result result;

	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, 2);
	assert_int_equal(look(s, &a1).reason, REASON_LOGOUT_EVERYWHERE);
	assert_int_equal(look(s, &a2).reason, REASON_LOGOUT_EVERYWHERE);
	expect_session_ttl(s, &a1, TOMBSTONE_MS);
	assert_true(is_valid(s, &b));
	s->world.env.now_ms += 1;
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, 0);
}

static void everywhere_but_here(void **state)
{
	struct stage *s = *state;
	const struct held_token here = login(s, "ann", "");
	const struct held_token there = login(s, "ann", "");
	const struct held_token bens = login(s, "ben", "");
	struct session_revoke_user_request req = {.token = token_of(&there), .except = token_of(&bens)};
	struct session_revoke_user_result result;

	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.except = SPAN_LIT("nonsense");
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.user = SPAN_LIT("ann");
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.user = SPAN_EMPTY;
	req.except = token_of(&here);
	req.reason = REASON_CREDENTIAL_CHANGE;
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, 1);
	assert_true(is_valid(s, &here));
	assert_int_equal(look(s, &there).reason, REASON_CREDENTIAL_CHANGE);
	assert_true(is_valid(s, &bens));
}

/* Shown after its grace a token stands for nothing; in it, for its successor. */
static void everywhere_but_by_an_old_token(void **state)
{
	struct stage *s = *state;
	const struct held_token here = login(s, "ann", "");
	const struct held_token there = login(s, "ann", "");
	const struct held_token next = rotate_within(s, &here, 5);
	const struct session_revoke_user_request req = {.user = SPAN_LIT("ann"), .except = token_of(&here)};
	struct session_revoke_user_result result;

	s->world.env.now_ms += 5000;
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "grace"));
	assert_true(is_valid(s, &next));
	assert_true(is_valid(s, &there));
	s->world.env.now_ms -= 1;
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, 1);
	assert_true(is_valid(s, &next));
	assert_false(is_valid(s, &there));
}

static void one_class_only(void **state)
{
	struct stage *s = *state;
	const struct held_token ordinary = login(s, "ann", "");
	const struct held_token remembered = login(s, "ann", "remember");
	struct session_revoke_user_request req = {.user = SPAN_LIT("ann"), .class_name = SPAN_LIT("remember")};
	struct session_revoke_user_result result;

	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, 1);
	assert_true(is_valid(s, &ordinary));
	assert_false(is_valid(s, &remembered));
	req.class_name = SPAN_LIT("unheard of");
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_NOT_FOUND);
}

/* All with one deadline: the order among them is that of their names. */
static void many_are_ended_in_chunks(void **state)
{
	enum { MANY = 1200, SPARED = 777 };
	struct stage *s = *state;
	struct held_token *all = calloc(MANY, sizeof(*all));
	struct session_revoke_user_request req = {.user = SPAN_LIT("ann")};
	struct session_revoke_user_result result;
	unsigned before;
	char index[64];

	assert_non_null(all);
	for (int i = 0; i < MANY; i++) {
		all[i] = login(s, "ann", "remember");
		world_fresh(&s->world);
	}
	index_key(&all[0], index);
	/* A class filter that spares all of them comes to an end too. */
	req.class_name = SPAN_LIT("strict");
	before = s->commands;
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, 0);
	assert_int_equal(s->commands - before, MANY / 100 + 1);
	req.class_name = SPAN_EMPTY;
	req.except = token_of(&all[SPARED]);
	before = s->commands;
	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, MANY - 1);
	assert_int_equal(s->commands - before, MANY / 100 + 1);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(is_valid(s, &all[i]), i == SPARED);
		world_fresh(&s->world);
	}
	/* The dead leave the index with the next that looks at all of it. */
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), MANY);
	s->world.classes[1].policy.sessions_max = MANY;
	(void)login(s, "ann", "remember");
	s->world.classes[1].policy.sessions_max = SESSIONS_MAX_MAX;
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), 2);
	free(all);
}

/* Between two chunks entries vanish before and behind the place reached, and one is added. */
static void chunks_do_not_lose_their_place(void **state)
{
	enum { MANY = 1100 };
	struct stage *s = *state;
	struct held_token *all = calloc(MANY, sizeof(*all));
	const struct session_revoke_user_request req = {.user = SPAN_LIT("ann"), .class_name = SPAN_LIT("remember")};
	struct session_revoke_user_result result;
	struct plan plan = {0};
	enum plan_next next;
	char index[64];

	assert_non_null(all);
	for (int i = 0; i < MANY; i++) {
		all[i] = login(s, "ann", i % 2 == 0 ? "remember" : "default");
		/* Past the cap of "default", which would evict. */
		if (i % 2 == 1)
			s->world.classes[0].policy.sessions_max = SESSIONS_MAX_MAX;
		world_fresh(&s->world);
	}
	s->world.classes[0].policy.sessions_max = WORLD_CAP;
	index_key(&all[0], index);
	assert_int_equal(session_revoke_user_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_int_equal(session_revoke_user_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_AGAIN);
	/* The earliest deadlines are those of "default", spared in the first chunk: take some of them away. */
	assert_int_equal(real_redis_number(&s->redis, "ZREMRANGEBYRANK %s 0 99", index), 100);
	while (next == PLAN_AGAIN)
		assert_int_equal(
		    session_revoke_user_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
		    STATUS_OK);
	for (int i = 0; i < MANY; i += 2) {
		assert_false(is_valid(s, &all[i]));
		world_fresh(&s->world);
	}
	free(all);
}

/* The first chunk of a logout everywhere. */
static void begin_to_end_all(struct stage *s, struct plan *ret_plan, enum plan_next *ret_next)
{
	static const struct session_revoke_user_request req = {.user = {(const uint8_t *)"ann", 3}};
	struct session_revoke_user_result result;

	assert_int_equal(session_revoke_user_plan(&s->world.env, &req, ret_plan, &s->st), STATUS_OK);
	assert_int_equal(
	    session_revoke_user_answer(&s->world.env, ret_plan, carry_out(s, ret_plan), ret_next, &result, &s->st),
	    STATUS_OK);
}

/* Between two chunks all that live are rotated, some of them again and again: by its name alone, half of the new entries
 * would be behind the place reached. */
static void a_rotation_between_two_chunks_escapes_none(void **state)
{
	enum { MANY = 300 };
	struct stage *s = *state;
	struct held_token *all = calloc(MANY, sizeof(*all));
	struct session_revoke_user_result result;
	struct plan plan = {0};
	arena *arena_of_call;
	enum plan_next next;
	int rotated = 0;

	assert_non_null(all);
	for (int i = 0; i < MANY; i++) {
		all[i] = login(s, "ann", "remember");
		world_fresh(&s->world);
	}
	begin_to_end_all(s, &plan, &next);
	assert_int_equal(next, PLAN_AGAIN);
	arena_of_call = s->world.env.arena;
	s->world.env.arena = NULL;
	for (int i = 0; i < MANY; i++) {
		world_fresh(&s->world);
		if (!is_valid(s, &all[i]))
			continue;
		for (int k = 0; k <= i % 3; k++)
			all[i] = rotate(s, &all[i]);
		rotated++;
	}
	assert_int_equal(rotated, MANY - 100);
	arena_free(&s->world.env.arena);
	s->world.env.arena = arena_of_call;
	while (next == PLAN_AGAIN)
		assert_int_equal(
		    session_revoke_user_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
		    STATUS_OK);
	assert_int_equal(result.revoked, MANY);
	for (int i = 0; i < MANY; i++) {
		world_fresh(&s->world);
		assert_int_equal(look(s, &all[i]).reason, REASON_LOGOUT_EVERYWHERE);
	}
	free(all);
}

/* However few chunks each call gets to. */
static void calls_that_get_stuck_get_further_together(void **state)
{
	enum { MANY = 450 };
	struct stage *s = *state;
	enum plan_next next = PLAN_AGAIN;
	struct held_token t[MANY];
	int calls = 0;

	for (int i = 0; i < MANY; i++) {
		t[i] = login(s, "ann", "remember");
		world_fresh(&s->world);
	}
	for (; next == PLAN_AGAIN; calls++) {
		struct plan plan = {0};

		/* One ends a chunk, the next clears its entries away. */
		assert_true(calls < 2 * (MANY / 100 + 1));
		s->world.env.now_ms++;
		begin_to_end_all(s, &plan, &next);
		world_fresh(&s->world);
	}
	for (int i = 0; i < MANY; i++) {
		assert_false(is_valid(s, &t[i]));
		world_fresh(&s->world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_first_reason_stands, stage_reset),
	    cmocka_unit_test_setup(a_tombstone_lives_no_longer_than_it_must, stage_reset),
	    cmocka_unit_test_setup(a_tombstone_by_handle_knows_the_deadline, stage_reset),
	    cmocka_unit_test_setup(a_tombstone_of_all_knows_the_deadline, stage_reset),
	    cmocka_unit_test_setup(a_token_leaves_a_tombstone_where_no_record_is, stage_reset),
	    cmocka_unit_test_setup(a_newer_record_can_be_revoked, stage_reset),
	    cmocka_unit_test_setup(a_handle_revokes_in_its_realm_only, stage_reset),
	    cmocka_unit_test_setup(what_names_no_session_is_refused, stage_reset),
	    cmocka_unit_test_setup(revoking_works_when_redis_is_full, stage_reset),
	    cmocka_unit_test_setup(everywhere_means_all_of_one_user, stage_reset),
	    cmocka_unit_test_setup(everywhere_but_here, stage_reset),
	    cmocka_unit_test_setup(everywhere_but_by_an_old_token, stage_reset),
	    cmocka_unit_test_setup(one_class_only, stage_reset),
	    cmocka_unit_test_setup(many_are_ended_in_chunks, stage_reset),
	    cmocka_unit_test_setup(chunks_do_not_lose_their_place, stage_reset),
	    cmocka_unit_test_setup(a_rotation_between_two_chunks_escapes_none, stage_reset),
	    cmocka_unit_test_setup(calls_that_get_stuck_get_further_together, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
