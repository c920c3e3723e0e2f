/* Sessions/Verify. */

#include "latchkey/v1/sessions.pb-c.h"

#include "rpc/messages.h"
#include "rpc/methods.h"

_Static_assert(VERIFY_TOKENS_MAX <= FRAME_REPEATED_MAX, "a frame carries as many tokens as may be sent");

enum status_code sessions_verify_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__VerifySessionsRequest *m = REQUEST(VerifySessionsRequest, call);
	struct task *task;
	struct session_verify_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	if (!message_read_spans(call->env.arena, m->tokens, m->n_tokens, &req->tokens))
		return call_no_memory(st);
	req->user = MESSAGE_SPAN(m, user);
	req->token_count = m->n_tokens;
	return session_verify_plan(&call->env, req, &task->plan, st);
}

enum status_code sessions_verify_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__VerifySessionsResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct session_verify_result result = {0};

	if (m == NULL)
		return call_no_memory(st);
	if (session_verify_answer(&call->env, &task->plan, reply, ret_next, &result, st) != STATUS_OK)
		return st->code;
	if (*ret_next == PLAN_AGAIN)
		return STATUS_OK;
	latchkey__v1__verify_sessions_response__init(m);
	MESSAGE_SET(m, sessions, result.sessions);
	MESSAGE_SET(m, dangling, result.dangling);
	MESSAGE_SET(m, wrong_score, result.wrong_score);
	MESSAGE_SET(m, missing, result.missing);
	call->response = &m->base;
	return STATUS_OK;
}
