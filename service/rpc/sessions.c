/* The Sessions service: protobuf messages to plans, answers to protobuf messages. Requests are built in the arena, for a
 * plan may keep its own until the answer. */

#include "latchkey/v1/sessions.pb-c.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "rpc/messages.h"
#include "rpc/methods.h"
#include "rpc/sessions.h"

/* Another instance learns of a planned failover by Sentinel up to 1.2 s later, and replays then: three attempts of a
 * caller reach over that. */
#define RETRY_AFTER_UNSETTLED_MS 500

static enum session_reason read_reason(bool is_given, Latchkey__V1__Reason reason)
{
	return is_given ? (enum session_reason)reason : REASON_NONE;
}

static void report_unreadable(struct call *call, const char *handle)
{
	uint64_t held_back;

	metric_add(METRIC_RECORDS_UNREADABLE, 1);
	if (!gate_pass(&call->group->core->unreadable_records, clock_mono_ms(), &held_back))
		return;
	log_event(LOG_WARN, "record_unreadable",
		  LOG_SPAN("handle", handle[0] == '\0' ? SPAN_LIT("unknown") : span_of(handle, HANDLE_CHARS)),
		  LOG_SPAN("realm", call->env.realm->name), LOG_UINT("not_logged", held_back));
}

void sessions_count_outcome(struct call *call, const struct session_outcome *o, const char *handle)
{
	if (o->reason == REASON_MALFORMED)
		metric_add(METRIC_TOKENS_MALFORMED, 1);
	if (o->reason == REASON_FORGED)
		metric_add(METRIC_TOKENS_FORGED, 1);
	if (o->reason == REASON_RETIRED_KEY)
		metric_add(METRIC_TOKENS_RETIRED, 1);
	if (o->reason == REASON_REALM_REVOKED)
		metric_add(METRIC_SESSIONS_REALM_REVOKED, 1);
	if (o->reason == REASON_UNREADABLE)
		report_unreadable(call, handle);
}

static void count_get(struct call *call, const struct session_get_result *result)
{
	static const enum metric by_verdict[] = {
	    [VERDICT_VALID] = METRIC_SESSIONS_VALID,
	    [VERDICT_INVALID] = METRIC_SESSIONS_INVALID,
	    [VERDICT_UNKNOWN] = METRIC_SESSIONS_UNKNOWN,
	};

	metric_add(by_verdict[result->outcome.verdict], 1);
	sessions_count_outcome(call, &result->outcome, result->info.handle);
}

enum status_code sessions_check_settled(const struct session_outcome *o, struct status *st)
{
	if (o->verdict != VERDICT_UNKNOWN || o->reason != REASON_NONE)
		return STATUS_OK;
	(void)status_set(st, STATUS_UNAVAILABLE,
			 "Redis has just changed its primary, and the session, which is new, may not have been brought "
			 "back yet: ask again");
	st->retry_after_ms = RETRY_AFTER_UNSETTLED_MS;
	return st->code;
}

/* ---- Create ---- */

enum status_code sessions_create_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__CreateSessionRequest *m = REQUEST(CreateSessionRequest, call);
	struct task *task;
	struct session_create_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	if (!message_read_attributes(call->env.arena, m->attributes, m->n_attributes, &req->attributes))
		return call_no_memory(st);
	req->user = MESSAGE_SPAN(m, user);
	req->class_name = MESSAGE_SPAN(m, session_class);
	req->attribute_count = m->n_attributes;
	req->idle_timeout_s = MESSAGE_NUMBER(m, idle_timeout_s);
	req->absolute_timeout_s = MESSAGE_NUMBER(m, absolute_timeout_s);
	req->is_anonymous = m->has_anonymous && m->anonymous;
	req->promoted = MESSAGE_SPAN(m, promote);
	message_read_device(m->device, &req->device);
	if (message_read_authentication(m->authentication, &req->authentication, st) != STATUS_OK)
		return st->code;
	return session_create_plan(&call->env, req, &task->plan, st);
}

