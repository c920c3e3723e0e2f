#ifndef LK_WIRE_CHANNEL_H
#define LK_WIRE_CHANNEL_H

/* SP request/reply framing over a link: either end of it. The bytes are those of nng's and nanomsg's REQ and REP
 * sockets (RFC draft "Request/Reply Scalability Protocol", sp-request-reply-01; mapping sp-tcp-mapping-01), so any of
 * those is a valid peer.
 *
 * On the wire, after 8 bytes of greeting each way (00 'S' 'P' 00, protocol 0x0030 REQ or 0x0031 REP, 00 00):
 *   [ipc only: 01] length (8 bytes, big-endian) | route (1..WIRE_HOPS_MAX words of 4 bytes) | body
 * The last word of the route, and only that one, has the top bit set: it is the request id. Devices on the way add
 * words in front. A reply repeats the request's route. */

#include "wire/link.h"

/* nng's default maximum TTL is 8 hops, its limit 15: 15 device words and the request id. */
#define WIRE_HOPS_MAX 16
#define WIRE_ID_BIT   0x80000000U

typedef struct wire_channel wire_channel;

enum wire_role { WIRE_REQUESTER, WIRE_REPLIER };

struct wire_route {
	uint8_t bytes[4 * WIRE_HOPS_MAX];
	uint8_t len; /* a multiple of 4, at least 4 */
};

struct wire_channel_events {
	/* Both greetings are exchanged: messages may be sent. May be NULL. */
	void (*ready)(void *owner, wire_channel *ch);
	/* A whole message. route and body are borrowed until the return. */
	void (*message)(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len);
	/* A message of `announced` bytes, over the limit, was begun. The route is at hand, so that an error can be
	 * sent; the channel closes with WIRE_TOO_LARGE, flushing, when this returns. May be NULL. */
	void (*too_large)(void *owner, wire_channel *ch, const struct wire_route *route, uint64_t announced);
	/* As wire_link_events.idle; not asked before the greetings are exchanged. */
	bool (*idle)(void *owner, wire_channel *ch);
	/* The last event. The channel may be released from within. */
	void (*closed)(void *owner, wire_channel *ch, enum wire_error reason);
};

/* As wire_dial, for a requester. message_bytes_max bounds what is accepted from the peer, route excluded. The greeting
 * must arrive within limits->connect_timeout_ms of the connection. limits->input_bytes_max is raised to hold one
 * message. */
enum wire_error wire_channel_dial(const char *url, const struct wire_limits *limits, wire_tls *tls,
				  uint32_t message_bytes_max, const struct wire_channel_events *events, void *owner,
				  wire_channel **ret) __attribute__((warn_unused_result));

typedef struct wire_channel_listener wire_channel_listener;

struct wire_channel_listener_events {
	/* As wire_listener_events.accepted, for a replier's channel. */
	const struct wire_channel_events *(*accepted)(void *owner, wire_channel *ch, void **ret_owner);
};

struct wire_listener_options;

enum wire_error wire_channel_listen(const struct wire_listener_options *options, uint32_t message_bytes_max,
				    const struct wire_channel_listener_events *events, void *owner,
				    wire_channel_listener **ret) __attribute__((warn_unused_result));
const char *wire_channel_listener_url(const wire_channel_listener *l);
/* As wire_listener_renew. */
enum wire_error wire_channel_listener_renew(wire_channel_listener *l, wire_tls *tls)
    __attribute__((warn_unused_result));
/* As wire_listener_close. */
void wire_channel_listener_close(wire_channel_listener **l);

/* Sends one message: a request (route of one word with WIRE_ID_BIT) or a reply (the request's route). Bytes are
 * copied; corked as the link is. Before `ready` and after `closed` it goes nowhere. Any thread. */
void wire_channel_send(wire_channel *ch, const struct wire_route *route, const struct iovec *body, size_t count);

/* As wire_link_close. */
void wire_channel_close(wire_channel *ch, enum wire_error reason, bool flush);

/* The link below: for its output bytes and its peer's name. Borrowed. */
wire_link *wire_channel_link(wire_channel *ch);

void wire_channel_retain(wire_channel *ch);
void wire_channel_release(wire_channel **ch);

/* A requester's route. id must have WIRE_ID_BIT. */
struct wire_route wire_route_of_id(uint32_t id);
/* The request id at the route's end. */
uint32_t wire_route_id(const struct wire_route *route);

#endif
