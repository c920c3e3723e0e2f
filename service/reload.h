#ifndef LK_SERVICE_RELOAD_H
#define LK_SERVICE_RELOAD_H

/* SIGHUP: what is read again while the service runs. Part of the composition root. */

#include "callers/callers.h"
#include "config/config.h"
#include "crypto/keyring.h"
#include "rpc/server.h"
#include "wire/tls.h"

struct reload {
	struct config *config; /* in force; only its reloadable keys change */
	keyring **keys;
	callers **callers;	       /* NULL in it: callers are not told apart */
	wire_tls *const *listener_tls; /* of each of the configuration's listeners; NULL: no TLS */
	wire_tls *redis_tls;	       /* NULL: no TLS */
	rpc_server *rpc;
};

/* Each part by itself: a file with a mistake leaves that part as it is, and says so in the log. How many did. */
unsigned reload(const struct reload *r);

#endif
