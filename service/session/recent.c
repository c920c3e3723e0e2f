/* Two rings of entries, each with the oldest at its tail and a table of chains over it: one for what lives for the
 * window, one for the pending, which live for longer and would keep the others from leaving.
 *
 *   buckets[hash] --> entry --> entry       (numbers: 1 is entries[0], 0 ends a chain)
 *   entries:  [tail] oldest ... newest [head]
 *
 * Both are allocated at the first revocation; the ring's pages are the kernel's until they are written to. What has
 * expired leaves at the tail with each put, and with each look-up that meets a chain at all.
 *
 * `lock` covers all of it but two atomics, which let a look-up answer "not here" without it: `count`, and a chain's first
 * number. A put stores both before it returns, and whoever acknowledges a revocation does so after. */

#include "session/recent.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "session/session.h"

#define BUCKETS RECENT_MAX
#define MASK	(RECENT_MAX - 1)

_Static_assert((RECENT_MAX & MASK) == 0, "places in the ring wrap around");

struct entry {
	char handle[RECENT_HANDLE_BYTES];
	uint8_t reason;
	uint32_t next;
	uint64_t at_ms;
	uint64_t until_ms; /* monotonic */
};

struct ring {
	_Atomic size_t count;
	size_t tail;
	struct entry *entries;
	_Atomic uint32_t *buckets;
};

struct recent {
	uint64_t lives_ms; /* 0: nothing is remembered */
	pthread_mutex_t lock;
	struct ring usual;
	struct ring pending;
};

recent *recent_new(uint64_t window_ms)
{
	recent *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->lives_ms = window_ms == 0 ? 0 : window_ms + RECENT_SLACK_MS;
	atomic_init(&r->usual.count, 0);
	atomic_init(&r->pending.count, 0);
	(void)pthread_mutex_init(&r->lock, NULL);
	return r;
}

static void free_ring(struct ring *r)
{
	free(r->entries);
	free(r->buckets);
}

void recent_free(recent **r)
{
	recent *old = *r;

	*r = NULL;
	if (old == NULL)
		return;
	(void)pthread_mutex_destroy(&old->lock);
	free_ring(&old->usual);
	free_ring(&old->pending);
	free(old);
}

/* Handles end with a keyed hash in base64url: some of its characters do. */
static _Atomic uint32_t *bucket_of(const struct ring *r, const char *handle)
{
	uint64_t n;

	memcpy(&n, handle + RECENT_HANDLE_BYTES - 1 - sizeof(n), sizeof(n));
	return &r->buckets[(n * 0x9e3779b97f4a7c15ULL) >> 48 & (BUCKETS - 1)];
}

static bool is_of(const struct entry *e, const char *handle)
{
	return memcmp(e->handle, handle, RECENT_HANDLE_BYTES) == 0;
}

static struct entry *find(const struct ring *r, const char *handle)
{
	uint32_t number = atomic_load_explicit(bucket_of(r, handle), memory_order_relaxed);

	while (number != 0) {
		struct entry *e = &r->entries[number - 1];

		if (is_of(e, handle))
			return e;
		number = e->next;
	}
	return NULL;
}

static void unchain(struct ring *r, uint32_t number)
{
	const struct entry *e = &r->entries[number - 1];
	_Atomic uint32_t *bucket = bucket_of(r, e->handle);
	uint32_t at = atomic_load_explicit(bucket, memory_order_relaxed);

	if (at == number) {
		atomic_store_explicit(bucket, e->next, memory_order_relaxed);
		return;
	}
	while (r->entries[at - 1].next != number)
		at = r->entries[at - 1].next;
	r->entries[at - 1].next = e->next;
}

static void drop_oldest(struct ring *r)
{
	unchain(r, (uint32_t)r->tail + 1);
	r->tail = (r->tail + 1) & MASK;
	atomic_fetch_sub_explicit(&r->count, 1, memory_order_release);
}

static void expire(struct ring *r, uint64_t mono_ms)
{
	while (atomic_load_explicit(&r->count, memory_order_relaxed) > 0 && r->entries[r->tail].until_ms <= mono_ms)
		drop_oldest(r);
}

