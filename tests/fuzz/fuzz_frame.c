/* A request frame, as a caller may send it: surveyed, decoded, and each call's body unpacked as the method says. */

#include <assert.h>

#include "base/arena.h"
#include "rpc/frame.h"
#include "rpc/methods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void unpack_bodies(arena *a, const Latchkey__V1__RequestFrame *frame)
{
	struct status st;

	for (size_t i = 0; i < frame->n_calls; i++) {
		const Latchkey__V1__Call *call = frame->calls[i];
		const struct method *m = method_find(span_of(call->method.data, call->method.len));

		if (m != NULL)
			(void)!frame_unpack(a, m->request, span_of(call->body.data, call->body.len), &st);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	arena *a = arena_new(1024, frame_decode_bytes_max(len) * 2);
	const Latchkey__V1__RequestFrame *frame;
	struct status st;
	size_t calls;

	assert(a != NULL);
	if (frame_survey(span_of(data, len), &calls, &st) == STATUS_OK) {
		assert(calls >= 1 && calls <= FRAME_REPEATED_MAX);
		frame = frame_decode(a, span_of(data, len), &st);
		if (frame != NULL)
			unpack_bodies(a, frame);
	}
	arena_free(&a);
	return 0;
}
