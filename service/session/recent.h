#ifndef LK_SESSION_RECENT_H
#define LK_SESSION_RECENT_H

/* What was revoked in the last moments, by this instance or by another that announced it. A primary that takes over may
 * lack it until it has been brought back; asked here, the session stays dead meanwhile. And what was rotated
 * (REASON_ROTATED): it is no end, and gives way to one; but a record that is found there is one from before.
 * Thread-safe; its lock is held for a few hundred nanoseconds and nothing is called under it. Looking up what is not
 * there takes no lock. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

typedef struct recent recent;

/* At 64 bytes each 4 MiB, taken as they are needed; and as many that are pending. Beyond it the oldest is forgotten,
 * which is counted. */
#define RECENT_MAX 65536
/* Rotations, of which there may be one for each login, leave as much to the ends. */
#define RECENT_ROTATED_MAX (RECENT_MAX / 2)
/* How much longer than the store's replay window: a failover that began in it takes that long. */
#define RECENT_SLACK_MS 5000

/* A handle's text, and what a tombstone holds. */
#define RECENT_HANDLE_BYTES 28
struct recent_end {
	uint8_t reason; /* enum session_reason */
	uint64_t at_ms;
};

/* window_ms: the store's replay window; 0: nothing is ever remembered. NULL when memory is out. */
recent *recent_new(uint64_t window_ms) MUST_CHECK;
/* Nulls *r; accepts NULL in it. */
void recent_free(recent **r);

/* For window and slack, or lives_ms if that is more. r may be NULL. False: it will not be remembered. */
bool recent_put(recent *r, const char handle[static RECENT_HANDLE_BYTES], const struct recent_end *end,
		uint64_t lives_ms, uint64_t mono_ms);
/* r may be NULL. */
bool recent_find(recent *r, const char handle[static RECENT_HANDLE_BYTES], uint64_t mono_ms, struct recent_end *ret);
/* Remembered, or not cleared away yet. */
size_t recent_count(const recent *r);

#endif
