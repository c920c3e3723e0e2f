#ifndef LK_WIRE_TEST_CALLERS_H
#define LK_WIRE_TEST_CALLERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/channel.h"
#include "wire/listener.h"

/* Owners of channels: a desk answers requests, a caller makes them. Both hold the events to what wire/channel.h
 * promises, and record. */

#define CALLER_MESSAGE_MAX 65536

extern const struct wire_limits caller_limits;

struct desk;
struct caller;

typedef void desk_answer(struct desk *d, wire_channel *ch, const struct wire_route *route, const uint8_t *body,
			 size_t len);

/* A replier for any number of callers. Each accepted channel is released when it closes. */
struct desk {
	wire_channel_listener *listener;
	desk_answer *answer; /* NULL: echoes */
	bool stays;
	atomic_int accepted;
	atomic_int ready;
	atomic_int messages;
	atomic_int closed;
	atomic_int reason; /* of the last one closed */
	atomic_int too_large;
	atomic_ullong announced;
	pthread_mutex_t lock;
	wire_channel *last; /* the last one accepted; a reference */
};

void desk_open(struct desk *d, const char *url, const struct wire_limits *limits, wire_tls *tls);
const char *desk_url(const struct desk *d);
/* Waits for every channel to close, and drains. */
void desk_close(struct desk *d);
void desk_echo(struct desk *d, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len);

/* One requester. The body of a reply is expected to be that of the request, which is made of its id. */
struct caller {
	wire_channel *ch;
	atomic_int running;
	atomic_int ready;
	atomic_int closed;
	atomic_int reason;
	atomic_int replies;
	atomic_int wrong;
	atomic_int too_large;
};

void caller_init(struct caller *c);
void caller_dial(struct caller *c, const char *url, const struct wire_limits *limits, wire_tls *tls);
/* Body of len bytes made of the id. */
void caller_ask(struct caller *c, uint32_t id, size_t len);
/* Closes if need be, waits for `closed`, releases. */
void caller_finish(struct caller *c);

#endif
