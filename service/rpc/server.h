#ifndef LK_RPC_SERVER_H
#define LK_RPC_SERVER_H

/* The callers' side: accepts SP request frames, dispatches their calls over the method table, answers each by its
 * deadline. */

#include "auth/news.h"
#include "base/status.h"
#include "callers/callers.h"
#include "crypto/keyring.h"
#include "realm/realm.h"
#include "session/event_log.h"
#include "session/not_before.h"
#include "session/recent.h"
#include "store/store.h"
#include "wire/listener.h"

#define RPC_PROTOCOL	    1
#define RPC_FRAME_BYTES_MAX 65536
#define RPC_CALLS_MAX	    64
/* The longest reply frame: what a caller must be ready to read. A List page of 500 sessions with all of their metadata
 * comes to 0.6 MiB, a session with as many attributes as it can have to 33 KiB, sixty of them in one frame to 2 MiB. A
 * call whose response has no room left is answered RESOURCE_EXHAUSTED. */
#define RPC_REPLY_BYTES_MAX (2U << 20)

typedef struct rpc_server rpc_server;

struct rpc_options {
	const struct realms *realms; /* lives as long as the server */
	keyring *keys;		     /* retained; the first in force */
	callers *callers;	     /* retained; the first in force. NULL: callers are not told apart */
	const struct store *store;   /* lives as long as the server */
	recent *recent;		     /* of revocations; lives until the store is closed. NULL: none is remembered */
	not_before *not_before;	     /* of realms; lives as long. NULL: none is known, and the store is not asked */
	auth_news *auth_news;	     /* of answers; lives as long. NULL: none is heard */
	event_log *events;	     /* for those who watch; lives until the store is closed */
	uint32_t replay_window_ms;   /* the store's: how young a session is whose absence proves nothing */
	uint32_t timeout_default_ms; /* of a call that names none */
	uint32_t timeout_max_ms;
	uint32_t connections_max;
	/* Frames held in memory, in all and of one connection; a frame beyond is answered RESOURCE_EXHAUSTED at once. A
	 * frame whose time ran out is answered by then, and still held until the store is done with its commands. */
	uint32_t frames_in_flight_max;
	uint32_t frames_in_flight_per_connection_max;
	uint32_t connection_age_max_ms; /* then its caller is told to move on; 0: never */
	struct wire_limits limits;	/* of a caller's connection */
};

enum status_code rpc_server_new(const struct rpc_options *options, rpc_server **ret, struct status *st) MUST_CHECK;

/* Any number of listeners; one thread at a time, before rpc_server_drain. INVALID_ARGUMENT (URL; or an address beyond
 * loopback without callers to be told apart), FAILED_PRECONDITION (in use, not bindable). */
enum status_code rpc_server_listen(rpc_server *s, const char *url, wire_tls *tls, uint32_t ipc_mode,
				   struct status *st) MUST_CHECK;

/* Waits until it is known of every realm whether it was revoked, so that the first calls are not refused. False: not within
 * timeout_ms. */
bool rpc_server_wait_realms(rpc_server *s, uint32_t timeout_ms);

/* The address of listener i, with the real port; NULL beyond the last. */
const char *rpc_server_url(const rpc_server *s, size_t i);

/* Listener i, which has TLS, takes these settings, or what a reload has made of them, for whoever connects from now
 * on. */
enum status_code rpc_server_renew(rpc_server *s, size_t i, wire_tls *tls, struct status *st) MUST_CHECK;

/* Frames that arrive from now on are served with this keyring, which is retained; those in flight end with the one they
 * began with. It must be a reload of the one in force. */
void rpc_server_use_keys(rpc_server *s, keyring *keys);

/* The same of who may call what. Not NULL, and only where there was one from the beginning. */
void rpc_server_use_callers(rpc_server *s, callers *who);

/* What the server says of itself, for probes and metrics. */
struct rpc_state {
	bool is_draining;
	bool
	    has_been_ready; /* of every realm it was known whether it was revoked, once at least: so the store was there */
	bool knows_realms; /* of most of them, now */
	uint32_t frames_held;
	uint64_t bytes_held; /* by those */
	size_t watchers;
	uint64_t started_at_ms;
};

/* Any thread, until rpc_server_free; so for the next two. */
void rpc_server_look(rpc_server *s, struct rpc_state *ret);
/* The keyring in force, retained. */
keyring *rpc_server_keys(rpc_server *s);

/* The path of the method that has this place in base/call_metrics.h: "none" for 0. SPAN_EMPTY beyond the last. */
span rpc_method_path(size_t place);

/* From now on Health says NOT_SERVING; everything else goes on. */
void rpc_server_set_draining(rpc_server *s);

/* Stops accepting, refuses new frames as UNAVAILABLE, answers who watches with no events, lets what is in flight be answered (at most timeout_ms; what is
 * left then is answered UNAVAILABLE), closes all connections with their replies flushed (at most a second more). True:
 * nothing was cut off. Afterwards only rpc_server_free. */
bool rpc_server_drain(rpc_server *s, uint32_t timeout_ms);

/* Drains with no patience if that was not done. The store may still have operations of this server's: their memory goes
 * when they are done, and nothing is made of their replies. Nulls *s; accepts NULL in it. */
void rpc_server_free(rpc_server **s);

#endif
