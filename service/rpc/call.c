#include "rpc/call.h"

#include <assert.h>

#include "base/call_metrics.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "rpc/messages.h"
#include "rpc/methods.h"
#include "rpc/outcome.h"
#include "rpc/text.h"

/* Design notes.
 *
 *   PENDING ──> ANSWERED      by a refusal, by the method at once, by the last of its tasks, or by a cut-off when time
 *                             runs out. What the store says of a call answered already is dropped by the exchange and
 *                             does not come here
 *   PENDING ──> PARKED        a long poll that has nothing to tell yet. It has no tasks: the ticker looks at it again
 *                             when there may be news (rpc/watchers.c)
 *   PARKED ──> ANSWERED       with news; or without, when its time is nearly over, the server stops, or nobody is there
 *                             any more: never DEADLINE_EXCEEDED
 *
 * A call fails when all of its tasks have failed. Where only some have (GetMany, with one of several nodes down), the
 * method has prepared the response to say UNKNOWN of theirs; unless it needs them all.
 *
 * A task, when its command is replied to:
 *
 *   late write ──────────────> the same command again, a few times at most: the server that replied may not be the
 *                              primary any more. Those few that are not repeatable are answered instead
 *   answer, no redos ────────> settled, or the plan's next command, or the same one after a pause (rpc/sleepers.c)
 *   answer with redos ───────> all kept ──> settled, or the plan's next command
 *                                 └ one not, the primary has changed since: it and those behind it are carried out on
 *                                   the new one, each is kept, then the same
 *
 * So nothing is acknowledged that a failover could undo. If time runs out on the way the caller is told that he does not
 * know, and a repetition with his idempotency key finds out. */

static uint32_t timeout_of(const struct rpc_options *o, const Latchkey__V1__Call *sent)
{
	const uint32_t wanted_ms = sent->has_timeout_ms ? sent->timeout_ms : 0;

	if (wanted_ms == 0)
		return o->timeout_default_ms;
	return wanted_ms < o->timeout_max_ms ? wanted_ms : o->timeout_max_ms;
}

void call_init(struct call *call, struct call_group *group, const Latchkey__V1__Call *sent)
{
	const struct rpc_options *o = &group->core->options;

	call->group = group;
	call->sent = sent;
	call->timeout_ms = timeout_of(o, sent);
	call->deadline_ms = group->arrived_us / 1000 + call->timeout_ms;
	call->env = (struct plan_env){
	    .keys = group->keys,
	    .arena = group->arena,
	};
	if (group->caller != NULL)
		call->env.caller = caller_id(group->caller);
	if (sent->has_idempotency_key)
		call->env.idempotency_key = span_of(sent->idempotency_key.data, sent->idempotency_key.len);
	call->env.compressor = group->core->compressor;
	call->env.recent = o->recent;
	call->env.not_before = o->not_before;
	call->env.auth_news = o->auth_news;
	call->env.young_ms = o->replay_window_ms;
	latchkey__v1__reply__init(&call->reply);
}

static void set_times(struct call *call)
{
	call->env.now_ms = clock_wall_ms();
	call->env.mono_ms = clock_mono_ms();
}

/* ---- The reply ---- */

static void count_answer(const struct call *call, enum status_code code)
{
	call_metric_add(method_place(call->method), code, clock_mono_us() - call->group->arrived_us);
	metric_add(code == STATUS_OK ? METRIC_CALLS_OK : METRIC_CALLS_FAILED, 1);
	if (code == STATUS_DEADLINE_EXCEEDED)
		metric_add(METRIC_CALLS_DEADLINE, 1);
	if (code == STATUS_UNAVAILABLE)
		metric_add(METRIC_CALLS_UNAVAILABLE, 1);
}

static enum status_code pack_response(struct call *call, struct status *st)
{
	struct call_group *group = call->group;
	span body;

