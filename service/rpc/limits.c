/* The Limits service. */

#include "latchkey/v1/limits.pb-c.h"

#include "base/metrics.h"
#include "limits/limits.h"
#include "rpc/messages.h"
#include "rpc/methods.h"

static uint32_t cost_of(const Latchkey__V1__CheckLimitRequest *m)
{
	return m->has_cost ? m->cost : 1;
}

enum status_code limits_check_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__CheckLimitRequest *m = REQUEST(CheckLimitRequest, call);
	const struct limit_check_request req = {
	    .name = MESSAGE_SPAN(m, name),
	    .algorithm = m->has_algorithm ? (enum limit_algorithm)m->algorithm : LIMIT_GCRA,
	    .limit = MESSAGE_NUMBER(m, limit),
	    .per_ms = MESSAGE_NUMBER(m, per_ms),
	    .burst = MESSAGE_NUMBER(m, burst),
	    .cost = cost_of(m),
	};
	struct task *task = ONE_TASK(call, m, st);

	if (task == NULL)
		return st->code;
	return limit_check_plan(&call->env, &req, &task->plan, st);
}

enum status_code limits_check_answer(struct call *call, struct task *task, const struct store_reply *reply,
				     enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__CheckLimitResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct limit_check_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (limit_check_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	if (cost_of(REQUEST(CheckLimitRequest, call)) > 0)
		metric_add(result.allowed ? METRIC_LIMITS_ALLOWED : METRIC_LIMITS_REFUSED, 1);
	latchkey__v1__check_limit_response__init(m);
	MESSAGE_SET(m, allowed, result.allowed);
	MESSAGE_SET(m, remaining, result.remaining);
	MESSAGE_SET(m, retry_after_ms, result.retry_after_ms);
	MESSAGE_SET(m, reset_ms, result.reset_ms);
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code limits_reset_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__ResetLimitRequest *m = REQUEST(ResetLimitRequest, call);
	const struct limit_reset_request req = {
	    .name = MESSAGE_SPAN(m, name),
	    .algorithm = m->has_algorithm ? (enum limit_algorithm)m->algorithm : LIMIT_GCRA,
	};
	struct task *task = ONE_TASK(call, m, st);

	if (task == NULL)
		return st->code;
	return limit_reset_plan(&call->env, &req, &task->plan, st);
}

enum status_code limits_reset_answer(struct call *call, struct task *task, const struct store_reply *reply,
				     enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__ResetLimitResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct limit_reset_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (limit_reset_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	latchkey__v1__reset_limit_response__init(m);
	MESSAGE_SET(m, existed, result.existed);
	call->response = &m->base;
	return STATUS_OK;
}
