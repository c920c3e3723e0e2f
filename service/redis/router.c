/* The way of a command.
 *
 *            +--> owner SERVING ------------> sent --> reply --------------------> done
 *   submit --+                                 |        +-- MOVED, ASK ----------> sent to that node
 *            +--> JOINING, SUSPECT --> waits --+        +-- TRYAGAIN and the like -> waits a moment
 *            |                    (redis/waiting.h)     +-- read, and late --------> sent again
 *            +--> DOWN --> UNAVAILABLE         |
 *                                              +-- connection ended -------------> waits a moment, if a second run
 *                                                                                  does no harm; else LOST
 *
 * Late. A reply that took longer than late_ms, or whose node is not the slot's primary any more, or is in another term,
 * may tell of what a failover has undone. A read is asked again; a write's reply is flagged, and its submitter must make
 * sure (see store_keep).
 *
 * Settling. What must not meet a primary that took over a moment ago (settling_ms) waits for that time, each time that it
 * is routed, whether it was sent before or not.
 *
 * Amplification. A command follows at most REDIRECTS_MAX redirections, and is sent again SENDS_MAX - 1 times after it got
 * lost. All that is sent again, for whatever reason, is bounded by a fifth of what is sent at all, in the long run: a
 * store in trouble does not get more, but less.
 *
 * Once a write has been sent and its reply lost, nothing but a reply to a later run can tell its outcome: any other end
 * is told as LOST. */

#include "redis/router.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "redis/lane.h"
#include "redis/op.h"
#include "redis/replica.h"
#include "redis/verdict.h"
#include "wire/link.h"

#define REDIRECTS_MAX 5
#define SENDS_MAX     3
/* Late reads harm nobody. */
#define READS_MAX 5
/* Whoever waits is told this long before his deadline, so that he learns the reason. */
#define MARGIN_MS 10U
/* After a loss: the node's other connections learn of it too meanwhile. */
#define LOST_PAUSE_MS 10U
/* For what passes by itself: doubles up to the greatest. */
#define PAUSE_MS_MIN	    10U
#define PAUSE_MS_MAX	    200U
#define PAUSE_DOUBLINGS_MAX 5U
/* A full pipeline of 16 k commands is worked off in about 30 ms at Redis's speed of 500 k/s. */
#define OVERLOADED_RETRY_MS  30U
#define UNAVAILABLE_RETRY_MS 50U
/* Each second a fifth of what was sent, and this, are added to what may be sent again. It gathers up to as much as can
 * wait: all that is lost at once when a node dies may be sent again to its successor. */
#define RESENDS_PER_SENT     5
#define RESENDS_PER_SECOND   100
#define RESENDS_GATHERED_MAX ((int)WAITING_MAX)
#define RESENDS_EVERY_MS     1000U

void router_init(struct router *r, const struct redis_options *options, bool is_cluster)
{
	r->options = options;
	r->is_cluster = is_cluster;
	r->commands_then = metric_get(METRIC_REDIS_COMMANDS);
	r->resends_left = RESENDS_GATHERED_MAX;
	waiting_init(&r->waiting);
}

/* ---- Ends ---- */

static void end_with(struct store_op *op, const struct store_result *result)
{
	static const struct store_result lost = {.outcome = STORE_LOST};
	const bool is_known = result->outcome == STORE_REPLIED || !op_has(op, OP_IN_DOUBT);

	op_finish(op, is_known ? result : &lost);
}

static void end(struct store_op *op, enum store_outcome outcome, uint32_t retry_after_ms)
{
	end_with(op, &(struct store_result){.outcome = outcome, .retry_after_ms = retry_after_ms});
}

static void end_unavailable(const struct node *n, struct store_op *op, uint64_t now_ms)
{
	uint32_t retry_ms = n == NULL ? UNAVAILABLE_RETRY_MS : node_retry_after_ms(n, now_ms);

	end(op, STORE_UNAVAILABLE, retry_ms < UNAVAILABLE_RETRY_MS ? UNAVAILABLE_RETRY_MS : retry_ms);
}

/* ---- Waiting and sending again ---- */

static bool may_resend(struct router *r)
{
	if (atomic_load(&r->is_closing))
		return false;
	if (atomic_fetch_sub(&r->resends_left, 1) <= 0) {
		atomic_fetch_add(&r->resends_left, 1);
		return false;
	}
	metric_add(METRIC_REDIS_RESENDS, 1);
	return true;
}

