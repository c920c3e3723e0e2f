#include "crypto/codec.h"

#include <assert.h>
#include <sodium.h>

/* libsodium's encoders end their output in a NUL, for which callers' buffers have no room: longer inputs go through in
 * slices of this many bytes, a multiple of 3, so that no slice but the last has a partial group. */
#define SLICE_BYTES 48

void random_fill(void *out, size_t len)
{
	randombytes_buf(out, len);
}

void base64_encode(span in, char *out)
{
	char text[BASE64_CHARS(SLICE_BYTES) + 1];

	for (size_t at = 0; at < in.len; at += SLICE_BYTES) {
		const size_t n = in.len - at < SLICE_BYTES ? in.len - at : SLICE_BYTES;

		(void)sodium_bin2base64(text, sizeof(text), in.ptr + at, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		memcpy(out, text, BASE64_CHARS(n));
		out += BASE64_CHARS(n);
	}
	sodium_memzero(text, sizeof(text));
}

/* libsodium 1.0.18 reads every byte from 0x80 up as the last letter of the URL-safe alphabet: it never gets to see
 * one. */
static bool is_ascii(span in)
{
	uint8_t all = 0;

	for (size_t i = 0; i < in.len; i++)
		all |= in.ptr[i];
	return all < 0x80;
}

bool base64_decode(span in, uint8_t *out, size_t out_len)
{
	size_t len = 0;

	/* The exact length rules out what the library would let pass: a shorter input, or none. */
	if (in.len != BASE64_CHARS(out_len) || !is_ascii(in))
		return false;
	if (sodium_base642bin(out, out_len, (const char *)in.ptr, in.len, NULL, &len, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return false;
	return len == out_len;
}

void hex_encode(span in, char *out)
{
	char text[2 * SLICE_BYTES + 1];

	for (size_t at = 0; at < in.len; at += SLICE_BYTES) {
		const size_t n = in.len - at < SLICE_BYTES ? in.len - at : SLICE_BYTES;

		(void)sodium_bin2hex(text, sizeof(text), in.ptr + at, n);
		memcpy(out, text, 2 * n);
		out += 2 * n;
	}
	sodium_memzero(text, sizeof(text));
}

bool hex_decode(span in, uint8_t *out, size_t out_len)
{
	size_t len = 0;

	if (in.len != 2 * out_len || !is_ascii(in))
		return false;
	/* One spelling only: a name that can be written in two ways is two names to whoever compares text. */
	for (size_t i = 0; i < in.len; i++)
		if (in.ptr[i] >= 'A' && in.ptr[i] <= 'F')
			return false;
	if (sodium_hex2bin(out, out_len, (const char *)in.ptr, in.len, NULL, &len, NULL) != 0)
		return false;
	return len == out_len;
}

bool secret_eq(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void secret_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}
