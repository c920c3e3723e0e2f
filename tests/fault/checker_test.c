/* The checker against histories made by hand: those that keep every promise, and those that break one each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fault/checker.h"

#define A      0
#define B      1
#define HANDLE "0123456789A.0123456789012345"

/* Each operation takes 10 us, 100 us after the one before. */
struct story {
	struct history history;
	struct checker_rules rules;
	uint64_t now_us;
	struct checker_result result;
};

struct marks {
	uint32_t of[HISTORY_MARKS];
};

#define MARKS(...) ((struct marks){{__VA_ARGS__}})
#define NO_MARKS   ((struct marks){{0}})

static struct history_entry *tell(struct story *s, enum history_op op, uint8_t instance, enum lk_err err)
{
	struct history_entry e = {.op = (uint8_t)op, .instance = instance, .err = (uint8_t)err, .slot = 7};

	e.successor = HISTORY_NO_TOKEN;

	s->now_us += 100;
	e.start_us = s->now_us;
	e.end_us = s->now_us + 10;
	history_add(&s->history, &e);
	return &s->history.entries[s->history.count - 1];
}

static void create(struct story *s)
{
	uint32_t session = history_add_session(&s->history, HANDLE);
	struct history_entry *e = tell(s, HISTORY_CREATE, A, LK_OK);

	e->session = session;
	e->version = 1;
}

static struct history_entry *get(struct story *s, uint8_t instance, enum lk_verdict verdict, uint32_t n,
				 uint64_t version)
{
	struct history_entry *e = tell(s, HISTORY_GET, instance, verdict == LK_UNKNOWN ? LK_E_UNAVAILABLE : LK_OK);

	e->verdict = (uint8_t)verdict;
	e->n = n;
	e->version = version;
	return e;
}

static struct history_entry *update(struct story *s, enum lk_err err, uint32_t n, uint64_t version)
{
	struct history_entry *e = tell(s, HISTORY_UPDATE, A, err);

	e->n = n;
	e->version = version;
	return e;
}

static void read_at_end(struct story *s, enum lk_verdict verdict, uint32_t n, uint64_t version, struct marks marks)
{
	for (uint8_t instance = A; instance <= B; instance++) {
		struct history_entry *e = get(s, instance, verdict, n, version);

		e->is_audit = true;
		memcpy(e->marks, marks.of, sizeof(e->marks));
	}
}

static void check(struct story *s)
{
	checker_run(&s->history, 1, &s->rules, &s->result);
}

static int end(void **state)
{
	struct story *s = *state;

	history_free(&s->history);
	*s = (struct story){0};
	return 0;
}

static int begin(void **state)
{
	static struct story story;

	story = (struct story){0};
	create(&story);
	*state = &story;
	return 0;
}

/* Of the story so far. */
static void assert_promises(struct story *s, uint64_t lost, uint64_t revived, uint64_t stale)
{
	check(s);
	assert_int_equal(s->result.lost, lost);
	assert_int_equal(s->result.revived, revived);
	assert_int_equal(s->result.stale, stale);
	assert_int_equal(s->result.unaudited, 0);
}

static void test_a_good_life(void **state)
{
	struct story *s = *state;

	get(s, B, LK_VALID, 0, 1);
	update(s, LK_OK, 1, 2);
	get(s, B, LK_VALID, 1, 2);
	update(s, LK_E_CONFLICT, 2, 2);
	(void)tell(s, HISTORY_REVOKE, A, LK_OK);
	get(s, B, LK_INVALID, 0, 0);
	update(s, LK_E_SESSION_INVALID, 3, 0);
	read_at_end(s, LK_INVALID, 0, 0, NO_MARKS);
	assert_promises(s, 0, 0, 0);
	assert_int_equal(s->result.operations, 8);
	assert_int_equal(s->result.acknowledged, 3);
	assert_int_equal(s->result.failed, 0);
}

