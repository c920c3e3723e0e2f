#ifndef LK_CRYPTO_BLOCK_H
#define LK_CRYPTO_BLOCK_H

/* One block of ChaCha20 as a pseudo-random function of 16 bytes, for this folder only. RFC 8439's counter and nonce are 16
 * bytes of input together, and that nobody tells the block from random without the key is what the cipher rests on itself.
 * HChaCha20 is the same rounds, and as good a function; the library has it in plain C only, at twice the price of a whole
 * block by vectors. */

#include <stdint.h>

#define BLOCK_KEY_BYTES	  32
#define BLOCK_INPUT_BYTES 16
#define BLOCK_BYTES	  64

void block_make(const uint8_t key[static BLOCK_KEY_BYTES], const uint8_t input[static BLOCK_INPUT_BYTES],
		uint8_t out[static BLOCK_BYTES]);

#endif
