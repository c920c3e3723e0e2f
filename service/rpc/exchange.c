#include "rpc/exchange.h"

#include <assert.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "rpc/call.h"
#include "rpc/connection.h"
#include "rpc/methods.h"

/* Design notes.
 *
 *   message ──> survey ──> arena ──> decode ──> [begin] ──> for each call: plan ──> store_submit ─┐
 *                                                                                                 │
 *   channel <── reply frame <── [answer] <── the last call answered <── call_take <── task_done <─┘
 *                                                      ^                    |    ^
 *                                                      |                    v    |
 *                                                      |        store_keep, store_pend: no lock held
 *                                                 exchange_cut_off (the sweep, the drain; news for a parked call)
 *
 * Memory. The exchange and all that belongs to it live in one arena, in the common case one block; it is wiped as a
 * whole, for it holds tokens and attributes. References: one while the frame is being started, one for each command in
 * the store's hands, one for each parked call and for each task that pauses, one for each cut-off. An unanswered call
 * always has one that is none of a cut-off, so an exchange in the connection's list is alive. The memory may outlive the reply, when time ran out before
 * the store replied.
 *
 * Lock. `lock` covers the arena and the calls: replies to one frame's commands come from several threads at once. Under
 * it only pure planning and answering is done, the memory of revocations is read and added to, the log of events is
 * read, calls are parked, and the store is asked for its state by Health; submitting, keeping and sending are not. A
 * task between its command's reply and its next command belongs to the thread that brought the reply. */

/* First block: the calls, and what a Get takes around its record: request, plan, opened parts, response. */
#define CALL_BYTES_TYPICAL  3840
#define FRAME_BYTES_TYPICAL 1024
/* What answering may take. A reply of the largest size exists five times at most: opened parts, merged attributes,
 * message objects, packed body, packed frame. */
#define WORK_BYTES_MAX (5 * (size_t)RPC_REPLY_BYTES_MAX)
/* Around the replies: protocol, code and going_away. */
#define REPLY_FRAME_OVERHEAD_BYTES 16
#define BODY_BYTES_MAX                                                                                                 \
	(RPC_REPLY_BYTES_MAX - REPLY_FRAME_OVERHEAD_BYTES - (size_t)RPC_CALLS_MAX * FRAME_REPLY_OVERHEAD_BYTES)

/* Store operations of one frame: four GetMany of the largest, or the one that each call has. */
#define TASKS_MAX (4 * (size_t)FRAME_REPEATED_MAX)

_Static_assert(TASKS_MAX >= RPC_CALLS_MAX, "every call may have one");
_Static_assert(FRAME_REPLY_OVERHEAD_BYTES >= STATUS_TEXT_BYTES + 21, "a reply around its body");

struct exchange {
	struct exchange_link link;
	struct connection *connection;
	struct wire_route route;
	_Atomic uint32_t refs;
	_Atomic uint64_t due_ms;
	_Atomic uint32_t parked; /* calls */
	pthread_mutex_t lock;
	bool is_replied;
	struct call_group group;
	size_t call_count;
	struct call *calls;
	Latchkey__V1__Reply **replies;
};

uint64_t exchange_due(const struct exchange *x)
{
	return atomic_load_explicit(&x->due_ms, memory_order_relaxed);
}

bool exchange_is_parked(const struct exchange *x)
{
	return atomic_load_explicit(&x->parked, memory_order_relaxed) > 0;
}

const struct wire_route *exchange_route(const struct exchange *x)
{
	return &x->route;
}

struct exchange_link *exchange_link_of(struct exchange *x)
{
	return &x->link;
}

void exchange_retain(struct exchange *x)
{
	const uint32_t before = atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);

	assert(before > 0);
}

static void free_exchange(struct exchange *x)
{
	arena *a = x->group.arena;

	(void)atomic_fetch_sub(&x->group.core->bytes_held, x->group.bytes_held);
	keyring_release(&x->group.keys);
	callers_release(&x->group.callers);
	(void)pthread_mutex_destroy(&x->lock);
	arena_free(&a);
}