static void test_unacknowledged_updates_may_come_late_and_once(void **state)
{
	struct story *s = *state;

	update(s, LK_E_TIMED_OUT, 1, 0);
	get(s, A, LK_VALID, 0, 1);
	update(s, LK_OK, 2, 2);
	get(s, A, LK_VALID, 2, 2);
	get(s, A, LK_VALID, 1, 3);
	update(s, LK_OK, 3, 4);
	read_at_end(s, LK_VALID, 3, 4, MARKS(0, 1, 2, 3));
	assert_promises(s, 0, 0, 0);
	assert_int_equal(s->result.failed, 1);

	/* Seen, overwritten, and there again. */
	get(s, A, LK_VALID, 1, 3);
	assert_promises(s, 0, 0, 1);
}

static void test_an_unacknowledged_update_does_not_replace_one_of_its_version(void **state)
{
	struct story *s = *state;

	update(s, LK_E_TIMED_OUT, 1, 0);
	update(s, LK_OK, 2, 2);
	read_at_end(s, LK_VALID, 1, 2, MARKS(0, 1));
	assert_promises(s, 1, 0, 0);
}

static void test_lost_updates_are_counted(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 2);
	update(s, LK_OK, 2, 3);
	update(s, LK_OK, 3, 4);
	read_at_end(s, LK_VALID, 1, 2, MARKS(0, 1));
	assert_promises(s, 2, 0, 0);
	assert_int_equal(s->result.shown_count, 1);
	assert_int_equal(s->result.shown[0].kind, CHECKER_LOST);
	assert_int_equal(s->result.shown[0].entry, 4);
}

static void test_an_update_lost_in_the_middle(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 2);
	update(s, LK_OK, 2, 3);
	update(s, LK_OK, 3, 4);
	read_at_end(s, LK_VALID, 3, 4, MARKS(0, 1, 0, 3));
	assert_promises(s, 1, 0, 0);
}

static void test_an_older_update_came_last(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 2);
	update(s, LK_OK, 2, 3);
	read_at_end(s, LK_VALID, 1, 4, MARKS(0, 1, 2));
	assert_promises(s, 1, 0, 0);
}

static void test_a_version_that_went_back(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 3);
	read_at_end(s, LK_VALID, 1, 2, MARKS(0, 1));
	assert_promises(s, 0, 0, 2);
}

static void test_a_lost_session_takes_its_updates_with_it(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 2);
	read_at_end(s, LK_INVALID, 0, 0, NO_MARKS);
	assert_promises(s, 2, 0, 0);
}

static void test_a_write_upon_less_than_was_acknowledged(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 2);
	update(s, LK_OK, 2, 2);
	read_at_end(s, LK_VALID, 2, 2, MARKS(0, 0, 2));
	assert_promises(s, 1, 0, 1);
}

static void test_nobody_is_logged_out(void **state)
{
	struct story *s = *state;

	get(s, B, LK_INVALID, 0, 0);
	get(s, B, LK_INVALID, 0, 0);
	read_at_end(s, LK_VALID, 0, 1, NO_MARKS);
	assert_promises(s, 1, 0, 0);
}

static void test_an_update_refused_for_a_living_session(void **state)
{
	struct story *s = *state;

	update(s, LK_E_SESSION_INVALID, 1, 0);
	read_at_end(s, LK_VALID, 0, 1, NO_MARKS);
	assert_promises(s, 1, 0, 0);
}

static void test_unknown_is_no_logout(void **state)
{
	struct story *s = *state;

	get(s, B, LK_UNKNOWN, 0, 0);
	read_at_end(s, LK_VALID, 0, 1, NO_MARKS);
	assert_promises(s, 0, 0, 0);
	assert_int_equal(s->result.unknown, 1);
	assert_int_equal(s->result.failed, 1);
}

static void test_stale_reads(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 2);
	get(s, B, LK_VALID, 0, 1);
	update(s, LK_E_CONFLICT, 2, 1);
	read_at_end(s, LK_VALID, 1, 2, MARKS(0, 1));
	assert_promises(s, 0, 0, 2);
}

