/* The AuthCache service. A call has one task for the answer and one for each group that it depends on; the reply that
 * comes last decides. */

#include "latchkey/v1/auth_cache.pb-c.h"

#include "auth/auth.h"
#include "base/metrics.h"
#include "rpc/messages.h"
#include "rpc/methods.h"
#include "session/not_before.h"

/* So that who waits is answered before he gives up; as with a Watch. */
#define WAIT_MARGIN_MS_MAX 500U

static void count(const struct call *call, enum realm_metric m)
{
	const struct realms *realms = call->group->core->options.realms;

	realm_metric_add(m, (size_t)(call->env.realm - realms->realms), 1);
}

static enum status_code use_plans(struct call *call, const struct plan *plans, size_t count, struct status *st)
{
	struct task *tasks = call_tasks(call, count);

	if (tasks == NULL)
		return call_no_memory(st);
	for (size_t i = 0; i < count; i++)
		tasks[i].plan = plans[i];
	return STATUS_OK;
}

/* ---- Lookup ---- */

static uint32_t wait_of(const struct call *call, const Latchkey__V1__LookupAuthRequest *m)
{
	const uint32_t eighth_ms = call->timeout_ms / 8;
	const uint32_t max_ms = call->timeout_ms - (eighth_ms < WAIT_MARGIN_MS_MAX ? eighth_ms : WAIT_MARGIN_MS_MAX);
	const uint32_t wanted_ms = MESSAGE_NUMBER(m, wait_ms);

	return wanted_ms < max_ms ? wanted_ms : max_ms;
}

enum status_code auth_cache_lookup_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__LookupAuthRequest *m = REQUEST(LookupAuthRequest, call);
	struct auth_lookup_request req = {.subject = MESSAGE_SPAN(m, subject), .key = MESSAGE_SPAN(m, key)};
	struct plan plans[AUTH_PLANS_MAX];
	size_t plan_count;

	if (USE_REALM(call, m, st) != STATUS_OK)
		return st->code;
	if (!message_read_spans(call->env.arena, m->groups, m->n_groups, &req.groups))
		return call_no_memory(st);
	req.group_count = m->n_groups;
	req.wait_ms = wait_of(call, m);
	req.lease_ms = MESSAGE_NUMBER(m, lease_ms);
	req.no_lease = m->has_no_lease && m->no_lease;
	req.realm_revoked_ms = not_before_of(call->env.not_before, call->env.realm);
	req.is_realm_unknown = !not_before_is_confirmed(call->env.not_before, call->env.realm, call->env.mono_ms);
	if (m->has_lease_ms && m->lease_ms == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "lease_ms is 0: leave it out for the realm's");
	if (auth_lookup_plan(&call->env, &req, plans, &plan_count, st) != STATUS_OK)
		return st->code;
	return use_plans(call, plans, plan_count, st);
}

static void count_lookup(const struct call *call, const struct auth_lookup_result *r)
{
	static const enum realm_metric by_state[] = {
	    [AUTH_HIT] = REALM_METRIC_AUTH_HITS,	   [AUTH_STALE] = REALM_METRIC_AUTH_STALE,
	    [AUTH_NEGATIVE] = REALM_METRIC_AUTH_NEGATIVES, [AUTH_MISS] = REALM_METRIC_AUTH_MISSES,
	    [AUTH_WAIT] = REALM_METRIC_AUTH_WAITS_OVER,
	};

	count(call, by_state[r->state]);
	if (r->lease.len > 0)
		count(call, REALM_METRIC_AUTH_LEASES);
	if (r->is_early)
		count(call, REALM_METRIC_AUTH_EARLY);
	if (r->has_waited)
		count(call, REALM_METRIC_AUTH_WAITS);
	metric_add(METRIC_AUTH_UNREADABLE, r->is_unreadable ? 1 : 0);
}

static enum status_code respond(struct call *call, const struct auth_lookup_result *r, struct status *st)
{
	Latchkey__V1__LookupAuthResponse *m = arena_alloc(call->env.arena, sizeof(*m));

