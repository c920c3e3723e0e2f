#include "credential/credential.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SECRET_BYTES 32
#define SEPARATOR    '.'

_Static_assert(CREDENTIAL_SECRET_CHARS == (SECRET_BYTES * 4 + 2) / 3, "base64url without padding");
_Static_assert(CREDENTIAL_HASH_CHARS == (CREDENTIAL_HASH_BYTES * 4 + 2) / 3, "base64url without padding");

bool credential_id_is_valid(const void *id, size_t len)
{
	const char *c = id;

	if (len == 0 || len > CREDENTIAL_ID_CHARS_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!(c[i] >= 'a' && c[i] <= 'z') && !(c[i] >= '0' && c[i] <= '9') && c[i] != '-' && c[i] != '_')
			return false;
	return true;
}

static void hash(const void *text, size_t len, uint8_t out[static CREDENTIAL_HASH_BYTES])
{
	(void)crypto_generichash(out, CREDENTIAL_HASH_BYTES, text, len, NULL, 0);
}

static void print(const uint8_t *bytes, size_t len, char *out, size_t room)
{
	(void)sodium_bin2base64(out, room, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool credential_new(const char *id, char ret_text[static CREDENTIAL_CHARS_MAX + 1],
		    char ret_hash[static CREDENTIAL_HASH_CHARS + 1])
{
	const size_t id_len = strlen(id);
	uint8_t secret[SECRET_BYTES];
	uint8_t digest[CREDENTIAL_HASH_BYTES];

	if (sodium_init() < 0)
		return false;
	randombytes_buf(secret, sizeof(secret));
	(void)snprintf(ret_text, CREDENTIAL_CHARS_MAX + 1, "%s%c", id, SEPARATOR);
	print(secret, sizeof(secret), ret_text + id_len + 1, CREDENTIAL_SECRET_CHARS + 1);
	sodium_memzero(secret, sizeof(secret));
	hash(ret_text, strlen(ret_text), digest);
	print(digest, sizeof(digest), ret_hash, CREDENTIAL_HASH_CHARS + 1);
	return true;
}

/* Strict: one spelling for each value. The library takes some bytes from 0x80 up for characters of the alphabet: it never
 * gets to see one. */
static bool read_base64(const char *text, size_t len, uint8_t *out, size_t out_len)
{
	size_t got;
	const char *end;

	for (size_t i = 0; i < len; i++)
		if ((uint8_t)text[i] >= 0x80)
			return false;
	return sodium_base642bin(out, out_len, text, len, NULL, &got, &end, sodium_base64_VARIANT_URLSAFE_NO_PADDING) ==
		   0 &&
	       got == out_len && end == text + len;
}

bool credential_read(const void *text, size_t len, size_t *ret_id_len, uint8_t ret_hash[static CREDENTIAL_HASH_BYTES])
{
	uint8_t secret[SECRET_BYTES];
	const char *separator;
	size_t id_len;
	bool ok;

	if (len <= CREDENTIAL_SECRET_CHARS + 1 || len > CREDENTIAL_CHARS_MAX)
		return false;
	id_len = len - CREDENTIAL_SECRET_CHARS - 1;
	separator = (const char *)text + id_len;
	ok = *separator == SEPARATOR && credential_id_is_valid(text, id_len) &&
	     read_base64(separator + 1, CREDENTIAL_SECRET_CHARS, secret, sizeof(secret));
	sodium_memzero(secret, sizeof(secret));
	if (!ok)
		return false;
	hash(text, len, ret_hash);
	*ret_id_len = id_len;
	return true;
}

bool credential_hash_read(const void *text, size_t len, uint8_t ret[static CREDENTIAL_HASH_BYTES])
{
	return len == CREDENTIAL_HASH_CHARS && read_base64(text, len, ret, CREDENTIAL_HASH_BYTES);
}

bool credential_hash_eq(const uint8_t a[static CREDENTIAL_HASH_BYTES], const uint8_t b[static CREDENTIAL_HASH_BYTES])
{
	return sodium_memcmp(a, b, CREDENTIAL_HASH_BYTES) == 0;
}
