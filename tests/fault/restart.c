#include "fault/scenario.h"

/* An upgrade: everything is restarted in turn, each thing when the one before is well again, a primary only after it has
 * handed over. */

static void restart_node(struct stage *s, unsigned node)
{
	int shard = stage_shard_led_by(s, node);

	if (shard >= 0)
		stage_failover(s, (unsigned)shard);
	stage_wait_well(s);
	stage_stop(s, node);
	stage_start(s, node);
	stage_settle(s);
}

static void restart_sentinel(struct stage *s, unsigned sentinel)
{
	redis_sentinels_kill_sentinel(&s->sentinels, sentinel);
	redis_sentinels_start_sentinel(&s->sentinels, sentinel);
	stage_settle(s);
}

void fault_restart_nodes(struct stage *s, unsigned round)
{
	(void)round;
	for (unsigned i = 0; i < stage_nodes(s); i++)
		restart_node(s, i);
	for (unsigned i = 0; i < s->sentinels.sentinel_count; i++)
		restart_sentinel(s, i);
}

void fault_restart_services(struct stage *s, unsigned round)
{
	(void)round;
	for (unsigned i = 0; i < STAGE_INSTANCES; i++) {
		latchkeyd_stop(&s->services[i]);
		latchkeyd_start_serving(&s->services[i]);
		stage_settle(s);
	}
}
