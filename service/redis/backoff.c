#include "redis/backoff.h"

#include <stdlib.h>

/* 50 ms doubled six times is over the longest pause. */
#define DOUBLINGS_MAX 6U

uint32_t backoff_ms(uint32_t failures)
{
	uint32_t doublings = failures == 0 ? 0 : failures - 1;
	uint32_t pause = BACKOFF_MS_MAX;

	_Static_assert(BACKOFF_MS_MIN << DOUBLINGS_MAX > BACKOFF_MS_MAX, "the last pause is reached");
	if (doublings < DOUBLINGS_MAX)
		pause = BACKOFF_MS_MIN << doublings;
	return pause / 2 + arc4random_uniform(pause / 2 + 1);
}

bool backoff_is_worth_a_word(uint32_t failures)
{
	return (failures & (failures - 1)) == 0;
}