void exchange_release(struct exchange **x)
{
	struct exchange *old = *x;
	struct connection *c;

	*x = NULL;
	if (old == NULL || atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) > 1)
		return;
	assert(old->is_replied);
	c = old->connection;
	free_exchange(old);
	connection_unhold(c);
	connection_release(&c);
}

/* ---- Calls and their commands ---- */

/* With the lock held. True for one caller only, who then replies. */
static bool take_reply(struct exchange *x)
{
	if (x->group.unanswered > 0 || x->is_replied)
		return false;
	x->is_replied = true;
	return true;
}

/* All calls are answered, so nobody else touches arena and calls any more. */
static void reply(struct exchange *x)
{
	const bool is_going_away = connection_sends_away(x->connection, x->group.arrived_us / 1000);
	arena *spare = NULL;
	span body = SPAN_EMPTY;

	if (!frame_encode(x->group.arena, x->replies, x->call_count, is_going_away, &body)) {
		spare = arena_new(RPC_REPLY_BYTES_MAX, RPC_REPLY_BYTES_MAX);
		if (spare != NULL && !frame_encode(spare, x->replies, x->call_count, is_going_away, &body))
			body = SPAN_EMPTY;
	}
	connection_answer(x->connection, x, body);
	arena_free(&spare);
}

static struct exchange *exchange_of(struct call *call)
{
	return (struct exchange *)(void *)((uint8_t *)call->group - offsetof(struct exchange, group));
}

static void task_done(struct store_op *op, const struct store_result *result);

/* Only writes wait for replicas, and for no longer than the call has. */
static void set_wait(const struct call *call, uint64_t now_ms, struct store_op *op)
{
	const uint64_t left_ms = call->deadline_ms - now_ms;

	if (!op->command.is_write)
		return;
	op->wait_replicas = call->wait_replicas;
	op->wait_ms = call->wait_ms < left_ms ? call->wait_ms : (uint32_t)left_ms;
}

/* Carries out the task's command, unless it is too late for it. */
static void submit_at(struct task *task, uint64_t now_ms)
{
	const struct store *store = task->call->group->core->options.store;

	exchange_retain(exchange_of(task->call));
	task->op = (struct store_op){.deadline_ms = task->call->deadline_ms, .done = task_done};
	task->op.command = *task_command(task);
	if (now_ms >= task->call->deadline_ms) {
		task_done(&task->op, &(struct store_result){.outcome = STORE_EXPIRED});
		return;
	}
	set_wait(task->call, now_ms, &task->op);
	store_submit(store, &task->op);
}

static void submit(struct task *task)
{
	submit_at(task, clock_mono_ms());
}

/* The first that the store refused to keep; NULL: none. Nobody else looks at the task meanwhile. */
static const struct plan_redo *keep(const struct store *store, const struct task *task)
{
	for (const struct plan_redo *r = task_first_redo(task); r != NULL; r = r->next) {
		if (!store_keep(store, &task->op, &r->command, r->lifetime_ms))
			return r;
		if (task->redo != NULL)
			break;
	}
	return NULL;
}

/* False: the store has no room for it. */
static bool pend(const struct store *store, const struct task *task)
{
	for (const struct plan_redo *r = task->plan.redos; r != NULL; r = r->next)
		if (!store_pend(store, &r->command, r->lifetime_ms))
			return false;
	store_announce(store, task->plan.announcement);
	return true;
}

/* The caller has a reference: the command's. */
static void put_to_sleep(struct exchange *x, struct task *task)
{
	task->sleeper = (struct sleeper){
	    .exchange = x,
	    .due_ms = clock_mono_ms() + task->plan.pause_ms,
	    .place = task->plan.place,
	    .seen = task->plan.seen,
	};
	sleepers_add(x->group.core->sleepers, &task->sleeper);
}

