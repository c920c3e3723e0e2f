/* What a server says of itself, as results: one block each, as in result.c. Nothing in them is secret. */

#include <assert.h>
#include <stdlib.h>

#include "blob.h"
#include "result.h"

struct lk_info {
	const char *version;
	uint32_t protocol;
	const char *instance;
	uint64_t started_at_ms;
	const char *store_mode;
	bool store_ready;
	const char *store_version;
	bool draining;
	size_t realm_count;
	const char **realms;
};

struct counter {
	const char *name;
	uint64_t value;
	const char *help;
};

struct lk_stats {
	size_t count;
	struct counter *counters;
};

static void fill_info(struct blob *blob, const Latchkey__V1__ServerInfoResponse *from, struct lk_info *to)
{
	const char **realms = blob_room(blob, from->n_realms * sizeof(*realms));

	to->version = blob_text(blob, from->version);
	to->protocol = from->protocol;
	to->instance = blob_text(blob, from->instance);
	to->started_at_ms = from->started_at_ms;
	to->store_mode = blob_text(blob, from->store_mode);
	to->store_ready = from->store_ready;
	to->store_version = blob_text(blob, from->store_version);
	to->draining = from->draining;
	to->realm_count = from->n_realms;
	to->realms = realms;
	for (size_t i = 0; i < from->n_realms; i++) {
		const char *realm = blob_text(blob, from->realms[i]);

		if (realms != NULL)
			realms[i] = realm;
	}
}

lk_info *info_new(const Latchkey__V1__ServerInfoResponse *response)
{
	struct lk_info dummy = {0};
	struct blob blob = {0};
	struct lk_info *info;

	(void)blob_room(&blob, sizeof(*info));
	fill_info(&blob, response, &dummy);
	blob = (struct blob){.start = calloc(1, blob.used)};
	info = blob_room(&blob, sizeof(*info));
	if (info != NULL)
		fill_info(&blob, response, info);
	return info;
}

static void fill_stats(struct blob *blob, const Latchkey__V1__ServerStatsResponse *from, struct lk_stats *to)
{
	struct counter *counters = blob_room(blob, from->n_counters * sizeof(*counters));

	to->count = from->n_counters;
	to->counters = counters;
	for (size_t i = 0; i < from->n_counters; i++) {
		const Latchkey__V1__Counter *counter = from->counters[i];
		const char *name = blob_text(blob, counter->name);
		const char *help = blob_text(blob, counter->help);

		if (counters != NULL)
			counters[i] = (struct counter){name, counter->value, help};
	}
}

lk_stats *stats_new(const Latchkey__V1__ServerStatsResponse *response)
{
	struct lk_stats dummy = {0};
	struct blob blob = {0};
	struct lk_stats *stats;

	(void)blob_room(&blob, sizeof(*stats));
	fill_stats(&blob, response, &dummy);
	blob = (struct blob){.start = calloc(1, blob.used)};
	stats = blob_room(&blob, sizeof(*stats));
	if (stats != NULL)
		fill_stats(&blob, response, stats);
	return stats;
}

void lk_info_free(lk_info **info)
{
	free(*info);
	*info = NULL;
}

void lk_stats_free(lk_stats **stats)
{
	free(*stats);
	*stats = NULL;
}

const char *lk_info_version(const lk_info *info)
{
	return info->version;
}

uint32_t lk_info_protocol(const lk_info *info)
{
	return info->protocol;
}

const char *lk_info_instance(const lk_info *info)
{
	return info->instance;
}

uint64_t lk_info_started_at_ms(const lk_info *info)
{
	return info->started_at_ms;
}

const char *lk_info_store_mode(const lk_info *info)
{
	return info->store_mode;
}

bool lk_info_store_ready(const lk_info *info)
{
	return info->store_ready;
}

const char *lk_info_store_version(const lk_info *info)
{
	return info->store_version;
}

bool lk_info_draining(const lk_info *info)
{
	return info->draining;
}

size_t lk_info_realm_count(const lk_info *info)
{
	return info->realm_count;
}

const char *lk_info_realm(const lk_info *info, size_t index)
{
	return index < info->realm_count ? info->realms[index] : NULL;
}

size_t lk_stats_count(const lk_stats *stats)
{
	return stats->count;
}

const char *lk_stats_name(const lk_stats *stats, size_t index)
{
	return index < stats->count ? stats->counters[index].name : NULL;
}

uint64_t lk_stats_value(const lk_stats *stats, size_t index)
{
	return index < stats->count ? stats->counters[index].value : 0;
}

const char *lk_stats_help(const lk_stats *stats, size_t index)
{
	return index < stats->count ? stats->counters[index].help : NULL;
}
