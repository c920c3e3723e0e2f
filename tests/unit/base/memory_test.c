/* Arena, span, status, clock. */

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/status.h"

static void allocations_are_apart_aligned_and_zeroed(void **state)
{
	arena *a = arena_new(64, 100000);
	uint8_t *all[200];

	(void)state;
	assert_non_null(a);
	for (size_t i = 0; i < 200; i++) {
		all[i] = arena_alloc(a, i);
		assert_non_null(all[i]);
		assert_int_equal((uintptr_t)all[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(all[i][k], 0);
		memset(all[i], (int)i, i);
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(all[i][k], i);
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

static void the_cap_holds_and_leaves_it_usable(void **state)
{
	arena *a = arena_new(1024, 8192);
	size_t taken = 0;

	(void)state;
	assert_null(arena_alloc(a, 8193));
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, SIZE_MAX - 7));
	while (arena_alloc(a, 100) != NULL)
		taken += 100;
	assert_in_range(taken, 6000, 8192);
	assert_true(arena_used(a) <= 8192);
	arena_free(&a);
	a = arena_new(0, 0);
	assert_null(arena_alloc(a, 1));
	arena_free(&a);
}

static void one_allocation_can_take_the_whole_cap(void **state)
{
	arena *a = arena_new(0, 100000);

	(void)state;
	assert_non_null(arena_alloc(a, 99000));
	arena_free(&a);
}

static void arrays_do_not_overflow(void **state)
{
	arena *a = arena_new(64, 8192);

	(void)state;
	assert_null(arena_array(a, SIZE_MAX / 2, 4));
	assert_null(arena_array(a, SIZE_MAX / 8 + 2, 8));
	assert_non_null(arena_array(a, 100, 8));
	assert_non_null(arena_array(a, 0, 8));
	arena_free(&a);
}

static void copies_and_texts(void **state)
{
	arena *a = arena_new(64, 8192);
	span copy = SPAN_LIT("before");
	span text;

	(void)state;
	assert_true(arena_copy(a, SPAN_LIT("abc"), &copy));
	assert_true(span_eq(copy, SPAN_LIT("abc")));
	assert_true(arena_copy(a, SPAN_EMPTY, &copy));
	assert_int_equal(copy.len, 0);
	copy = SPAN_LIT("before");
	assert_false(arena_copy(a, span_of("x", 9000), &copy));
	assert_true(span_eq(copy, SPAN_LIT("before")));
	text = arena_printf(a, "%s-%d", "x", 12);
	assert_true(span_eq(text, SPAN_LIT("x-12")));
	assert_int_equal(text.ptr[text.len], 0);
	assert_int_equal(arena_printf(a, "%9000d", 1).len, 0);
	arena_free(&a);
}

static void a_reset_arena_is_as_new(void **state)
{
	arena *a = arena_new(256, 8192);

	(void)state;
	for (int round = 0; round < 100; round++) {
		size_t taken = 0;
		uint8_t *p;

		while ((p = arena_alloc(a, 128)) != NULL) {
			for (size_t i = 0; i < 128; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xff, 128);
			taken += 128;
		}
		assert_true(taken > 6000);
		arena_reset(a);
		assert_int_equal(arena_used(a), 0);
	}
	arena_free(&a);
}

static void the_end_can_be_written_first(void **state)
{
	arena *a = arena_new(1024, 8192);
	uint8_t *front = arena_alloc(a, 100);
	uint8_t *rest;
	uint8_t *p;
	size_t room;

	(void)state;
	memset(front, 1, 100);
	rest = arena_rest(a, &room);
	assert_in_range(room, 900, 1024);
	memset(rest + room - 33, 2, 33);
	arena_keep_end(a, 33);
	assert_in_range(arena_used(a), 133, 180);
	assert_int_equal((uintptr_t)(rest + room - 48) % alignof(max_align_t), 0);
	/* What comes between, and what needs a block of its own, touches neither. */
	while ((p = arena_alloc(a, 64)) != NULL) {
		for (size_t i = 0; i < 64; i++)
			assert_int_equal(p[i], 0);
		memset(p, 3, 64);
	}
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(front[i], 1);
	for (size_t i = 0; i < 33; i++)
		assert_int_equal(rest[room - 33 + i], 2);
	arena_reset(a);
	assert_int_equal(arena_used(a), 0);
	rest = arena_rest(a, &room);
	for (size_t i = 0; i < room; i++)
		assert_int_equal(rest[i], 0);
	arena_free(&a);
}

static void arenas_from_a_pool_begin_zeroed(void **state)
{
	block_pool *pool = block_pool_new(2048, 2);
	arena *all[4];
	size_t room;

	(void)state;
	assert_non_null(pool);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 4; i++) {
			const uint8_t *rest;

			all[i] = arena_new_from(pool, 100, 100000);
			assert_non_null(all[i]);
			assert_int_equal(arena_used(all[i]), 0);
			rest = arena_rest(all[i], &room);
			assert_in_range(room, 1800, 2048);
			for (size_t k = 0; k < room; k++)
				assert_int_equal(rest[k], 0);
			memset(arena_alloc(all[i], room / 2), 0xff, room / 2);
			memset(arena_rest(all[i], &room) + room - 40, 0xff, 40);
			arena_keep_end(all[i], 40);
			memset(arena_alloc(all[i], 3000), 0xff, 3000);
		}
		for (size_t i = 0; i < 4; i++)
			arena_free(&all[i]);
	}
	block_pool_free(&pool);
	assert_null(pool);
	block_pool_free(&pool);
}

