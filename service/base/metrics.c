#include "base/metrics.h"

/* Every call counts half a dozen things, from several threads at once: each thread has its own copy of the counters, as
 * far as they go round, so that they do not take cache lines from one another. */

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/copies.h"

struct copy {
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t values[METRICS];
};

static struct copy copies[COPIES];

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
	atomic_fetch_add_explicit(&copies[copy_of_thread()].values[m], n, memory_order_relaxed);
}

uint64_t metric_get(enum metric m)
{
	uint64_t sum = 0;

	assert(m < METRICS);
	for (size_t i = 0; i < COPIES; i++)
		sum += atomic_load_explicit(&copies[i].values[m], memory_order_relaxed);
	return sum;
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
