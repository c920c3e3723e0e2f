#ifndef LK_SOAK_SUBJECT_H
#define LK_SOAK_SUBJECT_H

#include "random.h"
#include "shelf.h"

/* What else can be changed by strangers, besides records: each changes one good specimen and says what became of it. */

enum attempt { ATTEMPT_UNCHANGED, ATTEMPT_REFUSED, ATTEMPT_WRONG };

#define SPECIMEN_BYTES_MAX 4096

struct specimen {
	size_t len;
	uint8_t bytes[SPECIMEN_BYTES_MAX];
};

/* Session tokens, as somebody may present them. */
enum attempt token_attempt(const struct shelf *s, struct random *r, arena *a, struct specimen *ret);

/* Forwards, as they may come to stand in Redis. */
enum attempt forward_attempt(const struct shelf *s, struct random *r, arena *a, struct specimen *ret);

/* Anonymous tokens, the same. */
enum attempt anonymous_attempt(const struct shelf *s, struct random *r, arena *a, struct specimen *ret);

#endif
