/* Names, tags, seals and text forms. The known answers were made by an independent implementation (Python's hashlib
 * for BLAKE2b; XChaCha20-Poly1305 after the draft): what is stored depends on every one of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/codec.h"
#include "crypto/names.h"
#include "crypto/seal.h"
#include "crypto/tag.h"
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

static void expect_hex(const uint8_t *bytes, size_t len, const char *wanted)
{
	char text[256];

	assert_true(2 * len < sizeof(text));
	hex_encode(span_of(bytes, len), text);
	text[2 * len] = 0;
	assert_string_equal(text, wanted);
}

static void fill(uint8_t *bytes, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(first + i);
}

static void names_are_what_they_were(void **state)
{
	const span user[] = {SPAN_LIT("default"), SPAN_LIT("ann")};
	const span idem[] = {SPAN_LIT("default"), SPAN_LIT("caller"), SPAN_LIT("Create"), SPAN_LIT("key")};
	const span a = SPAN_LIT("a");
	uint8_t id[32];
	uint8_t whole[32];
	uint8_t out[16];

	fill(id, sizeof(id), 64);
	name_hash(*state, NAME_USER_TAG, user, 2, out, 8);
	expect_hex(out, 8, "ed65ca7a832a9705");
	name_session(*state, id, whole, sizeof(whole));
	expect_hex(whole, sizeof(whole), "5b154213d794a316deff00d868bf53f0330bcd178b744b82634bf8164518b68f");
	name_hash(*state, NAME_SCOPE, user, 1, out, 2);
	expect_hex(out, 2, "0013");
	name_hash(*state, NAME_IDEMPOTENCY, idem, 4, out, 16);
	expect_hex(out, 16, "41b03e1bed204888965fe42cbacd0c7b");
	name_hash(*state, NAME_FINGERPRINT, &a, 1, out, 16);
	expect_hex(out, 16, "4f66975c9607743b804d8c808c814a18");
}

static void lists_of_inputs_do_not_collide(void **state)
{
	const span lists[][3] = {{SPAN_LIT("ab"), SPAN_LIT("c"), SPAN_EMPTY},
				 {SPAN_LIT("a"), SPAN_LIT("bc"), SPAN_EMPTY},
				 {SPAN_LIT("abc"), SPAN_EMPTY, SPAN_EMPTY},
				 {SPAN_EMPTY, SPAN_LIT("abc"), SPAN_EMPTY}};
	uint8_t out[5][16];

	for (int i = 0; i < 4; i++)
		name_hash(*state, NAME_USER_TAG, lists[i], 3, out[i], 16);
	name_hash(*state, NAME_USER_TAG, lists[0], 2, out[4], 16);
	for (int i = 0; i < 5; i++)
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(out[i], out[k], 16);
}

static void tags_are_what_they_were(void **state)
{
	uint8_t bytes[56];
	uint8_t tag[TAG_BYTES];

	assert_true(hex_decode(SPAN_LIT("0100010069248100"
					"0000a8c000000708"
					"ed65ca7a832a9705"
					"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"),
			       bytes, sizeof(bytes)));
	tag_make(*state, 1, SPAN_LIT("default"), span_of(bytes, sizeof(bytes)), tag);
	expect_hex(tag, sizeof(tag), "4612f94f1a3bdda50201f9cca156e58a");
}

static void tags_verify_for_one_text_realm_and_key(void **state)
{
	const span text = SPAN_LIT("text");
	uint8_t tag[TAG_BYTES];

	tag_make(*state, 1, SPAN_LIT("realm"), text, tag);
	assert_true(tag_verify(*state, 1, SPAN_LIT("realm"), text, tag));
	assert_false(tag_verify(*state, 2, SPAN_LIT("realm"), text, tag));
	assert_false(tag_verify(*state, 3, SPAN_LIT("realm"), text, tag));
	assert_false(tag_verify(*state, 1, SPAN_LIT("real"), SPAN_LIT("mtext"), tag));
	assert_false(tag_verify(*state, 1, SPAN_LIT("realm"), SPAN_LIT("texu"), tag));
	for (size_t bit = 0; bit < 8 * sizeof(tag); bit++) {
		tag[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(tag_verify(*state, 1, SPAN_LIT("realm"), text, tag));
		tag[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

static void seals_of_before_open(void **state)
{
	uint8_t sealed[64];
	uint8_t id[32];
	char text[8];

	fill(id, sizeof(id), 64);
	assert_true(hex_decode(SPAN_LIT("000102030405060708090a0b0c0d0e0f1011121314151617"
					"54372e5e9ce27fc775b4710f9976c5acdaaeed6d7c028598"),
			       sealed, 48));
	assert_true(seal_open(*state, 1, SEAL_METADATA, SPAN_EMPTY, SPAN_LIT("bound to"), span_of(sealed, 48),
			      (uint8_t *)text));
	assert_memory_equal(text, "metadata", 8);
	assert_true(hex_decode(SPAN_LIT("000102030405060708090a0b0c0d0e0f1011121314151617"
					"ee026d1fd04e6033a243469757cd7b5cfd87062a"),
			       sealed, 44));
	assert_true(seal_open(*state, 1, SEAL_DATA, span_of(id, sizeof(id)), SPAN_LIT("bound to"), span_of(sealed, 44),
			      (uint8_t *)text));
	assert_memory_equal(text, "data", 4);
}

static void seals_open_whole_and_in_place_only(void **state)
{
	const span text = SPAN_LIT("some attributes");
	const span ad = SPAN_LIT("lk1:s:{..}:..");
	uint8_t secret[32] = {1};
	uint8_t sealed[15 + SEAL_OVERHEAD_BYTES];
	uint8_t again[15 + SEAL_OVERHEAD_BYTES];
	uint8_t out[15];
	span whole = span_of(sealed, sizeof(sealed));
	span id = span_of(secret, sizeof(secret));

	seal(*state, 1, SEAL_DATA, id, ad, text, sealed);
	seal(*state, 1, SEAL_DATA, id, ad, text, again);
	assert_memory_not_equal(sealed, again, sizeof(sealed));
	assert_true(seal_open(*state, 1, SEAL_DATA, id, ad, whole, out));
	assert_memory_equal(out, text.ptr, text.len);
	assert_false(seal_open(*state, 2, SEAL_DATA, id, ad, whole, out));
	assert_false(seal_open(*state, 3, SEAL_DATA, id, ad, whole, out));
	assert_false(seal_open(*state, 1, SEAL_METADATA, SPAN_EMPTY, ad, whole, out));
	assert_false(seal_open(*state, 1, SEAL_DATA, id, SPAN_LIT("lk1:s:{..}:.,"), whole, out));
	for (size_t len = 0; len < sizeof(sealed); len++)
		assert_false(seal_open(*state, 1, SEAL_DATA, id, ad, span_of(sealed, len), out));
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
		memset(out, 0, sizeof(out));
		assert_false(seal_open(*state, 1, SEAL_DATA, id, ad, whole, out));
		for (size_t i = 0; i < sizeof(out); i++)
			assert_int_equal(out[i], 0);
		sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	secret[31] ^= 1;
	assert_false(seal_open(*state, 1, SEAL_DATA, id, ad, whole, out));
}

static void an_empty_text_seals(void **state)
{
	uint8_t sealed[SEAL_OVERHEAD_BYTES];
	uint8_t out[1];

	seal(*state, 2, SEAL_METADATA, SPAN_EMPTY, SPAN_EMPTY, SPAN_EMPTY, sealed);
	assert_true(seal_open(*state, 2, SEAL_METADATA, SPAN_EMPTY, SPAN_EMPTY, span_of(sealed, sizeof(sealed)), out));
}

static void base64_of_every_length_comes_back(void **state)
{
	uint8_t bytes[200];
	uint8_t back[200];
	char text[300];

	(void)state;
	random_fill(bytes, sizeof(bytes));
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		const span in = span_of(text, BASE64_CHARS(len));

		memset(text, '!', sizeof(text));
		base64_encode(span_of(bytes, len), text);
		assert_int_equal(text[BASE64_CHARS(len)], '!');
		assert_true(base64_decode(in, back, len));
		assert_memory_equal(back, bytes, len);
		if (len > 0)
			assert_false(base64_decode(span_of(text, in.len - 1), back, len));
		text[in.len] = 'A';
		assert_false(base64_decode(span_of(text, in.len + 1), back, len));
	}
}

/* Sixteen characters are read at once: what is wrong is found wherever it stands. */
static void base64_is_strict_everywhere(void **state)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char text[BASE64_CHARS(75)];
	uint8_t out[75];

	(void)state;
	memset(text, '_', sizeof(text));
	for (size_t at = 0; at < sizeof(text); at++) {
		for (int c = 0; c < 256; c++) {
			text[at] = (char)c;
			assert_int_equal(base64_decode(span_of(text, sizeof(text)), out, sizeof(out)),
					 c != 0 && strchr(letters, c) != NULL);
		}
		text[at] = '_';
	}
}

