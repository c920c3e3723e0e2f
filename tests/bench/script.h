#ifndef LK_BENCH_SCRIPT_H
#define LK_BENCH_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "support/monitor.h"

/* A script's call as the service sent it to Redis, to be sent again for other sessions: in place of the user's tag, the
 * session's name and the idempotency key it has numbers of the same length. */

#define SCRIPT_PLACES_MAX 32

struct script_place {
	size_t at;
	size_t len;
	unsigned base; /* of the number: a tag is hexadecimal */
};

struct script {
	uint8_t *bytes; /* RESP */
	size_t len;
	struct script_place places[SCRIPT_PLACES_MAX];
	size_t count;
	uint64_t first; /* added to the serial */
};

/* From the one EVALSHA among what the monitor took that is about the handle's session. */
void script_learn(struct script *s, const struct monitor *m, const char *handle);
/* The command about session `first + serial`. For pump.ask: arg is the script. */
size_t script_put(void *arg, uint64_t serial, uint8_t *out);
void script_drop(struct script *s);

#endif
