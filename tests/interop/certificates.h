#ifndef LK_INTEROP_CERTIFICATES_H
#define LK_INTEROP_CERTIFICATES_H

#include <stdbool.h>

#include "support/tmpdir.h"
#include "wire/tls.h"

/* The name in the server's certificate. mbedTLS 2 knows no addresses in certificates. */
#define CERTIFICATE_NAME "localhost"

/* An authority and two certificates signed by it, as PEM files made by the openssl command. */
struct certificates {
	char ca[TMPDIR_FILE_BYTES];
	char ca_key[TMPDIR_FILE_BYTES];
	char server[TMPDIR_FILE_BYTES];
	char server_key[TMPDIR_FILE_BYTES];
	char client[TMPDIR_FILE_BYTES];
	char client_key[TMPDIR_FILE_BYTES];
};

void certificates_make(struct certificates *c, const struct tmpdir *dir);

/* is_mutual: the server demands a client's certificate, the client brings one. The caller releases. */
wire_tls *certificates_for_wire(const struct certificates *c, bool is_server, bool is_mutual);

/* The same for a stock socket; dropped by nng_tls_config_free. */
struct nng_tls_config;
struct nng_tls_config *certificates_for_nng(const struct certificates *c, bool is_server, bool is_mutual);

#endif