/* Does what is to be done outside of the lock, until a command is submitted or nothing remains. */
static void carry_on(struct exchange *x, struct task *task, enum call_next next)
{
	const struct store *store = x->group.core->options.store;
	const struct plan_redo *unkept = next == CALL_KEEP ? keep(store, task) : NULL;
	const bool is_pended = next == CALL_PEND && pend(store, task);
	bool is_last;

	(void)pthread_mutex_lock(&x->lock);
	if (task->call->state != CALL_PENDING)
		next = CALL_NOTHING;
	else if (next == CALL_KEEP)
		next = call_kept(task, unkept);
	else
		next = call_pended(task, is_pended);
	is_last = take_reply(x);
	(void)pthread_mutex_unlock(&x->lock);
	if (next == CALL_SUBMIT)
		submit(task);
	else if (next == CALL_SLEEP)
		put_to_sleep(x, task);
	if (is_last)
		reply(x);
}

/* What the call waited for, a lock or a lease, would be kept from others by somebody who does not know that he has it. */
static void refuse_unheard(struct call *call)
{
	struct status st;

	(void)status_set(&st, STATUS_CANCELLED, "the caller has hung up while the call waited");
	call_refuse(call, &st);
}

void exchange_wake(struct sleeper *sleeper)
{
	struct task *task = (struct task *)(void *)((uint8_t *)sleeper - offsetof(struct task, sleeper));
	struct exchange *x = sleeper->exchange;
	const bool is_heard = !connection_is_closed(x->connection);
	bool is_pending;
	bool is_last;

	(void)pthread_mutex_lock(&x->lock);
	is_pending = task->call->state == CALL_PENDING;
	if (is_pending && !is_heard)
		refuse_unheard(task->call);
	is_last = take_reply(x);
	(void)pthread_mutex_unlock(&x->lock);
	if (is_last)
		reply(x);
	if (!is_pending || !is_heard)
		return;
	/* What comes from now on is news again. */
	task->plan.seen = auth_news_count(x->group.core->options.auth_news, task->plan.place);
	submit(task);
}

static void task_done(struct store_op *op, const struct store_result *result)
{
	struct task *task = (struct task *)(void *)((uint8_t *)op - offsetof(struct task, op));
	struct exchange *x = exchange_of(task->call);
	enum call_next next = CALL_NOTHING;
	bool is_last;

	(void)pthread_mutex_lock(&x->lock);
	if (task->call->state == CALL_PENDING)
		next = call_take(task, result);
	is_last = take_reply(x);
	(void)pthread_mutex_unlock(&x->lock);
	if (next == CALL_SUBMIT)
		submit(task);
	else if (next == CALL_SLEEP)
		put_to_sleep(x, task);
	else if (next != CALL_NOTHING)
		carry_on(x, task, next);
	if (is_last)
		reply(x);
	exchange_release(&x);
}

/* ---- Parked calls; with the lock held ---- */

static void refuse_watcher(struct call *call)
{
	struct status st;

	metric_add(METRIC_CALLS_OVERLOADED, 1);
	(void)status_set(&st, STATUS_RESOURCE_EXHAUSTED,
			 "%d calls watch already, which is the limit of an instance: watch by another, or share one "
			 "watcher for each realm in a process",
			 WATCHERS_MAX);
	call_refuse(call, &st);
}

/* True: the call is not parked any more, and its reference is the caller's to release. */
static bool poll_parked(struct exchange *x, struct call *call, uint64_t now_ms)
{
	watchers *w = x->group.core->watchers;

	call_poll(call, call->wait.due_ms <= now_ms);
	if (call->state == CALL_PARKED) {
		watchers_set_after(w, call->wait.slot, call->wait.after);
		return false;
	}
	watchers_remove(w, call->wait.slot);
	(void)atomic_fetch_sub_explicit(&x->parked, 1, memory_order_relaxed);
	return true;
}

/* The caller has a reference besides: the one that exchange_start began with. */
static void park(struct exchange *x, struct call *call)
{
	struct core *core = x->group.core;
	const struct watcher watcher = {
	    .exchange = x, .due_ms = call->wait.due_ms, .after = call->wait.after, .realm_tag = call->env.realm->tag};
	struct exchange *extra = x;

	if (!watchers_add(core->watchers, &watcher, &call->wait.slot)) {
		refuse_watcher(call);
		return;
	}
	metric_add(METRIC_WATCHES, 1);
	(void)atomic_fetch_add_explicit(&x->parked, 1, memory_order_relaxed);
	/* The drain first says that it stops, then looks at who is parked: this one has met either. */
	if (atomic_load(&core->is_stopping) && poll_parked(x, call, UINT64_MAX))
		exchange_release(&extra);
}

