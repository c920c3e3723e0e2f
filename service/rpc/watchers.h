#ifndef LK_RPC_WATCHERS_H
#define LK_RPC_WATCHERS_H

/* The calls that are parked: each with what it waits for. */

#include "base/status.h"
#include "session/event_log.h"

struct exchange;

typedef struct watchers watchers;

/* Each instance that calls the service needs one, for a realm; beyond it callers are refused. A tick looks at all of
 * them, 32 KiB. */
#define WATCHERS_MAX 1024

/* log: lives as long. NULL when memory is out. */
watchers *watchers_new(const event_log *log) MUST_CHECK;
/* Nulls *w; accepts NULL in it. It must be empty. */
void watchers_free(watchers **w);

struct watcher {
	struct exchange *exchange;
	uint64_t due_ms; /* monotonic */
	uint64_t after;	 /* number of the event up to which all is known */
	uint32_t realm_tag;
};

/* Takes a reference of the exchange. False: there are WATCHERS_MAX. */
bool watchers_add(watchers *w, const struct watcher *watcher, size_t *ret_slot) MUST_CHECK;
void watchers_set_after(watchers *w, size_t slot, uint64_t after);
/* The reference is the caller's from now on. */
void watchers_remove(watchers *w, size_t slot);

size_t watchers_count(const watchers *w);

/* Calls visit for the exchange of each for whom there may be news, or who is due at or before now_ms (UINT64_MAX: all);
 * a reference held and no lock. */
void watchers_visit(watchers *w, uint64_t now_ms, void (*visit)(struct exchange *x, void *arg), void *arg);

#endif