static void test_a_value_that_nobody_wrote(void **state)
{
	struct story *s = *state;

	read_at_end(s, LK_VALID, 9, 5, MARKS(0, 9));
	assert_promises(s, 1, 0, 0);
}

static void test_revived_at_once_and_at_the_end(void **state)
{
	struct story *s = *state;

	(void)tell(s, HISTORY_REVOKE_USER, A, LK_OK);
	get(s, B, LK_VALID, 0, 1);
	update(s, LK_OK, 1, 2);
	read_at_end(s, LK_VALID, 1, 2, MARKS(0, 1));
	assert_promises(s, 0, 4, 0);
}

static void test_an_unacknowledged_revocation_allows_both(void **state)
{
	struct story *s = *state;

	(void)tell(s, HISTORY_REVOKE, A, LK_E_TIMED_OUT);
	get(s, B, LK_VALID, 0, 1);
	get(s, B, LK_INVALID, 0, 0);
	read_at_end(s, LK_INVALID, 0, 0, NO_MARKS);
	assert_promises(s, 0, 0, 0);
	assert_int_equal(s->result.failed, 1);

	(void)tell(s, HISTORY_REVOKE, A, LK_OK);
	get(s, B, LK_VALID, 0, 1);
	assert_promises(s, 0, 1, 0);
}

static void test_parted_instances_cannot_know(void **state)
{
	struct story *s = *state;

	(void)tell(s, HISTORY_REVOKE, A, LK_OK);
	s->rules.partings[0] = (struct checker_parting){.cut_us = 150, .healed_us = 340, .settled_us = 350};
	s->rules.parting_count = 1;
	get(s, B, LK_VALID, 0, 1);
	assert_promises(s, 0, 0, 0);
	assert_int_equal(s->result.crossed, 1);
	assert_int_equal(s->result.crossed_after_us, 100);

	/* Nor what was written, or created. */
	create(s);
	s->now_us -= 200;
	update(s, LK_OK, 1, 2)->session = 1;
	get(s, B, LK_VALID, 0, 1)->session = 1;
	s->history.entries[s->history.count - 1].start_us = 345;
	assert_promises(s, 0, 0, 0);
	assert_int_equal(s->result.crossed, 2);

	/* The side that revoked knows, and so do both once they have met. */
	get(s, B, LK_VALID, 0, 1);
	assert_promises(s, 0, 1, 0);
	s->history.entries[2].instance = A;
	assert_promises(s, 0, 2, 0);
}

static void test_a_session_not_read_at_the_end(void **state)
{
	struct story *s = *state;

	read_at_end(s, LK_VALID, 0, 1, NO_MARKS);
	tell(s, HISTORY_CREATE, A, LK_OK)->session = history_add_session(&s->history, HANDLE);
	check(s);
	assert_int_equal(s->result.unaudited, 1);
}

static bool is_of_instance_b(void *owner, const struct history_entry *e)
{
	(void)owner;
	return e->instance == B;
}

static void test_failures_and_gaps_of_those_who_count(void **state)
{
	struct story *s = *state;

	tell(s, HISTORY_CREATE, A, LK_E_UNAVAILABLE)->session = HISTORY_NO_SESSION;
	update(s, LK_OK, 1, 2)->instance = B;
	update(s, LK_OK, 2, 3)->instance = A;
	update(s, LK_E_TIMED_OUT, 3, 0)->instance = B;
	update(s, LK_OK, 4, 4)->instance = B;
	check(s);
	assert_int_equal(s->result.failed, 2);
	assert_int_equal(s->result.gap_us, 200);

	s->rules.is_judged = is_of_instance_b;
	check(s);
	assert_int_equal(s->result.failed, 1);
	assert_int_equal(s->result.gap_us, 300);
	assert_int_equal(s->result.operations, 6);
}