enum status_code sessions_create_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	struct session_create_result *result = arena_alloc(call->env.arena, sizeof(*result));
	Latchkey__V1__CreateSessionResponse *m = arena_alloc(call->env.arena, sizeof(*m));

	if (result == NULL || m == NULL)
		return call_no_memory(st);
	if (session_create_answer(&call->env, &task->plan, reply, ret_next, result, st) != STATUS_OK)
		return st->code;
	if (*ret_next == PLAN_AGAIN)
		return STATUS_OK;
	metric_add(result->info.is_anonymous ? METRIC_SESSIONS_ANONYMOUS : METRIC_SESSIONS_CREATED, 1);
	metric_add(METRIC_SESSIONS_PROMOTED, REQUEST(CreateSessionRequest, call)->has_promote ? 1 : 0);
	metric_add(METRIC_SESSIONS_EVICTED, result->evicted_count);
	latchkey__v1__create_session_response__init(m);
	MESSAGE_SET(m, token, message_bytes(result->token));
	m->info = message_info(call->env.arena, &result->info);
	m->n_evicted = result->evicted_count;
	if (m->info == NULL || !message_handles(call->env.arena, result->evicted, result->evicted_count, &m->evicted))
		return call_no_memory(st);
	call->response = &m->base;
	return STATUS_OK;
}

/* ---- Get ---- */

enum status_code sessions_get_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__GetSessionRequest *m = REQUEST(GetSessionRequest, call);
	struct task *task;
	struct session_get_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	if (!message_read_spans(call->env.arena, m->amr, m->n_amr, &req->amr))
		return call_no_memory(st);
	req->amr_count = m->n_amr;
	req->is_privileged = m->has_privileged && m->privileged;
	req->token = MESSAGE_SPAN(m, token);
	req->peek = m->has_peek && m->peek;
	req->staleness_ms = MESSAGE_NUMBER(m, staleness_ms);
	req->minimum_aal = MESSAGE_NUMBER(m, minimum_aal);
	req->authenticated_within_s = MESSAGE_NUMBER(m, authenticated_within_s);
	return session_get_plan(&call->env, req, &task->plan, st);
}

/* NULL: *st says why, unless there is a further command. */
static Latchkey__V1__GetSessionResponse *answer_get(struct call *call, struct task *task,
						    const struct store_reply *reply, enum plan_next *ret_next,
						    struct status *st)
{
	struct session_get_result result = {0};
	Latchkey__V1__GetSessionResponse *m;

	if (session_get_answer(&call->env, &task->plan, reply, ret_next, &result, st) != STATUS_OK ||
	    *ret_next == PLAN_AGAIN || sessions_check_settled(&result.outcome, st) != STATUS_OK)
		return NULL;
	count_get(call, &result);
	m = message_get_response(call->env.arena, &result);
	if (m == NULL)
		(void)call_no_memory(st);
	return m;
}

enum status_code sessions_get_answer(struct call *call, struct task *task, const struct store_reply *reply,
				     enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__GetSessionResponse *m = answer_get(call, task, reply, ret_next, st);

	if (*ret_next == PLAN_AGAIN)
		return STATUS_OK;
	if (m == NULL)
		return st->code;
	call->response = &m->base;
	return STATUS_OK;
}

bool sessions_get_read_only(struct call *call, struct task *task)
{
	if (!session_get_unslid(&call->env, &task->plan))
		return false;
	metric_add(METRIC_SESSIONS_UNSLID, 1);
	return true;
}

/* ---- GetMany: one task for each token. ---- */

/* A response that says UNKNOWN of all: each task that succeeds puts its own in. */
static Latchkey__V1__GetManySessionsResponse *prepare_many(struct call *call, size_t count)
{
	static const struct session_get_result unknown = {.outcome.verdict = VERDICT_UNKNOWN};
	Latchkey__V1__GetManySessionsResponse *m = arena_alloc(call->env.arena, sizeof(*m));

	if (m == NULL)
		return NULL;
	latchkey__v1__get_many_sessions_response__init(m);
	m->n_sessions = count;
	m->sessions = arena_array(call->env.arena, count, sizeof(m->sessions[0]));
	if (m->sessions == NULL)
		return NULL;
	m->sessions[0] = message_get_response(call->env.arena, &unknown);
	for (size_t i = 1; i < count; i++)
		m->sessions[i] = m->sessions[0];
	return m->sessions[0] == NULL ? NULL : m;
}

