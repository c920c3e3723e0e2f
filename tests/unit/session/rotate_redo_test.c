/* Rotations that were acknowledged, and what happened before and after them, brought back on a primary that lacks all of
 * it or part of it, in every order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "history.h"

#define STEPS_MAX 8

/* What was acknowledged, in this order: a login (restore), an update (reapply), a rotation (forward, restore), an update
 * of the successor (reapply), and its end (bury). */
enum { OLD, OLD_UPDATE, SUCCESSOR, FORWARD, NEW_UPDATE, END, STEPS };

struct history {
	struct held_token a;
	struct held_token b;
	struct snapshot *before; /* the old record, as a replica may have it */
};

static enum store_script script_of(const struct stage *s, size_t i)
{
	return s->kept[i].command.script;
}

static struct history make_history(struct stage *s, bool has_end)
{
	struct history h = {.a = login(s, "ann", "")};

	(void)put(s, &h.a, "k", "old");
	h.before = take_snapshot(s, &h.a);
	h.b = rotate_within(s, &h.a, 0);
	(void)put(s, &h.b, "k", "new");
	if (has_end)
		end(s, &h.b);
	assert_int_equal(s->kept_count, has_end ? STEPS : STEPS - 1);
	assert_int_equal(script_of(s, SUCCESSOR), STORE_SCRIPT_SESSION_RESTORE);
	assert_int_equal(script_of(s, FORWARD), STORE_SCRIPT_SESSION_FORWARD);
	return h;
}

/* The next permutation in order of size; false after the last. */
static bool permute(size_t *at, size_t count)
{
	size_t i = count - 1;
	size_t k = count - 1;

	while (i > 0 && at[i - 1] > at[i])
		i--;
	if (i == 0)
		return false;
	while (at[k] < at[i - 1])
		k--;
	for (size_t swap = at[i - 1]; at[i - 1] == swap; at[k] = swap)
		at[i - 1] = at[k];
	for (size_t low = i, high = count - 1; low < high; low++, high--) {
		const size_t swap = at[low];

		at[low] = at[high];
		at[high] = swap;
	}
	return true;
}

/* The journal tries what is to be brought back later until it is. */
static void redo_in_order(struct stage *s, const size_t *order, size_t count)
{
	bool done[STEPS_MAX] = {false};

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < count; i++) {
			const char *word = done[i] ? "done" : redo(s, order[i]);

			done[i] = strcmp(word, "again") != 0;
			if (strcmp(word, "conflict") == 0)
				fail_msg("step %zu has no place", order[i]);
		}
	}
}

static long long entries(struct stage *s, const struct held_token *t)
{
	char key[64];

	index_key(t, key);
	return real_redis_number(&s->redis, "ZCARD %s", key);
}

static char format_at(struct stage *s, const struct held_token *t)
{
	char key[64];
	redisReply *reply;
	char format;

	session_key(t, key);
	reply = real_redis_ask(&s->redis, "GETRANGE %s 0 0", key);
	format = reply->len == 1 ? reply->str[0] : 0;
	freeReplyObject(reply);
	return format;
}

/* Each order, on an empty primary and on one that has the old record. */
static void for_all_orders(struct stage *s, const struct history *h, size_t count,
			   void (*expect)(struct stage *s, const struct history *h))
{
	size_t order[STEPS_MAX];

	for (int has_old = 0; has_old < 2; has_old++) {
		for (size_t i = 0; i < count; i++)
			order[i] = i;
		do {
			flush(s);
			if (has_old)
				put_back(s, h->before);
			redo_in_order(s, order, count);
			expect(s, h);
		} while (permute(order, count));
	}
}

static void expect_rotated(struct stage *s, const struct history *h)
{
	assert_int_equal(format_at(s, &h->a), 3);
	assert_int_equal(format_at(s, &h->b), 1);
	assert_int_equal(entries(s, &h->a), 1);
	expect_attribute(s, &h->b, "k", "new");
	world_fresh(&s->world);
}

static void expect_ended(struct stage *s, const struct history *h)
{
	assert_int_not_equal(format_at(s, &h->a), 1);
	assert_int_equal(format_at(s, &h->b), 2);
	assert_int_equal(entries(s, &h->a), 0);
}

/* The redos live in the world's arena: it is not made anew while they are tried. */
static void keep_redos(struct stage *s)
{
	s->world.env.arena = arena_new(4096, 256UL * PLAN_BYTES_MAX);
	assert_non_null(s->world.env.arena);
}

