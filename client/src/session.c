/* The calls of latchkey.v1.Sessions: requests into messages, and the synchronous form over the other. */

#include <assert.h>

#include "call.h"
#include "client.h"
#include "error.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "options.h"

/* The wire's own limits: what goes beyond never gets that far. */
#define ATTRIBUTES_MAX 64
#define AMR_MAX	       8

#define TAKE(call, given, to, name) struct_take((given), (to), sizeof(*(to)), sizeof(*(to)), #name, &(call)->error)
#define TERMS(request)                                                                                                 \
	{                                                                                                              \
		.timeout_ms = (request).timeout_ms, .traceparent = (request).traceparent                               \
	}
#define MUTATING_TERMS(request)                                                                                        \
	{                                                                                                              \
		.timeout_ms = (request).timeout_ms, .traceparent = (request).traceparent,                              \
		.idempotency_key = (request).idempotency_key, .wait_replicas = (request).wait_replicas,                \
		.wait_ms = (request).wait_ms                                                                           \
	}
#define SET(message, field, bytes)	   ((message).has_##field = ((message).field = binary_of(bytes)).len > 0)
#define SET_NUMBER(message, field, number) ((message).has_##field = ((message).field = (number)) != 0)

/* The realm of a request, else of the client, else none. */
static struct lk_bytes realm_of(const lk_call *call, const char *given)
{
	return lk_text(given != NULL ? given : call->client->options.realm);
}

/* Whatever a browser sends is for the server to judge, but no more of it than any token has. */
static struct lk_bytes token_of(struct lk_bytes given)
{
	return given.len <= LK_TOKEN_BYTES_MAX ? given : lk_bytes_of(given.data, LK_TOKEN_BYTES_MAX);
}

static enum lk_err too_many(lk_call *call, const char *what, size_t count, size_t max)
{
	return error_set(&call->error, LK_E_INVALID_ARGUMENT, "%zu %s in one request, at most %zu", count, what, max);
}

struct attributes {
	Latchkey__V1__Attribute rows[ATTRIBUTES_MAX];
	Latchkey__V1__Attribute *pointers[ATTRIBUTES_MAX];
};

static enum lk_err take_attributes(lk_call *call, const struct lk_attribute *given, size_t count, struct attributes *to)
{
	if (count > ATTRIBUTES_MAX)
		return too_many(call, "attributes", count, ATTRIBUTES_MAX);
	for (size_t i = 0; i < count; i++) {
		latchkey__v1__attribute__init(&to->rows[i]);
		to->rows[i].has_key = true;
		to->rows[i].key = binary_of(given[i].key);
		to->rows[i].has_value = true;
		to->rows[i].value = binary_of(given[i].value);
		to->pointers[i] = &to->rows[i];
	}
	return LK_OK;
}

static enum lk_err submit(lk_call *call, enum method method, const ProtobufCMessage *message,
			  const struct call_terms *terms)
{
	enum lk_err err = call_pack(call, message);

	return err == LK_OK ? call_submit(call, method, terms) : call_abandon(call, err);
}

/* ---- Create ---- */

static void take_device(const struct lk_session_create_request *r, Latchkey__V1__Device *device,
			Latchkey__V1__CreateSessionRequest *message)
{
	latchkey__v1__device__init(device);
	SET(*device, user_agent, r->user_agent);
	SET(*device, ip, r->ip);
	SET(*device, label, r->label);
	if (device->has_user_agent || device->has_ip || device->has_label)
		message->device = device;
}

static enum lk_err take_authentication(lk_call *call, const struct lk_session_create_request *r,
				       ProtobufCBinaryData amr[static AMR_MAX], Latchkey__V1__Authentication *to,
				       Latchkey__V1__CreateSessionRequest *message)
{
	if (r->amr_count > AMR_MAX)
		return too_many(call, "authentication methods", r->amr_count, AMR_MAX);
	latchkey__v1__authentication__init(to);
	SET_NUMBER(*to, at_ms, r->authenticated_at_ms);
	SET_NUMBER(*to, aal, r->aal);
	for (size_t i = 0; i < r->amr_count; i++)
		amr[i] = binary_of(lk_text(r->amr[i]));
	to->n_amr = r->amr_count;
	to->amr = amr;
	if (to->has_at_ms || to->has_aal || to->n_amr > 0)
		message->authentication = to;
	return LK_OK;
}

