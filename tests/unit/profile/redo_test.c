/* What was acknowledged, brought back on a primary that lacks it: each test makes an old primary's history, takes some of
 * it away, perhaps goes on from there, and carries the kept commands out again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles.h"

/* As the journal does, which tries again for a second. */
static void bring_back(struct stage *s, size_t i)
{
	const char *word = redo(s, i);

	for (int tries = 0; strcmp(word, "again") == 0 && tries < 20; tries++) {
		usleep(50000);
		word = redo(s, i);
	}
	assert_string_not_equal(word, "again");
}

static void all_comes_back(void **state)
{
	struct stage *s = *state;
	size_t kept;

	(void)put_profile(s, "a", "1");
	(void)set_field(s, "b", "2");
	(void)increment(s, "n", 5);
	(void)increment(s, "n", 6);
	(void)remove_field(s, "a");
	(void)set_counter(s, "m", 9);
	kept = s->kept_count;
	assert_int_equal(kept, 6);
	for (size_t i = 0; i < kept; i++)
		assert_string_equal(redo(s, i), "there");
	flush_all(s);
	for (size_t i = 0; i < kept; i++)
		assert_string_equal(redo(s, i), "done");
	for (size_t i = 0; i < kept; i++)
		assert_string_equal(redo(s, i), "there");
	expect_field(s, "a", "-");
	expect_field(s, "b", "2");
	expect_counter(s, "n", 11);
	expect_counter(s, "m", 9);
	assert_int_equal(version_now(s), 6);
	assert_true(increment(s, "n", 1) == 12);
	assert_int_equal(version_now(s), 7);
}

/* Several instances bring back what each acknowledged: one waits for what came before. */
static void the_order_is_kept(void **state)
{
	struct stage *s = *state;

	(void)put_profile(s, "a", "1");
	(void)set_field(s, "a", "2");
	(void)set_counter(s, "n", 5);
	(void)increment(s, "n", 1);
	flush_all(s);
	assert_string_equal(redo(s, 3), "again");
	assert_string_equal(redo(s, 1), "again");
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 1), "done");
	assert_string_equal(redo(s, 3), "again");
	assert_string_equal(redo(s, 2), "done");
	assert_string_equal(redo(s, 3), "done");
	expect_field(s, "a", "2");
	expect_counter(s, "n", 6);
	assert_int_equal(version_now(s), 4);
}

/* And where it is not, each field has what was set last, and each increment is made once. */
static void any_order_gives_the_same(void **state)
{
	static const size_t orders[][4] = {{3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
	struct stage *s = *state;

	for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++) {
		world_fresh(&s->world);
		s->kept_count = 0;
		flush_all(s);
		(void)set_field(s, "a", "1");
		(void)increment(s, "n", 10);
		(void)increment(s, "n", 100);
		(void)remove_field(s, "a");
		flush_all(s);
		for (size_t i = 0; i < 4; i++)
			bring_back(s, orders[o][i]);
		for (size_t i = 0; i < 4; i++)
			assert_string_equal(redo(s, i), "there");
		expect_field(s, "a", "-");
		expect_counter(s, "n", 110);
		assert_true(version_now(s) >= 4);
	}
}

/* Others went on from the replica before this came back: what they set is later, what they added is besides. */
static void a_new_history_is_later_than_the_old(void **state)
{
	struct stage *s = *state;
	struct snapshot_all *shot;
	size_t kept;

	(void)put_profile(s, "a", "0");
	(void)increment(s, "n", 1);
	shot = snapshot_all(s);
	(void)set_field(s, "a", "old");
	(void)set_field(s, "b", "old");
	(void)increment(s, "n", 10);
	(void)set_field(s, "c", "old");
	restore_all(s, &shot);
	(void)set_field(s, "a", "new");
	(void)increment(s, "n", 100);
	(void)remove_field(s, "c");
	kept = s->kept_count;
	for (size_t i = 0; i < kept; i++)
		bring_back(s, i);
	expect_field(s, "a", "new");
	expect_field(s, "b", "old");
	expect_field(s, "c", "-");
	expect_counter(s, "n", 111);
	/* Nobody who read a version before can take it for this. */
	assert_true(version_now(s) > 6);
	for (size_t i = 0; i < kept; i++)
		assert_string_equal(redo(s, i), "there");
	expect_counter(s, "n", 111);
}

static void what_was_deleted_stays_deleted(void **state)
{
	struct stage *s = *state;

	(void)put_profile(s, "a", "1");
	(void)increment(s, "n", 1);
	assert_true(delete_profile(s));
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(redo(s, i), "there");
	assert_int_equal(version_now(s), 0);
	flush_all(s);
	bring_back(s, 2);
	bring_back(s, 1);
	bring_back(s, 0);
	assert_int_equal(version_now(s), 0);
	/* Made anew it goes on from there. */
	(void)set_field(s, "b", "2");
	assert_int_equal(version_now(s), 4);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(redo(s, i), "there");
	expect_field(s, "a", "-");
	expect_field(s, "b", "2");
}

/* A deletion that found nothing, on a primary that lacked the profile. */
static void a_deletion_of_nothing_holds(void **state)
{
	struct stage *s = *state;

	(void)put_profile(s, "a", "1");
	flush_all(s);
	assert_false(delete_profile(s));
	assert_string_equal(redo(s, 0), "there");
	assert_int_equal(version_now(s), 0);
}

static void a_put_replaces_what_was_before_it_only(void **state)
{
	struct stage *s = *state;
	struct snapshot_all *shot;

	(void)put_profile(s, "a", "0");
	shot = snapshot_all(s);
	(void)put_profile(s, "b", "old put");
	restore_all(s, &shot);
	(void)set_field(s, "c", "new");
	bring_back(s, 1);
	expect_field(s, "a", "-");
	expect_field(s, "b", "old put");
	expect_field(s, "c", "new");
}

/* Who never got an answer repeats the call after the failover. */
static void an_increment_is_made_once_over_a_failover(void **state)
{
	struct stage *s = *state;

	s->world.env.idempotency_key = SPAN_LIT("once");
	assert_true(increment(s, "n", 1) == 1);
	flush_all(s);
	assert_string_equal(redo(s, 0), "done");
	assert_true(increment(s, "n", 1) == 1);
	expect_counter(s, "n", 1);
	/* And the other way round: he was first. */
	flush_all(s);
	assert_true(increment(s, "n", 1) == 1);
	assert_string_equal(redo(s, 0), "there");
	expect_counter(s, "n", 1);
}

static void all_comes_back_when_redis_is_full(void **state)
{
	struct stage *s = *state;

	(void)set_field(s, "a", "1");
	(void)increment(s, "n", 1);
	flush_all(s);
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 1), "done");
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 0"));
	expect_field(s, "a", "1");
	expect_counter(s, "n", 1);
}

