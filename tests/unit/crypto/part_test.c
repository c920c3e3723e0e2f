/* Parts of records. The known answers were made by an independent implementation of RFC 8439 (in Python): what is stored
 * depends on every one of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/codec.h"
#include "crypto/names.h"
#include "crypto/part.h"
#include "keyfile_of_test.h"

static int start(void **state)
{
	if (!crypto_start())
		return -1;
	*state = load_good(NAMES_LINE KEY_1_LINE KEY_2_LINE);
	return 0;
}

static int stop(void **state)
{
	keyring *kr = *state;

	keyring_release(&kr);
	return 0;
}

static void fill(uint8_t *bytes, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(first + i);
}

static void parts_of_before_open(void **state)
{
	uint8_t nonce[PART_NONCE_BYTES];
	uint8_t salt[PART_SALT_BYTES];
	struct part_seal how = {
	    .key_id = 1, .which = PART_KEY_DATA, .salt = salt, .nonce = nonce, .ad = SPAN_LIT("bound to")};
	uint8_t sealed[64];
	uint8_t text[8];

	fill(nonce, sizeof(nonce), 0);
	fill(salt, sizeof(salt), 80);
	assert_true(hex_decode(SPAN_LIT("f57f9b5c0d7fa3388ab9f676d63a895e96ac2e83"), sealed, 20));
	assert_true(part_open(*state, &how, span_of(sealed, 20), text));
	assert_memory_equal(text, "data", 4);
	how.which = PART_KEY_METADATA;
	assert_false(part_open(*state, &how, span_of(sealed, 20), text));
	memcpy(salt, "WxVCE9eUoxbe_wDY", sizeof(salt));
	assert_true(hex_decode(SPAN_LIT("c222442019db67ee5edd96b5f97feb5652b1a0d1f1f691e8"), sealed, 24));
	assert_true(part_open(*state, &how, span_of(sealed, 24), text));
	assert_memory_equal(text, "metadata", 8);
}

#define LENGTHS 1600

/* Of every length, short and long, and with associated data of most lengths up to 600: a hash over them all. */
static void parts_of_every_length_are_what_they_were(void **state)
{
	uint8_t text[2048];
	uint8_t sealed[LENGTHS + PART_TAG_BYTES];
	uint8_t back[LENGTHS];
	uint8_t nonce[PART_NONCE_BYTES];
	uint8_t salt[PART_SALT_BYTES];
	struct part_seal how = {.key_id = 1, .which = PART_KEY_DATA, .salt = salt, .nonce = nonce};
	uint8_t hash[16] = {0};
	uint8_t wanted[16];

	fill(nonce, sizeof(nonce), 0);
	fill(salt, sizeof(salt), 80);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(7 * i);
	for (size_t len = 0; len < LENGTHS; len++) {
		const span whole = span_of(sealed, len + PART_TAG_BYTES);

		how.ad = span_of(text, len <= 600 ? len : 77);
		part_seal(*state, &how, span_of(text, len), sealed);
		name_hash(*state, NAME_FINGERPRINT, (const span[]){span_of(hash, sizeof(hash)), whole}, 2, hash,
			  sizeof(hash));
		assert_true(part_open(*state, &how, whole, back));
		assert_memory_equal(back, text, len);
		sealed[len] ^= 1;
		memset(back, 0, sizeof(back));
		assert_false(part_open(*state, &how, whole, back));
		for (size_t i = 0; i < len; i++)
			assert_int_equal(back[i], 0);
	}
	assert_true(hex_decode(SPAN_LIT("9fc1bda1df8ce0509340a8ccd9e4ac03"), wanted, sizeof(wanted)));
	assert_memory_equal(hash, wanted, sizeof(wanted));
}

static void parts_open_for_one_key_salt_nonce_and_purpose(void **state)
{
	uint8_t nonce[PART_NONCE_BYTES] = {1};
	uint8_t salt[PART_SALT_BYTES] = {2};
	const struct part_seal how = {1, PART_KEY_DATA, salt, nonce, SPAN_LIT("bound to")};
	struct part_seal other = how;
	uint8_t sealed[4 + PART_TAG_BYTES];
	const span whole = span_of(sealed, sizeof(sealed));
	uint8_t text[4];

	part_seal(*state, &how, SPAN_LIT("text"), sealed);
	assert_true(part_open(*state, &how, whole, text));
	assert_memory_equal(text, "text", 4);
	for (uint16_t id = 0; id < 4; id++) {
		other.key_id = id;
		assert_int_equal(part_open(*state, &other, whole, text), id == 1);
	}
	other = how;
	other.ad = SPAN_LIT("bound to!");
	assert_false(part_open(*state, &other, whole, text));
	salt[15] ^= 1;
	assert_false(part_open(*state, &how, whole, text));
	salt[15] ^= 1;
	nonce[11] ^= 1;
	assert_false(part_open(*state, &how, whole, text));
	nonce[11] ^= 1;
	for (size_t len = 0; len < sizeof(sealed); len++)
		assert_false(part_open(*state, &how, span_of(sealed, len), text));
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(part_open(*state, &how, whole, text));
		sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_true(part_open(*state, &how, whole, text));
}

