#ifndef LK_CONFIG_URL_H
#define LK_CONFIG_URL_H

#include "base/status.h"

#include <stdbool.h>

enum listen_scheme { LISTEN_TCP, LISTEN_TLS, LISTEN_IPC };

struct listen_url {
	enum listen_scheme scheme;
	bool is_loopback; /* true for ipc */
	uint32_t port;
};

/* What is wrong with an address to listen on, as the end of a sentence; NULL: nothing, and *ret is filled in. */
const char *listen_url_check(const char *url, struct listen_url *ret);

/* The same of the admin listener's. */
const char *admin_url_check(const char *url);

/* Schemes that service/redis serves; what follows them is its business. */
bool redis_url_is_known(const char *url);
bool redis_url_is_tls(const char *url);
bool redis_url_is_sentinel(const char *url);

/* The password's place is taken by what config_mask_url puts there. */
bool url_is_masked(const char *url);

#endif
