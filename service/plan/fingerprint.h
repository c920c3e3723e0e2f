#ifndef LK_PLAN_FINGERPRINT_H
#define LK_PLAN_FINGERPRINT_H

/* A keyed hash of all that a request asks for: tells a repetition from another request under the same idempotency key.
 * Start, fields in a fixed order, end. */

#include "plan/plan.h"

#define FINGERPRINT_BYTES	16
#define FINGERPRINT_NUMBERS_MAX 8

struct fingerprint {
	span *items;
	size_t count;
	size_t capacity;
	uint8_t numbers[FINGERPRINT_NUMBERS_MAX][8];
	size_t number_count;
};

/* capacity: fields at most, numbers among them. False: the arena is full. */
bool fingerprint_start(arena *a, size_t capacity, struct fingerprint *ret) MUST_CHECK;
void fingerprint_add(struct fingerprint *f, span field);
void fingerprint_number(struct fingerprint *f, uint64_t n);
void fingerprint_end(const keyring *keys, const struct fingerprint *f, uint8_t out[static FINGERPRINT_BYTES]);

#endif
