/* What the lanes counted, put together. */

#include "bench_result.h"

#include <stdlib.h>

#include "bench_worker.h"

static bool make_histograms(struct bench_result *result)
{
	result->all = calloc(1, sizeof(*result->all));
	result->corrected = calloc(1, sizeof(*result->corrected));
	for (size_t k = 0; k < BENCH_MIXED; k++) {
		result->latency[k] = calloc(1, sizeof(*result->latency[k]));
		if (result->latency[k] == NULL)
			return false;
	}
	return result->all != NULL && result->corrected != NULL;
}

static void add_tally(struct bench_result *result, const struct bench_tally *tally)
{
	for (size_t k = 0; k < BENCH_MIXED; k++) {
		result->in_time[k] += atomic_load(&tally->in_time[k]);
		if (tally->latency[k] != NULL)
			histogram_merge(result->latency[k], tally->latency[k]);
	}
}

/* What a closed loop's caller expects to wait until its next call: what it mostly does. */
static void correct(struct bench_result *result)
{
	const uint64_t interval = histogram_at(result->all, 0.5);

	if (interval > 0)
		histogram_correct(result->corrected, result->all, interval);
}

struct bench_result *bench_load_result(struct bench_load *load)
{
	struct bench_result *result = calloc(1, sizeof(*result));
	const uint64_t until_ns = atomic_load(&load->until_ns);

	if (result == NULL || !make_histograms(result)) {
		bench_result_free(&result);
		return NULL;
	}
	if (until_ns > load->from_ns)
		result->seconds = (double)(until_ns - load->from_ns) / 1e9;
	for (size_t t = 0; t < BENCH_TALLIES; t++)
		add_tally(result, &load->tallies[t]);
	for (size_t k = 0; k < BENCH_MIXED; k++)
		histogram_merge(result->all, result->latency[k]);
	for (size_t i = 0; i < BENCH_ERRORS; i++) {
		result->errors[i] = atomic_load(&load->errors[i]);
		result->failed += result->errors[i];
	}
	result->not_started = load->not_started;
	correct(result);
	return result;
}

void bench_result_free(struct bench_result **result)
{
	struct bench_result *own = *result;

	*result = NULL;
	if (own == NULL)
		return;
	for (size_t k = 0; k < BENCH_MIXED; k++)
		free(own->latency[k]);
	free(own->all);
	free(own->corrected);
	free(own);
}