	switch (frame_pack(group->arena, call->response, group->body_bytes_left, &body)) {
	case FRAME_TOO_LONG:
		return status_set(st, STATUS_RESOURCE_EXHAUSTED,
				  "the response of %zu bytes has no room in a reply frame of at most %u: ask for a "
				  "smaller page, or send fewer calls in a frame",
				  body.len, RPC_REPLY_BYTES_MAX);
	case FRAME_NO_MEMORY:
		return call_no_memory(st);
	case FRAME_FITS:
		break;
	}
	group->body_bytes_left -= body.len;
	call->reply.has_body = true;
	call->reply.body = message_bytes(body);
	return STATUS_OK;
}

static void set_message(struct call *call, const struct status *st)
{
	const size_t len = strlen(st->text);
	uint8_t *bytes = arena_alloc(call->group->arena, len);

	if (bytes == NULL)
		return; /* the code says it as well */
	memcpy(bytes, st->text, len);
	call->reply.has_message = true;
	call->reply.message = (ProtobufCBinaryData){len, bytes};
}

/* The one place that changes the state. */
static void move(struct call *call, enum call_state to)
{
	static const uint8_t from[CALL_STATES] = {
	    [CALL_PARKED] = 1U << CALL_PENDING | 1U << CALL_PARKED,
	    [CALL_ANSWERED] = 1U << CALL_PENDING | 1U << CALL_PARKED,
	};

	assert((from[to] & 1U << call->state) != 0);
	call->state = to;
}

/* st is looked at unless code is OK. */
static void answer(struct call *call, enum status_code code, const struct status *st)
{
	struct status no_room;

	assert(call->group->unanswered > 0);
	if (call->response != NULL && pack_response(call, &no_room) != STATUS_OK) {
		code = no_room.code;
		st = &no_room;
	}
	if (code != STATUS_OK) {
		set_message(call, st);
		call->reply.has_retry_after_ms = st->retry_after_ms > 0;
		call->reply.retry_after_ms = st->retry_after_ms;
	} else if (call->has_replicas) {
		call->reply.has_replicas = true;
		call->reply.replicas = call->replicas;
		metric_add(METRIC_WRITES_WAIT_SHORT, call->replicas < call->wait_replicas ? 1 : 0);
	}
	call->reply.has_code = true;
	call->reply.code = (Latchkey__V1__Code)code;
	move(call, CALL_ANSWERED);
	call->group->unanswered--;
	count_answer(call, code);
}

void call_refuse(struct call *call, const struct status *st)
{
	call->response = NULL;
	answer(call, st->code, st);
}

enum status_code call_no_memory(struct status *st)
{
	return status_set(st, STATUS_RESOURCE_EXHAUSTED,
			  "the frame has used up the memory that one may: send fewer calls in a frame, or ask for a "
			  "smaller page");
}

/* ---- The plan ---- */

static enum status_code check_length(const char *what, bool is_sent, size_t len, size_t max, struct status *st)
{
	if (!is_sent || (len >= 1 && len <= max))
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "the call's %s has %zu bytes: 1 to %zu are allowed", what, len,
			  max);
}

/* The caller's roles are held against the method here, and against the realm in call_use_realm. Without such a file the only
 * listeners are local ones (server.c), whose callers may call everything. */
static enum status_code check_caller(const struct call *call, struct status *st)
{
	const struct call_group *g = call->group;

	if (g->callers == NULL || call->method->is_open)
		return STATUS_OK;
	if (g->caller == NULL) {
		metric_add(METRIC_CALLS_UNAUTHENTICATED, 1);
		return status_set(st, STATUS_UNAUTHENTICATED,
				  "the frame's credential is missing, or not one that this service knows: send "
				  "id.secret, whose hash is in its file of callers");
	}
	if (caller_may_call(g->caller, call->method->path))
		return STATUS_OK;
	metric_add(METRIC_CALLS_DENIED, 1);
	return status_set(st, STATUS_PERMISSION_DENIED, "no role of this credential allows %s",
			  text_quote(call->method->path).chars);
}

