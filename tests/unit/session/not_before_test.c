/* Revoking a realm: what is stored, what an instance knows, and what it answers from that. */

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "history.h"
#include "session/announce.h"
#include "session/not_before.h"

/* WORLD_NOW_MS in the next whole second. */
#define NEXT_SECOND_MS 1764000001000ULL

static not_before *known;

static int setup(void **state)
{
	struct stage *s = *state;

	(void)stage_reset(state);
	not_before_free(&known);
	known = not_before_new(s->world.realms.count);
	assert_non_null(known);
	s->world.env.not_before = known;
	return 0;
}

static int stop(void **state)
{
	not_before_free(&known);
	return stage_stop(state);
}

static struct not_before_query query_of(struct stage *s)
{
	struct not_before_query q;

	not_before_query_plan(s->world.env.realm, &q);
	q.command.key = q.command.argv[1] = SPAN_EMPTY;
	return q;
}

/* As an instance does once a second. */
static bool ask(struct stage *s, not_before *n)
{
	struct not_before_query q;
	const struct store_reply *reply;

	not_before_query_plan(s->world.env.realm, &q);
	reply = carry_out(s, &(struct plan){.has_command = true, .command = q.command});
	return not_before_query_answer(n, &q, reply, s->world.env.mono_ms, s->world.env.now_ms);
}

static uint64_t revoke_realm(struct stage *s, uint64_t not_before_ms)
{
	struct session_revoke_realm_result result = {0};

	if (do_revoke_realm(s, &(struct session_revoke_realm_request){not_before_ms}, &result) != STATUS_OK)
		fail_msg("revoke_realm: %s", s->st.text);
	return result.not_before_ms;
}

static void expect_revoked(struct stage *s, const struct held_token *t, uint64_t at_ms)
{
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request update = {.token = token_of(t), .set_count = 1, .set = &set};
	const struct session_revoke_request revoke = {.token = token_of(t)};
	struct session_update_result updated = {0};
	struct session_revoke_result revoked = {0};
	const unsigned commands = s->commands;
	const struct session_outcome o = look(s, t);

	assert_int_equal(o.verdict, VERDICT_INVALID);
	assert_int_equal(o.reason, REASON_REALM_REVOKED);
	assert_int_equal(o.revoked_at_ms, at_ms);
	assert_int_equal(do_update(s, &update, &updated), STATUS_OK);
	assert_int_equal(updated.outcome.reason, REASON_REALM_REVOKED);
	assert_int_equal(do_revoke(s, &revoke, &revoked), STATUS_OK);
	assert_false(revoked.was_alive);
	assert_int_equal(revoked.reason, REASON_NONE);
	/* Redis was not asked. */
	assert_int_equal(s->commands, commands);
}

static void all_that_was_there_ends_and_new_logins_work(void **state)
{
	struct stage *s = *state;
	const struct held_token old = login(s, "ann", "");
	struct held_token new;

	assert_true(ask(s, known));
	assert_true(is_valid(s, &old));
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS);
	expect_revoked(s, &old, NEXT_SECOND_MS);
	/* In the same millisecond, and before the moment has come. */
	new = login(s, "ann", "");
	assert_true(is_valid(s, &new));
	assert_int_equal(put(s, &new, "a", "1"), 2);
	expect_attribute(s, &new, "a", "1");
	s->world.env.now_ms += 5000;
	assert_true(is_valid(s, &new));
	expect_revoked(s, &old, NEXT_SECOND_MS);
}

static void other_realms_are_not_touched(void **state)
{
	struct stage *s = *state;
	struct held_token t;

	s->world.env.realm = &s->world.realm_list[1];
	assert_true(ask(s, known));
	t = login(s, "ann", "");
	s->world.env.realm = &s->world.realm_list[0];
	(void)revoke_realm(s, 0);
	s->world.env.realm = &s->world.realm_list[1];
	assert_true(is_valid(s, &t));
	assert_int_equal(real_redis_number(&s->redis, "EXISTS lk1:n:{AAAAAAAAAAA}"), 0);
}

