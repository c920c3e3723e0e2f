#ifndef LK_REDIS_CONNECTION_H
#define LK_REDIS_CONNECTION_H

#include "redis/address.h"
#include "redis/greeting.h"
#include "redis/redis.h"
#include "redis/resp.h"

/* One connection to Redis: pipelined, replies matched to commands by their order, opened again for as long as it is
 * wanted. */
typedef struct connection connection;

/* What happens on a connection. From any thread, no lock held; of one connection never two at once, but for `finished`
 * with EXPIRED. */
struct connection_hooks {
	/* The greeting was answered. Commands cannot be sent before this returns, nor any of their replies be told. */
	void (*greeted)(void *owner, const struct greeting_result *greeted);
	/* Commands can be sent now; or not any more. What was in flight then is LOST just after this returns. */
	void (*changed)(void *owner, bool is_ready);
	/* In place of op->done, which only operations flagged OP_DIRECT get. now_ms: when the reply was read. */
	void (*finished)(void *owner, struct store_op *op, enum store_outcome outcome, const struct store_reply *reply,
			 uint64_t now_ms);
};

/* Shared by a node's connections, which it outlives. */
struct connection_options {
	const char *address; /* for wire_dial; also its name in events. May change while nothing is open */
	wire_tls *tls;
	struct greeting_settings greeting;
	uint32_t connect_timeout_ms;
	uint32_t response_timeout_ms;
	uint32_t commands_in_flight_max;
	uint32_t late_ms; /* of OP_DIRECT operations */
	struct redis_events events;
	const struct connection_hooks *hooks;
	void *owner;
};

/* NULL when memory is out. Dials at the first tick that wants it. */
connection *connection_new(const struct connection_options *options) MUST_CHECK;

enum connection_verdict { CONNECTION_SENT, CONNECTION_NOT_READY, CONNECTION_FULL };

/* Sends op, of which request is the encoding, behind ASKING if it is flagged so. When SENT, its end is told later,
 * perhaps before this returns; else op is still the caller's. */
enum connection_verdict connection_submit(connection *c, struct store_op *op, const struct resp_request *request,
					  uint64_t now_ms) MUST_CHECK;

enum connection_want {
	CONNECTION_CLOSED,    /* nothing */
	CONNECTION_DRAINED,   /* what is in flight, no more; for long enough already, then closed */
	CONNECTION_OPEN,      /* dialed again after each pause of redis/backoff.h */
	CONNECTION_OPEN_SOON, /* the same with short pauses: callers wait for it */
};

/* Dials when it is time to, gives up what takes too long. To be called every few ms, never by two threads at once. */
void connection_tick(connection *c, enum connection_want want, uint64_t now_ms);

/* Ends what is open, to be dialed anew if it is wanted. */
void connection_drop(connection *c);

bool connection_is_ready(connection *c);

struct connection_view {
	bool is_ready;
	bool is_settled; /* nothing is open, and all that was in flight has been told */
	uint32_t in_flight;
	uint32_t oldest_ms; /* how long the oldest command in flight has waited */
	uint32_t failures;  /* to connect, in a row */
	uint64_t answers;   /* this and the following: ever */
	uint64_t commands;
	uint64_t errors;
	uint64_t timeouts;
	uint64_t connects;
};

struct connection_failure {
	char error[GREETING_TEXT_BYTES];
	const char *remedy; /* NULL: none is known */
};

/* Why it is not ready; false: it is, or nothing has failed yet. */
bool connection_last_failure(connection *c, struct connection_failure *ret);

void connection_look(connection *c, uint64_t now_ms, struct connection_view *ret);

/* How long a caller should wait before it tries again, in ms: until the next attempt to connect. */
uint32_t connection_retry_after_ms(connection *c, uint64_t now_ms);

/* Ends the connection for good. No tick may be running or follow. */
void connection_end(connection *c);
/* Waits until no hook runs any more, and all that was in flight has been told. After connection_end, not from within a
 * hook. */
void connection_join(connection *c);

/* Both, and frees. Nulls *c; accepts NULL in it. */
void connection_free(connection **c);

#endif
