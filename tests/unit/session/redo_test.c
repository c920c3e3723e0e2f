/* What was acknowledged, brought back on a primary that lacks it: each test makes an old primary's history, takes some of
 * it away, and carries the kept commands out again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "history.h"
#include "session/record.h"

/* ---- Create ---- */

static void a_session_comes_back(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_list_request list = {.user = SPAN_LIT("ann")};
	struct session_list_result listed;
	char index[64];

	assert_int_equal(s->kept_count, 1);
	/* No longer than a tombstone that follows it. */
	assert_int_equal(s->kept[0].lifetime_ms, WORLD_TOMBSTONE_S * 1000);
	assert_string_equal(redo(s, 0), "there");
	flush(s);
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 0), "there");
	assert_true(is_valid(s, &t));
	assert_int_equal(do_list(s, &list, &listed), STATUS_OK);
	assert_int_equal(listed.count, 1);
	index_key(&t, index);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", index), 1, WORLD_ABSOLUTE_S * 1000);
}

static void a_session_that_has_ended_stays_dead(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	end(s, &t);
	assert_string_equal(redo(s, 0), "there");
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
	/* In whichever order they are brought back. */
	flush(s);
	assert_string_equal(redo(s, 1), "done");
	assert_string_equal(redo(s, 0), "there");
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
	flush(s);
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 1), "done");
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
}

static void a_later_version_is_left_alone(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	(void)put(s, &t, "a", "1");
	assert_string_equal(redo(s, 0), "there");
	expect_attribute(s, &t, "a", "1");
}

static void a_newer_format_is_left_alone(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char key[64];

	(void)put(s, &t, "a", "1");
	end(s, &t);
	session_key(&t, key);
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %s PX 90000", key, "\4newer"));
	assert_string_equal(redo(s, 0), "there");
	assert_string_equal(redo(s, 1), "there");
	assert_int_equal(real_redis_number(&s->redis, "STRLEN %s", key), 6);
	/* But it can be ended. */
	assert_string_equal(redo(s, 2), "done");
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
}

static void the_evicted_stay_dead(void **state)
{
	struct stage *s = *state;
	struct held_token t[WORLD_CAP + 1];
	size_t kept;

	for (int i = 0; i <= WORLD_CAP; i++) {
		s->world.env.now_ms += 10;
		t[i] = login(s, "ann", "");
	}
	kept = s->kept_count;
	assert_int_equal(kept, WORLD_CAP + 2);
	flush(s);
	for (size_t i = 0; i < kept; i++)
		assert_string_equal(redo(s, i), "done");
	assert_int_equal(look(s, &t[0]).reason, REASON_EVICTED);
	for (int i = 1; i <= WORLD_CAP; i++)
		assert_true(is_valid(s, &t[i]));
}

static void all_comes_back_when_redis_is_full(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	(void)put(s, &t, "a", "1");
	flush(s);
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 1), "done");
	expect_attribute(s, &t, "a", "1");
	end(s, &t);
	flush(s);
	assert_string_equal(redo(s, 2), "done");
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
}

/* ---- Update ---- */

static void updates_come_back(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	(void)put(s, &t, "a", "1");
	(void)put(s, &t, "a", "2");
	assert_string_equal(redo(s, 1), "there");
	assert_string_equal(redo(s, 2), "there");
	flush(s);
	assert_string_equal(redo(s, 1), "again");
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(redo(s, i), "done");
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(redo(s, i), "there");
	expect_attribute(s, &t, "a", "2");
	assert_int_equal(put(s, &t, "b", "1"), 4);
}

static void an_update_never_revives(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	(void)put(s, &t, "a", "1");
	end(s, &t);
	assert_string_equal(redo(s, 1), "there");
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
}

/* Two instances' updates in turn: whatever comes back first, the last wins. */
static void predecessors_are_waited_for(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	(void)put(s, &t, "a", "1");
	(void)put(s, &t, "a", "2");
	(void)put(s, &t, "a", "3");
	flush(s);
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 3), "again");
	assert_string_equal(redo(s, 2), "again");
	assert_string_equal(redo(s, 1), "done");
	assert_string_equal(redo(s, 3), "again");
	assert_string_equal(redo(s, 2), "done");
	assert_string_equal(redo(s, 3), "done");
	expect_attribute(s, &t, "a", "3");
	assert_int_equal(put(s, &t, "b", "1"), 5);
}

