#include "crypto/seal.h"

#include <assert.h>
#include <sodium.h>

#include "crypto/subkeys.h"

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define MAC_BYTES   crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(NONCE_BYTES + MAC_BYTES == SEAL_OVERHEAD_BYTES, "nonce and tag make the overhead");
_Static_assert(SUBKEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "subkeys are AEAD keys");

/* False: no such key. */
static bool key_for(const keyring *kr, uint16_t key_id, enum seal_key which, span secret,
		    uint8_t ret[static SUBKEY_BYTES])
{
	static const enum subkey subkeys[SEAL_KEYS] = {[SEAL_METADATA] = SUBKEY_METADATA,
						       [SEAL_DATA] = SUBKEY_DATA,
						       [SEAL_ANONYMOUS] = SUBKEY_ANONYMOUS,
						       [SEAL_AUTH] = SUBKEY_AUTH};
	const uint8_t *subkey;

	assert(which < SEAL_KEYS);
	assert((which == SEAL_DATA) == (secret.len > 0));
	subkey = keyring_subkey(kr, key_id, subkeys[which]);
	if (subkey == NULL)
		return false;
	if (which == SEAL_DATA)
		(void)crypto_generichash(ret, SUBKEY_BYTES, secret.ptr, secret.len, subkey, SUBKEY_BYTES);
	else
		memcpy(ret, subkey, SUBKEY_BYTES);
	return true;
}

void seal(const keyring *kr, uint16_t key_id, enum seal_key which, span secret, span ad, span text, uint8_t *out)
{
	uint8_t key[SUBKEY_BYTES];
	const bool found = key_for(kr, key_id, which, secret, key);

	assert(found);
	(void)found;
	randombytes_buf(out, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_BYTES, NULL, text.ptr, text.len, ad.ptr, ad.len,
							 NULL, out, key);
	sodium_memzero(key, sizeof(key));
}

bool seal_open(const keyring *kr, uint16_t key_id, enum seal_key which, span secret, span ad, span sealed, uint8_t *out)
{
	uint8_t key[SUBKEY_BYTES];
	bool opened;

	if (sealed.len < SEAL_OVERHEAD_BYTES || !key_for(kr, key_id, which, secret, key))
		return false;
	opened =
	    crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.ptr + NONCE_BYTES,
						       sealed.len - NONCE_BYTES, ad.ptr, ad.len, sealed.ptr, key) == 0;
	sodium_memzero(key, sizeof(key));
	return opened;
}
