/* What an instance answers around a change of the primary: from its memory of revocations, of young sessions that are not
 * there yet, from replicas, and of revocations that Redis cannot write. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "history.h"
#include "session/record.h"

static void what_was_revoked_a_moment_ago_stays_dead_without_redis(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct held_token other = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &t);
	const struct session_list_request list = {.user = SPAN_LIT("ann")};
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request update = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct session_update_result updated;
	struct session_list_result listed;
	struct session_outcome o;
	unsigned commands;
	recent *r = recent_new(10000);

	s->world.env.recent = r;
	end(s, &t);
	put_back(s, shot);
	freeReplyObject(real_redis_ask(&s->redis, "ZADD lk1:u:{%b} 9999999999 %b", t.handle, (size_t)11, t.handle + 12,
				       (size_t)16));
	commands = s->commands;
	o = look(s, &t);
	assert_int_equal(o.verdict, VERDICT_INVALID);
	assert_int_equal(o.reason, REASON_LOGOUT);
	assert_int_equal(o.revoked_at_ms, WORLD_NOW_MS);
	assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
	assert_int_equal(updated.outcome.reason, REASON_LOGOUT);
	assert_int_equal(s->commands, commands);
	assert_true(is_valid(s, &other));
	assert_int_equal(do_list(s, &list, &listed), STATUS_OK);
	assert_int_equal(listed.count, 1);
	assert_memory_equal(listed.sessions[0].handle, other.handle, HANDLE_CHARS);
	/* Not for ever. */
	s->world.env.mono_ms = 10000 + RECENT_SLACK_MS;
	assert_true(is_valid(s, &t));
	s->world.env.mono_ms = 0;
	recent_free(&r);
	free(shot);
}

/* Revoked elsewhere between the question and the answer. */
static void what_is_heard_meanwhile_counts(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_get_request get = {.token = token_of(&t)};
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request update = {.token = token_of(&t), .set_count = 1, .set = &set};
	const struct recent_end logout = {REASON_LOGOUT, 1};
	struct session_update_result updated;
	struct session_get_result got;
	struct plan plan;
	struct plan second;
	enum plan_next next;
	recent *r = recent_new(10000);

	s->world.env.recent = r;
	assert_int_equal(session_get_plan(&s->world.env, &get, &plan, &s->st), STATUS_OK);
	assert_int_equal(session_update_plan(&s->world.env, &update, &second, &s->st), STATUS_OK);
	assert_true(plan.has_command && second.has_command);
	assert_true(recent_put(r, t.handle, &logout, 0, 0));
	assert_int_equal(session_get_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &got, &s->st), STATUS_OK);
	assert_int_equal(got.outcome.reason, REASON_LOGOUT);
	assert_int_equal(got.attribute_count, 0);
	assert_int_equal(session_update_answer(&s->world.env, &second, carry_out(s, &second), &next, &updated, &s->st),
			 STATUS_OK);
	assert_int_equal(updated.outcome.reason, REASON_LOGOUT);
	assert_null(second.redos);
	recent_free(&r);
}

static void a_young_session_that_is_missing_is_unknown_at_first(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request update = {.token = token_of(&t), .set_count = 1, .set = &set};
	const struct session_revoke_request revoke = {.handle = handle_text(&t)};
	struct session_update_result updated;
	struct session_revoke_result revoked;

	flush(s);
	s->world.env.young_ms = 10000;
	assert_int_equal(look(s, &t).reason, REASON_NOT_FOUND_IN_STORE);
	assert_int_equal(do_revoke(s, &revoke, &revoked), STATUS_NOT_FOUND);
	s->world.env.is_unsettled = true;
	assert_int_equal(look(s, &t).verdict, VERDICT_UNKNOWN);
	assert_int_equal(look(s, &t).reason, REASON_NONE);
	assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
	assert_int_equal(updated.outcome.verdict, VERDICT_UNKNOWN);
	assert_int_equal(do_revoke(s, &revoke, &revoked), STATUS_UNAVAILABLE);
	/* Through the outage, if the window is shorter, and through the window. */
	s->world.env.now_ms += 10000 + YOUNG_SLACK_MS;
	assert_int_equal(look(s, &t).verdict, VERDICT_UNKNOWN);
	s->world.env.now_ms += 51000;
	assert_int_equal(look(s, &t).reason, REASON_NOT_FOUND_IN_STORE);
	s->world.env.young_ms = 90000;
	assert_int_equal(look(s, &t).verdict, VERDICT_UNKNOWN);
}

static void replicas_answer_only_of_what_they_must_know(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct session_get_request get = {.token = token_of(&t), .peek = true, .staleness_ms = 5000};
	struct plan plan;

	assert_int_equal(session_get_plan(&s->world.env, &get, &plan, &s->st), STATUS_OK);
	assert_int_equal(plan.command.staleness_ms, 0);
	s->world.env.now_ms += 6000 + YOUNG_SLACK_MS;
	assert_int_equal(session_get_plan(&s->world.env, &get, &plan, &s->st), STATUS_OK);
	assert_int_equal(plan.command.staleness_ms, 5000);
	get.peek = false;
	assert_int_equal(session_get_plan(&s->world.env, &get, &plan, &s->st), STATUS_OK);
	assert_int_equal(plan.command.staleness_ms, 0);
}

static void a_revocation_can_be_pending_by_token(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct session_revoke_request req = {.token = token_of(&t)};
	struct session_revoke_result result = {0};
	struct plan plan;
	recent *r = recent_new(10000);
	recent *elsewhere = recent_new(10000);
	struct recent_end heard;

	assert_int_equal(session_revoke_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_false(session_revoke_pend(&s->world.env, &plan, &result));
	s->world.env.recent = r;
	assert_true(session_revoke_pend(&s->world.env, &plan, &result));
	assert_true(result.is_pending);
	assert_non_null(plan.redos);
	assert_int_equal(plan.redos->command.script, STORE_SCRIPT_SESSION_BURY);
	/* As long as the record could be there: here and where it is heard. */
	assert_int_equal(plan.redos->lifetime_ms, WORLD_ABSOLUTE_S * 1000 - WORLD_NOW_MS % 1000);
	s->world.env.mono_ms = WORLD_ABSOLUTE_S * 1000 - 2000;
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
	session_hear(&(struct session_ears){.recent = elsewhere}, plan.announcement, 0);
	assert_true(recent_find(elsewhere, t.handle, s->world.env.mono_ms, &heard));
	assert_int_equal(heard.reason, REASON_LOGOUT);
	req = (struct session_revoke_request){.handle = handle_text(&t)};
	assert_int_equal(session_revoke_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_false(session_revoke_pend(&s->world.env, &plan, &result));
	s->world.env.mono_ms = 0;
	recent_free(&r);
	recent_free(&elsewhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_was_revoked_a_moment_ago_stays_dead_without_redis, stage_reset),
	    cmocka_unit_test_setup(what_is_heard_meanwhile_counts, stage_reset),
	    cmocka_unit_test_setup(a_young_session_that_is_missing_is_unknown_at_first, stage_reset),
	    cmocka_unit_test_setup(replicas_answer_only_of_what_they_must_know, stage_reset),
	    cmocka_unit_test_setup(a_revocation_can_be_pending_by_token, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