static void test_each_shard_has_a_gap_of_its_own(void **state)
{
	struct story *s = *state;

	s->rules.shards = 3;
	update(s, LK_OK, 1, 2)->slot = 16383;
	update(s, LK_OK, 2, 3);
	update(s, LK_OK, 3, 4)->slot = 16383;
	update(s, LK_OK, 4, 5);
	update(s, LK_E_TIMED_OUT, 5, 0);
	check(s);
	/* 110, 310, 510 and the end at 610; 210, 410 and the end. */
	assert_int_equal(s->result.gap_us, 200);
	s->rules.shards = 1;
	check(s);
	assert_int_equal(s->result.gap_us, 100);
}

static void test_a_run_without_recovery_has_a_gap_to_its_end(void **state)
{
	struct story *s = *state;

	s->now_us = 5000;
	update(s, LK_E_TIMED_OUT, 1, 0);
	check(s);
	assert_int_equal(s->result.gap_us, 5000);
}

static void test_what_ended_several_sessions_is_one_operation(void **state)
{
	struct story *s = *state;

	create(s);
	tell(s, HISTORY_REVOKE_USER, A, LK_OK)->session = 0;
	*tell(s, HISTORY_REVOKE_USER, A, LK_OK) = (struct history_entry){.op = HISTORY_REVOKE_USER,
									 .session = 1,
									 .is_echo = true,
									 .start_us = 300,
									 .end_us = 310,
									 .successor = HISTORY_NO_TOKEN};
	get(s, B, LK_VALID, 0, 1)->session = 1;
	check(s);
	assert_int_equal(s->result.operations, 4);
	assert_int_equal(s->result.acknowledged, 3);
	assert_promises(s, 0, 1, 0);
}

static void test_what_is_worse_is_shown_first(void **state)
{
	struct story *s = *state;

	for (unsigned i = 0; i < CHECKER_SHOWN_MAX + 3; i++) {
		create(s);
		get(s, B, LK_UNKNOWN, 0, 0)->session = i + 1;
	}
	get(s, B, LK_INVALID, 0, 0);
	get(s, B, LK_INVALID, 0, 0);
	check(s);
	assert_int_equal(s->result.failed, CHECKER_SHOWN_MAX + 3);
	assert_int_equal(s->result.shown_count, CHECKER_SHOWN_MAX);
	assert_int_equal(s->result.shown[0].kind, CHECKER_LOST);
	assert_int_equal(s->result.shown[1].kind, CHECKER_FAILED);
}

static void test_the_last_acknowledged_write_of_an_instance(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 2)->instance = B;
	update(s, LK_OK, 2, 3)->instance = B;
	update(s, LK_OK, 3, 4)->instance = A;
	assert_int_equal(checker_last_acknowledged_us(&s->history, 1, B, 0, 1000), 310);
	assert_int_equal(checker_last_acknowledged_us(&s->history, 1, B, 0, 300), 210);
	assert_int_equal(checker_last_acknowledged_us(&s->history, 1, B, 310, 1000), 0);
}

/* In what follows a grace is a second: with the clocks' tolerance, far longer than a story. */
#define GRACE_US 1000000

static struct history_entry *rotate(struct story *s, uint8_t token, enum lk_err err, uint8_t successor)
{
	struct history_entry *e = tell(s, HISTORY_ROTATE, A, err);

	s->rules.grace_us = GRACE_US;
	e->token = token;
	e->version = err == LK_OK ? 1 : 0;
	e->successor = successor;
	return e;
}

static struct history_entry *get_by(struct story *s, uint8_t token, enum lk_verdict verdict, uint8_t successor)
{
	struct history_entry *e = get(s, B, verdict, 0, verdict == LK_VALID ? 1 : 0);

	e->token = token;
	e->successor = successor;
	return e;
}

static void read_at_end_by(struct story *s, uint8_t token, enum lk_verdict verdict)
{
	get_by(s, token, verdict, HISTORY_NO_TOKEN)->is_audit = true;
}

