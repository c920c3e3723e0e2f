#ifndef LK_AUTH_AUTH_H
#define LK_AUTH_AUTH_H

/* The domain of the auth cache: answers about users that are dear to find, each loaded by one caller at a time, and never
 * served once they were forgotten. A call has one command for the answer, and one for each group that it depends on, which
 * may be on other nodes; they are carried out at once, and each X_answer takes the reply to one of them. */

#include "plan/plan.h"

#define AUTH_KEY_BYTES_MAX   256
#define AUTH_GROUP_BYTES_MAX 64
/* Each is one command more. Roles, a tenant, a resource: few answers depend on more. */
#define AUTH_GROUPS_MAX 4
/* Half of a frame: the answer to a Lookup fits into one whatever else is in it. */
#define AUTH_ANSWER_BYTES_MAX 32768
/* Shorter than a round trip nothing is loaded; who has not loaded in a minute will not. */
#define AUTH_LEASE_MS_MIN    10
#define AUTH_LEASE_MS_MAX    60000
#define AUTH_LEASE_BYTES_MAX 128
#define AUTH_PLANS_MAX	     (1 + AUTH_GROUPS_MAX)

enum auth_answer { AUTH_HIT = 1, AUTH_STALE = 2, AUTH_NEGATIVE = 3, AUTH_MISS = 4, AUTH_WAIT = 5 };

struct auth_lookup_request {
	span subject;
	span key;
	size_t group_count;
	const span *groups;
	uint32_t wait_ms;
	uint32_t lease_ms; /* 0: the realm's */
	bool no_lease;
	uint64_t realm_revoked_ms; /* the last time; 0: never. What was loaded before this was known is forgotten */
	bool is_realm_unknown;	   /* whether it was since could not be asked lately: nothing is believed, or kept */
};

struct auth_lookup_result {
	enum auth_answer state; /* 0: replies to other plans of the call are to come */
	span answer;
	span lease; /* empty: none */
	uint64_t expires_at_ms;
	uint32_t retry_after_ms;
	bool is_early;
	bool has_waited;
	/* An answer, or a part of it, did not open: damaged, or under a key that is not in the keyring. */
	bool is_unreadable;
};

/* Plans the answer's command, and one for each group behind it. */
enum status_code auth_lookup_plan(const struct plan_env *env, const struct auth_lookup_request *req,
				  struct plan ret_plans[static AUTH_PLANS_MAX], size_t *ret_count,
				  struct status *st) MUST_CHECK;
/* PLAN_AGAIN: the answer is dead, for a group of it was forgotten, and the lease has to be asked for. PLAN_LATER: somebody
 * else loads, and the caller waits. */
enum status_code auth_lookup_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    enum plan_next *ret_next, struct auth_lookup_result *ret,
				    struct status *st) MUST_CHECK;
/* From now on the call waits no more. */
void auth_lookup_hurry(struct plan *plan);

/* Redis takes no writes: the plan becomes one that needs none, of a call that gives no lease. False: it was one already. */
bool auth_lookup_unleased(const struct plan_env *env, struct plan *plan) MUST_CHECK;

struct auth_fill_request {
	span subject;
	span key;
	span lease;
	bool is_negative;
	span answer;
	bool has_ttl;
	uint32_t ttl_ms;
	bool has_load;
	uint32_t load_ms;
	uint64_t realm_revoked_ms; /* as for a Lookup */
};

struct auth_fill_result {
	bool is_whole; /* else replies to other plans of the call are to come */
	bool is_stored;
	uint64_t expires_at_ms;
};

enum status_code auth_fill_plan(const struct plan_env *env, const struct auth_fill_request *req,
				struct plan ret_plans[static AUTH_PLANS_MAX], size_t *ret_count,
				struct status *st) MUST_CHECK;
enum status_code auth_fill_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				  struct auth_fill_result *ret, struct status *st) MUST_CHECK;

/* A subject's key, all of a subject, or a group: the others are empty. */
struct auth_forget_request {
	span subject;
	span key;
	span group;
};

struct auth_forget_result {
	bool is_forgotten; /* of a key: whether there was an answer */
};

enum status_code auth_forget_plan(const struct plan_env *env, const struct auth_forget_request *req,
				  struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code auth_forget_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct auth_forget_result *ret, struct status *st) MUST_CHECK;

#endif
