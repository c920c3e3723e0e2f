#ifndef LK_CLIENT_RETRY_H
#define LK_CLIENT_RETRY_H

/* How often and how soon: the arithmetic of retries and of redialing. Time and randomness are parameters. */

#include <stdbool.h>
#include <stdint.h>

/* The first retry waits up to this, each further one up to twice as long. A server that answers UNAVAILABLE lost its
 * store, which takes some 10 ms to reconnect to at best. */
#define RETRY_DELAY_MS_BASE 20
#define RETRY_DELAY_MS_MAX  2000

/* The budget never holds more than this many retries: a long calm must not pay for a long storm. */
#define RETRY_BUDGET_MAX 100
/* What time alone refills it to, at one a second, so that a client with few calls may retry too. */
#define RETRY_BUDGET_FLOOR 10

/* A server that restarts is back within about a second: the first redials come soon, later ones leave it alone. */
#define REDIAL_DELAY_MS_BASE 50
#define REDIAL_DELAY_MS_MAX  5000

/* In hundredths of a retry, so that percents are whole numbers. */
struct retry_budget {
	uint32_t percent;
	uint32_t credit;
	uint64_t refilled_at_ms;
};

void retry_budget_init(struct retry_budget *budget, uint32_t percent, uint64_t now_ms);
/* A call was started: it earns `percent` of a retry. */
void retry_budget_earn(struct retry_budget *budget);
/* Takes one retry; false when there is none. */
bool retry_budget_spend(struct retry_budget *budget, uint64_t now_ms);

/* Full jitter: anything from 0 to the doubling bound, after what the server asked for. failed >= 1: how many attempts
 * have failed. */
uint64_t retry_delay_ms(uint32_t failed, uint32_t retry_after_ms, uint64_t random);

/* Half fixed, half jitter: a connection refused is never tried again at once. failures >= 1: dials failed in a row. */
uint64_t redial_delay_ms(uint32_t failures, uint64_t random);

/* splitmix64: spreads delays; not for secrets. */
uint64_t random_next(uint64_t *state);

#endif
