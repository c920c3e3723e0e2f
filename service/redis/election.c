/* Choosing the primary.
 *
 * A Sentinel names a node; the node itself must say that it is a primary; then the slots are its own and the one before
 * is sent nothing more. While that is being found out, or is not so, the present one stays.
 *
 * Sentinels learn of a failover one after the other, and the old primary calls itself one for seconds more. So a node
 * that was left is returned to only if its successor cannot serve, or if most Sentinels have named it twice in a row some
 * time after the switch: the fleet shall not go back and forth with whoever speaks last.
 *
 * A primary that no Sentinel has named for unconfirmed_ms may be cut off from them and long replaced: it is not used.
 *
 * Reports come from any thread; the topology's lock guards all that is here. */

#include "redis/election.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "redis/sentinel.h"

/* The time in which every Sentinel has heard of a failover: they tell each other every 2 s. */
#define SETTLE_MS 3000U
/* A candidate is asked for its role for so long after it was named last. */
#define CANDIDATE_MS 3000U
/* A Sentinel that takes longer counts as silent; they answer in well under a millisecond. */
#define ANSWER_MS 300U
/* What "most have named it" needs of each. */
#define IN_A_ROW 2U
/* One that has named nobody for so long is no part of the whole any more, of which a majority is asked. Longer than a
 * partition that is worth waiting for. */
#define GONE_MS 60000U

struct opinion {
	struct address from;
	struct address primary;
	uint32_t in_a_row;
	uint64_t told_ms;
};

struct election {
	struct topology *topology;
	sentinel *sentinels;
	struct node *primary; /* owns the slots; NULL: none was found yet */
	struct node *candidate;
	uint64_t candidate_ms; /* when it was named last */
	uint64_t asked_ms;     /* since when its word counts */
	uint64_t switched_ms;
	uint64_t confirmed_ms;
	struct opinion opinions[SENTINEL_MEMBERS_MAX];
	size_t opinion_count;
};

/* Sentinels that were replaced leave their places. */
static struct opinion *take_over_oldest_locked(struct election *e, const struct address *from)
{
	struct opinion *oldest = &e->opinions[0];

	for (size_t i = 1; i < e->opinion_count; i++) {
		if (e->opinions[i].told_ms < oldest->told_ms)
			oldest = &e->opinions[i];
	}
	*oldest = (struct opinion){.from = *from};
	return oldest;
}

static struct opinion *opinion_of_locked(struct election *e, const struct address *from)
{
	for (size_t i = 0; i < e->opinion_count; i++) {
		if (address_eq(&e->opinions[i].from, from))
			return &e->opinions[i];
	}
	if (e->opinion_count == SENTINEL_MEMBERS_MAX)
		return take_over_oldest_locked(e, from);
	e->opinions[e->opinion_count].from = *from;
	return &e->opinions[e->opinion_count++];
}

static void note_opinion_locked(struct election *e, const struct sentinel_report *report, uint64_t now_ms)
{
	struct opinion *o = opinion_of_locked(e, report->from);

	if (report->opinion != SENTINEL_PRIMARY_IS) {
		o->in_a_row = 0;
		return;
	}
	if (o->in_a_row == 0 || !address_eq(&o->primary, &report->primary)) {
		o->primary = report->primary;
		o->in_a_row = 0;
	}
	o->in_a_row++;
	o->told_ms = now_ms;
}

static bool do_most_name_locked(const struct election *e, const struct node *n, uint64_t now_ms)
{
	size_t known = 0;
	size_t count = 0;

	for (size_t i = 0; i < e->opinion_count; i++) {
		const struct opinion *o = &e->opinions[i];

		known += now_ms < o->told_ms + GONE_MS;

		count +=
		    o->in_a_row >= IN_A_ROW && now_ms < o->told_ms + SETTLE_MS && address_eq(&o->primary, &n->address);
	}
	return count > 0 && 2 * count > known;
}

static bool is_serviceable_locked(const struct node *n)
{
	return n->info.role != ROLE_REPLICA && node_ready_count(n) > 0 && n->breaker.state == BREAKER_CLOSED;
}

static bool may_be_named_locked(const struct election *e, const struct node *n, uint64_t now_ms)
{
	if (n->left_ms == 0 || !is_serviceable_locked(e->primary))
		return true;
	return now_ms >= e->switched_ms + SETTLE_MS && do_most_name_locked(e, n, now_ms);
}

/* Whoever the Sentinels know besides follows the new primary, or will. */
static void lead_locked(struct election *e, struct node *n)
{
	struct topology *t = e->topology;

	for (size_t i = 0; i < t->count; i++)
		t->nodes[i]->primary = t->nodes[i] == n ? NULL : n;
}

