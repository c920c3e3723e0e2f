#ifndef LK_CLIENT_CODEC_H
#define LK_CLIENT_CODEC_H

/* Frames: one call packed into an envelope, one reply taken out of it. Pure. */

#include <stdatomic.h>

#include "latchkey/latchkey.h"
#include "latchkey/v1/frame.pb-c.h"
#include "pool.h"

#define PROTOCOL_VERSION 1U
/* The server's replies have at most 2 MiB: 64 calls, or one list of 500 sessions with the longest user ids and user
 * agents (1.1 KiB each), several times over. */
#define REPLY_BYTES_MAX		  (2U * 1024 * 1024)
#define IDEMPOTENCY_KEY_BYTES_MAX 64
#define TRACEPARENT_BYTES_MAX	  55

/* A packed envelope. Counted, because it is sent outside the client's lock, while the call may end. */
struct frame {
	atomic_uint refs;
	size_t len;
	uint8_t bytes[];
};

/* What goes around a request message. */
struct envelope {
	const char *credential; /* empty: none */
	const char *method;
	const uint8_t *body;
	size_t body_bytes;
	uint32_t timeout_ms;
	const uint8_t *key;
	size_t key_bytes;	 /* 0: none */
	const char *traceparent; /* empty: none */
	uint32_t wait_replicas;	 /* 0, as wait_ms: not sent */
	uint32_t wait_ms;
};

/* LK_E_INVALID_ARGUMENT beyond LK_REQUEST_BYTES_MAX. */
enum lk_err frame_new(const struct envelope *envelope, struct frame **ret, struct lk_error *error)
    __attribute__((warn_unused_result));
struct frame *frame_retain(struct frame *frame);
/* Wipes with the last reference. Nulls *frame; accepts NULL in it. */
void frame_release(struct frame **frame);

/* The one reply of a frame. Points into the frame. */
struct reply {
	enum lk_err err;
	bool is_refused;    /* the frame as a whole: nothing was carried out */
	bool is_going_away; /* the server wants this connection to end */
	uint32_t retry_after_ms;
	uint32_t replicas;
	ProtobufCBinaryData message;
	ProtobufCBinaryData body;
};

/* How much a reply of `len` bytes may unpack into: eight times, which no true reply comes near, and small change. */
static inline size_t reply_pool_bytes(size_t len)
{
	return 8 * len + 65536;
}

/* False: not a reply frame of this protocol with one reply. */
bool reply_open(const uint8_t *bytes, size_t len, struct pool *pool, struct reply *ret)
    __attribute__((warn_unused_result));

static inline ProtobufCBinaryData binary_of(struct lk_bytes bytes)
{
	return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.data};
}

#endif
