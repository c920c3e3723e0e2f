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

/* ---- Parts of a session's record: ChaCha20-Poly1305 (RFC 8439) under a key of the session's own, which HChaCha20 derives
 * from a subkey and 16 bytes that belong to that session alone. It is what XChaCha20 does with the first 16 bytes of its
 * nonce; here these are known already and need not be stored, and all 96 bits of the nonce that remains are random. Of a
 * session that is written ten million times two nonces meet once in 2^50. ---- */

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
/* As seal_open; out has sealed.len - PART_TAG_BYTES. */
bool part_open(const keyring *kr, const struct part_seal *how, span sealed, uint8_t *out) MUST_CHECK;

#endif