static enum status_code plan_many(struct call *call, const Latchkey__V1__GetManySessionsRequest *m, struct task *tasks,
				  struct session_get_request *reqs, struct status *st)
{
	for (size_t i = 0; i < m->n_tokens; i++) {
		reqs[i].token = span_of(m->tokens[i].data, m->tokens[i].len);
		reqs[i].peek = m->has_peek && m->peek;
		if (session_get_plan(&call->env, &reqs[i], &tasks[i].plan, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

enum status_code sessions_get_many_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__GetManySessionsRequest *m = REQUEST(GetManySessionsRequest, call);
	Latchkey__V1__GetManySessionsResponse *response;
	struct session_get_request *reqs;
	struct task *tasks;

	if (USE_REALM(call, m, st) != STATUS_OK)
		return st->code;
	if (m->n_tokens == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "tokens is empty: send 1 to %d", FRAME_REPEATED_MAX);
	tasks = call_tasks(call, m->n_tokens);
	reqs = arena_array(call->env.arena, m->n_tokens, sizeof(*reqs));
	response = prepare_many(call, m->n_tokens);
	if (tasks == NULL || reqs == NULL || response == NULL)
		return call_no_memory(st);
	call->response = &response->base;
	return plan_many(call, m, tasks, reqs, st);
}

enum status_code sessions_get_many_answer(struct call *call, struct task *task, const struct store_reply *reply,
					  enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__GetManySessionsResponse *response = (Latchkey__V1__GetManySessionsResponse *)call->response;
	Latchkey__V1__GetSessionResponse *m = answer_get(call, task, reply, ret_next, st);

	if (*ret_next == PLAN_AGAIN)
		return STATUS_OK;
	if (m == NULL)
		return st->code;
	response->sessions[task->index] = m;
	return STATUS_OK;
}

/* ---- Update ---- */

enum status_code sessions_update_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__UpdateSessionRequest *m = REQUEST(UpdateSessionRequest, call);
	struct task *task;
	struct session_update_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	if (!message_read_attributes(call->env.arena, m->set, m->n_set, &req->set) ||
	    !message_read_spans(call->env.arena, m->remove, m->n_remove, &req->remove))
		return call_no_memory(st);
	req->token = MESSAGE_SPAN(m, token);
	req->set_count = m->n_set;
	req->remove_count = m->n_remove;
	req->has_expected_version = m->has_expected_version;
	req->expected_version = MESSAGE_NUMBER(m, expected_version);
	return session_update_plan(&call->env, req, &task->plan, st);
}

/* ABORTED comes with a result as well, when a compare-and-set lost: the version that is stored. */
enum status_code sessions_update_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__UpdateSessionResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct session_update_result result = {0};
	enum status_code code;

	if (m == NULL)
		return call_no_memory(st);
	code = session_update_answer(&call->env, &task->plan, reply, ret_next, &result, st);
	if (code != STATUS_OK && code != STATUS_ABORTED)
		return code;
	if (*ret_next == PLAN_AGAIN || result.outcome.verdict == 0)
		return code;
	if (sessions_check_settled(&result.outcome, st) != STATUS_OK)
		return st->code;
	sessions_count_outcome(call, &result.outcome, "");
	latchkey__v1__update_session_response__init(m);
	MESSAGE_SET(m, verdict, (Latchkey__V1__Verdict)result.outcome.verdict);
	MESSAGE_SET(m, reason, (Latchkey__V1__Reason)result.outcome.reason);
	if (result.outcome.revoked_at_ms > 0)
		MESSAGE_SET(m, revoked_at_ms, result.outcome.revoked_at_ms);
	if (result.version > 0)
		MESSAGE_SET(m, version, result.version);
	if (result.idle_expires_at_ms > 0)
		MESSAGE_SET(m, idle_expires_at_ms, result.idle_expires_at_ms);
	if (result.token.len > 0)
		MESSAGE_SET(m, token, message_bytes(result.token));
	call->response = &m->base;
	return code;
}

/* ---- Revoke ---- */

enum status_code sessions_revoke_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__RevokeSessionRequest *m = REQUEST(RevokeSessionRequest, call);
	struct task *task;
	struct session_revoke_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	req->token = MESSAGE_SPAN(m, token);
	req->handle = MESSAGE_SPAN(m, handle);
	req->reason = read_reason(m->has_reason, m->reason);
	return session_revoke_plan(&call->env, req, &task->plan, st);
}

