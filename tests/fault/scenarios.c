#include "fault/scenario.h"

/* Deadlines of callers where no call may fail: four failovers long. A gap as long as that would have failed calls. */
#define DEADLINE_MS 10000
/* Longer than a frozen primary is frozen: its late answers find their callers still waiting. */
#define LONG_DEADLINE_MS 20000

#define USUAL_LOAD .workers = 16, .operations_per_s = 600
/* 71 of 100 operations are writes: 2,000 writes a second. */
#define HEAVY_LOAD .workers = 48, .operations_per_s = 2800
#define LIGHT_LOAD .workers = 8, .operations_per_s = 160

/* Nothing is lost, nobody comes back, no call fails. While a primary takes over, a read may be of the moment before. */
#define NOTHING_FAILS                                                                                                  \
	{                                                                                                              \
		.stale = UNBOUNDED, .gap_ms = DEADLINE_MS                                                              \
	}
/* The fault itself makes calls fail; promises are kept all the same. */
#define NOTHING_LOST                                                                                                   \
	{                                                                                                              \
		.failed = UNBOUNDED, .unknown = UNBOUNDED, .gap_ms = UNBOUNDED                                         \
	}

const struct scenario scenarios[] = {
    {
	.name = "kill-cluster",
	.title = "Cluster: primary killed -9",
	.rounds = 20,
	.rounds_short = 2,
	.stage = {.topology = STAGE_CLUSTER, .call_timeout_ms = DEADLINE_MS, USUAL_LOAD},
	.fault = fault_kill_primary,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "kill-sentinel",
	.title = "Sentinel: primary killed -9",
	.rounds = 20,
	.rounds_short = 2,
	.stage = {.topology = STAGE_SENTINELS, .call_timeout_ms = DEADLINE_MS, USUAL_LOAD},
	.fault = fault_kill_primary,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "planned-cluster",
	.title = "CLUSTER FAILOVER under 2,000 writes/s",
	.rounds = 20,
	.rounds_short = 2,
	.stage = {.topology = STAGE_CLUSTER, .call_timeout_ms = DEADLINE_MS, HEAVY_LOAD},
	.fault = fault_planned_failover,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "planned-sentinel",
	.title = "SENTINEL FAILOVER under 2,000 writes/s",
	.rounds = 20,
	.rounds_short = 2,
	.stage = {.topology = STAGE_SENTINELS, .call_timeout_ms = DEADLINE_MS, HEAVY_LOAD},
	.fault = fault_planned_failover,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "freeze-cluster",
	.title = "Cluster: primary frozen past the timeout, deadlines 20 s",
	.rounds = 10,
	.rounds_short = 1,
	.stage = {.topology = STAGE_CLUSTER, .is_b_patient = true, .call_timeout_ms = LONG_DEADLINE_MS, USUAL_LOAD},
	.fault = fault_freeze_primary,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "freeze-sentinel",
	.title = "Sentinel: primary frozen past the timeout, deadlines 20 s",
	.rounds = 10,
	.rounds_short = 1,
	.stage = {.topology = STAGE_SENTINELS, .is_b_patient = true, .call_timeout_ms = LONG_DEADLINE_MS, USUAL_LOAD},
	.fault = fault_freeze_primary,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "freeze-shard",
	.title = "Cluster: one of three shards frozen 5 s (failed, unknown and gap: the other two)",
	.rounds = 5,
	.rounds_short = 1,
	.stage = {.topology = STAGE_CLUSTER, .serves_partly = true, .call_timeout_ms = DEADLINE_MS, USUAL_LOAD},
	.fault = fault_freeze_shard,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "partition-cluster",
	.title = "Cluster: a primary and instance A parted from the rest (failed and gap: the majority)",
	.rounds = 5,
	.rounds_short = 1,
	.needs_root = true,
	.stage = {.topology = STAGE_CLUSTER,
		  .has_network = true,
		  .is_pinned = true,
		  .call_timeout_ms = DEADLINE_MS,
		  USUAL_LOAD},
	.fault = fault_partition,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "partition-sentinel",
	.title = "Sentinel: the primary and instance A parted from the rest (failed and gap: the majority)",
	.rounds = 5,
	.rounds_short = 1,
	.needs_root = true,
	.stage = {.topology = STAGE_SENTINELS,
		  .has_network = true,
		  .is_pinned = true,
		  .call_timeout_ms = DEADLINE_MS,
		  USUAL_LOAD},
	.fault = fault_partition,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "reshard",
	.title = "Cluster: 4,096 slots moved, the tool killed half-way and started again",
	.rounds = 4,
	.rounds_short = 1,
	.stage = {.topology = STAGE_CLUSTER, .call_timeout_ms = DEADLINE_MS, USUAL_LOAD},
	.fault = fault_move_slots,
	.bounds = {.gap_ms = DEADLINE_MS},
    },
    {
	.name = "restart-cluster",
	.title = "Cluster: every Redis node restarted in turn, primaries after a failover",
	.rounds = 3,
	.rounds_short = 1,
	.stage = {.topology = STAGE_CLUSTER, .call_timeout_ms = DEADLINE_MS, USUAL_LOAD},
	.fault = fault_restart_nodes,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "restart-sentinel",
	.title = "Sentinel: every Redis node and Sentinel restarted in turn, the primary after a failover",
	.rounds = 3,
	.rounds_short = 1,
	.stage = {.topology = STAGE_SENTINELS, .call_timeout_ms = DEADLINE_MS, USUAL_LOAD},
	.fault = fault_restart_nodes,
	.bounds = NOTHING_FAILS,
    },
    {
	.name = "restart-service",
	.title = "Every service instance restarted in turn (SIGTERM), callers know both",
	.rounds = 10,
	.rounds_short = 2,
	.stage = {.topology = STAGE_SINGLE, .is_any_instance = true, .call_timeout_ms = DEADLINE_MS, USUAL_LOAD},
	.fault = fault_restart_services,
	.bounds = {.gap_ms = DEADLINE_MS},
    },
    {
	.name = "down-at-start",
	.title = "Redis is down when the services start",
	.rounds = 3,
	.rounds_short = 1,
	.stage = {.topology = STAGE_SINGLE, .is_durable = true, .call_timeout_ms = DEADLINE_MS, LIGHT_LOAD},
	.fault = fault_down_at_start,
	.bounds = NOTHING_LOST,
    },
    {
	.name = "out-of-memory",
	.title = "Redis reaches maxmemory",
	.rounds = 3,
	.rounds_short = 1,
	.stage = {.topology = STAGE_SINGLE, .call_timeout_ms = DEADLINE_MS, LIGHT_LOAD},
	.fault = fault_out_of_memory,
	.bounds = NOTHING_LOST,
    },
    {
	.name = "disk-full",
	.title = "The disk of Redis's append-only file is full",
	.rounds = 3,
	.rounds_short = 1,
	.needs_root = true,
	.stage = {.topology = STAGE_SINGLE,
		  .is_durable = true,
		  .has_small_disk = true,
		  .call_timeout_ms = DEADLINE_MS,
		  LIGHT_LOAD},
	.fault = fault_disk_full,
	.bounds = NOTHING_LOST,
    },
};

const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
