#ifndef LK_REDIS_NODE_H
#define LK_REDIS_NODE_H

#include "redis/connection.h"

/* One Redis server: its address and a few connections to it. */
typedef struct node node;

#define NODE_CONNECTIONS_MAX 16

/* What connection_options points to (address, user, password) is copied, and wiped at the end; tls is borrowed: the
 * caller's reference outlives the node. NULL when memory is out. */
node *node_new(const struct connection_options *options, uint32_t connections) MUST_CHECK;

/* As store_submit, for a command whose deadline has not passed. */
void node_submit(node *n, struct store_op *op, uint64_t now_ms);

/* Every few ms, never by two threads at once. */
void node_tick(node *n, uint64_t now_ms);

/* Whether one connection at least can send. ret_version is set in any case: the version last seen, or empty. */
bool node_is_ready(node *n, char ret_version[static REDIS_VERSION_BYTES]);

/* Ends all connections and frees. No tick may be running or follow. Nulls *n; accepts NULL in it. */
void node_free(node **n);

#endif
