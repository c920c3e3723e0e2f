#ifndef LK_WIRE_LINK_H
#define LK_WIRE_LINK_H

/* A link is one byte stream to a peer (tcp, ipc, tls+tcp) with buffered input and corked output. It knows nothing of
 * SP: wire/channel.h frames messages over it, service/redis speaks RESP over it.
 *
 * Threads. Events of one link never overlap and come from the library's threads with no lock held. wire_link_send,
 * _close, _retain and _release may be called from any thread, also from inside events, also of other links.
 *
 * Cork. While an event of any link runs, output sent from that thread, to whatever link, is only buffered; when the
 * event returns, each link written to gets one write. So the Redis commands of one read go out together, and so do the
 * replies of one Redis read. wire_cork and wire_uncork do the same around a loop outside events; they nest. An event
 * that sends much calls wire_cork_relieve now and then: the peer works on what is there while the rest is being made.
 *
 * Life. wire_dial and the listener hand out links with one reference, the owner's; `closed` is the last event of a
 * link, comes exactly once, and only after it may the owner's state be freed. Nobody calls into the owner after that.
 * Sending to a closed link is no error: the bytes go nowhere. The link's memory stays until wire_link_release. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "wire/error.h"
#include "wire/tls.h"

typedef struct wire_link wire_link;

/* With 64 calls in flight, measured: of 8, 16, 32 and no bound, 32 is best by a little, and none is a third slower, for
 * then client, service and Redis take turns. */
#define WIRE_CORK_SENDS_MAX 32

/* Every value is positive: nothing here is unlimited. */
struct wire_limits {
	uint32_t connect_timeout_ms; /* dialing; over TLS, until the first byte has come or gone (if any is sent) */
	uint32_t idle_timeout_ms;    /* no byte in, and `idle` did not say to stay */
	uint32_t stall_timeout_ms;   /* a message begun and not finished, or output that the peer does not take */
	uint32_t input_bytes_max;    /* unconsumed input: beyond it the link closes with WIRE_TOO_LARGE */
	/* Unsent output: beyond it an accepted link stops reading until half of it is gone. A dialed link, which asks,
	 * goes on reading answers: its owner bounds what it asks, for instance by wire_link_output_bytes. */
	uint32_t output_bytes_max;
};

struct wire_link_events {
	/* Connected and ready to send; only for dialed links. May be NULL. */
	void (*opened)(void *owner, wire_link *link);
	/* Bytes have come. Returns how many were consumed (0..len); the rest comes again, with more behind it.
	 * A negative value closes the link with WIRE_PROTOCOL. */
	ssize_t (*input)(void *owner, wire_link *link, const uint8_t *data, size_t len);
	/* Nothing has come for idle_timeout_ms. True: stay for as long again. NULL: never stay. */
	bool (*idle)(void *owner, wire_link *link);
	/* The link has ended (or could not be opened). The last event. */
	void (*closed)(void *owner, wire_link *link, enum wire_error reason);
};

/* Starts dialing. Returns at once with a link (one reference, the caller's), whose `opened` or `closed` follows from
 * another thread, perhaps before this returns; *ret is set before either. An error, and no event, when the URL is bad
 * or memory is out. tls may be NULL unless the URL is tls+tcp; it is retained. URL hosts may be names.
 * events must live as long as the link (a static const table). */
enum wire_error wire_dial(const char *url, const struct wire_limits *limits, wire_tls *tls,
			  const struct wire_link_events *events, void *owner, wire_link **ret)
    __attribute__((warn_unused_result));

/* Copies and sends, in order and whole with respect to other senders. */
void wire_link_send(wire_link *link, const struct iovec *parts, size_t count);

/* Ends the link: what was sent before is still written if the peer takes it within stall_timeout_ms when `flush`,
 * dropped otherwise. A link that is still dialing is given up. `closed` follows with the reason, never from within
 * this call. Calling again changes nothing. */
void wire_link_close(wire_link *link, enum wire_error reason, bool flush);

/* Output not yet given to the kernel. */
size_t wire_link_output_bytes(wire_link *link);

/* The peer as text, "tcp:127.0.0.1:4711", "ipc:pid=12,uid=0" or the URL dialed: for logs. Lives as long as the link. */
const char *wire_link_peer(const wire_link *link);

void wire_link_retain(wire_link *link);
/* Nulls *link; accepts NULL in it. */
void wire_link_release(wire_link **link);

/* Corks and uncorks the calling thread, for loops outside events. */
void wire_cork(void);
void wire_uncork(void);

/* Between two steps of a loop, with no lock held: writes to the links to which this thread has sent WIRE_CORK_SENDS_MAX
 * times or more since their last write. Costs next to nothing otherwise. */
void wire_cork_relieve(void);

/* Waits until every link that has been closed is gone, and with the last link of all the thread that watches them, at
 * most timeout_ms: for a clean exit. Links that are open are not waited for. True when it is so. */
bool wire_drain(uint32_t timeout_ms);

#endif
