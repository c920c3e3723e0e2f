/* The topology: nodes, slots, and the terms of nodes as primaries.
 *
 *   standalone, unix, embedded   one node, for good
 *   sentinel                     one node at a time, chosen by redis/election.c
 *   cluster                      from the map that redis/cluster.c asks for, and from MOVED
 *
 * What commands need, the owner of a slot with its term and tenure, is read from atomics without a lock. Everything else
 * is guarded by topology.lock: facts come in from connections' hooks, from replies and from the tick, each is followed
 * by judging the node anew (redis/judge.c), which is the only place where a term changes.
 *
 * Lock order: topology, connection, link. No hook, event or `done` is called with the lock held: what has become due is
 * noted, and done by topology_unlock. A node's memory stays until the topology goes, because replies and commands under
 * way point to it; one that has been of no use for long is given another address instead. */

#include "redis/topology.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "redis/cluster.h"
#include "redis/election.h"
#include "redis/joining.h"
#include "redis/op.h"
#include "redis/upkeep.h"

/* A node that nothing has named for so long may be forgotten. Long after everything that could point to it: commands in
 * flight, journal, listening. */
#define FORGET_MS 600000U
/* At the start nobody has learned yet who owns what: so long commands wait for that. */
#define START_MS 1000U
/* A node that slots are on their way to: asked again and again while they are. */
#define ASSIST_MS 10000U
/* One that says READONLY is dialed anew, its name looked up again, at most so often. */
#define DROP_EVERY_MS 1000U

void topology_lock(struct topology *t)
{
	pthread_mutex_lock(&t->lock);
}

static void copy_text(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from == NULL ? "" : from);
}

void topology_note_locked(struct topology *t, const struct redis_event *event)
{
	struct topology_note *note;

	if (t->note_count == TOPOLOGY_NOTES_MAX)
		return;
	note = &t->notes[t->note_count++];
	note->event = *event;
	copy_text(note->node, sizeof(note->node), event->node);
	copy_text(note->from, sizeof(note->from), event->from);
	copy_text(note->error, sizeof(note->error), event->error);
}

static void tell(const struct topology *t, struct topology_note *notes, size_t count)
{
	const struct redis_events *events = &t->options->events;

	for (size_t i = 0; i < count && events->report != NULL; i++) {
		struct redis_event *event = &notes[i].event;

		/* Nodes may be given another address meanwhile: these are copies. */
		event->node = event->node == NULL ? NULL : notes[i].node;
		event->from = event->from == NULL ? NULL : notes[i].from;
		event->error = event->error == NULL ? NULL : notes[i].error;
		events->report(events->owner, event);
	}
}

static struct node *take_replay_locked(struct topology *t)
{
	if (!t->is_replay_due)
		return NULL;
	for (size_t i = 0; i < t->count; i++) {
		if (t->nodes[i]->is_replay_due) {
			joining_begin_locked(t->nodes[i]);
			return t->nodes[i];
		}
	}
	t->is_replay_due = false;
	return NULL;
}

void topology_unlock(struct topology *t)
{
	struct topology_note notes[TOPOLOGY_NOTES_MAX];
	size_t note_count = t->note_count;
	bool is_pump_due = t->is_pump_due;
	struct node *replaying;

	memcpy(notes, t->notes, note_count * sizeof(notes[0]));
	t->note_count = 0;
	t->is_pump_due = false;
	replaying = take_replay_locked(t);
	pthread_mutex_unlock(&t->lock);

	tell(t, notes, note_count);
	while (replaying != NULL) {
		joining_replay(replaying);
		pthread_mutex_lock(&t->lock);
		replaying = take_replay_locked(t);
		pthread_mutex_unlock(&t->lock);
	}
	if (is_pump_due)
		t->hooks.moved_on(t->router);
}

const char *topology_name_of(const struct node *n)
{
	return address_in_url(n->url);
}

/* ---- Nodes ---- */

static struct node *find_locked(struct topology *t, const struct address *address)
{
	for (size_t i = 0; i < t->count; i++) {
		if (address_eq(&t->nodes[i]->address, address))
			return t->nodes[i];
	}
	return NULL;
}

static struct node *add_locked(struct topology *t, const char *url)
{
	struct node *n;

