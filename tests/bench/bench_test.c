/* That the benchmark works: every line that was asked for comes out as a row, with the figures that a row promises. What
 * the figures are is nobody's business here. */

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/framing.h"
#include "support/process.h"
#include "support/tmpdir.h"
#include "support/wait.h"

#define RUN_MS 200000
/* argp's status for a mistake in the arguments. */
#define USAGE_STATUS 64

static void bench(struct run_result *ret, const char *const *args)
{
	char path[512];
	char bin[512];
	const char *env[] = {bin, NULL};
	const char *argv[48] = {path, "--seconds", "0.05", "--rounds", "1"};
	size_t argc = 5;

	binary_path("latchkey-bench", path, sizeof(path));
	for (; *args != NULL; args++)
		argv[argc++] = *args;
	/* It starts the service itself. */
	(void)snprintf(bin, sizeof(bin), "LATCHKEY_BIN=%.*s", (int)(strrchr(path, '/') - path), path);
	run_capture(argv, env, NULL, RUN_MS, ret);
}

/* NULL: there is none. */
static json_t *row_of(json_t *rows, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i,
			   row) if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0) return row;
	return NULL;
}

static size_t count_of(json_t *rows, const char *kind)
{
	size_t count = 0;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) count += strcmp(json_string_value(json_object_get(row, "kind")), kind) == 0;
	return count;
}

static void expect_measured(json_t *row, const char *name)
{
	const double ours = json_number_value(json_object_get(row, "ours"));
	json_t *baseline = json_object_get(row, "baseline");
	json_t *ratio = json_object_get(row, "ratio");

	if (!(ours > 0))
		fail_msg("%s: ours is %f", name, ours);
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "line");
	assert_true(json_is_string(json_object_get(row, "unit")));
	if (json_is_null(baseline)) {
		assert_true(json_is_null(ratio));
		return;
	}
	assert_true(json_number_value(baseline) > 0);
	assert_true(fabs(json_number_value(ratio) * json_number_value(baseline) / ours - 1) < 0.001);
}

static void expect_row(json_t *row, const char *name, bool has_goal)
{
	static const char *const verdicts[] = {"missed", "reached", "aim"};
	json_t *verdict = json_object_get(row, "verdict");
	bool is_known = false;

	if (row == NULL)
		fail_msg("no row %s", name);
	assert_true(json_is_number(json_object_get(row, "at_least")) == has_goal);
	assert_non_null(json_object_get(row, "aim"));
	if (json_is_string(json_object_get(row, "skipped"))) {
		assert_true(json_is_null(json_object_get(row, "ours")));
		return;
	}
	expect_measured(row, name);
	for (size_t i = 0; has_goal && i < 3; i++)
		is_known |= strcmp(json_string_value(verdict), verdicts[i]) == 0;
	assert_true(is_known == has_goal);
}

struct wanted {
	const char *name;
	bool has_goal;
	bool may_be_skipped; /* it needs what not every machine has */
};

static const struct wanted wanted[] = {
    {"get-64", true, false},	     {"get-512", true, false},
    {"get-connections", true, true}, {"get-stock", true, false},
    {"get-alone-p50", true, true},   {"get-tls", true, false},
    {"get-many", true, false},	     {"get-grpc", true, true},
    {"get-express", true, true},     {"create", true, false},
    {"update", true, false},	     {"revoke", true, false},
    {"pump", false, false},	     {"echo", false, false},
    {"memory-idle", true, false},    {"memory-connection", true, false},
};

