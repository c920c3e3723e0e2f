#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

struct copy {
	const struct store_command *original;
	unsigned seen;
};

static bool wants_seven(void *owner, uint16_t slot)
{
	(void)owner;
	return slot == 7;
}

static void compare_copy(void *owner, struct store_op *op)
{
	struct copy *c = owner;
	const struct store_result result = {.outcome = STORE_REPLIED, .reply = &yes};
	const struct store_command *got = &op->command;

	c->seen++;
	assert_int_equal(got->script, c->original->script);
	assert_int_equal(got->key_count, c->original->key_count);
	assert_int_equal(got->argc, c->original->argc);
	assert_int_equal(got->staleness_ms, 0);
	assert_true(span_eq(got->key, c->original->key));
	assert_true(got->key.ptr != c->original->key.ptr || got->key.len == 0);
	for (size_t i = 0; i < got->argc; i++) {
		assert_true(span_eq(got->argv[i], c->original->argv[i]));
		assert_true(got->argv[i].ptr != c->original->argv[i].ptr || got->argv[i].len == 0);
	}
	op->done(op, &result);
}

static void ignore_done(void *owner, size_t carried_out, size_t failed)
{
	(void)owner;
	(void)carried_out;
	assert_int_equal(failed, 0);
}

static void check_copy(const struct store_command *original)
{
	struct copy c = {.original = original};
	const struct journal_replay task = {.is_wanted = wants_seven,
					    .submit = compare_copy,
					    .done = ignore_done,
					    .owner = &c,
					    .origin = new_primary,
					    .deadline_ms = 1};
	journal *j = open_journal(ROOM);

	assert_true(journal_put(j, original, 7, old_primary, 1000, 5));
	journal_replay(j, &task, 6);
	assert_int_equal(c.seen, 1);
	close_journal(&j);
}

static void copies_commands_whole(void **state)
{
	static const uint8_t binary[] = {0, 255, '\r', '\n', 0};
	static uint8_t large[300000];
	struct store_command c = redo_of("lk1:s:{0}:a", "x");

	(void)state;
	check_copy(&c);
	c.key = SPAN_LIT("lk1:s:{0}:elsewhere");
	check_copy(&c);
	c.key = SPAN_EMPTY;
	check_copy(&c);
	c = (struct store_command){.script = STORE_NO_SCRIPT, .argc = 1, .argv = {SPAN_LIT("PING")}};
	check_copy(&c);
	memset(large, 'l', sizeof(large));
	c = (struct store_command){.script = STORE_SCRIPT_SESSION_BURY, .key_count = 24, .argc = STORE_ARGS_MAX};
	for (size_t i = 0; i < STORE_ARGS_MAX; i++)
		c.argv[i] = i % 3 == 0 ? span_of(binary, sizeof(binary)) : i % 3 == 1 ? SPAN_EMPTY : span_of(large, i);
	c.argv[5] = span_of(large, sizeof(large));
	c.key = c.argv[23];
	check_copy(&c);
	c.key = SPAN_LIT("not among them");
	check_copy(&c);
}

static void takes_little_memory(void **state)
{
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "lk1:s:{0123456789abcdef}:0123456789abcdefghijkl", "0123456789", 1);
	assert_true(state_of(j).bytes < 220);
	close_journal(&j);
}

static void expires_after_the_window(void **state)
{
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "1", 1000);
	put(j, "{b}", "2", 1500);
	journal_expire(j, trusts_all, NULL, 1000 + WINDOW - 1);
	assert_int_equal(state_of(j).entries, 2);
	journal_expire(j, trusts_all, NULL, 1000 + WINDOW);
	assert_int_equal(state_of(j).entries, 1);
	journal_expire(j, trusts_all, NULL, 1500 + WINDOW);
	assert_int_equal(state_of(j).entries, 0);
	assert_int_equal(state_of(j).bytes, 0);
	assert_int_equal(state_of(j).dropped, 0);
	journal_free(&j);
}

static void lets_time_stand_still(void **state)
{
	struct journal_origin trusted = new_primary;
	struct store_command redo = redo_of("{b}", "2");
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "1", 1000);
	assert_true(journal_put(j, &redo, 0, new_primary, UINT64_MAX, 1000));
	journal_expire(j, trusts_all, NULL, 4000);
	for (uint64_t now_ms = 4000; now_ms <= 100000; now_ms += 500)
		journal_expire(j, trusts_only, &trusted, now_ms);
	/* The other origin's went. */
	assert_int_equal(state_of(j).entries, 1);
	/* 3 s had passed, so 7 s are left. */
	journal_expire(j, trusts_all, NULL, 100000 + 6999);
	assert_int_equal(state_of(j).entries, 1);
	journal_expire(j, trusts_all, NULL, 100000 + 7000);
	assert_int_equal(state_of(j).entries, 0);
	journal_free(&j);
}

static void tells_tenures_apart(void **state)
{
	struct journal_origin trusted = {.node = old_primary.node, .tenure = old_primary.tenure + 1};
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "1", 1000);
	journal_expire(j, trusts_only, &trusted, 1000);
	journal_expire(j, trusts_only, &trusted, 90000);
	assert_int_equal(state_of(j).entries, 1);
	close_journal(&j);
}

