#include "redis/breaker.h"

#include <assert.h>

/* 100 ms doubled five times is over the longest pause. */
#define DOUBLINGS_MAX 5U

/* Every change of state, and all that goes with it. */
static void move(struct breaker *b, enum breaker_state to, uint64_t now_ms)
{
	static const uint8_t from[BREAKER_STATES] = {
	    [BREAKER_CLOSED] = 1U << BREAKER_OPEN | 1U << BREAKER_HALF_OPEN,
	    [BREAKER_OPEN] = 1U << BREAKER_CLOSED | 1U << BREAKER_HALF_OPEN,
	    [BREAKER_HALF_OPEN] = 1U << BREAKER_OPEN,
	};

	assert((from[to] & 1U << b->state) != 0);
	b->state = to;
	b->changed_ms = now_ms;
	if (to == BREAKER_CLOSED)
		b->openings = 0;
	if (to == BREAKER_OPEN) {
		b->openings++;
		b->opened_total++;
	}
}

/* Another thread may have been there with a later time. */
static uint64_t since(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

static uint32_t pause_ms(const struct breaker *b)
{
	uint32_t doublings = b->openings - 1;

	_Static_assert(BREAKER_PAUSE_MS_MIN << DOUBLINGS_MAX > BREAKER_PAUSE_MS_MAX, "the last pause is reached");
	return doublings < DOUBLINGS_MAX ? BREAKER_PAUSE_MS_MIN << doublings : BREAKER_PAUSE_MS_MAX;
}

void breaker_init(struct breaker *b, uint32_t silent_ms)
{
	assert(silent_ms > 0);
	*b = (struct breaker){.silent_ms = silent_ms};
}

bool breaker_answered(struct breaker *b)
{
	b->has_answered = true;
	if (b->state == BREAKER_CLOSED)
		return false;
	move(b, BREAKER_CLOSED, b->changed_ms);
	return true;
}

/* A node with a long queue keeps each command waiting and yet answers all the time: silence lasts since the last answer
 * or since something was first due, whichever came later. What was in flight before the probe says nothing about it. */
static uint64_t silence_ms(const struct breaker *b, uint32_t oldest_ms, uint64_t now_ms)
{
	uint64_t unheard_ms = since(b->heard_ms, now_ms);

	if (b->state == BREAKER_HALF_OPEN)
		return since(b->changed_ms, now_ms);
	return oldest_ms < unheard_ms ? oldest_ms : unheard_ms;
}

bool breaker_waited(struct breaker *b, uint32_t oldest_ms, uint64_t now_ms)
{
	if (b->has_answered) {
		b->has_answered = false;
		b->heard_ms = now_ms;
	}
	if (b->state == BREAKER_OPEN || silence_ms(b, oldest_ms, now_ms) < b->silent_ms)
		return false;
	move(b, BREAKER_OPEN, now_ms);
	return true;
}

bool breaker_wants_probe(struct breaker *b, uint64_t now_ms)
{
	if (b->state != BREAKER_OPEN || since(b->changed_ms, now_ms) < pause_ms(b))
		return false;
	move(b, BREAKER_HALF_OPEN, now_ms);
	return true;
}

uint32_t breaker_retry_after_ms(const struct breaker *b, uint64_t now_ms)
{
	uint64_t passed_ms = since(b->changed_ms, now_ms);
	uint32_t whole_ms;

	if (b->state == BREAKER_CLOSED)
		return 0;
	whole_ms = b->state == BREAKER_OPEN ? pause_ms(b) : b->silent_ms;
	return passed_ms < whole_ms ? whole_ms - (uint32_t)passed_ms : 1;
}

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[BREAKER_STATES] = {
	    [BREAKER_CLOSED] = "closed",
	    [BREAKER_OPEN] = "open",
	    [BREAKER_HALF_OPEN] = "half-open",
	};

	assert(state >= 0 && state < BREAKER_STATES);
	return names[state];
}
