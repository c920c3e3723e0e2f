/* A ring of entries, and a table of chains over it, by which an announcement that comes again is recognised.
 *
 *   buckets[hash] --> entry --> entry       (numbers: 1 is entries[0], 0 ends a chain)
 *   entries:  number n stands at (n - 1) mod EVENT_LOG_MAX; the newest overwrites the oldest
 *
 * Duplicates. In a cluster each node passes on what any of them was told, and after a failover the former primary may
 * repeat its successor: the same announcement comes by several connections, milliseconds or a failover apart. It is
 * compared with all that the ring still has, for that costs no more than a shorter memory. Only an update may truly
 * happen twice with the same session in the same millisecond; both come by each connection, so that one is a duplicate
 * only if another connection brought the first.
 *
 * Looking for news takes no lock: `latest` has the number of the last entry for each realm (by some bits of its tag) and
 * of the last gap. They are stored before the lock is released, and whoever waits looks again and again.
 *
 * What was overwritten is a gap for its own realm only, which `overwritten` tells: who watches a quiet realm is left in
 * peace by a busy one. */

#include "session/event_log.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "crypto/codec.h"

#define MASK (EVENT_LOG_MAX - 1)
/* Realms that share a place are now and then looked at in vain, or told of a gap that was not theirs: rare with the
 * dozens of realms that a service has. */
#define REALMS 256

/* No kind of an announcement. */
#define KIND_GAP 0

_Static_assert((EVENT_LOG_MAX & MASK) == 0, "places in the ring wrap around");

struct entry {
	uint64_t at_ms;
	uint64_t source;
	uint32_t next;
	uint32_t realm_tag;
	uint8_t kind; /* enum session_event_kind, or KIND_GAP */
	uint8_t reason;
	char tag[USER_TAG_CHARS];
	char name[NAME_CHARS]; /* of a realm's revocation there is none: zeros */
	char successor[NAME_CHARS];
};

struct event_log {
	_Atomic uint64_t latest[REALMS];
	_Atomic uint64_t latest_gap;
	pthread_mutex_t lock;
	uint64_t overwritten[REALMS];
	uint64_t overwritten_gap;
	uint64_t newest;
	struct entry *entries;
	uint32_t *buckets;
};

event_log *event_log_new(void)
{
	event_log *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	(void)pthread_mutex_init(&l->lock, NULL);
	l->entries = calloc(EVENT_LOG_MAX, sizeof(l->entries[0]));
	l->buckets = calloc(EVENT_LOG_MAX, sizeof(l->buckets[0]));
	if (l->entries == NULL || l->buckets == NULL)
		event_log_free(&l);
	return l;
}

void event_log_free(event_log **l)
{
	event_log *old = *l;

	*l = NULL;
	if (old == NULL)
		return;
	(void)pthread_mutex_destroy(&old->lock);
	free(old->entries);
	free(old->buckets);
	free(old);
}

/* ---- Entries ---- */

static struct entry *entry_at(const event_log *l, uint64_t number)
{
	assert(number > 0 && number <= l->newest && number + EVENT_LOG_MAX > l->newest);
	return &l->entries[(number - 1) & MASK];
}

/* Names are keyed hashes in base64url: some of their characters do, and the time tells one session's updates apart. */
static uint32_t *bucket_of(const event_log *l, const struct entry *e)
{
	uint64_t n;

	memcpy(&n, e->name + NAME_CHARS - 1 - sizeof(n), sizeof(n));
	n = (n ^ e->at_ms) * 0x9e3779b97f4a7c15ULL;
	return &l->buckets[n >> 48 & MASK];
}

static void unchain(event_log *l, uint32_t number)
{
	const struct entry *e = &l->entries[number - 1];
	uint32_t *at = bucket_of(l, e);

	while (*at != number)
		at = &l->entries[*at - 1].next;
	*at = e->next;
}

static bool is_same(const struct entry *a, const struct entry *b)
{
	return a->at_ms == b->at_ms && a->kind == b->kind && a->realm_tag == b->realm_tag &&
	       memcmp(a->tag, b->tag, sizeof(a->tag)) == 0 && memcmp(a->name, b->name, sizeof(a->name)) == 0;
}

