#ifndef LK_REDIS_MAP_H
#define LK_REDIS_MAP_H

#include "redis/address.h"
#include "redis/slot.h"
#include "store/store.h"

/* A cluster's slot map as one node told it. Immutable once read. */

/* More than the 1000 nodes that Redis recommends at most, each with several ranges after a resharding. */
#define MAP_RANGES_MAX 8192
/* The next ones of a primary are left out: they are only asked where staleness is allowed. */
#define MAP_REPLICAS_MAX 5

struct map_range {
	uint16_t first;
	uint16_t last;
	struct address primary;
	size_t replica_count;
	struct address replicas[MAP_REPLICAS_MAX];
};

struct map {
	uint32_t slots; /* that some range covers */
	size_t range_count;
	struct map_range ranges[];
};

/* Reads the reply to CLUSTER SLOTS. asked: the node that answered, which stands where it gives no host for itself. NULL:
 * no such reply, a range out of bounds or of none, two ranges that overlap, no memory; *ret_why says what. An empty map
 * is a map. The caller frees with free(). */
struct map *map_read(const struct store_reply *reply, const struct address *asked, const char **ret_why)
    __attribute__((warn_unused_result));

#endif