static void a_rotation_comes_back_in_every_order(void **state)
{
	struct stage *s = *state;
	struct history h = make_history(s, false);
	arena *kept = s->world.env.arena;

	keep_redos(s);
	for_all_orders(s, &h, NEW_UPDATE + 1, expect_rotated);
	arena_free(&kept);
	free(h.before);
}

static void an_end_holds_in_every_order(void **state)
{
	struct stage *s = *state;
	struct history h = make_history(s, true);

	for_all_orders(s, &h, STEPS, expect_ended);
	free(h.before);
}

/* The lineage, forward and all, ended by whoever showed the old token. */
static void a_reuse_holds_in_every_order(void **state)
{
	struct stage *s = *state;
	struct history h = make_history(s, false);

	assert_int_equal(look(s, &h.a).reason, REASON_REUSE_DETECTED);
	assert_int_equal(s->kept_count, STEPS);
	for_all_orders(s, &h, STEPS, expect_ended);
	flush(s);
	for (size_t i = 0; i < STEPS; i++)
		(void)redo(s, i);
	assert_int_equal(format_at(s, &h.a), 2);
	assert_int_equal(look(s, &h.a).reason, REASON_REUSE_DETECTED);
	assert_int_equal(look(s, &h.b).reason, REASON_REUSE_DETECTED);
	free(h.before);
}

static void revoking_by_the_old_token_holds_in_every_order(void **state)
{
	struct stage *s = *state;
	struct history h = make_history(s, false);

	end(s, &h.a);
	for_all_orders(s, &h, STEPS, expect_ended);
	free(h.before);
}

static void what_is_there_is_left_alone(void **state)
{
	struct stage *s = *state;
	struct history h = make_history(s, false);
	char key[64];

	for (size_t i = 0; i < s->kept_count; i++)
		assert_string_equal(redo(s, i), "there");
	/* Another primary has rotated the same record: that forward leads to a session too. */
	session_key(&h.a, key);
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 3 %s", key, "other"));
	assert_string_equal(redo(s, FORWARD), "there");
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %s", key, "\4newer"));
	assert_string_equal(redo(s, FORWARD), "there");
	assert_string_equal(redo(s, OLD), "there");
	assert_string_equal(redo(s, OLD_UPDATE), "there");
	free(h.before);
}

/* Who goes through the index meanwhile must not have passed it by. */
static void what_comes_back_keeps_its_place_in_the_index(void **state)
{
	struct stage *s = *state;
	const struct history h = make_history(s, false);
	const uint64_t deadline = WORLD_DEADLINE_MS / 1000;
	const double place = index_score(s, &h.b);
	char key[64];

	assert_true(place > (double)deadline && place < (double)deadline + 1);
	session_key(&h.b, key);
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
	assert_string_equal(redo(s, SUCCESSOR), "done");
	assert_true(index_score(s, &h.b) == place);
	free(h.before);
}

static void a_rotation_comes_back_when_redis_is_full(void **state)
{
	struct stage *s = *state;
	struct history h = make_history(s, false);

	flush(s);
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	for (size_t i = 0; i < s->kept_count; i++)
		assert_string_equal(redo(s, i), "done");
	expect_rotated(s, &h);
	free(h.before);
}

/* An end that comes back after the new primary has rotated the session that it ends. */
static void an_end_follows_a_rotation_that_came_before_it(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &a);
	struct held_token b;
	struct held_token c;

	end(s, &a);
	put_back(s, shot);
	s->world.env.now_ms++;
	b = rotate_within(s, &a, 0);
	c = rotate_within(s, &b, 0);
	assert_string_equal(redo(s, 1), "done");
	assert_int_equal(look(s, &a).reason, REASON_LOGOUT);
	assert_int_equal(look(s, &b).reason, REASON_LOGOUT);
	assert_int_equal(look(s, &c).reason, REASON_LOGOUT);
	assert_int_equal(entries(s, &a), 0);
	free(shot);
}

/* A new primary knew nothing of the rotation when the session was ended there by its old id. */
static void an_end_of_the_old_id_takes_the_successor_along(void **state)
{
	struct stage *s = *state;

	for (int way = 0; way < 3; way++) {
		const struct held_token a = login(s, "ann", "");
		struct snapshot *shot = take_snapshot(s, &a);
		const size_t first = s->kept_count;
		const struct held_token b = rotate_within(s, &a, 0);
		/* The first of both is brought back before or after; the second may have been rotated itself. */
		const struct held_token c = way == 2 ? rotate_within(s, &b, 0) : b;

		if (way < 2)
			flush(s);
		put_back(s, shot);
		s->world.env.now_ms++;
		if (way == 0)
			assert_string_equal(redo(s, first), "done");
		end(s, &a);
		assert_string_equal(redo(s, first + 1), "done");
		assert_string_equal(redo(s, first + 1), "there");
		assert_string_equal(redo(s, first), "there");
		assert_int_equal(look(s, &a).reason, REASON_LOGOUT);
		assert_int_equal(look(s, &b).verdict, VERDICT_INVALID);
		assert_int_equal(look(s, &c).reason, REASON_LOGOUT);
		assert_int_equal(entries(s, &a), 0);
		free(shot);
	}
}