/* Random histories of two fields and two counters: the old one is cut off anywhere, a new one of increments and fields of
 * its own goes on, and all that was acknowledged comes back in any order. */
static void random_histories(void **state)
{
	enum { ROUNDS = 60, STEPS = 8 };
	struct stage *s = *state;

	srand(7);
	for (int round = 0; round < ROUNDS; round++) {
		struct snapshot_all *shot = NULL;
		const int cut = rand() % STEPS;
		int64_t sums[2] = {0};
		size_t order[3 * STEPS];
		char last[2][24] = {"-", "-"};

		world_fresh(&s->world);
		s->kept_count = 0;
		flush_all(s);
		for (int i = 0; i < 2 * STEPS; i++) {
			const char *const names[] = {"n", "m"};
			const int which = rand() % 2;
			const int64_t by = rand() % 1000 - 500;

			if (i == cut)
				shot = snapshot_all(s);
			if (i == STEPS)
				restore_all(s, &shot);
			if (rand() % 2 == 0) {
				sums[which] += by;
				(void)increment(s, names[which], by);
			} else if (i < STEPS) {
				snprintf(last[which], sizeof(last[which]), "%d", i);
				(void)set_field(s, which == 0 ? "a" : "b", last[which]);
			} else {
				(void)set_field(s, "new", "x");
			}
		}
		for (size_t i = 0; i < s->kept_count; i++)
			order[i] = i;
		for (size_t i = s->kept_count; i > 1; i--) {
			const size_t k = (size_t)rand() % i;
			const size_t swapped = order[k];

			order[k] = order[i - 1];
			order[i - 1] = swapped;
		}
		for (size_t i = 0; i < s->kept_count; i++)
			bring_back(s, order[i]);
		expect_field(s, "a", last[0]);
		expect_field(s, "b", last[1]);
		/* A counter that nobody touched is not there, and a sum of 0 is either. */
		if (sums[0] != 0)
			expect_counter(s, "n", sums[0]);
		if (sums[1] != 0)
			expect_counter(s, "m", sums[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(all_comes_back, profiles_reset),
	    cmocka_unit_test_setup(the_order_is_kept, profiles_reset),
	    cmocka_unit_test_setup(any_order_gives_the_same, profiles_reset),
	    cmocka_unit_test_setup(a_new_history_is_later_than_the_old, profiles_reset),
	    cmocka_unit_test_setup(what_was_deleted_stays_deleted, profiles_reset),
	    cmocka_unit_test_setup(a_deletion_of_nothing_holds, profiles_reset),
	    cmocka_unit_test_setup(a_put_replaces_what_was_before_it_only, profiles_reset),
	    cmocka_unit_test_setup(an_increment_is_made_once_over_a_failover, profiles_reset),
	    cmocka_unit_test_setup(all_comes_back_when_redis_is_full, profiles_reset),
	    cmocka_unit_test_setup(random_histories, profiles_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
