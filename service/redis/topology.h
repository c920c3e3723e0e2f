#ifndef LK_REDIS_TOPOLOGY_H
#define LK_REDIS_TOPOLOGY_H

#include <pthread.h>

#include "redis/journal.h"
#include "redis/node.h"
#include "redis/slot.h"
#include "redis/url.h"

/* Which nodes there are, which of them owns which slot, and in what term each is. */

/* A cluster has at most some dozen nodes in practice; each costs some 10 KiB. */
#define NODES_MAX 256

struct cluster;
struct election;
struct router;

/* Told with no lock held, from any thread. */
struct topology_hooks {
	/* Commands that waited may go, or need not wait any more. */
	void (*moved_on)(void *owner);
};

/* What is wrong with a node: a refused greeting, and what it was about. */
#define TOPOLOGY_ERROR_BYTES (GREETING_TEXT_BYTES + 40)

/* An event that is to be told when the lock is let go of. */
struct topology_note {
	struct redis_event event;
	char node[ADDRESS_URL_BYTES];
	char from[ADDRESS_URL_BYTES];
	char error[TOPOLOGY_ERROR_BYTES];
};
/* Those that gather while the lock is held once. */
#define TOPOLOGY_NOTES_MAX 16

struct topology {
	/* Constant after topology_new. */
	const struct redis_options *options;
	enum redis_mode mode;
	bool is_tls;
	uint32_t slot_count; /* SLOTS in a cluster, else 1: all keys are one slot */
	struct connection_hooks connection_hooks;
	struct connection_options connection; /* that nodes start from */
	uint64_t opened_ms;
	journal *journal;
	struct router *router;
	struct topology_hooks hooks;
	struct cluster *cluster;   /* REDIS_CLUSTER */
	struct election *election; /* REDIS_SENTINEL */

	/* Read without a lock. Nodes live until topology_free. */
	_Atomic(struct node *) by_slot[SLOTS];

	pthread_mutex_t lock;
	pthread_cond_t changed; /* whether commands can be sent */
	struct node *nodes[NODES_MAX];
	size_t count;
	uint32_t covered;     /* slots that somebody owns */
	uint64_t orphaned_ms; /* since when that is not all of them */
	bool has_served;
	bool is_pump_due;
	bool is_replay_due;
	bool is_closing;
	struct topology_note notes[TOPOLOGY_NOTES_MAX];
	size_t note_count;
};

struct topology_settings {
	const struct redis_options *options; /* outlive the topology, as all that they point to */
	const struct redis_url *url;
	const char *address; /* of the one node; SENTINEL, CLUSTER: not looked at */
	const char *user;
	const char *password;
	struct router *router;
	void (*finished)(void *owner, struct store_op *op, enum store_outcome outcome, const struct store_reply *reply,
			 uint64_t now_ms); /* owner: the struct node */
	struct topology_hooks hooks;
	journal *journal;
};

/* NULL when memory is out. Nothing is dialed before the first tick. */
struct topology *topology_new(const struct topology_settings *settings) MUST_CHECK;

/* Every few ms, never by two threads at once. */
void topology_tick(struct topology *t, uint64_t now_ms);

/* The slot's owner; NULL: none is known. */
static inline struct node *topology_owner(struct topology *t, uint16_t slot)
{
	return atomic_load_explicit(&t->by_slot[slot], memory_order_acquire);
}

bool topology_wait_ready(struct topology *t, uint32_t timeout_ms);
void topology_get_state(struct topology *t, struct store_state *ret);
size_t topology_nodes(struct topology *t, struct store_node *ret, size_t max);

/* ---- What the router meets ---- */

/* Somebody's command waits for an owner of a slot that has none; or: nobody waits for so long any more. */
bool topology_is_hopeful(struct topology *t, uint64_t now_ms);
/* A node that was held to be silent has answered. */
void topology_answered(struct node *n);
/* Something hangs there: it is asked whether it is well. */
void topology_doubted(struct node *n);
/* CLUSTERDOWN, READONLY and the like. */
void topology_refused(struct node *n, span error, uint64_t now_ms);
/* MOVED: the slot is another's. False: there is no room for that node. */
bool topology_moved(struct node *from, uint16_t slot, const struct address *to, uint64_t now_ms);
/* ASK: the node that a slot is on its way to. NULL: there is no room for it. */
struct node *topology_assistant(struct node *from, const struct address *to, uint64_t now_ms);
/* One that commands can be sent to, whatever their slot. NULL: none. */
struct node *topology_any_serving(struct topology *t);

/* ---- What the parts of the topology do to one another; with the lock held where `_locked` ---- */

void topology_lock(struct topology *t);
/* Also does what has become due: events, replays, waking who waits. */
void topology_unlock(struct topology *t);
/* Copies node, from and error; its other texts are constant. */
void topology_note_locked(struct topology *t, const struct redis_event *event);
/* The node with that address, made if need be. NULL: NODES_MAX are in use. */
struct node *topology_node_locked(struct topology *t, const struct address *address, uint64_t now_ms);
void topology_set_owner_locked(struct topology *t, uint16_t slot, struct node *n);
/* What the node has told in a new connection. No lock held. */
void topology_greeted(struct node *n, const struct greeting_result *greeted);
/* After facts have changed. */
void topology_judge_locked(struct topology *t, struct node *n, uint64_t now_ms);
void topology_judge_all_locked(struct topology *t, uint64_t now_ms);
/* What kind of server the URL takes it for, and it is not: a sentence; NULL: it is one, as far as it tells. */
const char *topology_wrong_kind(const struct topology *t, const struct node *n);
/* Somebody who owns slots is not serving, or slots have no owner. */
bool topology_is_troubled_locked(const struct topology *t);
/* A line for people: host:port or path. */
const char *topology_name_of(const struct node *n);

static inline enum term node_term(const struct node *n)
{
	return atomic_load_explicit(&n->term, memory_order_acquire);
}

/* Ends all connections, and returns when what was in flight has been answered. No tick may be running or follow. */
void topology_end(struct topology *t);
bool topology_is_replaying(struct topology *t);
/* After that. Nulls *t; accepts NULL in it. */
void topology_free(struct topology **t);

#endif
