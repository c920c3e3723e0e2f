#include "rpc/methods.h"

#include <stdlib.h>

#include "base/call_metrics.h"
#include "latchkey/v1/auth_cache.pb-c.h"
#include "latchkey/v1/health.pb-c.h"
#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"

#define TYPES(req, resp) .request = &latchkey__v1__##req##__descriptor, .response = &latchkey__v1__##resp##__descriptor
#define METHOD(name, req, resp, ...)                                                                                   \
	{                                                                                                              \
		.path = SPAN_LIT_INIT(name), TYPES(req, resp), __VA_ARGS__                                             \
	}
/* SPAN_LIT without its compound literal, which is no constant. */
#define SPAN_LIT_INIT(s)                                                                                               \
	{                                                                                                              \
		(const uint8_t *)(s), sizeof(s) - 1                                                                    \
	}
#define SERVED(name)	.plan = name##_plan, .answer = name##_answer
#define AT_ONCE(name)	.plan = name##_plan
#define LONG_POLL(name) .plan = name##_plan, .poll = name##_poll
#define MUTATING	.is_mutating = true
#define OPEN		.is_open = true
#define NOT_SERVED	.plan = NULL

/* Sorted by path (length, then bytes), for the search. */
static const struct method methods[] = {
    METHOD("/latchkey.v1.Server/Info", server_info_request, server_info_response, AT_ONCE(server_info)),
    METHOD("/latchkey.v1.Server/Keys", server_keys_request, server_keys_response, AT_ONCE(server_keys)),
    METHOD("/latchkey.v1.Health/Check", health_check_request, health_check_response, AT_ONCE(health_check), OPEN),
    METHOD("/latchkey.v1.Health/Watch", health_check_request, health_check_response, NOT_SERVED),
    METHOD("/latchkey.v1.Limits/Check", check_limit_request, check_limit_response, SERVED(limits_check), MUTATING),
    METHOD("/latchkey.v1.Limits/Reset", reset_limit_request, reset_limit_response, SERVED(limits_reset), MUTATING),
    METHOD("/latchkey.v1.Locks/Extend", extend_lock_request, extend_lock_response, SERVED(locks_extend), MUTATING),
    METHOD("/latchkey.v1.Profiles/Get", get_profile_request, get_profile_response, SERVED(profiles_get)),
    METHOD("/latchkey.v1.Profiles/Put", put_profile_request, put_profile_response, SERVED(profiles_put), MUTATING),
    METHOD("/latchkey.v1.Server/Redis", server_redis_request, server_redis_response, AT_ONCE(server_redis)),
    METHOD("/latchkey.v1.Server/Stats", server_stats_request, server_stats_response, AT_ONCE(server_stats)),
    METHOD("/latchkey.v1.Sessions/Get", get_session_request, get_session_response, SERVED(sessions_get),
	   .read_only = sessions_get_read_only),
    METHOD("/latchkey.v1.Locks/Acquire", acquire_lock_request, acquire_lock_response, SERVED(locks_acquire), MUTATING),
    METHOD("/latchkey.v1.Locks/Release", release_lock_request, release_lock_response, SERVED(locks_release), MUTATING),
    METHOD("/latchkey.v1.Server/Policy", server_policy_request, server_policy_response, AT_ONCE(server_policy)),
    METHOD("/latchkey.v1.Sessions/List", list_sessions_request, list_sessions_response, SERVED(sessions_list)),
    METHOD("/latchkey.v1.AuthCache/Fill", fill_auth_request, fill_auth_response, SERVED(auth_cache_fill), MUTATING,
	   .needs_all = true),
    METHOD("/latchkey.v1.Server/Methods", server_methods_request, server_methods_response, AT_ONCE(server_methods)),
    METHOD("/latchkey.v1.Sessions/Watch", watch_sessions_request, watch_sessions_response, LONG_POLL(sessions_watch)),
    METHOD("/latchkey.v1.Visitors/Count", count_visitors_request, count_visitors_response, SERVED(visitors_count),
	   .needs_all = true),
    METHOD("/grpc.health.v1.Health/Check", health_check_request, health_check_response, AT_ONCE(health_check), OPEN),
    METHOD("/latchkey.v1.Profiles/Delete", delete_profile_request, delete_profile_response, SERVED(profiles_delete),
	   MUTATING),
    METHOD("/latchkey.v1.Profiles/Update", update_profile_request, update_profile_response, SERVED(profiles_update),
	   MUTATING),
    METHOD("/latchkey.v1.Sessions/Create", create_session_request, create_session_response, SERVED(sessions_create),
	   MUTATING),
    METHOD("/latchkey.v1.Sessions/Revoke", revoke_session_request, revoke_session_response, SERVED(sessions_revoke),
	   MUTATING, .pend = sessions_revoke_pend),
    METHOD("/latchkey.v1.Sessions/Rotate", rotate_session_request, rotate_session_response, SERVED(sessions_rotate),
	   MUTATING),
    METHOD("/latchkey.v1.Sessions/Update", update_session_request, update_session_response, SERVED(sessions_update),
	   MUTATING),
    METHOD("/latchkey.v1.Sessions/Verify", verify_sessions_request, verify_sessions_response, SERVED(sessions_verify)),
    METHOD("/latchkey.v1.Visitors/Record", record_visitors_request, record_visitors_response, SERVED(visitors_record),
	   MUTATING),
    METHOD("/latchkey.v1.AuthCache/Forget", forget_auth_request, forget_auth_response, SERVED(auth_cache_forget),
	   MUTATING),
    METHOD("/latchkey.v1.AuthCache/Lookup", lookup_auth_request, lookup_auth_response, SERVED(auth_cache_lookup),
	   .needs_all = true, .read_only = auth_cache_lookup_read_only),
    METHOD("/latchkey.v1.Profiles/Changes", profile_changes_request, profile_changes_response,
	   SERVED(profiles_changes)),
    METHOD("/latchkey.v1.Sessions/GetMany", get_many_sessions_request, get_many_sessions_response,
	   SERVED(sessions_get_many), .read_only = sessions_get_read_only),
    METHOD("/latchkey.v1.Profiles/AckChanges", ack_profile_changes_request, ack_profile_changes_response,
	   SERVED(profiles_ack_changes), MUTATING),
    METHOD("/latchkey.v1.Sessions/RevokeUser", revoke_user_request, revoke_user_response, SERVED(sessions_revoke_user),
	   MUTATING),
    METHOD("/latchkey.v1.Profiles/DeadChanges", dead_profile_changes_request, dead_profile_changes_response,
	   SERVED(profiles_dead_changes)),
    METHOD("/latchkey.v1.Sessions/RevokeRealm", revoke_realm_request, revoke_realm_response,
	   SERVED(sessions_revoke_realm), MUTATING),
};

#define METHODS (sizeof(methods) / sizeof(methods[0]))

static int compare_path(const void *key, const void *row)
{
	const span *path = key;
	const struct method *m = row;

	if (path->len != m->path.len)
		return path->len < m->path.len ? -1 : 1;
	return memcmp(path->ptr, m->path.ptr, path->len);
}

const struct method *method_find(span path)
{
	if (path.len == 0)
		return NULL;
	return bsearch(&path, methods, METHODS, sizeof(methods[0]), compare_path);
}

const struct method *method_at(size_t i)
{
	return i < METHODS ? &methods[i] : NULL;
}

size_t method_count(void)
{
	return METHODS;
}

_Static_assert(METHODS < CALL_METHODS_MAX, "each has its numbers, and so have calls of none");

size_t method_place(const struct method *m)
{
	return m == NULL ? 0 : (size_t)(m - methods) + 1;
}
