#ifndef LK_CLIENT_BREAKER_H
#define LK_CLIENT_BREAKER_H

/* A circuit breaker: when not to ask somebody who does not answer. Pure; its owner has the lock and the clock.
 *
 * So many failures in a row open it; after a pause one is let through, which closes it if it is answered. Until then one
 * goes each pause: a probe that is never heard of again is no harm. */

#include <stdbool.h>
#include <stdint.h>

/* A single lost packet must not open it, and a server that is away must not cost many callers their patience. */
#define BREAKER_FAILURES_MAX 5
/* As long as a connection's first pauses: a server that comes back is asked within a second. */
#define BREAKER_PAUSE_MS 1000

struct breaker {
	uint32_t failures;
	uint64_t next_at_ms;
};

/* Whether to ask now; who does tells by breaker_note what came of it. */
bool breaker_admits(struct breaker *breaker, uint64_t now_ms);
void breaker_note(struct breaker *breaker, bool answered, uint64_t now_ms);

#endif