static void the_moment_is_a_whole_second_and_never_moves_back(void **state)
{
	struct stage *s = *state;
	struct session_revoke_realm_result result;

	assert_int_equal(revoke_realm(s, WORLD_NOW_MS - 10000), NEXT_SECOND_MS - 10000);
	assert_int_equal(revoke_realm(s, 1), NEXT_SECOND_MS - 10000);
	assert_int_equal(revoke_realm(s, 1763999999000ULL), 1763999999000ULL);
	assert_int_equal(revoke_realm(s, WORLD_NOW_MS + 60000), NEXT_SECOND_MS + 60000);
	for (uint64_t far = WORLD_NOW_MS + 60001; far != 0; far = far == UINT64_MAX ? 0 : UINT64_MAX) {
		assert_int_equal(do_revoke_realm(s, &(struct session_revoke_realm_request){far}, &result),
				 STATUS_INVALID_ARGUMENT);
		assert_non_null(strstr(s->st.text, "60 s ahead"));
	}
	/* One key, for good. */
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 1);
}

/* Who came in between is created at the first one's moment, and must end all the same. */
static void two_in_one_second_end_who_came_in_between(void **state)
{
	struct stage *s = *state;
	struct session_revoke_realm_result result;
	struct held_token between;
	int more = 0;

	assert_true(ask(s, known));
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS);
	between = login(s, "ann", "");
	assert_true(is_valid(s, &between));
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS + 1000);
	expect_revoked(s, &between, NEXT_SECOND_MS + 1000);
	/* On the dot of a second, too. */
	s->world.env.now_ms = NEXT_SECOND_MS + 5000;
	between = login(s, "ann", "");
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS + 6000);
	expect_revoked(s, &between, NEXT_SECOND_MS + 6000);
	while (do_revoke_realm(s, &(struct session_revoke_realm_request){0}, &result) == STATUS_OK)
		assert_in_range(++more, 1, 120);
	assert_non_null(strstr(s->st.text, "once a second"));
	assert_int_equal(s->st.retry_after_ms, 1000);
	assert_true(more > 60);
	s->world.env.now_ms += 1000;
	assert_int_equal(do_revoke_realm(s, &(struct session_revoke_realm_request){0}, &result), STATUS_OK);
}

/* The clock of the instance that it logged in through is ahead of ours. */
static void who_logged_in_by_a_fast_clock_ends_too(void **state)
{
	struct stage *s = *state;
	const uint64_t ours_ms = NEXT_SECOND_MS + 600;
	struct held_token t;

	assert_true(ask(s, known));
	s->world.env.now_ms = ours_ms + 500;
	t = login(s, "ann", "");
	s->world.env.now_ms = ours_ms;
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS + 2000);
	expect_revoked(s, &t, NEXT_SECOND_MS + 2000);
}

