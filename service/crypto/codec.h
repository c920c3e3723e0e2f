#ifndef LK_CRYPTO_CODEC_H
#define LK_CRYPTO_CODEC_H

/* Randomness, and the two text forms of bytes, in time that does not depend on them. */

#include "base/span.h"
#include "base/status.h"

void random_fill(void *out, size_t len);

/* base64url without padding (RFC 4648 section 5). */
#define BASE64_CHARS(bytes) (((bytes)*4 + 2) / 3)

/* out has BASE64_CHARS(in.len) bytes; no terminator. */
void base64_encode(span in, char *out);

/* Strict: exactly BASE64_CHARS(out_len) characters of the alphabet, spare bits zero. Whole or not at all: on failure
 * out's contents are unspecified. */
bool base64_decode(span in, uint8_t *out, size_t out_len) MUST_CHECK;

/* Lower-case; out has 2 * in.len bytes; no terminator. */
void hex_encode(span in, char *out);
bool hex_decode(span in, uint8_t *out, size_t out_len) MUST_CHECK;

/* Compares secrets of the same length in constant time. */
bool secret_eq(const void *a, const void *b, size_t len);
void secret_wipe(void *p, size_t len);

#endif
