/* Put, Get, Update and Delete of the Profiles service: protobuf messages to plans, answers to protobuf messages. */

#include "rpc/profiles.h"

#include "base/metrics.h"

/* ---- Fields ---- */

static enum status_code read_fields(struct call *call, Latchkey__V1__ProfileField **from, size_t count,
				    const struct profile_field **ret, struct status *st)
{
	struct profile_field *out = arena_array(call->env.arena, count, sizeof(*out));

	if (out == NULL)
		return call_no_memory(st);
	for (size_t i = 0; i < count; i++) {
		if (from[i]->has_value == from[i]->has_number)
			return status_set(st, STATUS_INVALID_ARGUMENT,
					  "field %zu of the request has %s value and number: send one of them", i,
					  from[i]->has_value ? "both" : "neither");
		out[i].name = MESSAGE_SPAN(from[i], name);
		out[i].is_counter = from[i]->has_number;
		out[i].value = MESSAGE_SPAN(from[i], value);
		out[i].number = from[i]->has_number ? from[i]->number : 0;
	}
	*ret = out;
	return STATUS_OK;
}

static Latchkey__V1__ProfileField *field(arena *a, const struct profile_field *from)
{
	Latchkey__V1__ProfileField *m = arena_alloc(a, sizeof(*m));

	if (m == NULL)
		return NULL;
	latchkey__v1__profile_field__init(m);
	MESSAGE_SET(m, name, message_bytes(from->name));
	if (from->is_counter)
		MESSAGE_SET(m, number, from->number);
	else
		MESSAGE_SET(m, value, message_bytes(from->value));
	return m;
}

Latchkey__V1__ProfileField **profile_fields(arena *a, const struct profile_field *from, size_t count)
{
	Latchkey__V1__ProfileField **out = arena_array(a, count, sizeof(Latchkey__V1__ProfileField *));

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		out[i] = field(a, &from[i]);
		if (out[i] == NULL)
			return NULL;
	}
	return out;
}

static enum status_code read_increments(struct call *call, Latchkey__V1__ProfileIncrement **from, size_t count,
					const struct profile_increment **ret, struct status *st)
{
	struct profile_increment *out = arena_array(call->env.arena, count, sizeof(*out));

	if (out == NULL)
		return call_no_memory(st);
	for (size_t i = 0; i < count; i++)
		out[i] = (struct profile_increment){.name = MESSAGE_SPAN(from[i], name),
						    .by = from[i]->has_by ? from[i]->by : 1};
	*ret = out;
	return STATUS_OK;
}

/* ---- Put, Update, Delete ---- */

/* ABORTED comes with a result as well: the version that is stored. */
static enum status_code answer_change(struct call *call, struct task *task, const struct store_reply *reply,
				      enum plan_next *ret_next, struct profile_change_result *ret, struct status *st)
{
	const enum status_code code = profile_change_answer(&call->env, &task->plan, reply, ret_next, ret, st);

	if (code == STATUS_OK && *ret_next == PLAN_DONE)
		metric_add(METRIC_PROFILES_CHANGED, 1);
	if (code == STATUS_ABORTED)
		metric_add(METRIC_PROFILE_CONFLICTS, 1);
	return code;
}

enum status_code profiles_put_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__PutProfileRequest *m = REQUEST(PutProfileRequest, call);
	struct task *task;
	struct profile_change_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	if (read_fields(call, m->fields, m->n_fields, &req->set, st) != STATUS_OK)
		return st->code;
	req->kind = PROFILE_PUT;
	req->user = MESSAGE_SPAN(m, user);
	req->set_count = m->n_fields;
	req->has_expected_version = m->has_expected_version;
	req->expected_version = MESSAGE_NUMBER(m, expected_version);
	req->tier = MESSAGE_SPAN(m, tier);
	return profile_change_plan(&call->env, req, &task->plan, st);
}

enum status_code profiles_put_answer(struct call *call, struct task *task, const struct store_reply *reply,
				     enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__PutProfileResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct profile_change_result result = {0};
	enum status_code code;

	if (m == NULL)
		return call_no_memory(st);
	code = answer_change(call, task, reply, ret_next, &result, st);
	if ((code != STATUS_OK && code != STATUS_ABORTED) || *ret_next == PLAN_AGAIN)
		return code;
	latchkey__v1__put_profile_response__init(m);
	MESSAGE_SET(m, version, result.version);
	call->response = &m->base;
	return code;
}

