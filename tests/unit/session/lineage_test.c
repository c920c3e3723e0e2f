/* How a session ends that was rotated: by whoever shows its old token too late, and by revocations that name it by an old
 * token or handle. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "history.h"
#include "session/announce.h"
#include "session/lineage.h"

/* Three ids of one session, the first two past their grace. */
struct lineage {
	struct held_token a;
	struct held_token b;
	struct held_token c;
};

static struct lineage make_lineage(struct stage *s)
{
	struct lineage l = {.a = login(s, "ann", "")};

	l.b = rotate_within(s, &l.a, 0);
	l.c = rotate_within(s, &l.b, 0);
	return l;
}

static long long entries(struct stage *s, const struct held_token *t)
{
	char key[64];

	index_key(t, key);
	return real_redis_number(&s->redis, "ZCARD %s", key);
}

static void expect_all_dead(struct stage *s, const struct lineage *l, enum session_reason reason)
{
	assert_int_equal(look(s, &l->a).reason, reason);
	assert_int_equal(look(s, &l->b).reason, reason);
	assert_int_equal(look(s, &l->c).reason, reason);
	assert_int_equal(entries(s, &l->a), 0);
}

/* Shows the token in each of the ways there are. */
static struct session_outcome show(struct stage *s, const struct held_token *t, int way)
{
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_get_request get = {.token = token_of(t), .peek = way == 1};
	const struct session_update_request update = {.token = token_of(t), .set_count = 1, .set = &set};
	const struct session_rotate_request turn = {.token = token_of(t)};
	struct session_get_result got = {0};
	struct session_update_result updated = {0};
	struct session_rotate_result turned = {0};

	if (way <= 1) {
		assert_int_equal(do_get(s, &get, &got), STATUS_OK);
		return got.outcome;
	}
	if (way == 2) {
		assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
		return updated.outcome;
	}
	assert_int_equal(do_rotate(s, &turn, &turned), STATUS_OK);
	return turned.outcome;
}

static void a_token_shown_too_late_ends_what_came_of_it(void **state)
{
	struct stage *s = *state;

	for (int way = 0; way < 4; way++) {
		const struct lineage l = make_lineage(s);
		struct session_outcome outcome;

		assert_true(is_valid(s, &l.c));
		outcome = show(s, &l.a, way);
		assert_int_equal(outcome.verdict, VERDICT_INVALID);
		assert_int_equal(outcome.reason, REASON_REUSE_DETECTED);
		assert_int_equal(outcome.revoked_at_ms, WORLD_NOW_MS);
		expect_all_dead(s, &l, REASON_REUSE_DETECTED);
	}
}

static void the_grace_ends_to_the_millisecond(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct held_token b = rotate_within(s, &a, 3);

	s->world.env.now_ms += 2999;
	assert_true(is_valid(s, &a));
	s->world.env.now_ms += 1;
	assert_int_equal(look(s, &a).reason, REASON_REUSE_DETECTED);
	assert_int_equal(look(s, &b).reason, REASON_REUSE_DETECTED);
}

static void the_policys_grace_is_the_most(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");

	(void)rotate_within(s, &a, 3600);
	s->world.env.now_ms += WORLD_GRACE_S * 1000 - 1;
	assert_true(is_valid(s, &a));
	s->world.env.now_ms += 1;
	assert_int_equal(look(s, &a).reason, REASON_REUSE_DETECTED);
}

/* Other sessions of the user are none of its business. */
static void one_lineage_ends_and_no_other(void **state)
{
	struct stage *s = *state;
	const struct held_token other = login(s, "ann", "");
	const struct lineage l = make_lineage(s);

	assert_int_equal(look(s, &l.b).reason, REASON_REUSE_DETECTED);
	assert_true(is_valid(s, &other));
	assert_int_equal(entries(s, &other), 1);
	/* What comes before the token shown leads to the same tombstone. */
	assert_int_equal(look(s, &l.a).reason, REASON_REUSE_DETECTED);
	assert_int_equal(look(s, &l.c).reason, REASON_REUSE_DETECTED);
}

static void what_ended_it_before_is_what_is_told(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);
	size_t kept;
	char key[64];

	end(s, &l.c);
	kept = s->kept_count;
	assert_int_equal(look(s, &l.a).reason, REASON_LOGOUT);
	/* Nothing was done, so nothing is to be brought back; and it is told without a walk now. */
	assert_int_equal(s->kept_count, kept);
	session_key(&l.a, key);
	assert_int_equal(real_redis_number(&s->redis, "STRLEN %s", key), TOMBSTONE_BYTES);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), 1, WORLD_TOMBSTONE_S * 1000);
	s->commands = 0;
	assert_int_equal(look(s, &l.a).reason, REASON_LOGOUT);
	assert_int_equal(s->commands, 1);
}

