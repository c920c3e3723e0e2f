#ifndef LK_INTEROP_REQUESTER_H
#define LK_INTEROP_REQUESTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/channel.h"

/* Our end as a caller of payload requests: all of a batch are sent before the first answer is waited for. */

#define REQUESTER_BATCH_MAX 1024

struct requester {
	wire_channel *channel;
	atomic_bool ready;
	atomic_bool closed;
	atomic_int reason;
	atomic_uint right;
	atomic_uint wrong; /* damaged, unasked for, or answered before */
	/* Of the batch under way. */
	uint32_t first;
	unsigned count;
	uint32_t answer_bytes;
	bool answered[REQUESTER_BATCH_MAX];
};

/* Starts dialing. */
void requester_dial(struct requester *r, const char *url, wire_tls *tls);
/* The same, and waits until it is ready. */
void requester_open(struct requester *r, const char *url, wire_tls *tls);

/* Sends `count` requests at once; fails the test unless each gets its answer. */
void requester_ask(struct requester *r, uint32_t first_serial, unsigned count, size_t request_bytes,
		   uint32_t answer_bytes);

/* Waits for its end, which it brings about unless it has ended already. */
void requester_close(struct requester *r);

#endif
