#include "fault/scenario.h"
#include "support/wait.h"

/* A primary stands still and moves on later, as under a stuck disk, a swapping host or a paused virtual machine: what was
 * sent to it before is carried out then, by a server that does not know yet that it was replaced. */

/* Beyond the moment in which everybody knows the successor. */
#define FROZEN_ON_MS	500
#define SHARD_FROZEN_MS 5000
#define FROZEN_SHARD	0

void fault_freeze_primary(struct stage *s, unsigned round)
{
	unsigned primary = stage_primary(s, round % STAGE_SHARDS);

	stage_freeze(s, primary);
	stage_wait_successor(s, primary);
	nap_ms(FROZEN_ON_MS);
	stage_thaw(s, primary);
}

static bool is_of_other_shard(void *owner, const struct history_entry *entry)
{
	(void)owner;
	return entry->slot == HISTORY_NO_SLOT || history_shard_of_slot(entry->slot, STAGE_SHARDS) != FROZEN_SHARD;
}

/* Always the same shard: the others are judged over all rounds. */
void fault_freeze_shard(struct stage *s, unsigned round)
{
	unsigned primary;

	(void)round;
	s->rules.is_judged = is_of_other_shard;
	primary = stage_primary(s, FROZEN_SHARD);
	stage_freeze(s, primary);
	nap_ms(SHARD_FROZEN_MS);
	stage_thaw(s, primary);
}
