#ifndef LK_CRYPTO_SUBKEYS_H
#define LK_CRYPTO_SUBKEYS_H

/* The keyring's inside, for this folder only. */

#include "crypto/keyring.h"
#include "crypto/names.h"

#define SUBKEY_BYTES 32

enum subkey {
	SUBKEY_TOKEN,
	SUBKEY_METADATA,
	SUBKEY_DATA,
	SUBKEY_ANONYMOUS,
	SUBKEY_PART_METADATA,
	SUBKEY_PART_DATA,
	SUBKEY_AUTH,
	SUBKEYS
};

/* Borrowed from the keyring. NULL when it has no key of this number. */
const uint8_t *keyring_subkey(const keyring *kr, uint16_t id, enum subkey which);
const uint8_t *keyring_name_key(const keyring *kr, enum name_purpose purpose);

#endif