static void base64_is_strict(void **state)
{
	static const char *const bad[] = {"AA=", "A A", "AA\n", "A+A", "A/A", "AAB", "AA.", "\0AA"};
	uint8_t out[2];

	(void)state;
	assert_true(base64_decode(SPAN_LIT("_-A"), out, 2));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(base64_decode(span_of(bad[i], 3), out, 2));
}

/* The library's own decoder takes bytes from 0x80 up for letters. */
static void no_byte_but_the_alphabets_is_read(void **state)
{
	const char *const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t out[3];

	(void)state;
	for (int at = 0; at < 4; at++) {
		for (int c = 0; c < 256; c++) {
			char base64[4] = {'A', 'A', 'A', 'A'};
			char hex[4] = {'0', '0', '0', '0'};

			base64[at] = hex[at] = (char)c;
			assert_int_equal(base64_decode(span_of(base64, 4), out, 3), memchr(letters, c, 64) != NULL);
			assert_int_equal(hex_decode(span_of(hex, 4), out, 2),
					 memchr("0123456789abcdef", c, 16) != NULL);
		}
	}
}

static void hex_is_strict(void **state)
{
	static const char *const bad[] = {"0G", "0:", "A0", " 0", "0\n", "0x", "\x00\x30"};
	uint8_t bytes[100];
	uint8_t back[100];
	char text[201];

	(void)state;
	random_fill(bytes, sizeof(bytes));
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		text[2 * len] = '!';
		hex_encode(span_of(bytes, len), text);
		assert_int_equal(text[2 * len], '!');
		assert_true(hex_decode(span_of(text, 2 * len), back, len));
		assert_memory_equal(back, bytes, len);
		assert_false(hex_decode(span_of(text, 2 * len + 1), back, len));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(hex_decode(span_of(bad[i], 2), back, 1));
}

static void secrets_compare_and_wipe(void **state)
{
	char a[] = "same";
	const char b[] = "same";

	(void)state;
	assert_true(secret_eq(a, b, 4));
	a[3]++;
	assert_false(secret_eq(a, b, 4));
	secret_wipe(a, sizeof(a));
	assert_memory_equal(a, "\0\0\0\0\0", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_what_they_were),
	    cmocka_unit_test(lists_of_inputs_do_not_collide),
	    cmocka_unit_test(tags_are_what_they_were),
	    cmocka_unit_test(tags_verify_for_one_text_realm_and_key),
	    cmocka_unit_test(seals_of_before_open),
	    cmocka_unit_test(seals_open_whole_and_in_place_only),
	    cmocka_unit_test(an_empty_text_seals),
	    cmocka_unit_test(base64_of_every_length_comes_back),
	    cmocka_unit_test(base64_is_strict_everywhere),
	    cmocka_unit_test(base64_is_strict),
	    cmocka_unit_test(no_byte_but_the_alphabets_is_read),
	    cmocka_unit_test(hex_is_strict),
	    cmocka_unit_test(secrets_compare_and_wipe),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
