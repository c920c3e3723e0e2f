#ifndef LK_REDIS_SLOT_H
#define LK_REDIS_SLOT_H

#include "base/span.h"

#define SLOTS 16384

/* CRC16 (XMODEM) of the key, or of its hash tag if it has one, modulo SLOTS: Redis Cluster specification, "Hash tags".
 */
uint16_t slot_of_key(span key);

#endif
