/* A command carried out a second time, because the reply to the first was lost: it changes nothing more, and its reply
 * is the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"
#include "session/record.h"

/* Carries the last plan's command out again; the reply is valid until the next. */
static const struct store_reply *again(struct stage *s)
{
	const struct plan plan = {.has_command = true, .command = s->last};

	assert_true(s->last.is_repeatable);
	return carry_out(s, &plan);
}

static void expect_word(const struct store_reply *reply, const char *word)
{
	assert_int_equal(reply->type, STORE_ARRAY);
	assert_true(reply->count > 0);
	if (!span_eq(reply->elements[0]->string, span_str(word)))
		fail_msg("%.*s, not %s", SPAN_FMT(reply->elements[0]->string), word);
}

/* The whole data set, to be compared. */
static long long digest_changes(struct stage *s)
{
	redisReply *reply = real_redis_ask(&s->redis, "INFO persistence");
	const char *at = strstr(reply->str, "rdb_changes_since_last_save:");
	long long n;

	assert_non_null(at);
	n = strtoll(at + strlen("rdb_changes_since_last_save:"), NULL, 10);
	freeReplyObject(reply);
	return n;
}

static void create_finds_its_own_record(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct store_reply *reply;
	long long changes = digest_changes(s);

	reply = again(s);
	expect_word(reply, "ok");
	assert_int_equal(reply->count, 1);
	assert_int_equal(digest_changes(s), changes);
	assert_true(is_valid(s, &t));
}

static void create_finds_that_its_record_has_ended(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_revoke_request req = {.token = token_of(&t)};
	const struct store_command create = s->last;
	struct session_revoke_result ended;

	assert_int_equal(do_revoke(s, &req, &ended), STATUS_OK);
	s->last = create;
	expect_word(again(s), "ok");
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
}

static void create_refuses_anothers_record(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char key[64];

	session_key(&t, key);
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 100 %s", key, "x"));
	expect_word(again(s), "taken");
}

static void create_knows_whom_it_evicted_with_an_idempotency_key(void **state)
{
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made;
	struct stage *s = *state;
	const struct store_reply *reply;
	struct held_token t[WORLD_CAP];

	for (int i = 0; i < WORLD_CAP; i++)
		t[i] = login(s, "ann", "");
	s->world.env.idempotency_key = SPAN_LIT("key");
	s->world.env.now_ms += 1000;
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 1);
	reply = again(s);
	expect_word(reply, "ok");
	assert_int_equal(reply->count, 2);
	assert_memory_equal(reply->elements[1]->string.ptr, made.evicted[0] + 12, 16);
	(void)t;
}

static void update_finds_its_own_delta(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct store_command first;
	const struct store_reply *reply;

	assert_int_equal(put(s, &t, "a", "1"), 2);
	first = s->last;
	assert_int_equal(put(s, &t, "a", "2"), 3);
	s->last = first;
	reply = again(s);
	expect_word(reply, "ok");
	assert_int_equal(reply->elements[1]->integer, 2);
	expect_attribute(s, &t, "a", "2");
}

/* The expected version is no longer stored, and its own doing. */
static void a_compare_and_set_finds_its_own_delta(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request req = {
	    .token = token_of(&t), .set_count = 1, .set = &set, .has_expected_version = true, .expected_version = 1};
	struct session_update_result result;
	const struct store_reply *reply;

	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	reply = again(s);
	expect_word(reply, "ok");
	assert_int_equal(reply->elements[1]->integer, 2);
	assert_int_equal(put(s, &t, "b", "1"), 3);
}

