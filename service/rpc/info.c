/* The Server service: what the server says of itself. */

#include "latchkey/v1/server.pb-c.h"

#include "base/metrics.h"
#include "rpc/messages.h"
#include "rpc/methods.h"
#include "rpc/text.h"

/* A copy: what the store says of itself is on our stack. */
static ProtobufCBinaryData text_copy(arena *a, const char *text)
{
	span s = SPAN_EMPTY;

	return arena_copy(a, span_str(text), &s) ? message_bytes(s) : message_bytes(SPAN_EMPTY);
}

static bool realm_names(arena *a, const struct session_realms *realms, ProtobufCBinaryData **ret)
{
	ProtobufCBinaryData *names = arena_array(a, realms->count, sizeof(*names));

	if (names == NULL)
		return false;
	for (size_t i = 0; i < realms->count; i++)
		names[i] = message_bytes(realms->realms[i].name);
	*ret = names;
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
	if (!realm_names(call->env.arena, core->options.realms, &m->realms))
		return call_no_memory(st);
	m->n_realms = core->options.realms->count;
	call->response = &m->base;
	return STATUS_OK;
}

static Latchkey__V1__AtCap at_cap_of(const struct session_policy *policy)
{
	return policy->at_cap == AT_CAP_REFUSE ? LATCHKEY__V1__AT_CAP__REFUSE : LATCHKEY__V1__AT_CAP__EVICT_OLDEST;
}

enum status_code server_policy_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__ServerPolicyRequest *request = (const Latchkey__V1__ServerPolicyRequest *)call->request;
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
	MESSAGE_SET(m, realm, message_bytes(call->env.realm->name));
	MESSAGE_SET(m, session_class, message_bytes(class->name));
	MESSAGE_SET(m, idle_timeout_s, class->policy.idle_timeout_s);
	MESSAGE_SET(m, absolute_timeout_s, class->policy.absolute_timeout_s);
	MESSAGE_SET(m, sessions_max, class->policy.sessions_max);
	MESSAGE_SET(m, at_cap, at_cap_of(&class->policy));
	MESSAGE_SET(m, tombstone_s, class->policy.tombstone_s);
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code server_stats_plan(struct call *call, struct status *st)
{
	arena *a = call->env.arena;
	Latchkey__V1__ServerStatsResponse *m = arena_alloc(a, sizeof(*m));
	Latchkey__V1__Counter *counters = arena_array(a, METRICS, sizeof(*counters));
	Latchkey__V1__Counter **all = arena_array(a, METRICS, sizeof(Latchkey__V1__Counter *));

	if (m == NULL || counters == NULL || all == NULL)
		return call_no_memory(st);
	latchkey__v1__server_stats_response__init(m);
	for (size_t i = 0; i < METRICS; i++) {
		latchkey__v1__counter__init(&counters[i]);
		MESSAGE_SET(&counters[i], name, message_bytes(span_str(metric_name((enum metric)i))));
		MESSAGE_SET(&counters[i], value, metric_get((enum metric)i));
		MESSAGE_SET(&counters[i], help, message_bytes(span_str(metric_help((enum metric)i))));
		all[i] = &counters[i];
	}
	m->n_counters = METRICS;
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