static bool is_duplicate(const event_log *l, const struct entry *e)
{
	for (uint32_t number = *bucket_of(l, e); number != 0; number = l->entries[number - 1].next) {
		const struct entry *other = &l->entries[number - 1];

		/* The newest of its like comes first in the chain, and tells. */
		if (is_same(e, other))
			return e->kind != EVENT_UPDATED || e->source != other->source;
	}
	return false;
}

static void drop_oldest(event_log *l)
{
	const uint64_t number = l->newest - EVENT_LOG_MAX + 1;
	const struct entry *e = entry_at(l, number);

	if (e->kind == KIND_GAP) {
		l->overwritten_gap = number;
		return;
	}
	l->overwritten[e->realm_tag % REALMS] = number;
	unchain(l, (uint32_t)(e - l->entries) + 1);
}

static void append(event_log *l, const struct entry *e)
{
	const uint32_t at = (uint32_t)(l->newest & MASK);
	struct entry *place = &l->entries[at];

	if (l->newest >= EVENT_LOG_MAX)
		drop_oldest(l);
	*place = *e;
	l->newest++;
	if (e->kind == KIND_GAP) {
		atomic_store_explicit(&l->latest_gap, l->newest, memory_order_relaxed);
		return;
	}
	place->next = *bucket_of(l, e);
	*bucket_of(l, e) = at + 1;
	atomic_store_explicit(&l->latest[e->realm_tag % REALMS], l->newest, memory_order_relaxed);
}

static void put(event_log *l, const struct entry *e)
{
	bool is_new;

	(void)pthread_mutex_lock(&l->lock);
	is_new = !is_duplicate(l, e);
	if (is_new)
		append(l, e);
	(void)pthread_mutex_unlock(&l->lock);
	metric_add(is_new ? METRIC_EVENTS_HEARD : METRIC_EVENTS_DUPLICATE, 1);
}

void event_log_gap(event_log *l)
{
	(void)pthread_mutex_lock(&l->lock);
	append(l, &(struct entry){.kind = KIND_GAP});
	(void)pthread_mutex_unlock(&l->lock);
	metric_add(METRIC_EVENT_GAPS, 1);
}

static void make_handle(const char *tag, const char *name, char out[static HANDLE_CHARS])
{
	struct handle h;

	memcpy(h.tag, tag, USER_TAG_CHARS);
	memcpy(h.name, name, NAME_CHARS);
	handle_print(&h, out);
}

/* Whoever can publish could send anything; what is passed on is a handle. */
static bool is_handle(const char *tag, const char *name)
{
	char text[HANDLE_CHARS];
	struct handle h;

	make_handle(tag, name, text);
	return handle_parse(span_of(text, sizeof(text)), &h);
}

void event_log_hear(event_log *l, const struct announcement *n, uint64_t source)
{
	struct entry e = {.at_ms = n->at_ms,
			  .source = source,
			  .realm_tag = n->realm_tag,
			  .kind = (uint8_t)n->kind,
			  .reason = n->reason};
	const size_t step = n->kind == EVENT_ROTATED ? 2UL * NAME_CHARS : NAME_CHARS;

	assert(n->tag.len == USER_TAG_CHARS && n->names.len % step == 0);
	memcpy(e.tag, n->tag.ptr, sizeof(e.tag));
	if (n->kind == EVENT_REALM_REVOKED) {
		put(l, &e);
		return;
	}
	for (size_t at = 0; at < n->names.len; at += step) {
		memcpy(e.name, n->names.ptr + at, NAME_CHARS);
		if (n->kind == EVENT_ROTATED)
			memcpy(e.successor, n->names.ptr + at + NAME_CHARS, NAME_CHARS);
		if (is_handle(e.tag, e.name) && (n->kind != EVENT_ROTATED || is_handle(e.tag, e.successor)))
			put(l, &e);
	}
}

/* ---- Reading ---- */

