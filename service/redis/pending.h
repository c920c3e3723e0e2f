#ifndef LK_REDIS_PENDING_H
#define LK_REDIS_PENDING_H

#include "store/store.h"

/* Commands that must be carried out sooner or later, though Redis takes no writes now: tried again and again. Thread-safe;
 * nothing is called with its lock held. */
struct pending;

/* As many as revocations are remembered: see store_pend. Each is a few hundred bytes. */
#define PENDING_MAX 65536U

/* NULL when memory is out. Not to be ticked before the store can be used. */
struct pending *pending_new(const struct store *store) __attribute__((warn_unused_result));

/* Copies. False: no memory, or PENDING_MAX are there; counted. */
bool pending_add(struct pending *p, const struct store_command *redo, uint64_t lifetime_ms, uint64_t now_ms);

size_t pending_count(struct pending *p);

/* Every few ms, never by two threads at once. */
void pending_tick(struct pending *p, uint64_t now_ms);

/* All that was submitted has been answered. Nulls *p; accepts NULL in it. */
void pending_free(struct pending **p);

#endif
