#ifndef LK_REDIS_CONNECTION_H
#define LK_REDIS_CONNECTION_H

#include "redis/greeting.h"
#include "redis/redis.h"
#include "redis/resp.h"

/* One connection to Redis: pipelined, replies matched to commands by their order, opened again for as long as it
 * lives. */
typedef struct connection connection;

/* Shared by a node's connections, which it outlives. */
struct connection_options {
	const char *address; /* for wire_dial; also its name in events */
	wire_tls *tls;
	struct greeting_settings greeting;
	uint32_t connect_timeout_ms;
	uint32_t response_timeout_ms;
	uint32_t commands_in_flight_max;
	struct redis_events events;
	void (*ready)(void *owner); /* commands can be sent now. No lock held */
	void *owner;
};

/* NULL when memory is out. Dials at the first tick. */
connection *connection_new(const struct connection_options *options) MUST_CHECK;

enum connection_verdict { CONNECTION_SENT, CONNECTION_NOT_READY, CONNECTION_FULL };

/* Sends op, of which request is the encoding. When SENT, op->done is called later, perhaps before this returns; else op
 * is still the caller's. */
enum connection_verdict connection_submit(connection *c, struct store_op *op, const struct resp_request *request,
					  uint64_t now_ms) MUST_CHECK;

/* Dials when it is time to, gives up what takes too long. To be called every few ms, never by two threads at once. */
void connection_tick(connection *c, uint64_t now_ms);

/* True when commands can be sent. ret_version is set in any case: the version last seen, or empty. */
bool connection_is_ready(connection *c, char ret_version[static REDIS_VERSION_BYTES]);

/* How long a caller should wait before it tries again, in ms: until the next attempt to connect. */
uint32_t connection_retry_after_ms(connection *c, uint64_t now_ms);

/* Ends the connection for good; connection_free waits for that. No tick may be running or follow. */
void connection_end(connection *c);

/* Closes, waits until no event runs, and frees. Nulls *c; accepts NULL in it. Not from within an event. */
void connection_free(connection **c);

#endif