uint64_t event_log_newest(event_log *l)
{
	uint64_t newest;

	(void)pthread_mutex_lock(&l->lock);
	newest = l->newest;
	(void)pthread_mutex_unlock(&l->lock);
	return newest;
}

bool event_log_has_news(const event_log *l, uint32_t realm_tag, uint64_t after)
{
	return atomic_load_explicit(&l->latest[realm_tag % REALMS], memory_order_relaxed) > after ||
	       atomic_load_explicit(&l->latest_gap, memory_order_relaxed) > after;
}

static void fill_event(const struct entry *from, struct event *to)
{
	*to = (struct event){.kind = (enum session_event_kind)from->kind,
			     .reason = from->reason,
			     .at_ms = from->at_ms,
			     .has_handle = from->kind != EVENT_REALM_REVOKED,
			     .has_successor = from->kind == EVENT_ROTATED};
	if (to->has_handle)
		make_handle(from->tag, from->name, to->handle);
	if (to->has_successor)
		make_handle(from->tag, from->successor, to->successor);
}

/* Where reading begins, and whether something is missing before it. */
static void start_locked(const event_log *l, uint32_t realm_tag, uint64_t after, struct event_page *page)
{
	const uint64_t dropped = l->newest < EVENT_LOG_MAX ? 0 : l->newest - EVENT_LOG_MAX;

	page->is_gap = after > l->newest || l->overwritten[realm_tag % REALMS] > after || l->overwritten_gap > after;
	page->cursor = after > l->newest ? l->newest : after;
	if (page->cursor < dropped)
		page->cursor = dropped;
}

static void read_locked(const event_log *l, uint32_t realm_tag, size_t max, struct event *events,
			struct event_page *page)
{
	for (; page->cursor < l->newest; page->cursor++) {
		const struct entry *e = entry_at(l, page->cursor + 1);

		if (e->kind == KIND_GAP) {
			if (page->count > 0)
				return;
			page->is_gap = true;
		} else if (e->realm_tag == realm_tag) {
			if (page->count == max)
				return;
			if (events != NULL)
				fill_event(e, &events[page->count]);
			page->count++;
		}
	}
}

void event_log_read(event_log *l, uint32_t realm_tag, uint64_t after, size_t max, struct event *events,
		    struct event_page *ret)
{
	struct event_page page = {0};

	assert(max > 0);
	(void)pthread_mutex_lock(&l->lock);
	start_locked(l, realm_tag, after, &page);
	read_locked(l, realm_tag, max, events, &page);
	(void)pthread_mutex_unlock(&l->lock);
	*ret = page;
}

/* ---- Cursors ---- */

#define SEPARATOR '.'

void event_cursor_print(const char instance[static EVENT_INSTANCE_CHARS], uint64_t number,
			char out[static EVENT_CURSOR_CHARS])
{
	uint8_t bytes[8];
	struct writer w = writer_over(bytes, sizeof(bytes));

	put_number(&w, number, sizeof(bytes));
	memcpy(out, instance, EVENT_INSTANCE_CHARS);
	out[EVENT_INSTANCE_CHARS] = SEPARATOR;
	hex_encode(span_of(bytes, sizeof(bytes)), out + EVENT_INSTANCE_CHARS + 1);
}

bool event_cursor_parse(span text, char ret_instance[static EVENT_INSTANCE_CHARS], uint64_t *ret_number)
{
	uint8_t instance[EVENT_INSTANCE_CHARS / 2];
	uint8_t bytes[8];
	struct reader r = reader_over(span_of(bytes, sizeof(bytes)));

	if (text.len != EVENT_CURSOR_CHARS || text.ptr[EVENT_INSTANCE_CHARS] != SEPARATOR ||
	    !hex_decode(span_of(text.ptr, EVENT_INSTANCE_CHARS), instance, sizeof(instance)) ||
	    !hex_decode(span_of(text.ptr + EVENT_INSTANCE_CHARS + 1, 2 * sizeof(bytes)), bytes, sizeof(bytes)))
		return false;
	memcpy(ret_instance, text.ptr, EVENT_INSTANCE_CHARS);
	*ret_number = take_number(&r, sizeof(bytes));
	return true;
}
