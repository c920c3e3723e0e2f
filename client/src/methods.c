#include "methods.h"

#include <assert.h>

#include "answers.h"
#include "error.h"
#include "latchkey/v1/auth_cache.pb-c.h"
#include "latchkey/v1/health.pb-c.h"
#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "result.h"

struct method_row {
	const char *path;
	const ProtobufCMessageDescriptor *response;
	answer_fn answer;
	bool mutating;
};

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

/* LK_OK: the session is what the answer says, and an answer about a valid one has it. */
static enum lk_err check_get(const Latchkey__V1__GetSessionResponse *m, struct lk_error *error)
{
	if (!m->has_verdict)
		return not_understood(error, "no verdict");
	if (m->verdict == LATCHKEY__V1__VERDICT__VALID && m->info == NULL)
		return not_understood(error, "a valid session without its user");
	return LK_OK;
}

static enum lk_err answer_get(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__GetSessionResponse *m = (const Latchkey__V1__GetSessionResponse *)message;
	struct session_parts parts = session_parts_of(m);
	enum lk_err err = check_get(m, error);

	if (err != LK_OK)
		return err;
	if (parts.verdict == LK_UNKNOWN)
		return unreadable(error, m->reason);
	results->session = session_new(&parts);
	if (results->session == NULL)
		return out_of_memory(error);
	results->verdict = parts.verdict;
	return LK_OK;
}

static enum lk_err answer_get_many(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__GetManySessionsResponse *m = (const Latchkey__V1__GetManySessionsResponse *)message;
	const struct list_parts parts = {.count = m->n_sessions, .answers = m->sessions};

	/* By its place an answer belongs to a token: one more or less, and somebody gets a stranger's session. */
	if (m->n_sessions != results->asked)
		return not_understood(error, "not one session for each token");
	for (size_t i = 0; i < m->n_sessions; i++) {
		enum lk_err err = check_get(m->sessions[i], error);

		if (err != LK_OK)
			return err;
	}
	results->sessions = sessions_new(&parts);
	return results->sessions != NULL ? LK_OK : out_of_memory(error);
}

/* Of a change to a session: whether it was made. */
static enum lk_err judge(bool has_verdict, Latchkey__V1__Verdict verdict, Latchkey__V1__Reason reason,
			 struct lk_error *error)
{
	/* Only a step-up that its caller has not made leaves a session alive. */
	bool is_alive = reason == LATCHKEY__V1__REASON__ASSURANCE_TOO_LOW;

	if (verdict == LATCHKEY__V1__VERDICT__INVALID) {
		(void)error_set(error, LK_E_SESSION_INVALID, "%s: %s",
				is_alive ? "nothing was written" : "the session has ended, nothing was written",
				lk_reason_message((enum lk_reason)reason));
		error->reason = (enum lk_reason)reason;
		return LK_E_SESSION_INVALID;
	}
	if (!has_verdict)
		return not_understood(error, "no verdict");
	return verdict == LATCHKEY__V1__VERDICT__VALID ? LK_OK : unreadable(error, reason);
}

/* The answer to an update of an anonymous session has its new token, and little else. */
static lk_session *session_of_update(const Latchkey__V1__UpdateSessionResponse *m)
{
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	const struct session_parts parts = {.verdict = LK_VALID, .token = &m->token, .info = &info};

	info.anonymous = true;
	info.idle_expires_at_ms = m->idle_expires_at_ms;
	return session_new(&parts);
}

static enum lk_err answer_update(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__UpdateSessionResponse *m = (const Latchkey__V1__UpdateSessionResponse *)message;
	enum lk_err err = judge(m->has_verdict, m->verdict, m->reason, error);

	if (err != LK_OK)
		return err;
	if (m->token.len > 0) {
		results->session = session_of_update(m);
		if (results->session == NULL)
			return out_of_memory(error);
	}
	results->version = m->version;
	results->idle_expires_at_ms = m->idle_expires_at_ms;
	return LK_OK;
}

static uint64_t version_of_update(const ProtobufCMessage *message)
{
	return ((const Latchkey__V1__UpdateSessionResponse *)message)->version;
}

