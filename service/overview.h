#ifndef LK_SERVICE_OVERVIEW_H
#define LK_SERVICE_OVERVIEW_H

/* What the admin listener is told of the service. Part of the composition root. */

#include <stdatomic.h>

#include "admin/admin.h"
#include "config/config.h"
#include "realm/realm.h"
#include "rpc/server.h"
#include "session/recent.h"

struct overview {
	rpc_server *rpc;
	const struct store *store;
	const recent *recent;
	const struct realms *realms;
	atomic_bool is_listening;
	atomic_uint refused; /* when files were read again last */
};

/* Opens the listener that the configuration names, if it does. o lives until it is closed. */
enum status_code overview_open_admin(struct overview *o, const struct config *c, admin **ret,
				     struct status *st) MUST_CHECK;

#endif
