#ifndef LK_SERVICE_TLS_FILES_H
#define LK_SERVICE_TLS_FILES_H

/* The TLS files that the configuration names: read at the start, and again. Part of the composition root. */

#include "config/config.h"
#include "wire/tls.h"

/* *ret stays NULL where there is no TLS. INVALID_ARGUMENT names the file, as far as it can be told which. */
enum status_code tls_files_load_listener(const struct config_listener *l, wire_tls **ret, struct status *st) MUST_CHECK;
enum status_code tls_files_load_redis(const struct config *c, wire_tls **ret, struct status *st) MUST_CHECK;

/* Reads the files of what was loaded again. On failure nothing changes. */
enum status_code tls_files_reload_listener(const struct config_listener *l, wire_tls *tls, bool *ret_is_new,
					   struct status *st) MUST_CHECK;
enum status_code tls_files_reload_redis(const struct config *c, wire_tls *tls, bool *ret_is_new,
					struct status *st) MUST_CHECK;

#endif