static void drops_what_would_have_ended(void **state)
{
	struct target t = target_that_answers(STORE_REPLIED, &yes);
	struct store_command redo = redo_of("{a}", "short");
	journal *j = open_journal(ROOM);

	(void)state;
	assert_true(journal_put(j, &redo, 0, old_primary, 300, 1000));
	put(j, "{a}", "long", 1000);
	replay(j, &t, new_primary, 1299);
	assert_string_equal(t.sent, "short long ");
	t = target_that_answers(STORE_REPLIED, &yes);
	replay(j, &t, new_primary, 1300);
	assert_string_equal(t.sent, "long ");
	assert_done(&t, 1, 0);
	close_journal(&j);
}

static void frees_what_would_have_ended(void **state)
{
	struct journal_origin nobody = {0};
	struct store_command redo = redo_of("{a}", "short");
	journal *j = open_journal(ROOM);

	(void)state;
	assert_true(journal_put(j, &redo, 0, old_primary, 300, 1000));
	journal_expire(j, trusts_only, &nobody, 1299);
	assert_int_equal(state_of(j).entries, 1);
	journal_expire(j, trusts_only, &nobody, 1300);
	assert_int_equal(state_of(j).entries, 0);
	journal_free(&j);
}

static void drops_the_oldest_of_all_primaries(void **state)
{
	struct target t = target_that_answers(STORE_REPLIED, &yes);
	journal *j = open_journal(1000);
	size_t kept;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char text[16];
		struct store_command redo;

		(void)snprintf(text, sizeof(text), "%02u", i);
		redo = redo_of("{a}", text);
		assert_true(journal_put(j, &redo, 0, i % 3 == 0 ? old_primary : new_primary, UINT64_MAX, 1000));
	}
	kept = state_of(j).entries;
	assert_true(kept >= 4 && kept < 20);
	replay(j, &t, new_primary, 1000);
	assert_int_equal(t.sends, kept);
	for (unsigned i = 0; i < kept; i++)
		assert_int_equal(strtoul(t.sent + (size_t)i * 3, NULL, 10), 100 - kept + i);
	close_journal(&j);
}

static void makes_room_by_the_oldest(void **state)
{
	static char text[2000];
	struct target t = target_that_answers(STORE_REPLIED, &yes);
	struct store_command redo = redo_of("{a}", text);
	journal *j = open_journal(10000);
	size_t before;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "{%u}", i);
		put(j, key, "0123456789012345678901234567890123456789", 1000 + i);
		assert_true(state_of(j).bytes <= 10000);
	}
	before = state_of(j).dropped;
	assert_true(before > 0);
	assert_int_equal(state_of(j).entries + before, 100);
	put(j, "{a}", "last", 2000);
	memset(text, 'x', sizeof(text) - 1);
	redo.argv[1] = span_str(text);
	assert_true(journal_put(j, &redo, 0, new_primary, UINT64_MAX, 2000));
	assert_true(state_of(j).dropped > before + 1);
	assert_true(state_of(j).bytes <= 10000);
	t.wanted = 0;
	replay(j, &t, new_primary, 2000);
	assert_int_equal(t.carried_out, state_of(j).entries);
	assert_non_null(strstr(t.sent, "last "));
	close_journal(&j);
}

static void refuses_what_never_fits(void **state)
{
	static char text[2000];
	struct store_command redo;
	journal *j = open_journal(1000);

	(void)state;
	put(j, "{a}", "1", 1);
	memset(text, 'x', sizeof(text) - 1);
	redo = redo_of("{a}", text);
	assert_false(journal_put(j, &redo, 0, old_primary, UINT64_MAX, 1));
	assert_int_equal(state_of(j).dropped, 1);
	assert_int_equal(state_of(j).entries, 1);
	close_journal(&j);
}

static void keeps_nothing_without_a_window(void **state)
{
	struct target t = target_that_answers(STORE_REPLIED, &yes);
	journal *j = journal_new(0, ROOM);

	(void)state;
	assert_non_null(j);
	put(j, "{a}", "1", 1);
	assert_int_equal(state_of(j).entries, 0);
	replay(j, &t, new_primary, 1);
	assert_done(&t, 0, 0);
	journal_expire(j, trusts_all, NULL, 2);
	journal_tick(j, 3);
	journal_free(&j);
}

static void takes_only_slots_that_are_wanted(void **state)
{
	struct target t = target_that_answers(STORE_REPLIED, &yes);
	journal *j = open_journal(ROOM);

	(void)state;
	put_into(j, 0, "{a}", "zero", 1);
	put_into(j, 16383, "{a}", "last", 1);
	put_into(j, 5, "{a}", "five", 1);
	t.wanted = 16383;
	replay(j, &t, new_primary, 2);
	assert_string_equal(t.sent, "last ");
	assert_done(&t, 1, 0);
	t = target_that_answers(STORE_REPLIED, &yes);
	t.wanted = 6;
	replay(j, &t, new_primary, 2);
	assert_done(&t, 0, 0);
	assert_int_equal(state_of(j).entries, 3);
	close_journal(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(copies_commands_whole),
	    cmocka_unit_test(takes_little_memory),
	    cmocka_unit_test(expires_after_the_window),
	    cmocka_unit_test(lets_time_stand_still),
	    cmocka_unit_test(tells_tenures_apart),
	    cmocka_unit_test(drops_what_would_have_ended),
	    cmocka_unit_test(frees_what_would_have_ended),
	    cmocka_unit_test(drops_the_oldest_of_all_primaries),
	    cmocka_unit_test(makes_room_by_the_oldest),
	    cmocka_unit_test(refuses_what_never_fits),
	    cmocka_unit_test(keeps_nothing_without_a_window),
	    cmocka_unit_test(takes_only_slots_that_are_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
