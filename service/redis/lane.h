#ifndef LK_REDIS_LANE_H
#define LK_REDIS_LANE_H

#include "redis/node.h"

/* A connection for writes that are to wait until replicas have them. WAIT blocks the connection that it is sent on, so
 * these have one of their own; and it covers all that was sent there before, so many share one WAIT. */
struct lane;

/* NULL when memory is out. Nothing is dialed before something was submitted. */
struct lane *lane_new(struct node *n) MUST_CHECK;

/* As node_send. NODE_NOT_READY also the first time: it is dialed then. */
enum node_verdict lane_submit(struct lane *l, struct store_op *op, uint32_t tenure, uint64_t now_ms) MUST_CHECK;

/* Every few ms, never by two threads at once. */
void lane_tick(struct lane *l, enum node_want want, uint64_t now_ms);

/* Ends the connection that is open; it is dialed anew when it is wanted. */
void lane_drop(struct lane *l);

/* Ends the connection for good, and gives back what has not been sent. */
void lane_end(struct lane *l);
/* As connection_join. */
void lane_join(struct lane *l);
/* After that. Nulls *l; accepts NULL in it. */
void lane_free(struct lane **l);

#endif
