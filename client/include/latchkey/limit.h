#ifndef LATCHKEY_LIMIT_H
#define LATCHKEY_LIMIT_H

/* Rate limits that all callers share. Redis's clock decides, and one step does it all: two callers never both get the
 * last of it. A part of liblatchkey; the rules of latchkey/latchkey.h hold.
 *
 *	struct lk_limit_check_request check = LK_LIMIT_CHECK_REQUEST_INIT;
 *	struct lk_limit_state state = LK_LIMIT_STATE_INIT;
 *
 *	check.name = lk_text("login:ip:192.0.2.1");
 *	check.limit = 5;
 *	check.per_ms = 60000;
 *	if (lk_limit_check(client, &check, &state, &error) == LK_OK && !state.allowed)
 *		... 429, Retry-After: state.retry_after_ms
 *
 * A failure is neither yes nor no: the caller decides whether it lets such a request in (a page) or not (a password). */

#include <latchkey/latchkey.h>

#ifdef __cplusplus
extern "C" {
#endif

enum lk_limit_algorithm {
	LK_LIMIT_GCRA = 0,	     /* even spacing, with a burst: the generic cell rate algorithm (ITU-T I.371) */
	LK_LIMIT_SLIDING_WINDOW = 1, /* never more than limit in any span of per_ms; limit at most 10,000 */
	LK_LIMIT_FIXED_WINDOW = 2,   /* up to twice the limit across the border of two spans */
	LK_LIMIT_TOKEN_BUCKET = 3    /* a bucket of burst tokens, filled with limit tokens each per_ms */
};

/* "GCRA"; "UNRECOGNIZED" of any other number. Never NULL. */
LK_API const char *lk_limit_algorithm_name(enum lk_limit_algorithm algorithm);

struct lk_limit_check_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes name; /* what is limited, 1 to 256 bytes; required */
	enum lk_limit_algorithm algorithm;
	uint32_t limit;	 /* 1 to 1,000,000 */
	uint32_t per_ms; /* 1 to 2,592,000,000 (30 days) */
	uint32_t burst;	 /* GCRA and token bucket: at once, 1 to 1,000,000. Default: limit */
	uint32_t cost;	 /* of this one. Default 1. What could never be granted is LK_E_INVALID_ARGUMENT */
	bool peek;	 /* only look: nothing is taken */
};
#define LK_LIMIT_CHECK_REQUEST_INIT LK_INIT_(struct lk_limit_check_request)

/* Later versions may append fields. */
struct lk_limit_state {
	size_t struct_size;
	bool allowed;		 /* with peek: whether a cost of 1 would be */
	uint32_t remaining;	 /* could be taken now */
	uint32_t retry_after_ms; /* refused: not sooner. 0 when allowed */
	uint32_t reset_ms;	 /* until all of it could be taken again, if nobody takes any */
};
#define LK_LIMIT_STATE_INIT LK_INIT_(struct lk_limit_state)

/* Takes from the limit, if that much is left. LK_OK: *ret says whether. */
LK_API LK_MUST_CHECK enum lk_err lk_limit_check(lk_client *client, const struct lk_limit_check_request *request,
						struct lk_limit_state *ret, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_limit_check_async(lk_call *call, const struct lk_limit_check_request *request);

struct lk_limit_reset_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes name;		   /* required */
	enum lk_limit_algorithm algorithm; /* that of its checks */
};
#define LK_LIMIT_RESET_REQUEST_INIT LK_INIT_(struct lk_limit_reset_request)

/* Forgets what was taken. ret_existed may be NULL. */
LK_API LK_MUST_CHECK enum lk_err lk_limit_reset(lk_client *client, const struct lk_limit_reset_request *request,
						bool *ret_existed, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_limit_reset_async(lk_call *call, const struct lk_limit_reset_request *request);

/* ---- Results of calls in the background ---- */

LK_API void lk_call_limit(const lk_call *call, struct lk_limit_state *ret); /* check */
LK_API bool lk_call_existed(const lk_call *call);			    /* reset */

#ifdef __cplusplus
}
#endif

#endif