	if (m == NULL)
		return call_no_memory(st);
	count_lookup(call, r);
	latchkey__v1__lookup_auth_response__init(m);
	MESSAGE_SET(m, state, (Latchkey__V1__AuthState)r->state);
	if (r->state == AUTH_HIT || r->state == AUTH_STALE)
		MESSAGE_SET(m, answer, message_bytes(r->answer));
	if (r->lease.len > 0)
		MESSAGE_SET(m, lease, message_bytes(r->lease));
	if (r->expires_at_ms > 0)
		MESSAGE_SET(m, expires_at_ms, r->expires_at_ms);
	if (r->retry_after_ms > 0)
		MESSAGE_SET(m, retry_after_ms, r->retry_after_ms);
	if (r->is_early)
		MESSAGE_SET(m, early, true);
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code auth_cache_lookup_answer(struct call *call, struct task *task, const struct store_reply *reply,
					  enum plan_next *ret_next, struct status *st)
{
	struct auth_lookup_result result = {0};

	/* A drain has no patience with those who wait. Many that came at once were planned before any of them slept. */
	if (atomic_load(&call->group->core->is_stopping) || sleepers_is_full(call->group->core->sleepers))
		auth_lookup_hurry(&task->plan);
	if (auth_lookup_answer(&call->env, &task->plan, reply, ret_next, &result, st) != STATUS_OK)
		return st->code;
	if (*ret_next != PLAN_DONE || result.state == 0)
		return STATUS_OK;
	return respond(call, &result, st);
}

bool auth_cache_lookup_read_only(struct call *call, struct task *task)
{
	return auth_lookup_unleased(&call->env, &task->plan);
}

/* ---- Fill ---- */

enum status_code auth_cache_fill_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__FillAuthRequest *m = REQUEST(FillAuthRequest, call);
	struct auth_fill_request req = {
	    .subject = MESSAGE_SPAN(m, subject),
	    .key = MESSAGE_SPAN(m, key),
	    .lease = MESSAGE_SPAN(m, lease),
	    .is_negative = !m->has_answer,
	    .answer = MESSAGE_SPAN(m, answer),
	    .has_ttl = m->has_ttl_ms,
	    .ttl_ms = m->ttl_ms,
	    .has_load = m->has_load_ms,
	    .load_ms = m->load_ms,
	};
	struct plan plans[AUTH_PLANS_MAX];
	size_t plan_count;

	if (USE_REALM(call, m, st) != STATUS_OK)
		return st->code;
	req.realm_revoked_ms = not_before_of(call->env.not_before, call->env.realm);
	if (auth_fill_plan(&call->env, &req, plans, &plan_count, st) != STATUS_OK)
		return st->code;
	return use_plans(call, plans, plan_count, st);
}

enum status_code auth_cache_fill_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	struct auth_fill_result result = {0};
	Latchkey__V1__FillAuthResponse *m;

	(void)ret_next;
	if (auth_fill_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	if (!result.is_whole)
		return STATUS_OK;
	m = arena_alloc(call->env.arena, sizeof(*m));
	if (m == NULL)
		return call_no_memory(st);
	count(call, result.is_stored ? REALM_METRIC_AUTH_FILLS : REALM_METRIC_AUTH_FILLS_REFUSED);
	latchkey__v1__fill_auth_response__init(m);
	MESSAGE_SET(m, stored, result.is_stored);
	if (result.is_stored)
		MESSAGE_SET(m, expires_at_ms, result.expires_at_ms);
	call->response = &m->base;
	return STATUS_OK;
}

/* ---- Forget ---- */

enum status_code auth_cache_forget_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__ForgetAuthRequest *m = REQUEST(ForgetAuthRequest, call);
	const struct auth_forget_request req = {
	    .subject = MESSAGE_SPAN(m, subject), .key = MESSAGE_SPAN(m, key), .group = MESSAGE_SPAN(m, group)};
	struct plan plan;

	if (m->has_key && m->key.len == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "key: empty; leave it out to forget all of the subject's");
	if (USE_REALM(call, m, st) != STATUS_OK || auth_forget_plan(&call->env, &req, &plan, st) != STATUS_OK)
		return st->code;
	return use_plans(call, &plan, 1, st);
}

enum status_code auth_cache_forget_answer(struct call *call, struct task *task, const struct store_reply *reply,
					  enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__ForgetAuthResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct auth_forget_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (auth_forget_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	count(call, REALM_METRIC_AUTH_FORGETS);
	latchkey__v1__forget_auth_response__init(m);
	MESSAGE_SET(m, forgotten, result.is_forgotten);
	call->response = &m->base;
	return STATUS_OK;
}
