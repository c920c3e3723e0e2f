#ifndef LK_REDIS_REASON_H
#define LK_REDIS_REASON_H

#include <stdbool.h>

#include "wire/error.h"

/* Why a connection to Redis or to a Sentinel has failed, in words that name what to look at. */

enum reason_stage {
	REASON_CONNECTING,
	REASON_GREETING, /* connected, and nothing was understood yet */
	REASON_SERVING,
};

struct reason {
	const char *error;
	const char *remedy; /* NULL: none is known */
};

struct reason reason_of_end(enum wire_error error, bool is_tls, enum reason_stage stage);

/* What to do about a greeting that Redis has refused, by its words; NULL: not known. */
const char *reason_remedy(const char *refusal);

#endif
