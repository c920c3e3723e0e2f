/* Judging a node: from what is known of it to its term, and what a change of term brings about. */

#include <assert.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "redis/cluster.h"
#include "redis/election.h"
#include "redis/joining.h"
#include "redis/topology.h"

/* One that does not tell is taken for what URL or map say; with Sentinels nobody is a primary who does not say so
 * himself. A replica is of no use: reading a session slides it, which is a write. */
static bool has_right_role(const struct topology *t, const struct node *n)
{
	if (t->mode == REDIS_SENTINEL)
		return n->info.role == ROLE_PRIMARY;
	return n->info.role != ROLE_REPLICA;
}

const char *topology_wrong_kind(const struct topology *t, const struct node *n)
{
	if (n->info.kind == KIND_SENTINEL)
		return "it is a Sentinel: redis.url must be redis+sentinel://host,.../name";
	if (t->mode == REDIS_CLUSTER && n->info.kind == KIND_STANDALONE)
		return "it is in no cluster: redis.url must be redis://host";
	if (t->mode != REDIS_CLUSTER && n->info.kind == KIND_CLUSTER)
		return "it is in a cluster: redis.url must be redis+cluster://host,...";
	return NULL;
}

static bool is_well_locked(const struct topology *t, const struct node *n, uint64_t now_ms)
{
	if (topology_wrong_kind(t, n) != NULL || !has_right_role(t, n) || n->is_clusterdown ||
	    n->breaker.state != BREAKER_CLOSED || node_ready_count(n) == 0)
		return false;
	return t->election == NULL || election_confirms_locked(t->election, n, now_ms);
}

static bool is_overdue_locked(const struct topology *t, const struct node *n, uint64_t now_ms)
{
	struct connection_view view;

	if (n->gone_ms != 0)
		return now_ms >= n->gone_ms + t->options->failover_wait_ms;
	/* It never served, nor is it the successor of one that did. */
	if (node_ready_count(n) > 0)
		return topology_wrong_kind(t, n) != NULL || !has_right_role(t, n);
	node_look(n, now_ms, &view);
	return view.failures > 0;
}

static struct term_facts facts_of_locked(const struct topology *t, const struct node *n, uint64_t now_ms)
{
	struct term_facts facts = {
	    .owns = n->slots > 0,
	    .is_well = n->slots > 0 && is_well_locked(t, n, now_ms),
	    .is_another_run = n->is_another_run,
	    .is_joined = n->is_joined,
	    .is_forgotten = now_ms >= n->left_ms + t->options->replay_window_ms,
	};

	facts.is_overdue = !facts.is_well && is_overdue_locked(t, n, now_ms);
	return facts;
}

static void join_locked(struct topology *t, struct node *n, enum term from, uint64_t now_ms)
{
	/* Before any reply of the new run is looked at, and before the journal is: see store_keep. */
	atomic_fetch_add(&n->tenure, 1);
	n->is_another_run = false;
	n->is_joined = false;
	n->is_confirmed = false;
	n->replay_tries = 0;
	/* What it lacked in an earlier term is no matter of this one. */
	if (from == TERM_SERVING || ((from == TERM_IDLE || from == TERM_LEAVING || n->gone_ms == 0) && t->has_served))
		n->gone_ms = now_ms;
	if (t->cluster != NULL)
		cluster_hurry_locked(t->cluster, now_ms);
}

/* What a lone server's first term lacks nobody else had acknowledged a moment ago: there was no other primary. */
static bool is_settled_at_once(const struct topology *t, const struct node *n)
{
	return n->gone_ms == 0 && t->mode != REDIS_CLUSTER && t->mode != REDIS_SENTINEL;
}

/* A new node that slots are moved to one by one is no successor. */
static bool has_taken_over(const struct node *n)
{
	return n->predecessor != NULL && n->predecessor->slots == 0;
}

static void tell_of_service_locked(struct topology *t, struct node *n, enum term from, uint64_t now_ms)
{
	const uint32_t slots = n->slots * (SLOTS / t->slot_count);

	struct redis_event event = {
	    .kind = REDIS_EVENT_NEWS,
	    .name = "redis_primary_found",
	    .node = topology_name_of(n),
	    .slots = slots,
	    .took_ms = n->gone_ms == 0 ? 0 : now_ms - n->gone_ms,
	};

	if (from != TERM_JOINING) {
		event.kind = REDIS_EVENT_RECOVERY;
		event.name = "redis_primary_back";
	} else if (has_taken_over(n)) {
		event.name = "redis_primary_changed";
		event.from = topology_name_of(n->predecessor);
		event.commands = n->carried_out;
	} else if (n->gone_ms != 0) {
		event.name = "redis_primary_restarted";
		event.commands = n->carried_out;
	}
	topology_note_locked(t, &event);
}

