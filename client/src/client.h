#ifndef LK_CLIENT_CLIENT_H
#define LK_CLIENT_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "breaker.h"
#include "endpoint.h"
#include "flight.h"
#include "hold.h"
#include "options.h"
#include "retry.h"
#include "slots.h"
#include "wire/ticker.h"

/* Deadlines, retries, cancellations and redials are looked after on each tick. */
#define TICK_MS 10

struct lk_client {
	atomic_uint refs; /* the handle, each call object, each channel */
	struct options options;
	wire_tls *tls;
	wire_ticker *ticker;

	/* Each with a lock of its own, under which no other is taken. */
	struct flights flights;
	struct holds holds;
	pthread_mutex_t breaker_lock;
	struct breaker breaker; /* of lookups that a loader stands in for */

	pthread_mutex_t lock;	/* of all that follows, of calls and of endpoints. No other is taken under it */
	pthread_cond_t settled; /* `busy` or `channels` fell to zero */
	bool closing;
	uint64_t random;
	struct retry_budget budget;
	struct slots slots;
	lk_call *queue_first;
	lk_call *queue_last;
	uint64_t due_ms; /* no slot is due before */
	size_t busy;	 /* calls in flight or in a callback */
	size_t channels;
	struct endpoint *watched; /* long polls go there, as long as it serves. NULL: none has gone yet */
	size_t endpoint_count;
	struct endpoint endpoints[ENDPOINTS_MAX]; /* two for each of options.endpoints: see endpoint.c */
};

lk_client *client_retain(lk_client *client);
void client_release(lk_client **client);

#endif
