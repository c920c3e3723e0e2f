#ifndef LK_SERVICE_KEYRING_FILE_H
#define LK_SERVICE_KEYRING_FILE_H

/* The keyring's file, from the first start on. Part of the composition root. */

#include <limits.h>

#include "config/config.h"
#include "crypto/keyring.h"
#include "rpc/server.h"

/* Loads the file that the configuration names, or the one in the state folder, which is made at a first start. */
enum status_code keyring_file_load(const struct config *c, keyring **ret, struct status *st) MUST_CHECK;

/* Of the file that the configuration names, or of the one in the state folder. */
enum status_code keyring_file_path(const struct config *c, char ret[static PATH_MAX], struct status *st) MUST_CHECK;

/* Whether there is one that this process may read. */
bool keyring_file_is_readable(const struct config *c);

/* Reads it again and puts it in force: *keys, and the server's. False: a bad file, which changes nothing. Logs which. */
bool keyring_file_reload(const struct config *c, keyring **keys, rpc_server *rpc) MUST_CHECK;

#endif
