#ifndef LK_CREDENTIAL_CREDENTIAL_H
#define LK_CREDENTIAL_CREDENTIAL_H

/* A caller's credential, `id.secret`, and what the service keeps of it. Shared by who makes one and who verifies it.
 *
 * The secret is 32 random bytes in base64url: nothing to be guessed, so a plain hash of it is as good as a slow or salted
 * one, and costs a microsecond a frame instead of a second. The hash is BLAKE2b-256 (RFC 7693) over all of the text, the
 * id included. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CREDENTIAL_ID_CHARS_MAX 32 /* a-z 0-9 - _ */
#define CREDENTIAL_SECRET_CHARS 43
#define CREDENTIAL_CHARS_MAX	(CREDENTIAL_ID_CHARS_MAX + 1 + CREDENTIAL_SECRET_CHARS)
#define CREDENTIAL_HASH_BYTES	32
#define CREDENTIAL_HASH_CHARS	43 /* base64url */

bool credential_id_is_valid(const void *id, size_t len);

/* A new one for this id, and its hash, as texts with a NUL. The id must be valid. False: there is no randomness. */
__attribute__((warn_unused_result)) bool credential_new(const char *id, char ret_text[static CREDENTIAL_CHARS_MAX + 1],
							char ret_hash[static CREDENTIAL_HASH_CHARS + 1]);

/* The id's length, and the hash to be compared. False: it is no credential. */
__attribute__((warn_unused_result)) bool credential_read(const void *text, size_t len, size_t *ret_id_len,
							 uint8_t ret_hash[static CREDENTIAL_HASH_BYTES]);

__attribute__((warn_unused_result)) bool credential_hash_read(const void *text, size_t len,
							      uint8_t ret[static CREDENTIAL_HASH_BYTES]);

/* In constant time. */
bool credential_hash_eq(const uint8_t a[static CREDENTIAL_HASH_BYTES], const uint8_t b[static CREDENTIAL_HASH_BYTES]);

#endif
