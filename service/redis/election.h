#ifndef LK_REDIS_ELECTION_H
#define LK_REDIS_ELECTION_H

#include "redis/topology.h"

/* Which node is the primary, by what the Sentinels say and the nodes say of themselves. */

/* NULL when memory is out. */
struct election *election_new(struct topology *t, const struct redis_url *url) MUST_CHECK;

/* Every few ms, never by two threads at once, no lock held. */
void election_tick(struct election *e, uint64_t now_ms);

/* The node has told its role. */
void election_told_locked(struct election *e, struct node *n, uint64_t now_ms);

/* Whether some Sentinel has named the node recently enough, if it is the primary. */
bool election_confirms_locked(const struct election *e, const struct node *n, uint64_t now_ms);

/* The Sentinels, for people. Fills at most max; returns how many there are. */
size_t election_members(struct election *e, struct store_node *ret, size_t max);

/* Asks nobody any more, and hears of nothing. No lock held, no tick may be running or follow. */
void election_end(struct election *e);
/* After that. Nulls *e; accepts NULL in it. */
void election_free(struct election **e);

#endif
