#include "fault/scenario.h"
#include "support/wait.h"

/* The primary, instance A and A's callers are cut off from everything else, which elects another primary and goes on
 * through B. Callers stay on their side. What both sides acknowledge must be there when they meet again; that one side
 * does not know at once what the other has revoked, no store can prevent. */

/* Several times what both sides need to learn of it: 1 s node timeout or down-after, 5 s unconfirmed_ms. */
#define PARTED_MS 8000
#define MINORITY  0 /* instance A */

static const struct netns_host *host_of(const struct stage *s, unsigned node)
{
	return &s->net.hosts[node];
}

static bool is_of_majority(void *owner, const struct history_entry *entry)
{
	(void)owner;
	return entry->instance != MINORITY && !entry->is_abroad;
}

void fault_partition(struct stage *s, unsigned round)
{
	const struct netns_host *service = s->services[MINORITY].options.host;
	unsigned primary = stage_primary(s, round % STAGE_SHARDS);
	struct checker_parting *parting = &s->rules.partings[s->rules.parting_count++];

	assert_true(s->rules.parting_count <= CHECKER_PARTINGS_MAX);
	s->rules.is_judged = is_of_majority;
	parting->cut_us = load_now_us();
	netns_part(host_of(s, primary));
	netns_part(service);
	stage_wait_successor(s, primary);
	nap_ms(PARTED_MS);
	netns_heal(host_of(s, primary));
	netns_heal(service);
	parting->healed_us = load_now_us();
	stage_settle(s);
	parting->settled_us = load_now_us();
}
