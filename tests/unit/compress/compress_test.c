#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "compress/compress.h"

#define TEXT_BYTES 20000

struct bench {
	arena *a;
	uint8_t zeros[TEXT_BYTES];
	uint8_t noise[TEXT_BYTES];
};

static int start(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	uint32_t x = 1;

	b->a = arena_new(4096, 1048576);
	for (size_t i = 0; i < TEXT_BYTES; i++) {
		x = x * 1664525 + 1013904223;
		b->noise[i] = (uint8_t)(x >> 24);
	}
	*state = b;
	return 0;
}

static int stop(void **state)
{
	struct bench *b = *state;

	arena_free(&b->a);
	free(b);
	return 0;
}

static void what_gains_is_compressed_and_comes_back(void **state)
{
	struct bench *b = *state;
	const span text = span_of(b->zeros, TEXT_BYTES);
	span packed;
	span back;

	assert_true(compress_text(b->a, text, &packed));
	assert_true(packed.len < text.len / 8);
	assert_true(decompress_text(b->a, packed, TEXT_BYTES, &back));
	assert_true(span_eq(back, text));
}

static void what_does_not_gain_is_left_alone(void **state)
{
	struct bench *b = *state;
	span packed = SPAN_LIT("untouched");

	assert_false(compress_text(b->a, span_of(b->noise, TEXT_BYTES), &packed));
	assert_false(compress_text(b->a, span_of(b->zeros, COMPRESS_BYTES_MIN - 1), &packed));
	assert_true(span_eq(packed, SPAN_LIT("untouched")));
	assert_true(compress_text(b->a, span_of(b->zeros, COMPRESS_BYTES_MIN), &packed));
}

static void an_eighth_is_the_least_gain(void **state)
{
	struct bench *b = *state;
	span packed;

	/* Noise that zeros follow: what is left is about the noise. */
	memcpy(b->zeros, b->noise, TEXT_BYTES);
	memset(b->zeros + TEXT_BYTES - TEXT_BYTES / 16, 0, TEXT_BYTES / 16);
	assert_false(compress_text(b->a, span_of(b->zeros, TEXT_BYTES), &packed));
	memset(b->zeros + TEXT_BYTES - TEXT_BYTES / 4, 0, TEXT_BYTES / 4);
	assert_true(compress_text(b->a, span_of(b->zeros, TEXT_BYTES), &packed));
	memset(b->zeros, 0, TEXT_BYTES);
}

static void a_frame_cannot_ask_for_more_than_the_bound(void **state)
{
	struct bench *b = *state;
	/* An empty frame that announces 2^63 bytes of content. */
	const uint8_t bomb[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80, 1, 0, 0};
	/* One that announces nothing. */
	const uint8_t silent[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 1, 0, 0};
	const size_t before = arena_used(b->a);
	span packed;
	span back;

	assert_false(decompress_text(b->a, span_of(bomb, sizeof(bomb)), 32768, &back));
	assert_false(decompress_text(b->a, span_of(silent, sizeof(silent)), 32768, &back));
	assert_int_equal(arena_used(b->a), before);
	assert_true(compress_text(b->a, span_of(b->zeros, TEXT_BYTES), &packed));
	assert_false(decompress_text(b->a, packed, TEXT_BYTES - 1, &back));
}

static void damaged_frames_do_not_open_wrongly(void **state)
{
	struct bench *b = *state;
	uint8_t copy[TEXT_BYTES];
	span packed;
	span back;

	memcpy(b->zeros, b->noise, 300);
	assert_true(compress_text(b->a, span_of(b->zeros, TEXT_BYTES), &packed));
	for (size_t len = 0; len < packed.len; len++)
		assert_false(decompress_text(b->a, span_of(packed.ptr, len), TEXT_BYTES, &back));
	/* A flipped bit may open to another text (the seal around it tells), within the bound. */
	for (size_t bit = 0; bit < 8 * packed.len; bit++) {
		arena *a = arena_new(64, 65536);

		memcpy(copy, packed.ptr, packed.len);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (decompress_text(a, span_of(copy, packed.len), TEXT_BYTES, &back))
			assert_true(back.len <= TEXT_BYTES);
		arena_free(&a);
	}
	memset(b->zeros, 0, TEXT_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_gains_is_compressed_and_comes_back),
	    cmocka_unit_test(what_does_not_gain_is_left_alone),
	    cmocka_unit_test(an_eighth_is_the_least_gain),
	    cmocka_unit_test(a_frame_cannot_ask_for_more_than_the_bound),
	    cmocka_unit_test(damaged_frames_do_not_open_wrongly),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
