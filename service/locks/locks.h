#ifndef LK_LOCKS_LOCKS_H
#define LK_LOCKS_LOCKS_H

/* Locks: what their calls ask Redis, and what they make of the answer. See plan/plan.h. */

#include "plan/plan.h"

#define LOCK_NAME_BYTES_MAX 256
/* Shorter ones would end while they are being acquired. */
#define LOCK_TTL_MS_MIN 100
/* Whoever needs it for longer extends it: an hour is how long others may have to wait for one that died. */
#define LOCK_TTL_MS_MAX	     3600000
#define LOCK_OWNER_BYTES_MIN 16
#define LOCK_OWNER_BYTES_MAX 64

struct lock_acquire_request {
	span name;
	uint32_t ttl_ms;
	uint32_t wait_ms; /* 0: not at all */
};

struct lock_acquire_result {
	bool acquired;
	span owner; /* in the arena */
	uint64_t fencing_token;
	uint64_t expires_at_ms; /* of whoever holds it */
	uint32_t retry_after_ms;
};

/* The next answer is the last, whether the lock is free or not. */
void lock_acquire_wait_no_longer(struct plan *plan);

enum status_code lock_acquire_plan(const struct plan_env *env, const struct lock_acquire_request *req,
				   struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code lock_acquire_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				     enum plan_next *ret_next, struct lock_acquire_result *ret,
				     struct status *st) MUST_CHECK;

struct lock_extend_request {
	span name;
	span owner;
	uint32_t ttl_ms;
};

struct lock_extend_result {
	bool held;
	uint64_t expires_at_ms;
	uint64_t fencing_token;
};

enum status_code lock_extend_plan(const struct plan_env *env, const struct lock_extend_request *req,
				  struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code lock_extend_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct lock_extend_result *ret, struct status *st) MUST_CHECK;

struct lock_release_request {
	span name;
	span owner;
};

struct lock_release_result {
	bool released;
};

enum status_code lock_release_plan(const struct plan_env *env, const struct lock_release_request *req,
				   struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code lock_release_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				     struct lock_release_result *ret, struct status *st) MUST_CHECK;

#endif
