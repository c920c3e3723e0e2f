#ifndef LK_CRYPTO_KEYRING_H
#define LK_CRYPTO_KEYRING_H

/* The service's secret keys. The file is text, readable by its owner only:
 *
 *     # comment
 *     names  BASE64URL(32 bytes)     names what is in Redis (tags, key names); never changes while sessions live
 *     2      BASE64URL(32 bytes)     the first numbered key seals and signs
 *     1      BASE64URL(32 bytes)     all numbered keys open and verify
 *
 * Numbers are 1..65535, each once. From each numbered key four subkeys are derived by crypto_kdf (BLAKE2b): token
 * tags, sealed metadata, sealed data, sealed anonymous tokens. Subkeys live in guarded, locked memory that is left out of core dumps and is
 * wiped when the last reference goes; the master keys are wiped as soon as the subkeys are made.
 *
 * A keyring is immutable and reference-counted: a reload makes a new one. Thread-safe. */

#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

typedef struct keyring keyring;

#define KEYRING_KEYS_MAX 64

/* Call once, before anything else in this folder. False: libsodium cannot start. */
bool crypto_start(void) MUST_CHECK;

/* INVALID_ARGUMENT with the file, the line and the remedy; FAILED_PRECONDITION when others may read the file.
 * *ret is untouched on failure. */
enum status_code keyring_load(const char *path, keyring **ret, struct status *st) MUST_CHECK;

/* Writes a new file (mode 0600) with a names key and key 1, durable before it returns. ALREADY_EXISTS if there is
 * one. */
enum status_code keyring_create(const char *path, struct status *st) MUST_CHECK;

keyring *keyring_retain(keyring *kr);
/* Nulls *kr; accepts NULL in it. */
void keyring_release(keyring **kr);

/* The number of the key that seals and signs. */
uint16_t keyring_first_id(const keyring *kr);
bool keyring_has(const keyring *kr, uint16_t id);

#endif
