#ifndef LATCHKEY_ADMIN_H
#define LATCHKEY_ADMIN_H

/* What administrators and their tools call: a whole realm logged out, a user's index checked, and what a server says of
 * its policies, its keys and its Redis. A part of liblatchkey; the rules of latchkey/latchkey.h hold. */

#include <latchkey/latchkey.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Revoking a realm ---- */

struct lk_session_revoke_realm_request {
	size_t struct_size;
	const char *realm; /* the client's, where it has one; the server takes no default here */
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	uint64_t
	    not_before_ms; /* sessions created earlier end. Default: now, on the server's clock; at most 60 s ahead */
	uint32_t wait_replicas; /* as for create */
	uint32_t wait_ms;
};
#define LK_SESSION_REVOKE_REALM_REQUEST_INIT LK_INIT_(struct lk_session_revoke_realm_request)

/* Ends all sessions of a realm, anonymous ones too, and forgets the realm's answers of the auth cache, by one write. ret_not_before_ms, which may be NULL: the moment that
 * is in force now, rounded up to a whole second; it never moves back. */
LK_API LK_MUST_CHECK enum lk_err lk_session_revoke_realm(lk_client *client,
							 const struct lk_session_revoke_realm_request *request,
							 uint64_t *ret_not_before_ms, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_session_revoke_realm_async(lk_call *call,
							       const struct lk_session_revoke_realm_request *request);
LK_API uint64_t lk_call_not_before_ms(const lk_call *call);

/* ---- Verifying a user's index ---- */

struct lk_session_verify_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes user; /* 1 to 256 bytes; required */
	/* Of sessions of the user that must be in the index: nothing else can tell of one whose entry is gone. */
	const struct lk_bytes *tokens;
	size_t token_count; /* at most 64 */
};
#define LK_SESSION_VERIFY_REQUEST_INIT LK_INIT_(struct lk_session_verify_request)

/* What was found, and repaired. Later versions may append fields. */
struct lk_verification {
	size_t struct_size;
	uint32_t sessions;    /* alive */
	uint32_t dangling;    /* entries without a session: removed. After an idle timeout all is well */
	uint32_t wrong_score; /* entries with a wrong deadline: corrected */
	uint32_t missing;     /* sessions of the tokens given that had no entry: added */
};
#define LK_VERIFICATION_INIT LK_INIT_(struct lk_verification)

/* Compares a user's list of sessions with the sessions themselves, and repairs the list, never a session. */
LK_API LK_MUST_CHECK enum lk_err lk_session_verify(lk_client *client, const struct lk_session_verify_request *request,
						   struct lk_verification *ret, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_session_verify_async(lk_call *call,
							 const struct lk_session_verify_request *request);
LK_API void lk_call_verification(const lk_call *call, struct lk_verification *ret);

/* ---- Policies ---- */

struct lk_server_policy_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	const char *session_class; /* default: the realm's first */
};
#define LK_SERVER_POLICY_REQUEST_INIT LK_INIT_(struct lk_server_policy_request)

enum lk_at_cap { LK_AT_CAP_EVICT_OLDEST = 0, LK_AT_CAP_REFUSE = 1, LK_AT_CAP_EVICT_LEAST_RECENTLY_USED = 2 };

/* "EVICT_OLDEST"; "UNRECOGNIZED" of what a newer server knows. Never NULL. */
LK_API const char *lk_at_cap_name(enum lk_at_cap at_cap);

/* The policy in force for a class of sessions. Texts are never NULL. */
typedef struct lk_policy lk_policy;

