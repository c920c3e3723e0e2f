#ifndef LK_REDIS_NODE_H
#define LK_REDIS_NODE_H

#include <stdatomic.h>

#include "redis/address.h"
#include "redis/breaker.h"
#include "redis/connection.h"
#include "redis/subscription.h"
#include "redis/term.h"

/* One Redis server: its address, its connections, and what is known of it. */

#define NODE_CONNECTIONS_MAX 16

/* As many as a map tells. */
#define NODE_REPLICAS_MAX 5

/* Of its connections: none; one, to be asked over; no new ones; all; all, and soon, for commands wait. */
enum node_want { NODE_CLOSED, NODE_INQUIRED, NODE_DRAINED, NODE_OPEN, NODE_URGENT };

struct lane;
struct replica;
struct topology;

struct node {
	/* Constant. */
	struct topology *topology;
	uint32_t count;
	connection *connections[NODE_CONNECTIONS_MAX];
	struct lane *lane;	 /* for what waits until replicas have it */
	struct replica *replica; /* for reads while it is one. NULL: replicas are not asked */

	/* Read without a lock, written with the topology's held. */
	_Atomic(enum term) term;
	atomic_uint tenure;
	atomic_uint_fast64_t settled_ms;   /* from then on what is missing is not there */
	atomic_uint_fast64_t took_over_ms; /* when its term began, if one before it is known of; else 0 */
	atomic_bool is_silent;		   /* the breaker is not closed */

	_Atomic(struct node *) replicas[NODE_REPLICAS_MAX]; /* that may be asked in its place */

	/* The waiting list's. */
	uint32_t waiting;

	/* The rest is guarded by the topology's lock. Text that the options point to changes only while nothing is open. */
	struct address address; /* host empty: none, a socket's path */
	char url[ADDRESS_URL_BYTES];
	struct connection_options options;

	struct info info; /* as last told */
	uint64_t told_ms; /* when */
	uint32_t slots;
	struct node *heir;	  /* that took a slot from it last */
	struct node *predecessor; /* from which it took one last */
	struct node *primary;	  /* whose replica it is said to be, or will be; */
	uint64_t replica_ms;	  /* when a map or a Sentinel said so last */
	bool is_seed;
	uint64_t seen_ms; /* when some map, Sentinel or redirection named it last */

	struct breaker breaker;
	enum node_want want; /* as of the last tick */
	uint64_t answers;    /* that the breaker knows of */
	bool is_another_run;
	bool is_clusterdown;
	bool is_confirmed; /* cluster: by its own map, since it is joining */
	bool is_joined;
	bool is_replay_due;
	bool is_replaying;
	uint32_t replay_tenure;
	uint32_t replay_tries;
	uint64_t replay_connects; /* of all connections, when the replay began, */
	uint32_t replay_ready;	  /* and how many were ready then */
	size_t carried_out;	  /* by the last replay */
	bool wants_role;	  /* to be asked for it */
	uint64_t gone_ms;	  /* since when it is not serving; 0: it never was */
	uint64_t left_ms;	  /* since when it is leaving */
	uint64_t inquire_ms;	  /* until then one connection is kept although it owns nothing */
	uint64_t assist_ms;	  /* until then all are: slots are on their way to it */
	uint64_t asked_ms;	  /* for its map, last */
	uint64_t dropped_ms;	  /* its connections, on account of READONLY */

	struct node_probe {
		struct store_op op;
		bool is_role; /* else it only is to answer */
		bool is_busy;
		uint64_t sent_ms;
	} probe;

	subscription *subscription; /* the tick's, */
	bool is_hanging_up;	    /* as is this */
	atomic_bool is_elsewhere;   /* it may lead to another server than the connections */
};

struct node_settings {
	struct topology *topology;
	const struct connection_options *connection; /* address is not looked at; the strings outlive the node */
	uint32_t connections;
	uint32_t breaker_ms;
	bool has_replicas; /* that are to be asked */
};

/* NULL when memory is out. */
struct node *node_new(const struct node_settings *settings) MUST_CHECK;

/* Only while all connections are settled. */
void node_set_url(struct node *n, const char *url);

enum node_verdict { NODE_SENT, NODE_NOT_READY, NODE_FULL };

/* Sends op in this term. When SENT, its end is told later, perhaps before this returns; else op is still the caller's. */
enum node_verdict node_send(struct node *n, struct store_op *op, uint32_t tenure, uint64_t now_ms) MUST_CHECK;

/* Sends an operation of the store's own, whatever the term; `done` is called in any case. */
void node_send_direct(struct node *n, struct store_op *op, uint64_t now_ms);

/* Every few ms, never by two threads at once. */
void node_tick(struct node *n, enum node_want want, uint64_t now_ms);

uint32_t node_ready_count(const struct node *n);
uint32_t node_retry_after_ms(const struct node *n, uint64_t now_ms);

/* As connection_last_failure, of the first that has failed. */
bool node_last_failure(const struct node *n, struct connection_failure *ret);

/* Ends the connections that are open, the lane's and the subscription's too; they are dialed anew. */
void node_drop(struct node *n);
/* The same, but spares the one that is just being greeted. */
void node_leave_former_run(struct node *n);

/* All connections together. */
void node_look(const struct node *n, uint64_t now_ms, struct connection_view *ret);

/* Ends all connections for good. No tick may be running or follow. */
void node_end(struct node *n);
/* As connection_join, and listens no more. */
void node_join(struct node *n);
/* After that. Nulls *n; accepts NULL in it. */
void node_free(struct node **n);

#endif
