#ifndef LK_CRYPTO_SEAL_H
#define LK_CRYPTO_SEAL_H

/* XChaCha20-Poly1305 (IETF construction, draft-irtf-cfrg-xchacha-03) with random 192-bit nonces: nonce | text | tag. */

#include "crypto/keyring.h"

#define SEAL_OVERHEAD_BYTES 40 /* 24 of nonce, 16 of tag */

enum seal_key {
	SEAL_METADATA,	/* the service's key alone opens it */
	SEAL_DATA,	/* the service's key and the session id */
	SEAL_ANONYMOUS, /* what is inside an anonymous token; the service's key alone opens it */
	SEAL_AUTH,	/* an answer of the auth cache; the service's key alone opens it */
	SEAL_KEYS
};

/* secret: the session id for SEAL_DATA (32 bytes), SPAN_EMPTY for the others. out has text.len +
 * SEAL_OVERHEAD_BYTES. key_id must be in the keyring. */
void seal(const keyring *kr, uint16_t key_id, enum seal_key which, span secret, span ad, span text, uint8_t *out);

/* False: forged, damaged, bound to something else, or the key id is unknown. out has sealed.len - SEAL_OVERHEAD_BYTES
 * and holds what it held or zeros then, never text that did not verify. */
bool seal_open(const keyring *kr, uint16_t key_id, enum seal_key which, span secret, span ad, span sealed,
	       uint8_t *out) MUST_CHECK;

#endif
