#include "crypto/tag.h"

#include <assert.h>
#include <sodium.h>

#include "crypto/subkeys.h"

static void make(const uint8_t *key, span realm, span bytes, uint8_t out[static TAG_BYTES])
{
	crypto_generichash_state state;
	uint8_t prefix[8];

	for (size_t b = 0; b < sizeof(prefix); b++)
		prefix[b] = (uint8_t)((uint64_t)realm.len >> (8 * b));
	(void)crypto_generichash_init(&state, key, SUBKEY_BYTES, TAG_BYTES);
	(void)crypto_generichash_update(&state, prefix, sizeof(prefix));
	(void)crypto_generichash_update(&state, realm.ptr, realm.len);
	(void)crypto_generichash_update(&state, bytes.ptr, bytes.len);
	(void)crypto_generichash_final(&state, out, TAG_BYTES);
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
	equal = sodium_memcmp(good, tag, TAG_BYTES) == 0;
	sodium_memzero(good, sizeof(good));
	return equal;
}
