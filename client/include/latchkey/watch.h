#ifndef LATCHKEY_WATCH_H
#define LATCHKEY_WATCH_H

/* What happens to the sessions of a realm, as events: for caches to forget what has ended, and for logs. A part of
 * liblatchkey; the rules of latchkey/latchkey.h hold.
 *
 *	struct lk_session_watch_request watch = LK_SESSION_WATCH_REQUEST_INIT;
 *	lk_events *events = NULL;
 *
 *	for (;;) {
 *		lk_events *next = NULL;
 *
 *		if (lk_session_watch(client, &watch, &next, &error) != LK_OK)
 *			...                        // wait a moment, and ask again with the same cursor
 *		lk_events_free(&events);
 *		events = next;
 *		watch.cursor = lk_events_cursor(events);
 *		if (lk_events_gap(events))
 *			...                        // forget all that is kept
 *		for (size_t i = 0; i < lk_events_count(events); i++)
 *			...                        // lk_events_at(events, i)
 *	}
 *
 * Events come at least once, in the order in which one server heard of them. A cursor belongs to the server that gave it,
 * so a client asks one and the same for as long as that can be reached. When it must go to another, or has not asked for
 * too long, the answer says that there is a gap; and so it does whenever that server loses or regains a connection to
 * Redis, several times for one restart of Redis perhaps: it cannot know whether it missed something. */

#include <latchkey/latchkey.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of lk_session_watch, where the request names no timeout: the longest that a server waits. */
#define LK_WATCH_TIMEOUT_MS 30000

/* name, number (as on the wire). */
#define LK_EVENT_MAP(X)                                                                                                \
	X(LK_EVENT_UNKNOWN, 0) /* of a later version */                                                                \
	X(LK_EVENT_CREATED, 1) /* this one, _ROTATED and _UPDATED: only if the realm's `events` is on */               \
	X(LK_EVENT_ROTATED, 2)                                                                                         \
	X(LK_EVENT_UPDATED, 3)                                                                                         \
	X(LK_EVENT_REVOKED, 4)                                                                                         \
	X(LK_EVENT_EVICTED, 5)                                                                                         \
	X(LK_EVENT_REUSE_DETECTED, 6)                                                                                  \
	X(LK_EVENT_REALM_REVOKED, 7) /* without a handle: all sessions created before lk_event_at_ms */

enum lk_event_kind {
#define X(name, number) name = number,
	LK_EVENT_MAP(X)
#undef X
};

/* "REVOKED". Never NULL. */
LK_API const char *lk_event_kind_name(enum lk_event_kind kind);

struct lk_session_watch_request {
	size_t struct_size;
	const char *realm;
	/* How long to wait for an event. Default: LK_WATCH_TIMEOUT_MS, not the client's. A server answers a little before
	 * that, and after 30 s in any case: with no event, where none came. */
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes cursor; /* lk_events_cursor of the answer before. Empty: from now on */
	uint32_t events_max;	/* 1 to 500. Default 100 */
};
#define LK_SESSION_WATCH_REQUEST_INIT LK_INIT_(struct lk_session_watch_request)

/* Some events, of the realm of the request. */
typedef struct lk_events lk_events;
typedef struct lk_event lk_event;

/* Waits for events after the cursor. LK_OK with no event: the time was over. It is not tried again when a server says
 * LK_E_UNAVAILABLE, since the caller asks again anyway. */
LK_API LK_MUST_CHECK enum lk_err lk_session_watch(lk_client *client, const struct lk_session_watch_request *request,
						  lk_events **ret_events, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_session_watch_async(lk_call *call, const struct lk_session_watch_request *request);
/* As lk_call_take_session. */
LK_API lk_events *lk_call_take_events(lk_call *call);

LK_API size_t lk_events_count(const lk_events *events);
/* Borrowed; NULL beyond the last. */
LK_API const lk_event *lk_events_at(const lk_events *events, size_t index);
/* At most 64 bytes. */
LK_API struct lk_bytes lk_events_cursor(const lk_events *events);
/* Events were missed before these: read again what is kept. */
LK_API bool lk_events_gap(const lk_events *events);
LK_API void lk_events_free(lk_events **events);

/* Texts are never NULL; empty where there is none. */
LK_API enum lk_event_kind lk_event_kind_of(const lk_event *event);
LK_API const char *lk_event_handle(const lk_event *event);
LK_API const char *lk_event_successor(const lk_event *event); /* LK_EVENT_ROTATED: the new handle */
LK_API const char *lk_event_user_tag(const lk_event *event);  /* tells users apart, names none */
LK_API enum lk_reason lk_event_reason(const lk_event *event);
LK_API uint64_t lk_event_at_ms(const lk_event *event);

#ifdef __cplusplus
}
#endif

#endif
