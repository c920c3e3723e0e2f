#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "target.h"

static void keeps_the_order_of_a_hash_tag(void **state)
{
	struct target t = target_that_holds();
	struct store_command redo = redo_of("lk1:s:{a}:x", "a2");
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "lk1:s:{a}:x", "a1", 1);
	put(j, "lk1:s:{b}:x", "b1", 1);
	/* Acknowledged by another primary, and so in another list. */
	assert_true(journal_put(j, &redo, 0, new_primary, UINT64_MAX, 2));
	put(j, "lk1:u:{a}", "a3", 3);
	put(j, "lk1:u:{b}", "b2", 3);
	replay(j, &t, new_primary, 4);
	assert_int_equal(t.held_count, 2);
	answer(&t, "a1", STORE_REPLIED, &yes);
	assert_int_equal(t.held_count, 2);
	answer(&t, "a2", STORE_REPLIED, &yes);
	answer(&t, "b1", STORE_LOST, NULL);
	answer(&t, "b2", STORE_REPLIED, &yes);
	assert_int_equal(t.done, 0);
	answer(&t, "a3", STORE_REPLIED, &yes);
	assert_done(&t, 4, 1);
	/* And so it does once more, though one of them failed then: its place is what it was. */
	t = target_that_answers(STORE_REPLIED, &yes);
	replay(j, &t, new_primary, 5);
	assert_true(strstr(t.sent, "b1 ") < strstr(t.sent, "b2 "));
	assert_true(strstr(t.sent, "a1 ") < strstr(t.sent, "a2 "));
	assert_true(strstr(t.sent, "a2 ") < strstr(t.sent, "a3 "));
	assert_done(&t, 5, 0);
	close_journal(&j);
}

static void bounds_what_is_in_flight(void **state)
{
	enum { COUNT = 3000 };
	struct target t = target_that_holds();
	journal *j = open_journal(ROOM);

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "{%u}", i);
		put(j, key, "x", 1);
	}
	replay(j, &t, new_primary, 2);
	assert_int_equal(answer_all(&t), JOURNAL_IN_FLIGHT);
	assert_done(&t, COUNT, 0);
	assert_int_equal(t.sends, COUNT);
	close_journal(&j);
}

static void *replay_many(void *owner)
{
	enum { COUNT = 100000 };
	struct target *t = owner;
	journal *j = open_journal(ROOM);

	for (unsigned i = 0; i < COUNT; i++) {
		char key[16];

		/* Long strands and short ones. */
		(void)snprintf(key, sizeof(key), "{%u}", i % 2 == 0 ? 0 : i % 1000);
		put(j, key, "x", 1);
	}
	replay(j, t, new_primary, 2);
	assert_done(t, COUNT, 0);
	assert_int_equal(t->sends, COUNT);
	close_journal(&j);
	return NULL;
}

static void needs_no_stack_for_answers_at_once(void **state)
{
	static struct target t;
	pthread_attr_t small;
	pthread_t thread;

	(void)state;
	t = target_that_answers(STORE_REPLIED, &yes);
	assert_int_equal(pthread_attr_init(&small), 0);
	assert_int_equal(pthread_attr_setstacksize(&small, (size_t)256 * 1024), 0);
	assert_int_equal(pthread_create(&thread, &small, replay_many, &t), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&small);
}

/* A new primary refuses writes until enough replicas follow it: that passes. A command that it can never take does not,
 * and is no success. */