#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static void test_lines_become_rows(void **state)
{
	const char *args[2 * WANTED + 3];
	char path[TMPDIR_FILE_BYTES];
	struct run_result result;
	struct tmpdir dir;
	size_t argc = 0;
	json_t *rows;

	(void)state;
	tmpdir_make(&dir);
	tmpdir_file(&dir, "rows.json", path);
	for (size_t i = 0; i < WANTED; i++) {
		args[argc++] = "--only";
		args[argc++] = wanted[i].name;
	}
	args[argc++] = "--json";
	args[argc++] = path;
	args[argc] = NULL;
	bench(&result, args);
	if (result.status != 0)
		fail_msg("status %d:\n%s%s", result.status, result.out, result.err);
	rows = json_load_file(path, 0, NULL);
	assert_int_equal(count_of(rows, "line"), WANTED);
	assert_int_equal(count_of(rows, "line") + count_of(rows, "detail"), json_array_size(rows));
	assert_true(json_number_value(json_object_get(row_of(rows, "get-64, Redis us"), "ours")) > 0);
	for (size_t i = 0; i < WANTED; i++) {
		expect_row(row_of(rows, wanted[i].name), wanted[i].name, wanted[i].has_goal);
		assert_non_null(strstr(result.out, wanted[i].name));
		if (!wanted[i].may_be_skipped)
			assert_null(json_object_get(row_of(rows, wanted[i].name), "skipped"));
	}
	json_decref(rows);
	run_result_free(&result);
	tmpdir_remove(&dir);
}

static void test_list_names_every_line_and_starts_nothing(void **state)
{
	struct run_result result;

	(void)state;
	bench(&result, (const char *const[]){"--list", NULL});
	assert_int_equal(result.status, 0);
	for (size_t i = 0; i < WANTED; i++)
		assert_non_null(strstr(result.out, wanted[i].name));
	assert_non_null(strstr(result.out, "revoke-user-10000"));
	assert_non_null(strstr(result.out, "stored-5m"));
	assert_int_equal(result.err_len, 0);
	run_result_free(&result);
}

static void test_unknown_lines_are_refused(void **state)
{
	struct run_result result;

	(void)state;
	bench(&result, (const char *const[]){"--only", "get-65", NULL});
	assert_int_equal(result.status, USAGE_STATUS);
	assert_non_null(strstr(result.err, "get-65"));
	run_result_free(&result);
}

struct framed {
	const struct framing *framing;
	const char *text;
	size_t len;
	ssize_t measured;
};

/* clang-format off */
#define FRAMED(framing, text, measured) {&(framing), (text), sizeof(text) - 1, (measured)}
/* clang-format on */

/* A load generator that took half an answer for a whole one would count too many. */
static void test_answers_end_where_they_should(void **state)
{
	static const struct framed cases[] = {
	    FRAMED(framing_sp, "\0\0\0\0\0\0\0\5abcde", 13),
	    FRAMED(framing_sp, "\0\0\0\0\0\0\0\5abcd", 0),
	    FRAMED(framing_sp, "\0\0\0\0\0\0\0", 0),
	    FRAMED(framing_sp, "\1\0\0\0\0\0\0\5abcde", -1),
	    FRAMED(framing_http, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 41),
	    FRAMED(framing_http, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", 0),
	    FRAMED(framing_http, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n", 0),
	    FRAMED(framing_http, "HTTP/1.1 200 OK\r\nX: content-length: 3\r\n\r\nabc", -1),
	    FRAMED(framing_resp, "+OK\r\n", 5),
	    FRAMED(framing_resp, "$4\r\na\r\nb\r", 0),
	    FRAMED(framing_resp, "$4\r\na\r\nb\r\n", 10),
	    FRAMED(framing_resp, "$-1\r\n", 5),
	    FRAMED(framing_resp, "*2\r\n$2\r\nok\r\n:12\r\n", 17),
	    FRAMED(framing_resp, "*2\r\n$2\r\nok\r\n:12", 0),
	    FRAMED(framing_resp, "*1\r\n-ERR no\r\n", -1),
	    FRAMED(framing_resp, "-ERR no\r\n", -1),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const ssize_t measured = cases[i].framing->measure((const uint8_t *)cases[i].text, cases[i].len);

		if (measured != cases[i].measured)
			fail_msg("case %zu: %zd", i, measured);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines_become_rows),
	    cmocka_unit_test(test_list_names_every_line_and_starts_nothing),
	    cmocka_unit_test(test_unknown_lines_are_refused),
	    cmocka_unit_test(test_answers_end_where_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
