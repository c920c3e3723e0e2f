/* Events as a result: one block, as in result.c. They name sessions by handles and users by tags: nothing in them is
 * secret. */

#include "latchkey/watch.h"

#include <stdlib.h>

#include "blob.h"
#include "result.h"

struct lk_event {
	enum lk_event_kind kind;
	const char *handle;
	const char *successor;
	const char *user_tag;
	enum lk_reason reason;
	uint64_t at_ms;
};

struct lk_events {
	size_t count;
	struct lk_event *events;
	struct lk_bytes cursor;
	bool gap;
};

static const char *const kinds[] = {
/* The names for people and programs go without the prefix: "REVOKED". */
#define X(name, number) [number] = &#name[sizeof("LK_EVENT_") - 1],
    LK_EVENT_MAP(X)
#undef X
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *lk_event_kind_name(enum lk_event_kind kind)
{
	return (size_t)kind < KINDS ? kinds[kind] : kinds[LK_EVENT_UNKNOWN];
}

static void fill_event(struct blob *blob, const Latchkey__V1__SessionEvent *from, struct lk_event *to)
{
	to->kind = (size_t)from->kind < KINDS ? (enum lk_event_kind)from->kind : LK_EVENT_UNKNOWN;
	to->handle = blob_text(blob, from->handle);
	to->successor = blob_text(blob, from->successor);
	to->user_tag = blob_text(blob, from->user_tag);
	to->reason = (enum lk_reason)from->reason;
	to->at_ms = from->at_ms;
}

static void fill(struct blob *blob, const void *response, void *events)
{
	const Latchkey__V1__WatchSessionsResponse *from = response;
	struct lk_events *to = events;

	to->count = from->n_events;
	to->events = blob_room(blob, from->n_events * sizeof(*to->events));
	for (size_t i = 0; i < from->n_events; i++) {
		struct lk_event dummy;

		fill_event(blob, from->events[i], to->events != NULL ? &to->events[i] : &dummy);
	}
	to->cursor = blob_copy(blob, from->cursor);
	to->gap = from->gap;
}

lk_events *events_new(const Latchkey__V1__WatchSessionsResponse *response)
{
	return blob_build(sizeof(struct lk_events), fill, response, NULL);
}

void lk_events_free(lk_events **events)
{
	free(*events);
	*events = NULL;
}

size_t lk_events_count(const lk_events *events)
{
	return events->count;
}

const lk_event *lk_events_at(const lk_events *events, size_t index)
{
	return index < events->count ? &events->events[index] : NULL;
}

struct lk_bytes lk_events_cursor(const lk_events *events)
{
	return events->cursor;
}

bool lk_events_gap(const lk_events *events)
{
	return events->gap;
}

enum lk_event_kind lk_event_kind_of(const lk_event *event)
{
	return event->kind;
}

const char *lk_event_handle(const lk_event *event)
{
	return event->handle;
}

const char *lk_event_successor(const lk_event *event)
{
	return event->successor;
}

const char *lk_event_user_tag(const lk_event *event)
{
	return event->user_tag;
}

enum lk_reason lk_event_reason(const lk_event *event)
{
	return event->reason;
}

uint64_t lk_event_at_ms(const lk_event *event)
{
	return event->at_ms;
}
