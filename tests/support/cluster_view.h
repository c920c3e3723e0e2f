#ifndef LK_SUPPORT_CLUSTER_VIEW_H
#define LK_SUPPORT_CLUSTER_VIEW_H

#include "support/redis_cluster.h"

/* How one node sees the cluster: its answer to CLUSTER NODES. */

struct cluster_member {
	bool is_known;
	bool is_primary;
	bool is_healthy; /* neither failing nor half known, and the bus connects */
	long long epoch;
	unsigned slots; /* that it owns */
};

struct cluster_view {
	unsigned myself;
	struct cluster_member members[REDIS_CLUSTER_NODES_MAX];
	int8_t owners[REDIS_CLUSTER_SLOTS]; /* node numbers; -1: nobody's */
};

/* False when the node does not answer. Nodes that the test did not start are left out. */
bool cluster_view_get(const struct redis_cluster *c, unsigned node, struct cluster_view *ret);

#endif
