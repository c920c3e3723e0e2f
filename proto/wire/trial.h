#ifndef LK_WIRE_TRIAL_H
#define LK_WIRE_TRIAL_H

#include <stdbool.h>

struct nng_tls_config;

/* Whether a server with this configuration, which demands no certificate of its clients, can greet anybody. True
 * also when that cannot be tried for want of a loopback address or of memory. Blocks for two handshakes' time,
 * TRIAL_MS at most. */
bool trial_passes(struct nng_tls_config *config) __attribute__((warn_unused_result));

#endif
