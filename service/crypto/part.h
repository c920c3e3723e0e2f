#ifndef LK_CRYPTO_PART_H
#define LK_CRYPTO_PART_H

/* Parts of a session's record: ChaCha20-Poly1305 (RFC 8439) under a key of the session's own, which is derived from a subkey
 * and 16 bytes that belong to that session alone (crypto/block.h). It is what XChaCha20 does with the first 16 bytes of its
 * nonce; here these are known already and need not be stored, and all 96 bits of the nonce that remains are random. Of a
 * session that is written ten million times two nonces meet once in 2^50. */

#include "crypto/keyring.h"

#define PART_SALT_BYTES	 16
#define PART_NONCE_BYTES 12
#define PART_TAG_BYTES	 16

enum part_key {
	PART_KEY_METADATA, /* salt: the session's name. The service's key and what is in Redis open it */
	PART_KEY_DATA,	   /* salt: the second half of the session id, a secret. Only who has the token opens it */
	PART_KEYS
};

struct part_seal {
	uint16_t key_id;
	enum part_key which;
	const uint8_t *salt;  /* PART_SALT_BYTES */
	const uint8_t *nonce; /* PART_NONCE_BYTES, random. Two parts under different keys may share one */
	span ad;
};

/* out has text.len + PART_TAG_BYTES. The key must be in the keyring. */
void part_seal(const keyring *kr, const struct part_seal *how, span text, uint8_t *out);

/* False: forged, damaged, bound to something else, or the key id is unknown. out has sealed.len - PART_TAG_BYTES and holds
 * what it held or zeros then, never text that did not verify. */
bool part_open(const keyring *kr, const struct part_seal *how, span sealed, uint8_t *out) MUST_CHECK;

struct part_sealed {
	struct part_seal how;
	span sealed;
};

/* Two parts of which the outer is bound to the sealed inner one: its ad ends in it. So the outer's tag vouches for both,
 * and the inner's, for those who cannot open the outer, need not be looked at. Both or neither. */
bool part_open_both(const keyring *kr, const struct part_sealed *inner, uint8_t *inner_out,
		    const struct part_sealed *outer, uint8_t *outer_out) MUST_CHECK;

#endif
