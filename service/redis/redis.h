#ifndef LK_REDIS_REDIS_H
#define LK_REDIS_REDIS_H

/* The store, on Redis: carries commands out over a few pipelined, corked connections to each node. */

#include "base/status.h"
#include "store/store.h"
#include "wire/tls.h"

typedef struct redis redis;

enum redis_event_kind {
	REDIS_EVENT_DETAIL, /* for whoever looks for something */
	REDIS_EVENT_NEWS,
	/* Good news: told when it is the first of its node, or a problem of that node was told since it was told last. */
	REDIS_EVENT_RECOVERY,
	REDIS_EVENT_PROBLEM, /* the same of the same node is told less and less often: see redis/reporter.h */
};

/* What happened to a connection, a node or the embedded server, for the log: events are reported, never logged here.
 * Texts are printable, hold no secret, and are borrowed. What is NULL or 0 is not said. */
struct redis_event {
	enum redis_event_kind kind;
	bool is_probe;	     /* of a node that is only asked about others: that it answers is no news */
	const char *name;    /* such as "redis_connected" */
	const char *node;    /* host:port or a socket's path */
	const char *from;    /* the node whose slots it has now */
	const char *version; /* Redis's */
	const char *error;   /* what went wrong, in Redis's words where it has said any */
	const char *text;    /* what that means, or what to do */
	uint32_t attempt;    /* the n-th in a row */
	uint32_t slots;
	uint64_t commands; /* in flight when it ended; or carried out again; or not */
	uint64_t took_ms;
	uint64_t not_logged; /* times that the same happened since it was told last */
};

/* From any thread, no lock held. */
struct redis_events {
	void (*report)(void *owner, const struct redis_event *event);
	void *owner;
};

struct redis_options {
	const char *url;		 /* in the forms of redis/url.h */
	const char *user;		 /* overrides the URL's; NULL: none */
	const char *password;		 /* the same */
	const char *state_dir;		 /* where `embedded:` without a folder keeps its data */
	const char *server_binary;	 /* embedded: "redis-server", found in PATH, or a path */
	uint32_t connections;		 /* a node; 1..16 */
	uint32_t connect_timeout_ms;	 /* and for the greeting (AUTH, SELECT, HELLO) */
	uint32_t response_timeout_ms;	 /* a connection whose oldest command has waited so long is given up */
	uint32_t commands_in_flight_max; /* a connection; beyond it OVERLOADED */
	uint32_t breaker_ms;		 /* a node silent for so long, with commands in flight, is sent no more */
	uint32_t late_ms;		 /* a reply older than that is not believed: see store_result.is_late */
	uint32_t failover_wait_ms; /* commands wait so long for a lost primary or its successor; then UNAVAILABLE */
	uint32_t unconfirmed_ms;   /* Sentinel: a primary that none has confirmed for so long is down; 0: never */
	uint32_t replay_window_ms; /* see store_keep */
	uint32_t replay_bytes_max;
	uint32_t replica_lag_max_ms; /* replicas at most so far behind may answer what allows staleness; 0: never */
	const char *sentinel_user;
	const char *sentinel_password;
	wire_tls *tls; /* for rediss:// in all its forms; borrowed until redis_close */
	struct redis_events events;
	/* What was published on STORE_CHANNEL, perhaps by this instance; perhaps more than once, each time by another
	 * source, which is a connection to one server. From any thread. */
	void (*heard)(void *owner, uint64_t source, span message);
	/* Something may not have been heard: a connection has just begun to hear (all of what comes now is heard by it),
	 * or hears no more; again every few seconds while it does not. From any thread. NULL: never mind. */
	void (*missed)(void *owner);
	void *heard_owner;
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
