#include "base/catalog.h"

#include <assert.h>

#define TYPE_COUNTER   "counter"
#define TYPE_GAUGE     "gauge"
#define TYPE_HISTOGRAM "histogram"

static const struct catalog_row rows[] = {
#define X(id, name, help) {name, TYPE_COUNTER, "", help},
#include "base/metrics.def"
#undef X
#define X(id, name, help) {name, TYPE_COUNTER, "realm", help},
#include "base/realm_metrics.def"
#undef X
#define X(id, type, name, labels, help) {name, TYPE_##type, labels, help},
#include "base/families.def"
#undef X
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

const struct catalog_row *catalog_at(size_t i)
{
	return i < ROWS ? &rows[i] : NULL;
}

const struct catalog_row *catalog_family(enum family f)
{
	assert(f < FAMILIES);
	return &rows[ROWS - FAMILIES + f];
}

static const char preface[] = "# Metrics\n\n"
			      "All that `GET /metrics` of the admin listener tells, in Prometheus's text format 0.0.4; "
			      "`latchkeyd --print-metrics` prints this page.\n"
			      "Counters begin at 0 with each start. A realm, a method or a code that was not met yet "
			      "has no series. `realm` and `key` are bounded by the configuration and\n"
			      "the keyring, `method` and `code` by the table of methods and gRPC's codes, `node` by "
			      "300 servers; nothing a caller sends makes a label.\n\n"
			      "| name | type | labels | meaning |\n| --- | --- | --- | --- |\n";

bool catalog_print(FILE *out)
{
	(void)fputs(preface, out);
	for (size_t i = 0; i < ROWS; i++)
		(void)fprintf(out, "| `%s` | %s | %s | %s |\n", rows[i].name, rows[i].type, rows[i].labels,
			      rows[i].help);
	return fflush(out) == 0 && ferror(out) == 0;
}
