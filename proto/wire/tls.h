#ifndef LK_WIRE_TLS_H
#define LK_WIRE_TLS_H

#include <stdbool.h>

#include "wire/error.h"

/* TLS settings for `tls+tcp://` URLs. Any number of listeners and links may share one, from any thread.
 * Reference-counted: what uses it keeps it alive. */
typedef struct wire_tls wire_tls;

struct wire_tls_options {
	const char *ca_file;   /* PEM. Server: demands client certificates signed by it. Client: verifies the server. */
	const char *cert_file; /* PEM, chain, and */
	const char *key_file;  /* PEM. Required for a server; optional for a client (mutual TLS). */
	/* Client: the name expected in the server's certificate. NULL: the URL's host. Needed when that is an address:
	 * mbed TLS 2 compares names only. */
	const char *server_name;
	bool is_server;
};

/* WIRE_TLS when a file cannot be read or parsed, is over 1 MiB or is missing (a client needs ca_file: there is no TLS
 * without verification); *ret is untouched on failure. Reads the files now. Of a server also when
 * the key does not belong to the certificate, which is tried over loopback. TLS 1.2 at least. */
enum wire_error wire_tls_new(const struct wire_tls_options *options, wire_tls **ret)
    __attribute__((warn_unused_result));

/* Reads the same files again: connections that are dialed from now on use what is in them; a listener does once
 * wire_listener_renew was called; those that are open go on. *ret_is_new: something differs from before. On
 * failure, which is as of wire_tls_new, nothing changes. */
enum wire_error wire_tls_reload(wire_tls *tls, bool *ret_is_new) __attribute__((warn_unused_result));

/* Drops the caller's reference and nulls *tls; accepts NULL in it. */
void wire_tls_release(wire_tls **tls);

#endif
