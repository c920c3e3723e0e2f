#ifndef LK_WIRE_LISTENER_H
#define LK_WIRE_LISTENER_H

#include "wire/link.h"

/* Accepts links on one address. Accept errors (no file descriptors left) are retried after a pause, for ever. */
typedef struct wire_listener wire_listener;

struct wire_listener_events {
	/* A peer has connected. Returns the events table and sets *ret_owner for the new link (whose one reference
	 * the owner takes; its first event comes after this returns), or NULL to refuse it: it is closed at once. */
	const struct wire_link_events *(*accepted)(void *owner, wire_link *link, void **ret_owner);
};

struct wire_listener_options {
	const char *url; /* tcp://127.0.0.1:7373, ipc:///run/x.sock, tls+tcp://...; port 0: any free port */
	struct wire_limits limits;
	wire_tls *tls;	   /* required for tls+tcp; retained */
	uint32_t ipc_mode; /* permissions of an ipc socket, such as 0600 */
};

/* Binds and starts to accept. A stale ipc socket (nobody accepts on it) is replaced; a live one is WIRE_IN_USE. */
enum wire_error wire_listener_open(const struct wire_listener_options *options,
				   const struct wire_listener_events *events, void *owner, wire_listener **ret)
    __attribute__((warn_unused_result));

/* The address bound, as a URL with the real port. Lives as long as the listener. */
const char *wire_listener_url(const wire_listener *l);

/* Accepts with these settings, or what a reload has made of them, from now on: whoever connects after this has returned
 * meets them, but for one if the process is out of file descriptors. Only of a tls+tcp listener; tls as for
 * wire_listener_open. On failure nothing changes. */
enum wire_error wire_listener_renew(wire_listener *l, wire_tls *tls) __attribute__((warn_unused_result));

/* Stops accepting, waits until no `accepted` runs, removes an ipc socket, frees and nulls *l. Accepts NULL in it.
 * Links that were accepted live on. Must not be called from an event. */
void wire_listener_close(wire_listener **l);

#endif
