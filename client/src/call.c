/* Call objects: their life as their owner sees it.
 *
 * A call holds a reference to its client, so that it may be freed after the client was closed. Whoever starts it owns
 * its request and result fields up to call_submit; then the flow (flow.c) has it, until one thread takes it to state
 * NOTIFYING, fills in the results and calls call_notify. There it becomes IDLE before the callback runs, so that the
 * callback may start it again; `callbacks` and `ended` say when the callback has returned.
 *
 * _Thread_local `in_callback`: set while a thread runs a callback, so that waiting there, which could wait for itself,
 * is refused. */

#include "call.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "client.h"
#include "codec/codec.h"
#include "error.h"
#include "flow.h"

#define KEY_BYTES_MADE	 16
#define BODY_BYTES_FIRST 512
/* A long poll is to be answered, with nothing if need be, before its time is over here: the reply may take so much longer
 * on its way, a packet lost and sent again included. Of short times a quarter. */
#define POLL_MARGIN_MS 1000

static _Thread_local bool in_callback;

void call_move(lk_call *call, enum call_state to)
{
	static const bool allowed[CALL_STATES][CALL_STATES] = {
	    [CALL_IDLE] = {[CALL_PREPARING] = true},
	    [CALL_PREPARING] = {[CALL_QUEUED] = true, [CALL_IDLE] = true},
	    [CALL_QUEUED] = {[CALL_SENT] = true, [CALL_NOTIFYING] = true},
	    [CALL_SENT] = {[CALL_QUEUED] = true, [CALL_BACKOFF] = true, [CALL_NOTIFYING] = true},
	    [CALL_BACKOFF] = {[CALL_QUEUED] = true, [CALL_NOTIFYING] = true},
	    [CALL_NOTIFYING] = {[CALL_IDLE] = true},
	};

	assert(allowed[call->state][to]);
	call->state = to;
}

bool call_in_callback(void)
{
	return in_callback;
}

bool call_enter_callback(void)
{
	bool before = in_callback;

	in_callback = true;
	return before;
}

void call_leave_callback(bool before)
{
	in_callback = before;
}

enum lk_err lk_call_new(lk_client *client, lk_call_fn fn, void *arg, lk_call **ret_call)
{
	lk_call *call;

	assert(client != NULL && ret_call != NULL);
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return LK_E_NO_MEMORY;
	call->client = client_retain(client);
	call->fn = fn;
	call->arg = arg;
	error_clear(&call->error);
	/* With the default attributes it cannot fail. */
	(void)pthread_cond_init(&call->ended_changed, NULL);
	*ret_call = call;
	return LK_OK;
}

static void wipe_body(lk_call *call)
{
	if (call->body != NULL)
		explicit_bzero(call->body, call->body_capacity);
	free(call->body);
	call->body = NULL;
	call->body_capacity = 0;
}

static void destroy(lk_call *call)
{
	assert(call->state == CALL_IDLE && call->callbacks == 0 && call->waiters == 0);
	results_clear(&call->results);
	wipe_body(call);
	(void)pthread_cond_destroy(&call->ended_changed);
	client_release(&call->client);
	free(call);
}

/* Under the lock. */
static bool is_over(const lk_call *call)
{
	return call->state == CALL_IDLE && call->callbacks == 0;
}

/* Under the lock. By whoever is last to have to do with it. */
static bool is_to_be_freed(const lk_call *call)
{
	return call->free_at_end && is_over(call) && call->waiters == 0;
}

static void cancel_locked(lk_call *call)
{
	if (call->state != CALL_QUEUED && call->state != CALL_SENT && call->state != CALL_BACKOFF)
		return;
	call->canceled = true;
	call->client->slots.rows[call->slot].due_ms = 0;
	call->client->due_ms = 0;
}

void lk_call_cancel(lk_call *call)
{
	pthread_mutex_lock(&call->client->lock);
	cancel_locked(call);
	pthread_mutex_unlock(&call->client->lock);
}

static void wait_until_over(lk_call *call)
{
	call->waiters++;
	/* This one is counted: the others leave first. */
	while (!is_over(call) || call->waiters > 1)
		(void)pthread_cond_wait(&call->ended_changed, &call->client->lock);
	call->waiters--;
}