static void assert_checked(struct story *s, uint64_t lost, uint64_t revived, uint64_t forked)
{
	assert_promises(s, lost, revived, 0);
	assert_int_equal(s->result.forked, forked);
}

static void test_a_rotation_moves_on(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	get_by(s, 0, LK_VALID, 1);
	rotate(s, 0, LK_OK, 1);
	update(s, LK_OK, 1, 2)->token = 1;
	rotate(s, 1, LK_OK, 2)->version = 2;
	update(s, LK_OK, 2, 3);
	read_at_end(s, LK_VALID, 2, 3, MARKS(0, 1, 2));
	s->history.entries[s->history.count - 1].token = 2;
	s->history.entries[s->history.count - 2].token = 2;
	assert_checked(s, 0, 0, 0);
	assert_int_equal(s->result.failed, 0);
}

static void test_an_acknowledged_rotation_is_not_lost(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	read_at_end_by(s, 1, LK_INVALID);
	assert_checked(s, 1, 0, 0);
}

static void test_an_acknowledged_rotation_is_not_undone(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	get_by(s, 0, LK_VALID, HISTORY_NO_TOKEN);
	read_at_end_by(s, 1, LK_VALID);
	assert_checked(s, 0, 0, 1);
}

static void test_one_token_has_one_successor(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	rotate(s, 0, LK_OK, 2);
	read_at_end_by(s, 2, LK_VALID);
	assert_checked(s, 0, 0, 1);
}

static void test_a_token_that_nobody_rotated_has_no_successor(void **state)
{
	struct story *s = *state;

	get_by(s, 0, LK_VALID, 1);
	assert_checked(s, 0, 0, 1);
}

static void test_a_replaced_token_lives_through_its_grace(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	get_by(s, 0, LK_INVALID, HISTORY_NO_TOKEN)->reason = LK_REASON_REUSE_DETECTED;
	read_at_end_by(s, 1, LK_INVALID);
	assert_checked(s, 1, 0, 0);
}

static void test_a_replaced_token_ends_the_session_after_its_grace(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	s->now_us += 2 * GRACE_US;
	get_by(s, 1, LK_VALID, HISTORY_NO_TOKEN);
	get_by(s, 0, LK_INVALID, HISTORY_NO_TOKEN)->reason = LK_REASON_REUSE_DETECTED;
	get_by(s, 1, LK_INVALID, HISTORY_NO_TOKEN)->reason = LK_REASON_REUSE_DETECTED;
	assert_checked(s, 0, 0, 0);

	/* What was told to have ended does not come back, by no token. */
	get_by(s, 1, LK_VALID, HISTORY_NO_TOKEN);
	assert_checked(s, 0, 1, 0);
	rotate(s, 1, LK_OK, 2);
	assert_checked(s, 0, 2, 0);
}

static void test_a_replaced_token_is_good_for_nothing_after_its_grace(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	s->now_us += 2 * GRACE_US;
	get_by(s, 0, LK_VALID, 1);
	update(s, LK_OK, 1, 2)->token = 0;
	assert_checked(s, 0, 2, 0);
}

static void test_reuse_ends_the_session_only_if_there_was_any(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	s->now_us += 2 * GRACE_US;
	get_by(s, 1, LK_INVALID, HISTORY_NO_TOKEN)->reason = LK_REASON_REUSE_DETECTED;
	assert_checked(s, 1, 0, 0);
}

static void test_an_unacknowledged_rotation_allows_both(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_E_TIMED_OUT, HISTORY_NO_TOKEN);
	get_by(s, 0, LK_VALID, HISTORY_NO_TOKEN);
	get_by(s, 0, LK_VALID, 1);
	rotate(s, 0, LK_OK, 1);
	get_by(s, 1, LK_VALID, HISTORY_NO_TOKEN);
	assert_checked(s, 0, 0, 0);
	assert_int_equal(s->result.failed, 1);

	/* Once seen it has happened. */
	get_by(s, 0, LK_VALID, HISTORY_NO_TOKEN);
	assert_checked(s, 0, 0, 1);
}