static void serve_locked(struct topology *t, struct node *n, enum term from, uint64_t now_ms)
{
	tell_of_service_locked(t, n, from, now_ms);
	if (from == TERM_JOINING) {
		atomic_store(&n->settled_ms, is_settled_at_once(t, n) ? 0 : now_ms + t->options->replay_window_ms);
		if (has_taken_over(n))
			metric_add(METRIC_REDIS_FAILOVERS, 1);
	}
	n->predecessor = NULL;
	n->gone_ms = 0;
	t->has_served = true;
	t->is_pump_due = true;
	pthread_cond_broadcast(&t->changed);
}

static const char *judgement_of_locked(const struct topology *t, const struct node *n, uint64_t now_ms)
{
	if (node_ready_count(n) == 0)
		return "no connection";
	if (n->breaker.state != BREAKER_CLOSED)
		return "it does not answer";
	if (n->is_clusterdown)
		return "the cluster is down";
	if (topology_wrong_kind(t, n) != NULL)
		return topology_wrong_kind(t, n);
	if (n->info.role == ROLE_REPLICA)
		return "it is a replica";
	if (!has_right_role(t, n))
		return "it does not tell its role: give redis.user +info";
	if (t->election != NULL && !election_confirms_locked(t->election, n, now_ms))
		return "no Sentinel has confirmed it for too long";
	return "it is not well";
}

static void note_trouble_locked(struct topology *t, const struct node *n, const char *name, uint64_t now_ms)
{
	struct connection_failure failure = {.remedy = NULL};
	struct redis_event event = {
	    .kind = REDIS_EVENT_PROBLEM,
	    .name = name,
	    .node = topology_name_of(n),
	    .slots = n->slots * (SLOTS / t->slot_count),
	};

	event.error = judgement_of_locked(t, n, now_ms);
	if (node_ready_count(n) == 0 && node_last_failure(n, &failure)) {
		event.error = failure.error;
		event.text = failure.remedy;
	}
	topology_note_locked(t, &event);
}

static void suspect_locked(struct topology *t, struct node *n, uint64_t now_ms)
{
	n->gone_ms = now_ms;
	/* When the service ends, its connections do. */
	if (!t->is_closing)
		note_trouble_locked(t, n, "redis_primary_lost", now_ms);
	if (t->cluster != NULL)
		cluster_hurry_locked(t->cluster, now_ms);
}

static void enter_locked(struct topology *t, struct node *n, enum term from, enum term to, uint64_t now_ms)
{
	if (to == TERM_JOINING)
		join_locked(t, n, from, now_ms);
	/* Before it is sent anything. One that was found when nothing served yet took over from nobody. */
	if (to == TERM_JOINING || (to == TERM_SERVING && from == TERM_JOINING))
		atomic_store(&n->took_over_ms, n->gone_ms == 0 ? 0 : now_ms);
	/* Whoever reads the term has read the tenure before. */
	atomic_store(&n->term, to);
	switch (to) {
	case TERM_SERVING:
		serve_locked(t, n, from, now_ms);
		break;
	case TERM_SUSPECT:
		suspect_locked(t, n, now_ms);
		break;
	case TERM_DOWN:
		note_trouble_locked(t, n, "redis_primary_down", now_ms);
		t->is_pump_due = true;
		break;
	case TERM_LEAVING:
		n->left_ms = now_ms;
		t->is_pump_due = true;
		break;
	default:
		break;
	}
}

void topology_judge_locked(struct topology *t, struct node *n, uint64_t now_ms)
{
	/* A step may make the next one due; none leads back to where it came from. */
	for (unsigned step = 0; step < TERMS; step++) {
		const struct term_facts facts = facts_of_locked(t, n, now_ms);
		const enum term from = node_term(n);
		const enum term to = term_next(from, &facts);

		if (to == from)
			break;
		enter_locked(t, n, from, to, now_ms);
	}
	atomic_store_explicit(&n->is_silent, n->breaker.state != BREAKER_CLOSED, memory_order_relaxed);
	joining_consider_locked(n);
}

void topology_judge_all_locked(struct topology *t, uint64_t now_ms)
{
	for (size_t i = 0; i < t->count; i++)
		topology_judge_locked(t, t->nodes[i], now_ms);
}
