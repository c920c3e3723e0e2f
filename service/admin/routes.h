#ifndef LK_ADMIN_ROUTES_H
#define LK_ADMIN_ROUTES_H

/* What there is to be asked for, and the answers. Knows nothing of sockets or HTTP's bytes. One thread. */

#include "admin/probes.h"
#include "base/status.h"

struct routes {
	struct admin_source source;
	struct pulse pulse;
};

struct page {
	unsigned status; /* HTTP's */
	const char *type;
	char *text; /* whoever asked frees it */
	size_t len;
};

/* False: no memory. */
bool routes_answer(struct routes *r, const char *method, const char *path, struct page *ret) MUST_CHECK;

#endif
