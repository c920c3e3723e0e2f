/* The calls of latchkey.v1.AuthCache: requests into messages. Getting or loading, which is made of them, is in load.c. */

#include "latchkey/auth.h"

#include <assert.h>

#include "latchkey/v1/auth_cache.pb-c.h"
#include "request.h"

#define GROUPS_MAX 4

/* ---- Lookup ---- */

static enum lk_err start_lookup(lk_call *call, const void *request)
{
	const struct lk_auth_lookup_request *r = request;
	Latchkey__V1__LookupAuthRequest message = LATCHKEY__V1__LOOKUP_AUTH_REQUEST__INIT;
	struct call_terms terms = TERMS(*r);
	ProtobufCBinaryData groups[GROUPS_MAX];

	if (r->group_count > GROUPS_MAX)
		return call_abandon(call, request_too_many(call, "groups", r->group_count, GROUPS_MAX));
	for (size_t i = 0; i < r->group_count; i++)
		groups[i] = binary_of(r->groups[i]);
	terms.timeout_ms = request_timeout(call, r->timeout_ms, r->load_wait_ms);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, subject, r->subject);
	SET(message, key, r->key);
	message.n_groups = r->group_count;
	message.groups = groups;
	SET_NUMBER(message, wait_ms, r->load_wait_ms);
	SET_NUMBER(message, lease_ms, r->lease_ms);
	SET_NUMBER(message, no_lease, r->no_lease);
	return request_submit(call, METHOD_AUTH_LOOKUP, &message.base, &terms);
}

static const struct request_form lookup_form = FORM(lk_auth_lookup_request, no_lease, start_lookup);

enum lk_err lk_auth_lookup_async(lk_call *call, const struct lk_auth_lookup_request *request)
{
	return request_start(call, &lookup_form, request);
}

enum lk_err lk_auth_lookup(lk_client *client, const struct lk_auth_lookup_request *request, lk_auth_answer **ret_answer,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_answer != NULL);
	err = request_run(client, &lookup_form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_answer = lk_call_take_auth_answer(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Fill ---- */

static enum lk_err start_fill(lk_call *call, const void *request)
{
	const struct lk_auth_fill_request *r = request;
	Latchkey__V1__FillAuthRequest message = LATCHKEY__V1__FILL_AUTH_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, subject, r->subject);
	SET(message, key, r->key);
	SET(message, lease, r->lease);
	/* An empty answer is one. */
	message.has_answer = !r->negative;
	message.answer = binary_of(r->answer);
	SET_NUMBER(message, ttl_ms, r->ttl_ms);
	SET_NUMBER(message, load_ms, r->load_ms);
	return request_submit(call, METHOD_AUTH_FILL, &message.base, &(struct call_terms)KEYED_TERMS(*r));
}

static const struct request_form fill_form = FORM(lk_auth_fill_request, load_ms, start_fill);

enum lk_err lk_auth_fill_async(lk_call *call, const struct lk_auth_fill_request *request)
{
	return request_start(call, &fill_form, request);
}

enum lk_err lk_auth_fill(lk_client *client, const struct lk_auth_fill_request *request, bool *ret_stored,
			 uint64_t *ret_expires_at_ms, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &fill_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_stored != NULL)
		*ret_stored = lk_call_stored(call);
	if (ret_expires_at_ms != NULL)
		*ret_expires_at_ms = lk_call_expires_at_ms(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Forget ---- */

static enum lk_err start_forget(lk_call *call, const void *request)
{
	const struct lk_auth_forget_request *r = request;
	Latchkey__V1__ForgetAuthRequest message = LATCHKEY__V1__FORGET_AUTH_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, subject, r->subject);
	SET(message, key, r->key);
	SET(message, group, r->group);
	return request_submit(call, METHOD_AUTH_FORGET, &message.base, &(struct call_terms)MUTATING_TERMS(*r));
}

static const struct request_form forget_form = FORM(lk_auth_forget_request, wait_ms, start_forget);

enum lk_err lk_auth_forget_async(lk_call *call, const struct lk_auth_forget_request *request)
{
	return request_start(call, &forget_form, request);
}

enum lk_err lk_auth_forget(lk_client *client, const struct lk_auth_forget_request *request, bool *ret_forgotten,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &forget_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_forgotten != NULL)
		*ret_forgotten = lk_call_forgotten(call);
	lk_call_free(&call);
	return LK_OK;
}
