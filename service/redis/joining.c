#include "redis/joining.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "redis/topology.h"

/* Then it serves all the same: what keeps failing is one command, not the node. */
#define TRIES_MAX 2
/* Longer than the journal's patience with commands that build on another instance's, 1 s, and than what a full journal
 * of 100 k commands takes. */
#define REPLAY_MS 10000U

/* In a cluster its own map must have come, so that all the slots that it took over are known, and say that it answers. */
static bool may_begin_locked(const struct topology *t, const struct node *n)
{
	if (node_term(n) != TERM_JOINING || n->is_joined || n->is_replaying || n->is_replay_due || t->is_closing)
		return false;
	if (t->mode == REDIS_CLUSTER && !n->is_confirmed)
		return false;
	if (t->mode == REDIS_SENTINEL && n->info.role != ROLE_PRIMARY)
		return false;
	return n->breaker.state == BREAKER_CLOSED && !n->is_clusterdown && node_ready_count(n) > 0;
}

void joining_consider_locked(struct node *n)
{
	struct topology *t = n->topology;

	if (!may_begin_locked(t, n))
		return;
	n->is_replay_due = true;
	t->is_replay_due = true;
}

static bool is_wanted(void *owner, uint16_t slot)
{
	struct node *n = owner;

	return topology_owner(n->topology, slot) == n;
}

static void send(void *owner, struct store_op *op)
{
	node_send_direct(owner, op, clock_mono_ms());
}

static uint64_t count_connects(const struct node *n)
{
	struct connection_view view;

	node_look(n, clock_mono_ms(), &view);
	return view.connects;
}

static void on_done(void *owner, size_t carried_out, size_t failed)
{
	struct node *n = owner;
	struct topology *t = n->topology;
	const uint64_t now_ms = clock_mono_ms();

	metric_add(METRIC_REDIS_REPLAYED, carried_out);
	topology_lock(t);
	n->is_replaying = false;
	n->carried_out = carried_out;
	if (node_term(n) == TERM_JOINING && atomic_load(&n->tenure) == n->replay_tenure && node_ready_count(n) > 0) {
		/* What failed because a connection ended says nothing. */
		n->replay_tries += count_connects(n) == n->replay_connects && node_ready_count(n) >= n->replay_ready;
		n->is_joined = failed == 0 || n->replay_tries >= TRIES_MAX;
		if (failed > 0 && n->is_joined) {
			metric_add(METRIC_REDIS_REPLAY_FAILED, failed);
			topology_note_locked(t, &(struct redis_event){
						    .kind = REDIS_EVENT_PROBLEM,
						    .name = "redis_replay_failed",
						    .node = topology_name_of(n),
						    .text = "so many acknowledged commands could not be carried "
							    "out again",
						    .commands = failed,
						});
		}
	}
	topology_judge_locked(t, n, now_ms);
	topology_unlock(t);
}

void joining_begin_locked(struct node *n)
{
	n->is_replay_due = false;
	n->is_replaying = true;
	n->replay_tenure = atomic_load(&n->tenure);
	n->replay_connects = count_connects(n);
	n->replay_ready = node_ready_count(n);
}

void joining_replay(struct node *n)
{
	struct topology *t = n->topology;
	const uint64_t now_ms = clock_mono_ms();
	/* replay_tenure changes with nobody else while is_replaying. */
	const struct journal_replay replay = {
	    .is_wanted = is_wanted,
	    .submit = send,
	    .done = on_done,
	    .owner = n,
	    .origin = {.node = n, .tenure = n->replay_tenure},
	    .deadline_ms = now_ms + REPLAY_MS,
	};

	journal_replay(t->journal, &replay, now_ms);
}