enum status_code profiles_update_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__UpdateProfileRequest *m = REQUEST(UpdateProfileRequest, call);
	struct task *task;
	struct profile_change_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	if (!message_read_spans(call->env.arena, m->remove, m->n_remove, &req->remove))
		return call_no_memory(st);
	if (read_fields(call, m->set, m->n_set, &req->set, st) != STATUS_OK ||
	    read_increments(call, m->increment, m->n_increment, &req->increments, st) != STATUS_OK)
		return st->code;
	req->kind = PROFILE_UPDATE;
	req->user = MESSAGE_SPAN(m, user);
	req->set_count = m->n_set;
	req->remove_count = m->n_remove;
	req->increment_count = m->n_increment;
	req->has_expected_version = m->has_expected_version;
	req->expected_version = MESSAGE_NUMBER(m, expected_version);
	req->tier = MESSAGE_SPAN(m, tier);
	return profile_change_plan(&call->env, req, &task->plan, st);
}

enum status_code profiles_update_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__UpdateProfileResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct profile_change_result result = {0};
	enum status_code code;

	if (m == NULL)
		return call_no_memory(st);
	code = answer_change(call, task, reply, ret_next, &result, st);
	if ((code != STATUS_OK && code != STATUS_ABORTED) || *ret_next == PLAN_AGAIN)
		return code;
	latchkey__v1__update_profile_response__init(m);
	MESSAGE_SET(m, version, result.version);
	if (code == STATUS_OK) {
		m->n_counters = REQUEST(UpdateProfileRequest, call)->n_increment;
		m->counters = profile_fields(call->env.arena, result.counters, m->n_counters);
		if (m->counters == NULL)
			return call_no_memory(st);
	}
	call->response = &m->base;
	return code;
}

enum status_code profiles_delete_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__DeleteProfileRequest *m = REQUEST(DeleteProfileRequest, call);
	struct task *task;
	struct profile_change_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	req->kind = PROFILE_DELETE;
	req->user = MESSAGE_SPAN(m, user);
	req->has_expected_version = m->has_expected_version;
	req->expected_version = MESSAGE_NUMBER(m, expected_version);
	return profile_change_plan(&call->env, req, &task->plan, st);
}

enum status_code profiles_delete_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__DeleteProfileResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct profile_change_result result = {0};
	enum status_code code;

	if (m == NULL)
		return call_no_memory(st);
	code = answer_change(call, task, reply, ret_next, &result, st);
	if (code != STATUS_OK || *ret_next == PLAN_AGAIN)
		return code;
	latchkey__v1__delete_profile_response__init(m);
	MESSAGE_SET(m, deleted, result.existed);
	call->response = &m->base;
	return code;
}

/* ---- Get ---- */

enum status_code profiles_get_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__GetProfileRequest *m = REQUEST(GetProfileRequest, call);
	struct task *task;
	struct profile_get_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	if (!message_read_spans(call->env.arena, m->fields, m->n_fields, &req->fields))
		return call_no_memory(st);
	req->user = MESSAGE_SPAN(m, user);
	req->field_count = m->n_fields;
	req->staleness_ms = MESSAGE_NUMBER(m, staleness_ms);
	return profile_get_plan(&call->env, req, &task->plan, st);
}

enum status_code profiles_get_answer(struct call *call, struct task *task, const struct store_reply *reply,
				     enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__GetProfileResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct profile_get_result result = {0};

	if (m == NULL)
		return call_no_memory(st);
	if (profile_get_answer(&call->env, &task->plan, reply, ret_next, &result, st) != STATUS_OK)
		return st->code;
	if (*ret_next == PLAN_AGAIN)
		return STATUS_OK;
	metric_add(result.is_found ? METRIC_PROFILES_FOUND : METRIC_PROFILES_MISSING, 1);
	latchkey__v1__get_profile_response__init(m);
	MESSAGE_SET(m, found, result.is_found);
	if (result.is_found) {
		MESSAGE_SET(m, version, result.version);
		MESSAGE_SET(m, expires_at_ms, result.expires_at_ms);
		m->n_fields = result.field_count;
		m->fields = profile_fields(call->env.arena, result.fields, result.field_count);
		if (m->fields == NULL)
			return call_no_memory(st);
	}
	call->response = &m->base;
	return STATUS_OK;
}
