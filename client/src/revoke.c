/* The calls of latchkey.v1.Sessions that end sessions: one, a user's, a realm's; as in session.c. */

#include "latchkey/admin.h"
#include "request.h"

/* ---- A session ---- */

static enum lk_err start_revoke(lk_call *call, const void *request)
{
	const struct lk_session_revoke_request *r = request;
	Latchkey__V1__RevokeSessionRequest message = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, token, request_token(r->token));
	SET(message, handle, r->handle);
	message.has_reason = r->reason != LK_REASON_NONE;
	message.reason = (Latchkey__V1__Reason)r->reason;
	return request_submit(call, METHOD_REVOKE, &message.base, &(struct call_terms)MUTATING_TERMS(*r));
}

static const struct request_form revoke_form = FORM(lk_session_revoke_request, wait_ms, start_revoke);

enum lk_err lk_session_revoke_async(lk_call *call, const struct lk_session_revoke_request *request)
{
	return request_start(call, &revoke_form, request);
}

enum lk_err lk_session_revoke(lk_client *client, const struct lk_session_revoke_request *request, bool *ret_was_alive,
			      struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &revoke_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_was_alive != NULL)
		*ret_was_alive = lk_call_was_alive(call);
	if (request != NULL && request->ret_pending != NULL)
		*request->ret_pending = lk_call_pending(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- A user's ---- */

static enum lk_err start_revoke_user(lk_call *call, const void *request)
{
	const struct lk_session_revoke_user_request *r = request;
	Latchkey__V1__RevokeUserRequest message = LATCHKEY__V1__REVOKE_USER_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, user, r->user);
	SET(message, token, request_token(r->token));
	SET(message, except, request_token(r->except));
	SET(message, session_class, lk_text(r->session_class));
	message.has_reason = r->reason != LK_REASON_NONE;
	message.reason = (Latchkey__V1__Reason)r->reason;
	return request_submit(call, METHOD_REVOKE_USER, &message.base, &(struct call_terms)MUTATING_TERMS(*r));
}

static const struct request_form revoke_user_form = FORM(lk_session_revoke_user_request, wait_ms, start_revoke_user);

enum lk_err lk_session_revoke_user_async(lk_call *call, const struct lk_session_revoke_user_request *request)
{
	return request_start(call, &revoke_user_form, request);
}

enum lk_err lk_session_revoke_user(lk_client *client, const struct lk_session_revoke_user_request *request,
				   uint32_t *ret_revoked, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &revoke_user_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_revoked != NULL)
		*ret_revoked = lk_call_revoked(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- A realm's ---- */

static enum lk_err start_revoke_realm(lk_call *call, const void *request)
{
	const struct lk_session_revoke_realm_request *r = request;
	Latchkey__V1__RevokeRealmRequest message = LATCHKEY__V1__REVOKE_REALM_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET_NUMBER(message, not_before_ms, r->not_before_ms);
	return request_submit(call, METHOD_REVOKE_REALM, &message.base, &(struct call_terms)MUTATING_TERMS(*r));
}

static const struct request_form revoke_realm_form = FORM(lk_session_revoke_realm_request, wait_ms, start_revoke_realm);

enum lk_err lk_session_revoke_realm_async(lk_call *call, const struct lk_session_revoke_realm_request *request)
{
	return request_start(call, &revoke_realm_form, request);
}

enum lk_err lk_session_revoke_realm(lk_client *client, const struct lk_session_revoke_realm_request *request,
				    uint64_t *ret_not_before_ms, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &revoke_realm_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_not_before_ms != NULL)
		*ret_not_before_ms = lk_call_not_before_ms(call);
	lk_call_free(&call);
	return LK_OK;
}
