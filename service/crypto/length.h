#ifndef LK_CRYPTO_LENGTH_H
#define LK_CRYPTO_LENGTH_H

/* A length before or behind what it is of, little-endian, so that texts of several parts differ where their parts do. For
 * this folder only. */

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define LENGTH_BYTES sizeof(uint64_t)

static inline void length_write(uint64_t len, uint8_t out[static LENGTH_BYTES])
{
	const uint64_t bytes = htole64(len);

	memcpy(out, &bytes, LENGTH_BYTES);
}

#endif