enum status_code sessions_revoke_answer(struct call *call, struct task *task, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__RevokeSessionResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct session_revoke_result result = {0};

	(void)ret_next;
	if (m == NULL)
		return call_no_memory(st);
	if (session_revoke_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	metric_add(METRIC_SESSIONS_REVOKED, result.was_alive ? 1 : 0);
	latchkey__v1__revoke_session_response__init(m);
	MESSAGE_SET(m, was_alive, result.was_alive);
	if (result.reason != REASON_NONE)
		MESSAGE_SET(m, reason, (Latchkey__V1__Reason)result.reason);
	call->response = &m->base;
	return STATUS_OK;
}

bool sessions_revoke_pend(struct call *call, struct task *task)
{
	Latchkey__V1__RevokeSessionResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct session_revoke_result result;

	if (m == NULL || !session_revoke_pend(&call->env, &task->plan, &result))
		return false;
	metric_add(METRIC_SESSIONS_REVOKED, 1);
	metric_add(METRIC_REVOCATIONS_PENDING, 1);
	latchkey__v1__revoke_session_response__init(m);
	MESSAGE_SET(m, was_alive, result.was_alive);
	MESSAGE_SET(m, pending, result.is_pending);
	call->response = &m->base;
	return true;
}

/* ---- RevokeUser ---- */

enum status_code sessions_revoke_user_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__RevokeUserRequest *m = REQUEST(RevokeUserRequest, call);
	struct task *task;
	struct session_revoke_user_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	req->user = MESSAGE_SPAN(m, user);
	req->token = MESSAGE_SPAN(m, token);
	req->except = MESSAGE_SPAN(m, except);
	req->class_name = MESSAGE_SPAN(m, session_class);
	req->reason = read_reason(m->has_reason, m->reason);
	return session_revoke_user_plan(&call->env, req, &task->plan, st);
}

enum status_code sessions_revoke_user_answer(struct call *call, struct task *task, const struct store_reply *reply,
					     enum plan_next *ret_next, struct status *st)
{
	Latchkey__V1__RevokeUserResponse *m = arena_alloc(call->env.arena, sizeof(*m));
	struct session_revoke_user_result result = {0};

	if (m == NULL)
		return call_no_memory(st);
	if (session_revoke_user_answer(&call->env, &task->plan, reply, ret_next, &result, st) != STATUS_OK)
		return st->code;
	if (*ret_next == PLAN_AGAIN)
		return STATUS_OK;
	metric_add(METRIC_SESSIONS_REVOKED, result.revoked);
	latchkey__v1__revoke_user_response__init(m);
	MESSAGE_SET(m, revoked, result.revoked);
	call->response = &m->base;
	return STATUS_OK;
}

/* ---- List ---- */

enum status_code sessions_list_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__ListSessionsRequest *m = REQUEST(ListSessionsRequest, call);
	struct task *task;
	struct session_list_request *req = ONE_TASK_WITH(call, m, sizeof(*req), &task, st);

	if (req == NULL)
		return st->code;
	req->user = MESSAGE_SPAN(m, user);
	req->page_size = MESSAGE_NUMBER(m, page_size);
	req->page_token = MESSAGE_SPAN(m, page_token);
	return session_list_plan(&call->env, req, &task->plan, st);
}

static Latchkey__V1__ListSessionsResponse *list_response(arena *a, const struct session_list_result *result)
{
	Latchkey__V1__ListSessionsResponse *m = arena_alloc(a, sizeof(*m));
	Latchkey__V1__SessionInfo **sessions = arena_array(a, result->count, sizeof(Latchkey__V1__SessionInfo *));

	if (m == NULL || sessions == NULL)
		return NULL;
	latchkey__v1__list_sessions_response__init(m);
	for (size_t i = 0; i < result->count; i++) {
		sessions[i] = message_info(a, &result->sessions[i]);
		if (sessions[i] == NULL)
			return NULL;
	}
	m->n_sessions = result->count;
	m->sessions = sessions;
	if (result->next_page_token.len > 0)
		MESSAGE_SET(m, next_page_token, message_bytes(result->next_page_token));
	return m;
}

enum status_code sessions_list_answer(struct call *call, struct task *task, const struct store_reply *reply,
				      enum plan_next *ret_next, struct status *st)
{
	struct session_list_result result = {0};
	Latchkey__V1__ListSessionsResponse *m;

	(void)ret_next;
	if (session_list_answer(&call->env, &task->plan, reply, &result, st) != STATUS_OK)
		return st->code;
	m = list_response(call->env.arena, &result);
	if (m == NULL)
		return call_no_memory(st);
	call->response = &m->base;
	return STATUS_OK;
}
