#include "fault/scenario.h"

/* The primary ends without a word, or is replaced on purpose. */

void fault_kill_primary(struct stage *s, unsigned round)
{
	unsigned primary = stage_primary(s, round % STAGE_SHARDS);

	stage_kill(s, primary);
	stage_wait_successor(s, primary);
	/* Empty, as it keeps no files: it must come back as a replica, not as the primary that it was. */
	stage_start(s, primary);
}

void fault_planned_failover(struct stage *s, unsigned round)
{
	stage_failover(s, round % STAGE_SHARDS);
}
