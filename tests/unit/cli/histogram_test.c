/* Percentiles of a histogram beside those of the sorted values. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"

#define VALUES 20000

static uint64_t random_state = 88172645463325252;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static struct histogram *new_histogram(void)
{
	struct histogram *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	return h;
}

/* The smallest value that `share` of all do not exceed. */
static uint64_t sorted_at(const uint64_t *sorted, size_t count, double share)
{
	size_t rank = (size_t)(share * (double)count);

	if ((double)rank < share * (double)count)
		rank++;
	return sorted[rank == 0 ? 0 : rank - 1];
}

static void expect_percentiles(const struct histogram *h, uint64_t *values, size_t count)
{
	static const double shares[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1};

	qsort(values, count, sizeof(*values), compare);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		const uint64_t exact = sorted_at(values, count, shares[i]);
		const uint64_t told = histogram_at(h, shares[i]);

		if (told < exact || told > exact + exact / 128)
			fail_msg("at %g: %llu is told, %llu is right", shares[i], (unsigned long long)told,
				 (unsigned long long)exact);
	}
	assert_int_equal(histogram_at(h, 1), values[count - 1]);
	assert_int_equal(histogram_count(h), count);
}

static void percentiles_are_those_of_sorted_values(void **state)
{
	static uint64_t values[VALUES];

	(void)state;
	for (unsigned bits = 4; bits <= HISTOGRAM_VALUE_BITS; bits += 4) {
		struct histogram *h = new_histogram();

		for (size_t i = 0; i < VALUES; i++) {
			values[i] = next_random() >> (64 - bits);
			histogram_add(h, values[i], 1);
		}
		expect_percentiles(h, values, VALUES);
		free(h);
	}
}

static void small_values_are_exact(void **state)
{
	(void)state;
	for (uint64_t value = 0; value < 256; value++) {
		struct histogram *h = new_histogram();

		histogram_add(h, value, 1);
		histogram_add(h, HISTOGRAM_VALUE_MAX, 1);
		assert_int_equal(histogram_at(h, 0.5), value);
		free(h);
	}
}

static void what_is_too_long_is_the_longest(void **state)
{
	struct histogram *h = new_histogram();

	(void)state;
	assert_int_equal(histogram_at(h, 0.99), 0);
	histogram_add(h, 1000, 9);
	histogram_add(h, UINT64_MAX, 1);
	assert_int_equal(histogram_count(h), 10);
	assert_int_equal(histogram_at(h, 0.9), 1003);
	assert_int_equal(histogram_at(h, 1), HISTOGRAM_VALUE_MAX);
	free(h);
}

static void merging_adds(void **state)
{
	struct histogram *a = new_histogram(), *b = new_histogram();
	uint64_t values[] = {5, 70000, 70001, 123456789};

	(void)state;
	histogram_add(a, values[0], 1);
	histogram_add(a, values[3], 1);
	histogram_add(b, values[1], 1);
	histogram_add(b, values[2], 1);
	histogram_merge(a, b);
	expect_percentiles(a, values, 4);
	free(a);
	free(b);
}

/* A pause of 10 ms in calls that are made each 1 ms: those of 9, 8, ... 1 ms were missed. */
static void what_a_pause_hid_is_added(void **state)
{
	struct histogram *raw = new_histogram(), *corrected = new_histogram();
	uint64_t values[109];

	(void)state;
	histogram_add(raw, 1000, 99);
	histogram_add(raw, 10000, 1);
	histogram_correct(corrected, raw, 1000);
	for (size_t i = 0; i < 109; i++)
		values[i] = i < 100 ? 1000 : 1000 * (i - 98);
	expect_percentiles(corrected, values, 109);
	assert_int_equal(histogram_count(raw), 100);
	free(raw);
	free(corrected);
}

static void without_a_pause_nothing_is_added(void **state)
{
	struct histogram *raw = new_histogram(), *corrected = new_histogram();

	(void)state;
	histogram_add(raw, 1000, 50);
	histogram_add(raw, 1900, 50);
	histogram_correct(corrected, raw, 1000);
	assert_int_equal(histogram_count(corrected), 100);
	free(raw);
	free(corrected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(percentiles_are_those_of_sorted_values),
	    cmocka_unit_test(small_values_are_exact),
	    cmocka_unit_test(what_is_too_long_is_the_longest),
	    cmocka_unit_test(merging_adds),
	    cmocka_unit_test(what_a_pause_hid_is_added),
	    cmocka_unit_test(without_a_pause_nothing_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