/* The store sends it again by itself when a reply is lost. */
static void a_second_run_changes_nothing(void **state)
{
	struct stage *s = *state;
	const struct session_revoke_realm_request req = {0};
	struct session_revoke_realm_result result;
	struct plan plan = {0};

	assert_int_equal(session_revoke_realm_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	for (int run = 0; run < 3; run++) {
		assert_int_equal(
		    session_revoke_realm_answer(&s->world.env, &plan, carry_out(s, &plan), &result, &s->st), STATUS_OK);
		assert_int_equal(result.not_before_ms, NEXT_SECOND_MS);
	}
}

static void a_login_before_a_moment_ahead_is_created_at_it(void **state)
{
	struct stage *s = *state;
	struct held_token t;

	assert_true(ask(s, known));
	(void)revoke_realm(s, WORLD_NOW_MS + 30000);
	t = login(s, "ann", "");
	assert_true(is_valid(s, &t));
	s->world.env.now_ms += 31000;
	assert_true(is_valid(s, &t));
	(void)revoke_realm(s, 0);
	expect_revoked(s, &t, NEXT_SECOND_MS + 31000);
	(void)revoke_realm(s, s->world.env.now_ms + 60000);
	t = login(s, "ann", "");
	(void)revoke_realm(s, 0);
	expect_revoked(s, &t, NEXT_SECOND_MS + 31000 + 61000);
}

static void another_instance_learns_by_asking(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	not_before *other = not_before_new(s->world.realms.count);

	assert_non_null(other);
	assert_true(ask(s, other));
	(void)revoke_realm(s, 0);
	s->world.env.not_before = other;
	assert_true(is_valid(s, &t));
	assert_true(ask(s, other));
	expect_revoked(s, &t, NEXT_SECOND_MS);
	/* A primary that has lost it does not take it back. */
	flush(s);
	assert_true(ask(s, other));
	expect_revoked(s, &t, NEXT_SECOND_MS);
	not_before_free(&other);
}

static redisContext *listen_to(struct stage *s)
{
	redisContext *ear = redisConnectUnix(s->redis.socket_path);

	assert_non_null(ear);
	freeReplyObject(redisCommand(ear, "SUBSCRIBE %s", STORE_CHANNEL));
	return ear;
}

static void hear(const struct stage *s, redisContext *ear, not_before *n)
{
	redisReply *reply = NULL;

	assert_int_equal(redisGetReply(ear, (void **)&reply), REDIS_OK);
	session_hear(&(struct session_ears){.not_before = n, .realms = &s->world.realms, .now_ms = WORLD_NOW_MS},
		     span_of(reply->element[2]->str, reply->element[2]->len), 0);
	freeReplyObject(reply);
}

static void another_instance_learns_by_hearing(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	not_before *other = not_before_new(s->world.realms.count);
	redisContext *ear = listen_to(s);

	assert_true(ask(s, other));
	(void)revoke_realm(s, 0);
	s->world.env.not_before = other;
	assert_true(is_valid(s, &t));
	hear(s, ear, other);
	expect_revoked(s, &t, NEXT_SECOND_MS);
	/* What is in force is announced, also where less was asked for. */
	(void)revoke_realm(s, 1000);
	not_before_free(&other);
	other = not_before_new(s->world.realms.count);
	hear(s, ear, other);
	assert_int_equal(not_before_of(other, s->world.env.realm), NEXT_SECOND_MS);
	redisFree(ear);
	not_before_free(&other);
}

/* Revoked elsewhere between the question and the answer. */
static void what_is_heard_meanwhile_counts(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_get_request get = {.token = token_of(&t)};
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request update = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct plan got = {0};
	struct plan updated = {0};
	struct session_get_result g = {0};
	struct session_update_result u = {0};
	enum plan_next next;

	assert_true(ask(s, known));
	assert_int_equal(session_get_plan(&s->world.env, &get, &got, &s->st), STATUS_OK);
	assert_int_equal(session_update_plan(&s->world.env, &update, &updated, &s->st), STATUS_OK);
	assert_true(got.has_command && updated.has_command);
	not_before_raise(known, s->world.env.realm, NEXT_SECOND_MS);
	assert_int_equal(session_get_answer(&s->world.env, &got, carry_out(s, &got), &next, &g, &s->st), STATUS_OK);
	assert_int_equal(g.outcome.reason, REASON_REALM_REVOKED);
	assert_int_equal(session_update_answer(&s->world.env, &updated, carry_out(s, &updated), &next, &u, &s->st),
			 STATUS_OK);
	assert_int_equal(u.outcome.reason, REASON_REALM_REVOKED);
}

/* ---- The bound ---- */

static enum status_code get_code(struct stage *s, const struct held_token *t)
{
	struct session_get_result result;

	return do_get(s, &(struct session_get_request){.token = token_of(t)}, &result);
}

static enum status_code update_code(struct stage *s, const struct held_token *t)
{
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request update = {.token = token_of(t), .set_count = 1, .set = &set};
	struct session_update_result result;

	return do_update(s, &update, &result);
}

static void who_could_not_ask_does_not_say_valid(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct held_token dead = login(s, "ann", "");

	assert_int_equal(get_code(s, &t), STATUS_UNAVAILABLE);
	assert_true(s->st.retry_after_ms > 0);
	assert_int_equal(update_code(s, &t), STATUS_UNAVAILABLE);
	assert_true(ask(s, known));
	assert_int_equal(get_code(s, &t), STATUS_OK);
	assert_int_equal(update_code(s, &t), STATUS_OK);
	s->world.env.mono_ms = NOT_BEFORE_TRUST_MS - 1;
	assert_int_equal(get_code(s, &t), STATUS_OK);
	s->world.env.mono_ms = NOT_BEFORE_TRUST_MS;
	assert_int_equal(get_code(s, &t), STATUS_UNAVAILABLE);
	assert_int_equal(update_code(s, &t), STATUS_UNAVAILABLE);
	/* That a session is dead needs no confirmation. */
	end(s, &dead);
	assert_int_equal(look(s, &dead).reason, REASON_LOGOUT);
	assert_true(ask(s, known));
	assert_int_equal(get_code(s, &t), STATUS_OK);
}

static void only_what_is_understood_confirms(void **state)
{
	static const char *const odd[] = {"x", "-1:a", "1e9:a", "99999999999999999999:a", "", ":", "1764000001000"};
	struct stage *s = *state;
	const struct not_before_query q = query_of(s);
	const struct store_reply integer = {.type = STORE_INTEGER, .integer = 5};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		const struct store_reply reply = {.type = STORE_STRING, .string = span_str(odd[i])};

		assert_false(not_before_query_answer(known, &q, &reply, 0, WORLD_NOW_MS));
	}
	assert_false(not_before_query_answer(known, &q, &integer, 0, WORLD_NOW_MS));
	assert_false(not_before_is_confirmed(known, q.realm, 0));
	assert_int_equal(not_before_of(known, q.realm), 0);
	assert_true(not_before_query_answer(known, &q, &(struct store_reply){.type = STORE_NIL}, 0, WORLD_NOW_MS));
	assert_true(not_before_is_confirmed(known, q.realm, 0));
	/* An older question's answer takes nothing back. */
	assert_true(not_before_query_answer(known, &q, &(struct store_reply){.type = STORE_NIL}, 1000, WORLD_NOW_MS));
	assert_true(not_before_query_answer(known, &q, &(struct store_reply){.type = STORE_NIL}, 500, WORLD_NOW_MS));
	assert_true(not_before_is_confirmed(known, q.realm, 999 + NOT_BEFORE_TRUST_MS));
}

