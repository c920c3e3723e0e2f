#ifndef LK_LIMITS_LIMITS_H
#define LK_LIMITS_LIMITS_H

/* Rate limits: what their calls ask Redis, and what they make of the answer. See plan/plan.h.
 *
 * One script decides and takes, by the clock of its server. A check without an idempotency key is not repeatable: lost
 * and sent again it would take twice, so the store does not send it again. */

#include "plan/plan.h"

#define LIMIT_NAME_BYTES_MAX 256
/* So that scripts count parts of a microsecond exactly: cost times parts stays below 2^53. */
#define LIMIT_MAX 1000000
/* 30 days; in microseconds, times nothing, far below 2^53. */
#define LIMIT_PER_MS_MAX 2592000000U
/* A sliding window keeps an entry of some 100 bytes for each grant: 1 MB. */
#define LIMIT_SLIDING_MAX 10000

enum limit_algorithm { LIMIT_GCRA, LIMIT_SLIDING_WINDOW, LIMIT_FIXED_WINDOW, LIMIT_TOKEN_BUCKET, LIMIT_ALGORITHMS };

struct limit_check_request {
	span name;
	enum limit_algorithm algorithm;
	uint32_t limit;
	uint32_t per_ms;
	uint32_t burst; /* 0: limit */
	uint32_t cost;	/* 0: only look */
};

struct limit_check_result {
	bool allowed;
	uint32_t remaining;
	uint32_t retry_after_ms;
	uint32_t reset_ms;
};

enum status_code limit_check_plan(const struct plan_env *env, const struct limit_check_request *req,
				  struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code limit_check_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct limit_check_result *ret, struct status *st) MUST_CHECK;

struct limit_reset_request {
	span name;
	enum limit_algorithm algorithm;
};

struct limit_reset_result {
	bool existed;
};

enum status_code limit_reset_plan(const struct plan_env *env, const struct limit_reset_request *req,
				  struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code limit_reset_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct limit_reset_result *ret, struct status *st) MUST_CHECK;

#endif
