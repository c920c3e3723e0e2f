#ifndef LK_BASE_CATALOG_H
#define LK_BASE_CATALOG_H

/* Everything that is told as a metric, from the tables that it is counted by: metrics.def, realm_metrics.def and
 * families.def. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

enum family {
#define X(id, type, name, labels, help) FAMILY_##id,
#include "base/families.def"
#undef X
	FAMILIES
};

struct catalog_row {
	const char *name;
	const char *type;   /* "counter", "gauge", "histogram" */
	const char *labels; /* with commas between them; "" none */
	const char *help;
};

/* NULL beyond the last. */
const struct catalog_row *catalog_at(size_t i);

const struct catalog_row *catalog_family(enum family f);

/* docs/metrics.md: a table of all rows. False: out cannot be written. */
bool catalog_print(FILE *out) MUST_CHECK;

#endif
