/* The Locks service. */

#include "latchkey/v1/locks.pb-c.h"

#include "auth/news.h"
#include "base/metrics.h"
#include "locks/locks.h"
#include "rpc/messages.h"
#include "rpc/methods.h"

/* Who waits for the whole of the call's time is to have the answer before it is over: an eighth of it is left. */
static uint32_t wait_of(const struct call *call, const Latchkey__V1__AcquireLockRequest *m)
{
	const uint32_t most_ms = call->timeout_ms - call->timeout_ms / 8;
	const uint32_t wanted_ms = MESSAGE_NUMBER(m, wait_ms);

	return wanted_ms < most_ms ? wanted_ms : most_ms;
}

enum status_code locks_acquire_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__AcquireLockRequest *m = REQUEST(AcquireLockRequest, call);
	const struct lock_acquire_request req = {
	    .name = MESSAGE_SPAN(m, name),
	    .ttl_ms = MESSAGE_NUMBER(m, ttl_ms),
	    .wait_ms = wait_of(call, m),
	};
	struct task *task = ONE_TASK(call, m, st);

	if (task == NULL)
		return st->code;
	if (lock_acquire_plan(&call->env, &req, &task->plan, st) != STATUS_OK)
		return st->code;
	/* No news is told of locks; those of the place's other keys cost a try. */
	task->plan.place = auth_news_place(task->plan.command.key);
	task->plan.seen = auth_news_count(call->env.auth_news, task->plan.place);
	return STATUS_OK;
}

enum status_code locks_acquire_answer(struct call *call, struct task *task, const struct store_reply *reply,
				      enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__AcquireLockResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct lock_acquire_result result = {0};

	if (m == NULL)
		return call_no_memory(st);
	/* The drain need not wait for a lock: its caller may go on waiting by another instance. */
	if (atomic_load(&call->group->core->is_stopping) || sleepers_is_full(call->group->core->sleepers))
		lock_acquire_wait_no_longer(&task->plan);
	if (lock_acquire_answer(&call->env, &task->plan, reply, ret_next, &result, st) != STATUS_OK)
		return st->code;
	if (*ret_next == PLAN_LATER) {
		metric_add(METRIC_LOCKS_WAITED, 1);
		return STATUS_OK;
	}
	metric_add(result.acquired ? METRIC_LOCKS_ACQUIRED : METRIC_LOCKS_BUSY, 1);
	latchkey__v1__acquire_lock_response__init(m);
	MESSAGE_SET(m, acquired, result.acquired);
	MESSAGE_SET(m, expires_at_ms, result.expires_at_ms);
	if (result.acquired) {
		MESSAGE_SET(m, owner, message_bytes(result.owner));
		MESSAGE_SET(m, fencing_token, result.fencing_token);
	} else {
		MESSAGE_SET(m, retry_after_ms, result.retry_after_ms);
	}
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code locks_extend_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__ExtendLockRequest *m = REQUEST(ExtendLockRequest, call);
	const struct lock_extend_request req = {
	    .name = MESSAGE_SPAN(m, name),
	    .owner = MESSAGE_SPAN(m, owner),
	    .ttl_ms = MESSAGE_NUMBER(m, ttl_ms),
	};
	struct task *task = ONE_TASK(call, m, st);

	if (task == NULL)
		return st->code;
	return lock_extend_plan(&call->env, &req, &task->plan, st);
}

enum status_code locks_extend_answer(struct call *call, struct task *task, const struct store_reply *reply,
				     enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__ExtendLockResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct lock_extend_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (lock_extend_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	metric_add(METRIC_LOCKS_LOST, result.held ? 0 : 1);
	latchkey__v1__extend_lock_response__init(m);
	MESSAGE_SET(m, held, result.held);
	if (result.held) {
		MESSAGE_SET(m, expires_at_ms, result.expires_at_ms);
		MESSAGE_SET(m, fencing_token, result.fencing_token);
	}
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code locks_release_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__ReleaseLockRequest *m = REQUEST(ReleaseLockRequest, call);
	const struct lock_release_request req = {.name = MESSAGE_SPAN(m, name), .owner = MESSAGE_SPAN(m, owner)};
	struct task *task = ONE_TASK(call, m, st);

	if (task == NULL)
		return st->code;
	return lock_release_plan(&call->env, &req, &task->plan, st);
}

enum status_code locks_release_answer(struct call *call, struct task *task, const struct store_reply *reply,
				      enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__ReleaseLockResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct lock_release_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (lock_release_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	metric_add(result.released ? METRIC_LOCKS_RELEASED : METRIC_LOCKS_LOST, 1);
	latchkey__v1__release_lock_response__init(m);
	MESSAGE_SET(m, released, result.released);
	call->response = &m->base;
	return STATUS_OK;
}
