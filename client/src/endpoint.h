#ifndef LK_CLIENT_ENDPOINT_H
#define LK_CLIENT_ENDPOINT_H

#include "latchkey/latchkey.h"
#include "wire/channel.h"

/* A connection and its successor to each of the user's servers. */
#define ENDPOINTS_MAX ((size_t)2 * LK_ENDPOINTS_MAX)

/* One connection to one server: DOWN -> DIALING -> READY -> DOWN, for ever, until the client closes. */
#define ENDPOINT_STATE_MAP(X)                                                                                          \
	X(DOWN)	   /* left alone until redial_at_ms */                                                                 \
	X(DIALING) /* connecting, or greeting */                                                                       \
	X(READY)

enum endpoint_state {
#define X(name) ENDPOINT_##name,
	ENDPOINT_STATE_MAP(X)
#undef X
	    ENDPOINT_STATES
};

struct endpoint {
	lk_client *client;     /* one reference while there is a channel */
	const char *url;       /* the options' */
	struct endpoint *twin; /* to the same server */
	wire_channel *dialed;  /* the one reference; set by whoever dials, before any event, released by `closed` */

	/* Under the client's lock. */
	enum endpoint_state state;
	wire_channel *channel;	  /* while READY; borrowed from `dialed` */
	uint32_t in_flight;	  /* long polls not counted: they are no work */
	uint32_t unanswered;	  /* all calls */
	uint32_t failures;	  /* dials failed, or connections lost at once, in a row */
	uint32_t silent;	  /* calls timed out since anything was heard, */
	uint64_t silent_since_ms; /* the first of them at this time */
	bool is_given_up;	  /* for its silence: it is being closed */
	bool is_spare;		  /* the other of the two is in use: it rests */
	bool is_going;	 /* asked to make way: it gets calls only where no other is open, and is closed when idle */
	bool is_leaving; /* refuses frames, as a server that shuts down does: it gets no more */
	uint64_t redial_at_ms;
	uint64_t ready_at_ms;
	uint64_t heard_at_ms;
	enum wire_error reason; /* why it is down; WIRE_OK before the first dial has ended */
};

/* A connection that lived this long had been a good one: its loss starts the pauses anew. */
#define CONNECTION_SETTLED_MS 5000
/* One that lived this long before its server asked for another was good, too: the server does not ask each that
 * comes. */
#define CONNECTION_USED_MS 500
/* So many calls in a row without any answer, and none for so long after the first of them, and the connection is taken
 * for dead: a peer that is there answers DEADLINE_EXCEEDED at least, within its sweep and a round trip. */
#define SILENT_CALLS_MAX 3
#define SILENCE_MS	 500
/* A long poll that went unanswered for so long tells as much by itself: its server was told less time than it had, by a
 * second (see call.c), and others may be an hour away. */
#define SILENT_POLL_MS 4000

/* All of these under the client's lock, but for endpoint_dial and endpoint_close. */

void endpoints_init(lk_client *client);

/* Takes calls. */
bool endpoint_is_open(const struct endpoint *endpoint);

/* The ready endpoint with the fewest calls in flight; one that need not go, and another than `avoid`, where there is one.
 * NULL: none is ready. */
struct endpoint *endpoint_pick(lk_client *client, const struct endpoint *avoid);

/* True: each has failed to connect, and none is being dialed. */
bool endpoints_all_failed(const lk_client *client);

/* DOWN, and time to dial: then it is DIALING, and the caller must call endpoint_dial, outside the lock. */
bool endpoint_should_dial(struct endpoint *endpoint, uint64_t now_ms);

/* When nobody is left to call, because a connection was lost or its server leaves: those that rest after failures are
 * dialed soon. Only then, so that their pauses grow on from there. */
void endpoints_hurry(lk_client *client, uint64_t now_ms);

/* Its server asks for another connection in its place. */
void endpoint_give_way(struct endpoint *endpoint, uint64_t now_ms);
/* It has given way, nobody waits for an answer by it, and another is open: it is given up, and the caller closes it. */
bool endpoint_should_close(struct endpoint *endpoint);

/* READY, and DOWN with a time to dial again. */
void endpoint_set_ready(struct endpoint *endpoint, wire_channel *channel, uint64_t now_ms);
void endpoint_set_down(struct endpoint *endpoint, enum wire_error reason, uint64_t now_ms);

/* An error: it could not even be started; the endpoint is DOWN again. Nothing locked. */
enum wire_error endpoint_dial(struct endpoint *endpoint);
/* Ends its channel, if it has one. Nothing locked, and nobody dialing. */
void endpoint_close(struct endpoint *endpoint);

/* "tcp://127.0.0.1:7373: connection refused", for the sentence of LK_E_UNAVAILABLE. */
void endpoints_describe(const lk_client *client, char *to, size_t bytes);

#endif