/* False: op is still the caller's. */
static bool wait_until(struct router *r, struct store_op *op, struct node *n, uint64_t due_ms)
{
	if (atomic_load(&r->is_closing) || due_ms + MARGIN_MS >= op->deadline_ms)
		return false;
	return waiting_add(&r->waiting, op, n, due_ms);
}

static bool wait_for(struct router *r, struct store_op *op, struct node *n, uint64_t due_ms)
{
	return r->options->failover_wait_ms > 0 && wait_until(r, op, n, due_ms);
}

static uint32_t with_jitter(uint32_t ms)
{
	return ms / 2 + arc4random_uniform(ms / 2 + 1);
}

static uint32_t pause_of(const struct store_op *op)
{
	unsigned doublings = op_resends(op) < PAUSE_DOUBLINGS_MAX ? op_resends(op) : PAUSE_DOUBLINGS_MAX;
	uint32_t pause = PAUSE_MS_MIN << doublings;

	return with_jitter(pause < PAUSE_MS_MAX ? pause : PAUSE_MS_MAX);
}

/* ---- Sending ---- */

static void send(struct router *r, struct node *n, struct store_op *op, uint32_t tenure, uint64_t now_ms)
{
	const bool is_for_lane = op->wait_replicas > 0 && op->command.is_write;
	enum node_verdict verdict =
	    is_for_lane ? lane_submit(n->lane, op, tenure, now_ms) : node_send(n, op, tenure, now_ms);

	if (verdict == NODE_SENT)
		return;
	if (verdict == NODE_FULL) {
		end(op, STORE_OVERLOADED, OVERLOADED_RETRY_MS);
		return;
	}
	/* The lane is opened when it is wanted first, even where nobody waits for failovers. */
	if (is_for_lane ? wait_until(r, op, n, now_ms + LOST_PAUSE_MS) : wait_for(r, op, n, now_ms))
		return;
	end_unavailable(n, op, now_ms);
}

/* When op may be sent to n, which is serving; 0: now. */
static uint64_t settles_at(const struct node *n, const struct store_op *op, uint64_t now_ms)
{
	const uint64_t took_over_ms = atomic_load_explicit(&n->took_over_ms, memory_order_acquire);
	const uint64_t at_ms = took_over_ms + op->command.settling_ms;

	return op->command.settling_ms == 0 || took_over_ms == 0 || now_ms >= at_ms ? 0 : at_ms;
}

/* It waits for a time and not for the node: counted apart, it takes up no room of those that wait for one that is lost. */
static void await_settling(struct router *r, struct store_op *op, uint64_t at_ms, uint64_t now_ms)
{
	if (!wait_for(r, op, NULL, at_ms))
		end(op, STORE_UNAVAILABLE, (uint32_t)(at_ms - now_ms));
}

static void route(struct router *r, struct store_op *op, uint64_t now_ms)
{
	struct node *n = topology_owner(r->topology, op->slot);
	uint32_t tenure;
	enum term term;

	op->store_flags &= ~(OP_ASKING | OP_OF_REPLICA);
	if (now_ms >= op->deadline_ms) {
		end(op, STORE_EXPIRED, 0);
		return;
	}
	if (n == NULL) {
		if (!topology_is_hopeful(r->topology, now_ms) || !wait_for(r, op, NULL, now_ms))
			end_unavailable(NULL, op, now_ms);
		return;
	}
	/* The tenure first: should a new term begin in between, the reply will be late. */
	tenure = atomic_load_explicit(&n->tenure, memory_order_acquire);
	term = node_term(n);
	if (term == TERM_SERVING) {
		const uint64_t at_ms = settles_at(n, op, now_ms);

		if (at_ms > 0) {
			await_settling(r, op, at_ms, now_ms);
			return;
		}
		send(r, n, op, tenure, now_ms);
		return;
	}
	if (term != TERM_DOWN && wait_for(r, op, n, now_ms))
		return;
	metric_add(METRIC_REDIS_REFUSED_DOWN, 1);
	end_unavailable(n, op, now_ms);
}

void router_submit(struct router *r, struct store_op *op)
{
	const uint64_t now_ms = clock_mono_ms();

	op->store_flags = 0;
	op->sends = 0;
	op->redirects = 0;
	op->slot = r->is_cluster ? slot_of_key(op->command.key) : 0;
	if (op->command.staleness_ms > 0 && replica_submit(r->topology, op, now_ms))
		return;
	route(r, op, now_ms);
}

/* ---- Replies ---- */

bool router_is_current(struct router *r, const struct store_op *op)
{
	struct node *n = op->node;

	if (atomic_load_explicit(&n->tenure, memory_order_acquire) != op->tenure)
		return false;
	return op_has(op, OP_ASKING) || topology_owner(r->topology, op->slot) == n;
}

