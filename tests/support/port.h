#ifndef LK_SUPPORT_PORT_H
#define LK_SUPPORT_PORT_H

#include <stdint.h>

/* A loopback TCP port that nobody listens on. No connection going out takes it, and no other test is given it as long
 * as this process runs: a server that was killed finds it free when it comes back. */
uint16_t port_free(void);

#endif
