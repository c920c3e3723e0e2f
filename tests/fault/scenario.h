#ifndef LK_FAULT_SCENARIO_H
#define LK_FAULT_SCENARIO_H

#include "fault/stage.h"

/* What must hold. UNBOUNDED: reported only. */
#define UNBOUNDED UINT64_MAX

struct bounds {
	uint64_t lost;
	uint64_t revived;
	uint64_t stale;
	uint64_t failed;
	uint64_t unknown;
	uint64_t gap_ms;
};

struct scenario {
	const char *name;
	const char *title;
	unsigned rounds;
	unsigned rounds_short;
	bool needs_root; /* namespaces or mounts */
	struct stage_options stage;
	/* Under load, for each round: does its harm and undoes it. The stage is settled before and after. */
	void (*fault)(struct stage *s, unsigned round);
	struct bounds bounds;
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* failover.c */
void fault_kill_primary(struct stage *s, unsigned round);
void fault_planned_failover(struct stage *s, unsigned round);
/* freeze.c */
void fault_freeze_primary(struct stage *s, unsigned round);
void fault_freeze_shard(struct stage *s, unsigned round);
/* partition.c */
void fault_partition(struct stage *s, unsigned round);
/* reshard.c */
void fault_move_slots(struct stage *s, unsigned round);
/* restart.c */
void fault_restart_nodes(struct stage *s, unsigned round);
void fault_restart_services(struct stage *s, unsigned round);
/* storage.c */
void fault_down_at_start(struct stage *s, unsigned round);
void fault_out_of_memory(struct stage *s, unsigned round);
void fault_disk_full(struct stage *s, unsigned round);

#endif