static bool is_late(struct router *r, const struct store_op *op, uint64_t replied_ms)
{
	return op_age_ms(op, replied_ms) > r->options->late_ms || !router_is_current(r, op);
}

static void ask_again(struct router *r, struct store_op *op, uint64_t now_ms)
{
	if (++op->sends < READS_MAX && may_resend(r))
		route(r, op, now_ms);
	else
		end(op, STORE_LOST, 0);
}

static bool is_missing(const struct store_reply *reply)
{
	if (reply->type == STORE_ARRAY)
		return reply->count > 0 && reply->elements[0]->type == STORE_NIL;
	return reply->type == STORE_NIL;
}

/* A replica lacks what came just now, and that a key is missing there proves nothing: the primary is asked. */
static void replica_answered(struct router *r, struct store_op *op, struct store_result *result)
{
	assert(result->reply != NULL);
	if (is_missing(result->reply)) {
		route(r, op, clock_mono_ms());
		return;
	}
	result->is_unsettled = true;
	end_with(op, result);
}

/* What Redis has said, final. */
static void settle(struct router *r, struct node *n, struct store_op *op, struct store_result *result,
		   uint64_t replied_ms)
{
	if (op_has(op, OP_OF_REPLICA)) {
		replica_answered(r, op, result);
		return;
	}
	result->is_late = is_late(r, op, replied_ms);
	if (result->is_late) {
		metric_add(METRIC_REDIS_LATE, 1);
		if (!op->command.is_write) {
			ask_again(r, op, clock_mono_ms());
			return;
		}
		op->store_flags |= OP_LATE;
	}
	result->is_unsettled = replied_ms < atomic_load_explicit(&n->settled_ms, memory_order_relaxed);
	end_with(op, result);
}

static void lost(struct router *r, struct node *n, struct store_op *op, uint64_t now_ms)
{
	const bool may_repeat = op->command.is_repeatable || !op->command.is_write;

	if (op->command.is_write)
		op->store_flags |= OP_IN_DOUBT;
	op->sends++;
	if (may_repeat && op->sends < SENDS_MAX && may_resend(r) &&
	    wait_for(r, op, n, now_ms + with_jitter(LOST_PAUSE_MS)))
		return;
	end(op, STORE_LOST, 0);
}

static void follow_moved(struct router *r, struct node *n, struct store_op *op, const struct verdict *v,
			 uint64_t now_ms)
{
	metric_add(METRIC_REDIS_MOVED, 1);
	(void)topology_moved(n, v->slot, &v->address, now_ms);
	route(r, op, now_ms);
}

static void follow_ask(struct router *r, struct node *n, struct store_op *op, const struct verdict *v, uint64_t now_ms)
{
	struct node *to = topology_assistant(n, &v->address, now_ms);

	metric_add(METRIC_REDIS_ASK, 1);
	if (to != NULL) {
		op->store_flags |= OP_ASKING;
		if (node_send(to, op, atomic_load(&to->tenure), now_ms) == NODE_SENT)
			return;
		op->store_flags &= ~OP_ASKING;
	}
	/* It is being connected: the slot's owner is asked again in a moment. */
	op->redirects--;
	if (!wait_until(r, op, n, now_ms + with_jitter(PAUSE_MS_MIN)))
		end_unavailable(to, op, now_ms);
}

static bool wait_out(struct router *r, struct node *n, struct store_op *op, uint64_t now_ms)
{
	const uint32_t pause_ms = pause_of(op);

	if (r->options->failover_wait_ms == 0 || now_ms + pause_ms + MARGIN_MS >= op->deadline_ms || !may_resend(r))
		return false;
	op_count_resend(op);
	return wait_for(r, op, n, now_ms + pause_ms);
}

/* GETEX counts as a write where replicas are demanded, which may be missing for long; whoever sent it can do without. */
static bool is_read_alone(const struct store_op *op, const struct store_reply *error)
{
	assert(error != NULL);
	return !op->command.is_write && span_starts_with(error->string, SPAN_LIT("NOREPLICAS"));
}

