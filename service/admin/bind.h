#ifndef LK_ADMIN_BIND_H
#define LK_ADMIN_BIND_H

#include "base/status.h"

/* A URL with the longest host name, brackets and port. */
#define BIND_URL_BYTES 288

/* A socket that listens on http://host:port, and the URL with the real port. INVALID_ARGUMENT, FAILED_PRECONDITION. */
enum status_code bind_url(const char *url, int *ret_fd, char ret_url[static BIND_URL_BYTES],
			  struct status *st) MUST_CHECK;

#endif
