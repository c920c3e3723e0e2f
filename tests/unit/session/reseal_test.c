/* Sessions across a rotation of keys: what is written comes under the first key, once; what lags behind undoes nothing;
 * what is gone closes nothing but its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "calls.h"

#define KEY_2 "2     QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8\n"
#define KEY_3 "3     AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
/* Key 2 has been added, and is not the first yet. */
#define KEYRING_ADDED  WORLD_KEYRING KEY_2
#define KEYRING_THIRD  KEY_3 WORLD_KEYRING_ROTATED
#define KEYRING_2_ONLY WORLD_KEYRING_RETIRED

/* The number of the key in the record's header. */
static unsigned base_key(struct stage *s, const struct held_token *t)
{
	char key[64];
	redisReply *r;
	unsigned id;

	session_key(t, key);
	r = real_redis_ask(&s->redis, "GETRANGE %s 1 2", key);
	assert_int_equal(r->len, 2);
	id = (unsigned)(uint8_t)r->str[0] << 8 | (uint8_t)r->str[1];
	freeReplyObject(r);
	return id;
}

static unsigned deltas(struct stage *s, const struct held_token *t)
{
	char key[64];
	redisReply *r;
	unsigned n;

	session_key(t, key);
	r = real_redis_ask(&s->redis, "GETRANGE %s 50 50", key);
	assert_int_equal(r->len, 1);
	n = (uint8_t)r->str[0];
	freeReplyObject(r);
	return n;
}

/* Puts, and returns the commands that it took. */
static unsigned put_counted(struct stage *s, const struct held_token *t, const char *key, const char *value)
{
	const unsigned before = s->commands;

	(void)put(s, t, key, value);
	return s->commands - before;
}

static void the_next_write_reseals_once(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", NULL);
	const uint64_t before = metric_get(METRIC_RECORDS_RESEALED);

	assert_int_equal(put_counted(s, &t, "a", "1"), 1);
	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	assert_true(is_valid(s, &t));
	assert_int_equal(base_key(s, &t), 1);
	assert_int_equal(put_counted(s, &t, "b", "2"), 2);
	assert_int_equal(base_key(s, &t), 2);
	assert_int_equal(deltas(s, &t), 0);
	assert_int_equal(put_counted(s, &t, "c", "3"), 1);
	assert_int_equal(deltas(s, &t), 1);
	assert_int_equal(metric_get(METRIC_RECORDS_RESEALED), before + 1);
	expect_attribute(s, &t, "a", "1");
	expect_attribute(s, &t, "b", "2");
	expect_attribute(s, &t, "c", "3");
	world_use_keyring(&s->world, KEYRING_THIRD);
	assert_int_equal(put_counted(s, &t, "a", "4"), 2);
	assert_int_equal(base_key(s, &t), 3);
	expect_attribute(s, &t, "a", "4");
	expect_attribute(s, &t, "c", "3");
}

/* One instance has promoted the key, the other has not yet: they do not seal to and fro. */
static void who_lags_behind_leaves_it(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", NULL);
	char value[16];

	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	assert_int_equal(put_counted(s, &t, "a", "1"), 2);
	for (int i = 0; i < 6; i++) {
		(void)snprintf(value, sizeof(value), "%d", i);
		world_use_keyring(&s->world, i % 2 == 0 ? KEYRING_ADDED : WORLD_KEYRING_ROTATED);
		assert_int_equal(put_counted(s, &t, "b", value), 1);
		assert_int_equal(base_key(s, &t), 2);
		expect_attribute(s, &t, "b", value);
	}
	assert_int_equal(deltas(s, &t), 6);
}

static void an_expected_version_is_kept(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", NULL);
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	struct session_update_request req = {
	    .token = token_of(&t), .set_count = 1, .set = &set, .has_expected_version = true, .expected_version = 7};
	struct session_update_result result;

	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	assert_int_equal(do_update(s, &req, &result), STATUS_ABORTED);
	assert_int_equal(base_key(s, &t), 1);
	req.expected_version = 1;
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 2);
	assert_int_equal(base_key(s, &t), 2);
	expect_attribute(s, &t, "a", "1");
}

/* While updates may still be brought back, a new base would pass for holding them. */
static void nothing_is_resealed_while_unsettled(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", NULL);

	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	s->world.env.is_unsettled = true;
	assert_int_equal(put_counted(s, &t, "a", "1"), 2);
	assert_int_equal(base_key(s, &t), 1);
	assert_int_equal(deltas(s, &t), 1);
	s->world.env.is_unsettled = false;
	assert_int_equal(put_counted(s, &t, "b", "2"), 2);
	assert_int_equal(base_key(s, &t), 2);
	expect_attribute(s, &t, "a", "1");
	expect_attribute(s, &t, "b", "2");
}