static enum lk_err answer_rotate(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__RotateSessionResponse *m = (const Latchkey__V1__RotateSessionResponse *)message;
	const struct session_parts parts = {.verdict = LK_VALID, .token = &m->token, .info = m->info};
	enum lk_err err = judge(m->has_verdict, m->verdict, m->reason, error);

	if (err != LK_OK)
		return err;
	if (m->token.len == 0 || m->info == NULL)
		return not_understood(error, "a session without a token");
	results->session = session_new(&parts);
	if (results->session == NULL)
		return out_of_memory(error);
	results->verdict = LK_VALID;
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

static enum lk_err answer_revoke_realm(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__RevokeRealmResponse *m = (const Latchkey__V1__RevokeRealmResponse *)message;

	if (m->not_before_ms == 0)
		return not_understood(error, "no moment from which sessions count");
	results->not_before_ms = m->not_before_ms;
	return LK_OK;
}

static enum lk_err answer_verify(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__VerifySessionsResponse *m = (const Latchkey__V1__VerifySessionsResponse *)message;

	(void)error;
	results->verification = (struct lk_verification){
	    .struct_size = sizeof(results->verification),
	    .sessions = m->sessions,
	    .dangling = m->dangling,
	    .wrong_score = m->wrong_score,
	    .missing = m->missing,
	};
	return LK_OK;
}

static enum lk_err answer_watch(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__WatchSessionsResponse *m = (const Latchkey__V1__WatchSessionsResponse *)message;

	/* Without it the next call would begin anew, and what came between would be lost in silence. */
	if (m->cursor.len == 0)
		return not_understood(error, "events without a cursor");
	results->events = events_new(m);
	return results->events != NULL ? LK_OK : out_of_memory(error);
}

static enum lk_err answer_list(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__ListSessionsResponse *m = (const Latchkey__V1__ListSessionsResponse *)message;
	const struct list_parts parts = {
	    .count = m->n_sessions, .infos = m->sessions, .next_page = &m->next_page_token};

	results->sessions = sessions_new(&parts);
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

static enum lk_err answer_policy(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	results->policy = policy_new((const Latchkey__V1__ServerPolicyResponse *)message);
	return results->policy != NULL ? LK_OK : out_of_memory(error);
}

static enum lk_err answer_keys(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	results->keys = keys_new((const Latchkey__V1__ServerKeysResponse *)message);
	return results->keys != NULL ? LK_OK : out_of_memory(error);
}

static const struct method_row methods[METHODS] = {
    [METHOD_CREATE] = {"/latchkey.v1.Sessions/Create", &latchkey__v1__create_session_response__descriptor,
		       answer_create, true},
    [METHOD_GET] = {"/latchkey.v1.Sessions/Get", &latchkey__v1__get_session_response__descriptor, answer_get, false},
    [METHOD_GET_MANY] = {"/latchkey.v1.Sessions/GetMany", &latchkey__v1__get_many_sessions_response__descriptor,
			 answer_get_many, false},
    [METHOD_ROTATE] = {"/latchkey.v1.Sessions/Rotate", &latchkey__v1__rotate_session_response__descriptor,
		       answer_rotate, true},
    [METHOD_REVOKE_REALM] = {"/latchkey.v1.Sessions/RevokeRealm", &latchkey__v1__revoke_realm_response__descriptor,
			     answer_revoke_realm, true},
    [METHOD_VERIFY] = {"/latchkey.v1.Sessions/Verify", &latchkey__v1__verify_sessions_response__descriptor,
		       answer_verify, false},
    [METHOD_WATCH] = {"/latchkey.v1.Sessions/Watch", &latchkey__v1__watch_sessions_response__descriptor, answer_watch,
		      false},
    [METHOD_POLICY] = {"/latchkey.v1.Server/Policy", &latchkey__v1__server_policy_response__descriptor, answer_policy,
		       false},
    [METHOD_KEYS] = {"/latchkey.v1.Server/Keys", &latchkey__v1__server_keys_response__descriptor, answer_keys, false},
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
    [METHOD_PROFILE_PUT] = {"/latchkey.v1.Profiles/Put", &latchkey__v1__put_profile_response__descriptor,
			    answer_profile_put, true},
    [METHOD_PROFILE_GET] = {"/latchkey.v1.Profiles/Get", &latchkey__v1__get_profile_response__descriptor,
			    answer_profile_get, false},
    [METHOD_PROFILE_UPDATE] = {"/latchkey.v1.Profiles/Update", &latchkey__v1__update_profile_response__descriptor,
			       answer_profile_update, true},
    [METHOD_PROFILE_DELETE] = {"/latchkey.v1.Profiles/Delete", &latchkey__v1__delete_profile_response__descriptor,
			       answer_profile_delete, true},
    [METHOD_PROFILE_CHANGES] = {"/latchkey.v1.Profiles/Changes", &latchkey__v1__profile_changes_response__descriptor,
				answer_profile_changes, false},
    [METHOD_PROFILE_ACK] = {"/latchkey.v1.Profiles/AckChanges", &latchkey__v1__ack_profile_changes_response__descriptor,
			    answer_profile_ack, true},
    [METHOD_PROFILE_DEAD] = {"/latchkey.v1.Profiles/DeadChanges",
			     &latchkey__v1__dead_profile_changes_response__descriptor, answer_profile_dead, false},
    /* Repeating it changes nothing: it needs no key. */
    [METHOD_VISITORS_RECORD] = {"/latchkey.v1.Visitors/Record", &latchkey__v1__record_visitors_response__descriptor,
				answer_visitors_record, false},
    [METHOD_VISITORS_COUNT] = {"/latchkey.v1.Visitors/Count", &latchkey__v1__count_visitors_response__descriptor,
			       answer_visitors_count, false},
    [METHOD_AUTH_LOOKUP] = {"/latchkey.v1.AuthCache/Lookup", &latchkey__v1__lookup_auth_response__descriptor,
			    answer_auth_lookup, false},
    [METHOD_AUTH_FILL] = {"/latchkey.v1.AuthCache/Fill", &latchkey__v1__fill_auth_response__descriptor,
			  answer_auth_fill, true},
    [METHOD_AUTH_FORGET] = {"/latchkey.v1.AuthCache/Forget", &latchkey__v1__forget_auth_response__descriptor,
			    answer_auth_forget, true},
    [METHOD_LIMIT_CHECK] = {"/latchkey.v1.Limits/Check", &latchkey__v1__check_limit_response__descriptor,
			    answer_limit_check, true},
    [METHOD_LIMIT_RESET] = {"/latchkey.v1.Limits/Reset", &latchkey__v1__reset_limit_response__descriptor,
			    answer_limit_reset, true},
    [METHOD_LOCK_ACQUIRE] = {"/latchkey.v1.Locks/Acquire", &latchkey__v1__acquire_lock_response__descriptor,
			     answer_lock_acquire, true},
    [METHOD_LOCK_EXTEND] = {"/latchkey.v1.Locks/Extend", &latchkey__v1__extend_lock_response__descriptor,
			    answer_lock_extend, true},
    [METHOD_LOCK_RELEASE] = {"/latchkey.v1.Locks/Release", &latchkey__v1__release_lock_response__descriptor,
			     answer_lock_release, true},
};

/* With LK_E_CONFLICT the body says which version is stored; those that are not here do not. */
static uint64_t (*const stored_versions[METHODS])(const ProtobufCMessage *message) = {
    [METHOD_UPDATE] = version_of_update,
    [METHOD_PROFILE_PUT] = version_of_profile_put,
    [METHOD_PROFILE_UPDATE] = version_of_profile_update,
};

const char *method_path(enum method method)
{
	return methods[method].path;
}

bool method_is_mutating(enum method method)
{
	return methods[method].mutating;
}

bool method_is_long_poll(enum method method)
{
	return method == METHOD_WATCH;
}

static void read_conflict(enum method method, const struct reply *reply, struct pool *pool, struct lk_error *error)
{
	const ProtobufCMessage *message =
	    pool_unpack(pool, methods[method].response, reply->body.data, reply->body.len);

	if (message != NULL)
		error->version = stored_versions[method](message);
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
		if (reply->err == LK_E_CONFLICT && stored_versions[method] != NULL)
			read_conflict(method, reply, pool, error);
		return reply->err;
	}
	message = pool_unpack(pool, row->response, reply->body.data, reply->body.len);
	if (message == NULL)
		return not_understood(error, row->response->name);
	results->replicas = reply->replicas;
	return row->answer(message, results, error);
}
