/* RFC 8439's construction by the library's pieces: for short texts its own function takes half as long again, for it makes
 * the one-time key by a call of its own, and has Poly1305 fed bit by bit. Here one call makes the one-time key and turns
 * the text, for both come of consecutive blocks; another makes the tag over one buffer. Longer texts go to the library's
 * function, which says the same.
 *
 * A text that does not verify has been turned already when that is known. It is wiped where it was turned, and nobody gets
 * to see it. */

#include "crypto/part.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "crypto/block.h"
#include "crypto/length.h"
#include "crypto/subkeys.h"

/* By AVX2 eight blocks are made at once, and cost as much as four, which are next; five to seven cost more (counted). A
 * part of a block costs more than all of it. */
#define EIGHT_BLOCKS_BYTES ((size_t)8 * BLOCK_BYTES)
#define FOUR_BLOCKS_BYTES  ((size_t)4 * BLOCK_BYTES)

/* What a session usually has; so large that the stack need not mind. */
#define SHORT_AD_BYTES_MAX   512U
#define SHORT_TEXT_BYTES_MAX (3U * EIGHT_BLOCKS_BYTES - BLOCK_BYTES)

#define MAC_BLOCK_BYTES 16U

_Static_assert(PART_SALT_BYTES == BLOCK_INPUT_BYTES, "a salt makes a block");
_Static_assert(SUBKEY_BYTES == BLOCK_KEY_BYTES, "subkeys are its keys");
_Static_assert(SUBKEY_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "derived keys are AEAD keys");
_Static_assert(PART_NONCE_BYTES == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "nonces of RFC 8439");
_Static_assert(PART_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "tags of RFC 8439");
_Static_assert(PART_TAG_BYTES == crypto_onetimeauth_BYTES, "which are Poly1305's");
_Static_assert(crypto_onetimeauth_KEYBYTES <= BLOCK_BYTES, "a block holds a one-time key");
_Static_assert(SHORT_AD_BYTES_MAX % MAC_BLOCK_BYTES == 0 && SHORT_TEXT_BYTES_MAX % MAC_BLOCK_BYTES == 0,
	       "whole blocks");

struct turning {
	uint8_t blocks[BLOCK_BYTES + SHORT_TEXT_BYTES_MAX]; /* block 0, which begins with Poly1305's key; the text */
	size_t len;					    /* in use */
};

