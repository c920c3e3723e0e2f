#ifndef LK_CLIENT_METHODS_H
#define LK_CLIENT_METHODS_H

/* The methods of the wire that this library calls: their names, and how an answer becomes results. */

#include "codec.h"
#include "latchkey/admin.h"
#include "latchkey/auth.h"
#include "latchkey/limit.h"
#include "latchkey/lock.h"
#include "latchkey/profile.h"
#include "latchkey/watch.h"

enum method {
	METHOD_CREATE,
	METHOD_GET,
	METHOD_GET_MANY,
	METHOD_UPDATE,
	METHOD_ROTATE,
	METHOD_REVOKE,
	METHOD_REVOKE_USER,
	METHOD_REVOKE_REALM,
	METHOD_LIST,
	METHOD_VERIFY,
	METHOD_WATCH,
	METHOD_HEALTH,
	METHOD_INFO,
	METHOD_STATS,
	METHOD_REDIS,
	METHOD_POLICY,
	METHOD_KEYS,
	METHOD_PROFILE_PUT,
	METHOD_PROFILE_GET,
	METHOD_PROFILE_UPDATE,
	METHOD_PROFILE_DELETE,
	METHOD_PROFILE_CHANGES,
	METHOD_PROFILE_ACK,
	METHOD_PROFILE_DEAD,
	METHOD_VISITORS_RECORD,
	METHOD_VISITORS_COUNT,
	METHOD_AUTH_LOOKUP,
	METHOD_AUTH_FILL,
	METHOD_AUTH_FORGET,
	METHOD_LIMIT_CHECK,
	METHOD_LIMIT_RESET,
	METHOD_LOCK_ACQUIRE,
	METHOD_LOCK_EXTEND,
	METHOD_LOCK_RELEASE,
	METHODS
};

/* Of one call; what its method does not give is zero. */
struct results {
	size_t asked; /* get_many: so many tokens. Set before it is sent: an answer about more or fewer is none */
	enum lk_verdict verdict;
	uint64_t version;
	uint64_t idle_expires_at_ms;
	bool was_alive;
	bool pending;
	uint32_t replicas;
	uint32_t revoked;
	uint64_t not_before_ms;
	struct lk_verification verification;
	enum lk_serving serving;
	lk_session *session;
	lk_sessions *sessions;
	lk_info *info;
	lk_stats *stats;
	lk_redis_status *redis;
	lk_events *events;
	lk_policy *policy;
	lk_keys *keys;
	lk_profile *profile;
	lk_changes *changes;
	lk_auth_answer *auth;
	struct lk_limit_state limit;
	struct lk_lock_state lock;
	/* Of a change: whether there was something to change, or it was made. What it is called differs from method to
	 * method. */
	bool had_effect;
	uint32_t acknowledged;
	uint64_t visitors;
	uint32_t buckets;
	uint64_t expires_at_ms;
};

const char *method_path(enum method method);
bool method_is_mutating(enum method method);
/* The server answers late on purpose: see flow.c. */
bool method_is_long_poll(enum method method);

/* Turns a reply into results and an error, which is LK_OK or what the reply, or its body, says. Results that are not
 * given stay zero. */
enum lk_err method_answer(enum method method, const struct reply *reply, struct pool *pool, struct results *results,
			  struct lk_error *error);

void results_clear(struct results *results);

#endif
