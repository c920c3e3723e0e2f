#include "support/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/wait.h"

#define OK LATCHKEY__V1__CODE__OK

/* The response when the code is one that has a body; *ret_code always. */
static void *call(struct raw *r, const struct raw_call *c, const ProtobufCMessageDescriptor *type,
		  Latchkey__V1__Code *ret_code)
{
	Latchkey__V1__ReplyFrame *frame = NULL;
	void *response = NULL;

	*ret_code = CODE_NO_REPLY;
	if (!raw_send_calls(r, 1, c, 1) || !raw_receive(r, NULL, &frame, BOUND_MS))
		return NULL;
	if (frame->n_replies == 1) {
		*ret_code = frame->replies[0]->code;
		response = raw_unpack(frame->replies[0], type);
	} else {
		*ret_code = frame->code;
	}
	raw_free(frame);
	return response;
}

static bool optional_text(const char *text, ProtobufCBinaryData *out)
{
	if (text != NULL)
		*out = raw_text(text);
	return text != NULL;
}

static void keep_text(ProtobufCBinaryData bytes, char *out, size_t out_size)
{
	snprintf(out, out_size, "%.*s", (int)bytes.len, (const char *)bytes.data);
}

static void fill_create(Latchkey__V1__CreateSessionRequest *req, const struct session_wish *wish)
{
	req->has_realm = optional_text(wish->realm, &req->realm);
	req->has_user = optional_text(wish->user, &req->user);
	req->has_session_class = optional_text(wish->session_class, &req->session_class);
	req->has_idle_timeout_s = wish->idle_s != 0;
	req->idle_timeout_s = wish->idle_s;
	req->has_absolute_timeout_s = wish->max_s != 0;
	req->absolute_timeout_s = wish->max_s;
}

Latchkey__V1__Code session_try_create(struct raw *r, const struct session_wish *wish,
				      char ret_token[static TOKEN_BYTES])
{
	Latchkey__V1__CreateSessionRequest req = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	Latchkey__V1__Attribute attribute = LATCHKEY__V1__ATTRIBUTE__INIT;
	Latchkey__V1__Attribute *attributes[] = {&attribute};
	Latchkey__V1__Device device = LATCHKEY__V1__DEVICE__INIT;
	const struct raw_call c = {.method = "/latchkey.v1.Sessions/Create",
				   .request = &req.base,
				   .timeout_ms = wish->timeout_ms,
				   .idempotency_key = wish->idempotency_key};
	Latchkey__V1__CreateSessionResponse *response;
	Latchkey__V1__Code code;

	fill_create(&req, wish);
	if ((attribute.has_key = optional_text(wish->key, &attribute.key))) {
		attribute.has_value = optional_text(wish->value, &attribute.value);
		req.attributes = attributes;
		req.n_attributes = 1;
	}
	if ((device.has_user_agent = optional_text(wish->user_agent, &device.user_agent)))
		req.device = &device;
	response = call(r, &c, &latchkey__v1__create_session_response__descriptor, &code);
	if (code == OK) {
		assert_non_null(response);
		assert_int_equal(response->token.len, TOKEN_BYTES - 1);
		keep_text(response->token, ret_token, TOKEN_BYTES);
	}
	raw_free(response);
	return code;
}

void session_create(struct raw *r, const struct session_wish *wish, char ret_token[static TOKEN_BYTES])
{
	Latchkey__V1__Code code = session_try_create(r, wish, ret_token);

	if (code != OK)
		fail_msg("create for %s: code %d", wish->user, code);
}

static Latchkey__V1__Code get(struct raw *r, Latchkey__V1__GetSessionRequest *req, uint32_t timeout_ms,
			      struct session_seen *ret)
{
	const struct raw_call c = {
	    .method = "/latchkey.v1.Sessions/Get", .request = &req->base, .timeout_ms = timeout_ms};
	Latchkey__V1__GetSessionResponse *response;
	Latchkey__V1__Code code;

	*ret = (struct session_seen){0};
	response = call(r, &c, &latchkey__v1__get_session_response__descriptor, &code);
	if (code == OK && response != NULL) {
		ret->verdict = response->verdict;
		ret->reason = response->reason;
	}
	if (code == OK && response != NULL && response->info != NULL) {
		ret->version = response->info->version;
		ret->idle_expires_at_ms = response->info->idle_expires_at_ms;
		ret->expires_at_ms = response->info->expires_at_ms;
		keep_text(response->info->handle, ret->handle, sizeof(ret->handle));
	}
	if (code == OK && response != NULL && response->n_attributes > 0)
		keep_text(response->attributes[0]->value, ret->value, sizeof(ret->value));
	raw_free(response);
	return code;
}

Latchkey__V1__Code session_get(struct raw *r, const char *realm, const char *token, uint32_t timeout_ms,
			       struct session_seen *ret)
{
	Latchkey__V1__GetSessionRequest req = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;

	req.has_realm = optional_text(realm, &req.realm);
	req.has_token = optional_text(token, &req.token);
	return get(r, &req, timeout_ms, ret);
}