/* ---- The way to the store ---- */

static void run(struct exchange *x, struct call *call)
{
	uint64_t now_ms = 0;
	size_t planned = 0;
	bool is_last;

	(void)pthread_mutex_lock(&x->lock);
	if (call->state == CALL_PENDING) {
		call_plan(call);
		now_ms = call->env.mono_ms;
	}
	if (call->state == CALL_PARKED)
		park(x, call);
	if (call->state == CALL_PENDING)
		planned = call->task_count;
	is_last = take_reply(x);
	(void)pthread_mutex_unlock(&x->lock);
	/* A task that has been submitted is no longer looked at here: its reply may be changing it. */
	for (size_t i = 0; i < planned; i++)
		if (call->tasks[i].plan.has_command)
			submit_at(&call->tasks[i], now_ms);
	if (is_last)
		reply(x);
}

/* ---- Time ---- */

static void refuse_cut_off(struct call *call, const struct exchange_cutoff *cutoff)
{
	const bool is_mutating = call->method != NULL && call->method->is_mutating;
	const char *advice = is_mutating ? ": whether the change was made is unknown; repeating the call with its "
					   "idempotency key is safe"
					 : "";
	struct status st;

	if (cutoff->is_stopping)
		(void)status_set(&st, STATUS_UNAVAILABLE, "this instance shut down before Redis replied%s", advice);
	else
		(void)status_set(&st, STATUS_DEADLINE_EXCEEDED, "out of time after %u ms%s", call->timeout_ms, advice);
	call_refuse(call, &st);
}

static void release_unparked(struct exchange *x, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct exchange *extra = x;

		exchange_release(&extra);
	}
}

size_t exchange_cut_off(struct exchange *x, const struct exchange_cutoff *cutoff)
{
	uint64_t due_ms = REGISTRY_NEVER;
	size_t answered = 0;
	size_t unparked = 0;
	bool is_last;

	(void)pthread_mutex_lock(&x->lock);
	for (size_t i = 0; i < x->call_count; i++) {
		struct call *call = &x->calls[i];

		if (call->state == CALL_PARKED) {
			unparked += poll_parked(x, call, cutoff->now_ms);
		} else if (call->state == CALL_PENDING && !cutoff->is_parked_only &&
			   call->deadline_ms <= cutoff->now_ms) {
			refuse_cut_off(call, cutoff);
			answered++;
		}
		if (call->state != CALL_ANSWERED && call->deadline_ms < due_ms)
			due_ms = call->deadline_ms;
	}
	atomic_store_explicit(&x->due_ms, due_ms, memory_order_relaxed);
	is_last = take_reply(x);
	(void)pthread_mutex_unlock(&x->lock);
	if (is_last)
		reply(x);
	release_unparked(x, unparked);
	return answered;
}

/* ---- The start ---- */

static size_t bytes_typical(size_t frame_bytes, size_t calls)
{
	return FRAME_BYTES_TYPICAL + 4 * frame_bytes + calls * CALL_BYTES_TYPICAL;
}

/* False: too much is held already. Else x gives it back in the end. */
static bool hold_bytes(struct core *core, size_t bytes)
{
	const uint64_t max = (uint64_t)core->options.frames_in_flight_max * CORE_FRAME_BYTES;

	if (atomic_fetch_add(&core->bytes_held, bytes) + bytes <= max)
		return true;
	(void)atomic_fetch_sub(&core->bytes_held, bytes);
	return false;
}

static enum status_code refuse_bytes(const struct core *core, struct status *st)
{
	metric_add(METRIC_CALLS_OVERLOADED, 1);
	(void)status_set(st, STATUS_RESOURCE_EXHAUSTED,
			 "calls in flight hold all the memory they may: %u bytes for each of the "
			 "calls.frames_in_flight_max %u frames",
			 CORE_FRAME_BYTES, core->options.frames_in_flight_max);
	st->retry_after_ms = CORE_RETRY_AFTER_OVERLOAD_MS;
	return st->code;
}

