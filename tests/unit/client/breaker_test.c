/* The circuit breaker: opens after failures in a row, lets one through each pause, closes when one is answered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/breaker.h"

static void fail_times(struct breaker *breaker, unsigned times, uint64_t now_ms)
{
	for (unsigned i = 0; i < times; i++)
		breaker_note(breaker, false, now_ms);
}

static void failures_in_a_row_open_it(void **state)
{
	struct breaker breaker = {0};

	(void)state;
	fail_times(&breaker, BREAKER_FAILURES_MAX - 1, 100);
	assert_true(breaker_admits(&breaker, 100));
	breaker_note(&breaker, true, 100);
	fail_times(&breaker, BREAKER_FAILURES_MAX - 1, 100);
	assert_true(breaker_admits(&breaker, 100));
	breaker_note(&breaker, false, 100);
	assert_false(breaker_admits(&breaker, 100));
	assert_false(breaker_admits(&breaker, 100 + BREAKER_PAUSE_MS - 1));
}

static void one_goes_each_pause(void **state)
{
	const uint64_t first_ms = 100 + BREAKER_PAUSE_MS;
	struct breaker breaker = {0};

	(void)state;
	fail_times(&breaker, BREAKER_FAILURES_MAX, 100);
	/* Late failures of those who asked before do not keep it open. */
	fail_times(&breaker, 10, 100 + BREAKER_PAUSE_MS / 2);
	assert_true(breaker_admits(&breaker, first_ms));
	assert_false(breaker_admits(&breaker, first_ms));
	/* Of that one nothing was heard. */
	assert_true(breaker_admits(&breaker, first_ms + BREAKER_PAUSE_MS));
	assert_false(breaker_admits(&breaker, first_ms + BREAKER_PAUSE_MS));
	breaker_note(&breaker, true, first_ms + BREAKER_PAUSE_MS + 1);
	assert_true(breaker_admits(&breaker, first_ms + BREAKER_PAUSE_MS + 1));
	assert_true(breaker_admits(&breaker, first_ms + BREAKER_PAUSE_MS + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(failures_in_a_row_open_it),
					   cmocka_unit_test(one_goes_each_pause)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