static void waits_for_what_passes_only(void **state)
{
	const struct store_reply few = {.type = STORE_ERROR, .string = SPAN_LIT("NOREPLICAS Not enough good replicas")};
	const struct store_reply full = {.type = STORE_ERROR, .string = SPAN_LIT("OOM command not allowed")};
	const struct store_reply conflict = {.type = STORE_STRING, .string = SPAN_LIT("conflict")};
	struct target t = target_that_holds();
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "a1", 1000);
	put(j, "{b}", "b1", 1000);
	put(j, "{c}", "c1", 1000);
	replay(j, &t, new_primary, 2000);
	answer(&t, "a1", STORE_REFUSED, &few);
	answer(&t, "b1", STORE_REFUSED, &full);
	answer(&t, "c1", STORE_REPLIED, &conflict);
	assert_int_equal(t.done, 0);
	journal_tick(j, 2000 + JOURNAL_AGAIN_MS);
	answer(&t, "a1", STORE_REPLIED, &yes);
	assert_done(&t, 1, 2);
	close_journal(&j);
}

static void comes_again_after_a_pause(void **state)
{
	struct target t = target_that_answers(STORE_REPLIED, &yes);
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "a1", 1000);
	put(j, "{a}", "a2", 1000);
	put(j, "{b}", "b1", 1000);
	t.again_text = "a1";
	t.agains = 2;
	replay(j, &t, new_primary, 2000);
	assert_int_equal(t.sends, 2);
	journal_tick(j, 2000 + JOURNAL_AGAIN_MS - 1);
	assert_int_equal(t.sends, 2);
	journal_tick(j, 2000 + JOURNAL_AGAIN_MS);
	assert_int_equal(t.sends, 3);
	assert_int_equal(t.done, 0);
	journal_tick(j, 2000 + 2 * JOURNAL_AGAIN_MS);
	assert_int_equal(t.sends, 5);
	assert_done(&t, 3, 0);
	journal_tick(j, 9999);
	assert_int_equal(t.sends, 5);
	close_journal(&j);
}

/* Ticks until it is done; returns how often. */
static unsigned tick_until_done(journal *j, const struct target *t, uint64_t now_ms)
{
	unsigned ticks = 0;

	while (t->done == 0 && ticks < 1000)
		journal_tick(j, now_ms + (uint64_t)++ticks * JOURNAL_AGAIN_MS);
	return ticks;
}

static void loses_patience_in_the_end(void **state)
{
	struct target t = target_that_answers(STORE_REPLIED, &again);
	journal *j = open_journal(ROOM);

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		put(j, "{a}", "never", 1000);
	replay(j, &t, new_primary, 2000);
	/* Fifty that wait for the same wait no longer than one. */
	assert_int_equal(tick_until_done(j, &t, 2000), JOURNAL_AGAIN_MAX);
	assert_done(&t, 0, 50);
	assert_int_equal(t.sends, JOURNAL_AGAIN_MAX + 50);
	close_journal(&j);
}

static void is_patient_anew_after_success(void **state)
{
	struct target t = target_that_holds();
	journal *j = open_journal(ROOM);
	uint64_t now_ms = 2000;

	(void)state;
	put(j, "{a}", "a1", 1000);
	put(j, "{a}", "a2", 1000);
	replay(j, &t, new_primary, now_ms);
	for (unsigned i = 0; i < JOURNAL_AGAIN_MAX; i++) {
		answer(&t, "a1", STORE_REPLIED, &again);
		journal_tick(j, now_ms += JOURNAL_AGAIN_MS);
	}
	answer(&t, "a1", STORE_REPLIED, &yes);
	for (unsigned i = 0; i < JOURNAL_AGAIN_MAX; i++) {
		answer(&t, "a2", STORE_REPLIED, &again);
		journal_tick(j, now_ms += JOURNAL_AGAIN_MS);
	}
	answer(&t, "a2", STORE_REPLIED, &again);
	assert_done(&t, 1, 1);
	close_journal(&j);
}

static void waits_when_it_is_too_much(void **state)
{
	struct target t = target_that_holds();
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "a1", 1000);
	replay(j, &t, new_primary, 2000);
	answer(&t, "a1", STORE_OVERLOADED, NULL);
	assert_int_equal(t.done, 0);
	journal_tick(j, 2000 + JOURNAL_AGAIN_MS);
	answer(&t, "a1", STORE_REPLIED, &yes);
	assert_done(&t, 1, 0);
	close_journal(&j);
}

