#include "bench/report.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIGURE_BYTES 24

static bool is_of_ratio(const struct line *l)
{
	return l->goal == RATIO_OVER || l->goal == RATIO_UNDER;
}

static bool is_over(const struct line *l)
{
	return l->goal == RATIO_OVER || l->goal == VALUE_OVER;
}

static double ratio_of(const struct result *r)
{
	return r->baseline > 0 ? r->ours / r->baseline : NAN;
}

static bool reaches(const struct result *r, double bound)
{
	const double figure = is_of_ratio(r->line) ? ratio_of(r) : r->ours;

	return is_over(r->line) ? figure >= bound : figure <= bound;
}

static const char *verdict_of(const struct result *r)
{
	if (r->line->goal == GOAL_NONE)
		return "";
	if (!reaches(r, r->line->at_least))
		return "missed";
	return r->line->aim > 0 && reaches(r, r->line->aim) ? "aim" : "reached";
}

static struct result *add(struct report *r, const char *name)
{
	struct line *line = line_find(name);

	if (line == NULL || line->is_unwanted || r->count == REPORT_LINES_MAX)
		return NULL;
	r->results[r->count] = (struct result){.line = line, .ours = NAN, .baseline = NAN};
	return &r->results[r->count++];
}

void report_result(struct report *r, const char *line, double ours, double baseline)
{
	struct result *result = add(r, line);

	if (result == NULL)
		return;
	result->ours = ours;
	result->baseline = baseline;
	(void)fprintf(stderr, "latchkey-bench: %s: %.4g %s\n", line, ours, result->line->unit);
}

void report_skipped(struct report *r, const char *line, const char *why, ...)
{
	struct result *result = add(r, line);
	va_list args;

	if (result == NULL)
		return;
	va_start(args, why);
	(void)vsnprintf(result->skipped, sizeof(result->skipped), why, args);
	va_end(args);
	(void)fprintf(stderr, "latchkey-bench: %s: skipped, %s\n", line, result->skipped);
}

static json_t *number_or_null(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

void report_detail(struct report *r, const char *line, const char *what, double value)
{
	if (r->details == NULL)
		r->details = json_array();
	(void)json_array_append_new(r->details,
				    json_pack("{ss ss++ so so so so so}", "kind", "detail", "name", line, ", ", what,
					      "ours", number_or_null(value), "baseline", json_null(), "ratio",
					      json_null(), "at_least", json_null(), "aim", json_null()));
}

static const char *figure(double value, char out[static FIGURE_BYTES])
{
	if (!isfinite(value))
		return "-";
	(void)snprintf(out, FIGURE_BYTES, value >= 1000 ? "%.0f" : value >= 100 ? "%.1f" : "%.2f", value);
	return out;
}

/* "2.50 x", "<= 1.50 x", ">= 98": what the goal says. */
static const char *bound(const struct line *l, double value, char out[static FIGURE_BYTES])
{
	if (l->goal == GOAL_NONE || value <= 0)
		return "-";
	(void)snprintf(out, FIGURE_BYTES, "%s%.4g%s", is_over(l) ? ">= " : "<= ", value, is_of_ratio(l) ? " x" : "");
	return out;
}

static void print_result(const struct result *r)
{
	char ours[FIGURE_BYTES], baseline[FIGURE_BYTES], ratio[FIGURE_BYTES], at_least[FIGURE_BYTES], aim[FIGURE_BYTES];
	const struct line *l = r->line;

	if (r->skipped[0] != '\0')
		(void)printf("%-20s skipped: %s\n", l->name, r->skipped);
	else
		(void)printf("%-20s %11s %-8s %11s %8s %11s %11s  %s\n", l->name, figure(r->ours, ours), l->unit,
			     figure(r->baseline, baseline), figure(ratio_of(r), ratio), bound(l, l->at_least, at_least),
			     bound(l, l->aim, aim), verdict_of(r));
}

void report_print(const struct report *r)
{
	(void)printf("%-20s %11s %-8s %11s %8s %11s %11s\n", "line", "ours", "", "baseline", "ratio", "must be", "aim");
	for (size_t i = 0; i < r->count; i++)
		print_result(&r->results[i]);
	(void)fflush(stdout);
}

static json_t *row_of(const struct result *r)
{
	static const char *const goals[] = {[GOAL_NONE] = "none",
					    [RATIO_OVER] = "ratio at least",
					    [RATIO_UNDER] = "ratio at most",
					    [VALUE_OVER] = "value at least",
					    [VALUE_UNDER] = "value at most"};
	const struct line *l = r->line;
	const bool has_goal = l->goal != GOAL_NONE;
	json_t *row = json_pack("{ss ss ss so so so so so ss}", "name", l->name, "kind", "line", "unit", l->unit,
				"ours", number_or_null(r->ours), "baseline", number_or_null(r->baseline), "ratio",
				number_or_null(ratio_of(r)), "at_least", number_or_null(has_goal ? l->at_least : NAN),
				"aim", number_or_null(has_goal && l->aim > 0 ? l->aim : NAN), "goal", goals[l->goal]);

	if (r->skipped[0] != '\0')
		(void)json_object_set_new(row, "skipped", json_string(r->skipped));
	else if (has_goal)
		(void)json_object_set_new(row, "verdict", json_string(verdict_of(r)));
	return row;
}

bool report_write(const struct report *r, const char *path)
{
	json_t *rows = json_array();
	bool is_written;

	for (size_t i = 0; i < r->count; i++)
		(void)json_array_append_new(rows, row_of(&r->results[i]));
	if (r->details != NULL)
		(void)json_array_extend(rows, r->details);
	errno = ENOMEM;
	is_written = rows != NULL && json_dump_file(rows, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0;
	json_decref(rows);
	return is_written;
}

void report_drop(struct report *r)
{
	json_decref(r->details);
	*r = (struct report){0};
}
