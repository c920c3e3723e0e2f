#ifndef LK_REDIS_CLUSTER_H
#define LK_REDIS_CLUSTER_H

#include "redis/topology.h"

/* Asks a cluster's nodes for its slot map, and judges what they say. */

/* The URL's seeds become nodes. NULL when memory is out. */
struct cluster *cluster_new(struct topology *t, const struct redis_url *url) MUST_CHECK;

/* Every few ms, never by two threads at once, no lock held. */
void cluster_tick(struct cluster *c, uint64_t now_ms);

/* Something is not as the map says: it is asked for soon. */
void cluster_hurry_locked(struct cluster *c, uint64_t now_ms);

/* `from` has said that the slot is `to`'s. */
void cluster_moved_locked(struct cluster *c, struct node *from, uint16_t slot, struct node *to, uint64_t now_ms);

/* Every operation of it has been answered. Nulls *c; accepts NULL in it. */
void cluster_free(struct cluster **c);

#endif
