#ifndef LK_INTEROP_TLS_H
#define LK_INTEROP_TLS_H

#include <stdbool.h>

#include "support/certificates.h"
#include "wire/tls.h"

/* is_mutual: the server demands a client's certificate, the client brings one. The caller releases. */
wire_tls *certificates_for_wire(const struct certificates *c, bool is_server, bool is_mutual);

/* The same for a stock socket; dropped by nng_tls_config_free. */
struct nng_tls_config;
struct nng_tls_config *certificates_for_nng(const struct certificates *c, bool is_server, bool is_mutual);

#endif
