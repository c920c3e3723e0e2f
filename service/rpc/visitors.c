/* The Visitors service. A count has a task for each counter; the one that is done last goes on with the union. */

#include "latchkey/v1/visitors.pb-c.h"

#include "base/metrics.h"
#include "rpc/messages.h"
#include "rpc/methods.h"
#include "visitors/visitors.h"

_Static_assert(VISITORS_RECORD_MAX <= FRAME_IDS_MAX, "a frame carries as many ids as may be sent");
_Static_assert(VISITORS_COUNTERS_MAX <= FRAME_REPEATED_MAX, "and as many counters");

enum status_code visitors_record_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__RecordVisitorsRequest *m = REQUEST(RecordVisitorsRequest, call);
	struct visitor_record_request req = {.counter = MESSAGE_SPAN(m, counter), .id_count = m->n_ids};
	struct task *task = ONE_TASK(call, m, st);

	if (task == NULL)
		return st->code;
	if (!message_read_spans(call->env.arena, m->ids, m->n_ids, &req.ids))
		return call_no_memory(st);
	req.at_ms = MESSAGE_NUMBER(m, at_ms);
	return visitor_record_plan(&call->env, &req, &task->plan, st);
}

enum status_code visitors_record_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__RecordVisitorsResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct visitor_record_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (visitor_record_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	metric_add(METRIC_VISITORS_RECORDED, REQUEST(RecordVisitorsRequest, call)->n_ids);
	latchkey__v1__record_visitors_response__init(m);
	MESSAGE_SET(m, changed, result.changed);
	call->response = &m->base;
	return STATUS_OK;
}

static bool read_count(struct call *call, const Latchkey__V1__CountVisitorsRequest *m,
		       struct visitor_count_request *ret)
{
	ret->counter_count = m->n_counters;
	ret->bucket = m->has_bucket ? (enum visitors_bucket)m->bucket : VISITORS_DAY;
	ret->from_ms = MESSAGE_NUMBER(m, from_ms);
	ret->to_ms = MESSAGE_NUMBER(m, to_ms);
	return message_read_spans(call->env.arena, m->counters, m->n_counters, &ret->counters);
}

enum status_code visitors_count_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__CountVisitorsRequest *m = REQUEST(CountVisitorsRequest, call);
	struct visitor_count_request *req = arena_alloc(call->env.arena, sizeof(*req));
	struct visitor_count *whole = arena_alloc(call->env.arena, sizeof(*whole));
	struct task *tasks;

	if (USE_REALM(call, m, st) != STATUS_OK)
		return st->code;
	if (req == NULL || whole == NULL || !read_count(call, m, req))
		return call_no_memory(st);
	if (visitor_count_start(&call->env, req, whole, st) != STATUS_OK)
		return st->code;
	tasks = call_tasks(call, req->counter_count);
	if (tasks == NULL)
		return call_no_memory(st);
	call->shared = whole;
	call_hold(call, req->counter_count * VISITORS_REGISTERS_BYTES_MAX);
	for (size_t i = 0; i < req->counter_count; i++)
		if (visitor_count_plan(&call->env, whole, i, &tasks[i].plan, st) != STATUS_OK)
			return st->code;
	return STATUS_OK;
}

enum status_code visitors_count_answer(struct call *call, struct task *task, const struct store_reply *reply,
				       enum plan_next *ret_next, struct status *st)
{
	struct visitor_count *whole = call->shared;
	Latchkey__V1__CountVisitorsResponse *m;

	if (visitor_count_answer(&call->env, whole, &task->plan, reply, ret_next, st) != STATUS_OK)
		return st->code;
	if (!whole->is_done)
		return STATUS_OK;
	m = arena_alloc(call->env.arena, sizeof(*m));
	if (m == NULL)
		return call_no_memory(st);
	metric_add(METRIC_VISITORS_COUNTED, 1);
	latchkey__v1__count_visitors_response__init(m);
	MESSAGE_SET(m, count, whole->count);
	MESSAGE_SET(m, buckets, whole->buckets);
	call->response = &m->base;
	return STATUS_OK;
}
