/* The calls of latchkey.v1.Locks: requests into messages, and answers into results. What keeps a lock is in hold.c. */

#include "latchkey/lock.h"

#include <assert.h>

#include "answers.h"
#include "latchkey/v1/locks.pb-c.h"
#include "request.h"

#define OWNER_BYTES_MIN 16

/* ---- Acquire ---- */

static enum lk_err start_acquire(lk_call *call, const void *request)
{
	const struct lk_lock_acquire_request *r = request;
	Latchkey__V1__AcquireLockRequest message = LATCHKEY__V1__ACQUIRE_LOCK_REQUEST__INIT;
	struct call_terms terms = KEYED_TERMS(*r);

	terms.timeout_ms = request_timeout(call, r->timeout_ms, r->lock_wait_ms);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, name, r->name);
	SET_NUMBER(message, ttl_ms, r->ttl_ms);
	SET_NUMBER(message, wait_ms, r->lock_wait_ms);
	return request_submit(call, METHOD_LOCK_ACQUIRE, &message.base, &terms);
}

static const struct request_form acquire_form = FORM(lk_lock_acquire_request, lock_wait_ms, start_acquire);

enum lk_err lk_lock_acquire_async(lk_call *call, const struct lk_lock_acquire_request *request)
{
	return request_start(call, &acquire_form, request);
}

enum lk_err lk_lock_acquire(lk_client *client, const struct lk_lock_acquire_request *request, struct lk_lock_state *ret,
			    struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret != NULL);
	err = request_run(client, &acquire_form, request, error, &call);
	if (err != LK_OK)
		return err;
	lk_call_lock(call, ret);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Extend ---- */

static enum lk_err start_extend(lk_call *call, const void *request)
{
	const struct lk_lock_extend_request *r = request;
	Latchkey__V1__ExtendLockRequest message = LATCHKEY__V1__EXTEND_LOCK_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, name, r->name);
	SET(message, owner, r->owner);
	SET_NUMBER(message, ttl_ms, r->ttl_ms);
	return request_submit(call, METHOD_LOCK_EXTEND, &message.base, &(struct call_terms)KEYED_TERMS(*r));
}

static const struct request_form extend_form = FORM(lk_lock_extend_request, ttl_ms, start_extend);

enum lk_err lk_lock_extend_async(lk_call *call, const struct lk_lock_extend_request *request)
{
	return request_start(call, &extend_form, request);
}

enum lk_err lk_lock_extend(lk_client *client, const struct lk_lock_extend_request *request, struct lk_lock_state *ret,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret != NULL);
	err = request_run(client, &extend_form, request, error, &call);
	if (err != LK_OK)
		return err;
	lk_call_lock(call, ret);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Release ---- */

static enum lk_err start_release(lk_call *call, const void *request)
{
	const struct lk_lock_release_request *r = request;
	Latchkey__V1__ReleaseLockRequest message = LATCHKEY__V1__RELEASE_LOCK_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, name, r->name);
	SET(message, owner, r->owner);
	return request_submit(call, METHOD_LOCK_RELEASE, &message.base, &(struct call_terms)KEYED_TERMS(*r));
}

static const struct request_form release_form = FORM(lk_lock_release_request, owner, start_release);

enum lk_err lk_lock_release_async(lk_call *call, const struct lk_lock_release_request *request)
{
	return request_start(call, &release_form, request);
}

enum lk_err lk_lock_release(lk_client *client, const struct lk_lock_release_request *request, bool *ret_released,
			    struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &release_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_released != NULL)
		*ret_released = lk_call_released(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Answers ---- */

enum lk_err answer_lock_acquire(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__AcquireLockResponse *m = (const Latchkey__V1__AcquireLockResponse *)message;
	struct lk_lock_state *state = &results->lock;

	if (!m->has_acquired)
		return not_understood(error, "a lock that is neither acquired nor not");
	/* Without its owner's secret, or its number, a lock is of no use to whoever has it. */
	if (m->acquired && (m->owner.len < OWNER_BYTES_MIN || m->owner.len > sizeof(state->owner)))
		return not_understood(error, "a lock without its owner");
	if (m->acquired && m->fencing_token == 0)
		return not_understood(error, "a lock without its fencing token");
	state->struct_size = sizeof(*state);
	state->held = m->acquired;
	state->expires_at_ms = m->expires_at_ms;
	state->retry_after_ms = m->retry_after_ms;
	if (!m->acquired)
		return LK_OK;
	memcpy(state->owner, m->owner.data, m->owner.len);
	state->owner_bytes = m->owner.len;
	state->fencing_token = m->fencing_token;
	return LK_OK;
}

enum lk_err answer_lock_extend(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__ExtendLockResponse *m = (const Latchkey__V1__ExtendLockResponse *)message;

	if (!m->has_held)
		return not_understood(error, "a lock that is neither held nor not");
	results->lock = (struct lk_lock_state){
	    .struct_size = sizeof(results->lock),
	    .held = m->held,
	    .expires_at_ms = m->expires_at_ms,
	    .fencing_token = m->held ? m->fencing_token : 0,
	};
	return LK_OK;
}

enum lk_err answer_lock_release(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	(void)error;
	results->had_effect = ((const Latchkey__V1__ReleaseLockResponse *)message)->released;
	return LK_OK;
}
