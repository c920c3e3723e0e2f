#include "plan/fingerprint.h"

#include <assert.h>

#include "base/bytes.h"
#include "crypto/names.h"

bool fingerprint_start(arena *a, size_t capacity, struct fingerprint *ret)
{
	*ret = (struct fingerprint){.capacity = capacity};
	ret->items = arena_array(a, capacity, sizeof(*ret->items));
	return ret->items != NULL;
}

void fingerprint_add(struct fingerprint *f, span field)
{
	assert(f->count < f->capacity);
	f->items[f->count++] = field;
}

void fingerprint_number(struct fingerprint *f, uint64_t n)
{
	uint8_t *bytes = f->numbers[f->number_count++];
	struct writer w = writer_over(bytes, 8);

	assert(f->number_count <= FINGERPRINT_NUMBERS_MAX);
	put_number(&w, n, 8);
	fingerprint_add(f, span_of(bytes, 8));
}

void fingerprint_end(const keyring *keys, const struct fingerprint *f, uint8_t out[static FINGERPRINT_BYTES])
{
	name_hash(keys, NAME_FINGERPRINT, f->items, f->count, out, FINGERPRINT_BYTES);
}
