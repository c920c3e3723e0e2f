#ifndef LK_RPC_REGISTRY_H
#define LK_RPC_REGISTRY_H

/* The connections alive, each in a slot, and beside them the moment at which each next has a call run out of time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;

typedef struct registry registry;

#define REGISTRY_NEVER UINT64_MAX

/* NULL when memory is out. */
registry *registry_new(uint32_t capacity) __attribute__((warn_unused_result));
/* Nulls *r; accepts NULL in it. It must be empty. */
void registry_free(registry **r);

/* False when full. The registry holds no reference: a connection removes itself before its last one goes. */
bool registry_add(registry *r, struct connection *c, size_t *ret_slot) __attribute__((warn_unused_result));
void registry_remove(registry *r, size_t slot);

/* The connection's own business, under its lock. */
void registry_set_due(registry *r, size_t slot, uint64_t due_ms);
uint64_t registry_due(const registry *r, size_t slot);

/* Calls visit for each connection that is due at or before now_ms (UINT64_MAX: for each there is), a reference held and
 * no lock. */
void registry_visit_due(registry *r, uint64_t now_ms, void (*visit)(struct connection *c, void *arg), void *arg);

/* False: connections were left when timeout_ms had passed. */
bool registry_wait_empty(registry *r, uint32_t timeout_ms);

#endif