/* Whatever keeps a call from its method is decided here. */
static enum status_code admit(struct call *call, struct status *st)
{
	const Latchkey__V1__Call *sent = call->sent;
	const span path = span_of(sent->method.data, sent->method.len);

	if (check_length("method", true, path.len, FRAME_METHOD_BYTES_MAX, st) != STATUS_OK ||
	    check_length("idempotency_key", sent->has_idempotency_key, sent->idempotency_key.len,
			 IDEMPOTENCY_KEY_BYTES_MAX, st) != STATUS_OK ||
	    check_length("traceparent", sent->has_traceparent, sent->traceparent.len, FRAME_TRACEPARENT_BYTES_MAX,
			 st) != STATUS_OK)
		return st->code;
	if (sent->has_wait_replicas && sent->wait_replicas > WAIT_REPLICAS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "wait_replicas %u: at most %d can be waited for",
				  sent->wait_replicas, WAIT_REPLICAS_MAX);
	call->method = method_find(path);
	if (call->method == NULL)
		return status_set(st, STATUS_UNIMPLEMENTED,
				  "there is no method %s: /latchkey.v1.Server/Methods lists those there are",
				  text_quote(path).chars);
	if (check_caller(call, st) != STATUS_OK)
		return st->code;
	if (call->method->plan == NULL)
		return status_set(st, STATUS_UNIMPLEMENTED, "%s is not served by this version (%s)",
				  text_quote(path).chars, LK_VERSION);
	return STATUS_OK;
}

static enum status_code plan(struct call *call, struct status *st)
{
	const span body = span_of(call->sent->body.data, call->sent->body.len);

	if (admit(call, st) != STATUS_OK)
		return st->code;
	call->request = frame_unpack(call->group->arena, call->method->request, body, st);
	if (call->request == NULL)
		return st->code;
	set_times(call);
	return call->method->plan(call, st);
}

/* How durable a change is to be: as the call asks, else as its realm does. */
static void set_wait(struct call *call)
{
	const Latchkey__V1__Call *sent = call->sent;
	const struct realm *realm = call->env.realm;
	const uint32_t standard_ms = realm->wait_ms == 0 ? WAIT_MS_DEFAULT : realm->wait_ms;

	if (!call->method->is_mutating)
		return;
	call->wait_replicas = sent->has_wait_replicas ? sent->wait_replicas : realm->wait_replicas;
	call->wait_ms = sent->has_wait_ms && sent->wait_ms > 0 ? sent->wait_ms : standard_ms;
	if (call->wait_ms > call->timeout_ms)
		call->wait_ms = call->timeout_ms;
}

/* Before it is looked for: whether there is such a realm is nothing to be learned by asking. */
static bool is_realm_allowed(const struct call *call, span name)
{
	const struct caller *caller = call->group->caller;

	return call->group->callers == NULL ||
	       caller_may_call_in(caller, call->method->path, name.len == 0 ? SPAN_LIT("default") : name);
}

enum status_code call_use_realm(struct call *call, bool is_named, ProtobufCBinaryData name, struct status *st)
{
	const span wanted = is_named ? span_of(name.data, name.len) : SPAN_EMPTY;

	if (!is_realm_allowed(call, wanted)) {
		metric_add(METRIC_CALLS_DENIED, 1);
		return status_set(st, STATUS_PERMISSION_DENIED, "no role of this credential allows %s in realm \"%s\"",
				  text_quote(call->method->path).chars,
				  wanted.len == 0 ? "default" : text_quote(wanted).chars);
	}
	call->env.realm = realm_find(call->group->core->options.realms, wanted);
	if (call->env.realm != NULL) {
		set_wait(call);
		return STATUS_OK;
	}
	return status_set(st, STATUS_NOT_FOUND, "there is no realm \"%s\": add it to the service's configuration",
			  wanted.len == 0 ? "default" : text_quote(wanted).chars);
}

