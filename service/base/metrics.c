#include "base/metrics.h"

#include <assert.h>
#include <stdatomic.h>

static _Atomic uint64_t values[METRICS];

static const struct {
	const char *name;
	const char *help;
} texts[METRICS] = {
#define X(id, metric_name, metric_help) {metric_name, metric_help},
#include "base/metrics.def"
#undef X
};

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
