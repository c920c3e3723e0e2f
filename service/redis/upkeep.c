#include "redis/upkeep.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "redis/election.h"
#include "redis/lane.h"
#include "redis/op.h"
#include "redis/replica.h"
#include "redis/topology.h"

/* A node in question is asked for its role so often: a failover shows in it at once. */
#define ROLE_EVERY_MS 100U

/* ---- Connections ---- */

/* How often a node is dialed that cannot be reached: redis/backoff.h's pauses, up to 2 s; and no more than 200 ms where
 * commands wait for it, which is a primary of slots until it is DOWN, or a node that slots are on their way to. A seed or
 * an idle node is only wanted for what it knows, which others know as well. */
static enum node_want want_of_locked(const struct node *n, uint64_t now_ms)
{
	switch (node_term(n)) {
	case TERM_JOINING:
	case TERM_SERVING:
	case TERM_SUSPECT:
		return NODE_URGENT;
	case TERM_DOWN:
		return NODE_OPEN;
	default:
		break;
	}
	if (now_ms < n->assist_ms)
		return NODE_URGENT;
	if (now_ms < n->inquire_ms)
		return NODE_INQUIRED;
	return node_term(n) == TERM_LEAVING ? NODE_DRAINED : NODE_CLOSED;
}

/* ---- Listening ---- */

static void on_message(void *owner, span channel, span payload)
{
	const struct node *n = owner;
	const struct redis_options *o = n->topology->options;

	(void)channel;
	o->heard(o->heard_owner, (uintptr_t)n, payload);
}

static void tell_missed(const struct node *n)
{
	const struct redis_options *o = n->topology->options;

	if (o->missed != NULL)
		o->missed(o->heard_owner);
}

/* Also at the very first time: others may have announced something before. */
static void on_hearing(void *owner)
{
	tell_missed(owner);
}

static void on_deaf(void *owner, const char *why, const char *remedy)
{
	const struct node *n = owner;
	const struct redis_events *events = &n->topology->options->events;
	static const char meaning[] = "what other instances announce (channel " STORE_CHANNEL ") is not heard";

	tell_missed(n);
	if (events->report == NULL)
		return;
	events->report(events->owner, &(struct redis_event){
					  .kind = REDIS_EVENT_PROBLEM,
					  .name = "redis_deaf",
					  .node = topology_name_of(n),
					  .error = why,
					  .text = remedy == NULL ? meaning : remedy,
				      });
}

/* In steps, for the tick waits for nobody. */
static void hang_up(struct node *n)
{
	if (n->subscription == NULL)
		return;
	if (!n->is_hanging_up)
		subscription_end(n->subscription);
	n->is_hanging_up = !subscription_has_ended(n->subscription);
	if (!n->is_hanging_up)
		subscription_free(&n->subscription);
}

static void tend_listening(struct node *n, uint64_t now_ms)
{
	const struct topology *t = n->topology;

	const bool is_elsewhere = atomic_exchange(&n->is_elsewhere, false);

	if (node_term(n) == TERM_IDLE || n->is_hanging_up || is_elsewhere || t->options->heard == NULL) {
		hang_up(n);
		return;
	}
	if (n->subscription == NULL)
		n->subscription = subscription_new(&(struct subscription_options){
		    .url = n->url,
		    .tls = t->connection.tls,
		    .greeting = t->connection.greeting,
		    .channels = {STORE_CHANNEL},
		    .connect_timeout_ms = t->connection.connect_timeout_ms,
		    .message = on_message,
		    .began = on_hearing,
		    .ended = on_deaf,
		    .owner = n,
		});
	if (n->subscription != NULL)
		subscription_tick(n->subscription, now_ms);
}

/* ---- Breaker ---- */

static void tend_breaker_locked(struct topology *t, struct node *n, uint64_t now_ms)
{
	struct connection_view view;

	node_look(n, now_ms, &view);
	if (view.answers != n->answers)
		(void)breaker_answered(&n->breaker);
	n->answers = view.answers;
	if (breaker_waited(&n->breaker, view.oldest_ms, now_ms) && n->breaker.openings == 1) {
		metric_add(METRIC_REDIS_BREAKER_OPENED, 1);
		topology_note_locked(t, &(struct redis_event){
					    .kind = REDIS_EVENT_PROBLEM,
					    .name = "redis_breaker_opened",
					    .node = topology_name_of(n),
					    .error = "no answer",
					    .commands = view.in_flight,
					    .took_ms = t->options->breaker_ms,
					});
	}
}

/* ---- Probes ---- */

static void probe_done(struct store_op *op, const struct store_result *result)
{
	struct node *n = op->node;
	struct topology *t = n->topology;
	const uint64_t now_ms = clock_mono_ms();

	topology_lock(t);
	n->probe.is_busy = false;
	if (result->outcome == STORE_REPLIED || result->outcome == STORE_REFUSED)
		(void)breaker_answered(&n->breaker);
	if (n->probe.is_role && result->outcome == STORE_REPLIED && result->reply->type == STORE_STRING) {
		info_read(result->reply->string, &n->info);
		n->told_ms = now_ms;
		n->wants_role = false;
	}
	topology_judge_locked(t, n, now_ms);
	if (t->election != NULL)
		election_told_locked(t->election, n, now_ms);
	topology_unlock(t);
}

/* Whoever may have become a primary, or ceased to be one, is asked. */
static bool is_role_due_locked(const struct node *n, uint64_t now_ms)
{
	const enum term term = node_term(n);
	const bool is_doubtful =
	    (term == TERM_JOINING || term == TERM_SUSPECT || term == TERM_DOWN) && n->info.role == ROLE_REPLICA;

	return (n->wants_role || is_doubtful) && now_ms >= n->probe.sent_ms + ROLE_EVERY_MS;
}

static bool is_probe_due_locked(struct node *n, uint64_t now_ms)
{
	struct node_probe *p = &n->probe;
	const bool is_role_due = is_role_due_locked(n, now_ms);

	/* One that hangs in a silent connection ends with that. */
	if (p->is_busy || node_ready_count(n) == 0)
		return false;
	if (!breaker_wants_probe(&n->breaker, now_ms) && !is_role_due)
		return false;
	p->is_busy = true;
	p->is_role = is_role_due;
	p->sent_ms = now_ms;
	return true;
}

static void send_probe(struct node *n, uint64_t now_ms)
{
	struct node_probe *p = &n->probe;

	p->op = (struct store_op){.done = probe_done, .deadline_ms = UINT64_MAX};
	if (p->is_role) {
		p->op.command.argv[p->op.command.argc++] = SPAN_LIT("INFO");
		p->op.command.argv[p->op.command.argc++] = SPAN_LIT("replication");
	} else {
		p->op.command.argv[p->op.command.argc++] = SPAN_LIT("PING");
	}
	node_send_direct(n, &p->op, now_ms);
}

void upkeep_tick(struct node *n, uint64_t now_ms)
{
	struct topology *t = n->topology;
	enum node_want want;
	bool is_probe_due;

	topology_lock(t);
	want = want_of_locked(n, now_ms);
	n->want = want;
	topology_unlock(t);
	node_tick(n, want, now_ms);
	lane_tick(n->lane, want, now_ms);
	if (n->replica != NULL)
		replica_tick(n->replica, now_ms);
	tend_listening(n, now_ms);

	topology_lock(t);
	tend_breaker_locked(t, n, now_ms);
	topology_judge_locked(t, n, now_ms);
	is_probe_due = is_probe_due_locked(n, now_ms);
	topology_unlock(t);
	if (is_probe_due)
		send_probe(n, now_ms);
}
