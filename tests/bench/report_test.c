/* What the benchmark says of a figure: whether it keeps the bound, and the aim. */

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "bench/report.h"
#include "support/tmpdir.h"
#include "support/wait.h"

/* In place of lines.c. */
struct line lines[] = {
    {.name = "faster", .unit = "calls/s", .goal = RATIO_OVER, .at_least = 2, .aim = 3},
    {.name = "sooner", .unit = "us", .goal = RATIO_UNDER, .at_least = 1.5, .aim = 1.2},
    {.name = "more", .unit = "%", .goal = VALUE_OVER, .at_least = 98},
    {.name = "less", .unit = "bytes", .goal = VALUE_UNDER, .at_least = 480, .aim = 400},
    {.name = "either", .unit = "calls/s", .goal = RATIO_OVER, .at_least = 0.5, .aim = 0.6, .or_ours = 1000},
    {.name = "reference", .unit = "calls/s"},
    {.name = "unwanted", .unit = "calls/s", .is_unwanted = true},
};
const size_t line_count = sizeof(lines) / sizeof(lines[0]);

struct line *line_find(const char *name)
{
	for (size_t i = 0; i < line_count; i++)
		if (strcmp(lines[i].name, name) == 0)
			return &lines[i];
	return NULL;
}

/* The rows that the report writes; the caller drops them. */
static json_t *rows_of(const struct report *r)
{
	char path[TMPDIR_FILE_BYTES];
	struct tmpdir dir;
	json_t *rows;

	tmpdir_make(&dir);
	tmpdir_file(&dir, "rows.json", path);
	assert_true(report_write(r, path));
	rows = json_load_file(path, 0, NULL);
	tmpdir_remove(&dir);
	assert_true(json_is_array(rows));
	return rows;
}

struct judged {
	const char *line;
	double ours;
	double baseline;
	const char *verdict; /* NULL: none */
};

static void test_figures_are_held_against_their_bounds(void **state)
{
	static const struct judged cases[] = {
	    {"faster", 199, 100, "missed"},	{"faster", 200, 100, "reached"}, {"faster", 300, 100, "aim"},
	    {"sooner", 151, 100, "missed"},	{"sooner", 150, 100, "reached"}, {"sooner", 100, 100, "aim"},
	    {"more", 97.9, NAN, "missed"},	{"more", 98, NAN, "reached"},	 {"less", 481, NAN, "missed"},
	    {"less", 480, NAN, "reached"},	{"less", 400, NAN, "aim"},	 {"either", 999, 10000, "missed"},
	    {"either", 1000, 10000, "reached"}, {"either", 6000, 10000, "aim"},	 {"reference", 1, 2, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct report r = {0};
		const char *verdict;
		json_t *rows;

		report_result(&r, cases[i].line, cases[i].ours, cases[i].baseline);
		rows = rows_of(&r);
		assert_int_equal(json_array_size(rows), 1);
		verdict = json_string_value(json_object_get(json_array_get(rows, 0), "verdict"));
		if ((verdict == NULL) != (cases[i].verdict == NULL) ||
		    (verdict != NULL && strcmp(verdict, cases[i].verdict) != 0))
			fail_msg("%s of %f and %f: %s", cases[i].line, cases[i].ours, cases[i].baseline,
				 verdict != NULL ? verdict : "nothing");
		json_decref(rows);
		report_drop(&r);
	}
}

static void test_rounds_make_a_median_and_a_spread(void **state)
{
	double ours[] = {300, 100, 200};
	double baseline[] = {100, 100, 50};
	struct report r = {0};
	json_t *rows;
	json_t *row;

	(void)state;
	report_rounds(&r, "faster", ours, baseline, 3);
	rows = rows_of(&r);
	row = json_array_get(rows, 0);
	assert_true(json_number_value(json_object_get(row, "ours")) == 200);
	assert_true(json_number_value(json_object_get(row, "baseline")) == 100);
	assert_true(json_number_value(json_object_get(row, "ratio")) == 2);
	assert_true(json_number_value(json_object_get(row, "ratio_min")) == 1);
	assert_true(json_number_value(json_object_get(row, "ratio_max")) == 4);
	json_decref(rows);
	report_drop(&r);
}

static void test_what_was_not_measured_has_no_figures(void **state)
{
	struct report r = {0};
	json_t *rows;
	json_t *row;

	(void)state;
	report_skipped(&r, "faster", "%s is not installed", "nutcracker");
	report_result(&r, "unwanted", 1, 2);
	report_result(&r, "no such line", 1, 2);
	report_detail(&r, "faster", "cause", 7);
	rows = rows_of(&r);
	assert_int_equal(json_array_size(rows), 2);
	row = json_array_get(rows, 0);
	assert_string_equal(json_string_value(json_object_get(row, "skipped")), "nutcracker is not installed");
	assert_true(json_is_null(json_object_get(row, "ours")));
	assert_null(json_object_get(row, "verdict"));
	row = json_array_get(rows, 1);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "faster, cause");
	assert_true(json_number_value(json_object_get(row, "ours")) == 7);
	json_decref(rows);
	report_drop(&r);
}

static void test_a_file_that_cannot_be_written_is_an_error(void **state)
{
	struct report r = {0};

	(void)state;
	report_result(&r, "faster", 1, 2);
	assert_false(report_write(&r, "/no/such/folder/rows.json"));
	report_drop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_figures_are_held_against_their_bounds),
	    cmocka_unit_test(test_rounds_make_a_median_and_a_spread),
	    cmocka_unit_test(test_what_was_not_measured_has_no_figures),
	    cmocka_unit_test(test_a_file_that_cannot_be_written_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
