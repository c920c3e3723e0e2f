/* The Server service: what the server says of itself. */

#include "latchkey/v1/server.pb-c.h"

#include "base/metrics.h"
#include "rpc/messages.h"
#include "rpc/methods.h"
#include "rpc/server.h"
#include "rpc/text.h"

/* As many servers as the store keeps in mind, and Sentinels besides; server.proto states it. */
#define REDIS_NODES_MAX 300
/* One in a reply: its texts, and 24 bytes for each of 16 fields (tag, length or number) and for the node itself. */
#define REDIS_NODE_BYTES_MAX (sizeof(struct store_node) + (size_t)17 * 24)
#define REDIS_SLOTS	     16384

_Static_assert(REDIS_NODES_MAX *REDIS_NODE_BYTES_MAX < RPC_REPLY_BYTES_MAX / 2, "all of them fit into a reply");

/* A copy: what the store says of itself is on our stack. */
static ProtobufCBinaryData text_copy(arena *a, const char *text)
{
	span s = SPAN_EMPTY;

	return arena_copy(a, span_str(text), &s) ? message_bytes(s) : message_bytes(SPAN_EMPTY);
}

/* Those of which the caller may know. */
static bool realm_names(const struct call *call, const struct realms *realms, Latchkey__V1__ServerInfoResponse *m)
{
	const struct caller *caller = call->group->caller;
	ProtobufCBinaryData *names = arena_array(call->env.arena, realms->count, sizeof(*names));

	if (names == NULL)
		return false;
	for (size_t i = 0; i < realms->count; i++)
		if (caller == NULL || caller_knows_realm(caller, realms->realms[i].name))
			names[m->n_realms++] = message_bytes(realms->realms[i].name);
	m->realms = names;
	return true;
}

enum status_code server_info_plan(struct call *call, struct status *st)
{
	struct core *core = call->group->core;
	Latchkey__V1__ServerInfoResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct store_state state = {0};

	if (m == NULL)
		return call_no_memory(st);
	latchkey__v1__server_info_response__init(m);
	store_get_state(core->options.store, &state);
	MESSAGE_SET(m, version, message_bytes(SPAN_LIT(LK_VERSION)));
	MESSAGE_SET(m, protocol, RPC_PROTOCOL);
	MESSAGE_SET(m, instance, message_bytes(span_str(core->instance)));
	MESSAGE_SET(m, started_at_ms, core->started_at_ms);
	MESSAGE_SET(m, store_mode, text_copy(call->env.arena, state.mode));
	MESSAGE_SET(m, store_ready, state.is_ready);
	MESSAGE_SET(m, store_version, text_copy(call->env.arena, state.version));
	MESSAGE_SET(m, draining, atomic_load(&core->is_draining));
	if (!realm_names(call, core->options.realms, m))
		return call_no_memory(st);
	call->response = &m->base;
	return STATUS_OK;
}

static Latchkey__V1__AtCap at_cap_of(const struct session_policy *policy)
{
	switch (policy->at_cap) {
	case AT_CAP_REFUSE:
		return LATCHKEY__V1__AT_CAP__REFUSE;
	case AT_CAP_EVICT_LRU:
		return LATCHKEY__V1__AT_CAP__EVICT_LEAST_RECENTLY_USED;
	case AT_CAP_EVICT_OLDEST:
		break;
	}
	return LATCHKEY__V1__AT_CAP__EVICT_OLDEST;
}

static void fill_policy(const struct session_policy *from, Latchkey__V1__ServerPolicyResponse *m)
{
	MESSAGE_SET(m, idle_timeout_s, from->idle_timeout_s);
	MESSAGE_SET(m, absolute_timeout_s, from->absolute_timeout_s);
	MESSAGE_SET(m, sessions_max, from->sessions_max);
	MESSAGE_SET(m, at_cap, at_cap_of(from));
	MESSAGE_SET(m, tombstone_s, from->tombstone_s);
	MESSAGE_SET(m, touch_interval_s, from->touch_interval_s);
	MESSAGE_SET(m, grace_s, from->grace_s);
	MESSAGE_SET(m, privileged_s, from->privileged_s);
}