	if (t->count == NODES_MAX)
		return NULL;
	n = node_new(&(struct node_settings){
	    .topology = t,
	    .connection = &t->connection,
	    .connections = t->options->connections,
	    .breaker_ms = t->options->breaker_ms,
	    .has_replicas = t->options->replica_lag_max_ms > 0,
	});
	if (n == NULL)
		return NULL;
	node_set_url(n, url);
	t->nodes[t->count++] = n;
	return n;
}

static bool is_of_no_use_locked(const struct node *n, uint64_t now_ms)
{
	struct connection_view view;

	assert(n != NULL);
	if (node_term(n) != TERM_IDLE || n->is_seed || n->is_replaying || n->probe.is_busy || n->subscription != NULL ||
	    n->seen_ms + FORGET_MS > now_ms || n->inquire_ms > now_ms || n->assist_ms > now_ms)
		return false;
	node_look(n, now_ms, &view);
	return view.is_settled && view.in_flight == 0;
}

static void forget_relative_locked(struct node *of, const struct node *n)
{
	assert(of != NULL);
	if (of->primary == n)
		of->primary = NULL;
	if (of->predecessor == n)
		of->predecessor = NULL;
	if (of->heir == n)
		of->heir = NULL;
}

static struct node *reuse_locked(struct topology *t, const char *url, uint64_t now_ms)
{
	for (size_t i = 0; i < t->count; i++) {
		struct node *n = t->nodes[i];

		if (!is_of_no_use_locked(n, now_ms))
			continue;
		for (size_t j = 0; j < t->count; j++)
			forget_relative_locked(t->nodes[j], n);
		node_set_url(n, url);
		n->info = (struct info){0};
		n->primary = NULL;
		n->replica_ms = 0;
		n->predecessor = NULL;
		n->heir = NULL;
		n->gone_ms = 0;
		n->left_ms = 0;
		n->is_clusterdown = false;
		n->is_confirmed = false;
		return n;
	}
	return NULL;
}

struct node *topology_node_locked(struct topology *t, const struct address *address, uint64_t now_ms)
{
	struct node *n = find_locked(t, address);
	char url[ADDRESS_URL_BYTES];

	if (n == NULL) {
		address_url(address, t->is_tls, url);
		n = add_locked(t, url);
		if (n == NULL)
			n = reuse_locked(t, url, now_ms);
		if (n == NULL) {
			topology_note_locked(t, &(struct redis_event){
						    .kind = REDIS_EVENT_PROBLEM,
						    .name = "redis_too_many_nodes",
						    .node = address_in_url(url),
						    .text = "is not used: 256 nodes are known and in use already",
						});
			return NULL;
		}
		n->address = *address;
	}
	n->seen_ms = now_ms;
	return n;
}

/* ---- Slots ---- */

void topology_set_owner_locked(struct topology *t, uint16_t slot, struct node *n)
{
	struct node *old = topology_owner(t, slot);

	if (old == n)
		return;
	/* Before anything is replayed because of it: see store_keep. */
	atomic_store(&t->by_slot[slot], n);
	if (old != NULL) {
		old->slots--;
		old->heir = n;
	} else {
		t->covered++;
	}
	if (n != NULL) {
		n->slots++;
		n->predecessor = old;
	} else {
		t->covered--;
	}
	if (n == NULL && t->orphaned_ms == 0)
		t->orphaned_ms = clock_mono_ms();
	else if (t->covered == t->slot_count)
		t->orphaned_ms = 0;
}

bool topology_is_troubled_locked(const struct topology *t)
{
	if (t->covered < t->slot_count)
		return true;
	for (size_t i = 0; i < t->count; i++) {
		if (t->nodes[i]->slots > 0 && node_term(t->nodes[i]) != TERM_SERVING)
			return true;
	}
	return false;
}

/* ---- What connections tell ---- */

/* Of a server that does not tell, one that was gone altogether counts as another run. */
static bool is_another_run(const struct node *n, const struct info *info)
{
	if (info->run_id[0] == '\0')
		return node_ready_count(n) == 0;
	return strcmp(n->info.run_id, info->run_id) != 0;
}

