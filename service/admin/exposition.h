#ifndef LK_ADMIN_EXPOSITION_H
#define LK_ADMIN_EXPOSITION_H

#include <stdio.h>

#include "admin/view.h"
#include "base/status.h"

/* Everything in base/catalog.h in Prometheus's text format, version 0.0.4. False: no memory for the list of nodes. */
bool exposition_write(const struct admin_source *source, FILE *out) MUST_CHECK;

#endif
