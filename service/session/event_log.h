#ifndef LK_SESSION_EVENT_LOG_H
#define LK_SESSION_EVENT_LOG_H

/* What has happened to sessions lately, as far as this instance has heard of it, for those who watch. In memory: it
 * begins anew with each run. Thread-safe; its lock is held for some tens of microseconds at most, and nothing is called
 * under it.
 *
 * Each entry has a number, from 1 on; who watches keeps the number up to which he has seen everything. Where something
 * may have been missed there is a mark, a gap: reading across it says so. */

#include "session/announce.h"

typedef struct event_log event_log;

/* Whoever watches is back within milliseconds, and a logout everywhere at the highest cap makes 10,000 entries at once:
 * this holds it, and some seconds of what a busy service does besides. 72 bytes each, 1.1 MiB in all, which are the
 * kernel's until they are written to. */
#define EVENT_LOG_MAX 16384

#define EVENT_INSTANCE_CHARS 16
/* The instance, ".", and 16 hex digits. */
#define EVENT_CURSOR_CHARS (EVENT_INSTANCE_CHARS + 1 + 16)

struct event {
	enum session_event_kind kind;
	uint8_t reason; /* enum session_reason */
	bool has_handle;
	bool has_successor;
	uint64_t at_ms;
	char handle[HANDLE_CHARS];
	char successor[HANDLE_CHARS];
};

/* NULL when memory is out. */
event_log *event_log_new(void) MUST_CHECK;
/* Nulls *l; accepts NULL in it. */
void event_log_free(event_log **l);

/* An announcement: an entry for each name. `source` is the connection that it came by, of several that may bring the
 * same: what another has brought already is dropped. So is what names no session. */
void event_log_hear(event_log *l, const struct announcement *n, uint64_t source);
/* Something may have been missed just now. */
void event_log_gap(event_log *l);

/* The newest entry's number; 0: none. */
uint64_t event_log_newest(event_log *l);
/* Whether reading after this number may bring something for the realm. Takes no lock; seldom says yes in vain. */
bool event_log_has_news(const event_log *l, uint32_t realm_tag, uint64_t after);

struct event_page {
	bool is_gap; /* something may have been missed before these events, and after `after` */
	size_t count;
	uint64_t cursor; /* read up to here; the next read is after it */
};

/* The realm's events after that number, at most max; up to the next gap, if there are any before it. What was dropped
 * from memory is a gap, and so is a number from the future. events NULL: they are only counted. */
void event_log_read(event_log *l, uint32_t realm_tag, uint64_t after, size_t max, struct event *events,
		    struct event_page *ret);

/* ---- A cursor as text: of which instance the number is. ---- */

void event_cursor_print(const char instance[static EVENT_INSTANCE_CHARS], uint64_t number,
			char out[static EVENT_CURSOR_CHARS]);
/* False: it is none. */
bool event_cursor_parse(span text, char ret_instance[static EVENT_INSTANCE_CHARS], uint64_t *ret_number) MUST_CHECK;

#endif
