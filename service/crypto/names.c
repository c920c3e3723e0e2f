#include "crypto/names.h"

#include <assert.h>
#include <sodium.h>

#include "crypto/block.h"
#include "crypto/length.h"
#include "crypto/subkeys.h"

_Static_assert(NAME_SECRET_BYTES == BLOCK_INPUT_BYTES, "half an id makes a block");
_Static_assert(SUBKEY_BYTES == BLOCK_KEY_BYTES, "subkeys are its keys");

void name_hash(const keyring *kr, enum name_purpose purpose, const span *inputs, size_t count, uint8_t *out,
	       size_t out_len)
{
	uint8_t whole[crypto_generichash_BYTES_MAX];
	crypto_generichash_state state;

	assert(out_len >= 2 && out_len <= sizeof(whole));
	(void)crypto_generichash_init(&state, keyring_name_key(kr, purpose), SUBKEY_BYTES, sizeof(whole));
	for (size_t i = 0; i < count; i++) {
		uint8_t prefix[LENGTH_BYTES];

		length_write(inputs[i].len, prefix);
		(void)crypto_generichash_update(&state, prefix, sizeof(prefix));
		(void)crypto_generichash_update(&state, inputs[i].ptr, inputs[i].len);
	}
	/* BLAKE2b itself makes no less than 16 bytes in this library: shorter names are its first bytes. */
	(void)crypto_generichash_final(&state, whole, sizeof(whole));
	memcpy(out, whole, out_len);
	sodium_memzero(whole, sizeof(whole));
	sodium_memzero(&state, sizeof(state));
}

void name_session(const keyring *kr, const uint8_t half[static NAME_SECRET_BYTES], uint8_t *out, size_t out_len)
{
	uint8_t whole[BLOCK_BYTES];

	assert(out_len <= sizeof(whole));
	block_make(keyring_name_key(kr, NAME_SESSION), half, whole);
	memcpy(out, whole, out_len);
	sodium_memzero(whole, sizeof(whole));
}