static void test_an_unacknowledged_rotation_may_end_the_session(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_E_TIMED_OUT, HISTORY_NO_TOKEN);
	s->now_us += 2 * GRACE_US;
	rotate(s, 0, LK_E_SESSION_INVALID, HISTORY_NO_TOKEN)->reason = LK_REASON_REUSE_DETECTED;
	read_at_end_by(s, 0, LK_INVALID);
	assert_checked(s, 0, 0, 0);
	assert_int_equal(s->result.failed, 1);
}

static void test_a_revocation_holds_for_every_token(void **state)
{
	struct story *s = *state;

	rotate(s, 0, LK_OK, 1);
	tell(s, HISTORY_REVOKE, A, LK_OK)->token = 0;
	get_by(s, 1, LK_VALID, HISTORY_NO_TOKEN);
	get_by(s, 0, LK_VALID, 1);
	assert_checked(s, 0, 2, 0);
}

static void test_a_rotation_upon_less_than_was_acknowledged(void **state)
{
	struct story *s = *state;

	update(s, LK_OK, 1, 2);
	rotate(s, 0, LK_OK, 1);
	assert_promises(s, 0, 0, 1);
}

/* CLUSTER KEYSLOT says so. */
static void test_the_slot_of_a_handle(void **state)
{
	(void)state;
	assert_int_equal(history_slot_of_handle("0123456789A.xyz"), 720);
	assert_int_equal(history_slot_of_handle("fffffffffff.xyz"), 9950);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	    TEST(test_a_good_life),
	    TEST(test_unacknowledged_updates_may_come_late_and_once),
	    TEST(test_an_unacknowledged_update_does_not_replace_one_of_its_version),
	    TEST(test_lost_updates_are_counted),
	    TEST(test_an_update_lost_in_the_middle),
	    TEST(test_an_older_update_came_last),
	    TEST(test_a_version_that_went_back),
	    TEST(test_a_lost_session_takes_its_updates_with_it),
	    TEST(test_a_write_upon_less_than_was_acknowledged),
	    TEST(test_nobody_is_logged_out),
	    TEST(test_an_update_refused_for_a_living_session),
	    TEST(test_unknown_is_no_logout),
	    TEST(test_stale_reads),
	    TEST(test_a_value_that_nobody_wrote),
	    TEST(test_revived_at_once_and_at_the_end),
	    TEST(test_an_unacknowledged_revocation_allows_both),
	    TEST(test_parted_instances_cannot_know),
	    TEST(test_a_session_not_read_at_the_end),
	    TEST(test_failures_and_gaps_of_those_who_count),
	    TEST(test_each_shard_has_a_gap_of_its_own),
	    TEST(test_a_run_without_recovery_has_a_gap_to_its_end),
	    TEST(test_what_ended_several_sessions_is_one_operation),
	    TEST(test_what_is_worse_is_shown_first),
	    TEST(test_the_last_acknowledged_write_of_an_instance),
	    TEST(test_a_rotation_moves_on),
	    TEST(test_an_acknowledged_rotation_is_not_lost),
	    TEST(test_an_acknowledged_rotation_is_not_undone),
	    TEST(test_one_token_has_one_successor),
	    TEST(test_a_token_that_nobody_rotated_has_no_successor),
	    TEST(test_a_replaced_token_lives_through_its_grace),
	    TEST(test_a_replaced_token_ends_the_session_after_its_grace),
	    TEST(test_a_replaced_token_is_good_for_nothing_after_its_grace),
	    TEST(test_reuse_ends_the_session_only_if_there_was_any),
	    TEST(test_an_unacknowledged_rotation_allows_both),
	    TEST(test_an_unacknowledged_rotation_may_end_the_session),
	    TEST(test_a_revocation_holds_for_every_token),
	    TEST(test_a_rotation_upon_less_than_was_acknowledged),
	    TEST(test_the_slot_of_a_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
