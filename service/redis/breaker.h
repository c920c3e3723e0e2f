#ifndef LK_REDIS_BREAKER_H
#define LK_REDIS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/* A node's circuit breaker.
 *
 *   CLOSED --silent for breaker_ms with commands in flight--> OPEN --pause over--> HALF_OPEN --an answer--> CLOSED
 *                                                               ^                     |
 *                                                               +------- silent ------+
 *
 * Commands are pipelined, so they do not time out one by one: what tells a stalled node is that nothing at all has
 * come from it while something was due. OPEN: nothing is sent; an answer to what is in flight closes it at once.
 * HALF_OPEN: one probe is sent. Not thread-safe. */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATES };

struct breaker {
	enum breaker_state state;
	bool has_answered;     /* since breaker_waited was called last */
	uint32_t silent_ms;    /* setting */
	uint32_t openings;     /* in a row: the pause doubles with each, up to BREAKER_PAUSE_MS_MAX */
	uint64_t heard_ms;     /* of the last answer, as breaker_waited learned of it */
	uint64_t changed_ms;   /* when it opened, or the probe was sent */
	uint64_t opened_total; /* each opening counts, those after a probe as well */
};

#define BREAKER_PAUSE_MS_MIN 100U
#define BREAKER_PAUSE_MS_MAX 2000U

void breaker_init(struct breaker *b, uint32_t silent_ms);

/* The node has answered something. To be called for each answer, or at least for some of all those that came between
 * two calls of breaker_waited. True: it was not closed before. */
bool breaker_answered(struct breaker *b);

/* How long the oldest command in flight has waited, 0 when there is none. To be called every few ms. True: it has opened
 * just now, for the first time (`openings` is 1) or because the probe was not answered. */
bool breaker_waited(struct breaker *b, uint32_t oldest_ms, uint64_t now_ms);

/* True when a probe is to be sent now: the state becomes HALF_OPEN. A probe that cannot be sent counts as silent. */
bool breaker_wants_probe(struct breaker *b, uint64_t now_ms);

/* Advice for callers while it is not closed, in ms: until the next probe, or until the end of waiting for its answer.
 * 0 only when it is closed. */
uint32_t breaker_retry_after_ms(const struct breaker *b, uint64_t now_ms);

/* "closed", "open", "half-open". */
const char *breaker_state_name(enum breaker_state state);

#endif