/* Logged out everywhere but here, where "here" is not known yet to the new primary, or by an old name only. */
static void what_is_to_be_spared_is_waited_for(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &a);
	struct session_revoke_user_result result;
	struct held_token b;
	const struct held_token *const spared[] = {&a, &b};
	size_t kept;

	s->world.env.recent = recent_new(10000);
	b = rotate(s, &a);
	kept = s->kept_count;
	for (int i = 0; i < 4; i++) {
		const struct session_revoke_user_request req = {.user = SPAN_LIT("ann"),
								.except = token_of(spared[i % 2])};

		flush(s);
		if (i >= 2)
			put_back(s, shot);
		s->kept_count = kept;
		s->world.env.is_unsettled = true;
		assert_int_equal(do_revoke_user(s, &req, &result), STATUS_UNAVAILABLE);
		assert_non_null(strstr(s->st.text, "nothing was revoked"));
		assert_int_equal(s->kept_count, kept);
		for (size_t k = 0; k < kept; k++)
			(void)redo(s, k);
		assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
		assert_true(is_valid(s, &a) && is_valid(s, &b));
		/* Nothing is to come any more: there is none to be spared. */
		s->world.env.is_unsettled = false;
		flush(s);
		assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
		assert_int_equal(result.revoked, 0);
	}
	recent_free(&s->world.env.recent);
	free(shot);
}

/* By the time that the logout is written, one that it ends has been rotated on the primary that was lost. */
static void a_logout_holds_against_a_rotation_that_it_overtook(void **state)
{
	enum { LOGIN, NEW, MOVED, CHANGES };
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	size_t order[CHANGES] = {LOGIN, NEW, MOVED};
	struct held_token b;

	s->world.env.now_ms += 50;
	b = rotate(s, &a);
	assert_int_equal(s->kept_count, CHANGES);
	s->world.env.now_ms -= 25;
	do {
		flush(s);
		(void)end_all(s, SPAN_EMPTY, "");
		redo_in_order(s, order, CHANGES);
		assert_int_equal(look(s, &a).reason, REASON_LOGOUT_EVERYWHERE);
		assert_int_equal(look(s, &b).reason, REASON_LOGOUT_EVERYWHERE);
		assert_int_equal(entries(s, &a), 0);
		/* Of what was spared, or rotated before, nothing ends. */
		flush(s);
		(void)end_all(s, token_of(&a), "");
		redo_in_order(s, order, CHANGES);
		assert_true(is_valid(s, &b));
		flush(s);
		(void)end_all(s, SPAN_EMPTY, "remember");
		redo_in_order(s, order, CHANGES);
		assert_true(is_valid(s, &b));
	} while (permute(order, CHANGES));
}

/* Until the forward is back, what the new primary has of the old id proves nothing: that the session lives, or not. */
static void a_record_from_before_the_rotation_is_not_believed(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &a);
	const struct session_attribute set = {SPAN_LIT("k"), SPAN_LIT("v")};
	const struct session_update_request update = {.token = token_of(&a), .set_count = 1, .set = &set};
	const struct session_rotate_request turn = {.token = token_of(&a)};
	struct session_update_result updated;
	struct session_rotate_result turned;
	struct held_token b;
	size_t kept;

	s->world.env.recent = recent_new(10000);
	b = rotate(s, &a);
	kept = s->kept_count;
	for (int has_old = 0; has_old < 2; has_old++) {
		flush(s);
		if (has_old)
			put_back(s, shot);
		s->world.env.is_unsettled = true;
		assert_int_equal(look(s, &a).verdict, VERDICT_UNKNOWN);
		assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
		assert_int_equal(updated.outcome.verdict, VERDICT_UNKNOWN);
		assert_int_equal(do_rotate(s, &turn, &turned), STATUS_OK);
		assert_int_equal(turned.outcome.verdict, VERDICT_UNKNOWN);
		assert_int_equal(s->kept_count, kept);
		assert_string_equal(redo(s, 1), "done");
		assert_string_equal(redo(s, 2), "done");
		assert_true(is_valid(s, &a) && is_valid(s, &b));
		s->world.env.is_unsettled = false;
	}
	/* An end is more than a rotation. */
	end(s, &a);
	flush(s);
	put_back(s, shot);
	assert_int_equal(look(s, &a).reason, REASON_LOGOUT);
	recent_free(&s->world.env.recent);
	free(shot);
}

