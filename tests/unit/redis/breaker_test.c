#include "redis/breaker.h"

#include "support/wait.h"

enum { SILENT = 250 };

static struct breaker opened_at(uint64_t now_ms)
{
	struct breaker b;

	breaker_init(&b, SILENT);
	assert_true(breaker_waited(&b, SILENT, now_ms));
	assert_int_equal(b.state, BREAKER_OPEN);
	return b;
}

/* Opens, is probed in vain and opens again, so often; returns when it opened last. */
static uint64_t fail_probes(struct breaker *b, uint64_t opened_ms, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		opened_ms += breaker_retry_after_ms(b, opened_ms);
		assert_true(breaker_wants_probe(b, opened_ms));
		opened_ms += SILENT;
		assert_true(breaker_waited(b, 0, opened_ms));
	}
	return opened_ms;
}

static void opens_after_silence(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, SILENT);
	assert_int_equal(b.state, BREAKER_CLOSED);
	/* Nothing in flight: silence is no sign. */
	assert_false(breaker_waited(&b, 0, 100000));
	assert_false(breaker_waited(&b, SILENT - 1, 100010));
	assert_int_equal(breaker_retry_after_ms(&b, 100010), 0);
	assert_false(breaker_wants_probe(&b, 100010));
	assert_true(breaker_waited(&b, SILENT, 100011));
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_int_equal(b.openings, 1);
	assert_int_equal(b.opened_total, 1);
	assert_false(breaker_waited(&b, SILENT + 10, 100021));
	assert_int_equal(b.opened_total, 1);
}

static void trusts_a_slow_node_that_answers(void **state)
{
	struct breaker b;
	uint64_t now_ms = 5000;

	(void)state;
	breaker_init(&b, SILENT);
	/* Its queue is ten times as long as it may be silent. */
	for (unsigned i = 0; i < 1000; i++) {
		assert_false(breaker_answered(&b));
		now_ms += 10;
		assert_false(breaker_waited(&b, 10 * SILENT, now_ms));
	}
	/* The last answer was before the last look. */
	assert_false(breaker_waited(&b, 10 * SILENT, now_ms + SILENT - 1));
	assert_true(breaker_waited(&b, 10 * SILENT, now_ms + SILENT));
}

static void closes_at_an_answer(void **state)
{
	struct breaker b = opened_at(1000);

	(void)state;
	assert_true(breaker_answered(&b));
	assert_int_equal(b.state, BREAKER_CLOSED);
	assert_false(breaker_answered(&b));
	assert_int_equal(b.openings, 0);
	assert_int_equal(b.opened_total, 1);
	/* What waited with it may be as old as it was: it was heard of. */
	assert_false(breaker_waited(&b, 10 * SILENT, 1010));
	assert_true(breaker_waited(&b, 10 * SILENT, 1010 + SILENT));
	assert_int_equal(b.openings, 1);
	assert_int_equal(b.opened_total, 2);
}

static void probes_after_a_pause(void **state)
{
	struct breaker b = opened_at(1000);

	(void)state;
	assert_false(breaker_wants_probe(&b, 1000));
	assert_false(breaker_wants_probe(&b, 1000 + BREAKER_PAUSE_MS_MIN - 1));
	assert_true(breaker_wants_probe(&b, 1000 + BREAKER_PAUSE_MS_MIN));
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	/* One, not two. */
	assert_false(breaker_wants_probe(&b, 99999));
	assert_true(breaker_answered(&b));
	assert_int_equal(b.state, BREAKER_CLOSED);
}

static void gives_the_probe_its_time(void **state)
{
	struct breaker b = opened_at(1000);
	uint64_t probed_ms = 1000 + BREAKER_PAUSE_MS_MIN;

	(void)state;
	assert_true(breaker_wants_probe(&b, probed_ms));
	/* What was in flight before has waited for ages. */
	assert_false(breaker_waited(&b, 10 * SILENT, probed_ms + SILENT - 1));
	assert_true(breaker_waited(&b, 10 * SILENT, probed_ms + SILENT));
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_int_equal(b.openings, 2);
	assert_int_equal(b.opened_total, 2);
	/* A probe that went with its connection, or was never sent. */
	assert_true(breaker_wants_probe(&b, probed_ms + SILENT + 2 * BREAKER_PAUSE_MS_MIN));
	assert_true(breaker_waited(&b, 0, probed_ms + 2 * SILENT + 2 * BREAKER_PAUSE_MS_MIN));
	assert_int_equal(b.openings, 3);
}

static void doubles_its_pause(void **state)
{
	static const uint32_t pauses[] = {100, 200, 400, 800, 1600, 2000, 2000, 2000};
	struct breaker b = opened_at(1000);
	uint64_t opened_ms = 1000;

	(void)state;
	for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
		assert_int_equal(breaker_retry_after_ms(&b, opened_ms), pauses[i]);
		assert_false(breaker_wants_probe(&b, opened_ms + pauses[i] - 1));
		opened_ms = fail_probes(&b, opened_ms, 1);
	}
	(void)fail_probes(&b, opened_ms, 10000);
	assert_int_equal(b.opened_total, 1 + 8 + 10000);
	assert_true(breaker_answered(&b));
	assert_true(breaker_waited(&b, SILENT, 1U << 30) == false);
	assert_true(breaker_waited(&b, SILENT, (1U << 30) + SILENT));
	assert_int_equal(breaker_retry_after_ms(&b, (1U << 30) + SILENT), BREAKER_PAUSE_MS_MIN);
}

static void advises_callers(void **state)
{
	struct breaker b = opened_at(1000);

	(void)state;
	assert_int_equal(breaker_retry_after_ms(&b, 1030), BREAKER_PAUSE_MS_MIN - 30);
	/* Never "at once" while it is not closed, whatever the clock says. */
	assert_int_equal(breaker_retry_after_ms(&b, 5000), 1);
	assert_int_equal(breaker_retry_after_ms(&b, 900), BREAKER_PAUSE_MS_MIN);
	assert_true(breaker_wants_probe(&b, 5000));
	assert_int_equal(breaker_retry_after_ms(&b, 5000), SILENT);
	assert_int_equal(breaker_retry_after_ms(&b, 5001), SILENT - 1);
	assert_true(breaker_answered(&b));
	assert_int_equal(breaker_retry_after_ms(&b, 5002), 0);
}

static void bears_times_that_come_late(void **state)
{
	struct breaker b = opened_at(1000);

	(void)state;
	assert_false(breaker_wants_probe(&b, 10));
	assert_true(breaker_wants_probe(&b, 1100));
	assert_false(breaker_waited(&b, 9999, 1000));
	assert_true(breaker_answered(&b));
	assert_false(breaker_waited(&b, 9999, 1200));
	assert_false(breaker_waited(&b, 9999, 100));
	assert_int_equal(b.state, BREAKER_CLOSED);
}

static void has_names(void **state)
{
	(void)state;
	assert_string_equal(breaker_state_name(BREAKER_CLOSED), "closed");
	assert_string_equal(breaker_state_name(BREAKER_OPEN), "open");
	assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half-open");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(opens_after_silence),
	    cmocka_unit_test(trusts_a_slow_node_that_answers),
	    cmocka_unit_test(closes_at_an_answer),
	    cmocka_unit_test(probes_after_a_pause),
	    cmocka_unit_test(gives_the_probe_its_time),
	    cmocka_unit_test(doubles_its_pause),
	    cmocka_unit_test(advises_callers),
	    cmocka_unit_test(bears_times_that_come_late),
	    cmocka_unit_test(has_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
