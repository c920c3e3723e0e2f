#ifndef LK_ADMIN_PROBES_H
#define LK_ADMIN_PROBES_H

/* Whether the service lives, and whether it should be sent calls. */

#include <stdio.h>

#include "admin/view.h"

/* The clocks that the service runs by: the callers' side's and that of the connections to Redis. */
#define PULSES 2

struct pulse {
	struct {
		uint64_t ticks;
		uint64_t moved_ms; /* when they were last seen to have gone on; 0: not looked at yet */
	} seen[PULSES];
};

/* True: all go on, as far as can be told. A clock is found to stand still by two looks that are far enough apart. Writes
 * a line that says which stand. */
bool pulse_check(struct pulse *p, const uint64_t ticks[static PULSES], uint64_t now_ms, FILE *out);

/* Readiness: lines of JSON, the verdict first. *ret_degraded: ready, but not whole. */
struct readiness {
	bool is_ready;
	bool is_degraded;
};
struct readiness readiness_of(const struct admin_view *view);
void readiness_write(const struct admin_view *view, FILE *out);

#endif