/* The one before is nobody's any more; were it to come all the same, it would take its place. */
static void predecessors_are_not_waited_for_without_end(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const char *word = "again";
	int tries = 0;

	(void)put(s, &t, "a", "1");
	(void)put(s, &t, "a", "2");
	(void)put(s, &t, "a", "3");
	flush(s);
	assert_string_equal(redo(s, 0), "done");
	/* The journal's tries. */
	for (; strcmp(word, "again") == 0 && tries < 20; tries++) {
		word = redo(s, 2);
		usleep(50000);
	}
	assert_string_equal(word, "done");
	assert_true(tries > 1);
	/* The next gap is waited for anew: nothing but session and index is left. */
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 2);
	expect_attribute(s, &t, "a", "2");
	assert_string_equal(redo(s, 1), "done");
	expect_attribute(s, &t, "a", "2");
	assert_string_equal(redo(s, 3), "done");
	expect_attribute(s, &t, "a", "3");
}

/* Others went on from the replica before this came back: what they wrote is later. */
static void a_new_history_is_later_than_the_old(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &t);

	(void)put(s, &t, "a", "old");
	(void)put(s, &t, "b", "old");
	put_back(s, shot);
	(void)put(s, &t, "a", "new");
	assert_string_equal(redo(s, 1), "done");
	assert_string_equal(redo(s, 2), "done");
	expect_attribute(s, &t, "a", "new");
	expect_attribute(s, &t, "b", "old");
	assert_string_equal(redo(s, 1), "there");
	assert_string_equal(redo(s, 2), "there");
	assert_string_equal(redo(s, 3), "there");
	assert_int_equal(put(s, &t, "c", "1"), 5);
	free(shot);
}

/* A delta that its seal binds to its place is readable there only: it neither moves nor lets itself be moved. */
static void bound_changes_keep_their_place(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &t);
	const struct session_attribute set = {SPAN_LIT("cas"), SPAN_LIT("1")};
	const struct session_update_request req = {
	    .token = token_of(&t), .set_count = 1, .set = &set, .has_expected_version = true, .expected_version = 1};
	struct session_update_result result;

	(void)put(s, &t, "a", "old");
	put_back(s, shot);
	/* In the new history a compare-and-set has the place of the old update. */
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_string_equal(redo(s, 1), "done");
	expect_attribute(s, &t, "a", "old");
	expect_attribute(s, &t, "cas", "1");
	/* And now the other way round: the compare-and-set is the old one. */
	put_back(s, shot);
	(void)put(s, &t, "a", "new");
	assert_string_equal(redo(s, 2), "conflict");
	expect_attribute(s, &t, "cas", "-");
	expect_attribute(s, &t, "a", "new");
	put_back(s, shot);
	assert_string_equal(redo(s, 2), "done");
	expect_attribute(s, &t, "cas", "1");
	free(shot);
}

static void a_rewriting_comes_back_as_its_change(void **state)
{
	enum { UPDATES = 2 * DELTAS_MAX };
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &t);
	uint64_t version = 0;
	char value[16];

	for (int i = 0; i < UPDATES; i++) {
		(void)snprintf(value, sizeof(value), "%d", i);
		version = put(s, &t, "a", value);
	}
	/* With the record as it is, merged or not, all of it is there. */
	for (size_t i = 0; i <= UPDATES; i++)
		assert_string_equal(redo(s, i), "there");
	put_back(s, shot);
	for (size_t i = 1; i <= UPDATES; i++)
		assert_string_equal(redo(s, i), "done");
	expect_attribute(s, &t, "a", value);
	assert_int_equal(put(s, &t, "b", "1"), version + 1);
	expect_attribute(s, &t, "a", value);
	free(shot);
}

