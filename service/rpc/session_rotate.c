/* Sessions/Rotate. */

#include "rpc/sessions.h"

enum status_code sessions_rotate_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__RotateSessionRequest *m = REQUEST(RotateSessionRequest, call);
	struct task *task;
	struct session_rotate_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	req->token = MESSAGE_SPAN(m, token);
	req->has_authentication = m->authentication != NULL;
	req->has_grace = m->has_grace_s;
	req->grace_s = MESSAGE_NUMBER(m, grace_s);
	if (message_read_authentication(m->authentication, &req->authentication, st) != STATUS_OK)
		return st->code;
	return session_rotate_plan(&call->env, req, &task->plan, st);
}

static Latchkey__V1__RotateSessionResponse *rotate_response(arena *a, const struct session_rotate_result *result)
{
	Latchkey__V1__RotateSessionResponse *m = arena_alloc(a, sizeof(*m));
	span token;

	if (m == NULL)
		return NULL;
	latchkey__v1__rotate_session_response__init(m);
	MESSAGE_SET(m, verdict, (Latchkey__V1__Verdict)result->outcome.verdict);
	MESSAGE_SET(m, reason, (Latchkey__V1__Reason)result->outcome.reason);
	if (result->outcome.revoked_at_ms > 0)
		MESSAGE_SET(m, revoked_at_ms, result->outcome.revoked_at_ms);
	if (result->outcome.verdict != VERDICT_VALID)
		return m;
	m->info = message_info(a, &result->info);
	if (m->info == NULL || !arena_copy(a, span_of(result->token, sizeof(result->token)), &token))
		return NULL;
	MESSAGE_SET(m, token, message_bytes(token));
	return m;
}

enum status_code sessions_rotate_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	struct session_rotate_result result = {0};
	Latchkey__V1__RotateSessionResponse *m;

	if (session_rotate_answer(&call->env, &task->plan, reply, ret_next, &result, st) != STATUS_OK)
		return st->code;
	if (*ret_next == PLAN_AGAIN)
		return STATUS_OK;
	if (sessions_check_settled(&result.outcome, st) != STATUS_OK)
		return st->code;
	sessions_count_outcome(call, &result.outcome, "");
	m = rotate_response(call->env.arena, &result);
	if (m == NULL)
		return call_no_memory(st);
	call->response = &m->base;
	return STATUS_OK;
}