static bool fill_tiers(arena *a, const struct profile_policy *from, Latchkey__V1__ServerPolicyResponse *m)
{
	Latchkey__V1__ProfileTier *each = arena_array(a, from->tier_count, sizeof(*each));
	Latchkey__V1__ProfileTier **all = arena_array(a, from->tier_count, sizeof(Latchkey__V1__ProfileTier *));

	if (each == NULL || all == NULL)
		return false;
	for (size_t i = 0; i < from->tier_count; i++) {
		latchkey__v1__profile_tier__init(&each[i]);
		MESSAGE_SET(&each[i], name, message_bytes(from->tiers[i].name));
		MESSAGE_SET(&each[i], ttl_s, from->tiers[i].ttl_s);
		all[i] = &each[i];
	}
	m->n_profile_tiers = from->tier_count;
	m->profile_tiers = all;
	return true;
}

static bool fill_realm(arena *a, const struct realm *from, Latchkey__V1__ServerPolicyResponse *m)
{
	MESSAGE_SET(m, realm, message_bytes(from->name));
	MESSAGE_SET(m, events, from->has_events);
	MESSAGE_SET(m, wait_replicas, from->wait_replicas);
	MESSAGE_SET(m, wait_ms, from->wait_ms == 0 ? WAIT_MS_DEFAULT : from->wait_ms);
	MESSAGE_SET(m, profile_jitter_percent, from->profiles.jitter_percent);
	MESSAGE_SET(m, profile_changes, from->profiles.has_changes);
	MESSAGE_SET(m, profile_changes_max, from->profiles.changes_max);
	MESSAGE_SET(m, visitors_hour_retention_h, from->visitors.hour_retention_h);
	MESSAGE_SET(m, visitors_day_retention_d, from->visitors.day_retention_d);
	MESSAGE_SET(m, auth_ttl_s, from->auth.ttl_s);
	MESSAGE_SET(m, auth_negative_ttl_s, from->auth.negative_ttl_s);
	MESSAGE_SET(m, auth_stale_s, from->auth.stale_s);
	MESSAGE_SET(m, auth_jitter_percent, from->auth.jitter_percent);
	MESSAGE_SET(m, auth_lease_ms, from->auth.lease_ms);
	MESSAGE_SET(m, auth_early_percent, from->auth.early_percent);
	return fill_tiers(a, &from->profiles, m);
}

enum status_code server_policy_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__ServerPolicyRequest *request = REQUEST(ServerPolicyRequest, call);
	const span wanted = MESSAGE_SPAN(request, session_class);
	Latchkey__V1__ServerPolicyResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	const struct session_class *class;

	if (call_use_realm(call, request->has_realm, request->realm, st) != STATUS_OK)
		return st->code;
	class = session_class_find(call->env.realm, wanted);
	if (class == NULL)
		return status_set(st, STATUS_NOT_FOUND, "the realm has no session class \"%s\"",
				  text_quote(wanted).chars);
	if (m == NULL)
		return call_no_memory(st);
	latchkey__v1__server_policy_response__init(m);
	MESSAGE_SET(m, session_class, message_bytes(class->name));
	fill_policy(&class->policy, m);
	if (!fill_realm(call->env.arena, call->env.realm, m))
		return call_no_memory(st);
	call->response = &m->base;
	return STATUS_OK;
}

static void fill_counter(span name, uint64_t value, const char *help, Latchkey__V1__Counter *to)
{
	latchkey__v1__counter__init(to);
	MESSAGE_SET(to, name, message_bytes(name));
	MESSAGE_SET(to, value, value);
	MESSAGE_SET(to, help, message_bytes(span_str(help)));
}

static bool is_counted(size_t realm)
{
	for (size_t i = 0; i < REALM_METRICS; i++)
		if (realm_metric_get((enum realm_metric)i, realm) > 0)
			return true;
	return false;
}