static void switch_locked(struct election *e, struct node *n, uint64_t now_ms)
{
	struct topology *t = e->topology;
	struct node *old = e->primary;

	e->primary = n;
	e->candidate = NULL;
	e->switched_ms = now_ms;
	e->confirmed_ms = now_ms;
	lead_locked(e, n);
	topology_set_owner_locked(t, 0, n);
	if (old != NULL)
		topology_judge_locked(t, old, now_ms);
	topology_judge_locked(t, n, now_ms);
}

void election_told_locked(struct election *e, struct node *n, uint64_t now_ms)
{
	if (n == e->candidate && n->info.role == ROLE_PRIMARY && n->told_ms >= e->asked_ms &&
	    may_be_named_locked(e, n, now_ms))
		switch_locked(e, n, now_ms);
}

static void nominate_locked(struct election *e, struct node *n, uint64_t now_ms)
{
	if (!may_be_named_locked(e, n, now_ms))
		return;
	if (e->candidate != n) {
		e->candidate = n;
		e->asked_ms = now_ms;
	}
	e->candidate_ms = now_ms;
	n->inquire_ms = now_ms + CANDIDATE_MS;
	n->wants_role = true;
}

static void take_report_locked(struct election *e, const struct sentinel_report *report, uint64_t now_ms)
{
	struct node *n;

	note_opinion_locked(e, report, now_ms);
	if (report->opinion != SENTINEL_PRIMARY_IS)
		return;
	n = topology_node_locked(e->topology, &report->primary, now_ms);
	if (n == NULL)
		return;
	if (n != e->primary) {
		nominate_locked(e, n, now_ms);
		return;
	}
	e->confirmed_ms = now_ms;
	topology_judge_locked(e->topology, n, now_ms);
}

static void on_report(void *owner, const struct sentinel_report *report)
{
	struct election *e = owner;

	topology_lock(e->topology);
	take_report_locked(e, report, clock_mono_ms());
	topology_unlock(e->topology);
}

static void on_replicas(void *owner, const struct address *replicas, size_t count)
{
	struct election *e = owner;
	struct topology *t = e->topology;
	const uint64_t now_ms = clock_mono_ms();

	topology_lock(t);
	for (size_t i = 0; i < count; i++) {
		struct node *n = topology_node_locked(t, &replicas[i], now_ms);

		if (n == NULL || n == e->primary)
			continue;
		n->primary = e->primary;
		n->replica_ms = now_ms;
	}
	topology_unlock(t);
}

bool election_confirms_locked(const struct election *e, const struct node *n, uint64_t now_ms)
{
	const uint32_t limit_ms = e->topology->options->unconfirmed_ms;

	return n != e->primary || limit_ms == 0 || now_ms < e->confirmed_ms + limit_ms;
}

void election_tick(struct election *e, uint64_t now_ms)
{
	bool is_urgent;

	topology_lock(e->topology);
	is_urgent = topology_is_troubled_locked(e->topology) || e->candidate != NULL;
	if (e->candidate != NULL && now_ms >= e->candidate_ms + CANDIDATE_MS)
		e->candidate = NULL;
	if (e->candidate != NULL)
		e->candidate->wants_role = true;
	topology_unlock(e->topology);
	sentinel_tick(e->sentinels, now_ms, is_urgent);
}

size_t election_members(struct election *e, struct store_node *ret, size_t max)
{
	struct sentinel_member members[SENTINEL_MEMBERS_MAX];
	const size_t count = sentinel_members(e->sentinels, members, SENTINEL_MEMBERS_MAX);

	for (size_t i = 0; i < count && i < max; i++) {
		ret[i] = (struct store_node){.connections = 1, .connections_ready = members[i].is_connected};
		address_print(&members[i].address, ret[i].address);
		(void)snprintf(ret[i].role, sizeof(ret[i].role), "sentinel");
		(void)snprintf(ret[i].error, sizeof(ret[i].error), "%s", members[i].error);
	}
	return count;
}

struct election *election_new(struct topology *t, const struct redis_url *url)
{
	struct election *e = calloc(1, sizeof(*e));
	const struct redis_options *o = t->options;

	if (e == NULL)
		return NULL;
	e->topology = t;
	e->sentinels = sentinel_new(&(struct sentinel_options){
	    .name = url->primary_name,
	    .seeds = url->seeds,
	    .seed_count = url->seed_count,
	    .is_tls = url->is_tls,
	    .tls = o->tls,
	    .greeting.user = o->sentinel_user,
	    .greeting.password = o->sentinel_password,
	    .connect_timeout_ms = o->connect_timeout_ms,
	    .answer_timeout_ms = ANSWER_MS,
	    .events = o->events,
	    .report = on_report,
	    .replicas = on_replicas,
	    .owner = e,
	});
	if (e->sentinels == NULL)
		election_free(&e);
	return e;
}

void election_end(struct election *e)
{
	sentinel_free(&e->sentinels);
}

void election_free(struct election **e)
{
	struct election *old = *e;

	if (old == NULL)
		return;
	*e = NULL;
	election_end(old);
	free(old);
}