static arena *arena_for(struct core *core, size_t frame_bytes, size_t calls)
{
	const size_t first = bytes_typical(frame_bytes, calls);
	/* The bodies together are no longer than the frame. */
	const size_t decoding =
	    frame_decode_bytes_max(frame_bytes) + 8 * frame_bytes + calls * frame_decode_bytes_max(0);

	return arena_new_from(core->blocks, first, first + decoding + WORK_BYTES_MAX);
}

static bool make_calls(struct exchange *x, Latchkey__V1__Call **sent, size_t count)
{
	uint64_t due_ms = REGISTRY_NEVER;

	x->calls = arena_array(x->group.arena, count, sizeof(x->calls[0]));
	x->replies = arena_array(x->group.arena, count, sizeof(x->replies[0]));
	if (x->calls == NULL || x->replies == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		call_init(&x->calls[i], &x->group, sent[i]);
		x->replies[i] = &x->calls[i].reply;
		if (x->calls[i].deadline_ms < due_ms)
			due_ms = x->calls[i].deadline_ms;
	}
	x->call_count = count;
	x->group.unanswered = count;
	atomic_init(&x->due_ms, due_ms);
	return true;
}

/* Once for all calls of the frame: a hash, and a search. The group's callers are set. */
static void identify(struct exchange *x, const Latchkey__V1__RequestFrame *sent, struct connection *c)
{
	if (x->group.callers == NULL || !sent->has_credential)
		return;
	x->group.caller = callers_find(x->group.callers, span_of(sent->credential.data, sent->credential.len));
	if (x->group.caller == NULL)
		connection_note_stranger(c);
}

/* NULL: *st says why the frame is refused. Nothing has been taken then; the arena is freed by the caller. */
static struct exchange *build(arena *a, struct connection *c, const struct wire_route *route, span frame,
			      struct status *st)
{
	const uint64_t now_us = clock_mono_us();
	struct exchange *x = arena_alloc(a, sizeof(*x));
	Latchkey__V1__RequestFrame *sent;
	span copy;

	/* What came lies in the link's buffer only until the event is over. */
	if (x == NULL || !arena_copy(a, frame, &copy)) {
		(void)call_no_memory(st);
		return NULL;
	}
	sent = frame_decode(a, copy, st);
	if (sent == NULL)
		return NULL;
	x->route = *route;
	x->group.core = connection_core(c);
	x->group.arena = a;
	x->group.arrived_us = now_us;
	x->group.body_bytes_left = BODY_BYTES_MAX;
	x->group.tasks_left = TASKS_MAX;
	core_in_force(x->group.core, &x->group.keys, &x->group.callers);
	identify(x, sent, c);
	if (!make_calls(x, sent->calls, sent->n_calls)) {
		keyring_release(&x->group.keys);
		callers_release(&x->group.callers);
		(void)call_no_memory(st);
		return NULL;
	}
	connection_retain(c);
	x->connection = c;
	atomic_init(&x->refs, 1);
	atomic_init(&x->parked, 0);
	(void)pthread_mutex_init(&x->lock, NULL);
	return x;
}

enum status_code exchange_start(struct connection *c, const struct wire_route *route, span frame, struct status *st)
{
	struct core *core = connection_core(c);
	struct exchange *x = NULL;
	size_t calls;
	size_t bytes;
	arena *a;

	if (frame_survey(frame, &calls, st) != STATUS_OK)
		return st->code;
	bytes = bytes_typical(frame.len, calls);
	if (!hold_bytes(core, bytes))
		return refuse_bytes(core, st);
	a = arena_for(core, frame.len, calls);
	if (a != NULL)
		x = build(a, c, route, frame, st);
	else
		(void)call_no_memory(st);
	if (x == NULL) {
		arena_free(&a);
		(void)atomic_fetch_sub(&core->bytes_held, bytes);
		return st->code;
	}
	x->group.bytes_held = bytes;
	metric_add(METRIC_CALLS, calls);
	connection_begin(c, x);
	for (size_t i = 0; i < calls; i++)
		run(x, &x->calls[i]);
	exchange_release(&x);
	return STATUS_OK;
}
