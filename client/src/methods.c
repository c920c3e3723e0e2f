#include "methods.h"

#include <assert.h>

#include "error.h"
#include "latchkey/v1/health.pb-c.h"
#include "result.h"

typedef enum lk_err (*answer_fn)(const ProtobufCMessage *message, struct results *results, struct lk_error *error);

struct method_row {
	const char *path;
	const ProtobufCMessageDescriptor *response;
	answer_fn answer;
	bool mutating;
};

static enum lk_err not_understood(struct lk_error *error, const char *what)
{
	return error_set(error, LK_E_PROTOCOL, "the server's answer cannot be understood: %s", what);
}

static enum lk_err out_of_memory(struct lk_error *error)
{
	return error_set(error, LK_E_NO_MEMORY, "out of memory for the answer");
}

static enum lk_err unreadable(struct lk_error *error, Latchkey__V1__Reason reason)
{
	/* The service has no reason: after a failover the session may not have been brought back yet. */
	if (reason == LATCHKEY__V1__REASON__REASON_NONE)
		return error_set(
		    error, LK_E_UNAVAILABLE,
		    "Redis has just changed its primary and does not know the session, which is new: ask again");
	(void)error_set(error, LK_E_UNREADABLE, "the stored session cannot be read: %s",
			lk_reason_message((enum lk_reason)reason));
	error->reason = (enum lk_reason)reason;
	return LK_E_UNREADABLE;
}

static enum lk_err answer_create(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__CreateSessionResponse *m = (const Latchkey__V1__CreateSessionResponse *)message;
	struct session_parts parts = {
	    .verdict = LK_VALID,
	    .token = &m->token,
	    .info = m->info,
	    .evicted_count = m->n_evicted,
	    .evicted = m->evicted,
	};

	if (!m->has_token || m->token.len == 0 || m->info == NULL)
		return not_understood(error, "a session without a token");
	results->session = session_new(&parts);
	if (results->session == NULL)
		return out_of_memory(error);
	results->verdict = LK_VALID;
	return LK_OK;
}

static enum lk_err answer_get(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__GetSessionResponse *m = (const Latchkey__V1__GetSessionResponse *)message;
	bool valid = m->verdict == LATCHKEY__V1__VERDICT__VALID;
	struct session_parts parts = {
	    .verdict = valid ? LK_VALID : LK_INVALID,
	    .reason = (enum lk_reason)m->reason,
	    .revoked_at_ms = m->revoked_at_ms,
	    .info = m->info,
	    .attribute_count = m->n_attributes,
	    .attributes = m->attributes,
	};

	if (!m->has_verdict)
		return not_understood(error, "no verdict");
	/* Whatever a later version may answer besides is no more known to be dead than it is known to be alive. */
	if (!valid && m->verdict != LATCHKEY__V1__VERDICT__INVALID)
		return unreadable(error, m->reason);
	if (valid && m->info == NULL)
		return not_understood(error, "a valid session without its user");
	results->session = session_new(&parts);
	if (results->session == NULL)
		return out_of_memory(error);
	results->verdict = parts.verdict;
	return LK_OK;
}

static enum lk_err answer_update(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__UpdateSessionResponse *m = (const Latchkey__V1__UpdateSessionResponse *)message;

	if (m->verdict == LATCHKEY__V1__VERDICT__INVALID) {
		(void)error_set(error, LK_E_SESSION_INVALID, "the session has ended, nothing was written: %s",
				lk_reason_message((enum lk_reason)m->reason));
		error->reason = (enum lk_reason)m->reason;
		return LK_E_SESSION_INVALID;
	}
	if (!m->has_verdict)
		return not_understood(error, "no verdict");
	if (m->verdict != LATCHKEY__V1__VERDICT__VALID)
		return unreadable(error, m->reason);
	results->version = m->version;
	results->idle_expires_at_ms = m->idle_expires_at_ms;
	return LK_OK;
}

static enum lk_err answer_revoke(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__RevokeSessionResponse *m = (const Latchkey__V1__RevokeSessionResponse *)message;

	if (m->has_reason && m->reason != LATCHKEY__V1__REASON__REASON_NONE) {
		(void)error_set(error, LK_E_SESSION_INVALID, "nothing was revoked: %s",
				lk_reason_message((enum lk_reason)m->reason));
		error->reason = (enum lk_reason)m->reason;
		return LK_E_SESSION_INVALID;
	}
	results->was_alive = m->was_alive;
	results->pending = m->pending;
	return LK_OK;
}

static enum lk_err answer_revoke_user(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	(void)error;
	results->revoked = ((const Latchkey__V1__RevokeUserResponse *)message)->revoked;
	return LK_OK;
}

