#include "bench/report.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIGURE_BYTES 24

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

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
	/* That is in place of the first bound; the aim stays what it is. */
	const bool has_other_way = bound == r->line->at_least && r->line->or_ours > 0;

	const double figure = is_of_ratio(r->line) ? ratio_of(r) : r->ours;

	if (has_other_way && r->ours >= r->line->or_ours)
		return true;
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
	r->results[r->count] =
	    (struct result){.line = line, .ours = NAN, .baseline = NAN, .ratio_min = NAN, .ratio_max = NAN};
	return &r->results[r->count++];
}

static void note(struct result *result, double ours, double baseline)
{
	result->ours = ours;
	result->baseline = baseline;
	(void)fprintf(stderr, "latchkey-bench: %s: %.4g %s\n", result->line->name, ours, result->line->unit);
}

void report_result(struct report *r, const char *line, double ours, double baseline)
{
	struct result *result = add(r, line);

	if (result != NULL)
		note(result, ours, baseline);
}

void report_rounds(struct report *r, const char *line, double *ours, double *baseline, unsigned rounds)
{
	struct result *result = add(r, line);

	if (result == NULL)
		return;
	for (unsigned i = 0; i < rounds && rounds > 1; i++) {
		result->ratio_min = fmin(result->ratio_min, ours[i] / baseline[i]);
		result->ratio_max = fmax(result->ratio_max, ours[i] / baseline[i]);
	}
	note(result, bench_median(ours, rounds), bench_median(baseline, rounds));
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

static const char *spread(const struct result *r, char out[static FIGURE_BYTES])
{
	if (!isfinite(r->ratio_min))
		return "-";
	(void)snprintf(out, FIGURE_BYTES, "%.2f-%.2f", r->ratio_min, r->ratio_max);
	return out;
}

static void print_result(const struct result *r)
{
	char ours[FIGURE_BYTES], baseline[FIGURE_BYTES], ratio[FIGURE_BYTES], rounds[FIGURE_BYTES];
	char at_least[FIGURE_BYTES], aim[FIGURE_BYTES];
	const struct line *l = r->line;

	if (r->skipped[0] != '\0')
		(void)printf("%-24s skipped: %s\n", l->name, r->skipped);
	else
		(void)printf("%-24s %9s %-8s %9s %7s %12s %10s %10s  %s\n", l->name, figure(r->ours, ours), l->unit,
			     figure(r->baseline, baseline), figure(ratio_of(r), ratio), spread(r, rounds),
			     bound(l, l->at_least, at_least), bound(l, l->aim, aim), verdict_of(r));
}

void report_print(const struct report *r)
{
	(void)printf("%-24s %9s %-8s %9s %7s %12s %10s %10s\n", "line", "ours", "", "baseline", "ratio", "of rounds",
		     "must be", "aim");
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

	(void)json_object_set_new(row, "ratio_min", number_or_null(r->ratio_min));
	(void)json_object_set_new(row, "ratio_max", number_or_null(r->ratio_max));
	if (l->or_ours > 0)
		(void)json_object_set_new(row, "or_ours", json_real(l->or_ours));
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
