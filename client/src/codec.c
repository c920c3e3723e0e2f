#include "codec.h"

#include <assert.h>
#include <stdlib.h>

#include "codec/codec.h"
#include "error.h"

static enum lk_err pack(const Latchkey__V1__RequestFrame *message, struct frame **ret, struct lk_error *error)
{
	size_t len = codec_packed_bytes(&message->base);
	struct frame *frame;

	if (len > LK_REQUEST_BYTES_MAX)
		return error_set(error, LK_E_INVALID_ARGUMENT,
				 "the request has %zu bytes, at most %d: send less at once", len, LK_REQUEST_BYTES_MAX);
	frame = malloc(sizeof(*frame) + len);
	if (frame == NULL)
		return error_set(error, LK_E_NO_MEMORY, "out of memory");
	atomic_init(&frame->refs, 1);
	frame->len = len;
	codec_pack(&message->base, frame->bytes, len);
	*ret = frame;
	return LK_OK;
}

enum lk_err frame_new(const struct envelope *envelope, struct frame **ret, struct lk_error *error)
{
	Latchkey__V1__RequestFrame message = LATCHKEY__V1__REQUEST_FRAME__INIT;
	Latchkey__V1__Call call = LATCHKEY__V1__CALL__INIT;
	Latchkey__V1__Call *calls[] = {&call};

	message.has_protocol = true;
	message.protocol = PROTOCOL_VERSION;
	message.has_credential = envelope->credential[0] != '\0';
	message.credential = binary_of(lk_text(envelope->credential));
	message.n_calls = 1;
	message.calls = calls;
	call.has_method = true;
	call.method = binary_of(lk_text(envelope->method));
	call.has_body = true;
	call.body = binary_of(lk_bytes_of(envelope->body, envelope->body_bytes));
	call.has_timeout_ms = true;
	call.timeout_ms = envelope->timeout_ms;
	call.has_idempotency_key = envelope->key_bytes > 0;
	call.idempotency_key = binary_of(lk_bytes_of(envelope->key, envelope->key_bytes));
	call.has_traceparent = envelope->traceparent[0] != '\0';
	call.traceparent = binary_of(lk_text(envelope->traceparent));
	call.has_wait_replicas = envelope->wait_replicas > 0;
	call.wait_replicas = envelope->wait_replicas;
	call.has_wait_ms = envelope->wait_ms > 0;
	call.wait_ms = envelope->wait_ms;
	return pack(&message, ret, error);
}

struct frame *frame_retain(struct frame *frame)
{
	(void)atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
	return frame;
}

void frame_release(struct frame **frame)
{
	struct frame *own = *frame;

	*frame = NULL;
	if (own == NULL || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) > 1)
		return;
	/* It holds a token and a credential. */
	explicit_bzero(own->bytes, own->len);
	free(own);
}

bool reply_open(const uint8_t *bytes, size_t len, struct pool *pool, struct reply *ret)
{
	const Latchkey__V1__ReplyFrame *frame =
	    (const void *)pool_unpack(pool, &latchkey__v1__reply_frame__descriptor, bytes, len);
	const Latchkey__V1__Reply *reply;

	if (frame == NULL || !frame->has_protocol)
		return false;
	/* A frame refused as a whole has no replies: what it says is the answer of its one call. */
	if (frame->has_code && frame->code != LATCHKEY__V1__CODE__OK) {
		*ret = (struct reply){.err = error_of_code(frame->code),
				      .is_refused = true,
				      .is_going_away = frame->going_away,
				      .retry_after_ms = frame->retry_after_ms,
				      .message = frame->message};
		return true;
	}
	if (frame->protocol != PROTOCOL_VERSION || frame->n_replies != 1)
		return false;
	reply = frame->replies[0];
	*ret = (struct reply){.err = reply->has_code ? error_of_code(reply->code) : LK_OK,
			      .is_going_away = frame->going_away,
			      .retry_after_ms = reply->retry_after_ms,
			      .replicas = reply->replicas,
			      .message = reply->message,
			      .body = reply->body};
	return true;
}