static void what_fits_no_block_of_the_pool_gets_its_own(void **state)
{
	block_pool *pool = block_pool_new(1024, 2);
	arena *large = arena_new_from(pool, 4000, 8000);
	arena *narrow = arena_new_from(pool, 100, 200);
	size_t room;

	(void)state;
	(void)arena_rest(large, &room);
	assert_true(room >= 4000);
	assert_null(arena_alloc(narrow, 201));
	assert_non_null(arena_alloc(narrow, 100));
	arena_free(&large);
	arena_free(&narrow);
	block_pool_free(&pool);
}

static void spans(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN_EMPTY, span_str("")));
	assert_true(span_eq(SPAN_EMPTY, span_str(NULL)));
	assert_true(span_eq(span_of("a\0b", 3), SPAN_LIT("a\0b")));
	assert_false(span_eq(span_of("a\0b", 3), SPAN_LIT("a\0c")));
	assert_false(span_eq(SPAN_LIT("a"), SPAN_LIT("ab")));
	assert_true(span_starts_with(SPAN_LIT("abc"), SPAN_LIT("ab")));
	assert_true(span_starts_with(SPAN_LIT("abc"), SPAN_EMPTY));
	assert_false(span_starts_with(SPAN_LIT("ab"), SPAN_LIT("abc")));
}

static void statuses(void **state)
{
	struct status st;
	char longer[2 * STATUS_TEXT_BYTES];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	st.retry_after_ms = 5;
	assert_int_equal(status_set(&st, STATUS_ABORTED, "%s", longer), STATUS_ABORTED);
	assert_int_equal(st.code, STATUS_ABORTED);
	assert_int_equal(st.retry_after_ms, 0);
	assert_int_equal(strlen(st.text), STATUS_TEXT_BYTES - 1);
	for (int code = 0; code < STATUS_CODES; code++)
		assert_true(strlen(status_name((enum status_code)code)) > 1);
	assert_string_equal(status_name(STATUS_OK), "OK");
	assert_string_equal(status_name(STATUS_UNAUTHENTICATED), "UNAUTHENTICATED");
}

static void clocks_run(void **state)
{
	const uint64_t us = clock_mono_us();
	const uint64_t ms = clock_mono_ms();

	(void)state;
	assert_true(clock_wall_ms() > 1700000000000ULL);
	assert_in_range(ms, us / 1000, us / 1000 + 10000);
	while (clock_mono_us() == us)
		usleep(1);
	assert_true(clock_mono_us() > us);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(allocations_are_apart_aligned_and_zeroed),
	    cmocka_unit_test(the_cap_holds_and_leaves_it_usable),
	    cmocka_unit_test(one_allocation_can_take_the_whole_cap),
	    cmocka_unit_test(arrays_do_not_overflow),
	    cmocka_unit_test(copies_and_texts),
	    cmocka_unit_test(a_reset_arena_is_as_new),
	    cmocka_unit_test(the_end_can_be_written_first),
	    cmocka_unit_test(arenas_from_a_pool_begin_zeroed),
	    cmocka_unit_test(what_fits_no_block_of_the_pool_gets_its_own),
	    cmocka_unit_test(spans),
	    cmocka_unit_test(statuses),
	    cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