static void a_rewriting_finds_its_own_record(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct store_command rewriting;
	const struct store_reply *reply;
	uint64_t version = 0;

	for (int i = 0; i <= DELTAS_MAX; i++)
		version = put(s, &t, "a", "1");
	rewriting = s->last;
	assert_int_equal(rewriting.script, STORE_SCRIPT_SESSION_REPLACE);
	reply = again(s);
	expect_word(reply, "ok");
	assert_int_equal(reply->elements[1]->integer, version);
	/* Also below a later change. */
	assert_int_equal(put(s, &t, "a", "2"), version + 1);
	s->last = rewriting;
	reply = again(s);
	expect_word(reply, "ok");
	assert_int_equal(reply->elements[1]->integer, version);
	expect_attribute(s, &t, "a", "2");
}

static void revoke_finds_its_own_tombstone(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct session_revoke_request req = {.token = token_of(&t)};
	struct session_revoke_result result;

	assert_int_equal(do_revoke(s, &req, &result), STATUS_OK);
	assert_int_equal(again(s)->elements[0]->integer, 1);
	s->world.env.now_ms++;
	assert_int_equal(do_revoke(s, &req, &result), STATUS_OK);
	assert_false(result.was_alive);
	assert_int_equal(again(s)->elements[0]->integer, 0);
}

static void revoke_user_tells_the_same_again(void **state)
{
	struct stage *s = *state;
	const struct held_token t1 = login(s, "ann", "");
	const struct held_token t2 = login(s, "ann", "");
	const struct session_revoke_user_request req = {.user = SPAN_LIT("ann")};
	struct session_revoke_user_result result;
	const struct store_reply *reply;

	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	assert_int_equal(result.revoked, 2);
	reply = again(s);
	assert_int_equal(reply->elements[0]->integer, 2);
	assert_int_equal(reply->elements[3]->string.len, 32);
	assert_false(is_valid(s, &t1) || is_valid(s, &t2));
}

/* Under another run's idempotency key: what was made then is read, so that it can be kept. */
static void a_replayed_create_can_be_kept(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result first;
	struct session_create_result second;
	struct held_token t;

	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_create(s, &req, &first), STATUS_OK);
	memcpy(t.text, first.token.ptr, sizeof(t.text));
	memcpy(t.handle, first.info.handle, sizeof(t.handle));
	s->kept_count = 0;
	assert_int_equal(do_create(s, &req, &second), STATUS_OK);
	assert_memory_equal(first.token.ptr, second.token.ptr, TOKEN_CHARS);
	assert_int_equal(s->kept_count, 1);
	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	assert_string_equal(redo(s, 0), "done");
	assert_true(is_valid(s, &t));
}

static void a_replayed_create_is_not_believed_when_it_may_be_lost(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made;
	char key[64];
	struct held_token t;

	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	memcpy(t.handle, made.info.handle, sizeof(t.handle));
	session_key(&t, key);
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	s->world.env.is_unsettled = true;
	s->world.env.young_ms = 10000;
	assert_int_equal(do_create(s, &req, &made), STATUS_UNAVAILABLE);
	s->world.env.now_ms += 90000;
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
}

static void a_replayed_update_can_be_kept(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct session_update_result result;

	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 2);
	assert_int_equal(s->kept_count, 3);
	assert_string_equal(redo(s, 2), "there");
	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 2), "done");
	assert_string_equal(redo(s, 1), "there");
	expect_attribute(s, &t, "a", "1");
}

/* ---- Announcements ---- */

static size_t hear(struct stage *s, redisContext *ear, recent *r)
{
	redisReply *reply = NULL;

	(void)s;
	assert_int_equal(redisGetReply(ear, (void **)&reply), REDIS_OK);
	assert_int_equal(reply->elements, 3);
	assert_string_equal(reply->element[0]->str, "message");
	session_hear(&(struct session_ears){.recent = r}, span_of(reply->element[2]->str, reply->element[2]->len), 0);
	freeReplyObject(reply);
	return recent_count(r);
}

static redisContext *listen_to(struct stage *s)
{
	redisContext *ear = redisConnectUnix(s->redis.socket_path);

	assert_non_null(ear);
	freeReplyObject(redisCommand(ear, "SUBSCRIBE %s", STORE_CHANNEL));
	return ear;
}