void topology_greeted(struct node *n, const struct greeting_result *greeted)
{
	struct topology *t = n->topology;
	uint64_t now_ms = clock_mono_ms();

	topology_lock(t);
	if (is_another_run(n, &greeted->info)) {
		/* The address leads to another server now: what is still open leads to the one before, and must not get
		 * what is carried out again. */
		if (greeted->info.run_id[0] != '\0' && n->info.run_id[0] != '\0')
			node_leave_former_run(n);
		n->is_another_run = n->is_joined;
		n->replay_tries = 0;
		/* What has been carried out again went to the former run. */
		if (n->is_replaying)
			(void)atomic_fetch_add(&n->tenure, 1);
		n->is_confirmed = false;
		n->is_clusterdown = false;
	}
	n->info = greeted->info;
	n->told_ms = now_ms;
	(void)breaker_answered(&n->breaker);
	topology_judge_locked(t, n, now_ms);
	if (t->election != NULL)
		election_told_locked(t->election, n, now_ms);
	topology_unlock(t);
}

static void on_greeted(void *owner, const struct greeting_result *greeted)
{
	topology_greeted(owner, greeted);
}

static void on_changed(void *owner, bool is_ready)
{
	struct node *n = owner;
	struct topology *t = n->topology;
	uint64_t now_ms = clock_mono_ms();

	topology_lock(t);
	topology_judge_locked(t, n, now_ms);
	if (t->cluster != NULL && topology_is_troubled_locked(t))
		cluster_hurry_locked(t->cluster, now_ms);
	/* A command may have found none of the connections ready although its node was serving. */
	if (is_ready && node_term(n) == TERM_SERVING)
		t->is_pump_due = true;
	topology_unlock(t);
}

/* ---- What the router meets ---- */

bool topology_is_hopeful(struct topology *t, uint64_t now_ms)
{
	bool is_hopeful;

	topology_lock(t);
	if (t->has_served)
		is_hopeful = t->orphaned_ms == 0 || now_ms < t->orphaned_ms + t->options->failover_wait_ms;
	else
		is_hopeful = now_ms < t->opened_ms + START_MS;
	topology_unlock(t);
	return is_hopeful;
}

void topology_answered(struct node *n)
{
	struct topology *t = n->topology;

	topology_lock(t);
	(void)breaker_answered(&n->breaker);
	topology_judge_locked(t, n, clock_mono_ms());
	topology_unlock(t);
}

void topology_doubted(struct node *n)
{
	topology_lock(n->topology);
	n->wants_role = true;
	topology_unlock(n->topology);
}

/* A lone server that has become a replica: its name may stand for another one by now. */
static bool is_to_be_dropped_locked(struct topology *t, struct node *n, uint64_t now_ms)
{
	if (t->mode == REDIS_CLUSTER || t->mode == REDIS_SENTINEL || now_ms < n->dropped_ms + DROP_EVERY_MS)
		return false;
	n->dropped_ms = now_ms;
	return true;
}

void topology_refused(struct node *n, span error, uint64_t now_ms)
{
	struct topology *t = n->topology;
	bool is_dropped = false;

	topology_lock(t);
	if (span_starts_with(error, SPAN_LIT("CLUSTERDOWN Hash slot"))) {
		/* One slot without an owner says nothing about the node. */
	} else if (span_starts_with(error, SPAN_LIT("CLUSTERDOWN"))) {
		n->is_clusterdown = t->mode == REDIS_CLUSTER;
	} else if (span_starts_with(error, SPAN_LIT("READONLY"))) {
		n->info.role = ROLE_REPLICA;
		n->wants_role = true;
		is_dropped = is_to_be_dropped_locked(t, n, now_ms);
	} else {
		n->wants_role = true;
	}
	topology_judge_locked(t, n, now_ms);
	if (t->cluster != NULL)
		cluster_hurry_locked(t->cluster, now_ms);
	topology_unlock(t);
	if (is_dropped)
		node_drop(n);
}

bool topology_moved(struct node *from, uint16_t slot, const struct address *to, uint64_t now_ms)
{
	struct topology *t = from->topology;
	struct address address = *to;
	struct node *n;

	if (address.host[0] == '\0')
		memcpy(address.host, from->address.host, sizeof(address.host));
	topology_lock(t);
	n = topology_node_locked(t, &address, now_ms);
	if (n != NULL)
		cluster_moved_locked(t->cluster, from, slot, n, now_ms);
	topology_unlock(t);
	return n != NULL;
}

