#include "interop/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK LATCHKEY__V1__CODE__OK

int frame_exchange(nng_ctx ctx, const struct raw_call *calls, size_t count, Latchkey__V1__ReplyFrame **ret)
{
	Latchkey__V1__ReplyFrame *frame;
	nng_msg *answer;
	size_t len;
	uint8_t *packed = raw_pack_calls(1, calls, count, &len);
	int rv = stock_exchange(ctx, packed, len, &answer);

	free(packed);
	if (rv != 0)
		return rv;
	frame = latchkey__v1__reply_frame__unpack(NULL, nng_msg_len(answer), nng_msg_body(answer));
	nng_msg_free(answer);
	if (frame == NULL)
		return -1;
	*ret = frame;
	return 0;
}

/* The one call's response, if its code is OK and it can be read. */
static void *ask(nng_ctx ctx, const struct raw_call *call, const ProtobufCMessageDescriptor *type,
		 Latchkey__V1__Code *ret_code)
{
	Latchkey__V1__ReplyFrame *frame;
	void *response = NULL;

	*ret_code = CODE_NO_REPLY;
	if (frame_exchange(ctx, call, 1, &frame) != 0)
		return NULL;
	if (frame->code != OK)
		*ret_code = frame->code;
	else if (frame->n_replies == 1)
		*ret_code = frame->replies[0]->code;
	if (*ret_code == OK)
		response = raw_unpack(frame->replies[0], type);
	raw_free(frame);
	return response;
}

Latchkey__V1__Code health_over(nng_ctx ctx, Latchkey__V1__ServingStatus *ret)
{
	Latchkey__V1__HealthCheckRequest req = LATCHKEY__V1__HEALTH_CHECK_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Health/Check", .request = &req.base};
	Latchkey__V1__HealthCheckResponse *response;
	Latchkey__V1__Code code;

	response = ask(ctx, &call, &latchkey__v1__health_check_response__descriptor, &code);
	if (code == OK)
		*ret = response == NULL ? LATCHKEY__V1__SERVING_STATUS__SERVING_UNKNOWN : response->status;
	raw_free(response);
	return code;
}

/* response may be NULL. */
static void copy_token(const Latchkey__V1__CreateSessionResponse *response, char ret_token[static TOKEN_BYTES])
{
	ret_token[0] = '\0';
	if (response != NULL)
		snprintf(ret_token, TOKEN_BYTES, "%.*s", (int)response->token.len, (const char *)response->token.data);
}

void token_of(const Latchkey__V1__Reply *reply, char ret_token[static TOKEN_BYTES])
{
	void *response = raw_unpack(reply, &latchkey__v1__create_session_response__descriptor);

	copy_token(response, ret_token);
	raw_free(response);
}

/* response may be NULL. */
static void copy_verdict(const Latchkey__V1__GetSessionResponse *response, struct verdict *ret)
{
	*ret = (struct verdict){0};
	if (response == NULL)
		return;
	ret->verdict = response->verdict;
	ret->reason = response->reason;
	if (response->info != NULL)
		snprintf(ret->user, sizeof(ret->user), "%.*s", (int)response->info->user.len,
			 (const char *)response->info->user.data);
}

void verdict_of(const Latchkey__V1__Reply *reply, struct verdict *ret)
{
	void *response = raw_unpack(reply, &latchkey__v1__get_session_response__descriptor);

	copy_verdict(response, ret);
	raw_free(response);
}

Latchkey__V1__Code create_over(nng_ctx ctx, const char *user, const char *idempotency_key,
			       char ret_token[static TOKEN_BYTES])
{
	Latchkey__V1__CreateSessionRequest req = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Sessions/Create", .request = &req.base, .idempotency_key = idempotency_key};
	Latchkey__V1__Code code;
	void *response;

	req.has_user = true;
	req.user = raw_text(user);
	response = ask(ctx, &call, &latchkey__v1__create_session_response__descriptor, &code);
	if (code == OK)
		copy_token(response, ret_token);
	raw_free(response);
	return code;
}

