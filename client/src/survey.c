/* The calls of latchkey.v1.Sessions that look over many: List, Verify, Watch; as in session.c. */

#include <assert.h>

#include "latchkey/admin.h"
#include "latchkey/watch.h"
#include "request.h"

/* ---- List ---- */

static enum lk_err start_list(lk_call *call, const void *request)
{
	const struct lk_session_list_request *r = request;
	Latchkey__V1__ListSessionsRequest message = LATCHKEY__V1__LIST_SESSIONS_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, user, r->user);
	SET_NUMBER(message, page_size, r->page_size);
	SET(message, page_token, r->page_token);
	return request_submit(call, METHOD_LIST, &message.base, &(struct call_terms)TERMS(*r));
}

static const struct request_form list_form = FORM(lk_session_list_request, page_token, start_list);

enum lk_err lk_session_list_async(lk_call *call, const struct lk_session_list_request *request)
{
	return request_start(call, &list_form, request);
}

enum lk_err lk_session_list(lk_client *client, const struct lk_session_list_request *request,
			    lk_sessions **ret_sessions, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_sessions != NULL);
	err = request_run(client, &list_form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_sessions = lk_call_take_sessions(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Verify ---- */

static enum lk_err start_verify(lk_call *call, const void *request)
{
	const struct lk_session_verify_request *r = request;
	Latchkey__V1__VerifySessionsRequest message = LATCHKEY__V1__VERIFY_SESSIONS_REQUEST__INIT;
	ProtobufCBinaryData tokens[TOKENS_MAX];
	enum lk_err err = request_tokens(call, r->tokens, r->token_count, tokens);

	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, user, r->user);
	message.n_tokens = r->token_count;
	message.tokens = tokens;
	return request_submit(call, METHOD_VERIFY, &message.base, &(struct call_terms)TERMS(*r));
}

static const struct request_form verify_form = FORM(lk_session_verify_request, token_count, start_verify);

enum lk_err lk_session_verify_async(lk_call *call, const struct lk_session_verify_request *request)
{
	return request_start(call, &verify_form, request);
}

enum lk_err lk_session_verify(lk_client *client, const struct lk_session_verify_request *request,
			      struct lk_verification *ret, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret != NULL);
	err = request_run(client, &verify_form, request, error, &call);
	if (err != LK_OK)
		return err;
	lk_call_verification(call, ret);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Watch ---- */

static enum lk_err start_watch(lk_call *call, const void *request)
{
	const struct lk_session_watch_request *r = request;
	Latchkey__V1__WatchSessionsRequest message = LATCHKEY__V1__WATCH_SESSIONS_REQUEST__INIT;
	struct call_terms terms = TERMS(*r);

	if (terms.timeout_ms == 0)
		terms.timeout_ms = LK_WATCH_TIMEOUT_MS;
	SET(message, realm, request_realm(call, r->realm));
	SET(message, cursor, r->cursor);
	SET_NUMBER(message, events_max, r->events_max);
	return request_submit(call, METHOD_WATCH, &message.base, &terms);
}

static const struct request_form watch_form = FORM(lk_session_watch_request, events_max, start_watch);

enum lk_err lk_session_watch_async(lk_call *call, const struct lk_session_watch_request *request)
{
	return request_start(call, &watch_form, request);
}

enum lk_err lk_session_watch(lk_client *client, const struct lk_session_watch_request *request, lk_events **ret_events,
			     struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_events != NULL);
	err = request_run(client, &watch_form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_events = lk_call_take_events(call);
	lk_call_free(&call);
	return LK_OK;
}