struct node *topology_assistant(struct node *from, const struct address *to, uint64_t now_ms)
{
	struct topology *t = from->topology;
	struct address address = *to;
	struct node *n;

	if (address.host[0] == '\0')
		memcpy(address.host, from->address.host, sizeof(address.host));
	topology_lock(t);
	n = topology_node_locked(t, &address, now_ms);
	if (n != NULL)
		n->assist_ms = now_ms + ASSIST_MS;
	topology_unlock(t);
	return n;
}

struct node *topology_any_serving(struct topology *t)
{
	struct node *found = NULL;

	topology_lock(t);
	for (size_t i = 0; i < t->count && found == NULL; i++) {
		if (node_term(t->nodes[i]) == TERM_SERVING)
			found = t->nodes[i];
	}
	topology_unlock(t);
	return found;
}

/* ---- Life ---- */

static void fill_connection(struct topology *t, const struct topology_settings *s)
{
	const struct redis_options *o = s->options;

	t->connection_hooks = (struct connection_hooks){
	    .greeted = on_greeted,
	    .changed = on_changed,
	    .finished = s->finished,
	};
	t->connection = (struct connection_options){
	    .tls = o->tls,
	    .greeting.user = s->user,
	    .greeting.password = s->password,
	    .greeting.db = s->url->db,
	    .connect_timeout_ms = o->connect_timeout_ms,
	    .response_timeout_ms = o->response_timeout_ms,
	    .commands_in_flight_max = o->commands_in_flight_max,
	    .late_ms = o->late_ms,
	    .events = o->events,
	    .hooks = &t->connection_hooks,
	};
}

static bool add_nodes(struct topology *t, const struct topology_settings *s)
{
	if (t->mode == REDIS_SENTINEL)
		return (t->election = election_new(t, s->url)) != NULL;
	if (t->mode == REDIS_CLUSTER)
		return (t->cluster = cluster_new(t, s->url)) != NULL;
	topology_lock(t);
	if (add_locked(t, s->address) != NULL) {
		topology_set_owner_locked(t, 0, t->nodes[0]);
		topology_judge_locked(t, t->nodes[0], t->opened_ms);
	}
	topology_unlock(t);
	return t->count == 1;
}

struct topology *topology_new(const struct topology_settings *s)
{
	struct topology *t = calloc(1, sizeof(*t));
	pthread_condattr_t monotonic;

	if (t == NULL)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	t->options = s->options;
	t->mode = s->url->mode;
	t->is_tls = s->url->is_tls;
	t->slot_count = t->mode == REDIS_CLUSTER ? SLOTS : 1;
	t->opened_ms = clock_mono_ms();
	t->orphaned_ms = t->opened_ms;
	t->journal = s->journal;
	t->router = s->router;
	t->hooks = s->hooks;
	fill_connection(t, s);
	if (!add_nodes(t, s))
		topology_free(&t);
	return t;
}

void topology_tick(struct topology *t, uint64_t now_ms)
{
	size_t count;

	topology_lock(t);
	count = t->count;
	topology_unlock(t);
	for (size_t i = 0; i < count; i++)
		upkeep_tick(t->nodes[i], now_ms);
	if (t->cluster != NULL)
		cluster_tick(t->cluster, now_ms);
	if (t->election != NULL)
		election_tick(t->election, now_ms);
}

void topology_end(struct topology *t)
{
	topology_lock(t);
	t->is_closing = true;
	topology_unlock(t);
	if (t->election != NULL)
		election_end(t->election);
	for (size_t i = 0; i < t->count; i++)
		node_end(t->nodes[i]);
	for (size_t i = 0; i < t->count; i++)
		node_join(t->nodes[i]);
}

bool topology_is_replaying(struct topology *t)
{
	bool is_replaying = false;

	topology_lock(t);
	for (size_t i = 0; i < t->count; i++)
		is_replaying |= t->nodes[i]->is_replaying;
	topology_unlock(t);
	return is_replaying;
}

void topology_free(struct topology **t)
{
	struct topology *old = *t;

	if (old == NULL)
		return;
	*t = NULL;
	topology_end(old);
	for (size_t i = 0; i < old->count; i++)
		node_free(&old->nodes[i]);
	cluster_free(&old->cluster);
	election_free(&old->election);
	pthread_mutex_destroy(&old->lock);
	pthread_cond_destroy(&old->changed);
	free(old);
}
