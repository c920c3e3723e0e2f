#ifndef LK_CRYPTO_KEYRING_H
#define LK_CRYPTO_KEYRING_H

/* The service's secret keys. The file is text, readable by its owner only:
 *
 *     # comment
 *     names  BASE64URL(32 bytes)     names what is in Redis (tags, key names); never changes while sessions live
 *     2      BASE64URL(32 bytes)     the first numbered key seals and signs
 *     1      BASE64URL(32 bytes)     all numbered keys open and verify
 *
 * Numbers are 1..65535, each once. From each numbered key subkeys are derived by crypto_kdf (BLAKE2b), one for each
 * use: token tags, the parts of records, anonymous tokens, answers, and so on (subkeys.h). They live in guarded, locked
 * memory that is left out of core dumps and is wiped when the last reference goes; the master keys are wiped as soon as
 * the subkeys are made.
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

/* The file again, to take old's place: what old sealed, signed and named opens, verifies and is found under the new one.
 * INVALID_ARGUMENT with the line also when the names key, or the key of a number, is another than in old, and when old's
 * first key is missing. The counts of both are the same from now on. now_ms: wall clock. */
enum status_code keyring_reload(const keyring *old, const char *path, uint64_t now_ms, keyring **ret,
				struct status *st) MUST_CHECK;

/* Writes a new file (mode 0600) with a names key and key 1, durable before it returns. ALREADY_EXISTS if there is
 * one. */
enum status_code keyring_create(const char *path, struct status *st) MUST_CHECK;

/* Both below write the whole file anew, comments included, and put it in the old one's place at once: durable before they
 * return, same owner and mode. FAILED_PRECONDITION: somebody else is changing the file. */

/* Adds a fresh key behind the others: it opens, and does not seal yet. Its number is one more than the highest. */
enum status_code keyring_add_key(const char *path, uint16_t *ret_id, struct status *st) MUST_CHECK;
/* Makes the key of this number the first. NOT_FOUND. */
enum status_code keyring_promote_key(const char *path, uint16_t id, struct status *st) MUST_CHECK;

keyring *keyring_retain(keyring *kr);
/* Nulls *kr; accepts NULL in it. */
void keyring_release(keyring **kr);

/* The number of the key that seals and signs. */
uint16_t keyring_first_id(const keyring *kr);
bool keyring_has(const keyring *kr, uint16_t id);

/* ---- What is met under each key, since the process started: counts that a reload passes on. ---- */

enum key_use {
	KEY_USE_TOKEN,	/* one verified */
	KEY_USE_RECORD, /* one opened */
	KEY_USE_PART,	/* something besides: only the time is noted */
};

/* id must be in the keyring. now_ms: wall clock; 0: not known. */
void keyring_note(const keyring *kr, uint16_t id, enum key_use use, uint64_t now_ms);

struct keyring_key {
	uint16_t id;
	bool is_first;
	bool is_retired; /* no longer in the keyring */
	uint64_t tokens;
	uint64_t records;
	uint64_t last_used_ms;	 /* 0: never */
	uint64_t first_until_ms; /* when it ceased to be the first; 0: it is, or never was */
};

/* The keys in order, and behind them those that were used and are no longer in it, KEYRING_KEYS_MAX at most. False beyond
 * the last. */
bool keyring_key_at(const keyring *kr, size_t i, struct keyring_key *ret);

#endif
