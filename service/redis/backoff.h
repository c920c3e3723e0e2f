#ifndef LK_REDIS_BACKOFF_H
#define LK_REDIS_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* The pause before trying again what has failed: the first is short, for a Redis that was only restarted; the last
 * bounds how long an outage outlives its cause. */
#define BACKOFF_MS_MIN 50U
#define BACKOFF_MS_MAX 2000U

/* After the n-th failure in a row (from 1 on): doubles with each, and is cut by up to half at random, so that a fleet
 * does not come back in step. */
uint32_t backoff_ms(uint32_t failures);

/* Whether the n-th failure in a row is to be mentioned: an outage of hours comes up a dozen times, not once a second. */
bool backoff_is_worth_a_word(uint32_t failures);

#endif
