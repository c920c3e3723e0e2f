#ifndef LK_SUPPORT_REDIS_SENTINELS_H
#define LK_SUPPORT_REDIS_SENTINELS_H

#include "support/redis_server.h"

/* A primary, its replicas, and the Sentinels that watch them: real servers. Node 0 starts as the primary. Everything
 * waits for what it asks for, and fails the test with the servers' last words when that does not come. A test's main
 * thread only. */

#define REDIS_SENTINEL_NODES_MAX 8
#define REDIS_SENTINELS_MAX	 8
#define REDIS_SENTINEL_NAME	 "mymaster"

/* At a down_after_ms of 1000 or less one failover is sometimes followed by a second, as with Sentinels anywhere: the
 * promotion ends their connections to the new primary, and they connect again after 1 s at the earliest. A test that
 * needs to know the primary later asks redis_sentinels_primary again. */

struct redis_sentinels_options {
	unsigned replicas;	      /* 0: 2 */
	unsigned sentinels;	      /* 0: 3; the quorum is their majority */
	uint32_t down_after_ms;	      /* 0: 1000 */
	uint32_t failover_timeout_ms; /* 0: 5000 */
	const char *user;	      /* of the Redis nodes, as in redis_server_options */
	const char *password;
	const char *sentinel_user;     /* of the Sentinels: an ACL user besides `default`; NULL: none */
	const char *sentinel_password; /* NULL: none */
	const struct certificates
	    *tls; /* clients, replication and Sentinels use TLS; plain ports stay open to observe by */
	bool is_mutual;
	bool appendonly;
	const struct netns_host *hosts[REDIS_SENTINEL_NODES_MAX];     /* where node i runs; NULL: on loopback */
	const struct netns_host *sentinel_hosts[REDIS_SENTINELS_MAX]; /* all or none, together with hosts */
	const char *args[REDIS_ARGS_MAX];			      /* further ones for each Redis node */
};

struct redis_sentinels {
	struct redis_sentinels_options options;
	unsigned count; /* nodes */
	unsigned sentinel_count;
	struct redis_server nodes[REDIS_SENTINEL_NODES_MAX];
	struct redis_server sentinels[REDIS_SENTINELS_MAX];
	/* Each server's own, which it rewrites. */
	char node_files[REDIS_SENTINEL_NODES_MAX][TMPDIR_FILE_BYTES];
	char sentinel_files[REDIS_SENTINELS_MAX][TMPDIR_FILE_BYTES];
	char url[512]; /* redis+sentinel:// or rediss+sentinel://, the nodes' user and password in it */
};

/* options NULL: all defaults. Returns when all is well: see redis_sentinels_are_well. */
void redis_sentinels_open(struct redis_sentinels *s, const struct redis_sentinels_options *options);

/* Kills and removes all. Accepts a zeroed one. */
void redis_sentinels_close(struct redis_sentinels *s);

/* Every Sentinel that runs knows and reaches the other running ones, names the same primary, and sees every running
 * node linked to it. */
bool redis_sentinels_are_well(const struct redis_sentinels *s);
void redis_sentinels_wait_well(const struct redis_sentinels *s);

/* Of nodes[] and of sentinels[]: kill -9; SIGTERM; again; SIGSTOP; SIGCONT. A node comes back as what it was, until the
 * Sentinels make it a replica: as with real ones. */
void redis_sentinels_kill(struct redis_sentinels *s, unsigned node);
void redis_sentinels_stop(struct redis_sentinels *s, unsigned node);
void redis_sentinels_start(struct redis_sentinels *s, unsigned node);
void redis_sentinels_freeze(struct redis_sentinels *s, unsigned node);
void redis_sentinels_thaw(struct redis_sentinels *s, unsigned node);
void redis_sentinels_kill_sentinel(struct redis_sentinels *s, unsigned sentinel);
void redis_sentinels_start_sentinel(struct redis_sentinels *s, unsigned sentinel);
void redis_sentinels_freeze_sentinel(struct redis_sentinels *s, unsigned sentinel);
void redis_sentinels_thaw_sentinel(struct redis_sentinels *s, unsigned sentinel);

/* The node that the live Sentinels name (of two the one with the newer claim) and that calls itself primary; -1: none
 * now. */
int redis_sentinels_primary(const struct redis_sentinels *s);

/* Waits until that is another than the given one and most live Sentinels name it; returns its number. */
unsigned redis_sentinels_wait_successor(const struct redis_sentinels *s, unsigned old_primary);

/* SENTINEL FAILOVER; returns the new primary when most live Sentinels name it. */
unsigned redis_sentinels_failover(struct redis_sentinels *s);

#endif
