/* Sessions.RevokeRealm. */

#include "latchkey/v1/sessions.pb-c.h"

#include "base/metrics.h"
#include "rpc/messages.h"
#include "rpc/methods.h"

enum status_code sessions_revoke_realm_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__RevokeRealmRequest *m = REQUEST(RevokeRealmRequest, call);
	struct session_revoke_realm_request req = {.not_before_ms = MESSAGE_NUMBER(m, not_before_ms)};
	struct task *task = call_tasks(call, 1);

	if (!m->has_realm || m->realm.len == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "realm: must be named here, also if it is \"default\": all of its sessions end");
	if (call_use_realm(call, true, m->realm, st) != STATUS_OK)
		return st->code;
	if (task == NULL)
		return call_no_memory(st);
	return session_revoke_realm_plan(&call->env, &req, &task->plan, st);
}

enum status_code sessions_revoke_realm_answer(struct call *call, struct task *task, const struct store_reply *reply,
					      enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__RevokeRealmResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct session_revoke_realm_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (session_revoke_realm_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	metric_add(METRIC_REALMS_REVOKED, 1);
	latchkey__v1__revoke_realm_response__init(m);
	MESSAGE_SET(m, not_before_ms, result.not_before_ms);
	call->response = &m->base;
	return STATUS_OK;
}