/* A moment that no RevokeRealm sets, whoever wrote or announced it, would end all sessions, those to come too, and the
 * first login behind it would be created in a year that no token can tell. */
static void a_moment_far_ahead_is_not_believed(void **state)
{
	static const uint64_t ahead[] = {WORLD_NOW_MS + NOT_BEFORE_AHEAD_MS_MAX + 1, 1ULL << 53, UINT64_MAX};
	struct stage *s = *state;
	const struct not_before_query q = query_of(s);
	const struct session_ears ears = {.not_before = known, .realms = &s->world.realms, .now_ms = WORLD_NOW_MS};
	struct handle realm;

	handle_of_realm(s->world.env.realm, &realm);
	for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		const span told = announcement_head(s->world.env.arena, &s->world.env, &realm, EVENT_REALM_REVOKED,
						    REASON_REALM_REVOKED, ahead[i]);
		char text[48];
		struct store_reply reply = {.type = STORE_STRING};

		(void)snprintf(text, sizeof(text), "%" PRIu64 ":0123456789abcdef", ahead[i]);
		reply.string = span_str(text);
		assert_false(not_before_query_answer(known, &q, &reply, 0, WORLD_NOW_MS));
		session_hear(&ears, told, 0);
		assert_int_equal(not_before_of(known, q.realm), 0);
	}
	assert_true(ask(s, known));
	(void)login(s, "ann", "");
	session_hear(&ears,
		     announcement_head(s->world.env.arena, &s->world.env, &realm, EVENT_REALM_REVOKED,
				       REASON_REALM_REVOKED, WORLD_NOW_MS + NOT_BEFORE_AHEAD_MS_MAX),
		     0);
	assert_int_equal(not_before_of(known, q.realm), WORLD_NOW_MS + NOT_BEFORE_AHEAD_MS_MAX);
}