/* With plan, key and answer; measured on GetMany. */
#define TASK_BYTES_TYPICAL 1536U

void call_hold(struct call *call, size_t bytes)
{
	call->group->bytes_held += bytes;
	(void)atomic_fetch_add(&call->group->core->bytes_held, bytes);
}

struct task *call_tasks(struct call *call, size_t count)
{
	struct task *tasks = arena_array(call->group->arena, count, sizeof(*tasks));

	assert(count > 0 && call->tasks == NULL);
	if (tasks == NULL || count > call->group->tasks_left)
		return NULL;
	call->group->tasks_left -= count;
	/* The first is in what each call of a frame is expected to take. */
	if (count > 1)
		call_hold(call, (count - 1) * TASK_BYTES_TYPICAL);
	for (size_t i = 0; i < count; i++) {
		tasks[i].call = call;
		tasks[i].index = i;
	}
	call->tasks = tasks;
	call->task_count = count;
	call->tasks_left = count;
	return tasks;
}

struct task *call_one_task(struct call *call, bool is_named, ProtobufCBinaryData realm, struct status *st)
{
	struct task *task;

	if (call_use_realm(call, is_named, realm, st) != STATUS_OK)
		return NULL;
	task = call_tasks(call, 1);
	if (task == NULL)
		(void)call_no_memory(st);
	return task;
}

void *call_one_task_with(struct call *call, bool is_named, ProtobufCBinaryData realm, size_t bytes,
			 struct task **ret_task, struct status *st)
{
	struct task *task = call_one_task(call, is_named, realm, st);
	void *request;

	if (task == NULL)
		return NULL;
	request = arena_alloc(call->env.arena, bytes);
	if (request == NULL)
		(void)call_no_memory(st);
	else
		*ret_task = task;
	return request;
}

/* ---- Tasks ---- */

static void settle(struct call *call, enum status_code code, const struct status *st)
{
	assert(call->tasks_left > 0);
	if (code != STATUS_OK) {
		call->tasks_failed++;
		call->failure = *st;
	}
	if (--call->tasks_left > 0)
		return;
	if (call->tasks_failed < call->task_count && (!call->method->needs_all || call->tasks_failed == 0)) {
		metric_add(METRIC_SESSIONS_UNKNOWN, call->tasks_failed);
		answer(call, STATUS_OK, NULL);
	} else if (call->failure.code == STATUS_ABORTED) {
		answer(call, STATUS_ABORTED, &call->failure);
	} else {
		call_refuse(call, &call->failure);
	}
}

/* Counts a further command. */
static enum status_code step(struct task *task, struct status *st)
{
	if (++task->steps < PLAN_STEPS_MAX)
		return STATUS_OK;
	return status_set(st, STATUS_UNAVAILABLE,
			  "not done after %d steps: others change the same session or user all the time; call again "
			  "with the idempotency key",
			  PLAN_STEPS_MAX);
}

static enum status_code ask_method(struct task *task, const struct store_reply *reply, enum plan_next *ret_next,
				   struct status *st)
{
	struct call *call = task->call;
	enum plan_next next = PLAN_DONE;
	enum status_code code;

	set_times(call);
	code = call->method->answer(call, task, reply, &next, st);
	if (code != STATUS_OK || next == PLAN_DONE)
		return code;
	/* Pauses are bounded by the time that the call has. */
	if (next == PLAN_AGAIN && step(task, st) != STATUS_OK)
		return st->code;
	*ret_next = next;
	return STATUS_OK;
}

static void report_refused(struct call *call, const struct store_result *result)
{
	const span trace = span_of(call->sent->traceparent.data, call->sent->traceparent.len);
	uint64_t held_back;

	if (!gate_pass(&call->group->core->refused_commands, clock_mono_ms(), &held_back))
		return;
	log_event(LOG_ERROR, "redis_refused", LOG_SPAN("method", call->method->path),
		  LOG_STR("node", result->node == NULL ? "" : result->node),
		  LOG_SPAN("error", outcome_error_words(result)), LOG_SPAN("traceparent", trace),
		  LOG_UINT("not_logged", held_back));
}