void lk_call_free(lk_call **call)
{
	lk_call *own = *call;
	bool over;

	*call = NULL;
	if (own == NULL)
		return;
	pthread_mutex_lock(&own->client->lock);
	cancel_locked(own);
	if (!in_callback)
		wait_until_over(own);
	over = is_over(own);
	own->free_at_end = !over;
	pthread_mutex_unlock(&own->client->lock);
	if (over)
		destroy(own);
}

enum lk_err lk_call_wait(lk_call *call)
{
	lk_client *client = call->client;
	enum lk_err result;
	uint64_t target;
	bool free_now;

	if (in_callback)
		return LK_E_MISUSE;
	pthread_mutex_lock(&client->lock);
	target = call->started;
	call->waiters++;
	while (call->ended < target)
		(void)pthread_cond_wait(&call->ended_changed, &client->lock);
	call->waiters--;
	result = call->result;
	/* lk_call_free may be waiting for the last waiter to leave; within a callback it has left that to him. */
	if (call->waiters > 0)
		(void)pthread_cond_broadcast(&call->ended_changed);
	free_now = is_to_be_freed(call);
	pthread_mutex_unlock(&client->lock);
	if (free_now)
		destroy(call);
	return result;
}

enum lk_err call_begin(lk_call *call)
{
	bool idle;

	assert(call != NULL);
	pthread_mutex_lock(&call->client->lock);
	idle = call->state == CALL_IDLE;
	if (idle)
		call_move(call, CALL_PREPARING);
	pthread_mutex_unlock(&call->client->lock);
	if (!idle)
		return LK_E_MISUSE;
	results_clear(&call->results);
	error_clear(&call->error);
	return LK_OK;
}

enum lk_err call_abandon(lk_call *call, enum lk_err err)
{
	assert(err != LK_OK);
	pthread_mutex_lock(&call->client->lock);
	call_move(call, CALL_IDLE);
	pthread_mutex_unlock(&call->client->lock);
	return err;
}

enum lk_err call_pack(lk_call *call, const ProtobufCMessage *message)
{
	size_t bytes = codec_packed_bytes(message);

	if (bytes > LK_REQUEST_BYTES_MAX)
		return error_set(&call->error, LK_E_INVALID_ARGUMENT,
				 "the request has %zu bytes, at most %d: send less at once", bytes,
				 LK_REQUEST_BYTES_MAX);
	if (bytes > call->body_capacity || call->body == NULL) {
		wipe_body(call);
		call->body_capacity = bytes > BODY_BYTES_FIRST ? bytes : BODY_BYTES_FIRST;
		call->body = malloc(call->body_capacity);
		if (call->body == NULL)
			return error_set(&call->error, LK_E_NO_MEMORY, "out of memory");
	}
	codec_pack(message, call->body, bytes);
	call->body_bytes = bytes;
	return LK_OK;
}

static enum lk_err take_terms(lk_call *call, const struct call_terms *terms)
{
	size_t trace_bytes = terms->traceparent != NULL ? strlen(terms->traceparent) : 0;

	if (terms->timeout_ms > LK_TIMEOUT_MS_MAX)
		return error_set(&call->error, LK_E_INVALID_ARGUMENT, "timeout_ms is %u, at most %d", terms->timeout_ms,
				 LK_TIMEOUT_MS_MAX);
	if (trace_bytes > TRACEPARENT_BYTES_MAX)
		return error_set(&call->error, LK_E_INVALID_ARGUMENT, "traceparent has %zu bytes, at most %d",
				 trace_bytes, TRACEPARENT_BYTES_MAX);
	if (terms->idempotency_key.len > IDEMPOTENCY_KEY_BYTES_MAX)
		return error_set(&call->error, LK_E_INVALID_ARGUMENT, "idempotency_key has %zu bytes, at most %d",
				 terms->idempotency_key.len, IDEMPOTENCY_KEY_BYTES_MAX);
	call->timeout_ms = terms->timeout_ms > 0 ? terms->timeout_ms : call->client->options.call_timeout_ms;
	if (trace_bytes > 0)
		memcpy(call->traceparent, terms->traceparent, trace_bytes);
	call->traceparent[trace_bytes] = '\0';
	call->wait_replicas = terms->wait_replicas;
	call->wait_ms = terms->wait_ms;
	call->key_bytes = terms->idempotency_key.len;
	if (call->key_bytes > 0)
		memcpy(call->key, terms->idempotency_key.data, call->key_bytes);
	return LK_OK;
}