static void counts_failures(void **state)
{
	static const struct store_result failures[] = {
	    {.outcome = STORE_REFUSED, .reply = &no},
	    {.outcome = STORE_UNAVAILABLE},
	    {.outcome = STORE_EXPIRED},
	    {.outcome = STORE_LOST},
	    {.outcome = STORE_REPLIED, .reply = &yes, .is_late = true},
	};
	static const struct store_reply integer = {.type = STORE_INTEGER, .integer = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct target t = target_that_answers(STORE_REPLIED, &yes);
		journal *j = open_journal(ROOM);

		put(j, "{a}", "1", 1000);
		t.answer = failures[i];
		replay(j, &t, new_primary, 2000);
		assert_done(&t, 0, 1);
		t = target_that_answers(STORE_REPLIED, &integer);
		replay(j, &t, new_primary, 2000);
		assert_done(&t, 1, 0);
		close_journal(&j);
	}
}

static void hands_over_what_was_carried_out(void **state)
{
	struct journal_origin trusted = new_primary;
	struct target t = target_that_holds();
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "good", 1000);
	put(j, "{b}", "bad", 1000);
	journal_expire(j, trusts_only, &trusted, 5000);
	replay(j, &t, new_primary, 6000);
	answer(&t, "good", STORE_REPLIED, &yes);
	answer(&t, "bad", STORE_LOST, NULL);
	assert_done(&t, 1, 1);
	/* Counts as put at 6000, by the new one; the other waits for its own. */
	journal_expire(j, trusts_only, &trusted, 6000 + WINDOW - 1);
	assert_int_equal(state_of(j).entries, 2);
	journal_expire(j, trusts_only, &trusted, 6000 + WINDOW);
	assert_int_equal(state_of(j).entries, 1);
	journal_expire(j, trusts_only, &trusted, 10 * WINDOW);
	t = target_that_answers(STORE_REPLIED, &yes);
	replay(j, &t, new_primary, 10 * WINDOW);
	assert_string_equal(t.sent, "bad ");
	close_journal(&j);
}

static void keeps_its_place_for_a_replay(void **state)
{
	struct journal_origin third = {.node = "third", .tenure = 1};
	struct store_command redo = redo_of("{b}", "b1");
	struct target t = target_that_holds();
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "a1", 1000);
	replay(j, &t, new_primary, 1000);
	/* A primary of which nothing was heard before, while the new one has nothing yet. */
	assert_true(journal_put(j, &redo, 0, third, UINT64_MAX, 1000));
	answer(&t, "a1", STORE_REPLIED, &yes);
	journal_expire(j, trusts_only, &third, 1000 + WINDOW);
	assert_int_equal(state_of(j).entries, 1);
	journal_expire(j, trusts_only, &third, 1000 + 9 * WINDOW);
	t = target_that_answers(STORE_REPLIED, &yes);
	replay(j, &t, new_primary, 1000 + 9 * WINDOW);
	assert_string_equal(t.sent, "a1 ");
	close_journal(&j);
}

static void carries_out_what_was_dropped_meanwhile(void **state)
{
	struct target t = target_that_holds();
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "a1", 1000);
	put(j, "{a}", "a2", 1000);
	put(j, "{b}", "b1", 1000);
	replay(j, &t, new_primary, 2000);
	journal_expire(j, trusts_all, NULL, 1000 + WINDOW);
	assert_int_equal(state_of(j).entries, 0);
	answer(&t, "a1", STORE_REPLIED, &again);
	journal_tick(j, 1000 + WINDOW + JOURNAL_AGAIN_MS);
	answer(&t, "a1", STORE_REPLIED, &yes);
	answer(&t, "b1", STORE_LOST, NULL);
	answer(&t, "a2", STORE_REPLIED, &yes);
	assert_done(&t, 2, 1);
	assert_int_equal(state_of(j).entries, 0);
	assert_int_equal(state_of(j).bytes, 0);
	journal_free(&j);
}