/* Large changes: what has no room beside its predecessors comes back as the record that it was merged into. */
static void what_has_no_room_comes_back_merged(void **state)
{
	enum { UPDATES = 24, BYTES = 3000 };
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &t);
	char value[BYTES + 1] = {0};

	for (int i = 0; i < UPDATES; i++) {
		memset(value, 'a' + i, BYTES);
		(void)put(s, &t, "a", value);
		world_fresh(&s->world);
	}
	put_back(s, shot);
	s->kept_count = 0;
	for (int i = 0; i < UPDATES; i++) {
		memset(value, 'a' + i, BYTES);
		(void)put(s, &t, "a", value);
	}
	put_back(s, shot);
	for (size_t i = 0; i < UPDATES; i++)
		assert_string_equal(redo(s, i), "done");
	expect_attribute(s, &t, "a", value);
	free(shot);
}

static void limits_are_never_passed(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char key[64];

	(void)put(s, &t, "a", "1");
	flush(s);
	assert_string_equal(redo(s, 0), "done");
	session_key(&t, key);
	/* As many attributes as there may be. */
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 51 %b", key, "\1\0", (size_t)2));
	assert_string_equal(redo(s, 1), "conflict");
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 51 %b", key, "\0\0", (size_t)2));
	assert_string_equal(redo(s, 1), "done");
}

static void the_time_to_live_is_not_shortened(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &t);
	char key[64];

	(void)put(s, &t, "a", "1");
	put_back(s, shot);
	session_key(&t, key);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s 5000000", key), 1);
	assert_string_equal(redo(s, 1), "done");
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), 4900000, 5000000);
	free(shot);
}

/* A change under an idempotency key, others until it has been merged, and the change asked for again: what brings it
 * back is the record as a whole. Returns which of the kept that is. */
static size_t replay_merged(struct stage *s, const struct held_token *t)
{
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request req = {.token = token_of(t), .set_count = 1, .set = &set};
	struct session_update_result result;

	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	s->world.env.idempotency_key = SPAN_EMPTY;
	for (int i = 0; i <= DELTAS_MAX; i++)
		(void)put(s, t, "b", "1");
	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	s->world.env.idempotency_key = SPAN_EMPTY;
	assert_int_equal(result.version, 2);
	assert_int_equal(s->kept[s->kept_count - 1].command.script, STORE_SCRIPT_SESSION_RESTORE);
	return s->kept_count - 1;
}

static void a_merged_change_comes_back_with_the_record(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const size_t merged = replay_merged(s, &t);

	assert_string_equal(redo(s, merged), "there");
	(void)put(s, &t, "c", "1");
	assert_string_equal(redo(s, merged), "there");
	flush(s);
	assert_string_equal(redo(s, merged), "done");
	expect_attribute(s, &t, "a", "1");
	expect_attribute(s, &t, "c", "-");
}

/* Others were told on the new primary that theirs is stored: a whole record in its place would take it from them. */
static void a_record_never_takes_what_others_have_added(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct snapshot *shot = take_snapshot(s, &t);
	const size_t merged = replay_merged(s, &t);

	put_back(s, shot);
	(void)put(s, &t, "c", "new");
	assert_string_equal(redo(s, merged), "conflict");
	expect_attribute(s, &t, "c", "new");
	/* Nor does a session's first record. */
	assert_string_equal(redo(s, 0), "there");
	expect_attribute(s, &t, "c", "new");
	free(shot);
}

static void a_record_goes_over_its_own_beginning(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct session_update_result result;
	struct snapshot *shot;
	char key[64];

	(void)replay_merged(s, &t);
	shot = take_snapshot(s, &t);
	(void)put(s, &t, "c", "1");
	s->world.env.idempotency_key = SPAN_LIT("key");
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	put_back(s, shot);
	session_key(&t, key);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s 5000000", key), 1);
	assert_string_equal(redo(s, s->kept_count - 1), "done");
	expect_attribute(s, &t, "c", "1");
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), 4900000, 5000000);
	free(shot);
}