static enum lk_err answer_list(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	results->sessions = sessions_new((const Latchkey__V1__ListSessionsResponse *)message);
	return results->sessions != NULL ? LK_OK : out_of_memory(error);
}

static enum lk_err answer_health(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	uint32_t status = ((const Latchkey__V1__HealthCheckResponse *)message)->status;

	(void)error;
	results->serving = status <= LK_SERVICE_UNKNOWN ? (enum lk_serving)status : LK_SERVING_UNKNOWN;
	return LK_OK;
}

static enum lk_err answer_info(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	results->info = info_new((const Latchkey__V1__ServerInfoResponse *)message);
	return results->info != NULL ? LK_OK : out_of_memory(error);
}

static enum lk_err answer_stats(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	results->stats = stats_new((const Latchkey__V1__ServerStatsResponse *)message);
	return results->stats != NULL ? LK_OK : out_of_memory(error);
}

static enum lk_err answer_redis(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	results->redis = redis_status_new((const Latchkey__V1__ServerRedisResponse *)message);
	return results->redis != NULL ? LK_OK : out_of_memory(error);
}

static const struct method_row methods[METHODS] = {
    [METHOD_CREATE] = {"/latchkey.v1.Sessions/Create", &latchkey__v1__create_session_response__descriptor,
		       answer_create, true},
    [METHOD_GET] = {"/latchkey.v1.Sessions/Get", &latchkey__v1__get_session_response__descriptor, answer_get, false},
    [METHOD_UPDATE] = {"/latchkey.v1.Sessions/Update", &latchkey__v1__update_session_response__descriptor,
		       answer_update, true},
    [METHOD_REVOKE] = {"/latchkey.v1.Sessions/Revoke", &latchkey__v1__revoke_session_response__descriptor,
		       answer_revoke, true},
    [METHOD_REVOKE_USER] = {"/latchkey.v1.Sessions/RevokeUser", &latchkey__v1__revoke_user_response__descriptor,
			    answer_revoke_user, true},
    [METHOD_LIST] = {"/latchkey.v1.Sessions/List", &latchkey__v1__list_sessions_response__descriptor, answer_list,
		     false},
    [METHOD_HEALTH] = {"/latchkey.v1.Health/Check", &latchkey__v1__health_check_response__descriptor, answer_health,
		       false},
    [METHOD_INFO] = {"/latchkey.v1.Server/Info", &latchkey__v1__server_info_response__descriptor, answer_info, false},
    [METHOD_STATS] = {"/latchkey.v1.Server/Stats", &latchkey__v1__server_stats_response__descriptor, answer_stats,
		      false},
    [METHOD_REDIS] = {"/latchkey.v1.Server/Redis", &latchkey__v1__server_redis_response__descriptor, answer_redis,
		      false},
};

const char *method_path(enum method method)
{
	return methods[method].path;
}

bool method_is_mutating(enum method method)
{
	return methods[method].mutating;
}

/* With LK_E_CONFLICT the body says which version is stored. */
static void read_conflict(const struct reply *reply, struct pool *pool, struct lk_error *error)
{
	const Latchkey__V1__UpdateSessionResponse *m =
	    latchkey__v1__update_session_response__unpack(&pool->allocator, reply->body.len, reply->body.data);

	if (m != NULL)
		error->version = m->version;
}

enum lk_err method_answer(enum method method, const struct reply *reply, struct pool *pool, struct results *results,
			  struct lk_error *error)
{
	const struct method_row *row = &methods[method];
	const ProtobufCMessage *message;

	assert(method < METHODS);
	if (reply->err != LK_OK) {
		/* Some servers, and frames refused early, say nothing more than the code. */
		if (reply->message.len > 0)
			(void)error_set(error, reply->err, "%.*s", (int)reply->message.len,
					(const char *)reply->message.data);
		else
			(void)error_set(error, reply->err, "%s", lk_err_message(reply->err));
		error->retry_after_ms = reply->retry_after_ms;
		if (reply->err == LK_E_CONFLICT && method == METHOD_UPDATE)
			read_conflict(reply, pool, error);
		return reply->err;
	}
	message = protobuf_c_message_unpack(row->response, &pool->allocator, reply->body.len, reply->body.data);
	if (message == NULL)
		return not_understood(error, row->response->name);
	results->replicas = reply->replicas;
	return row->answer(message, results, error);
}

void results_clear(struct results *results)
{
	lk_session_free(&results->session);
	lk_sessions_free(&results->sessions);
	lk_info_free(&results->info);
	lk_stats_free(&results->stats);
	lk_redis_status_free(&results->redis);
	*results = (struct results){0};
}
