/* CLUSTER SLOTS, an array of ranges:
 *
 *   [first slot, last slot, [host, port, id, metadata...] of the primary, the same of each replica...]
 *
 * host is what the operator chose by cluster-preferred-endpoint-type. A node that should be known by a name that it
 * does not have has the host "?", and its IP address is among the metadata (name, value, name, value...). */

#include "redis/map.h"

#include <stdlib.h>

/* Of a range: its bounds stand in front of the nodes. */
#define RANGE_NODES_AT 2
/* Of a node. */
#define NODE_METADATA_AT 3

static const struct store_reply *element(const struct store_reply *r, size_t at)
{
	return r->type == STORE_ARRAY && at < r->count ? r->elements[at] : NULL;
}

static bool is_text(const struct store_reply *r, span text)
{
	return r != NULL && r->type == STORE_STRING && span_eq(r->string, text);
}

static span ip_of_node(const struct store_reply *node)
{
	const struct store_reply *metadata = element(node, NODE_METADATA_AT);

	for (size_t i = 0; metadata != NULL && metadata->type == STORE_ARRAY && i + 1 < metadata->count; i += 2)
		if (is_text(metadata->elements[i], SPAN_LIT("ip")) && metadata->elements[i + 1]->type == STORE_STRING)
			return metadata->elements[i + 1]->string;
	return SPAN_EMPTY;
}

static bool read_node(const struct store_reply *node, const struct address *asked, struct address *ret)
{
	const struct store_reply *host = element(node, 0);
	const struct store_reply *port = element(node, 1);
	span name;

	if (host == NULL || (host->type != STORE_STRING && host->type != STORE_NIL) || port == NULL ||
	    port->type != STORE_INTEGER)
		return false;
	name = host->type == STORE_NIL ? SPAN_EMPTY : host->string;
	if (span_eq(name, SPAN_LIT("?")))
		name = ip_of_node(node);
	return address_make(name.len == 0 ? span_str(asked->host) : name, port->integer, ret);
}

static const char *read_bounds(const struct store_reply *range, struct map_range *ret)
{
	const struct store_reply *first = element(range, 0);
	const struct store_reply *last = element(range, 1);

	if (first == NULL || last == NULL || first->type != STORE_INTEGER || last->type != STORE_INTEGER)
		return "a range without its two bounds";
	if (first->integer < 0 || last->integer < first->integer || last->integer >= SLOTS)
		return "a range out of bounds";
	ret->first = (uint16_t)first->integer;
	ret->last = (uint16_t)last->integer;
	return NULL;
}

static const char *read_range(const struct store_reply *range, const struct address *asked, struct map_range *ret)
{
	const char *wrong = read_bounds(range, ret);

	if (wrong != NULL)
		return wrong;
	if (range->count <= RANGE_NODES_AT || !read_node(range->elements[RANGE_NODES_AT], asked, &ret->primary))
		return "a range without a primary that has a host and a port";
	ret->replica_count = 0;
	for (size_t i = RANGE_NODES_AT + 1; i < range->count && ret->replica_count < MAP_REPLICAS_MAX; i++)
		if (read_node(range->elements[i], asked, &ret->replicas[ret->replica_count]))
			ret->replica_count++;
	return NULL;
}

/* False: one of the range's slots is taken already. */
static bool take_slots(uint64_t taken[static SLOTS / 64], const struct map_range *range)
{
	for (unsigned slot = range->first; slot <= range->last; slot++) {
		uint64_t bit = UINT64_C(1) << slot % 64;

		if ((taken[slot / 64] & bit) != 0)
			return false;
		taken[slot / 64] |= bit;
	}
	return true;
}

static const char *read_ranges(const struct store_reply *reply, const struct address *asked, struct map *m)
{
	uint64_t taken[SLOTS / 64] = {0};

	for (size_t i = 0; i < reply->count; i++) {
		struct map_range *range = &m->ranges[i];
		const char *wrong = read_range(reply->elements[i], asked, range);

		if (wrong != NULL)
			return wrong;
		if (!take_slots(taken, range))
			return "two ranges that overlap";
		m->slots += range->last - range->first + 1U;
	}
	m->range_count = reply->count;
	return NULL;
}

struct map *map_read(const struct store_reply *reply, const struct address *asked, const char **ret_why)
{
	struct map *m = NULL;
	const char *wrong = NULL;

	if (reply->type != STORE_ARRAY)
		wrong = "no array of ranges";
	else if (reply->count > MAP_RANGES_MAX)
		wrong = "more than 8192 ranges";
	else if ((m = calloc(1, sizeof(*m) + reply->count * sizeof(m->ranges[0]))) == NULL)
		wrong = "out of memory";
	else
		wrong = read_ranges(reply, asked, m);
	if (wrong == NULL)
		return m;
	free(m);
	*ret_why = wrong;
	return NULL;
}
