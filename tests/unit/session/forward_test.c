/* Forwards: their bytes, and that a damaged, moved or foreign one never leads anywhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "session/forward.h"
#include "world.h"

#define KEY_A SPAN_LIT("lk1:s:{bWXKeoMqlwU}:0-M597rVWQaFOB0H")
#define KEY_B SPAN_LIT("lk1:s:{bWXKeoMqlwU}:0-M597rVWQaFOB0I")

struct shelf {
	struct world w;
	uint8_t id[TOKEN_ID_BYTES];
	uint8_t other_id[TOKEN_ID_BYTES];
	struct forward_header header;
	struct forward_inside inside;
};

static int start(void **state)
{
	struct shelf *s = calloc(1, sizeof(*s));

	world_start(&s->w);
	memset(s->other_id, 1, sizeof(s->other_id));
	s->header = (struct forward_header){
	    .rotated_at_ms = WORLD_NOW_MS, .grace_until_ms = WORLD_NOW_MS + 10000, .realm_tag = 0x1234};
	memcpy(s->header.name, "0123456789abcABC", NAME_CHARS);
	for (size_t i = 0; i < TOKEN_BYTES; i++)
		s->inside.token[i] = (uint8_t)i;
	s->inside.authentication = (struct session_authentication){
	    .at_ms = WORLD_NOW_MS - 5, .aal = 2, .amr_count = 2, .amr = {SPAN_LIT("pwd"), SPAN_LIT("otp")}};
	*state = s;
	return 0;
}

static int stop(void **state)
{
	struct shelf *s = *state;

	world_stop(&s->w);
	free(s);
	return 0;
}

static int fresh(void **state)
{
	struct shelf *s = *state;

	world_use_keyring(&s->w, WORLD_KEYRING);
	world_fresh(&s->w);
	return 0;
}

static struct record_place place(const struct shelf *s, span key, const uint8_t *id)
{
	return (struct record_place){.keys = s->w.keys, .key = key, .id = span_of(id, TOKEN_ID_BYTES)};
}

static span make(const struct shelf *s)
{
	const struct record_place p = place(s, KEY_A, s->id);
	span out;

	assert_true(forward_write(s->w.env.arena, &p, &s->header, &s->inside, &out));
	return out;
}

static enum record_result open_at(const struct shelf *s, span key, const uint8_t *id, span value)
{
	const struct record_place p = place(s, key, id);
	struct forward_inside inside;

	return forward_open(s->w.env.arena, &p, value, &inside);
}

static void what_goes_in_comes_out(void **state)
{
	struct shelf *s = *state;
	const struct record_place p = place(s, KEY_A, s->id);
	const span value = make(s);
	struct forward_header header;
	struct forward_inside inside;

	assert_true(is_forward(value));
	assert_int_equal(forward_read(value, &header), RECORD_OK);
	assert_int_equal(header.key_id, 1);
	assert_int_equal(header.rotated_at_ms, s->header.rotated_at_ms);
	assert_int_equal(header.grace_until_ms, s->header.grace_until_ms);
	assert_int_equal(header.realm_tag, s->header.realm_tag);
	assert_memory_equal(header.name, s->header.name, NAME_CHARS);
	assert_int_equal(forward_open(s->w.env.arena, &p, value, &inside), RECORD_OK);
	assert_memory_equal(inside.token, s->inside.token, TOKEN_BYTES);
	assert_int_equal(inside.authentication.at_ms, s->inside.authentication.at_ms);
	assert_int_equal(inside.authentication.aal, 2);
	assert_int_equal(inside.authentication.amr_count, 2);
	assert_true(span_eq(inside.authentication.amr[1], SPAN_LIT("otp")));
}

/* Where scripts read. */
static void the_header_is_where_scripts_look(void **state)
{
	struct shelf *s = *state;
	const span value = make(s);

	assert_memory_equal(value.ptr, "\3\0\1", 3);
	assert_memory_equal(value.ptr + 15, "\0\0\x12\x34", 4);
	assert_memory_equal(value.ptr + 19, "0123456789abcABC", 16);
	assert_int_equal(value.len, 35 + 40 + 75 + 8 + 1 + 1 + 4 + 4);
}

/* The first byte tells what it is: a forward that has lost it is none. */
static void every_flipped_bit_is_refused(void **state)
{
	struct shelf *s = *state;
	const span value = make(s);
	uint8_t copy[512];

	assert_true(value.len <= sizeof(copy));
	memcpy(copy, value.ptr, value.len);
	assert_int_equal(open_at(s, KEY_A, s->id, span_of(copy, value.len)), RECORD_OK);
	for (size_t bit = 8; bit < value.len * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(open_at(s, KEY_A, s->id, span_of(copy, value.len)), RECORD_UNREADABLE);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void every_other_length_is_refused(void **state)
{
	struct shelf *s = *state;
	const span value = make(s);
	uint8_t copy[512] = {0};

	memcpy(copy, value.ptr, value.len);
	for (size_t len = 1; len < sizeof(copy); len++)
		if (len != value.len)
			assert_int_equal(open_at(s, KEY_A, s->id, span_of(copy, len)), RECORD_UNREADABLE);
}

static void only_the_old_token_opens_it_and_only_in_its_place(void **state)
{
	struct shelf *s = *state;
	const span value = make(s);

	assert_int_equal(open_at(s, KEY_B, s->id, value), RECORD_UNREADABLE);
	assert_int_equal(open_at(s, KEY_A, s->other_id, value), RECORD_UNREADABLE);
	world_use_keyring(&s->w, WORLD_KEYRING_ROTATED);
	assert_int_equal(open_at(s, KEY_A, s->id, value), RECORD_OK);
	world_use_keyring(&s->w, WORLD_KEYRING_RETIRED);
	assert_int_equal(open_at(s, KEY_A, s->id, value), RECORD_UNREADABLE);
}

/* All methods as long as they may be, and none. */
static void authentications_of_any_size_fit(void **state)
{
	struct shelf *s = *state;
	const struct record_place p = place(s, KEY_A, s->id);
	struct forward_inside wide = s->inside;
	struct forward_inside inside;
	span value;

	wide.authentication.amr_count = AMR_MAX;
	for (size_t i = 0; i < AMR_MAX; i++)
		wide.authentication.amr[i] = SPAN_LIT("0123456789abcdef");
	assert_true(forward_write(s->w.env.arena, &p, &s->header, &wide, &value));
	assert_int_equal(forward_open(s->w.env.arena, &p, value, &inside), RECORD_OK);
	assert_int_equal(inside.authentication.amr_count, AMR_MAX);
	assert_int_equal(inside.authentication.amr[AMR_MAX - 1].len, AMR_BYTES_MAX);
	wide.authentication.amr_count = 0;
	assert_true(forward_write(s->w.env.arena, &p, &s->header, &wide, &value));
	assert_int_equal(forward_open(s->w.env.arena, &p, value, &inside), RECORD_OK);
	assert_int_equal(inside.authentication.amr_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_goes_in_comes_out, fresh),
	    cmocka_unit_test_setup(the_header_is_where_scripts_look, fresh),
	    cmocka_unit_test_setup(every_flipped_bit_is_refused, fresh),
	    cmocka_unit_test_setup(every_other_length_is_refused, fresh),
	    cmocka_unit_test_setup(only_the_old_token_opens_it_and_only_in_its_place, fresh),
	    cmocka_unit_test_setup(authentications_of_any_size_fit, fresh),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