Latchkey__V1__Code session_peek(struct raw *r, const char *realm, const char *token, struct session_seen *ret)
{
	Latchkey__V1__GetSessionRequest req = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;

	req.has_realm = optional_text(realm, &req.realm);
	req.has_token = optional_text(token, &req.token);
	req.has_peek = req.peek = true;
	return get(r, &req, 0, ret);
}

Latchkey__V1__Code session_update(struct raw *r, const char *token, const char *key, const char *value,
				  struct session_seen *ret)
{
	Latchkey__V1__UpdateSessionRequest req = LATCHKEY__V1__UPDATE_SESSION_REQUEST__INIT;
	Latchkey__V1__Attribute attribute = LATCHKEY__V1__ATTRIBUTE__INIT;
	Latchkey__V1__Attribute *attributes[] = {&attribute};
	const struct raw_call c = {.method = "/latchkey.v1.Sessions/Update", .request = &req.base};
	Latchkey__V1__UpdateSessionResponse *response;
	Latchkey__V1__Code code;

	req.has_token = optional_text(token, &req.token);
	attribute.has_key = optional_text(key, &attribute.key);
	attribute.has_value = optional_text(value, &attribute.value);
	req.set = attributes;
	req.n_set = 1;
	*ret = (struct session_seen){0};
	response = call(r, &c, &latchkey__v1__update_session_response__descriptor, &code);
	if (response != NULL) {
		ret->verdict = response->verdict;
		ret->reason = response->reason;
		ret->version = response->version;
	}
	raw_free(response);
	return code;
}

Latchkey__V1__Code session_revoke(struct raw *r, const char *token, bool *ret_was_alive)
{
	Latchkey__V1__RevokeSessionRequest req = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;
	const struct raw_call c = {.method = "/latchkey.v1.Sessions/Revoke", .request = &req.base};
	Latchkey__V1__RevokeSessionResponse *response;
	Latchkey__V1__Code code;

	req.has_token = optional_text(token, &req.token);
	response = call(r, &c, &latchkey__v1__revoke_session_response__descriptor, &code);
	if (code == OK && response != NULL)
		*ret_was_alive = response->was_alive;
	raw_free(response);
	return code;
}

Latchkey__V1__Code session_revoke_realm(struct raw *r, const char *realm, uint64_t *ret_not_before_ms)
{
	Latchkey__V1__RevokeRealmRequest req = LATCHKEY__V1__REVOKE_REALM_REQUEST__INIT;
	const struct raw_call c = {.method = "/latchkey.v1.Sessions/RevokeRealm", .request = &req.base};
	Latchkey__V1__RevokeRealmResponse *response;
	Latchkey__V1__Code code;

	req.has_realm = optional_text(realm, &req.realm);
	response = call(r, &c, &latchkey__v1__revoke_realm_response__descriptor, &code);
	if (code == OK && response != NULL)
		*ret_not_before_ms = response->not_before_ms;
	raw_free(response);
	return code;
}

Latchkey__V1__Code session_revoke_user(struct raw *r, const char *user, uint32_t *ret_revoked)
{
	Latchkey__V1__RevokeUserRequest req = LATCHKEY__V1__REVOKE_USER_REQUEST__INIT;
	const struct raw_call c = {.method = "/latchkey.v1.Sessions/RevokeUser", .request = &req.base};
	Latchkey__V1__RevokeUserResponse *response;
	Latchkey__V1__Code code;

	req.has_user = optional_text(user, &req.user);
	response = call(r, &c, &latchkey__v1__revoke_user_response__descriptor, &code);
	if (code == OK && response != NULL)
		*ret_revoked = response->revoked;
	raw_free(response);
	return code;
}

void session_must_be(struct raw *r, const char *token, Latchkey__V1__Verdict verdict, Latchkey__V1__Reason reason)
{
	struct session_seen seen;
	Latchkey__V1__Code code = session_get(r, NULL, token, 0, &seen);

	if (code != OK || seen.verdict != verdict || seen.reason != reason)
		fail_msg("code %d, verdict %d, reason %d; not verdict %d, reason %d", code, seen.verdict, seen.reason,
			 verdict, reason);
}

uint64_t server_counter(struct raw *r, const char *name)
{
	Latchkey__V1__ServerStatsRequest req = LATCHKEY__V1__SERVER_STATS_REQUEST__INIT;
	const struct raw_call c = {.method = "/latchkey.v1.Server/Stats", .request = &req.base};
	Latchkey__V1__ServerStatsResponse *stats;
	Latchkey__V1__Code code;
	uint64_t value = 0;
	bool found = false;

	stats = call(r, &c, &latchkey__v1__server_stats_response__descriptor, &code);
	for (size_t i = 0; stats != NULL && i < stats->n_counters; i++) {
		ProtobufCBinaryData at = stats->counters[i]->name;

		if (at.len == strlen(name) && memcmp(at.data, name, at.len) == 0) {
			value = stats->counters[i]->value;
			found = true;
		}
	}
	raw_free(stats);
	if (!found)
		fail_msg("no counter %s (code %d)", name, code);
	return value;
}