/* Full on a new primary, before what others had acknowledged has come back: a new base would pass for all of it. */
static void nothing_is_merged_while_changes_may_be_missing(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct snapshot *shot;
	size_t lost;

	for (int i = 0; i < DELTAS_MAX; i++)
		(void)put(s, &t, "b", "1");
	shot = take_snapshot(s, &t);
	lost = s->kept_count;
	(void)put(s, &t, "a", "old");
	put_back(s, shot);
	s->world.env.is_unsettled = true;
	(void)put(s, &t, "c", "new");
	assert_string_equal(redo(s, lost), "done");
	expect_attribute(s, &t, "a", "old");
	expect_attribute(s, &t, "c", "new");
	/* What has no room for readers either is merged all the same, and everything is when it has settled. */
	for (int i = 0; i < DELTAS_READ_MAX; i++)
		(void)put(s, &t, "d", "1");
	s->world.env.is_unsettled = false;
	(void)put(s, &t, "e", "1");
	expect_attribute(s, &t, "a", "old");
	expect_attribute(s, &t, "d", "1");
	free(shot);
}

/* ---- Revoke, RevokeUser ---- */

static void an_end_leaves_a_tombstone_where_no_record_is(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char key[64];

	end(s, &t);
	assert_int_equal(s->kept[1].lifetime_ms, WORLD_TOMBSTONE_S * 1000);
	flush(s);
	assert_string_equal(redo(s, 1), "done");
	session_key(&t, key);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), WORLD_TOMBSTONE_S * 1000 - 20000,
			WORLD_TOMBSTONE_S * 1000);
	assert_string_equal(redo(s, 1), "there");
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
}

static void all_of_a_users_ends_come_back(void **state)
{
	enum { MANY = 250 };
	struct stage *s = *state;
	struct held_token t[MANY];

	for (int i = 0; i < MANY; i++)
		t[i] = login(s, "ann", "remember");
	s->kept_count = 0;
	assert_int_equal(end_all(s, token_of(&t[7]), ""), MANY - 1);
	assert_int_equal(s->kept_count, 3);
	flush(s);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(redo(s, i), "done");
	for (int i = 0; i < MANY; i++)
		assert_int_equal(look(s, &t[i]).reason, i == 7 ? REASON_NOT_FOUND_IN_STORE : REASON_LOGOUT_EVERYWHERE);
}

/* A session that the new primary lacked when its user logged out everywhere: it must not come back alive. */
static void a_logout_everywhere_holds_for_what_comes_back_later(void **state)
{
	struct stage *s = *state;
	const struct held_token web = login(s, "ann", "");
	const struct held_token phone = login(s, "ann", "remember");
	const struct held_token here = login(s, "ann", "remember");
	struct held_token later;

	flush(s);
	s->world.env.now_ms += 1000;
	assert_int_equal(end_all(s, token_of(&here), "remember"), 0);
	/* What is declared must be there while a cluster moves the slot; only the index is for sure. */
	assert_int_equal(s->last.key_count, 1);
	s->world.env.now_ms += 1000;
	later = login(s, "ann", "remember");
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(redo(s, i), "done");
	assert_true(is_valid(s, &web));
	assert_int_equal(look(s, &phone).reason, REASON_LOGOUT_EVERYWHERE);
	assert_true(is_valid(s, &here));
	assert_true(is_valid(s, &later));
	/* Also when that logout has to be brought back itself. */
	flush(s);
	assert_int_equal(s->kept_count, 5);
	assert_string_equal(redo(s, 3), "there");
	for (size_t i = 0; i < 5; i++)
		if (i != 3)
			assert_string_equal(redo(s, i), "done");
	assert_true(is_valid(s, &web));
	assert_int_equal(look(s, &phone).reason, REASON_LOGOUT_EVERYWHERE);
	assert_true(is_valid(s, &here));
	assert_true(is_valid(s, &later));
}