static enum status_code fail_task(struct task *task, const struct store_result *result, struct status *st)
{
	(void)outcome_status(&task->op.command, result, st);
	if (result->outcome == STORE_OVERLOADED)
		metric_add(METRIC_CALLS_OVERLOADED, 1);
	if (st->code == STATUS_INTERNAL)
		report_refused(task->call, result);
	return st->code;
}

const struct store_command *task_command(const struct task *task)
{
	return task->redo != NULL ? &task->redo->command : &task->plan.command;
}

const struct plan_redo *task_first_redo(const struct task *task)
{
	return task->redo != NULL ? task->redo : task->plan.redos;
}

static enum call_next fail(struct task *task, const struct status *st)
{
	settle(task->call, st->code, st);
	return CALL_NOTHING;
}

/* Of a change that was made, and that no current primary is known to have. */
static enum call_next fail_unconfirmed(struct task *task)
{
	struct status st;

	if (!task->call->method->is_mutating) {
		(void)status_set(&st, STATUS_UNAVAILABLE,
				 "Redis is changing its primary, or answers too late to tell; call again");
		return fail(task, &st);
	}
	metric_add(METRIC_WRITES_UNCONFIRMED, 1);
	(void)status_set(&st, STATUS_UNAVAILABLE,
			 "the change was made, but Redis is changing its primary: whether it will last is unknown; "
			 "repeating the call with its idempotency key is safe");
	return fail(task, &st);
}

/* The answer stands, and all that it acknowledges will last. */
static enum call_next go_on(struct task *task)
{
	task->redo = NULL;
	if (task->after == PLAN_AGAIN)
		return CALL_SUBMIT;
	if (task->after == PLAN_LATER)
		return CALL_SLEEP;
	settle(task->call, STATUS_OK, NULL);
	return CALL_NOTHING;
}

static void count_replicas(struct task *task, const struct store_result *result)
{
	struct call *call = task->call;

	if (task->op.wait_replicas == 0)
		return;
	if (!call->has_replicas || result->replicas < call->replicas)
		call->replicas = result->replicas;
	call->has_replicas = true;
}

/* A primary that is changing answers in time after one repetition or two. A server that answers everything late is only
 * slowed down further by repetitions, and its callers learn no more by them. */
#define LATE_REPETITIONS_MAX 3

static enum call_next ask_again(struct task *task)
{
	assert(task->op.command.is_repeatable);
	metric_add(METRIC_WRITES_LATE, 1);
	return ++task->lates <= LATE_REPETITIONS_MAX ? CALL_SUBMIT : fail_unconfirmed(task);
}

static enum call_next take_reply(struct task *task, const struct store_result *result)
{
	enum plan_next next = PLAN_DONE;
	struct status st;

	task->call->env.is_unsettled = result->is_unsettled;
	if (ask_method(task, result->reply, &next, &st) != STATUS_OK)
		return fail(task, &st);
	task->after = next;
	if (task->plan.redos != NULL || task->plan.has_changed)
		count_replicas(task, result);
	return task->plan.redos == NULL ? go_on(task) : CALL_KEEP;
}

/* A redo was carried out by itself: what it brings about is there, or the change is not acknowledged. */
static enum call_next take_redo(struct task *task, const struct store_result *result)
{
	if (result->outcome != STORE_REPLIED || !plan_redo_is_done(result->reply))
		return fail_unconfirmed(task);
	count_replicas(task, result);
	return CALL_KEEP;
}

/* For a reason that is Redis's own, not the command's. */
static bool takes_no_writes(const struct store_result *result)
{
	const span word = outcome_error_word(result);

	return result->outcome == STORE_REFUSED &&
	       (span_eq(word, SPAN_LIT("MISCONF")) || span_eq(word, SPAN_LIT("NOREPLICAS")));
}