static enum lk_err start_create(lk_call *call, const struct lk_session_create_request *r)
{
	Latchkey__V1__CreateSessionRequest message = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	const struct call_terms terms = MUTATING_TERMS(*r);
	Latchkey__V1__Authentication authentication;
	ProtobufCBinaryData amr[AMR_MAX];
	Latchkey__V1__Device device;
	struct attributes attributes;
	enum lk_err err = take_attributes(call, r->attributes, r->attribute_count, &attributes);

	if (err == LK_OK)
		err = take_authentication(call, r, amr, &authentication, &message);
	if (err != LK_OK)
		return call_abandon(call, err);
	take_device(r, &device, &message);
	SET(message, realm, realm_of(call, r->realm));
	SET(message, user, r->user);
	SET(message, session_class, lk_text(r->session_class));
	SET_NUMBER(message, idle_timeout_s, r->idle_timeout_s);
	SET_NUMBER(message, absolute_timeout_s, r->absolute_timeout_s);
	message.n_attributes = r->attribute_count;
	message.attributes = attributes.pointers;
	return submit(call, METHOD_CREATE, &message.base, &terms);
}

enum lk_err lk_session_create_async(lk_call *call, const struct lk_session_create_request *request)
{
	struct lk_session_create_request known;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &known, lk_session_create_request);
	return err == LK_OK ? start_create(call, &known) : call_abandon(call, err);
}

enum lk_err lk_session_create(lk_client *client, const struct lk_session_create_request *request,
			      lk_session **ret_session, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_session != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_create_async(call, request));
	if (err == LK_OK)
		*ret_session = lk_call_take_session(call);
	call_sync_end(&call, error);
	return err;
}

/* ---- Get ---- */

enum lk_err lk_session_get_async(lk_call *call, const struct lk_session_get_request *request)
{
	Latchkey__V1__GetSessionRequest message = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;
	struct lk_session_get_request r;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &r, lk_session_get_request);
	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, realm_of(call, r.realm));
	message.has_token = true;
	message.token = binary_of(token_of(r.token));
	SET_NUMBER(message, peek, r.peek);
	SET_NUMBER(message, minimum_aal, r.minimum_aal);
	SET_NUMBER(message, authenticated_within_s, r.authenticated_within_s);
	return submit(call, METHOD_GET, &message.base, &(struct call_terms)TERMS(r));
}

enum lk_err lk_session_get(lk_client *client, const struct lk_session_get_request *request,
			   enum lk_verdict *ret_verdict, lk_session **ret_session, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_verdict != NULL);
	*ret_verdict = LK_UNKNOWN;
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_get_async(call, request));
	if (err == LK_OK) {
		*ret_verdict = lk_call_verdict(call);
		if (ret_session != NULL)
			*ret_session = lk_call_take_session(call);
	}
	call_sync_end(&call, error);
	return err;
}

/* ---- Update ---- */

static enum lk_err start_update(lk_call *call, const struct lk_session_update_request *r)
{
	Latchkey__V1__UpdateSessionRequest message = LATCHKEY__V1__UPDATE_SESSION_REQUEST__INIT;
	const struct call_terms terms = MUTATING_TERMS(*r);
	ProtobufCBinaryData remove[ATTRIBUTES_MAX];
	struct attributes set;
	enum lk_err err = take_attributes(call, r->set, r->set_count, &set);

	if (err == LK_OK && r->remove_count > ATTRIBUTES_MAX)
		err = too_many(call, "keys to remove", r->remove_count, ATTRIBUTES_MAX);
	if (err != LK_OK)
		return call_abandon(call, err);
	for (size_t i = 0; i < r->remove_count; i++)
		remove[i] = binary_of(r->remove[i]);
	SET(message, realm, realm_of(call, r->realm));
	message.has_token = true;
	message.token = binary_of(token_of(r->token));
	message.n_set = r->set_count;
	message.set = set.pointers;
	message.n_remove = r->remove_count;
	message.remove = remove;
	SET_NUMBER(message, expected_version, r->expected_version);
	return submit(call, METHOD_UPDATE, &message.base, &terms);
}

