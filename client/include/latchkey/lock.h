#ifndef LATCHKEY_LOCK_H
#define LATCHKEY_LOCK_H

/* Locks with an owner, an end, and a fencing token. A part of liblatchkey; the rules of latchkey/latchkey.h hold.
 *
 *	struct lk_lock_acquire_request acquire = LK_LOCK_ACQUIRE_REQUEST_INIT;
 *	lk_lock *lock = NULL;
 *
 *	acquire.name = lk_text("nightly report");
 *	acquire.ttl_ms = 10000;
 *	if (lk_lock_hold(client, &acquire, NULL, NULL, &lock, &error) != LK_OK || lock == NULL)
 *		...                                       // it failed, or another has it
 *	while (work is left && lk_lock_is_held(lock))
 *		write(..., lk_lock_fencing_token(lock));  // the store refuses a smaller token than it has seen
 *	lk_lock_drop(&lock);
 *
 * A lock alone cannot promise that two never work at once: its holder may be paused past its end and not know it, and a
 * failover of Redis may lose the latest change. The fencing token, which only ever grows, is what the resource itself
 * can check: it refuses whoever comes with a smaller one than it has seen. */

#include <latchkey/latchkey.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LK_LOCK_OWNER_BYTES_MAX 64

/* Later versions may append fields. */
struct lk_lock_state {
	size_t struct_size;
	bool held;			     /* by the caller */
	char owner[LK_LOCK_OWNER_BYTES_MAX]; /* acquired: a secret, which extends and releases it */
	size_t owner_bytes;
	uint64_t fencing_token;	 /* held: greater than that of all who held it before */
	uint64_t expires_at_ms;	 /* of whoever holds it now, on the server's clock */
	uint32_t retry_after_ms; /* not acquired */
};
#define LK_LOCK_STATE_INIT LK_INIT_(struct lk_lock_state)

static inline struct lk_bytes lk_lock_owner(const struct lk_lock_state *state)
{
	return lk_bytes_of(state->owner, state->owner_bytes);
}

/* ---- One step at a time ---- */

struct lk_lock_acquire_request {
	size_t struct_size;
	const char *realm;
	/* Default: the client's, and lock_wait_ms on top. */
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes name;  /* 1 to 256 bytes; required */
	uint32_t ttl_ms;       /* 100 to 3,600,000; required: it ends after that, unless extended */
	uint32_t lock_wait_ms; /* to wait for it, less than timeout_ms. Default: not at all */
};
#define LK_LOCK_ACQUIRE_REQUEST_INIT LK_INIT_(struct lk_lock_acquire_request)

/* LK_OK: ret->held tells whether it was acquired. */
LK_API LK_MUST_CHECK enum lk_err lk_lock_acquire(lk_client *client, const struct lk_lock_acquire_request *request,
						 struct lk_lock_state *ret, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_lock_acquire_async(lk_call *call, const struct lk_lock_acquire_request *request);

struct lk_lock_extend_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes name;  /* required, as are */
	struct lk_bytes owner; /* lk_lock_owner of the state it was acquired with, and */
	uint32_t ttl_ms;       /* from now */
};
#define LK_LOCK_EXTEND_REQUEST_INIT LK_INIT_(struct lk_lock_extend_request)

/* LK_OK: ret->held tells whether it is still the caller's. If not, it has ended, or another holds it, and nothing was
 * changed. Of the owner it says nothing. */
LK_API LK_MUST_CHECK enum lk_err lk_lock_extend(lk_client *client, const struct lk_lock_extend_request *request,
						struct lk_lock_state *ret, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_lock_extend_async(lk_call *call, const struct lk_lock_extend_request *request);

struct lk_lock_release_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes name;  /* required */
	struct lk_bytes owner; /* required */
};
#define LK_LOCK_RELEASE_REQUEST_INIT LK_INIT_(struct lk_lock_release_request)

/* ret_released, which may be NULL. False: it had ended, or another holds it. Repeated by the same owner it is true again,
 * until another acquires it. */
LK_API LK_MUST_CHECK enum lk_err lk_lock_release(lk_client *client, const struct lk_lock_release_request *request,
						 bool *ret_released, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_lock_release_async(lk_call *call, const struct lk_lock_release_request *request);

/* Results of calls in the background. */
LK_API void lk_call_lock(const lk_call *call, struct lk_lock_state *ret); /* acquire, extend */
LK_API bool lk_call_released(const lk_call *call);			  /* release */

/* ---- Held until it is dropped ---- */

/* A lock that is extended by itself, by the client's timer, when a third of its ttl has passed, and until it is dropped
 * or lost. The library needs no thread of its own for it: the extension is a call in the background. */
typedef struct lk_lock lk_lock;

/* The lock is lost: it could not be extended before its end, or the server says that it is another's. Called once, from
 * a thread of the library, with no lock held; it must not block. Not called once lk_lock_drop has begun, nor when the
 * client is closed: drop locks before that. */
typedef void (*lk_lock_lost_fn)(lk_lock *lock, void *arg);

/* Acquires a lock and keeps it. LK_OK with NULL in *ret_lock: another holds it, also after lock_wait_ms. on_lost may be
 * NULL: then lk_lock_is_held tells. Blocks as lk_lock_acquire does; where it waited, it extends the lock before it
 * returns, so that the whole of ttl_ms is ahead. */
LK_API LK_MUST_CHECK enum lk_err lk_lock_hold(lk_client *client, const struct lk_lock_acquire_request *request,
					      lk_lock_lost_fn on_lost, void *arg, lk_lock **ret_lock,
					      struct lk_error *error);

/* Whether it is still held, by this machine's monotonic clock: the ttl is counted from before the request that began it
 * was sent, less a hundredth and 10 ms for clocks that run differently. Costs no call. Ask it before each step; and do not
 * trust it across a pause of this program, which is what the fencing token is for. */
LK_API bool lk_lock_is_held(const lk_lock *lock);
/* So long it is still held, if it is not extended before; 0: lost. */
LK_API uint32_t lk_lock_left_ms(const lk_lock *lock);
LK_API uint64_t lk_lock_fencing_token(const lk_lock *lock);

/* Stops extending, releases the lock if it is still held, and frees. Blocks: at most the client's call_timeout_ms; a
 * release that fails leaves the lock to end by itself. Accepts NULL in it. Aborts within a callback. */
LK_API void lk_lock_drop(lk_lock **lock);

#ifdef __cplusplus
}
#endif

#endif