static bool allocate(struct ring *r)
{
	if (r->entries == NULL)
		r->entries = calloc(RECENT_MAX, sizeof(r->entries[0]));
	if (r->buckets == NULL)
		r->buckets = calloc(BUCKETS, sizeof(r->buckets[0]));
	return r->entries != NULL && r->buckets != NULL;
}

static void add(struct ring *r, const char *handle, const struct recent_end *end, uint64_t until_ms)
{
	const size_t count = atomic_load_explicit(&r->count, memory_order_relaxed);
	const size_t at = (r->tail + count) & MASK;
	_Atomic uint32_t *bucket = bucket_of(r, handle);
	struct entry *e = &r->entries[at];

	assert(count < RECENT_MAX);
	memcpy(e->handle, handle, RECENT_HANDLE_BYTES);
	e->reason = end->reason;
	e->at_ms = end->at_ms;
	e->until_ms = until_ms;
	e->next = atomic_load_explicit(bucket, memory_order_relaxed);
	atomic_store_explicit(bucket, (uint32_t)at + 1, memory_order_release);
	atomic_fetch_add_explicit(&r->count, 1, memory_order_release);
}

static bool put(struct ring *r, const char *handle, const struct recent_end *end, uint64_t until_ms, uint64_t mono_ms)
{
	struct entry *e;
	size_t count;

	expire(r, mono_ms);
	e = find(r, handle);
	if (e != NULL) {
		/* The first reason stands, as in the store. */
		if (e->reason == REASON_ROTATED) {
			e->reason = end->reason;
			e->at_ms = end->at_ms;
		}
		if (e->until_ms < until_ms)
			e->until_ms = until_ms;
		return true;
	}
	count = atomic_load_explicit(&r->count, memory_order_relaxed);
	if (end->reason == REASON_ROTATED && count >= RECENT_ROTATED_MAX)
		return false;
	if (count == RECENT_MAX) {
		drop_oldest(r);
		metric_add(METRIC_RECENT_DROPPED, 1);
	}
	add(r, handle, end, until_ms);
	return true;
}

bool recent_put(recent *r, const char handle[static RECENT_HANDLE_BYTES], const struct recent_end *end,
		uint64_t lives_ms, uint64_t mono_ms)
{
	struct ring *ring;
	bool has_room;

	if (r == NULL || r->lives_ms == 0)
		return false;
	ring = lives_ms > r->lives_ms ? &r->pending : &r->usual;
	(void)pthread_mutex_lock(&r->lock);
	has_room = allocate(ring);
	if (has_room)
		has_room = put(ring, handle, end, mono_ms + (lives_ms > r->lives_ms ? lives_ms : r->lives_ms), mono_ms);
	(void)pthread_mutex_unlock(&r->lock);
	if (!has_room)
		metric_add(METRIC_RECENT_DROPPED, 1);
	return has_room;
}

static bool find_in(recent *r, struct ring *ring, const char *handle, uint64_t mono_ms, struct recent_end *ret)
{
	const struct entry *e;
	bool is_found;

	if (atomic_load_explicit(&ring->count, memory_order_acquire) == 0 ||
	    atomic_load_explicit(bucket_of(ring, handle), memory_order_acquire) == 0)
		return false;
	(void)pthread_mutex_lock(&r->lock);
	expire(ring, mono_ms);
	e = find(ring, handle);
	is_found = e != NULL && e->until_ms > mono_ms;
	if (is_found)
		*ret = (struct recent_end){.reason = e->reason, .at_ms = e->at_ms};
	(void)pthread_mutex_unlock(&r->lock);
	return is_found;
}

bool recent_find(recent *r, const char handle[static RECENT_HANDLE_BYTES], uint64_t mono_ms, struct recent_end *ret)
{
	bool is_found;

	if (r == NULL)
		return false;
	is_found = find_in(r, &r->usual, handle, mono_ms, ret);
	if (is_found && ret->reason != REASON_ROTATED)
		return true;
	return find_in(r, &r->pending, handle, mono_ms, ret) || is_found;
}

size_t recent_count(const recent *r)
{
	if (r == NULL)
		return 0;
	return atomic_load_explicit(&r->usual.count, memory_order_relaxed) +
	       atomic_load_explicit(&r->pending.count, memory_order_relaxed);
}
