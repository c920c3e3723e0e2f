#ifndef LK_BASE_METRICS_H
#define LK_BASE_METRICS_H

#include <stdint.h>

enum metric {
#define X(id, name, help) METRIC_##id,
#include "base/metrics.def"
#undef X
	METRICS
};

/* The counters are one of the program's two globals. Thread-safe, relaxed. */
void metric_add(enum metric m, uint64_t n);
uint64_t metric_get(enum metric m);

const char *metric_name(enum metric m);
const char *metric_help(enum metric m);

#endif
