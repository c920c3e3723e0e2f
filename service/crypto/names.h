#ifndef LK_CRYPTO_NAMES_H
#define LK_CRYPTO_NAMES_H

/* Keyed BLAKE2b under the keyring's names key: what is in Redis tells nobody whose it is, and a key name is no
 * credential. Each purpose has its own subkey; inputs are length-prefixed, so no two lists of inputs collide. */

#include "crypto/keyring.h"

enum name_purpose {
	NAME_USER_TAG,	  /* realm, user */
	NAME_SESSION,	  /* session id: name_session */
	NAME_SCOPE,	  /* realm; realm, class */
	NAME_IDEMPOTENCY, /* realm, caller, method, key */
	NAME_FINGERPRINT, /* method, and a request's fields */
	NAME_AUTH_ANSWER, /* realm, subject, key */
	NAME_AUTH_GROUP,  /* realm, group */
	NAME_AUTH_LEASE,  /* realm, subject, key, and what the lease says */
	NAME_COUNTER,	  /* realm, visitor counter */
	NAME_VISITOR,	  /* realm, visitor id: the same in all counters, so that they can be united */
	NAME_LIMIT,	  /* realm, limit, algorithm */
	NAME_LOCK,	  /* realm, lock */
	NAME_LOCK_OWNER,  /* an owner's secret; or realm, caller, lock, idempotency key, which make one */
	NAME_FIELD,	  /* of a profile: user tag, name */
	NAME_GROUP,	  /* realm, group or consumer, its name */
	NAME_PURPOSES
};

/* out_len 2..64 bytes. */
void name_hash(const keyring *kr, enum name_purpose purpose, const span *inputs, size_t count, uint8_t *out,
	       size_t out_len);

#define NAME_SECRET_BYTES 16

/* A session's name, from the first 16 bytes of its id: one block under the purpose's subkey (crypto/block.h), a
 * pseudo-random function of 16 bytes at a third of the price of a keyed BLAKE2b, and every Get pays it. Whoever had the
 * subkey and could undo it would know this half of the id; what is sealed for the token's holder is under the other half
 * (crypto/part.h). out_len up to 64 bytes. */
void name_session(const keyring *kr, const uint8_t half[static NAME_SECRET_BYTES], uint8_t *out, size_t out_len);

#endif