/* request may be NULL: all defaults. LK_E_NOT_FOUND also: the class. */
LK_API LK_MUST_CHECK enum lk_err lk_server_policy(lk_client *client, const struct lk_server_policy_request *request,
						  lk_policy **ret_policy, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_server_policy_async(lk_call *call, const struct lk_server_policy_request *request);
LK_API lk_policy *lk_call_take_policy(lk_call *call);

LK_API const char *lk_policy_realm(const lk_policy *policy);
LK_API const char *lk_policy_class(const lk_policy *policy);
LK_API uint32_t lk_policy_idle_timeout_s(const lk_policy *policy);
LK_API uint32_t lk_policy_absolute_timeout_s(const lk_policy *policy);
LK_API uint32_t lk_policy_sessions_max(const lk_policy *policy); /* alive at once, of a user in this class */
LK_API enum lk_at_cap lk_policy_at_cap(const lk_policy *policy);
LK_API uint32_t lk_policy_tombstone_s(const lk_policy *policy);	     /* the reason of an end is remembered */
LK_API uint32_t lk_policy_touch_interval_s(const lk_policy *policy); /* the idle timeout slides once in this time */
LK_API uint32_t lk_policy_grace_s(const lk_policy *policy);	     /* a rotated token is good for so long */
LK_API uint32_t lk_policy_privileged_s(const lk_policy *policy);     /* after an authentication. 0: no such thing */
LK_API bool lk_policy_events(const lk_policy *policy);		     /* see LK_EVENT_CREATED */

/* What the realm has beside its classes of sessions. Later versions may append fields. */
struct lk_realm_policy {
	size_t struct_size;
	uint32_t wait_replicas; /* that are to have a change, unless a call asks for others; 0: none */
	uint32_t wait_ms;	/* for so long at most */
	/* Profiles. */
	uint32_t profile_jitter_percent;
	bool profile_changes;	      /* they are kept, for lk_profile_changes, */
	uint32_t profile_changes_max; /* about so many */
	/* How long visitors are kept. */
	uint32_t visitors_hour_retention_h; /* 0: there are no hours */
	uint32_t visitors_day_retention_d;
	/* The auth cache. */
	uint32_t auth_ttl_s;	      /* an answer is fresh for so long at most, */
	uint32_t auth_negative_ttl_s; /* and that there is none; */
	uint32_t auth_stale_s;	      /* then served for so long while it is loaded anew */
	uint32_t auth_jitter_percent; /* of the time that it is fresh, at random less */
	uint32_t auth_lease_ms;	      /* for loading, unless a lookup asks for another time */
	uint32_t auth_early_percent;  /* how eagerly it is refreshed before its time; 0: not at all */
};
#define LK_REALM_POLICY_INIT LK_INIT_(struct lk_realm_policy)

/* 0 of what a server older than this does not tell. */
LK_API void lk_policy_of_realm(const lk_policy *policy, struct lk_realm_policy *ret);
/* How long profiles are kept after their last change. The first tier is the default. */
LK_API size_t lk_policy_tier_count(const lk_policy *policy);
LK_API const char *lk_policy_tier_name(const lk_policy *policy, size_t index); /* "" beyond the last */
LK_API uint32_t lk_policy_tier_ttl_s(const lk_policy *policy, size_t index);   /* 0 beyond the last */
LK_API void lk_policy_free(lk_policy **policy);

/* ---- Keys ---- */

/* The keyring of the instance that answers. Counters are its own, and run since its start: to know that a key is no longer
 * needed, ask all of them. */
typedef struct lk_keys lk_keys;
typedef struct lk_key lk_key;

LK_API LK_MUST_CHECK enum lk_err lk_server_keys(lk_client *client, const struct lk_server_request *request,
						lk_keys **ret_keys, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_server_keys_async(lk_call *call, const struct lk_server_request *request);
LK_API lk_keys *lk_call_take_keys(lk_call *call);

LK_API uint64_t lk_keys_loaded_at_ms(const lk_keys *keys); /* the keyring that is in force */
LK_API size_t lk_keys_count(const lk_keys *keys);
/* In the keyring's order, then those that are no longer in it and were used. Borrowed; NULL beyond the last. */
LK_API const lk_key *lk_keys_at(const lk_keys *keys, size_t index);
LK_API void lk_keys_free(lk_keys **keys);

LK_API uint32_t lk_key_id(const lk_key *key);
LK_API bool lk_key_is_first(const lk_key *key);		   /* it seals and signs; the others only open and verify */
LK_API bool lk_key_is_retired(const lk_key *key);	   /* no longer in the keyring: its tokens are RETIRED_KEY */
LK_API uint64_t lk_key_tokens(const lk_key *key);	   /* presented and verified under it */
LK_API uint64_t lk_key_records(const lk_key *key);	   /* opened under it */
LK_API uint64_t lk_key_last_used_at_ms(const lk_key *key); /* for either; 0: not since the start */
/* When the instance last sealed or signed under it; 0: not since the start, or it is the first. */
LK_API uint64_t lk_key_first_until_ms(const lk_key *key);

/* ---- Redis ----
 *
 * The Redis servers behind a service, as the instance that answers sees them. It answers from memory, also while all of
 * them are gone. */
typedef struct lk_redis_status lk_redis_status;
typedef struct lk_redis_node lk_redis_node;

/* LK_E_UNIMPLEMENTED: the server is older than this call. */
LK_API LK_MUST_CHECK enum lk_err lk_server_redis(lk_client *client, const struct lk_server_request *request,
						 lk_redis_status **ret_status, struct lk_error *error);

/* "embedded", "standalone", "unix", "sentinel", "cluster". */
LK_API const char *lk_redis_status_mode(const lk_redis_status *status);
/* Whether most sessions can be reached. */
LK_API bool lk_redis_status_ready(const lk_redis_status *status);
/* Servers that own slots, and those of them that serve now. */
LK_API uint32_t lk_redis_status_primaries(const lk_redis_status *status);
LK_API uint32_t lk_redis_status_primaries_serving(const lk_redis_status *status);
/* Redis's 16,384 hash slots, and those of a primary that serves now: the sessions in the others cannot be reached. */
LK_API uint32_t lk_redis_status_slots(const lk_redis_status *status);
LK_API uint32_t lk_redis_status_slots_served(const lk_redis_status *status);
/* At most 300 are told of; the server may know more. */
LK_API uint32_t lk_redis_status_nodes_known(const lk_redis_status *status);
/* Revocations in force that Redis could not write yet: tried until it can. */
LK_API uint64_t lk_redis_status_pending(const lk_redis_status *status);
LK_API size_t lk_redis_status_node_count(const lk_redis_status *status);
/* Borrowed; NULL beyond the last. */
LK_API const lk_redis_node *lk_redis_status_node(const lk_redis_status *status, size_t index);
LK_API void lk_redis_status_free(lk_redis_status **status);

/* Of one server or Sentinel. Texts are never NULL; empty, and numbers 0, where nothing is known. Counters run since the
 * instance first knew the server. */
LK_API const char *lk_redis_node_address(const lk_redis_node *node); /* host:port, or a socket's path */
LK_API const char *lk_redis_node_role(const lk_redis_node *node);    /* "primary", "replica", "sentinel", "unknown" */
/* As the owner of slots: "serving", "joining" (being made ready), "suspect" (does not answer: commands wait), "down"
 * (commands are refused), "leaving" (its slots were taken from it just now), "idle" (owns none). */
LK_API const char *lk_redis_node_state(const lk_redis_node *node);
LK_API const char *lk_redis_node_version(const lk_redis_node *node);
LK_API uint32_t lk_redis_node_slots(const lk_redis_node *node); /* 16,384 where there is no cluster */
LK_API uint32_t lk_redis_node_connections(const lk_redis_node *node);
LK_API uint32_t lk_redis_node_connections_ready(const lk_redis_node *node);
LK_API uint32_t lk_redis_node_in_flight(const lk_redis_node *node); /* commands sent and not answered yet */
/* A replica is at most so far behind. False: not known; the output is not written. */
LK_API bool lk_redis_node_lag_ms(const lk_redis_node *node, uint64_t *ret_lag_ms);
LK_API const char *lk_redis_node_breaker(const lk_redis_node *node); /* "closed" (all is well), "open", "half-open" */
LK_API uint64_t lk_redis_node_breaker_opened(const lk_redis_node *node); /* how often */
LK_API uint64_t lk_redis_node_commands(const lk_redis_node *node);	 /* sent */
LK_API uint64_t lk_redis_node_errors(const lk_redis_node *node);	 /* error replies */
LK_API uint64_t lk_redis_node_timeouts(const lk_redis_node *node);	 /* connections given up for want of a reply */
LK_API uint64_t lk_redis_node_reconnects(const lk_redis_node *node);	 /* connections made again after a loss */
/* Why none of the connections is open, such as a wrong password, or that the server is of another kind than redis.url
 * says. Empty: all is well, or none was tried yet. */
LK_API const char *lk_redis_node_error(const lk_redis_node *node);

LK_API LK_MUST_CHECK enum lk_err lk_server_redis_async(lk_call *call, const struct lk_server_request *request);
LK_API lk_redis_status *lk_call_take_redis_status(lk_call *call);

#ifdef __cplusplus
}
#endif

#endif
