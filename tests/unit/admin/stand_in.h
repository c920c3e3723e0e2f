#ifndef LK_TESTS_ADMIN_STAND_IN_H
#define LK_TESTS_ADMIN_STAND_IN_H

#include "admin/admin.h"

/* Stands in for the rest of the service: says what the test has put here, from any thread. */
struct stand_in {
	struct admin_view view;
	size_t node_count;
	struct store_node nodes[4];
	const char *realms[4];
	const char *methods[4];
};

/* Ready in all. */
extern const struct stand_in stand_in_well;

struct admin_source stand_in_source(struct stand_in *s);

#endif