static void refused(struct router *r, struct node *n, struct store_op *op, const struct store_reply *reply,
		    uint64_t now_ms)
{
	const struct verdict v = verdict_of(reply);
	struct store_result result = {.outcome = STORE_REFUSED, .reply = reply, .node = topology_name_of(n)};
	bool is_redirected = r->is_cluster && (v.action == VERDICT_MOVED || v.action == VERDICT_ASK);

	assert(reply != NULL);
	if (is_redirected && op->redirects < REDIRECTS_MAX && !atomic_load(&r->is_closing)) {
		op->redirects++;
		if (v.action == VERDICT_MOVED)
			follow_moved(r, n, op, &v, now_ms);
		else
			follow_ask(r, n, op, &v, now_ms);
		return;
	}
	if (v.action == VERDICT_REFRESH)
		topology_refused(n, reply->string, now_ms);
	if ((v.action == VERDICT_REFRESH || v.action == VERDICT_WAIT) && !is_read_alone(op, reply) &&
	    wait_out(r, n, op, now_ms))
		return;
	settle(r, n, op, &result, now_ms);
}

void router_finished(void *owner, struct store_op *op, enum store_outcome outcome, const struct store_reply *reply,
		     uint64_t now_ms)
{
	struct node *n = owner;
	struct router *r = n->topology->router;

	if (reply != NULL && atomic_load_explicit(&n->is_silent, memory_order_relaxed))
		topology_answered(n);
	switch (outcome) {
	case STORE_REPLIED:
		settle(r, n, op, &(struct store_result){.outcome = outcome, .reply = reply}, now_ms);
		break;
	case STORE_REFUSED:
		if (op_has(op, OP_OF_REPLICA))
			route(r, op, now_ms);
		else
			refused(r, n, op, reply, now_ms);
		break;
	case STORE_LOST:
		if (op_has(op, OP_OF_REPLICA))
			route(r, op, now_ms);
		else
			lost(r, n, op, now_ms);
		break;
	case STORE_UNAVAILABLE:
		/* It was not sent, for its connection ended just then. */
		if (!wait_until(r, op, n, now_ms + LOST_PAUSE_MS))
			end_unavailable(n, op, now_ms);
		break;
	default:
		end(op, outcome, 0);
	}
}

void router_replicated(struct node *n, struct store_op *op, const struct store_reply *reply, uint64_t replied_ms,
		       uint32_t replicas)
{
	struct store_result result = {.outcome = STORE_REPLIED, .reply = reply, .replicas = replicas};

	settle(n->topology->router, n, op, &result, replied_ms);
}

/* ---- The waiting list ---- */

struct moment {
	struct router *router;
	uint64_t now_ms;
	bool is_hopeful;
};

static bool may_go(void *owner, const struct store_op *op)
{
	const struct moment *m = owner;
	const struct node *n;
	enum term term;

	if (m->now_ms + MARGIN_MS >= op->deadline_ms)
		return true;
	if (m->now_ms < op->due_ms)
		return false;
	n = topology_owner(m->router->topology, op->slot);
	if (n == NULL)
		return !m->is_hopeful;
	term = node_term(n);
	return term == TERM_SERVING || term == TERM_DOWN;
}

void router_pump(struct router *r)
{
	struct moment m = {.router = r, .now_ms = clock_mono_ms()};
	struct store_op *op;

	if (atomic_load(&r->waiting.count) == 0)
		return;
	m.is_hopeful = topology_is_hopeful(r->topology, m.now_ms);
	op = waiting_take(&r->waiting, may_go, &m);
	wire_cork();
	while (op != NULL) {
		struct store_op *next = op->next;

		route(r, op, m.now_ms);
		wire_cork_relieve();
		op = next;
	}
	wire_uncork();
}

static void allow_resends(struct router *r, uint64_t now_ms)
{
	const uint64_t commands = metric_get(METRIC_REDIS_COMMANDS);
	const uint64_t more = RESENDS_PER_SECOND + (commands - r->commands_then) / RESENDS_PER_SENT;
	const int room = RESENDS_GATHERED_MAX - atomic_load(&r->resends_left);

	if (room > 0)
		atomic_fetch_add(&r->resends_left, more < (uint64_t)room ? (int)more : room);
	r->commands_then = commands;
	r->allowed_ms = now_ms;
}

void router_tick(struct router *r, uint64_t now_ms)
{
	if (now_ms >= r->allowed_ms + RESENDS_EVERY_MS)
		allow_resends(r, now_ms);
	router_pump(r);
}

void router_end(struct router *r)
{
	struct store_op *op;

	atomic_store(&r->is_closing, true);
	op = waiting_close(&r->waiting);
	while (op != NULL) {
		struct store_op *next = op->next;

		end(op, STORE_UNAVAILABLE, UNAVAILABLE_RETRY_MS);
		op = next;
	}
}

void router_destroy(struct router *r)
{
	waiting_destroy(&r->waiting);
}
