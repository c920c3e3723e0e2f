#ifndef LK_CRYPTO_TAG_H
#define LK_CRYPTO_TAG_H

/* The 128-bit BLAKE2b tag of a token, over a key, the realm's name (length-prefixed) and the token's bytes. */

#include "crypto/keyring.h"

#define TAG_BYTES 16

/* Of a realm's name and a token's bytes together: 64 and 59 today. The bytes are one at least. */
#define TAGGED_BYTES_MAX 256

/* key_id must be in the keyring. */
void tag_make(const keyring *kr, uint16_t key_id, span realm, span bytes, uint8_t out[static TAG_BYTES]);

/* Constant-time in the tag. False also when the key id is unknown. */
bool tag_verify(const keyring *kr, uint16_t key_id, span realm, span bytes,
		const uint8_t tag[static TAG_BYTES]) MUST_CHECK;

#endif
