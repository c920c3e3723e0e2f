#include "fault/scenario.h"
#include "support/wait.h"

/* A quarter of all slots changes its owner under load. The tool that does it is killed half-way, which leaves a slot
 * migrating with some of its keys on either side, and is started again. The next round moves them back. */

#define SLOTS_MOVED 4096
/* Longer than the services' pauses and map refreshes: they meet the half-moved slot in every state. */
#define HALF_WAY_MS 1000
/* Asked once before a slot, then before each of its keys: one has gone, and one is to come. */
#define ASKED_HALF_WAY 3

struct way {
	unsigned moved;
	unsigned asked; /* since that was so */
};

/* Stops in the first slot behind the middle that has keys. */
static bool goes_half_way(void *owner, unsigned slots_moved)
{
	struct way *way = owner;

	way->asked = slots_moved == way->moved ? way->asked + 1 : 1;
	way->moved = slots_moved;
	return slots_moved < SLOTS_MOVED / 2 || way->asked < ASKED_HALF_WAY;
}

void fault_move_slots(struct stage *s, unsigned round)
{
	unsigned first = stage_primary(s, 0), second = stage_primary(s, 1);
	struct way way = {0};
	struct redis_cluster_move move = {
	    .from = round % 2 == 0 ? first : second,
	    .to = round % 2 == 0 ? second : first,
	    .first = 0,
	    .last = SLOTS_MOVED - 1,
	    /* One at a time: most slots are met with some keys here and some there. */
	    .keys_a_batch = 1,
	    .goes_on = goes_half_way,
	    .owner = &way,
	};

	if (redis_cluster_move_slots(&s->cluster, &move))
		stage_wrong(s, "no slot behind the middle had keys: the tool was not killed half-way");
	nap_ms(HALF_WAY_MS);
	move.goes_on = NULL;
	if (!redis_cluster_move_slots(&s->cluster, &move))
		stage_wrong(s, "the slots could not be moved to the end");
}