/* Believed by an instance whose own clock was wrong, and has been set back since: no session is to live the longer. */
static void nobody_is_created_far_ahead(void **state)
{
	struct stage *s = *state;
	const struct session_create_request named = {.user = SPAN_LIT("ann")};
	const struct session_create_request anonymous = {.is_anonymous = true};
	const uint64_t far_ms = NEXT_SECOND_MS + NOT_BEFORE_AHEAD_MS_MAX;
	const uint64_t refused = metric_get(METRIC_REALMS_AHEAD);
	struct session_create_result result = {0};
	struct held_token old;

	assert_true(ask(s, known));
	old = login(s, "ann", "");
	not_before_raise(known, s->world.env.realm, far_ms);
	assert_int_equal(do_create(s, &named, &result), STATUS_UNAVAILABLE);
	assert_non_null(strstr(s->st.text, "180 s ahead of now, over 180: no session"));
	assert_non_null(strstr(s->st.text, "then start it anew"));
	assert_true(s->st.retry_after_ms > 0);
	assert_int_equal(do_create(s, &anonymous, &result), STATUS_UNAVAILABLE);
	assert_int_equal(metric_get(METRIC_REALMS_AHEAD), refused + 2);
	expect_revoked(s, &old, far_ms);
	s->world.env.now_ms = far_ms - NOT_BEFORE_AHEAD_MS_MAX;
	assert_int_equal(do_create(s, &named, &result), STATUS_OK);
	assert_int_equal(result.info.created_at_ms, far_ms);
	assert_int_equal(do_create(s, &anonymous, &result), STATUS_OK);
}

/* ---- Rotation ---- */

static void rotated_sessions_end_with_the_realm(void **state)
{
	struct stage *s = *state;
	const struct held_token old = login(s, "ann", "");
	const struct session_rotate_request rotate = {.token = token_of(&old)};
	struct session_rotate_result result = {0};
	struct held_token next;

	assert_int_equal(do_rotate(s, &rotate, &result), STATUS_UNAVAILABLE);
	assert_true(ask(s, known));
	/* Nothing was stored for it. */
	assert_int_equal(look(s, &old).verdict, VERDICT_VALID);
	assert_int_equal(do_rotate(s, &rotate, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	memcpy(next.text, result.token, TOKEN_CHARS);
	memcpy(next.handle, result.info.handle, HANDLE_CHARS);
	s->world.env.now_ms += 5000;
	(void)revoke_realm(s, 0);
	expect_revoked(s, &old, NEXT_SECOND_MS + 5000);
	expect_revoked(s, &next, NEXT_SECOND_MS + 5000);
	assert_int_equal(do_rotate(s, &rotate, &result), STATUS_OK);
	assert_int_equal(result.outcome.reason, REASON_REALM_REVOKED);
}

/* ---- Index and cap ---- */

static size_t listed(struct stage *s)
{
	const struct session_list_request list = {.user = SPAN_LIT("ann")};
	struct session_list_result result = {0};

	assert_int_equal(do_list(s, &list, &result), STATUS_OK);
	return result.count;
}

static void who_ended_with_the_realm_is_not_listed(void **state)
{
	struct stage *s = *state;
	const struct held_token old = login(s, "ann", "");
	char index[64];

	(void)login(s, "ann", "");
	assert_int_equal(listed(s), 2);
	(void)revoke_realm(s, 0);
	(void)login(s, "ann", "");
	index_key(&old, index);
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), 3);
	assert_int_equal(listed(s), 1);
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), 1);
}