/* Those who were not first are told the successor as well: they keep it too, for the first may never have been. */
static void a_racer_keeps_what_it_was_told(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct held_token b = rotate(s, &a);
	const size_t first = s->kept_count;

	(void)rotate(s, &a);
	assert_int_equal(s->kept_count, first + 2);
	flush(s);
	assert_string_equal(redo(s, first), "done");
	assert_string_equal(redo(s, first + 1), "done");
	assert_true(is_valid(s, &b));
	assert_int_equal(format_at(s, &a), 3);
	assert_int_equal(entries(s, &b), 1);
}

/* Kept from happening by the wait that a rotation's commands demand; where it did, it is not passed over in silence. */
static void an_update_that_a_rotation_lacks_has_no_place(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	struct snapshot *before = take_snapshot(s, &a);
	size_t update;

	(void)put(s, &a, "cart", "42");
	update = s->kept_count - 1;
	flush(s);
	put_back(s, before);
	free(before);
	(void)rotate(s, &a);
	assert_true(s->last.settling_ms >= 1200);
	assert_string_equal(redo(s, update), "conflict");
}

static void an_update_that_a_rotation_holds_is_there(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");

	(void)put(s, &a, "cart", "42");
	(void)rotate(s, &a);
	assert_string_equal(redo(s, 1), "there");
}

static void a_rotation_demands_a_settled_primary(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");
	const struct session_rotate_request req = {.token = token_of(&a)};
	struct session_rotate_result ret = {0};
	struct plan plan = {0};
	enum plan_next next;

	assert_int_equal(session_rotate_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_true(plan.command.settling_ms >= 1200);
	assert_int_equal(session_rotate_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &ret, &s->st),
			 STATUS_OK);
	assert_int_equal(plan.command.script, STORE_SCRIPT_SESSION_ROTATE);
	assert_true(plan.command.settling_ms >= 1200);
	/* Whoever comes second is only told the successor. */
	(void)rotate(s, &a);
	(void)rotate(s, &a);
	assert_int_equal(s->last.settling_ms, 0);
}

/* No longer than what it replaces could be there. */
static void a_forward_is_kept_as_long_as_it_lives(void **state)
{
	struct stage *s = *state;
	const struct held_token a = login(s, "ann", "");

	(void)rotate(s, &a);
	assert_int_equal(s->kept[2].command.script, STORE_SCRIPT_SESSION_FORWARD);
	assert_int_equal(s->kept[2].lifetime_ms, WORLD_IDLE_S * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_rotation_comes_back_in_every_order, stage_reset),
	    cmocka_unit_test_setup(an_end_holds_in_every_order, stage_reset),
	    cmocka_unit_test_setup(a_reuse_holds_in_every_order, stage_reset),
	    cmocka_unit_test_setup(revoking_by_the_old_token_holds_in_every_order, stage_reset),
	    cmocka_unit_test_setup(what_is_there_is_left_alone, stage_reset),
	    cmocka_unit_test_setup(what_comes_back_keeps_its_place_in_the_index, stage_reset),
	    cmocka_unit_test_setup(a_rotation_comes_back_when_redis_is_full, stage_reset),
	    cmocka_unit_test_setup(an_end_follows_a_rotation_that_came_before_it, stage_reset),
	    cmocka_unit_test_setup(an_end_of_the_old_id_takes_the_successor_along, stage_reset),
	    cmocka_unit_test_setup(what_is_to_be_spared_is_waited_for, stage_reset),
	    cmocka_unit_test_setup(a_logout_holds_against_a_rotation_that_it_overtook, stage_reset),
	    cmocka_unit_test_setup(a_record_from_before_the_rotation_is_not_believed, stage_reset),
	    cmocka_unit_test_setup(a_racer_keeps_what_it_was_told, stage_reset),
	    cmocka_unit_test_setup(an_update_that_a_rotation_lacks_has_no_place, stage_reset),
	    cmocka_unit_test_setup(an_update_that_a_rotation_holds_is_there, stage_reset),
	    cmocka_unit_test_setup(a_rotation_demands_a_settled_primary, stage_reset),
	    cmocka_unit_test_setup(a_forward_is_kept_as_long_as_it_lives, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
