/* A cell for each realm, by its place in the configuration: a look-up is two loads.
 *
 * Both numbers of a cell only grow, so each is right by itself: a reader who sees the one and not yet the other is in
 * the place of one who came a moment earlier. */

#include "session/not_before.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "session/state.h"

struct cell {
	_Atomic uint64_t at_ms;
	_Atomic uint64_t confirmed_ms; /* monotonic, and 1: 0 is never */
};

struct not_before {
	size_t count;
	struct cell cells[];
};

not_before *not_before_new(size_t realms)
{
	/* Zeroed, which is what every cell starts with. */
	not_before *n = calloc(1, sizeof(*n) + realms * sizeof(n->cells[0]));

	if (n != NULL)
		n->count = realms;
	return n;
}

void not_before_free(not_before **n)
{
	free(*n);
	*n = NULL;
}

static void lift(_Atomic uint64_t *number, uint64_t to)
{
	uint64_t is = atomic_load_explicit(number, memory_order_relaxed);

	while (is < to &&
	       !atomic_compare_exchange_weak_explicit(number, &is, to, memory_order_release, memory_order_relaxed))
		;
}

static size_t place_of_realm(const not_before *n, const struct realm *realm)
{
	assert(realm->place < n->count);
	return realm->place;
}

uint64_t not_before_of(const not_before *n, const struct realm *realm)
{
	return n == NULL ? 0 : atomic_load_explicit(&n->cells[place_of_realm(n, realm)].at_ms, memory_order_acquire);
}

void not_before_raise(not_before *n, const struct realm *realm, uint64_t at_ms)
{
	if (n != NULL)
		lift(&n->cells[place_of_realm(n, realm)].at_ms, at_ms);
}

bool not_before_is_credible(uint64_t at_ms, uint64_t wall_ms)
{
	return at_ms <= wall_ms + NOT_BEFORE_AHEAD_MS_MAX;
}

bool not_before_is_confirmed(const not_before *n, const struct realm *realm, uint64_t mono_ms)
{
	uint64_t confirmed_ms;

	if (n == NULL)
		return true;
	confirmed_ms = atomic_load_explicit(&n->cells[place_of_realm(n, realm)].confirmed_ms, memory_order_acquire);
	return confirmed_ms > 0 && mono_ms < confirmed_ms - 1 + NOT_BEFORE_TRUST_MS;
}

void not_before_key(const struct realm *realm, char out[static NOT_BEFORE_KEY_CHARS])
{
	static const char start[] = {'l', 'k', '1', ':', 'n', ':', '{'};

	memcpy(out, start, sizeof(start));
	memcpy(out + sizeof(start), realm->rtag, REALM_RTAG_CHARS);
	out[NOT_BEFORE_KEY_CHARS - 1] = '}';
}

void not_before_query_plan(const struct realm *realm, struct not_before_query *ret)
{
	*ret = (struct not_before_query){.realm = realm};
	not_before_key(realm, ret->key);
	ret->command = (struct store_command){
	    .is_repeatable = true,
	    .argc = 2,
	    .key = span_of(ret->key, sizeof(ret->key)),
	    .argv = {SPAN_LIT("GET"), span_of(ret->key, sizeof(ret->key))},
	};
}

/* Behind the moment the value names who set it. */
static bool read_moment(span value, uint64_t *ret)
{
	const uint8_t *end = value.len == 0 ? NULL : memchr(value.ptr, ':', value.len);

	return end != NULL && number_parse(span_of(value.ptr, (size_t)(end - value.ptr)), ret);
}

bool not_before_query_answer(not_before *n, const struct not_before_query *q, const struct store_reply *reply,
			     uint64_t asked_ms, uint64_t wall_ms)
{
	uint64_t at_ms = 0;

	if (reply->type != STORE_NIL && (reply->type != STORE_STRING || !read_moment(reply->string, &at_ms) ||
					 !not_before_is_credible(at_ms, wall_ms)))
		return false;
	/* In this order: whoever finds it confirmed finds what was confirmed. */
	lift(&n->cells[place_of_realm(n, q->realm)].at_ms, at_ms);
	lift(&n->cells[place_of_realm(n, q->realm)].confirmed_ms, asked_ms + 1);
	return true;
}