/* Of realms in which nothing was counted nothing is told, for there may be a thousand; nor of those of which the caller may
 * not know. */
static bool is_told(const struct call *call, size_t realm)
{
	const struct caller *caller = call->group->caller;

	return is_counted(realm) &&
	       (caller == NULL || caller_knows_realm(caller, call->group->core->options.realms->realms[realm].name));
}

static size_t count_counters(const struct call *call)
{
	const struct realms *realms = call->group->core->options.realms;
	size_t count = METRICS;

	for (size_t r = 0; r < realms->count; r++)
		count += is_told(call, r) ? REALM_METRICS : 0;
	return count;
}

/* Fills at most `room`: another thread may count in a realm for the first time. False: no memory. */
static bool fill_realm_counters(const struct call *call, Latchkey__V1__Counter *to, size_t room, size_t *ret_count)
{
	const struct realms *realms = call->group->core->options.realms;
	arena *a = call->env.arena;
	size_t count = 0;

	for (size_t r = 0; r < realms->count; r++) {
		const size_t told = is_told(call, r) ? REALM_METRICS : 0;

		for (size_t i = 0; i < told && count < room; i++) {
			const enum realm_metric m = (enum realm_metric)i;
			const span name = arena_printf(a, "%s{realm=\"%.*s\"}", realm_metric_name(m),
						       SPAN_FMT(realms->realms[r].name));

			if (name.len == 0)
				return false;
			fill_counter(name, realm_metric_get(m, r), realm_metric_help(m), &to[count++]);
		}
	}
	*ret_count = count;
	return true;
}

enum status_code server_stats_plan(struct call *call, struct status *st)
{
	const size_t room = count_counters(call);
	arena *a = call->env.arena;
	Latchkey__V1__ServerStatsResponse *m = arena_alloc(a, sizeof(*m));
	Latchkey__V1__Counter *counters = arena_array(a, room, sizeof(*counters));
	Latchkey__V1__Counter **all = arena_array(a, room, sizeof(Latchkey__V1__Counter *));
	size_t count = 0;

