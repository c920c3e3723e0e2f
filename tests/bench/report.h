#ifndef LK_BENCH_REPORT_H
#define LK_BENCH_REPORT_H

#include <jansson.h>

#include "bench/line.h"

/* What came of the lines: a table for people and rows of JSON. */

#define REPORT_LINES_MAX 64
#define WHY_BYTES	 160

struct result {
	const struct line *line;
	double ours;
	double baseline; /* NAN: none */
	/* The ratio's least and greatest of all rounds; NAN: it has none, or there was only one. */
	double ratio_min;
	double ratio_max;
	char skipped[WHY_BYTES]; /* empty: it was measured */
};

struct report {
	struct result results[REPORT_LINES_MAX];
	size_t count;
	json_t *details; /* rows of figures that no line is about; NULL: none yet */
};

/* baseline NAN: there is none. A line that nobody asked for is dropped. */
void report_result(struct report *r, const char *line, double ours, double baseline);
/* The medians of the rounds, which are sorted. */
void report_rounds(struct report *r, const char *line, double *ours, double *baseline, unsigned rounds);
void report_skipped(struct report *r, const char *line, const char *why, ...) __attribute__((format(printf, 3, 4)));

/* Sorts them. */
double bench_median(double *values, unsigned count);

/* A figure behind a line, for the JSON only: "LINE, what". */
void report_detail(struct report *r, const char *line, const char *what, double value);

/* The results so far. */
void report_print(const struct report *r);
/* False, with errno, when the file cannot be written. */
bool report_write(const struct report *r, const char *path);
void report_drop(struct report *r);

#endif