/* A mutating call always has a key: it is what makes sending it twice the same as once. */
static enum lk_err make_key(lk_call *call)
{
	if (call->key_bytes > 0 || !method_is_mutating(call->method))
		return LK_OK;
	if (getrandom(call->key, KEY_BYTES_MADE, 0) != KEY_BYTES_MADE)
		return error_set(&call->error, LK_E_INTERNAL, "the system gives no random bytes (getrandom)");
	call->key_bytes = KEY_BYTES_MADE;
	return LK_OK;
}

static uint32_t told_timeout_ms(const lk_call *call, uint32_t timeout_ms)
{
	uint32_t quarter_ms = timeout_ms / 4;

	if (!method_is_long_poll(call->method))
		return timeout_ms;
	return timeout_ms - (quarter_ms < POLL_MARGIN_MS ? quarter_ms : POLL_MARGIN_MS);
}

enum lk_err call_frame(lk_call *call, uint32_t timeout_ms, struct frame **ret, struct lk_error *error)
{
	const struct envelope envelope = {
	    .credential = call->client->options.credential,
	    .method = method_path(call->method),
	    .body = call->body,
	    .body_bytes = call->body_bytes,
	    .timeout_ms = told_timeout_ms(call, timeout_ms),
	    .key = call->key,
	    .key_bytes = call->key_bytes,
	    .traceparent = call->traceparent,
	    .wait_replicas = call->wait_replicas,
	    .wait_ms = call->wait_ms,
	};

	return frame_new(&envelope, ret, error);
}

enum lk_err call_submit(lk_call *call, enum method method, const struct call_terms *terms)
{
	enum lk_err err = take_terms(call, terms);

	call->method = method;
	if (err == LK_OK)
		err = make_key(call);
	if (err == LK_OK)
		err = call_frame(call, call->timeout_ms, &call->frame, &call->error);
	if (err != LK_OK)
		return call_abandon(call, err);
	err = flow_submit(call);
	if (err == LK_OK)
		return LK_OK;
	frame_release(&call->frame);
	return call_abandon(call, err);
}

static void run_callback(lk_call *call, enum lk_err err)
{
	bool before = call_enter_callback();

	call->fn(call, err, call->arg);
	call_leave_callback(before);
}

void call_notify(lk_call *call)
{
	lk_client *client = call->client;
	enum lk_err err = call->error.code;
	bool free_now;

	frame_release(&call->frame);
	pthread_mutex_lock(&client->lock);
	call_move(call, CALL_IDLE);
	if (call->fn != NULL) {
		call->callbacks++;
		pthread_mutex_unlock(&client->lock);
		run_callback(call, err);
		pthread_mutex_lock(&client->lock);
		call->callbacks--;
	}
	call->ended++;
	call->result = err;
	if (call->waiters > 0)
		(void)pthread_cond_broadcast(&call->ended_changed);
	free_now = is_to_be_freed(call);
	if (--client->busy == 0)
		(void)pthread_cond_broadcast(&client->settled);
	pthread_mutex_unlock(&client->lock);
	if (free_now)
		destroy(call);
}

void lk_call_detail(const lk_call *call, struct lk_error *error)
{
	error_copy(&call->error, error);
}

enum lk_err call_sync_begin(lk_client *client, struct lk_error *error, lk_call **ret_call)
{
	struct lk_error own = LK_ERROR_INIT;
	enum lk_err err;

	assert(client != NULL);
	if (in_callback)
		err = error_set(&own, LK_E_MISUSE, "a callback must not block: use the _async function there");
	else if (lk_call_new(client, NULL, NULL, ret_call) != LK_OK)
		err = error_set(&own, LK_E_NO_MEMORY, "out of memory");
	else
		return LK_OK;
	error_copy(&own, error);
	return err;
}

enum lk_err call_sync_wait(lk_call *call, enum lk_err started)
{
	return started == LK_OK ? lk_call_wait(call) : started;
}

void call_sync_end(lk_call **call, struct lk_error *error)
{
	lk_call_detail(*call, error);
	lk_call_free(call);
}
