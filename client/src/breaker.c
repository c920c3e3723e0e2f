#include "breaker.h"

bool breaker_admits(struct breaker *breaker, uint64_t now_ms)
{
	if (breaker->failures < BREAKER_FAILURES_MAX)
		return true;
	if (now_ms < breaker->next_at_ms)
		return false;
	breaker->next_at_ms = now_ms + BREAKER_PAUSE_MS;
	return true;
}

void breaker_note(struct breaker *breaker, bool answered, uint64_t now_ms)
{
	if (answered) {
		breaker->failures = 0;
		return;
	}
	if (breaker->failures < BREAKER_FAILURES_MAX)
		breaker->failures++;
	/* Not moved by failures of those who asked before it opened. */
	if (breaker->failures == BREAKER_FAILURES_MAX && breaker->next_at_ms <= now_ms)
		breaker->next_at_ms = now_ms + BREAKER_PAUSE_MS;
}
