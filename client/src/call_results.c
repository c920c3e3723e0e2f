/* What a call that has ended gives to its owner. Objects are handed over: a second asking gives NULL. */

#include <assert.h>
#include <string.h>

#include "call.h"
#include "latchkey/visitors.h"

#define GIVE(type, function, field)                                                                                    \
	type function(const lk_call *call)                                                                             \
	{                                                                                                              \
		return call->results.field;                                                                            \
	}

#define TAKE(type, function, field)                                                                                    \
	type function(lk_call *call)                                                                                   \
	{                                                                                                              \
		type taken = call->results.field;                                                                      \
                                                                                                                       \
		call->results.field = NULL;                                                                            \
		return taken;                                                                                          \
	}

GIVE(enum lk_verdict, lk_call_verdict, verdict)
GIVE(uint64_t, lk_call_version, version)
GIVE(uint64_t, lk_call_idle_expires_at_ms, idle_expires_at_ms)
GIVE(bool, lk_call_was_alive, was_alive)
GIVE(bool, lk_call_pending, pending)
GIVE(uint32_t, lk_call_replicas, replicas)
GIVE(uint32_t, lk_call_revoked, revoked)
GIVE(uint64_t, lk_call_not_before_ms, not_before_ms)
GIVE(enum lk_serving, lk_call_serving, serving)
GIVE(bool, lk_call_deleted, had_effect)
GIVE(uint32_t, lk_call_acknowledged, acknowledged)
GIVE(bool, lk_call_changed, had_effect)
GIVE(uint64_t, lk_call_visitors, visitors)
GIVE(uint32_t, lk_call_buckets, buckets)
GIVE(bool, lk_call_stored, had_effect)
GIVE(uint64_t, lk_call_expires_at_ms, expires_at_ms)
GIVE(bool, lk_call_forgotten, had_effect)
GIVE(bool, lk_call_existed, had_effect)
GIVE(bool, lk_call_released, had_effect)

TAKE(lk_session *, lk_call_take_session, session)
TAKE(lk_sessions *, lk_call_take_sessions, sessions)
TAKE(lk_info *, lk_call_take_info, info)
TAKE(lk_stats *, lk_call_take_stats, stats)
TAKE(lk_events *, lk_call_take_events, events)
TAKE(lk_policy *, lk_call_take_policy, policy)
TAKE(lk_keys *, lk_call_take_keys, keys)
TAKE(lk_redis_status *, lk_call_take_redis_status, redis)
TAKE(lk_profile *, lk_call_take_profile, profile)
TAKE(lk_changes *, lk_call_take_changes, changes)
TAKE(lk_auth_answer *, lk_call_take_auth_answer, auth)

/* Structs that a caller brings may be those of an older header: as much as they have room for is written. Each has at
 * least the fields of its first version. */

#define VERIFICATION_BYTES_MIN sizeof(struct lk_verification)
#define LIMIT_BYTES_MIN	       (offsetof(struct lk_limit_state, reset_ms) + sizeof(uint32_t))
#define LOCK_BYTES_MIN	       (offsetof(struct lk_lock_state, retry_after_ms) + sizeof(uint32_t))

void lk_call_verification(const lk_call *call, struct lk_verification *ret)
{
	size_t room = ret->struct_size;

	assert(room >= VERIFICATION_BYTES_MIN && "start a struct lk_verification with LK_VERIFICATION_INIT");
	*ret = call->results.verification;
	ret->struct_size = room;
}

void lk_call_limit(const lk_call *call, struct lk_limit_state *ret)
{
	size_t room = ret->struct_size;

	assert(room >= LIMIT_BYTES_MIN && "start a struct lk_limit_state with LK_LIMIT_STATE_INIT");
	memcpy(ret, &call->results.limit, room < sizeof(*ret) ? room : sizeof(*ret));
	ret->struct_size = room;
}

void lk_call_lock(const lk_call *call, struct lk_lock_state *ret)
{
	size_t room = ret->struct_size;

	assert(room >= LOCK_BYTES_MIN && "start a struct lk_lock_state with LK_LOCK_STATE_INIT");
	memcpy(ret, &call->results.lock, room < sizeof(*ret) ? room : sizeof(*ret));
	ret->struct_size = room;
}
