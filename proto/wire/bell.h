#ifndef LK_WIRE_BELL_H
#define LK_WIRE_BELL_H

#include <nng/nng.h>
#include <stdbool.h>

/* A connection to a listener of this process that only makes its accept return: opened, rung, and gone. */
struct bell {
	int fd;
	nng_sockaddr to;
	nng_sockaddr from; /* as the listener sees it */
};

/* For a listener bound to that address. False: it cannot be called from here. */
bool bell_open(const nng_sockaddr *bound, struct bell *ret) __attribute__((warn_unused_result));

/* Connects, and hangs up. When this returns the connection stands in the listener's queue, unless the queue is full
 * of others. */
void bell_ring(struct bell *b);

#endif
