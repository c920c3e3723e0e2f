#ifndef LK_RPC_SERVER_H
#define LK_RPC_SERVER_H

/* The callers' side: accepts SP request frames, dispatches their calls over the method table, answers each by its
 * deadline. */

#include "base/status.h"
#include "crypto/keyring.h"
#include "session/policy.h"
#include "store/store.h"
#include "wire/listener.h"

#define RPC_PROTOCOL 1
#define RPC_FRAME_BYTES_MAX 65536
#define RPC_CALLS_MAX 64

typedef struct rpc_server rpc_server;

struct rpc_options {
	const struct session_realms *realms; /* lives as long as the server */
	keyring *keys;                       /* retained */
	const struct store *store;           /* lives as long as the server */
	uint32_t timeout_default_ms;         /* of a call that names none */
	uint32_t timeout_max_ms;
	uint32_t connections_max;
	uint32_t frames_in_flight_max;            /* in all; beyond it RESOURCE_EXHAUSTED at once */
	uint32_t frames_in_flight_per_connection_max; /* beyond it the connection is not read until some are answered */
	struct wire_limits limits;           /* of a caller's connection */
};

enum status_code rpc_server_new(const struct rpc_options *options, rpc_server **ret, struct status *st) MUST_CHECK;

/* Any number of listeners. INVALID_ARGUMENT (URL), FAILED_PRECONDITION (in use, not bindable). */
enum status_code rpc_server_listen(rpc_server *s, const char *url, wire_tls *tls, uint32_t ipc_mode,
				   struct status *st) MUST_CHECK;

/* The address of listener i, with the real port; NULL beyond the last. */
const char *rpc_server_url(const rpc_server *s, size_t i);

/* From now on Health says NOT_SERVING; everything else goes on. */
void rpc_server_set_draining(rpc_server *s);

/* Stops accepting, lets what is in flight be answered (at most timeout_ms), closes all connections with their replies
 * flushed. True: nothing was cut off. Afterwards only rpc_server_free. */
bool rpc_server_drain(rpc_server *s, uint32_t timeout_ms);

/* Nulls *s; accepts NULL in it. The store must have no operation of this server's left. */
void rpc_server_free(rpc_server **s);

#endif
