#ifndef LK_INTEROP_REPLIER_H
#define LK_INTEROP_REPLIER_H

#include <pthread.h>
#include <stdatomic.h>

#include "interop/transports.h"
#include "wire/channel.h"

/* Our end as a server: a listener whose channels answer payload requests. */

/* Of a request; answers may be longer. */
#define REPLIER_REQUEST_BYTES_MAX (2U << 20)
#define REPLIER_HELD_MAX	  64

struct replier_held {
	wire_channel *channel;
	struct wire_route route;
	uint8_t *answer;
	size_t len;
};

struct replier {
	wire_channel_listener *listener;
	atomic_uint accepted;
	atomic_uint live; /* channels */
	atomic_uint requests;
	atomic_uint too_large; /* requests */
	atomic_uint route_bytes_max;
	atomic_int last_reason;

	pthread_mutex_t lock; /* guards what is held back */
	unsigned hold;
	struct replier_held held[REPLIER_HELD_MAX];
	unsigned held_count;
};

void replier_open(struct replier *r, const char *url, wire_tls *tls);
const char *replier_url(const struct replier *r);

/* From now on the answers to the next `count` requests are held back; replier_answer_held gives them, the last first,
 * and ends it. */
void replier_hold(struct replier *r, unsigned count);
unsigned replier_held_count(struct replier *r);
void replier_answer_held(struct replier *r);

/* When every caller has gone: fails the test unless that is noticed, and unless every link is freed. */
void replier_close(struct replier *r);

/* Limits in which every honest peer of a busy machine finds room. */
extern const struct wire_limits roomy_limits;

#endif
