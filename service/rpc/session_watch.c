/* Sessions/Watch: a long poll over the log of events. A read that finds nothing leaves the call parked, and moves on what
 * it has read up to; so no event is looked at twice for one watcher. */

#include <string.h>

#include "latchkey/v1/sessions.pb-c.h"

#include "rpc/messages.h"
#include "rpc/methods.h"

#define EVENTS_MAX_MAX	   500
#define EVENTS_MAX_DEFAULT 100

_Static_assert(CORE_INSTANCE_CHARS == EVENT_INSTANCE_CHARS, "cursors name the instance");

static const Latchkey__V1__WatchSessionsRequest *request_of(const struct call *call)
{
	return REQUEST(WatchSessionsRequest, call);
}

static event_log *log_of(const struct call *call)
{
	return call->group->core->options.events;
}

/* No number of this instance: reading after it is a gap, and goes on from now. */
#define FOREIGN UINT64_MAX

static enum status_code read_cursor(struct call *call, span cursor, struct status *st)
{
	char instance[EVENT_INSTANCE_CHARS];

	if (!event_cursor_parse(cursor, instance, &call->wait.after))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "the cursor of %zu bytes is none: send one that Watch has answered, or none to watch "
				  "from now on",
				  cursor.len);
	if (memcmp(instance, call->group->core->instance, EVENT_INSTANCE_CHARS) != 0)
		call->wait.after = FOREIGN;
	return STATUS_OK;
}

static uint32_t events_max(const Latchkey__V1__WatchSessionsRequest *m)
{
	return m->has_events_max ? m->events_max : EVENTS_MAX_DEFAULT;
}

enum status_code sessions_watch_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__WatchSessionsRequest *m = request_of(call);

	if (USE_REALM(call, m, st) != STATUS_OK)
		return st->code;
	if (events_max(m) < 1 || events_max(m) > EVENTS_MAX_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "events_max %u: ask for 1 to %d", events_max(m),
				  EVENTS_MAX_MAX);
	if (m->has_cursor)
		return read_cursor(call, MESSAGE_SPAN(m, cursor), st);
	call->wait.after = event_log_newest(log_of(call));
	return STATUS_OK;
}

/* Borrows the texts. */
static void fill_event(const struct event *from, Latchkey__V1__SessionEvent *to)
{
	latchkey__v1__session_event__init(to);
	MESSAGE_SET(to, kind, (Latchkey__V1__EventKind)from->kind);
	MESSAGE_SET(to, at_ms, from->at_ms);
	if (from->reason != REASON_NONE)
		MESSAGE_SET(to, reason, (Latchkey__V1__Reason)from->reason);
	if (from->has_handle) {
		MESSAGE_SET(to, handle, message_bytes(span_of(from->handle, HANDLE_CHARS)));
		MESSAGE_SET(to, user_tag, message_bytes(span_of(from->handle, USER_TAG_CHARS)));
	}
	if (from->has_successor)
		MESSAGE_SET(to, successor, message_bytes(span_of(from->successor, HANDLE_CHARS)));
}

static bool fill_events(arena *a, const struct event *events, size_t count, Latchkey__V1__WatchSessionsResponse *m)
{
	Latchkey__V1__SessionEvent *each = arena_array(a, count, sizeof(*each));
	Latchkey__V1__SessionEvent **all = arena_array(a, count, sizeof(Latchkey__V1__SessionEvent *));

	if (each == NULL || all == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		fill_event(&events[i], &each[i]);
		all[i] = &each[i];
	}
	m->n_events = count;
	m->events = all;
	return true;
}

/* found: by counting. What has come since waits for the next call. */
static enum status_code respond(struct call *call, const struct event_page *found, struct status *st)
{
	arena *a = call->env.arena;
	Latchkey__V1__WatchSessionsResponse *m = arena_alloc(a, sizeof(*m));
	struct event *events = arena_array(a, found->count, sizeof(*events));
	char *cursor = arena_alloc(a, EVENT_CURSOR_CHARS);
	struct event_page page = *found;

	if (m == NULL || events == NULL || cursor == NULL)
		return call_no_memory(st);
	latchkey__v1__watch_sessions_response__init(m);
	if (found->count > 0)
		event_log_read(log_of(call), call->env.realm->tag, call->wait.after, found->count, events, &page);
	if (!fill_events(a, events, page.count, m))
		return call_no_memory(st);
	if (page.is_gap)
		MESSAGE_SET(m, gap, true);
	event_cursor_print(call->group->core->instance, page.cursor, cursor);
	MESSAGE_SET(m, cursor, message_bytes(span_of(cursor, EVENT_CURSOR_CHARS)));
	call->response = &m->base;
	return STATUS_OK;
}

enum status_code sessions_watch_poll(struct call *call, bool is_last, struct status *st)
{
	struct event_page found;

	event_log_read(log_of(call), call->env.realm->tag, call->wait.after, events_max(request_of(call)), NULL,
		       &found);
	if (found.count > 0 || found.is_gap || is_last)
		return respond(call, &found, st);
	call->wait.after = found.cursor;
	return STATUS_OK;
}