enum lk_err lk_session_update_async(lk_call *call, const struct lk_session_update_request *request)
{
	struct lk_session_update_request known;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &known, lk_session_update_request);
	return err == LK_OK ? start_update(call, &known) : call_abandon(call, err);
}

enum lk_err lk_session_update(lk_client *client, const struct lk_session_update_request *request, uint64_t *ret_version,
			      uint64_t *ret_idle_expires_at_ms, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = call_sync_begin(client, error, &call);

	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_update_async(call, request));
	if (err == LK_OK && ret_version != NULL)
		*ret_version = lk_call_version(call);
	if (err == LK_OK && ret_idle_expires_at_ms != NULL)
		*ret_idle_expires_at_ms = lk_call_idle_expires_at_ms(call);
	call_sync_end(&call, error);
	return err;
}

/* ---- Revoke ---- */

enum lk_err lk_session_revoke_async(lk_call *call, const struct lk_session_revoke_request *request)
{
	Latchkey__V1__RevokeSessionRequest message = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;
	struct lk_session_revoke_request r;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &r, lk_session_revoke_request);
	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, realm_of(call, r.realm));
	SET(message, token, token_of(r.token));
	SET(message, handle, r.handle);
	message.has_reason = r.reason != LK_REASON_NONE;
	message.reason = (Latchkey__V1__Reason)r.reason;
	return submit(call, METHOD_REVOKE, &message.base, &(struct call_terms)MUTATING_TERMS(r));
}

enum lk_err lk_session_revoke(lk_client *client, const struct lk_session_revoke_request *request, bool *ret_was_alive,
			      struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = call_sync_begin(client, error, &call);

	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_revoke_async(call, request));
	if (err == LK_OK && ret_was_alive != NULL)
		*ret_was_alive = lk_call_was_alive(call);
	if (err == LK_OK && request != NULL && request->ret_pending != NULL)
		*request->ret_pending = lk_call_pending(call);
	call_sync_end(&call, error);
	return err;
}

enum lk_err lk_session_revoke_user_async(lk_call *call, const struct lk_session_revoke_user_request *request)
{
	Latchkey__V1__RevokeUserRequest message = LATCHKEY__V1__REVOKE_USER_REQUEST__INIT;
	struct lk_session_revoke_user_request r;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &r, lk_session_revoke_user_request);
	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, realm_of(call, r.realm));
	SET(message, user, r.user);
	SET(message, token, token_of(r.token));
	SET(message, except, token_of(r.except));
	SET(message, session_class, lk_text(r.session_class));
	message.has_reason = r.reason != LK_REASON_NONE;
	message.reason = (Latchkey__V1__Reason)r.reason;
	return submit(call, METHOD_REVOKE_USER, &message.base, &(struct call_terms)MUTATING_TERMS(r));
}

enum lk_err lk_session_revoke_user(lk_client *client, const struct lk_session_revoke_user_request *request,
				   uint32_t *ret_revoked, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = call_sync_begin(client, error, &call);

	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_revoke_user_async(call, request));
	if (err == LK_OK && ret_revoked != NULL)
		*ret_revoked = lk_call_revoked(call);
	call_sync_end(&call, error);
	return err;
}

/* ---- List ---- */

enum lk_err lk_session_list_async(lk_call *call, const struct lk_session_list_request *request)
{
	Latchkey__V1__ListSessionsRequest message = LATCHKEY__V1__LIST_SESSIONS_REQUEST__INIT;
	struct lk_session_list_request r;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &r, lk_session_list_request);
	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, realm_of(call, r.realm));
	SET(message, user, r.user);
	SET_NUMBER(message, page_size, r.page_size);
	SET(message, page_token, r.page_token);
	return submit(call, METHOD_LIST, &message.base, &(struct call_terms)TERMS(r));
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