static void nothing_is_left_at_the_end(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);
	char key[64];

	session_key(&l.c, key);
	freeReplyObject(real_redis_ask(&s->redis, "DEL %s", key));
	assert_int_equal(look(s, &l.a).reason, REASON_ROTATED);
	assert_int_equal(look(s, &l.b).reason, REASON_ROTATED);
	session_key(&l.a, key);
	freeReplyObject(real_redis_ask(&s->redis, "DEL %s", key));
	assert_int_equal(look(s, &l.a).reason, REASON_NOT_FOUND_IN_STORE);
}

static void a_thief_is_found_when_redis_is_full(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);

	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	assert_int_equal(look(s, &l.a).reason, REASON_REUSE_DETECTED);
	assert_int_equal(look(s, &l.c).reason, REASON_REUSE_DETECTED);
}

/* Redis takes no writes: then nobody can be told that the lineage has ended. */
static void reading_without_sliding_ends_nothing(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);
	const struct session_get_request req = {.token = token_of(&l.a)};
	struct session_get_result result = {0};
	struct plan plan;
	enum plan_next next;

	assert_int_equal(session_get_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_int_equal(session_get_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_AGAIN);
	assert_int_equal(plan.command.script, STORE_SCRIPT_SESSION_REUSE);
	assert_true(plan.command.is_write);
	assert_false(session_get_unslid(&s->world.env, &plan));
	assert_true(is_valid(s, &l.c));
}

/* In the grace it is read, as any other. */
static void a_successor_is_read_without_sliding(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct held_token b = rotate(s, &a);
	const struct session_get_request req = {.token = token_of(&a)};
	struct session_get_result result = {0};
	struct plan plan;
	enum plan_next next;

	assert_int_equal(session_get_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_true(session_get_unslid(&s->world.env, &plan));
	do {
		assert_int_equal(plan.command.script, STORE_SCRIPT_SESSION_PEEK);
		assert_int_equal(session_get_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
				 STATUS_OK);
	} while (next == PLAN_AGAIN);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	assert_true(span_eq(result.successor, token_of(&b)));
}

static void what_was_ended_a_moment_ago_is_remembered(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);
	const struct held_token x = login(s, "ann", "");
	const struct held_token y = rotate(s, &x);

	s->world.env.recent = recent_new(10000);
	assert_int_equal(look(s, &l.a).reason, REASON_REUSE_DETECTED);
	assert_int_equal(recent_count(s->world.env.recent), 3);
	s->commands = 0;
	assert_int_equal(look(s, &l.a).reason, REASON_REUSE_DETECTED);
	assert_int_equal(look(s, &l.b).reason, REASON_REUSE_DETECTED);
	assert_int_equal(look(s, &l.c).reason, REASON_REUSE_DETECTED);
	assert_int_equal(s->commands, 0);
	/* Of a successor as well, whose old token is shown where Redis has forgotten it. */
	(void)recent_put(s->world.env.recent, y.handle, &(struct recent_end){REASON_LOGOUT, 1}, 0, 0);
	assert_int_equal(look(s, &x).reason, REASON_LOGOUT);
	recent_free(&s->world.env.recent);
}

static void a_chain_too_long_ends_nothing(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_revoke_request req = {.token = token_of(&a)};
	struct session_revoke_result result;
	struct held_token t = a;

	for (int i = 0; i < LINEAGE_HOPS_MAX; i++) {
		s->kept_count = 0;
		t = rotate_within(s, &t, 0);
		world_fresh(&s->world);
	}
	t = rotate_within(s, &t, 0);
	assert_int_equal(do_revoke(s, &req, &result), STATUS_FAILED_PRECONDITION);
	assert_int_equal(look(s, &a).reason, REASON_ROTATED);
	assert_true(is_valid(s, &t));
}

/* ---- Revoke ---- */

static bool revoke(struct stage *s, span token, span handle)
{
	const struct session_revoke_request req = {.token = token, .handle = handle};
	struct session_revoke_result result;

	if (do_revoke(s, &req, &result) != STATUS_OK)
		fail_msg("revoke: %s", s->st.text);
	return result.was_alive;
}

