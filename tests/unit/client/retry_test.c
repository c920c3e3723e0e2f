#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/retry.h"

static unsigned spend_all(struct retry_budget *budget, uint64_t now_ms)
{
	unsigned spent = 0;

	while (retry_budget_spend(budget, now_ms))
		spent++;
	return spent;
}

static void budget_starts_with_the_floor(void **state)
{
	struct retry_budget budget;

	(void)state;
	retry_budget_init(&budget, 10, 1000);
	assert_int_equal(spend_all(&budget, 1000), RETRY_BUDGET_FLOOR);
}

static void calls_earn_their_percentage(void **state)
{
	static const unsigned percents[] = {1, 10, 25, 100};

	(void)state;
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		struct retry_budget budget;

		retry_budget_init(&budget, percents[i], 0);
		(void)spend_all(&budget, 0);
		for (unsigned call = 0; call < 100; call++)
			retry_budget_earn(&budget);
		assert_int_equal(spend_all(&budget, 0), percents[i]);
	}
}

static void budget_never_holds_more_than_its_maximum(void **state)
{
	struct retry_budget budget;

	(void)state;
	retry_budget_init(&budget, 100, 0);
	for (unsigned call = 0; call < 100000; call++)
		retry_budget_earn(&budget);
	assert_int_equal(spend_all(&budget, 0), RETRY_BUDGET_MAX);
}

static void time_refills_one_a_second_up_to_the_floor(void **state)
{
	struct retry_budget budget;

	(void)state;
	retry_budget_init(&budget, 10, 5000);
	(void)spend_all(&budget, 5000);
	assert_int_equal(spend_all(&budget, 5999), 0);
	assert_int_equal(spend_all(&budget, 6000), 1);
	assert_int_equal(spend_all(&budget, 8500), 2);
	/* The half second that was left over counts. */
	assert_int_equal(spend_all(&budget, 9000), 1);
	assert_int_equal(spend_all(&budget, 1000000000), RETRY_BUDGET_FLOOR);
}

static void a_clock_that_stands_still_refills_nothing(void **state)
{
	struct retry_budget budget;

	(void)state;
	retry_budget_init(&budget, 10, 5000);
	(void)spend_all(&budget, 5000);
	assert_int_equal(spend_all(&budget, 4000), 0);
}

static void retry_delay_has_full_jitter_after_what_the_server_asked(void **state)
{
	uint64_t random = 42;
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t delay = retry_delay_ms(1, 100, random_next(&random));

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	assert_int_equal(least, 100);
	assert_int_equal(most, 100 + RETRY_DELAY_MS_BASE);
}

static void delays_double_up_to_their_maximum(void **state)
{
	(void)state;
	assert_int_equal(retry_delay_ms(1, 0, 20), 20);
	assert_int_equal(retry_delay_ms(2, 0, 40), 40);
	assert_int_equal(retry_delay_ms(2, 0, 41), 0);
	assert_int_equal(retry_delay_ms(1000, 0, RETRY_DELAY_MS_MAX), RETRY_DELAY_MS_MAX);
	assert_true(retry_delay_ms(UINT32_MAX, UINT32_MAX, UINT64_MAX) >= UINT32_MAX);
}

static void redials_are_never_at_once_and_never_too_late(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (uint32_t failures = 1; failures < 100; failures++) {
		for (unsigned i = 0; i < 100; i++) {
			uint64_t delay = redial_delay_ms(failures, random_next(&random));

			assert_in_range(delay, REDIAL_DELAY_MS_BASE / 2, REDIAL_DELAY_MS_MAX);
			if (failures > 10)
				assert_true(delay >= REDIAL_DELAY_MS_MAX / 2);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(budget_starts_with_the_floor),
	    cmocka_unit_test(calls_earn_their_percentage),
	    cmocka_unit_test(budget_never_holds_more_than_its_maximum),
	    cmocka_unit_test(time_refills_one_a_second_up_to_the_floor),
	    cmocka_unit_test(a_clock_that_stands_still_refills_nothing),
	    cmocka_unit_test(retry_delay_has_full_jitter_after_what_the_server_asked),
	    cmocka_unit_test(delays_double_up_to_their_maximum),
	    cmocka_unit_test(redials_are_never_at_once_and_never_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
