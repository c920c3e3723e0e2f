/* The topology for people and metrics. */

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "redis/election.h"
#include "redis/replica.h"
#include "redis/topology.h"

/* What a map or a Sentinel said of a node that cannot be asked itself holds for so long: Sentinels list theirs every 10 s
 * or so. */
#define ROLE_MS 30000U

static bool is_connected(const struct node *n)
{
	return node_ready_count(n) > 0 || (n->replica != NULL && connection_is_ready(replica_reader(n->replica)));
}

/* Its own word counts while it can be asked; a primary that has died, and was replaced, is nothing that anybody knows. */
static const char *role_name(const struct node *n, uint64_t now_ms)
{
	if (n->slots > 0)
		return n->info.role == ROLE_REPLICA ? "replica" : "primary";
	if (node_ready_count(n) > 0 && n->info.role != ROLE_UNKNOWN)
		return n->info.role == ROLE_REPLICA ? "replica" : "primary";
	if (n->primary != NULL && (is_connected(n) || (n->replica_ms != 0 && now_ms < n->replica_ms + ROLE_MS)))
		return "replica";
	return "unknown";
}

static uint32_t wanted_connections(const struct node *n)
{
	switch (n->want) {
	case NODE_OPEN:
	case NODE_URGENT:
		return n->count;
	case NODE_INQUIRED:
		return 1;
	default:
		return node_ready_count(n);
	}
}

static void describe_connections(const struct topology *t, const struct node *n, struct store_node *ret)
{
	const char *wrong_kind = topology_wrong_kind(t, n);
	struct connection_failure failure;
	connection *reader = n->replica == NULL ? NULL : replica_reader(n->replica);

	ret->connections = wanted_connections(n);
	ret->connections_ready = node_ready_count(n);
	if (reader != NULL && n->primary != NULL && n->slots == 0) {
		ret->connections++;
		ret->connections_ready += connection_is_ready(reader);
	}
	_Static_assert(sizeof(ret->error) == sizeof(failure.error), "an error fits");
	if (ret->connections > 0 && ret->connections_ready == 0 && node_last_failure(n, &failure))
		memcpy(ret->error, failure.error, sizeof(ret->error));
	else if (ret->connections_ready > 0 && wrong_kind != NULL)
		(void)snprintf(ret->error, sizeof(ret->error), "%s", wrong_kind);
}

static void describe_locked(const struct topology *t, const struct node *n, uint64_t now_ms, struct store_node *ret)
{
	struct connection_view view;

	_Static_assert(sizeof(ret->version) == REDIS_VERSION_BYTES, "a version fits");
	node_look(n, now_ms, &view);
	*ret = (struct store_node){
	    .slots = n->slots * (SLOTS / t->slot_count),
	    .in_flight = view.in_flight,
	    .commands = view.commands,
	    .errors = view.errors,
	    .timeouts = view.timeouts,
	    .breaker_opened = n->breaker.opened_total,
	    .reconnects = view.connects > n->count ? view.connects - n->count : 0,
	};
	describe_connections(t, n, ret);
	(void)snprintf(ret->address, sizeof(ret->address), "%s", topology_name_of(n));
	(void)snprintf(ret->role, sizeof(ret->role), "%s", role_name(n, now_ms));
	(void)snprintf(ret->state, sizeof(ret->state), "%s", term_name(node_term(n)));
	(void)snprintf(ret->breaker, sizeof(ret->breaker), "%s", breaker_state_name(n->breaker.state));
	memcpy(ret->version, n->info.version, sizeof(ret->version));
	if (n->replica != NULL)
		ret->has_lag = replica_lag(n->replica, now_ms, &ret->lag_ms);
}

/* A seed is a name for a server that the map has under its address. */
static bool is_known_otherwise_locked(const struct topology *t, const struct node *n)
{
	if (!n->is_seed || n->slots > 0 || n->primary != NULL)
		return false;
	for (size_t i = 0; i < t->count; i++) {
		const struct node *other = t->nodes[i];

		if (other != n && n->info.run_id[0] != '\0' && strcmp(other->info.run_id, n->info.run_id) == 0)
			return true;
	}
	return false;
}

/* ---- In which order ---- */

/* Whoever owns no slot, and follows nobody who does, comes last. */
#define NO_SLOT SLOTS

struct place {
	const struct node *node;
	uint32_t first_slot; /* of it, or of its primary */
	bool is_owner;
};

static uint32_t first_slot_of(struct topology *t, const struct node *n)
{
	for (uint32_t slot = 0; slot < t->slot_count && n->slots > 0; slot++) {
		if (topology_owner(t, (uint16_t)slot) == n)
			return slot;
	}
	return NO_SLOT;
}

static int compare(const void *left, const void *right)
{
	const struct place *a = left;
	const struct place *b = right;

	if (a->first_slot != b->first_slot)
		return a->first_slot < b->first_slot ? -1 : 1;
	if (a->is_owner != b->is_owner)
		return a->is_owner ? -1 : 1;
	return strcmp(topology_name_of(a->node), topology_name_of(b->node));
}

static size_t arrange_locked(struct topology *t, struct place *places)
{
	size_t count = 0;

	for (size_t i = 0; i < t->count; i++) {
		const struct node *n = t->nodes[i];
		const bool is_owner = n->slots > 0;

		if (is_known_otherwise_locked(t, n))
			continue;
		places[count++] = (struct place){
		    .node = n,
		    .is_owner = is_owner,
		    .first_slot = is_owner	       ? first_slot_of(t, n)
				  : n->primary != NULL ? first_slot_of(t, n->primary)
						       : NO_SLOT,
		};
	}
	qsort(places, count, sizeof(places[0]), compare);
	return count;
}

size_t topology_nodes(struct topology *t, struct store_node *ret, size_t max)
{
	const uint64_t now_ms = clock_mono_ms();
	struct place places[NODES_MAX];
	size_t count;

	topology_lock(t);
	count = arrange_locked(t, places);
	for (size_t i = 0; i < count && i < max; i++)
		describe_locked(t, places[i].node, now_ms, &ret[i]);
	topology_unlock(t);
	if (t->election != NULL)
		count += election_members(t->election, count < max ? ret + count : NULL, count < max ? max - count : 0);
	return count;
}

static bool is_ready_locked(const struct topology *t)
{
	uint32_t served = 0;

	for (size_t i = 0; i < t->count; i++)
		served += node_term(t->nodes[i]) == TERM_SERVING ? t->nodes[i]->slots : 0;
	return 2 * served >= t->slot_count;
}

void topology_get_state(struct topology *t, struct store_state *ret)
{
	*ret = (struct store_state){.mode = redis_mode_name(t->mode)};
	topology_lock(t);
	ret->is_ready = is_ready_locked(t);
	for (size_t i = 0; i < t->count; i++) {
		const struct node *n = t->nodes[i];

		if (n->info.version[0] != '\0' && (ret->version[0] == '\0' || n->slots > 0))
			memcpy(ret->version, n->info.version, sizeof(ret->version));
	}
	topology_unlock(t);
}

bool topology_wait_ready(struct topology *t, uint32_t timeout_ms)
{
	const uint64_t until_ms = clock_mono_ms() + timeout_ms;
	const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
				       .tv_nsec = (long)(until_ms % 1000) * 1000000};
	bool is_ready;

	topology_lock(t);
	while (!(is_ready = is_ready_locked(t)))
		if (pthread_cond_timedwait(&t->changed, &t->lock, &until) != 0)
			break;
	topology_unlock(t);
	return is_ready;
}
