/* What an instance hears of answers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/news.h"

#define KEY "lk1:a:{0123456789abcdef}:abcdefghijklmnopqrstuv"

static void fills_are_counted(void **state)
{
	auth_news *n = auth_news_new();
	const uint32_t place = auth_news_place(SPAN_LIT(KEY));

	(void)state;
	assert_int_equal(auth_news_count(n, place), 0);
	auth_news_hear(n, SPAN_LIT("\4\1" KEY), 7);
	auth_news_hear(n, SPAN_LIT("\4\1" KEY), 7);
	assert_int_equal(auth_news_count(n, place), 2);
	assert_false(auth_news_is_forgotten(n, SPAN_LIT(KEY), 7));
	auth_news_free(&n);
	assert_null(n);
}

static void forgotten_for_a_while(void **state)
{
	auth_news *n = auth_news_new();

	(void)state;
	auth_news_hear(n, SPAN_LIT("\4\2" KEY), 0);
	assert_int_equal(auth_news_count(n, auth_news_place(SPAN_LIT(KEY))), 1);
	assert_true(auth_news_is_forgotten(n, SPAN_LIT(KEY), 0));
	assert_true(auth_news_is_forgotten(n, SPAN_LIT(KEY), AUTH_FORGOTTEN_MS));
	assert_false(auth_news_is_forgotten(n, SPAN_LIT(KEY), AUTH_FORGOTTEN_MS + 1));
	assert_false(auth_news_is_forgotten(n, SPAN_LIT(KEY "2"), 0));
	auth_news_free(&n);
}

static void what_others_announce_is_left_alone(void **state)
{
	static const span messages[] = {{0},
					{(const uint8_t *)"\4", 1},
					{(const uint8_t *)"\4\1", 2},
					{(const uint8_t *)"\4\3" KEY, sizeof(KEY) + 1},
					{(const uint8_t *)"\1\1" KEY, sizeof(KEY) + 1}};
	auth_news *n = auth_news_new();

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		auth_news_hear(n, messages[i], 7);
	assert_int_equal(auth_news_count(n, auth_news_place(SPAN_LIT(KEY))), 0);
	assert_false(auth_news_is_forgotten(n, SPAN_LIT(KEY), 7));
	auth_news_free(&n);
}

static void without_ears_nothing_is_heard(void **state)
{
	auth_news *none = NULL;

	(void)state;
	auth_news_forget(none, SPAN_LIT(KEY), 7);
	assert_false(auth_news_is_forgotten(none, SPAN_LIT(KEY), 7));
	assert_int_equal(auth_news_count(none, 0), 0);
	auth_news_free(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fills_are_counted),
	    cmocka_unit_test(forgotten_for_a_while),
	    cmocka_unit_test(what_others_announce_is_left_alone),
	    cmocka_unit_test(without_ears_nothing_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