Latchkey__V1__Code get_over(nng_ctx ctx, const char *token, struct verdict *ret)
{
	Latchkey__V1__GetSessionRequest req = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/Get", .request = &req.base};
	Latchkey__V1__Code code;
	void *response;

	req.has_token = true;
	req.token = raw_text(token);
	response = ask(ctx, &call, &latchkey__v1__get_session_response__descriptor, &code);
	if (code == OK)
		copy_verdict(response, ret);
	raw_free(response);
	return code;
}

Latchkey__V1__Code revoke_over(nng_ctx ctx, const char *token, bool *ret_was_alive)
{
	Latchkey__V1__RevokeSessionRequest req = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/Revoke", .request = &req.base};
	Latchkey__V1__RevokeSessionResponse *response;
	Latchkey__V1__Code code;

	req.has_token = true;
	req.token = raw_text(token);
	response = ask(ctx, &call, &latchkey__v1__revoke_session_response__descriptor, &code);
	if (code == OK)
		*ret_was_alive = response != NULL && response->was_alive;
	raw_free(response);
	return code;
}

Latchkey__V1__Code count_over(nng_ctx ctx, const char *user, size_t *ret)
{
	Latchkey__V1__ListSessionsRequest req = LATCHKEY__V1__LIST_SESSIONS_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/List", .request = &req.base};
	Latchkey__V1__ListSessionsResponse *response;
	Latchkey__V1__Code code;

	req.has_user = true;
	req.user = raw_text(user);
	response = ask(ctx, &call, &latchkey__v1__list_sessions_response__descriptor, &code);
	if (code == OK)
		*ret = response == NULL ? 0 : response->n_sessions;
	raw_free(response);
	return code;
}

static bool is_as_said(nng_ctx ctx, const char *token, const char *user, bool lives,
		       char complaint[static COMPLAINT_BYTES])
{
	const Latchkey__V1__Verdict verdict = lives ? LATCHKEY__V1__VERDICT__VALID : LATCHKEY__V1__VERDICT__INVALID;
	const Latchkey__V1__Reason reason = lives ? LATCHKEY__V1__REASON__REASON_NONE : LATCHKEY__V1__REASON__LOGOUT;
	struct verdict seen = {0};
	Latchkey__V1__Code code = get_over(ctx, token, &seen);

	if (code == OK && seen.verdict == verdict && seen.reason == reason && strcmp(seen.user, lives ? user : "") == 0)
		return true;
	snprintf(complaint, COMPLAINT_BYTES, "get for %s: code %d, verdict %d, reason %d, user '%s'", user, code,
		 seen.verdict, seen.reason, seen.user);
	return false;
}

static bool live_one(nng_ctx ctx, const char *user, char complaint[static COMPLAINT_BYTES])
{
	char token[TOKEN_BYTES];
	bool was_alive = false;
	Latchkey__V1__Code code = create_over(ctx, user, NULL, token);

	if (code != OK) {
		snprintf(complaint, COMPLAINT_BYTES, "create for %s: code %d", user, code);
		return false;
	}
	if (!is_as_said(ctx, token, user, true, complaint))
		return false;
	code = revoke_over(ctx, token, &was_alive);
	if (code != OK || !was_alive) {
		snprintf(complaint, COMPLAINT_BYTES, "revoke for %s: code %d, was alive: %d", user, code, was_alive);
		return false;
	}
	return is_as_said(ctx, token, user, false, complaint);
}

bool work_session_lives(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES])
{
	const unsigned *lives = arg;
	char user[32];

	snprintf(user, sizeof(user), "context-%u", index);
	for (unsigned i = 0; i < *lives; i++) {
		if (!live_one(ctx, user, complaint))
			return false;
	}
	return true;
}
