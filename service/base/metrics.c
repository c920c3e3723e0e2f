#include "base/metrics.h"

#include <assert.h>
#include <stdatomic.h>

static _Atomic uint64_t values[METRICS];

/* 80 KiB, of which only the pages of realms in use are ever backed by memory. */
static _Atomic uint64_t realm_values[METRIC_REALMS_MAX][REALM_METRICS];

struct text {
	const char *name;
	const char *help;
};

#define X(id, metric_name, metric_help) {metric_name, metric_help},
static const struct text texts[METRICS] = {
#include "base/metrics.def"
};
static const struct text realm_texts[REALM_METRICS] = {
#include "base/realm_metrics.def"
};
#undef X

void metric_add(enum metric m, uint64_t n)
{
	assert(m < METRICS);
	atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

uint64_t metric_get(enum metric m)
{
	assert(m < METRICS);
	return atomic_load_explicit(&values[m], memory_order_relaxed);
}

const char *metric_name(enum metric m)
{
	assert(m < METRICS);
	return texts[m].name;
}

const char *metric_help(enum metric m)
{
	assert(m < METRICS);
	return texts[m].help;
}

void realm_metric_add(enum realm_metric m, size_t realm, uint64_t n)
{
	assert(m < REALM_METRICS && realm < METRIC_REALMS_MAX);
	atomic_fetch_add_explicit(&realm_values[realm][m], n, memory_order_relaxed);
}

uint64_t realm_metric_get(enum realm_metric m, size_t realm)
{
	assert(m < REALM_METRICS && realm < METRIC_REALMS_MAX);
	return atomic_load_explicit(&realm_values[realm][m], memory_order_relaxed);
}

const char *realm_metric_name(enum realm_metric m)
{
	assert(m < REALM_METRICS);
	return realm_texts[m].name;
}

const char *realm_metric_help(enum realm_metric m)
{
	assert(m < REALM_METRICS);
	return realm_texts[m].help;
}
