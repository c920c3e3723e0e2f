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

/* Rounds of a whole run and of a short one; what is done; what must hold; where, and what else there is to say. */
#define SCENARIO(its_name, its_title, all, few, what, limits, ...)                                                     \
	{                                                                                                              \
		.name = its_name, .title = its_title, .rounds = all, .rounds_short = few, .fault = what,               \
		.bounds = limits, __VA_ARGS__                                                                          \
	}
#define ON(place, deadline_ms, ...) .stage = {.topology = STAGE_##place, .call_timeout_ms = deadline_ms, __VA_ARGS__}

const struct scenario scenarios[] = {
    SCENARIO("kill-cluster", "Cluster: primary killed -9", 20, 2, fault_kill_primary, NOTHING_FAILS,
	     ON(CLUSTER, DEADLINE_MS, USUAL_LOAD)),
    SCENARIO("kill-sentinel", "Sentinel: primary killed -9", 20, 2, fault_kill_primary, NOTHING_FAILS,
	     ON(SENTINELS, DEADLINE_MS, USUAL_LOAD)),
    SCENARIO("planned-cluster", "CLUSTER FAILOVER under 2,000 writes/s", 20, 2, fault_planned_failover, NOTHING_FAILS,
	     ON(CLUSTER, DEADLINE_MS, HEAVY_LOAD)),
    SCENARIO("planned-sentinel", "SENTINEL FAILOVER under 2,000 writes/s", 20, 2, fault_planned_failover, NOTHING_FAILS,
	     ON(SENTINELS, DEADLINE_MS, HEAVY_LOAD)),
    SCENARIO("freeze-cluster", "Cluster: primary frozen past the timeout, deadlines 20 s", 10, 1, fault_freeze_primary,
	     NOTHING_FAILS, ON(CLUSTER, LONG_DEADLINE_MS, USUAL_LOAD, .is_b_patient = true)),
    SCENARIO("freeze-sentinel", "Sentinel: primary frozen past the timeout, deadlines 20 s", 10, 1,
	     fault_freeze_primary, NOTHING_FAILS, ON(SENTINELS, LONG_DEADLINE_MS, USUAL_LOAD, .is_b_patient = true)),
    SCENARIO("freeze-shard", "Cluster: one of three shards frozen 5 s (failed, unknown and gap: the other two)", 5, 1,
	     fault_freeze_shard, NOTHING_FAILS, ON(CLUSTER, DEADLINE_MS, USUAL_LOAD, .serves_partly = true)),
    SCENARIO("partition-cluster",
	     "Cluster: a primary and instance A parted from the rest (failed and gap: the majority)", 5, 1,
	     fault_partition, NOTHING_FAILS,
	     ON(CLUSTER, DEADLINE_MS, USUAL_LOAD, .has_network = true, .is_pinned = true), .needs_root = true),
    SCENARIO("partition-sentinel",
	     "Sentinel: the primary and instance A parted from the rest (failed and gap: the majority)", 5, 1,
	     fault_partition, NOTHING_FAILS,
	     ON(SENTINELS, DEADLINE_MS, USUAL_LOAD, .has_network = true, .is_pinned = true), .needs_root = true),
    SCENARIO("reshard", "Cluster: 4,096 slots moved, the tool killed half-way and started again", 4, 1,
	     fault_move_slots, {.gap_ms = DEADLINE_MS}, ON(CLUSTER, DEADLINE_MS, USUAL_LOAD)),
    SCENARIO("restart-cluster", "Cluster: every Redis node restarted in turn, primaries after a failover", 3, 1,
	     fault_restart_nodes, NOTHING_FAILS, ON(CLUSTER, DEADLINE_MS, USUAL_LOAD)),
    SCENARIO("restart-sentinel",
	     "Sentinel: every Redis node and Sentinel restarted in turn, the primary after a failover", 3, 1,
	     fault_restart_nodes, NOTHING_FAILS, ON(SENTINELS, DEADLINE_MS, USUAL_LOAD)),
    SCENARIO("restart-service", "Every service instance restarted in turn (SIGTERM), callers know both", 10, 2,
	     fault_restart_services, {.gap_ms = DEADLINE_MS},
	     ON(SINGLE, DEADLINE_MS, USUAL_LOAD, .is_any_instance = true)),
    SCENARIO("down-at-start", "Redis is down when the services start", 3, 1, fault_down_at_start, NOTHING_LOST,
	     ON(SINGLE, DEADLINE_MS, LIGHT_LOAD, .is_durable = true)),
    SCENARIO("out-of-memory", "Redis reaches maxmemory", 3, 1, fault_out_of_memory, NOTHING_LOST,
	     ON(SINGLE, DEADLINE_MS, LIGHT_LOAD)),
    SCENARIO("disk-full", "The disk of Redis's append-only file is full", 3, 1, fault_disk_full, NOTHING_LOST,
	     ON(SINGLE, DEADLINE_MS, LIGHT_LOAD, .is_durable = true, .has_small_disk = true), .needs_root = true),
};

const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