static void who_ended_with_the_realm_has_no_entry(void **state)
{
	struct stage *s = *state;
	const struct held_token old = login(s, "ann", "");
	const span tokens[] = {token_of(&old)};
	const struct session_verify_request req = {.user = SPAN_LIT("ann"), .token_count = 1, .tokens = tokens};
	struct session_verify_result result = {0};

	(void)login(s, "ann", "");
	(void)revoke_realm(s, 0);
	(void)login(s, "ann", "");
	assert_int_equal(do_verify(s, &req, &result), STATUS_OK);
	assert_int_equal(result.sessions, 1);
	assert_int_equal(result.dangling, 0);
	assert_int_equal(listed(s), 1);
	assert_int_equal(result.missing, 0);
}

static void who_ended_with_the_realm_does_not_count_at_the_cap(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann"), .class_name = SPAN_LIT("strict")};
	struct session_create_result result = {0};
	const char *const classes[] = {"", "strict"};

	for (size_t c = 0; c < 2; c++)
		for (int i = 0; i < WORLD_CAP; i++)
			(void)login(s, "ann", classes[c]);
	assert_int_equal(do_create(s, &req, &result), STATUS_RESOURCE_EXHAUSTED);
	(void)revoke_realm(s, 0);
	for (int i = 0; i < WORLD_CAP; i++) {
		assert_int_equal(do_create(s, &req, &result), STATUS_OK);
		assert_int_equal(result.evicted_count, 0);
	}
	assert_int_equal(do_create(s, &req, &result), STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(listed(s), WORLD_CAP);
}

/* ---- Failover, repetition ---- */

static void a_failover_that_loses_it_gets_it_back(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	not_before *other = not_before_new(s->world.realms.count);
	size_t revocation;

	(void)revoke_realm(s, 0);
	revocation = s->kept_count - 1;
	assert_int_equal(s->kept[revocation].lifetime_ms, 7776000ULL * 1000);
	assert_string_equal(redo(s, revocation), "there");
	flush(s);
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, revocation), "done");
	assert_string_equal(redo(s, revocation), "there");
	assert_true(ask(s, other));
	s->world.env.not_before = other;
	expect_revoked(s, &t, NEXT_SECOND_MS);
	/* A later one stands. */
	s->world.env.now_ms += 10000;
	(void)revoke_realm(s, 0);
	assert_string_equal(redo(s, revocation), "there");
	assert_int_equal(revoke_realm(s, 1), NEXT_SECOND_MS + 10000);
	not_before_free(&other);
}

static void a_repetition_asks_for_the_same_moment(void **state)
{
	struct stage *s = *state;
	struct session_revoke_realm_result result;
	struct held_token between;

	assert_true(ask(s, known));
	s->world.env.idempotency_key = SPAN_LIT("once");
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS);
	s->world.env.now_ms += 20000;
	s->world.env.idempotency_key = SPAN_EMPTY;
	between = login(s, "ann", "");
	s->world.env.now_ms += 20000;
	s->world.env.idempotency_key = SPAN_LIT("once");
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS);
	assert_true(is_valid(s, &between));
	assert_int_equal(do_revoke_realm(s, &(struct session_revoke_realm_request){5000}, &result),
			 STATUS_ALREADY_EXISTS);
	s->world.env.idempotency_key = SPAN_LIT("twice");
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS + 40000);
	expect_revoked(s, &between, NEXT_SECOND_MS + 40000);
}