static enum call_next take_failure(struct task *task, const struct store_result *result)
{
	const struct method *method = task->call->method;
	struct status st;

	if (method->read_only != NULL && takes_no_writes(result)) {
		set_times(task->call);
		if (method->read_only(task->call, task) && step(task, &st) == STATUS_OK)
			return CALL_SUBMIT;
	}
	if (result->outcome == STORE_REFUSED && span_eq(outcome_error_word(result), SPAN_LIT("MISCONF")) &&
	    method->pend != NULL) {
		set_times(task->call);
		if (method->pend(task->call, task))
			return CALL_PEND;
	}
	/* What the outcome says of this command, that nothing was changed, is not true of the late one before it. */
	if (task->lates > 0 && method->is_mutating)
		return fail_unconfirmed(task);
	(void)fail_task(task, result, &st);
	return fail(task, &st);
}

enum call_next call_take(struct task *task, const struct store_result *result)
{
	assert(task->call->state == CALL_PENDING);
	/* What may not be repeated is answered as it was told: its domain promises no more of it over a failover. */
	if (result->outcome == STORE_REPLIED && result->is_late && task->op.command.is_repeatable)
		return ask_again(task);
	if (result->outcome == STORE_REPLIED)
		task->lates = 0;
	if (task->redo != NULL)
		return take_redo(task, result);
	if (result->outcome == STORE_REPLIED)
		return take_reply(task, result);
	return take_failure(task, result);
}

enum call_next call_kept(struct task *task, const struct plan_redo *unkept)
{
	struct status st;

	assert(task->call->state == CALL_PENDING);
	if (unkept == NULL && (task->redo == NULL || task->redo->next == NULL))
		return go_on(task);
	task->redo = unkept != NULL ? unkept : task->redo->next;
	return step(task, &st) == STATUS_OK ? CALL_SUBMIT : fail_unconfirmed(task);
}

enum call_next call_pended(struct task *task, bool is_pended)
{
	struct status st;

	assert(task->call->state == CALL_PENDING);
	if (is_pended) {
		settle(task->call, STATUS_OK, NULL);
		return CALL_NOTHING;
	}
	(void)status_set(&st, STATUS_UNAVAILABLE,
			 "Redis takes no writes, and this instance holds as many revocations for it as it may: nothing "
			 "was revoked in Redis; make Redis writable again, then repeat the call");
	return fail(task, &st);
}

void call_poll(struct call *call, bool is_last)
{
	struct status st;

	set_times(call);
	if (call->method->poll(call, is_last, &st) != STATUS_OK)
		call_refuse(call, &st);
	else if (call->response != NULL)
		answer(call, STATUS_OK, NULL);
	else
		move(call, CALL_PARKED);
	assert(!is_last || call->state == CALL_ANSWERED);
}

/* So that the answer is there before the caller gives up. */
#define PARKED_MARGIN_MS_MAX 500U

static void set_wait_due(struct call *call)
{
	const uint32_t eighth_ms = call->timeout_ms / 8;

	call->wait.due_ms = call->deadline_ms - (eighth_ms < PARKED_MARGIN_MS_MAX ? eighth_ms : PARKED_MARGIN_MS_MAX);
}

void call_plan(struct call *call)
{
	struct status st;

	if (plan(call, &st) != STATUS_OK) {
		call_refuse(call, &st);
		return;
	}
	if (call->method->poll != NULL) {
		set_wait_due(call);
		call_poll(call, false);
		return;
	}
	if (call->task_count == 0) {
		answer(call, STATUS_OK, NULL);
		return;
	}
	for (size_t i = 0; i < call->task_count; i++) {
		enum plan_next next = PLAN_DONE;

		if (call->tasks[i].plan.has_command)
			continue;
		settle(call, ask_method(&call->tasks[i], NULL, &next, &st), &st);
		assert(next == PLAN_DONE);
	}
}
