#ifndef LK_FAULT_STAGE_H
#define LK_FAULT_STAGE_H

#include "fault/checker.h"
#include "fault/load.h"
#include "support/latchkeyd.h"
#include "support/netns.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinels.h"

/* What a scenario plays on: real Redis servers in one of three arrangements, two service instances with one keyring, a
 * client for each, and the load. A node is named by its number in the arrangement. Everything waits for what it asks for
 * and ends the scenario when that does not come. Main thread only. */

enum stage_topology { STAGE_SINGLE, STAGE_SENTINELS, STAGE_CLUSTER };

#define STAGE_INSTANCES LOAD_INSTANCES_MAX
#define STAGE_SHARDS	3
/* How long recovery may take before it counts as not coming. Redis's own full resynchronisation is the longest part. */
#define STAGE_BOUND_MS	 60000
#define STAGE_TEXT_BYTES 240
/* A run appends 100 KiB/s; what is not to be used is taken by a file. */
#define STAGE_DISK_BYTES (64U << 20)

struct stage_options {
	enum stage_topology topology;
	bool is_durable;      /* append-only files */
	bool is_any_instance; /* clients know both instances; else client i only instance i */
	bool has_network;     /* each program on a host of its own: see support/netns.h */
	bool is_pinned;	      /* see load_options */
	bool serves_partly;   /* cluster: shards answer when others are down (cluster-require-full-coverage no) */
	/* Instance B waits for a server's replies as long as callers do, so that late ones reach it; by default, connections
	 * that are silent for 1 s are given up. */
	bool is_b_patient;
	uint32_t call_timeout_ms;
	bool has_small_disk; /* STAGE_SINGLE: its folder is a file system of its own, of STAGE_DISK_BYTES */
	unsigned workers;
	unsigned operations_per_s;
};

struct stage {
	struct stage_options options;
	struct netns net;
	struct redis_server single;
	struct redis_sentinels sentinels;
	struct redis_cluster cluster;
	struct tmpdir dir;
	char keyring[TMPDIR_FILE_BYTES];
	struct latchkeyd services[STAGE_INSTANCES];
	lk_client *clients[STAGE_INSTANCES];
	struct load *load;
	/* For the verdict. */
	struct checker_rules rules;
	char wrong[STAGE_TEXT_BYTES]; /* the first expectation that was not met */
	unsigned wrong_count;
	char note[STAGE_TEXT_BYTES]; /* a figure that no column has */
};

/* Everything runs, the load included, and is well. */
void stage_open(struct stage *s, const struct stage_options *options);

/* Waits until the Redis servers are well, both instances serve, and every worker is answered by each. */
void stage_settle(struct stage *s);

/* SIGTERM: both instances must end well. What a sanitizer has to say of them comes then. */
void stage_stop_services(struct stage *s);

/* Ends what runs and removes it. Accepts a zeroed one. */
void stage_close(struct stage *s);

/* An expectation was not met: the row tells, and the run fails. */
void stage_wrong(struct stage *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stage_note(struct stage *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sentinels and cluster alike. The primary of the shard; Sentinels have one shard. */
unsigned stage_nodes(const struct stage *s);
unsigned stage_primary(struct stage *s, unsigned shard);
void stage_kill(struct stage *s, unsigned node);
void stage_stop(struct stage *s, unsigned node);
void stage_start(struct stage *s, unsigned node);
void stage_freeze(struct stage *s, unsigned node);
void stage_thaw(struct stage *s, unsigned node);
void stage_wait_successor(struct stage *s, unsigned old_primary);
void stage_wait_well(struct stage *s);

/* CLUSTER FAILOVER or SENTINEL FAILOVER. */
void stage_failover(struct stage *s, unsigned shard);

/* -1: a replica now. */
int stage_shard_led_by(struct stage *s, unsigned node);

#endif