/* Two logouts, brought back the later one first: a session made between them is dead by that one. */
static void a_logout_never_takes_the_place_of_a_later_one(void **state)
{
	struct stage *s = *state;
	const struct held_token before = login(s, "ann", "");
	struct held_token between;

	s->world.env.now_ms += 5000;
	(void)end_all(s, SPAN_EMPTY, "");
	s->world.env.now_ms += 5000;
	between = login(s, "ann", "");
	s->world.env.now_ms += 5000;
	(void)end_all(s, SPAN_EMPTY, "");
	assert_int_equal(s->kept_count, 4);
	/* The ends by name are others' to bring back: only the marks of the logouts are here. */
	flush(s);
	s->kept[1].command.argv[6] = SPAN_EMPTY;
	s->kept[3].command.argv[6] = SPAN_EMPTY;
	(void)redo(s, 3);
	(void)redo(s, 1);
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 2), "done");
	assert_int_equal(look(s, &before).reason, REASON_LOGOUT_EVERYWHERE);
	assert_int_equal(look(s, &between).reason, REASON_LOGOUT_EVERYWHERE);
	/* Nor when the command itself is repeated by an instance whose clock is behind. */
	flush(s);
	s->kept_count = 0;
	between = login(s, "ann", "");
	flush(s);
	s->world.env.now_ms += 5000;
	(void)end_all(s, SPAN_EMPTY, "");
	s->world.env.now_ms -= 9000;
	(void)end_all(s, SPAN_EMPTY, "");
	assert_string_equal(redo(s, 0), "done");
	assert_int_equal(look(s, &between).reason, REASON_LOGOUT_EVERYWHERE);
}

/* People log in again at once: the session that is a millisecond younger than the logout is no part of it. */
static void a_login_behind_a_logout_comes_back(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct held_token later;

	(void)end_all(s, SPAN_EMPTY, "");
	s->world.env.now_ms += 1;
	later = login(s, "ann", "");
	freeReplyObject(
	    real_redis_ask(&s->redis, "DEL lk1:s:{%b}:%b", later.handle, (size_t)11, later.handle + 12, (size_t)16));
	assert_string_equal(redo(s, 2), "done");
	assert_true(is_valid(s, &later));
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT_EVERYWHERE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_session_comes_back, stage_reset),
	    cmocka_unit_test_setup(a_session_that_has_ended_stays_dead, stage_reset),
	    cmocka_unit_test_setup(a_later_version_is_left_alone, stage_reset),
	    cmocka_unit_test_setup(a_newer_format_is_left_alone, stage_reset),
	    cmocka_unit_test_setup(the_evicted_stay_dead, stage_reset),
	    cmocka_unit_test_setup(all_comes_back_when_redis_is_full, stage_reset),
	    cmocka_unit_test_setup(updates_come_back, stage_reset),
	    cmocka_unit_test_setup(an_update_never_revives, stage_reset),
	    cmocka_unit_test_setup(predecessors_are_waited_for, stage_reset),
	    cmocka_unit_test_setup(predecessors_are_not_waited_for_without_end, stage_reset),
	    cmocka_unit_test_setup(a_new_history_is_later_than_the_old, stage_reset),
	    cmocka_unit_test_setup(bound_changes_keep_their_place, stage_reset),
	    cmocka_unit_test_setup(a_rewriting_comes_back_as_its_change, stage_reset),
	    cmocka_unit_test_setup(what_has_no_room_comes_back_merged, stage_reset),
	    cmocka_unit_test_setup(limits_are_never_passed, stage_reset),
	    cmocka_unit_test_setup(the_time_to_live_is_not_shortened, stage_reset),
	    cmocka_unit_test_setup(a_merged_change_comes_back_with_the_record, stage_reset),
	    cmocka_unit_test_setup(a_record_never_takes_what_others_have_added, stage_reset),
	    cmocka_unit_test_setup(a_record_goes_over_its_own_beginning, stage_reset),
	    cmocka_unit_test_setup(nothing_is_merged_while_changes_may_be_missing, stage_reset),
	    cmocka_unit_test_setup(an_end_leaves_a_tombstone_where_no_record_is, stage_reset),
	    cmocka_unit_test_setup(all_of_a_users_ends_come_back, stage_reset),
	    cmocka_unit_test_setup(a_logout_everywhere_holds_for_what_comes_back_later, stage_reset),
	    cmocka_unit_test_setup(a_logout_never_takes_the_place_of_a_later_one, stage_reset),
	    cmocka_unit_test_setup(a_login_behind_a_logout_comes_back, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
