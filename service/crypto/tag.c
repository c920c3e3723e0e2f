/* BLAKE2b's own keyed mode hashes the key as a block of its own, padded with zeros, and what is authenticated behind it
 * (RFC 7693, 3.3): two compressions for a token. Here key and token share one block. The key still comes first and has a
 * fixed length, so this is the same prefix MAC without the padding, and as sound: BLAKE2b marks the last block, which is
 * what keeps anybody from appending to what was hashed. The personalization keeps it apart from all other uses. It is 0.3
 * us less for each call with a token. */

#include "crypto/tag.h"

#include <assert.h>
#include <sodium.h>

#include "crypto/subkeys.h"

#define PERSONAL "latchkey-token-1"

_Static_assert(TAG_BYTES == crypto_verify_16_BYTES, "a tag is what crypto_verify_16 compares");
_Static_assert(sizeof(PERSONAL) - 1 == crypto_generichash_blake2b_PERSONALBYTES, "a personalization fills its field");

static void make(const uint8_t *key, span realm, span bytes, uint8_t out[static TAG_BYTES])
{
	crypto_generichash_blake2b_state state;
	uint8_t prefix[8];

	for (size_t b = 0; b < sizeof(prefix); b++)
		prefix[b] = (uint8_t)((uint64_t)realm.len >> (8 * b));
	(void)crypto_generichash_blake2b_init_salt_personal(&state, NULL, 0, TAG_BYTES, NULL,
							    (const uint8_t *)PERSONAL);
	(void)crypto_generichash_blake2b_update(&state, key, SUBKEY_BYTES);
	(void)crypto_generichash_blake2b_update(&state, prefix, sizeof(prefix));
	(void)crypto_generichash_blake2b_update(&state, realm.ptr, realm.len);
	(void)crypto_generichash_blake2b_update(&state, bytes.ptr, bytes.len);
	(void)crypto_generichash_blake2b_final(&state, out, TAG_BYTES);
	sodium_memzero(&state, sizeof(state));
}

void tag_make(const keyring *kr, uint16_t key_id, span realm, span bytes, uint8_t out[static TAG_BYTES])
{
	const uint8_t *key = keyring_subkey(kr, key_id, SUBKEY_TOKEN);

	assert(key != NULL);
	make(key, realm, bytes, out);
}

bool tag_verify(const keyring *kr, uint16_t key_id, span realm, span bytes, const uint8_t tag[static TAG_BYTES])
{
	const uint8_t *key = keyring_subkey(kr, key_id, SUBKEY_TOKEN);
	uint8_t good[TAG_BYTES];
	bool equal;

	if (key == NULL)
		return false;
	make(key, realm, bytes, good);
	equal = crypto_verify_16(good, tag) == 0;
	sodium_memzero(good, sizeof(good));
	return equal;
}
