#ifndef LK_REDIS_ROUTER_H
#define LK_REDIS_ROUTER_H

#include "redis/topology.h"
#include "redis/waiting.h"

/* The way of a command: to its slot's owner, after redirections, again when that is safe, and to its end. */
struct router {
	const struct redis_options *options;
	struct topology *topology;
	bool is_cluster;
	atomic_bool is_closing;
	struct waiting waiting;
	/* What may be sent again now; the tick adds to it. */
	atomic_int resends_left;
	uint64_t allowed_ms;	/* the tick's: when that was last set, */
	uint64_t commands_then; /* and how many commands had been sent */
};

/* topology may be set later, before anything is submitted. */
void router_init(struct router *r, const struct redis_options *options, bool is_cluster);

void router_submit(struct router *r, struct store_op *op);

/* A connection's word; owner: the struct node. */
void router_finished(void *owner, struct store_op *op, enum store_outcome outcome, const struct store_reply *reply,
		     uint64_t now_ms);
/* The same for one that was replied to and waited for replicas after that. */
void router_replicated(struct node *n, struct store_op *op, const struct store_reply *reply, uint64_t replied_ms,
		       uint32_t replicas);

/* Whether what op was told may be acknowledged: its node is the slot's primary still, in the same term. */
bool router_is_current(struct router *r, const struct store_op *op);

/* Sends what waited and may go. */
void router_pump(struct router *r);
/* Every few ms. */
void router_tick(struct router *r, uint64_t now_ms);

/* Answers what waits; from now on nothing waits or is sent again. */
void router_end(struct router *r);
void router_destroy(struct router *r);

#endif
