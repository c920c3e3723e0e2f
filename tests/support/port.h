#ifndef LK_SUPPORT_PORT_H
#define LK_SUPPORT_PORT_H

#include <stdint.h>

/* A loopback TCP port that nobody listened on just now. */
uint16_t port_free(void);

#endif
