#ifndef LK_REDIS_UPKEEP_H
#define LK_REDIS_UPKEEP_H

#include "redis/node.h"

/* What a node needs every few ms: connections opened and closed as its term asks for, the breaker, probes, listening.
 * Never by two threads at once, no lock held. */
void upkeep_tick(struct node *n, uint64_t now_ms);

#endif