static void revoking_by_an_old_token_or_handle_ends_the_session(void **state)
{
	struct stage *s = *state;

	for (int by_handle = 0; by_handle < 2; by_handle++) {
		const struct lineage l = make_lineage(s);
		const span token = by_handle ? SPAN_EMPTY : token_of(&l.a);
		const span handle = by_handle ? handle_text(&l.a) : SPAN_EMPTY;
		char key[64];

		assert_true(revoke(s, token, handle));
		expect_all_dead(s, &l, REASON_LOGOUT);
		session_key(&l.c, key);
		assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), 1, WORLD_TOMBSTONE_S * 1000);
		s->world.env.now_ms++;
		assert_false(revoke(s, token, handle));
		s->world.env.now_ms--;
	}
}

static void a_handle_of_another_realm_ends_nothing(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);
	const struct session_revoke_request req = {.handle = handle_text(&l.a)};
	struct session_revoke_result result;

	s->world.env.realm = &s->world.realm_list[1];
	assert_int_equal(do_revoke(s, &req, &result), STATUS_NOT_FOUND);
	s->world.env.realm = &s->world.realm_list[0];
	assert_true(is_valid(s, &l.c));
}

static void everywhere_but_here_spares_the_successor(void **state)
{
	struct stage *s = *state;
	const struct held_token other = login(s, "ann", "");
	const struct lineage l = make_lineage(s);

	assert_int_equal(end_all(s, token_of(&l.a), ""), 1);
	assert_true(is_valid(s, &l.c));
	assert_int_equal(look(s, &other).reason, REASON_LOGOUT_EVERYWHERE);
	/* Nor does it end when it is brought back where the logout is known already. */
	flush(s);
	for (size_t i = s->kept_count; i-- > 0;)
		(void)redo(s, i);
	assert_true(is_valid(s, &l.c));
	assert_false(is_valid(s, &other));
}

static void everywhere_ends_those_that_were_rotated(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);
	const struct held_token x = login(s, "ann", "");

	(void)rotate(s, &x);
	assert_int_equal(end_all(s, SPAN_EMPTY, ""), 2);
	assert_int_equal(look(s, &x).reason, REASON_LOGOUT_EVERYWHERE);
	assert_int_equal(look(s, &l.a).reason, REASON_LOGOUT_EVERYWHERE);
}

/* ---- A second run ---- */

static const struct store_reply *again(struct stage *s)
{
	const struct plan plan = {.has_command = true, .command = s->last};

	assert_true(s->last.is_repeatable);
	return carry_out(s, &plan);
}

static void a_rotation_finds_its_own_forward(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct held_token b = rotate(s, &a);
	const struct store_command first = s->last;
	struct held_token c;

	assert_int_equal(first.script, STORE_SCRIPT_SESSION_ROTATE);
	assert_true(span_eq(again(s)->elements[0]->string, SPAN_LIT("ok")));
	/* Also when the successor was rotated since: it does not come back. */
	c = rotate(s, &b);
	s->last = first;
	assert_true(span_eq(again(s)->elements[0]->string, SPAN_LIT("ok")));
	assert_int_equal(entries(s, &a), 1);
	assert_true(is_valid(s, &a) && is_valid(s, &b) && is_valid(s, &c));
	end(s, &c);
	s->last = first;
	(void)again(s);
	assert_int_equal(look(s, &a).reason, REASON_LOGOUT);
	assert_int_equal(entries(s, &a), 0);
}

static void an_end_by_reuse_tells_the_same_again(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);
	const struct store_reply *reply;

	assert_int_equal(look(s, &l.a).reason, REASON_REUSE_DETECTED);
	assert_int_equal(s->last.script, STORE_SCRIPT_SESSION_REUSE);
	reply = again(s);
	assert_true(span_eq(reply->elements[0]->string, SPAN_LIT("reuse")));
	assert_int_equal(reply->elements[1]->string.len, 3 * 16);
	assert_memory_equal(reply->elements[1]->string.ptr, l.a.handle + 12, 16);
	assert_memory_equal(reply->elements[1]->string.ptr + 32, l.c.handle + 12, 16);
}

static void a_revocation_tells_the_same_again(void **state)
{
	struct stage *s = *state;
	const struct lineage l = make_lineage(s);
	const struct store_reply *reply;

	assert_true(revoke(s, token_of(&l.a), SPAN_EMPTY));
	reply = again(s);
	assert_int_equal(reply->elements[0]->integer, 1);
	assert_int_equal(reply->elements[1]->string.len, 3 * 16);
}