/* The first half is the key. False: there is none of this number. */
static bool key_for(const keyring *kr, const struct part_seal *how, uint8_t ret[static BLOCK_BYTES])
{
	static const enum subkey subkeys[PART_KEYS] = {
	    [PART_KEY_METADATA] = SUBKEY_PART_METADATA, [PART_KEY_DATA] = SUBKEY_PART_DATA};
	const uint8_t *subkey;

	assert(how->which < PART_KEYS);
	subkey = keyring_subkey(kr, how->key_id, subkeys[how->which]);
	if (subkey == NULL)
		return false;
	block_make(subkey, how->salt, ret);
	return true;
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static size_t blocks_for(size_t bytes)
{
	const size_t rest = bytes % EIGHT_BLOCKS_BYTES;

	return round_up(bytes, rest > FOUR_BLOCKS_BYTES ? EIGHT_BLOCKS_BYTES : BLOCK_BYTES);
}

/* Text to sealed text or back, and the key for the tag. */
static void turn(struct turning *t, span text, const uint8_t *nonce, const uint8_t *key)
{
	t->len = blocks_for(BLOCK_BYTES + text.len);
	memset(t->blocks, 0, BLOCK_BYTES);
	if (text.len > 0)
		memcpy(t->blocks + BLOCK_BYTES, text.ptr, text.len);
	memset(t->blocks + BLOCK_BYTES + text.len, 0, t->len - BLOCK_BYTES - text.len);
	(void)crypto_stream_chacha20_ietf_xor_ic(t->blocks, t->blocks, t->len, nonce, 0, key);
}

static uint8_t *put_padded(uint8_t *at, span s)
{
	const size_t room = round_up(s.len, MAC_BLOCK_BYTES);

	if (s.len > 0)
		memcpy(at, s.ptr, s.len);
	memset(at + s.len, 0, room - s.len);
	return at + room;
}

/* What the tag is made of (RFC 8439, 2.8). */
struct tagged {
	uint8_t bytes[SHORT_AD_BYTES_MAX + SHORT_TEXT_BYTES_MAX + 2 * LENGTH_BYTES];
	size_t len;
};

static void tagged_fill(struct tagged *m, span ad, span sealed_text)
{
	uint8_t *at = put_padded(m->bytes, ad);

	at = put_padded(at, sealed_text);
	length_write(ad.len, at);
	length_write(sealed_text.len, at + LENGTH_BYTES);
	m->len = (size_t)(at - m->bytes) + 2 * LENGTH_BYTES;
}

static bool is_short(span ad, size_t text_len)
{
	return ad.len <= SHORT_AD_BYTES_MAX && text_len <= SHORT_TEXT_BYTES_MAX;
}

static void seal_short(const struct part_seal *how, const uint8_t *key, span text, uint8_t *out)
{
	struct turning t;
	struct tagged m;

	turn(&t, text, how->nonce, key);
	if (text.len > 0)
		memcpy(out, t.blocks + BLOCK_BYTES, text.len);
	tagged_fill(&m, how->ad, span_of(out, text.len));
	(void)crypto_onetimeauth(out + text.len, m.bytes, m.len, t.blocks);
	sodium_memzero(t.blocks, t.len);
}

static bool open_short(const struct part_seal *how, const uint8_t *key, span sealed, uint8_t *out)
{
	const span text = span_of(sealed.ptr, sealed.len - PART_TAG_BYTES);
	struct turning t;
	struct tagged m;
	bool opened;

	turn(&t, text, how->nonce, key);
	tagged_fill(&m, how->ad, text);
	opened = crypto_onetimeauth_verify(sealed.ptr + text.len, m.bytes, m.len, t.blocks) == 0;
	if (opened && text.len > 0)
		memcpy(out, t.blocks + BLOCK_BYTES, text.len);
	sodium_memzero(t.blocks, t.len);
	return opened;
}

void part_seal(const keyring *kr, const struct part_seal *how, span text, uint8_t *out)
{
	uint8_t key[BLOCK_BYTES];
	const bool found = key_for(kr, how, key);

	assert(found);
	(void)found;
	if (is_short(how->ad, text.len))
		seal_short(how, key, text, out);
	else
		(void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, text.ptr, text.len, how->ad.ptr, how->ad.len,
								NULL, how->nonce, key);
	sodium_memzero(key, sizeof(key));
}

bool part_open(const keyring *kr, const struct part_seal *how, span sealed, uint8_t *out)
{
	uint8_t key[BLOCK_BYTES];
	bool opened;

	if (sealed.len < PART_TAG_BYTES || !key_for(kr, how, key))
		return false;
	if (is_short(how->ad, sealed.len - PART_TAG_BYTES))
		opened = open_short(how, key, sealed, out);
	else
		opened = crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.ptr, sealed.len, how->ad.ptr,
								   how->ad.len, how->nonce, key) == 0;
	sodium_memzero(key, sizeof(key));
	return opened;
}

/* Of a part that has been vouched for: the blocks behind the first. */
static bool open_text(const keyring *kr, const struct part_sealed *part, uint8_t *out)
{
	const size_t len = part->sealed.len - PART_TAG_BYTES;
	const size_t rest = len % BLOCK_BYTES;
	const size_t whole = len - rest;
	const uint32_t rest_block = (uint32_t)(1 + whole / BLOCK_BYTES);
	uint8_t last[BLOCK_BYTES] = {0};
	uint8_t key[BLOCK_BYTES];

	if (!key_for(kr, &part->how, key))
		return false;
	if (whole > 0)
		(void)crypto_stream_chacha20_ietf_xor_ic(out, part->sealed.ptr, whole, part->how.nonce, 1, key);
	if (rest > 0) {
		memcpy(last, part->sealed.ptr + whole, rest);
		(void)crypto_stream_chacha20_ietf_xor_ic(last, last, sizeof(last), part->how.nonce, rest_block, key);
		memcpy(out + whole, last, rest);
	}
	sodium_memzero(last, sizeof(last));
	sodium_memzero(key, sizeof(key));
	return true;
}

bool part_open_both(const keyring *kr, const struct part_sealed *inner, uint8_t *inner_out,
		    const struct part_sealed *outer, uint8_t *outer_out)
{
	const span ad = outer->how.ad;

	if (inner->sealed.len < PART_TAG_BYTES)
		return false;
	assert(ad.len >= inner->sealed.len &&
	       memcmp(ad.ptr + ad.len - inner->sealed.len, inner->sealed.ptr, inner->sealed.len) == 0);
	assert(inner->how.key_id == outer->how.key_id); /* where the one's key is found the other's is */
	return part_open(kr, &outer->how, outer->sealed, outer_out) && open_text(kr, inner, inner_out);
}
