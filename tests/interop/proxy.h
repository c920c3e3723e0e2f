#ifndef LK_INTEROP_PROXY_H
#define LK_INTEROP_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "interop/transports.h"

/* A relay on loopback in front of a tcp address that can lose a reply: the request has been carried out, the caller's
 * connection drops, and the answer is kept here for the test to look at. One connection at a time. */

#define PROXY_LOST_BYTES_MAX 16384

struct proxy {
	pthread_t thread;
	int listener;
	int stop[2]; /* a pipe: readable when the relay is to end */
	char url[URL_BYTES];
	const char *upstream;
	atomic_uint connections;
	atomic_uint to_lose; /* so many of the next replies are lost, each with its connection */

	/* The last reply lost, from its length on; written before to_lose goes down. */
	uint8_t lost[PROXY_LOST_BYTES_MAX];
	size_t lost_len;
};

/* upstream must live as long. */
void proxy_open(struct proxy *p, const char *upstream);
void proxy_close(struct proxy *p);

#endif
