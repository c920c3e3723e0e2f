/* What a peer that is not quite Redis may send: parsed whole, and again in pieces; both must see the same replies. */

#include <assert.h>

#include "redis/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
	size_t replies;
	size_t bytes;
};

static size_t walk(const struct store_reply *r, unsigned depth)
{
	size_t bytes = r->string.len;

	assert(depth <= RESP_DEPTH_MAX + 1);
	for (size_t i = 0; i < r->string.len; i++)
		bytes += r->string.ptr[i] & 1U;
	for (size_t i = 0; r->type == STORE_ARRAY && i < r->count; i++)
		bytes += walk(r->elements[i], depth + 1);
	return bytes;
}

static bool on_reply(void *owner, const struct store_reply *reply)
{
	struct seen *s = owner;

	s->replies++;
	s->bytes += walk(reply, 0);
	return true;
}

static bool parse(span input, size_t piece, struct seen *ret)
{
	resp_reader *r = resp_reader_new();
	bool good = true;

	assert(r != NULL);
	for (size_t at = 0; good && at < input.len; at += piece) {
		size_t n = input.len - at < piece ? input.len - at : piece;

		good = resp_reader_input(r, span_of(input.ptr + at, n), on_reply, ret);
	}
	resp_reader_free(&r);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct seen whole = {0}, pieces = {0};
	bool whole_good, pieces_good;

	if (len == 0)
		return 0;
	whole_good = parse(span_of(data, len), len, &whole);
	pieces_good = parse(span_of(data, len), 1 + data[0] % 7, &pieces);
	assert(whole_good == pieces_good);
	if (whole_good)
		assert(whole.replies == pieces.replies && whole.bytes == pieces.bytes);
	return 0;
}