struct both {
	uint8_t ad[512];
	uint8_t inner[300 + PART_TAG_BYTES];
	uint8_t outer[8 + PART_TAG_BYTES];
};

static const uint8_t a_nonce[PART_NONCE_BYTES] = {1};
static const uint8_t a_salt[PART_SALT_BYTES] = {2};
static const uint8_t other_salt[PART_SALT_BYTES] = {3};

static bool open_both(const keyring *kr, struct both *b, size_t inner_len, uint8_t *inner_text, uint8_t *outer_text)
{
	const struct part_sealed inner = {.how = {1, PART_KEY_METADATA, a_salt, a_nonce, SPAN_EMPTY},
					  .sealed = span_of(b->inner, inner_len)};
	const struct part_sealed outer = {.how = {1, PART_KEY_DATA, other_salt, a_nonce, span_of(b->ad, 5 + inner_len)},
					  .sealed = span_of(b->outer, sizeof(b->outer))};

	memcpy(b->ad, "place", 5);
	memcpy(b->ad + 5, b->inner, inner_len);
	return part_open_both(kr, &inner, inner_text, &outer, outer_text);
}

static void seal_both(const keyring *kr, span inner_text, struct both *ret)
{
	const struct part_seal inner = {1, PART_KEY_METADATA, a_salt, a_nonce, SPAN_LIT("place")};
	const size_t inner_len = inner_text.len + PART_TAG_BYTES;
	const struct part_seal outer = {1, PART_KEY_DATA, other_salt, a_nonce, span_of(ret->ad, 5 + inner_len)};

	part_seal(kr, &inner, inner_text, ret->inner);
	memcpy(ret->ad, "place", 5);
	memcpy(ret->ad + 5, ret->inner, inner_len);
	part_seal(kr, &outer, SPAN_LIT("the data"), ret->outer);
}

static void an_inner_part_of_every_length_opens_with_the_outer(void **state)
{
	struct both b;
	uint8_t text[300];
	uint8_t inner_text[300];
	uint8_t outer_text[8];

	fill(text, sizeof(text), 5);
	for (size_t len = 0; len <= sizeof(text); len++) {
		seal_both(*state, span_of(text, len), &b);
		memset(inner_text, 0, sizeof(inner_text));
		assert_true(open_both(*state, &b, len + PART_TAG_BYTES, inner_text, outer_text));
		assert_memory_equal(inner_text, text, len);
		assert_memory_equal(outer_text, "the data", 8);
		for (size_t i = len; i < sizeof(inner_text); i++)
			assert_int_equal(inner_text[i], 0);
	}
}

static void nothing_of_two_parts_opens_when_either_was_touched(void **state)
{
	const uint8_t zeros[64] = {0};
	struct both b;
	uint8_t inner_text[64] = {0};
	uint8_t outer_text[8] = {0};

	seal_both(*state, SPAN_LIT("the metadata"), &b);
	for (size_t bit = 0; bit < 8 * (12 + PART_TAG_BYTES); bit++) {
		b.inner[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(open_both(*state, &b, 12 + PART_TAG_BYTES, inner_text, outer_text));
		b.inner[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(b.outer); bit++) {
		b.outer[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(open_both(*state, &b, 12 + PART_TAG_BYTES, inner_text, outer_text));
		b.outer[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t len = 0; len < 12 + PART_TAG_BYTES; len++)
		assert_false(open_both(*state, &b, len, inner_text, outer_text));
	assert_memory_equal(inner_text, zeros, sizeof(inner_text));
	assert_memory_equal(outer_text, zeros, sizeof(outer_text));
	assert_true(open_both(*state, &b, 12 + PART_TAG_BYTES, inner_text, outer_text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parts_of_before_open),
	    cmocka_unit_test(parts_of_every_length_are_what_they_were),
	    cmocka_unit_test(parts_open_for_one_key_salt_nonce_and_purpose),
	    cmocka_unit_test(an_inner_part_of_every_length_opens_with_the_outer),
	    cmocka_unit_test(nothing_of_two_parts_opens_when_either_was_touched),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
