/* The changes of a realm's profiles, for those who write them elsewhere. */

#include "base/clock.h"
#include "base/log.h"
#include "rpc/profiles.h"

static ProtobufCBinaryData *byte_strings(arena *a, const span *from, size_t count)
{
	ProtobufCBinaryData *out = arena_array(a, count, sizeof(*out));

	for (size_t i = 0; out != NULL && i < count; i++)
		out[i] = message_bytes(from[i]);
	return out;
}

static Latchkey__V1__ProfileChange *change(arena *a, const struct profile_change *from)
{
	Latchkey__V1__ProfileChange *m = arena_alloc(a, sizeof(*m));

	if (m == NULL)
		return NULL;
	latchkey__v1__profile_change__init(m);
	MESSAGE_SET(m, id, message_bytes(from->id));
	MESSAGE_SET(m, kind, (Latchkey__V1__ProfileChangeKind)from->kind);
	MESSAGE_SET(m, user, message_bytes(from->user));
	MESSAGE_SET(m, version, from->version);
	MESSAGE_SET(m, created_at_ms, from->created_at_ms);
	MESSAGE_SET(m, at_ms, from->at_ms);
	MESSAGE_SET(m, deliveries, from->deliveries);
	m->n_set = from->set_count;
	m->set = profile_fields(a, from->set, from->set_count);
	m->n_removed = from->removed_count;
	m->removed = byte_strings(a, from->removed, from->removed_count);
	return m->set == NULL || m->removed == NULL ? NULL : m;
}

static void report_unreadable(struct call *call, uint32_t count)
{
	uint64_t held_back;

	if (count == 0 || !gate_pass(&call->group->core->unreadable_records, clock_mono_ms(), &held_back))
		return;
	log_event(LOG_WARN, "profile_changes_unreadable", LOG_SPAN("realm", call->env.realm->name),
		  LOG_UINT("changes", count), LOG_UINT("not_logged", held_back));
}

/* NULL: no memory. */
static Latchkey__V1__ProfileChange **changes(struct call *call, const struct profile_changes_result *result)
{
	Latchkey__V1__ProfileChange **out =
	    arena_array(call->env.arena, result->count, sizeof(Latchkey__V1__ProfileChange *));

	report_unreadable(call, result->unreadable);
	for (size_t i = 0; out != NULL && i < result->count; i++) {
		out[i] = change(call->env.arena, &result->changes[i]);
		if (out[i] == NULL)
			return NULL;
	}
	return out;
}

enum status_code profiles_changes_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__ProfileChangesRequest *m = REQUEST(ProfileChangesRequest, call);
	struct task *task = ONE_TASK(call, m, st);
	const struct profile_changes_request req = {
	    .group = MESSAGE_SPAN(m, group),
	    .consumer = MESSAGE_SPAN(m, consumer),
	    .max = m->has_max ? m->max : CHANGES_DEFAULT,
	    .redeliver_ms = m->has_redeliver_ms ? m->redeliver_ms : CHANGE_REDELIVER_MS,
	    .deliveries_max = m->has_deliveries_max ? m->deliveries_max : CHANGE_DELIVERIES,
	};

	if (task == NULL)
		return st->code;
	return profile_changes_plan(&call->env, &req, &task->plan, st);
}

enum status_code profiles_changes_answer(struct call *call, struct task *task, const struct store_reply *reply,
					 enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__ProfileChangesResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct profile_changes_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (profile_changes_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	latchkey__v1__profile_changes_response__init(m);
	m->n_changes = result.count;
	m->changes = changes(call, &result);
	if (m->changes == NULL)
		return call_no_memory(st);
	MESSAGE_SET(m, died, result.died);
	MESSAGE_SET(m, behind, result.behind);
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code profiles_ack_changes_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__AckProfileChangesRequest *m = REQUEST(AckProfileChangesRequest, call);
	struct profile_ack_request req = {.group = MESSAGE_SPAN(m, group), .id_count = m->n_ids};
	struct task *task = ONE_TASK(call, m, st);

	if (task == NULL)
		return st->code;
	if (!message_read_spans(call->env.arena, m->ids, m->n_ids, &req.ids))
		return call_no_memory(st);
	return profile_ack_plan(&call->env, &req, &task->plan, st);
}

enum status_code profiles_ack_changes_answer(struct call *call, struct task *task, const struct store_reply *reply,
					     enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__AckProfileChangesResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	uint32_t acknowledged = 0;

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (profile_ack_answer(&call->env, &task->plan, reply, &acknowledged, st) != STATUS_OK)
		return st->code;
	latchkey__v1__ack_profile_changes_response__init(m);
	MESSAGE_SET(m, acknowledged, acknowledged);
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code profiles_dead_changes_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__DeadProfileChangesRequest *m = REQUEST(DeadProfileChangesRequest, call);
	struct task *task = ONE_TASK(call, m, st);
	const struct profile_dead_request req = {
	    .group = MESSAGE_SPAN(m, group),
	    .max = m->has_max ? m->max : CHANGES_DEFAULT,
	    .after = MESSAGE_SPAN(m, after),
	};

	if (task == NULL)
		return st->code;
	return profile_dead_plan(&call->env, &req, &task->plan, st);
}

enum status_code profiles_dead_changes_answer(struct call *call, struct task *task, const struct store_reply *reply,
					      enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__DeadProfileChangesResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct profile_changes_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (profile_dead_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	latchkey__v1__dead_profile_changes_response__init(m);
	m->n_changes = result.count;
	m->changes = changes(call, &result);
	if (m->changes == NULL)
		return call_no_memory(st);
	call->response = &m->base;
	return STATUS_OK;
}
