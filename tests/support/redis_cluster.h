#ifndef LK_SUPPORT_REDIS_CLUSTER_H
#define LK_SUPPORT_REDIS_CLUSTER_H

#include "support/redis_server.h"
#include "support/relay.h"

/* A Redis Cluster of real servers. Nodes are named by number: 0..shards-1 start as primaries of shard 0, 1, ...; node
 * shards + s is the first replica of shard s, and so on round. Everything waits for what it asks for, and fails the test
 * with the servers' last words when that does not come. A test's main thread only. */

#define REDIS_CLUSTER_NODES_MAX 16
#define REDIS_CLUSTER_SLOTS	16384

struct redis_cluster_options {
	unsigned shards;	  /* 0: 3 */
	unsigned replicas;	  /* of each shard; 0: 1 */
	bool has_no_replicas;	  /* none at all */
	uint32_t node_timeout_ms; /* 0: 1000 */
	const char *user;	  /* as in redis_server_options, the strings must live as long */
	const char *password;
	const struct certificates
	    *tls; /* clients, bus and replication use TLS; a plain port stays open to observe by */
	bool is_mutual;
	bool appendonly;
	bool
	    has_relays; /* clients are led through a relay before each node: relays[]. Replication goes through it too */
	const struct netns_host *hosts[REDIS_CLUSTER_NODES_MAX]; /* where node i runs; NULL: on loopback. All or none */
	const char *args[REDIS_ARGS_MAX];			 /* further ones for each server */
};

struct redis_cluster {
	struct redis_cluster_options options;
	unsigned shards;
	unsigned count; /* nodes */
	struct redis_server nodes[REDIS_CLUSTER_NODES_MAX];
	struct relay *relays[REDIS_CLUSTER_NODES_MAX]; /* NULL: none */
	char ids[REDIS_CLUSTER_NODES_MAX][41];
	char announced[REDIS_CLUSTER_NODES_MAX][8]; /* the port that clients are told */
	char bus[REDIS_CLUSTER_NODES_MAX][8];	    /* the port of the cluster bus */
	char node_timeout[16];
	char url[512]; /* redis+cluster:// or rediss+cluster://, user and password in it, every node a seed */
};

/* options NULL: all defaults. Returns when all is well: see redis_cluster_is_well. */
void redis_cluster_open(struct redis_cluster *c, const struct redis_cluster_options *options);

/* Kills and removes all. Accepts a zeroed one. */
void redis_cluster_close(struct redis_cluster *c);

/* Every node that runs says that the cluster's state is ok, knows each slot's one owner and sees no running node failing;
 * running replicas are linked to their primaries and named in CLUSTER SLOTS. */
bool redis_cluster_is_well(const struct redis_cluster *c);
void redis_cluster_wait_well(const struct redis_cluster *c);

/* kill -9; SIGTERM; again, until it answers commands that need no cluster; SIGSTOP; SIGCONT. */
void redis_cluster_kill(struct redis_cluster *c, unsigned node);
void redis_cluster_stop(struct redis_cluster *c, unsigned node);
void redis_cluster_start(struct redis_cluster *c, unsigned node);
void redis_cluster_freeze(struct redis_cluster *c, unsigned node);
void redis_cluster_thaw(struct redis_cluster *c, unsigned node);

/* The running node that calls itself primary of it; of two that do the one with the newer claim. -1: none now. A frozen
 * node is not asked. */
int redis_cluster_primary_of_slot(const struct redis_cluster *c, unsigned slot);
int redis_cluster_primary_of_shard(const struct redis_cluster *c, unsigned shard);

/* The shard a node belonged to at the start: failovers keep it. */
unsigned redis_cluster_shard_of(const struct redis_cluster *c, unsigned node);

/* Waits until another node than the given one is primary of the shard and every live node knows it; returns its number. */
unsigned redis_cluster_wait_successor(const struct redis_cluster *c, unsigned old_primary);

/* CLUSTER FAILOVER on a linked replica of the shard; returns the new primary when every live node knows it. */
unsigned redis_cluster_failover(struct redis_cluster *c, unsigned shard);

unsigned redis_cluster_slot_of_key(const struct redis_cluster *c, const char *key);

/* The first slot that the node owns; -1: none. */
int redis_cluster_first_slot(const struct redis_cluster *c, unsigned node);

struct redis_cluster_move {
	unsigned from; /* nodes, primaries both */
	unsigned to;
	unsigned first; /* slots, both included */
	unsigned last;
	unsigned keys_a_batch; /* 0: 16 */

	/* Asked before each slot and before each batch of keys; false: stop here, as a killed tool would, leaving a slot
	 * half-way. NULL: never. */
	bool (*goes_on)(void *owner, unsigned slots_moved);
	void *owner;
};

/* Slots with their keys, one by one, as redis-cli does it. False when it was stopped. Called again with the same
 * arguments it ends what was left half-way. Slots that are neither node's fail the test. */
bool redis_cluster_move_slots(struct redis_cluster *c, const struct redis_cluster_move *move);

/* One command to the primary of the key's slot, followed by nothing; the caller frees. An error reply fails the test. */
redisReply *redis_cluster_command(const struct redis_cluster *c, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