/* What was acknowledged survives a primary that has the record as it was before the rotation. */
static void a_resealing_is_brought_back(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", NULL);
	char key[64];
	redisReply *old;

	session_key(&t, key);
	(void)put(s, &t, "a", "1");
	old = real_redis_ask(&s->redis, "GET %s", key);
	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	assert_int_equal(put_counted(s, &t, "b", "2"), 2);
	assert_string_equal(redo(s, s->kept_count - 1), "there");
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %b KEEPTTL", key, old->str, old->len));
	freeReplyObject(old);
	assert_string_equal(redo(s, s->kept_count - 1), "done");
	expect_attribute(s, &t, "a", "1");
	expect_attribute(s, &t, "b", "2");
	assert_int_equal(put_counted(s, &t, "c", "3"), 2);
	assert_int_equal(base_key(s, &t), 2);
	expect_attribute(s, &t, "b", "2");
}

static void a_retired_key_ends_its_own_tokens_only(void **state)
{
	struct stage *s = *state;
	const struct held_token old = login(s, "ann", NULL);
	struct held_token new;
	struct session_outcome o;

	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	new = login(s, "ann", NULL);
	(void)put(s, &old, "a", "1");
	(void)put(s, &new, "a", "1");
	world_use_keyring(&s->world, KEYRING_2_ONLY);
	o = look(s, &old);
	assert_int_equal(o.verdict, VERDICT_INVALID);
	assert_int_equal(o.reason, REASON_RETIRED_KEY);
	assert_true(is_valid(s, &new));
	expect_attribute(s, &new, "a", "1");
}

/* Can only be where a key was removed too early, or not everywhere added: an instance that did not know of the promotion
 * wrote to the session under key 1. The session lives, and this instance cannot read it: it cannot tell, and it does not
 * log anybody out. It can still revoke it, and whoever has the key reads on. */
static void a_living_token_over_a_missing_key_is_unknown(void **state)
{
	struct stage *s = *state;
	const uint64_t missing = metric_get(METRIC_RECORDS_KEY_MISSING);
	struct session_revoke_result revoked;
	struct session_outcome o;
	struct held_token t;

	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	t = login(s, "ann", NULL);
	world_use_keyring(&s->world, KEYRING_ADDED);
	assert_int_equal(put_counted(s, &t, "a", "1"), 1);
	world_use_keyring(&s->world, KEYRING_2_ONLY);
	o = look(s, &t);
	assert_int_equal(o.verdict, VERDICT_UNKNOWN);
	assert_int_equal(o.reason, REASON_UNREADABLE);
	assert_int_equal(metric_get(METRIC_RECORDS_KEY_MISSING), missing + 1);
	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	expect_attribute(s, &t, "a", "1");
	world_use_keyring(&s->world, KEYRING_2_ONLY);
	assert_int_equal(do_revoke(s, &(struct session_revoke_request){.token = token_of(&t)}, &revoked), STATUS_OK);
	assert_true(revoked.was_alive);
	assert_int_equal(look(s, &t).verdict, VERDICT_INVALID);
}

/* A record whose base is under a missing key is not resealed into something else. */
static void what_does_not_open_is_not_resealed(void **state)
{
	struct stage *s = *state;
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	struct session_update_result result;
	struct held_token t;
	char key[64];

	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	t = login(s, "ann", NULL);
	session_key(&t, key);
	/* Header only: no key opens it now. */
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 1 %b", key, "\0\1", (size_t)2));
	assert_int_equal(
	    do_update(s, &(struct session_update_request){.token = token_of(&t), .set_count = 1, .set = &set}, &result),
	    STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_UNKNOWN);
	assert_int_equal(result.outcome.reason, REASON_UNREADABLE);
	assert_int_equal(base_key(s, &t), 1);
	assert_int_equal(deltas(s, &t), 0);
}

static void what_is_met_is_counted_by_key(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", NULL);
	struct keyring_key key;

	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	(void)put(s, &t, "a", "1");
	assert_true(is_valid(s, &t));
	assert_true(keyring_key_at(s->world.keys, 1, &key));
	assert_int_equal(key.id, 1);
	/* The update and the Get; the record that the update found. */
	assert_int_equal(key.tokens, 2);
	assert_int_equal(key.records, 1);
	assert_int_equal(key.last_used_ms, WORLD_NOW_MS);
	assert_true(keyring_key_at(s->world.keys, 0, &key));
	assert_int_equal(key.tokens, 0);
	assert_int_equal(key.records, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_next_write_reseals_once, stage_reset),
	    cmocka_unit_test_setup(who_lags_behind_leaves_it, stage_reset),
	    cmocka_unit_test_setup(an_expected_version_is_kept, stage_reset),
	    cmocka_unit_test_setup(nothing_is_resealed_while_unsettled, stage_reset),
	    cmocka_unit_test_setup(a_resealing_is_brought_back, stage_reset),
	    cmocka_unit_test_setup(a_retired_key_ends_its_own_tokens_only, stage_reset),
	    cmocka_unit_test_setup(a_living_token_over_a_missing_key_is_unknown, stage_reset),
	    cmocka_unit_test_setup(what_does_not_open_is_not_resealed, stage_reset),
	    cmocka_unit_test_setup(what_is_met_is_counted_by_key, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
