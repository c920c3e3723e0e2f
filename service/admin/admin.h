#ifndef LK_ADMIN_ADMIN_H
#define LK_ADMIN_ADMIN_H

/* The HTTP listener for probes and metrics: GET /livez, /readyz, /metrics, and / which lists them. */

#include "admin/view.h"
#include "base/status.h"

typedef struct admin admin;

struct admin_options {
	const char *url;	  /* http://host:port; port 0: any free one; host *: all addresses */
	uint32_t connections_max; /* the next ones wait until one ends */
	uint32_t timeout_ms;	  /* a connection's whole life: it carries one request */
	struct admin_source source;
};

/* Listens and answers from a thread of its own. INVALID_ARGUMENT (URL), FAILED_PRECONDITION (address in use, not
 * bindable), RESOURCE_EXHAUSTED. */
enum status_code admin_open(const struct admin_options *options, admin **ret, struct status *st) MUST_CHECK;

/* With the real port. */
const char *admin_url(const admin *a);

/* Nulls *a; accepts NULL in it. */
void admin_close(admin **a);

#endif
