#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench_pool.h"

#define MANY 1000

static struct bench_pool *pool_of(unsigned count)
{
	struct bench_pool *pool = bench_pool_new();
	char token[16];

	assert_non_null(pool);
	for (unsigned i = 0; i < count; i++) {
		snprintf(token, sizeof(token), "token%u", i);
		assert_true(bench_pool_add(pool, token, i));
	}
	return pool;
}

static void an_empty_pool_has_none(void **state)
{
	struct bench_pool *pool = pool_of(0);
	struct bench_holding held;

	(void)state;
	assert_false(bench_pool_share(pool, 5, &held));
	assert_false(bench_pool_take(pool, 5, &held));
	bench_pool_free(&pool);
	assert_null(pool);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct bench_pool *pool = pool_of(0);
	char token[BENCH_TOKEN_BYTES + 1];

	(void)state;
	memset(token, 'x', sizeof(token));
	token[BENCH_TOKEN_BYTES] = '\0';
	assert_false(bench_pool_add(pool, token, 0));
	assert_false(bench_pool_add(pool, NULL, 0));
	token[BENCH_TOKEN_BYTES - 1] = '\0';
	assert_true(bench_pool_add(pool, token, 0));
	bench_pool_free(&pool);
}

static void what_is_used_is_not_taken(void **state)
{
	struct bench_pool *pool = pool_of(1);
	struct bench_holding first, second;

	(void)state;
	assert_true(bench_pool_share(pool, 0, &first));
	assert_true(bench_pool_share(pool, 7, &second));
	assert_int_equal(first.id, second.id);
	assert_false(bench_pool_take(pool, 0, &second));
	bench_pool_unshare(pool, first.id, false);
	assert_false(bench_pool_take(pool, 0, &second));
	bench_pool_unshare(pool, first.id, false);
	assert_true(bench_pool_take(pool, 0, &second));
	assert_false(bench_pool_share(pool, 0, &first));
	assert_false(bench_pool_take(pool, 0, &first));
	bench_pool_free(&pool);
}

static void what_is_put_back_has_its_new_token(void **state)
{
	struct bench_pool *pool = pool_of(1);
	struct bench_holding held;

	(void)state;
	assert_true(bench_pool_take(pool, 0, &held));
	bench_pool_put(pool, held.id, "other");
	assert_true(bench_pool_share(pool, 0, &held));
	assert_string_equal(held.token, "other");
	assert_int_equal(held.user, 0);
	bench_pool_free(&pool);
}

static void what_has_ended_goes_with_its_last_user(void **state)
{
	struct bench_pool *pool = pool_of(1);
	struct bench_holding first, second;

	(void)state;
	assert_true(bench_pool_share(pool, 0, &first));
	assert_true(bench_pool_share(pool, 0, &second));
	bench_pool_unshare(pool, first.id, true);
	assert_false(bench_pool_share(pool, 0, &first));
	assert_false(bench_pool_take(pool, 0, &first));
	bench_pool_unshare(pool, second.id, true);
	assert_true(bench_pool_add(pool, "next", 3));
	assert_true(bench_pool_take(pool, 0, &first));
	assert_string_equal(first.token, "next");
	assert_int_equal(first.user, 3);
	bench_pool_free(&pool);
}

/* Each is met once, and rows are used again. */
static void many_come_and_go(void **state)
{
	struct bench_pool *pool = pool_of(MANY);
	struct bench_holding held;
	unsigned times[MANY] = {0};

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			assert_true(bench_pool_take(pool, i * 31, &held));
			times[held.user]++;
			bench_pool_put(pool, held.id, NULL);
		}
		assert_false(bench_pool_take(pool, 0, &held));
		for (unsigned i = 0; i < MANY; i++)
			assert_true(bench_pool_add(pool, "again", i));
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(times[i], 2);
	bench_pool_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_pool_has_none),
	    cmocka_unit_test(what_does_not_fit_is_refused),
	    cmocka_unit_test(what_is_used_is_not_taken),
	    cmocka_unit_test(what_is_put_back_has_its_new_token),
	    cmocka_unit_test(what_has_ended_goes_with_its_last_user),
	    cmocka_unit_test(many_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
