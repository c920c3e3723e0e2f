#ifndef LK_CLIENT_CALL_H
#define LK_CLIENT_CALL_H

#include <pthread.h>

#include "codec.h"
#include "methods.h"

struct endpoint;

/* IDLE -> PREPARING -> QUEUED <-> SENT, BACKOFF -> NOTIFYING -> IDLE; see flow.c. */
#define CALL_STATE_MAP(X)                                                                                              \
	X(IDLE)	     /* not in flight */                                                                               \
	X(PREPARING) /* its request is being packed, by the thread that starts it */                                   \
	X(QUEUED)    /* in the client's queue, until a server is connected */                                          \
	X(SENT)	     /* given to a server */                                                                           \
	X(BACKOFF)   /* to be sent again, at retry_at_ms */                                                            \
	X(NOTIFYING) /* over; one thread has it, to fill in its results */

enum call_state {
#define X(name) CALL_##name,
	CALL_STATE_MAP(X)
#undef X
	    CALL_STATES
};

struct lk_call {
	lk_client *client; /* one reference */
	lk_call_fn fn;
	void *arg;
	pthread_cond_t ended_changed;

	/* Under the client's lock. */
	enum call_state state;
	bool canceled;
	bool free_at_end;
	uint32_t waiters;
	uint32_t callbacks; /* that run now */
	uint64_t started;
	uint64_t ended;
	enum lk_err result;
	lk_call *queue_next;
	lk_call *queue_prev;
	lk_call *ended_next;
	uint32_t slot;
	struct endpoint *endpoint; /* where it was sent, while SENT; and last, for retries elsewhere */
	uint32_t attempts;
	uint64_t deadline_ms;
	uint64_t retry_at_ms;
	uint64_t sent_at_ms;
	struct frame *frame;

	/* Of the thread that prepares it, of none while in flight, of the one that notifies, then of the owner. */
	enum method method;
	uint32_t timeout_ms;
	uint8_t *body;
	size_t body_bytes;
	size_t body_capacity;
	uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
	size_t key_bytes;
	char traceparent[TRACEPARENT_BYTES_MAX + 1];
	uint32_t wait_replicas; /* 0, as wait_ms: the server's */
	uint32_t wait_ms;
	struct lk_error error;
	struct results results;
};

/* What every request has. */
struct call_terms {
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	uint32_t wait_replicas;
	uint32_t wait_ms;
};

/* The one place that changes the state. Under the client's lock. */
void call_move(lk_call *call, enum call_state to);

/* True on a thread that is within a callback, of any client. */
bool call_in_callback(void);
/* Around a function of the user's that a thread of the library calls. */
bool call_enter_callback(void);
void call_leave_callback(bool before);

/* Starting a call: begin, then call_pack, then call_submit; or call_abandon, which hands err through. */
enum lk_err call_begin(lk_call *call) __attribute__((warn_unused_result));
enum lk_err call_pack(lk_call *call, const ProtobufCMessage *message) __attribute__((warn_unused_result));
enum lk_err call_submit(lk_call *call, enum method method, const struct call_terms *terms)
    __attribute__((warn_unused_result));
enum lk_err call_abandon(lk_call *call, enum lk_err err);

/* A frame around the packed body, with so much time. */
enum lk_err call_frame(lk_call *call, uint32_t timeout_ms, struct frame **ret, struct lk_error *error)
    __attribute__((warn_unused_result));

/* The call is over, its results are in (state NOTIFYING, no lock held): runs the callback and wakes who waits. The call
 * may be gone when this returns. */
void call_notify(lk_call *call);

/* For the synchronous functions: a call of their own, and its end. */
enum lk_err call_sync_begin(lk_client *client, struct lk_error *error, lk_call **ret_call)
    __attribute__((warn_unused_result));
enum lk_err call_sync_wait(lk_call *call, enum lk_err started) __attribute__((warn_unused_result));
void call_sync_end(lk_call **call, struct lk_error *error);

#endif
