#ifndef LK_RPC_FRAME_H
#define LK_RPC_FRAME_H

/* The envelope's bytes: request frames decoded, reply frames encoded. Pure: no socket, no clock, no lock. */

#include "base/arena.h"
#include "base/status.h"
#include "latchkey/v1/frame.pb-c.h"

#define FRAME_CREDENTIAL_BYTES_MAX  128
#define FRAME_METHOD_BYTES_MAX	    128
#define FRAME_TRACEPARENT_BYTES_MAX 55
/* Fields that a message, with all inside it, may have and this version not know: room for newer callers, and too few
 * to make the decoder work for nothing. */
#define FRAME_UNKNOWN_FIELDS_MAX 16
/* Entries of any repeated field: calls, attributes, tokens, keys to remove. None of them is ever allowed more, */
#define FRAME_REPEATED_MAX 64
/* but what a profile has, or is acknowledged at once, */
#define FRAME_WIDE_MAX 256
/* and the ids of visitors, which are no more than bytes. */
#define FRAME_IDS_MAX 1024

/* What decoding `len` bytes may take from the arena. Honest messages were measured at two to five times their size,
 * small ones at a few hundred bytes more; a message of nothing but empty fields would take 64 times. */
static inline size_t frame_decode_bytes_max(size_t len)
{
	return 8 * len + 16384;
}

/* Counts the calls without allocating, so that the arena can be sized, and ten thousand be refused by their number.
 * INVALID_ARGUMENT when the bytes are no protobuf message, or the calls are none or too many. */
enum status_code frame_survey(span frame, size_t *ret_calls, struct status *st) MUST_CHECK;

/* Unpacks one message into the arena, and bounds memory, unknown fields and entries of repeated fields. The message's
 * bytes fields point into `bytes`. NULL: *st says what is wrong, INVALID_ARGUMENT. */
ProtobufCMessage *frame_unpack(arena *a, const ProtobufCMessageDescriptor *type, span bytes,
			       struct status *st) MUST_CHECK;

/* A frame that frame_survey let through; as with frame_unpack its bytes are pointed to. NULL: INVALID_ARGUMENT, FAILED_PRECONDITION (protocol version). */
Latchkey__V1__RequestFrame *frame_decode(arena *a, span frame, struct status *st) MUST_CHECK;

/* Bytes of a Reply around its body: code 2, message 3 + STATUS_TEXT_BYTES, body's tag and length 5, retry_after_ms 6,
 * its own tag and length 5: 221. */
#define FRAME_REPLY_OVERHEAD_BYTES 256

enum frame_fit { FRAME_FITS, FRAME_TOO_LONG, FRAME_NO_MEMORY };

/* Packs a message of at most `max` bytes into the arena. *ret has its length also when it is too long. */
enum frame_fit frame_pack(arena *a, const ProtobufCMessage *m, size_t max, span *ret) MUST_CHECK;

/* False: the arena has no room; *ret is not to be used then. */
bool frame_encode(arena *a, Latchkey__V1__Reply **replies, size_t count, bool is_going_away, span *ret) MUST_CHECK;

/* A status text, its code, the protocol and retry_after_ms with their tags. */
#define FRAME_REFUSAL_BYTES_MAX 256

/* A reply frame that refuses the request frame as a whole; with UNAVAILABLE it sends the caller away. Returns the
 * bytes written. */
size_t frame_encode_refusal(const struct status *st, uint8_t out[static FRAME_REFUSAL_BYTES_MAX]);

#endif
