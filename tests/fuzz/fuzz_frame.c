/* A request frame, as a caller may send it: surveyed, decoded, and each call's body unpacked as the method says. */

#include <assert.h>

#include "base/arena.h"
#include "rpc/frame.h"
#include "rpc/methods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void unpack_bodies(arena *a, const PB(RequestFrame) * frame)
{
	struct status st;

	for (size_t i = 0; i < frame->n_calls; i++) {
		const struct method *m =
		    method_find(span_of(frame->calls[i]->method.data, frame->calls[i]->method.len));
		ProtobufCMessage *request;

		if (m == NULL)
			continue;
		(void)!frame_unpack(a, m->request, span_of(frame->calls[i]->body.data, frame->calls[i]->body.len),
				    &request, &st);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	arena *a = arena_new(1024, frame_decode_bytes_max(len) * 2);
	PB(RequestFrame) * frame;
	struct status st;
	size_t calls;

	assert(a != NULL);
	if (frame_survey(span_of(data, len), &calls, &st) == STATUS_OK) {
		assert(calls >= 1 && calls <= FRAME_REPEATED_MAX);
		if (frame_decode(a, span_of(data, len), &frame, &st) == STATUS_OK)
			unpack_bodies(a, frame);
	}
	arena_free(&a);
	return 0;
}