static void odd_values_and_replies_do_no_harm(void **state)
{
	struct stage *s = *state;
	struct session_revoke_realm_result result = {0};
	struct plan plan = {0};
	char key[NOT_BEFORE_KEY_CHARS];
	const struct store_reply word = {.type = STORE_STRING, .string = SPAN_LIT("ok")};
	const struct store_reply odd = {.type = STORE_STRING, .string = SPAN_LIT("x")};
	const struct store_reply *const elements[] = {&word, &odd};
	const struct store_reply array = {.type = STORE_ARRAY, .count = 2, .elements = elements};
	const struct store_reply *const replies[] = {NULL, &word, &array};

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
		    session_revoke_realm_plan(&s->world.env, &(struct session_revoke_realm_request){0}, &plan, &s->st),
		    STATUS_OK);
		assert_int_equal(session_revoke_realm_answer(&s->world.env, &plan, replies[i], &result, &s->st),
				 STATUS_INTERNAL);
	}
	assert_int_equal(not_before_of(known, s->world.env.realm), 0);
	not_before_key(s->world.env.realm, key);
	freeReplyObject(real_redis_ask(&s->redis, "SET %b garbage", key, sizeof(key)));
	assert_false(ask(s, known));
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS);
	assert_true(ask(s, known));
}

static void a_full_redis_is_no_obstacle(void **state)
{
	struct stage *s = *state;

	(void)login(s, "ann", "");
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	assert_int_equal(revoke_realm(s, 0), NEXT_SECOND_MS);
}

/* ---- Threads ---- */

#define THREADS 4
#define ROUNDS	20000

static const struct realm one = {.place = 1};
static const struct realm another = {.place = 0};

static void *raise_and_look(void *arg)
{
	const uint64_t first = *(const uint64_t *)arg;
	uint64_t before = 0;
	bool went_back = false;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t is;

		not_before_raise(known, &one, first + i * THREADS);
		is = not_before_of(known, &one);
		went_back = went_back || is < before || is < first + i * THREADS;
		before = is;
	}
	return went_back ? known : NULL;
}

static void what_is_known_only_grows(void **state)
{
	pthread_t threads[THREADS];
	uint64_t firsts[THREADS];

	(void)state;
	for (uint64_t i = 0; i < THREADS; i++) {
		firsts[i] = 1 + i;
		assert_int_equal(pthread_create(&threads[i], NULL, raise_and_look, &firsts[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		void *went_back;

		assert_int_equal(pthread_join(threads[i], &went_back), 0);
		assert_null(went_back);
	}
	assert_int_equal(not_before_of(known, &one), THREADS + (ROUNDS - 1) * THREADS);
	assert_int_equal(not_before_of(known, &another), 0);
}

static void without_a_table_nothing_is_known(void **state)
{
	(void)state;
	not_before_raise(NULL, &one, 5);
	assert_int_equal(not_before_of(NULL, &one), 0);
	assert_true(not_before_is_confirmed(NULL, &one, 5));
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_that_was_there_ends_and_new_logins_work),
	    TEST(other_realms_are_not_touched),
	    TEST(the_moment_is_a_whole_second_and_never_moves_back),
	    TEST(two_in_one_second_end_who_came_in_between),
	    TEST(who_logged_in_by_a_fast_clock_ends_too),
	    TEST(a_second_run_changes_nothing),
	    TEST(a_login_before_a_moment_ahead_is_created_at_it),
	    TEST(another_instance_learns_by_asking),
	    TEST(another_instance_learns_by_hearing),
	    TEST(what_is_heard_meanwhile_counts),
	    TEST(who_could_not_ask_does_not_say_valid),
	    TEST(only_what_is_understood_confirms),
	    TEST(a_moment_far_ahead_is_not_believed),
	    TEST(nobody_is_created_far_ahead),
	    TEST(rotated_sessions_end_with_the_realm),
	    TEST(who_ended_with_the_realm_is_not_listed),
	    TEST(who_ended_with_the_realm_has_no_entry),
	    TEST(who_ended_with_the_realm_does_not_count_at_the_cap),
	    TEST(a_failover_that_loses_it_gets_it_back),
	    TEST(a_repetition_asks_for_the_same_moment),
	    TEST(odd_values_and_replies_do_no_harm),
	    TEST(a_full_redis_is_no_obstacle),
	    TEST(what_is_known_only_grows),
	    TEST(without_a_table_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, stage_start, stop);
}