static void gives_the_later_replay_the_last_word(void **state)
{
	static const struct journal_origin newest = {.node = "newest", .tenure = 1};
	struct journal_origin trusted = newest;
	struct target first = target_that_holds();
	struct target second = target_that_holds();
	journal *j = open_journal(ROOM);

	(void)state;
	put(j, "{a}", "1", 1000);
	put(j, "{b}", "2", 1000);
	replay(j, &first, new_primary, 1000);
	replay(j, &second, newest, 1000);
	assert_int_equal(first.held_count + second.held_count, 4);
	answer(&first, "1", STORE_REPLIED, &yes);
	answer(&second, "1", STORE_REPLIED, &yes);
	answer(&second, "2", STORE_REPLIED, &yes);
	answer(&first, "2", STORE_REPLIED, &yes);
	assert_done(&first, 2, 0);
	assert_done(&second, 2, 0);
	journal_expire(j, trusts_only, &trusted, 1000 + WINDOW);
	assert_int_equal(state_of(j).entries, 0);
	journal_free(&j);
}

/* A replay may be asked for from within the done of another. */
struct chain {
	journal *journal;
	struct target target;
	unsigned left;
};

static bool wants_all(void *owner, uint16_t slot)
{
	(void)owner;
	(void)slot;
	return true;
}

static void submit_of_chain(void *owner, struct store_op *op)
{
	struct chain *c = owner;

	target_submit(&c->target, op);
}

static void start_chain(struct chain *c);

static void done_of_chain(void *owner, size_t carried_out, size_t failed)
{
	struct chain *c = owner;

	assert_int_equal(carried_out + failed, 2);
	if (c->left-- > 0)
		start_chain(c);
}

static void start_chain(struct chain *c)
{
	const struct journal_replay task = {.is_wanted = wants_all,
					    .submit = submit_of_chain,
					    .done = done_of_chain,
					    .owner = c,
					    .origin = new_primary,
					    .deadline_ms = 77777};

	journal_replay(c->journal, &task, 2000);
}

static void may_be_asked_again_when_done(void **state)
{
	struct chain c = {.journal = open_journal(ROOM), .left = 3};

	(void)state;
	c.target = target_that_answers(STORE_LOST, NULL);
	put(c.journal, "{a}", "1", 1000);
	put(c.journal, "{b}", "2", 1000);
	start_chain(&c);
	assert_int_equal(c.target.sends, 8);
	c.target = target_that_answers(STORE_REPLIED, &yes);
	c.target.again_text = "1";
	c.target.agains = 1;
	c.left = 1;
	start_chain(&c);
	journal_tick(c.journal, 2000 + JOURNAL_AGAIN_MS);
	assert_int_equal(c.target.sends, 5);
	close_journal(&c.journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keeps_the_order_of_a_hash_tag),
	    cmocka_unit_test(bounds_what_is_in_flight),
	    cmocka_unit_test(needs_no_stack_for_answers_at_once),
	    cmocka_unit_test(waits_for_what_passes_only),
	    cmocka_unit_test(comes_again_after_a_pause),
	    cmocka_unit_test(loses_patience_in_the_end),
	    cmocka_unit_test(is_patient_anew_after_success),
	    cmocka_unit_test(waits_when_it_is_too_much),
	    cmocka_unit_test(counts_failures),
	    cmocka_unit_test(hands_over_what_was_carried_out),
	    cmocka_unit_test(keeps_its_place_for_a_replay),
	    cmocka_unit_test(carries_out_what_was_dropped_meanwhile),
	    cmocka_unit_test(gives_the_later_replay_the_last_word),
	    cmocka_unit_test(may_be_asked_again_when_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
