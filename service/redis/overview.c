/* The topology for people and metrics. */

#include <stdio.h>

#include "base/clock.h"
#include "redis/election.h"
#include "redis/replica.h"
#include "redis/topology.h"

static const char *role_name(const struct node *n)
{
	if (n->info.role == ROLE_PRIMARY || n->slots > 0)
		return n->info.role == ROLE_REPLICA ? "replica" : "primary";
	return n->info.role == ROLE_REPLICA || n->primary != NULL ? "replica" : "unknown";
}

static void describe_locked(const struct topology *t, const struct node *n, uint64_t now_ms, struct store_node *ret)
{
	struct connection_view view;

	_Static_assert(sizeof(ret->version) == REDIS_VERSION_BYTES, "a version fits");
	node_look(n, now_ms, &view);
	*ret = (struct store_node){
	    .slots = n->slots * (SLOTS / t->slot_count),
	    .connections_ready = node_ready_count(n),
	    .connections = n->count,
	    .in_flight = view.in_flight,
	    .commands = view.commands,
	    .errors = view.errors,
	    .timeouts = view.timeouts,
	    .breaker_opened = n->breaker.opened_total,
	    .reconnects = view.connects > n->count ? view.connects - n->count : 0,
	};
	(void)snprintf(ret->address, sizeof(ret->address), "%s", topology_name_of(n));
	(void)snprintf(ret->role, sizeof(ret->role), "%s", role_name(n));
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

size_t topology_nodes(struct topology *t, struct store_node *ret, size_t max)
{
	const uint64_t now_ms = clock_mono_ms();
	size_t count = 0;

	topology_lock(t);
	for (size_t i = 0; i < t->count; i++) {
		if (is_known_otherwise_locked(t, t->nodes[i]))
			continue;
		if (count < max)
			describe_locked(t, t->nodes[i], now_ms, &ret[count]);
		count++;
	}
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
