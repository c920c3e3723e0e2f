#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "compress/compress.h"

#define TEXT_BYTES 20000
#define AGENT	   "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
/* The same, under dictionary 1. */
#define PACKED                                                                                                         \
	0x20, 0x65, 0xad, 0x00, 0x00, 0x10, 0x33, 0x31, 0x06, 0xfc, 0x84, 0x03, 0xf0, 0x49, 0x18, 0x97, 0x1f, 0xcc,    \
	    0xe6, 0xcd, 0xa0, 0x49, 0xad, 0x14, 0xcd, 0x04

struct bench {
	arena *a;
	compressor *c;
	uint8_t zeros[TEXT_BYTES];
	uint8_t noise[TEXT_BYTES];
};

static int start(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	uint32_t x = 1;

	b->a = arena_new(4096, 1048576);
	b->c = compressor_new();
	assert_non_null(b->c);
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

	compressor_free(&b->c);
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

	assert_true(compress_text(b->c, b->a, text, &packed));
	assert_true(packed.len < text.len / 8);
	assert_true(decompress_text(b->c, b->a, packed, TEXT_BYTES, &back));
	assert_true(span_eq(back, text));
}

/* Another dictionary under the same number would make all that is stored unreadable. */
static void a_text_of_before_opens(void **state)
{
	struct bench *b = *state;
	const uint8_t packed[] = {PACKED};
	span back;

	assert_true(decompress_text(b->c, b->a, span_of(packed, sizeof(packed)), TEXT_BYTES, &back));
	assert_true(span_eq(back, SPAN_LIT(AGENT)));
}

static void short_texts_gain_by_the_dictionary(void **state)
{
	struct bench *b = *state;
	span packed;

	assert_true(compress_text(b->c, b->a, SPAN_LIT(AGENT), &packed));
	assert_true(packed.len < sizeof(AGENT) / 3);
}

enum { THREADS = 4, ROUNDS = 500 };

static void *pack_and_unpack(void *arg)
{
	struct bench *b = arg;
	bool good = true;

	for (size_t i = 0; i < ROUNDS && good; i++) {
		arena *a = arena_new(4096, 65536);
		uint8_t text[600];
		span packed;
		span back;

		memcpy(text, b->noise + i, 100);
		memset(text + 100, (int)i, sizeof(text) - 100);
		good = compress_text(b->c, a, span_of(text, sizeof(text)), &packed) &&
		       decompress_text(b->c, a, packed, sizeof(text), &back) &&
		       span_eq(back, span_of(text, sizeof(text)));
		arena_free(&a);
	}
	return good ? b : NULL;
}

static void threads_share_it(void **state)
{
	pthread_t threads[THREADS];
	void *good;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pack_and_unpack, *state), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_non_null(good);
	}
}

static void what_does_not_gain_is_left_alone(void **state)
{
	struct bench *b = *state;
	span packed = SPAN_LIT("untouched");

	assert_false(compress_text(b->c, b->a, span_of(b->noise, TEXT_BYTES), &packed));
	assert_false(compress_text(b->c, b->a, span_of(b->zeros, COMPRESS_BYTES_MIN - 1), &packed));
	assert_true(span_eq(packed, SPAN_LIT("untouched")));
	assert_true(compress_text(b->c, b->a, span_of(b->zeros, COMPRESS_BYTES_MIN), &packed));
}

static void an_eighth_is_the_least_gain(void **state)
{
	struct bench *b = *state;
	span packed;

	/* Noise that zeros follow: what is left is about the noise. */
	memcpy(b->zeros, b->noise, TEXT_BYTES);
	memset(b->zeros + TEXT_BYTES - TEXT_BYTES / 16, 0, TEXT_BYTES / 16);
	assert_false(compress_text(b->c, b->a, span_of(b->zeros, TEXT_BYTES), &packed));
	memset(b->zeros + TEXT_BYTES - TEXT_BYTES / 4, 0, TEXT_BYTES / 4);
	assert_true(compress_text(b->c, b->a, span_of(b->zeros, TEXT_BYTES), &packed));
	memset(b->zeros, 0, TEXT_BYTES);
}

static void a_frame_cannot_ask_for_more_than_the_bound(void **state)
{
	struct bench *b = *state;
	/* An empty frame that announces 2^63 bytes of content. */
	const uint8_t bomb[] = {0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80, 1, 0, 0};
	/* One that announces nothing. */
	const uint8_t silent[] = {0x00, 0x58, 1, 0, 0};
	const size_t before = arena_used(b->a);
	span packed;
	span back;

	assert_false(decompress_text(b->c, b->a, span_of(bomb, sizeof(bomb)), 32768, &back));
	assert_false(decompress_text(b->c, b->a, span_of(silent, sizeof(silent)), 32768, &back));
	assert_in_range(arena_used(b->a), before, before + 64);
	assert_true(compress_text(b->c, b->a, span_of(b->zeros, TEXT_BYTES), &packed));
	assert_false(decompress_text(b->c, b->a, packed, TEXT_BYTES - 1, &back));
}

static void damaged_frames_do_not_open_wrongly(void **state)
{
	struct bench *b = *state;
	uint8_t copy[TEXT_BYTES];
	span packed;
	span back;

	memcpy(b->zeros, b->noise, 300);
	assert_true(compress_text(b->c, b->a, span_of(b->zeros, TEXT_BYTES), &packed));
	for (size_t len = 0; len < packed.len; len++)
		assert_false(decompress_text(b->c, b->a, span_of(packed.ptr, len), TEXT_BYTES, &back));
	/* A flipped bit may open to another text (the seal around it tells), within the bound. */
	for (size_t bit = 0; bit < 8 * packed.len; bit++) {
		arena *a = arena_new(64, 65536);

		memcpy(copy, packed.ptr, packed.len);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (decompress_text(b->c, a, span_of(copy, packed.len), TEXT_BYTES, &back))
			assert_true(back.len <= TEXT_BYTES);
		arena_free(&a);
	}
	memset(b->zeros, 0, TEXT_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_gains_is_compressed_and_comes_back),
	    cmocka_unit_test(a_text_of_before_opens),
	    cmocka_unit_test(short_texts_gain_by_the_dictionary),
	    cmocka_unit_test(threads_share_it),
	    cmocka_unit_test(what_does_not_gain_is_left_alone),
	    cmocka_unit_test(an_eighth_is_the_least_gain),
	    cmocka_unit_test(a_frame_cannot_ask_for_more_than_the_bound),
	    cmocka_unit_test(damaged_frames_do_not_open_wrongly),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
