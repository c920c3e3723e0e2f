#ifndef LK_REDIS_REPLICA_H
#define LK_REDIS_REPLICA_H

#include "redis/node.h"

/* Reads from replicas, for commands that allow staleness; and how far behind a replica is at most. */
struct replica;

/* Of every node, for whoever is a replica today may be a primary tomorrow. NULL when memory is out. */
struct replica *replica_new(struct node *n) MUST_CHECK;

/* Sends op to a replica of its slot's owner that is known to be no further behind than op and the options allow. False:
 * there is none, and op is the caller's. */
bool replica_submit(struct topology *t, struct store_op *op, uint64_t now_ms) MUST_CHECK;

/* Every few ms, never by two threads at once, no lock held. */
void replica_tick(struct replica *r, uint64_t now_ms);

/* False: not known. */
bool replica_lag(const struct replica *r, uint64_t now_ms, uint64_t *ret_ms);

/* Its own connection, for reads. */
connection *replica_reader(struct replica *r);

void replica_end(struct replica *r);
/* As connection_join. */
void replica_join(struct replica *r);
/* After that. Nulls *r; accepts NULL in it. */
void replica_free(struct replica **r);

#endif
