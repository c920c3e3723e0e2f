#ifndef LK_BENCH_FRAMES_H
#define LK_BENCH_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "bench/crowd.h"

/* Request frames made beforehand, as redis-benchmark makes its commands: for callers that are not our library. */

struct frame {
	uint8_t *bytes;
	size_t len;
};

struct frames {
	struct frame *of;
	unsigned count;
	unsigned calls; /* in each */
};

/* `count` frames of so many Gets of the crowd's sessions. */
void frames_make(struct frames *f, const struct crowd *crowd, unsigned count, unsigned calls);
void frames_drop(struct frames *f);

/* Is this body a ReplyFrame with so many VALID sessions? */
bool frames_are_valid(const uint8_t *body, size_t len, unsigned calls);

/* Of tcp://127.0.0.1:PORT. */
uint16_t frames_port(const char *url);

#endif
