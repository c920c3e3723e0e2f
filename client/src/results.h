#ifndef LK_CLIENT_RESULTS_H
#define LK_CLIENT_RESULTS_H

/* The results of one call; what its method does not give is zero. */

#include "latchkey/admin.h"
#include "latchkey/auth.h"
#include "latchkey/limit.h"
#include "latchkey/lock.h"
#include "latchkey/profile.h"
#include "latchkey/watch.h"

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

/* Frees, wipes, and begins anew. */
void results_clear(struct results *results);

#endif
