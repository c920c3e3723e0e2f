#ifndef LK_REDIS_REDIS_H
#define LK_REDIS_REDIS_H

/* The store, on Redis: carries commands out over a few pipelined, corked connections to each node. */

#include "base/status.h"
#include "store/store.h"
#include "wire/tls.h"

typedef struct redis redis;

/* What happened to a connection or to the embedded server, for the log: events are reported, never logged here.
 * event is a name such as "redis_connected"; text says what, with no secret in it. From any thread, no lock held. */
struct redis_events {
	void (*report)(void *owner, bool is_problem, const char *event, const char *text);
	void *owner;
};

struct redis_options {
	const char *url; /* redis://[user:password@]host[:port][/db], unix:///path[?db=N], embedded: or embedded:/dir */
	const char *user;		 /* overrides the URL's; NULL: none */
	const char *password;		 /* the same */
	const char *state_dir;		 /* where `embedded:` without a folder keeps its data */
	const char *server_binary;	 /* embedded: "redis-server", found in PATH, or a path */
	uint32_t connections;		 /* a node; 1..16 */
	uint32_t connect_timeout_ms;	 /* and for the greeting (AUTH, SELECT, HELLO) */
	uint32_t response_timeout_ms;	 /* a connection whose oldest command has waited so long is given up */
	uint32_t commands_in_flight_max; /* a connection; beyond it OVERLOADED */
	wire_tls *tls;			 /* for rediss://; borrowed until redis_close */
	struct redis_events events;
};

/* Parses the URL, starts the embedded server if it is one (waiting until it answers, at most 10 s), starts to connect,
 * and returns without waiting for Redis: whether it is there is store_get_state's to tell. INVALID_ARGUMENT (URL, socket
 * path too long for a sockaddr), FAILED_PRECONDITION (folder in use by another, redis-server not found or dying at once,
 * with its last words). */
enum status_code redis_open(const struct redis_options *options, redis **ret, struct status *st) MUST_CHECK;

/* Valid until redis_close. */
const struct store *redis_store(redis *r);

/* Waits until commands can be sent; false after timeout_ms. */
bool redis_wait_ready(redis *r, uint32_t timeout_ms);

/* Closes connections (what is in flight is answered LOST), stops the embedded server by SIGTERM and waits for it (it
 * saves its data first; SIGKILL after 10 s). Nothing may be submitted any more. Nulls *r; accepts NULL in it. */
void redis_close(redis **r);

#endif
