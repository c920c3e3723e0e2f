#include "crypto/block.h"

#include <sodium.h>
#include <string.h>

#define COUNTER_BYTES 4

_Static_assert(BLOCK_KEY_BYTES == crypto_stream_chacha20_ietf_KEYBYTES, "keys are the cipher's");
_Static_assert(BLOCK_INPUT_BYTES == COUNTER_BYTES + crypto_stream_chacha20_ietf_NONCEBYTES,
	       "counter and nonce are the input");

void block_make(const uint8_t key[static BLOCK_KEY_BYTES], const uint8_t input[static BLOCK_INPUT_BYTES],
		uint8_t out[static BLOCK_BYTES])
{
	uint32_t counter = 0;

	for (size_t i = COUNTER_BYTES; i > 0; i--)
		counter = counter << 8 | input[i - 1];
	memset(out, 0, BLOCK_BYTES);
	(void)crypto_stream_chacha20_ietf_xor_ic(out, out, BLOCK_BYTES, input + COUNTER_BYTES, counter, key);
}