static void scripts_announce_whom_they_end(void **state)
{
	struct stage *s = *state;
	redisContext *ear = listen_to(s);
	recent *r = recent_new(10000);
	struct held_token t[WORLD_CAP + 2];
	struct session_revoke_user_request all = {.user = SPAN_LIT("ann")};
	struct session_revoke_request one = {0};
	struct session_revoke_user_result ended;
	struct session_revoke_result result;
	struct recent_end end;

	for (int i = 0; i < WORLD_CAP + 1; i++) {
		s->world.env.now_ms += 10;
		t[i] = login(s, "ann", "");
	}
	assert_int_equal(hear(s, ear, r), 1);
	assert_true(recent_find(r, t[0].handle, 0, &end));
	assert_int_equal(end.reason, REASON_EVICTED);
	one.token = token_of(&t[1]);
	assert_int_equal(do_revoke(s, &one, &result), STATUS_OK);
	assert_int_equal(hear(s, ear, r), 2);
	assert_true(recent_find(r, t[1].handle, 0, &end));
	assert_int_equal(end.reason, REASON_LOGOUT);
	assert_int_equal(do_revoke_user(s, &all, &ended), STATUS_OK);
	assert_int_equal(hear(s, ear, r), WORLD_CAP + 1);
	assert_true(recent_find(r, t[WORLD_CAP].handle, 0, &end));
	assert_int_equal(end.reason, REASON_LOGOUT_EVERYWHERE);
	recent_free(&r);
	redisFree(ear);
}

/* Who may not publish may end sessions all the same. */
static void an_acl_without_the_channel_is_no_obstacle(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct held_token t2 = login(s, "ann", "");
	const struct session_revoke_request one = {.token = token_of(&t)};
	const struct session_revoke_user_request all = {.user = SPAN_LIT("ann")};
	struct session_revoke_user_result ended;
	struct session_revoke_result result;

	freeReplyObject(real_redis_ask(&s->redis, "ACL SETUSER mute on nopass ~* +@all -@dangerous resetchannels"));
	freeReplyObject(real_redis_ask(&s->redis, "AUTH mute x"));
	assert_int_equal(do_revoke(s, &one, &result), STATUS_OK);
	assert_int_equal(do_revoke_user(s, &all, &ended), STATUS_OK);
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
	assert_int_equal(look(s, &t2).reason, REASON_LOGOUT_EVERYWHERE);
	freeReplyObject(real_redis_ask(&s->redis, "AUTH default x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(create_finds_its_own_record, stage_reset),
	    cmocka_unit_test_setup(create_finds_that_its_record_has_ended, stage_reset),
	    cmocka_unit_test_setup(create_refuses_anothers_record, stage_reset),
	    cmocka_unit_test_setup(create_knows_whom_it_evicted_with_an_idempotency_key, stage_reset),
	    cmocka_unit_test_setup(update_finds_its_own_delta, stage_reset),
	    cmocka_unit_test_setup(a_compare_and_set_finds_its_own_delta, stage_reset),
	    cmocka_unit_test_setup(a_rewriting_finds_its_own_record, stage_reset),
	    cmocka_unit_test_setup(revoke_finds_its_own_tombstone, stage_reset),
	    cmocka_unit_test_setup(revoke_user_tells_the_same_again, stage_reset),
	    cmocka_unit_test_setup(a_replayed_create_can_be_kept, stage_reset),
	    cmocka_unit_test_setup(a_replayed_create_is_not_believed_when_it_may_be_lost, stage_reset),
	    cmocka_unit_test_setup(a_replayed_update_can_be_kept, stage_reset),
	    cmocka_unit_test_setup(scripts_announce_whom_they_end, stage_reset),
	    cmocka_unit_test_setup(an_acl_without_the_channel_is_no_obstacle, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