	if (m == NULL || counters == NULL || all == NULL ||
	    !fill_realm_counters(call, counters + METRICS, room - METRICS, &count))
		return call_no_memory(st);
	latchkey__v1__server_stats_response__init(m);
	for (size_t i = 0; i < METRICS; i++)
		fill_counter(span_str(metric_name((enum metric)i)), metric_get((enum metric)i),
			     metric_help((enum metric)i), &counters[i]);
	m->n_counters = METRICS + count;
	for (size_t i = 0; i < m->n_counters; i++)
		all[i] = &counters[i];
	m->counters = all;
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code server_methods_plan(struct call *call, struct status *st)
{
	const size_t count = method_count();
	arena *a = call->env.arena;
	Latchkey__V1__ServerMethodsResponse *m = arena_alloc(a, sizeof(*m));
	Latchkey__V1__MethodInfo *methods = arena_array(a, count, sizeof(*methods));
	Latchkey__V1__MethodInfo **all = arena_array(a, count, sizeof(Latchkey__V1__MethodInfo *));

	if (m == NULL || methods == NULL || all == NULL)
		return call_no_memory(st);
	latchkey__v1__server_methods_response__init(m);
	for (size_t i = 0; i < count; i++) {
		const struct method *row = method_at(i);

		latchkey__v1__method_info__init(&methods[i]);
		MESSAGE_SET(&methods[i], path, message_bytes(row->path));
		MESSAGE_SET(&methods[i], served, row->plan != NULL);
		MESSAGE_SET(&methods[i], mutating, row->is_mutating);
		MESSAGE_SET(&methods[i], request, message_bytes(span_str(row->request->name)));
		MESSAGE_SET(&methods[i], response, message_bytes(span_str(row->response->name)));
		all[i] = &methods[i];
	}
	m->n_methods = count;
	m->methods = all;
	call->response = &m->base;
	return STATUS_OK;
}

/* Borrows the texts. */
static void fill_node(const struct store_node *from, Latchkey__V1__RedisNode *to)
{
	latchkey__v1__redis_node__init(to);
	MESSAGE_SET(to, address, message_bytes(span_str(from->address)));
	MESSAGE_SET(to, role, message_bytes(span_str(from->role)));
	MESSAGE_SET(to, state, message_bytes(span_str(from->state)));
	MESSAGE_SET(to, version, message_bytes(span_str(from->version)));
	MESSAGE_SET(to, slots, from->slots);
	MESSAGE_SET(to, connections, from->connections);
	MESSAGE_SET(to, connections_ready, from->connections_ready);
	MESSAGE_SET(to, in_flight, from->in_flight);
	to->has_lag_ms = from->has_lag;
	to->lag_ms = from->lag_ms;
	MESSAGE_SET(to, breaker, message_bytes(span_str(from->breaker)));
	MESSAGE_SET(to, breaker_opened, from->breaker_opened);
	MESSAGE_SET(to, commands, from->commands);
	MESSAGE_SET(to, errors, from->errors);
	MESSAGE_SET(to, timeouts, from->timeouts);
	MESSAGE_SET(to, reconnects, from->reconnects);
	MESSAGE_SET(to, error, message_bytes(span_str(from->error)));
}

static bool fill_nodes(arena *a, const struct store_node *nodes, size_t count, Latchkey__V1__ServerRedisResponse *m)
{
	Latchkey__V1__RedisNode *each = arena_array(a, count, sizeof(*each));
	Latchkey__V1__RedisNode **all = arena_array(a, count, sizeof(Latchkey__V1__RedisNode *));

	if (each == NULL || all == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		fill_node(&nodes[i], &each[i]);
		all[i] = &each[i];
	}
	m->n_nodes = count;
	m->nodes = all;
	return true;
}

static void sum_up(const struct store_node *nodes, size_t count, Latchkey__V1__ServerRedisResponse *m)
{
	uint32_t primaries = 0;
	uint32_t serving = 0;
	uint32_t slots = 0;

	for (size_t i = 0; i < count; i++) {
		const bool is_serving = strcmp(nodes[i].state, "serving") == 0;

		if (nodes[i].slots == 0)
			continue;
		primaries++;
		serving += is_serving;
		slots += is_serving ? nodes[i].slots : 0;
	}
	MESSAGE_SET(m, primaries, primaries);
	MESSAGE_SET(m, primaries_serving, serving);
	MESSAGE_SET(m, slots, REDIS_SLOTS);
	MESSAGE_SET(m, slots_served, slots < REDIS_SLOTS ? slots : REDIS_SLOTS);
}

enum status_code server_redis_plan(struct call *call, struct status *st)
{
	const struct store *store = call->group->core->options.store;
	arena *a = call->env.arena;
	Latchkey__V1__ServerRedisResponse *m = arena_alloc(a, sizeof(*m));
	struct store_node *nodes = arena_array(a, REDIS_NODES_MAX, sizeof(*nodes));
	struct store_state state = {0};
	size_t known, count;

	if (m == NULL || nodes == NULL)
		return call_no_memory(st);
	latchkey__v1__server_redis_response__init(m);
	known = store_nodes(store, nodes, REDIS_NODES_MAX);
	count = known < REDIS_NODES_MAX ? known : REDIS_NODES_MAX;
	store_get_state(store, &state);
	MESSAGE_SET(m, mode, text_copy(a, state.mode));
	MESSAGE_SET(m, ready, state.is_ready);
	MESSAGE_SET(m, nodes_known, (uint32_t)known);
	MESSAGE_SET(m, journal_entries, state.journal_entries);
	MESSAGE_SET(m, journal_bytes, state.journal_bytes);
	MESSAGE_SET(m, pending, state.pending);
	sum_up(nodes, count, m);
	if (!fill_nodes(a, nodes, count, m))
		return call_no_memory(st);
	call->response = &m->base;
	return STATUS_OK;
}