/* ---- Announcements ---- */

static redisReply *hear(redisContext *ear)
{
	const struct timeval bound = {.tv_sec = 20};
	redisReply *reply = NULL;

	(void)redisSetTimeout(ear, bound);
	assert_int_equal(redisGetReply(ear, (void **)&reply), REDIS_OK);
	assert_int_equal(reply->elements, 3);
	return reply;
}

static span message_of(const redisReply *reply)
{
	return span_of(reply->element[2]->str, reply->element[2]->len);
}

static void expect_event(redisContext *ear, enum session_event_kind kind, size_t names, const struct held_token *first)
{
	redisReply *reply = hear(ear);
	struct announcement n;

	assert_true(announcement_read(message_of(reply), &n));
	assert_int_equal(n.kind, kind);
	assert_int_equal(n.names.len, names * 16);
	assert_memory_equal(n.names.ptr, first->handle + 12, 16);
	freeReplyObject(reply);
}

/* Every instance learns of it, and those who watch do not. */
static void expect_rotation(redisContext *ear, const struct held_token *old)
{
	redisReply *reply = hear(ear);
	struct recent_end end;
	struct announcement n;
	recent *r = recent_new(10000);

	assert_false(announcement_read(message_of(reply), &n));
	session_hear(&(struct session_ears){.recent = r}, message_of(reply), 0);
	assert_true(recent_find(r, old->handle, 0, &end));
	assert_int_equal(end.reason, REASON_ROTATED);
	recent_free(&r);
	freeReplyObject(reply);
}

static void rotations_and_ends_are_announced(void **state)
{
	struct stage *s = *state;
	redisContext *ear = redisConnectUnix(s->redis.socket_path);
	struct held_token a;
	struct held_token b;

	freeReplyObject(redisCommand(ear, "SUBSCRIBE %s", STORE_CHANNEL));
	a = login(s, "ann", "");
	(void)rotate_within(s, &a, 0);
	expect_rotation(ear, &a);
	s->world.realm_list[0].has_events = true;
	b = login(s, "bob", "");
	(void)rotate_within(s, &b, 0);
	s->world.realm_list[0].has_events = false;
	expect_event(ear, EVENT_CREATED, 1, &b);
	expect_rotation(ear, &b);
	expect_event(ear, EVENT_ROTATED, 2, &b);
	assert_int_equal(look(s, &a).reason, REASON_REUSE_DETECTED);
	expect_event(ear, EVENT_REUSE_DETECTED, 2, &a);
	redisFree(ear);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_token_shown_too_late_ends_what_came_of_it, stage_reset),
	    cmocka_unit_test_setup(the_grace_ends_to_the_millisecond, stage_reset),
	    cmocka_unit_test_setup(the_policys_grace_is_the_most, stage_reset),
	    cmocka_unit_test_setup(one_lineage_ends_and_no_other, stage_reset),
	    cmocka_unit_test_setup(what_ended_it_before_is_what_is_told, stage_reset),
	    cmocka_unit_test_setup(nothing_is_left_at_the_end, stage_reset),
	    cmocka_unit_test_setup(a_thief_is_found_when_redis_is_full, stage_reset),
	    cmocka_unit_test_setup(reading_without_sliding_ends_nothing, stage_reset),
	    cmocka_unit_test_setup(a_successor_is_read_without_sliding, stage_reset),
	    cmocka_unit_test_setup(what_was_ended_a_moment_ago_is_remembered, stage_reset),
	    cmocka_unit_test_setup(a_chain_too_long_ends_nothing, stage_reset),
	    cmocka_unit_test_setup(revoking_by_an_old_token_or_handle_ends_the_session, stage_reset),
	    cmocka_unit_test_setup(a_handle_of_another_realm_ends_nothing, stage_reset),
	    cmocka_unit_test_setup(everywhere_but_here_spares_the_successor, stage_reset),
	    cmocka_unit_test_setup(everywhere_ends_those_that_were_rotated, stage_reset),
	    cmocka_unit_test_setup(a_rotation_finds_its_own_forward, stage_reset),
	    cmocka_unit_test_setup(an_end_by_reuse_tells_the_same_again, stage_reset),
	    cmocka_unit_test_setup(a_revocation_tells_the_same_again, stage_reset),
	    cmocka_unit_test_setup(rotations_and_ends_are_announced, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
