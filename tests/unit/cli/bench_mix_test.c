#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench_mix.h"
#include "line.h"
#include "usage.h"

static char said[200];

/* The command's own prints it and ends. */
int usage_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	return EXIT_USAGE;
}

static void refuse(const char *text, const char *fragment)
{
	struct bench_mix mix = {.total = 77};

	said[0] = '\0';
	assert_false(bench_mix_parse(text, &mix));
	assert_int_equal(mix.total, 77);
	if (strstr(said, fragment) == NULL)
		fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, said, fragment);
}

static void what_makes_no_sense_is_refused(void **state)
{
	(void)state;
	refuse("", "\"\": not get, peek");
	refuse("frob", "\"frob\": not get");
	refuse("get=1,frob=2", "\"frob\": not get");
	refuse("revoke-user=1", "\"revoke-user\": not get");
	refuse("get=", "\"get=\": not a number");
	refuse("get=0", "\"get=0\": not a number from 1 to 1000000");
	refuse("get=-1", "\"get=-1\": not a number");
	refuse("get= 1", "\"get= 1\": not a number");
	refuse("get=1x,list=2", "\"get=1x\": not a number");
	refuse("get=1000001", "\"get=1000001\": not a number");
	refuse("get=99999999999999999999999", "not a number");
	refuse("get=1,get=2", "get is given twice");
	refuse("get=1,", "\"\": not get");
	refuse(",get=1", "\"\": not get");
}

static void words_count_as_one(void **state)
{
	struct bench_mix mix;

	(void)state;
	assert_true(bench_mix_parse("get,list", &mix));
	assert_int_equal(mix.total, 2);
	assert_int_equal(mix.weights[BENCH_GET], 1);
	assert_int_equal(mix.weights[BENCH_LIST], 1);
	assert_int_equal(mix.weights[BENCH_PEEK], 0);
}

static void each_comes_as_often_as_it_should(void **state)
{
	unsigned drawn[BENCH_MIXED] = {0};
	struct bench_mix mix;

	(void)state;
	assert_true(bench_mix_parse("get=90,revoke=2,update=8", &mix));
	for (uint64_t i = 0; i < 1000; i++)
		drawn[bench_mix_draw(&mix, i)]++;
	assert_int_equal(drawn[BENCH_GET], 900);
	assert_int_equal(drawn[BENCH_REVOKE], 20);
	assert_int_equal(drawn[BENCH_UPDATE], 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_makes_no_sense_is_refused),
	    cmocka_unit_test(words_count_as_one),
	    cmocka_unit_test(each_comes_as_often_as_it_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
