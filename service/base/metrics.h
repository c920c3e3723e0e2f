#ifndef LK_BASE_METRICS_H
#define LK_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

enum metric {
#define X(id, name, help) METRIC_##id,
#include "base/metrics.def"
#undef X
	METRICS
};

/* Counted for each realm. */
enum realm_metric {
#define X(id, name, help) REALM_METRIC_##id,
#include "base/realm_metrics.def"
#undef X
	REALM_METRICS
};

/* As many realms as there can be. */
#define METRIC_REALMS_MAX 1024

/* The counters are one of the program's two globals. Thread-safe, relaxed. */
void metric_add(enum metric m, uint64_t n);
uint64_t metric_get(enum metric m);

const char *metric_name(enum metric m);
const char *metric_help(enum metric m);

/* realm: its place in the configuration. */
void realm_metric_add(enum realm_metric m, size_t realm, uint64_t n);
uint64_t realm_metric_get(enum realm_metric m, size_t realm);
const char *realm_metric_name(enum realm_metric m);
const char *realm_metric_help(enum realm_metric m);

#endif
