/* The calls of latchkey.v1.Sessions that look over many: List, Verify, Watch; as in session.c. */

#include <assert.h>

#include "latchkey/admin.h"
#include "latchkey/watch.h"
#include "request.h"

/* ---- List ---- */

enum lk_err lk_session_list_async(lk_call *call, const struct lk_session_list_request *request)
{
	Latchkey__V1__ListSessionsRequest message = LATCHKEY__V1__LIST_SESSIONS_REQUEST__INIT;
	struct lk_session_list_request r;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &r, lk_session_list_request, page_token);
	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, request_realm(call, r.realm));
	SET(message, user, r.user);
	SET_NUMBER(message, page_size, r.page_size);
	SET(message, page_token, r.page_token);
	return request_submit(call, METHOD_LIST, &message.base, &(struct call_terms)TERMS(r));
}

enum lk_err lk_session_list(lk_client *client, const struct lk_session_list_request *request,
			    lk_sessions **ret_sessions, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_sessions != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_list_async(call, request));
	if (err == LK_OK)
		*ret_sessions = lk_call_take_sessions(call);
	call_sync_end(&call, error);
	return err;
}

/* ---- Verify ---- */

static enum lk_err start_verify(lk_call *call, const struct lk_session_verify_request *r)
{
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

enum lk_err lk_session_verify_async(lk_call *call, const struct lk_session_verify_request *request)
{
	struct lk_session_verify_request known;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &known, lk_session_verify_request, token_count);
	return err == LK_OK ? start_verify(call, &known) : call_abandon(call, err);
}

enum lk_err lk_session_verify(lk_client *client, const struct lk_session_verify_request *request,
			      struct lk_verification *ret, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_verify_async(call, request));
	if (err == LK_OK)
		lk_call_verification(call, ret);
	call_sync_end(&call, error);
	return err;
}

/* ---- Watch ---- */

static enum lk_err start_watch(lk_call *call, struct lk_session_watch_request *r)
{
	Latchkey__V1__WatchSessionsRequest message = LATCHKEY__V1__WATCH_SESSIONS_REQUEST__INIT;

	if (r->timeout_ms == 0)
		r->timeout_ms = LK_WATCH_TIMEOUT_MS;
	SET(message, realm, request_realm(call, r->realm));
	SET(message, cursor, r->cursor);
	SET_NUMBER(message, events_max, r->events_max);
	return request_submit(call, METHOD_WATCH, &message.base, &(struct call_terms)TERMS(*r));
}

enum lk_err lk_session_watch_async(lk_call *call, const struct lk_session_watch_request *request)
{
	struct lk_session_watch_request known;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &known, lk_session_watch_request, events_max);
	return err == LK_OK ? start_watch(call, &known) : call_abandon(call, err);
}

enum lk_err lk_session_watch(lk_client *client, const struct lk_session_watch_request *request, lk_events **ret_events,
			     struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_events != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_watch_async(call, request));
	if (err == LK_OK)
		*ret_events = lk_call_take_events(call);
	call_sync_end(&call, error);
	return err;
}
