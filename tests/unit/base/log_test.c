/* Log lines and metrics. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/metrics.h"

#define OUTPUT_BYTES 65536

struct capture {
	int saved;
	FILE *file;
	char text[OUTPUT_BYTES];
};

static void capture_start(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	c->saved = dup(STDERR_FILENO);
	assert_true(c->saved >= 0);
	assert_true(dup2(fileno(c->file), STDERR_FILENO) >= 0);
}

static const char *capture_end(struct capture *c)
{
	size_t n;

	assert_true(dup2(c->saved, STDERR_FILENO) >= 0);
	close(c->saved);
	rewind(c->file);
	n = fread(c->text, 1, sizeof(c->text) - 1, c->file);
	c->text[n] = 0;
	fclose(c->file);
	return c->text;
}

static int start(void **state)
{
	*state = malloc(sizeof(struct capture));
	return *state == NULL ? -1 : 0;
}

static int stop(void **state)
{
	free(*state);
	return 0;
}

/* What follows `2026-01-31T12:00:00.123Z `. */
static const char *behind_time(const char *line)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], form[i]);
	assert_true(strncmp(line, "2024", 4) >= 0);
	return line + sizeof(form) - 1;
}

static void fields_are_typed_and_escaped(void **state)
{
	struct capture *c = *state;
	const char *text;

	capture_start(c);
	log_event(LOG_INFO, "some_event", LOG_STR("plain", "tcp://127.0.0.1:7373"), LOG_STR("spaced", "a \"b\\\n"),
		  LOG_UINT("u", UINT64_MAX), LOG_INT("i", -5), LOG_SPAN("s", SPAN_LIT("\x7f\0\xc3")), LOG_STR("e", ""));
	text = capture_end(c);
	assert_string_equal(behind_time(text), "info some_event plain=tcp://127.0.0.1:7373 spaced=\"a \\\"b\\\\\\x0a\" "
					       "u=18446744073709551615 i=-5 s=\"\\x7f\\x00\\xc3\" e=\"\"\n");
}

static void every_sign_of_plain_text_is_plain(void **state)
{
	struct capture *c = *state;

	capture_start(c);
	log_event(LOG_INFO, "e", LOG_STR("v", "_.:/@+-"), LOG_STR("w", "a=b"), LOG_STR("x", "\xe4"));
	assert_string_equal(behind_time(capture_end(c)), "info e v=_.:/@+- w=\"a=b\" x=\"\\xe4\"\n");
}

static void levels_filter(void **state)
{
	struct capture *c = *state;
	enum log_level level = LOG_INFO;

	capture_start(c);
	log_event(LOG_DEBUG, "hidden", LOG_INT("n", 1));
	log_set_level(LOG_ERROR);
	log_event(LOG_WARN, "hidden", LOG_INT("n", 1));
	log_event(LOG_ERROR, "shown", LOG_INT("n", 1));
	log_set_level(LOG_DEBUG);
	log_event(LOG_DEBUG, "shown", LOG_INT("n", 2));
	log_set_level(LOG_INFO);
	(void)capture_end(c);
	assert_null(strstr(c->text, "hidden"));
	assert_non_null(strstr(c->text, "error shown n=1\n"));
	assert_non_null(strstr(c->text, "debug shown n=2\n"));
	assert_true(log_level_parse("warn", &level));
	assert_int_equal(level, LOG_WARN);
	assert_false(log_level_parse("WARN", &level));
	assert_false(log_level_parse("", &level));
	assert_int_equal(level, LOG_WARN);
}

static void long_lines_are_cut_and_end(void **state)
{
	struct capture *c = *state;
	static char longer[5000];

	memset(longer, 'x', sizeof(longer) - 1);
	/* Every length around the limit, plain and escaped. */
	for (size_t len = 900; len < 1100; len++) {
		const char *text;

		capture_start(c);
		log_event(LOG_INFO, "e", LOG_SPAN("a", span_of(longer, len)), LOG_UINT("n", 1234567890));
		log_event(LOG_INFO, "next", LOG_SPAN("b", SPAN_LIT("\1\2\3")), LOG_SPAN("a", span_of(longer, len)));
		text = capture_end(c);
		assert_int_equal(strchr(text, '\n')[1], '2');
		assert_non_null(strstr(text, " info next "));
		assert_int_equal(text[strlen(text) - 1], '\n');
	}
	capture_start(c);
	log_event(LOG_INFO, longer, LOG_INT("n", 1));
	assert_true(strlen(capture_end(c)) <= 1024);
}

static void *log_many(void *arg)
{
	for (int i = 0; i < 200; i++)
		log_event(LOG_INFO, "thread", LOG_STR("name", arg), LOG_INT("i", i));
	return NULL;
}

static void lines_are_whole_across_threads(void **state)
{
	struct capture *c = *state;
	static char names[4][2] = {"a", "b", "c", "d"};
	pthread_t threads[4];
	size_t lines = 0;

	capture_start(c);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (const char *at = capture_end(c); *at != 0; at = strchr(at, '\n') + 1, lines++)
		assert_memory_equal(behind_time(at), "info thread name=", 17);
	assert_int_equal(lines, 800);
}

static void *count_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++)
		metric_add(METRIC_CALLS, 2);
	return NULL;
}

static void metrics_count_across_threads(void **state)
{
	const uint64_t before = metric_get(METRIC_CALLS);
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(metric_get(METRIC_CALLS) - before, 80000);
	assert_int_equal(metric_get(METRIC_FRAMES), 0);
}

static void metrics_have_distinct_names_and_a_help(void **state)
{
	(void)state;
	for (int m = 0; m < METRICS; m++) {
		const char *name = metric_name((enum metric)m);
		const size_t len = strlen(name);

		assert_memory_equal(name, "latchkey_", 9);
		assert_string_equal(name + len - 6, "_total");
		assert_true(strlen(metric_help((enum metric)m)) > 10);
		for (int k = 0; k < m; k++)
			assert_string_not_equal(name, metric_name((enum metric)k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_are_typed_and_escaped),
	    cmocka_unit_test(every_sign_of_plain_text_is_plain),
	    cmocka_unit_test(levels_filter),
	    cmocka_unit_test(long_lines_are_cut_and_end),
	    cmocka_unit_test(lines_are_whole_across_threads),
	    cmocka_unit_test(metrics_count_across_threads),
	    cmocka_unit_test(metrics_have_distinct_names_and_a_help),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
