/* The calls of latchkey.v1.Sessions about one session, or some that are named: requests into messages, and the
 * synchronous form over the other. */

#include <assert.h>

#include "request.h"

struct attributes {
	Latchkey__V1__Attribute rows[ATTRIBUTES_MAX];
	Latchkey__V1__Attribute *pointers[ATTRIBUTES_MAX];
};

static enum lk_err pack_attributes(lk_call *call, const struct lk_attribute *given, size_t count, struct attributes *to)
{
	if (count > ATTRIBUTES_MAX)
		return request_too_many(call, "attributes", count, ATTRIBUTES_MAX);
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

static enum lk_err take_methods(lk_call *call, const char *const *given, size_t count,
				ProtobufCBinaryData to[static AMR_MAX])
{
	if (count > AMR_MAX)
		return request_too_many(call, "authentication methods", count, AMR_MAX);
	for (size_t i = 0; i < count; i++)
		to[i] = binary_of(lk_text(given[i]));
	return LK_OK;
}

struct authentication {
	Latchkey__V1__Authentication message;
	ProtobufCBinaryData amr[AMR_MAX];
};

/* What a request says of how its user proved who it is. `ret` is NULL where it says nothing. */
static enum lk_err take_authentication(lk_call *call, uint64_t at_ms, uint32_t aal, const char *const *amr,
				       size_t amr_count, struct authentication *to, Latchkey__V1__Authentication **ret)
{
	enum lk_err err = take_methods(call, amr, amr_count, to->amr);

	latchkey__v1__authentication__init(&to->message);
	SET_NUMBER(to->message, at_ms, at_ms);
	SET_NUMBER(to->message, aal, aal);
	to->message.n_amr = amr_count;
	to->message.amr = to->amr;
	*ret = to->message.has_at_ms || to->message.has_aal || amr_count > 0 ? &to->message : NULL;
	return err;
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

static enum lk_err start_create(lk_call *call, const void *request)
{
	const struct lk_session_create_request *r = request;
	Latchkey__V1__CreateSessionRequest message = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	const struct call_terms terms = MUTATING_TERMS(*r);
	struct authentication authentication;
	Latchkey__V1__Device device;
	struct attributes attributes;
	enum lk_err err = pack_attributes(call, r->attributes, r->attribute_count, &attributes);

	if (err == LK_OK)
		err = take_authentication(call, r->authenticated_at_ms, r->aal, r->amr, r->amr_count, &authentication,
					  &message.authentication);
	if (err != LK_OK)
		return call_abandon(call, err);
	take_device(r, &device, &message);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, user, r->user);
	SET(message, session_class, lk_text(r->session_class));
	SET_NUMBER(message, idle_timeout_s, r->idle_timeout_s);
	SET_NUMBER(message, absolute_timeout_s, r->absolute_timeout_s);
	SET_NUMBER(message, anonymous, r->anonymous);
	SET(message, promote, request_token(r->promote));
	message.n_attributes = r->attribute_count;
	message.attributes = attributes.pointers;
	return request_submit(call, METHOD_CREATE, &message.base, &terms);
}

static const struct request_form create_form = FORM(lk_session_create_request, wait_ms, start_create);

enum lk_err lk_session_create_async(lk_call *call, const struct lk_session_create_request *request)
{
	return request_start(call, &create_form, request);
}

enum lk_err lk_session_create(lk_client *client, const struct lk_session_create_request *request,
			      lk_session **ret_session, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_session != NULL);
	err = request_run(client, &create_form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_session = lk_call_take_session(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Get ---- */

static enum lk_err start_get(lk_call *call, const void *request)
{
	const struct lk_session_get_request *r = request;
	Latchkey__V1__GetSessionRequest message = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;
	ProtobufCBinaryData amr[AMR_MAX];
	enum lk_err err = take_methods(call, r->amr, r->amr_count, amr);

	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, request_realm(call, r->realm));
	message.has_token = true;
	message.token = binary_of(request_token(r->token));
	SET_NUMBER(message, peek, r->peek);
	SET_NUMBER(message, staleness_ms, r->staleness_ms);
	SET_NUMBER(message, minimum_aal, r->minimum_aal);
	SET_NUMBER(message, authenticated_within_s, r->authenticated_within_s);
	message.n_amr = r->amr_count;
	message.amr = amr;
	SET_NUMBER(message, privileged, r->privileged);
	return request_submit(call, METHOD_GET, &message.base, &(struct call_terms)TERMS(*r));
}

static const struct request_form get_form = FORM(lk_session_get_request, authenticated_within_s, start_get);

enum lk_err lk_session_get_async(lk_call *call, const struct lk_session_get_request *request)
{
	return request_start(call, &get_form, request);
}

enum lk_err lk_session_get(lk_client *client, const struct lk_session_get_request *request,
			   enum lk_verdict *ret_verdict, lk_session **ret_session, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_verdict != NULL);
	*ret_verdict = LK_UNKNOWN;
	err = request_run(client, &get_form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_verdict = lk_call_verdict(call);
	if (ret_session != NULL)
		*ret_session = lk_call_take_session(call);
	lk_call_free(&call);
	return LK_OK;
}

static enum lk_err start_get_many(lk_call *call, const void *request)
{
	const struct lk_session_get_many_request *r = request;
	Latchkey__V1__GetManySessionsRequest message = LATCHKEY__V1__GET_MANY_SESSIONS_REQUEST__INIT;
	ProtobufCBinaryData tokens[TOKENS_MAX];
	enum lk_err err = request_tokens(call, r->tokens, r->token_count, tokens);

	if (err != LK_OK)
		return call_abandon(call, err);
	call->results.asked = r->token_count;
	SET(message, realm, request_realm(call, r->realm));
	message.n_tokens = r->token_count;
	message.tokens = tokens;
	SET_NUMBER(message, peek, r->peek);
	return request_submit(call, METHOD_GET_MANY, &message.base, &(struct call_terms)TERMS(*r));
}

static const struct request_form get_many_form = FORM(lk_session_get_many_request, peek, start_get_many);

enum lk_err lk_session_get_many_async(lk_call *call, const struct lk_session_get_many_request *request)
{
	return request_start(call, &get_many_form, request);
}

enum lk_err lk_session_get_many(lk_client *client, const struct lk_session_get_many_request *request,
				lk_sessions **ret_sessions, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_sessions != NULL);
	err = request_run(client, &get_many_form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_sessions = lk_call_take_sessions(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Update ---- */

static enum lk_err start_update(lk_call *call, const void *request)
{
	const struct lk_session_update_request *r = request;
	Latchkey__V1__UpdateSessionRequest message = LATCHKEY__V1__UPDATE_SESSION_REQUEST__INIT;
	const struct call_terms terms = MUTATING_TERMS(*r);
	ProtobufCBinaryData remove[ATTRIBUTES_MAX];
	struct attributes set;
	enum lk_err err = pack_attributes(call, r->set, r->set_count, &set);

	if (err == LK_OK && r->remove_count > ATTRIBUTES_MAX)
		err = request_too_many(call, "keys to remove", r->remove_count, ATTRIBUTES_MAX);
	if (err != LK_OK)
		return call_abandon(call, err);
	for (size_t i = 0; i < r->remove_count; i++)
		remove[i] = binary_of(r->remove[i]);
	SET(message, realm, request_realm(call, r->realm));
	message.has_token = true;
	message.token = binary_of(request_token(r->token));
	message.n_set = r->set_count;
	message.set = set.pointers;
	message.n_remove = r->remove_count;
	message.remove = remove;
	SET_NUMBER(message, expected_version, r->expected_version);
	return request_submit(call, METHOD_UPDATE, &message.base, &terms);
}

static const struct request_form update_form = FORM(lk_session_update_request, wait_ms, start_update);

enum lk_err lk_session_update_async(lk_call *call, const struct lk_session_update_request *request)
{
	return request_start(call, &update_form, request);
}

/* Where the session with the new token goes, if there is one: an anonymous session's update is in that token and nowhere
 * else. */
static enum lk_err give_updated(lk_call *call, const struct lk_session_update_request *request)
{
	struct lk_session_update_request known;
	/* It was taken once, so it can be. */
	enum lk_err err = TAKE(call, request, &known, lk_session_update_request, wait_ms);

	if (err != LK_OK)
		return err;
	if (known.ret_session == NULL && call->results.session != NULL)
		return error_set(
		    &call->error, LK_E_INVALID_ARGUMENT,
		    "the session is anonymous, and its attributes are in its token: set ret_session to get "
		    "the new one");
	if (known.ret_session != NULL)
		*known.ret_session = lk_call_take_session(call);
	return LK_OK;
}

enum lk_err lk_session_update(lk_client *client, const struct lk_session_update_request *request, uint64_t *ret_version,
			      uint64_t *ret_idle_expires_at_ms, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = call_sync_begin(client, error, &call);

	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_session_update_async(call, request));
	if (err == LK_OK)
		err = give_updated(call, request);
	if (err == LK_OK && ret_version != NULL)
		*ret_version = lk_call_version(call);
	if (err == LK_OK && ret_idle_expires_at_ms != NULL)
		*ret_idle_expires_at_ms = lk_call_idle_expires_at_ms(call);
	call_sync_end(&call, error);
	return err;
}

/* ---- Rotate ---- */

static enum lk_err start_rotate(lk_call *call, const void *request)
{
	const struct lk_session_rotate_request *r = request;
	Latchkey__V1__RotateSessionRequest message = LATCHKEY__V1__ROTATE_SESSION_REQUEST__INIT;
	const struct call_terms terms = MUTATING_TERMS(*r);
	struct authentication authentication;
	enum lk_err err = take_authentication(call, r->authenticated_at_ms, r->aal, r->amr, r->amr_count,
					      &authentication, &message.authentication);

	if (err != LK_OK)
		return call_abandon(call, err);
	if (r->authenticated)
		message.authentication = &authentication.message;
	SET(message, realm, request_realm(call, r->realm));
	message.has_token = true;
	message.token = binary_of(request_token(r->token));
	message.has_grace_s = r->has_grace || r->grace_s > 0;
	message.grace_s = r->grace_s;
	return request_submit(call, METHOD_ROTATE, &message.base, &terms);
}

static const struct request_form rotate_form = FORM(lk_session_rotate_request, wait_ms, start_rotate);

enum lk_err lk_session_rotate_async(lk_call *call, const struct lk_session_rotate_request *request)
{
	return request_start(call, &rotate_form, request);
}

enum lk_err lk_session_rotate(lk_client *client, const struct lk_session_rotate_request *request,
			      lk_session **ret_session, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_session != NULL);
	err = request_run(client, &rotate_form, request, error, &call);
	if (err != LK_OK)
		return err;
	*ret_session = lk_call_take_session(call);
	lk_call_free(&call);
	return LK_OK;
}
