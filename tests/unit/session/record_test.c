/* Records: their bytes, and that a damaged, moved or mixed one never opens to wrong content. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/codec.h"
#include "session/record.h"
#include "world.h"

#define KEY_A SPAN_LIT("lk1:s:{bWXKeoMqlwU}:WxVCE9eUoxbe_wDY")
#define KEY_B SPAN_LIT("lk1:s:{bWXKeoMqlwU}:WxVCE9eUoxbe_wDZ")

/* Made by an independent implementation: user ann, aal 2; k=v; n=2 bound to version 2; n=2 bound to none. */
#define GOLDEN_RECORD                                                                                                  \
	"010001019ab697e87b019ab697e87b0000a8c0000007080013974287e4000000000100190015000102030405060708090a0b0200"     \
	"020008af46332013d4108eb5b553b0758b89861e7343c6b69dbf52ff911f843c97028609009f0d5d3196d8eebd37c5ce56001500"     \
	"010000000002000102030405060708090a0b911f813cd30861c250392d637fd343b7715632211200150001000000000017161514"     \
	"131211100f0e0d0c7d25e8b332f470a4305bfb3490cd14898cccf06a20"

struct shelf {
	struct world w;
	uint8_t id[32];
	uint8_t other_id[32];
};

static int start(void **state)
{
	struct shelf *s = calloc(1, sizeof(*s));

	world_start(&s->w);
	for (size_t i = 0; i < sizeof(s->id); i++)
		s->id[i] = (uint8_t)(64 + i);
	memset(s->other_id, 1, sizeof(s->other_id));
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

	world_fresh(&s->w);
	return 0;
}

static struct record_place place(const struct shelf *s, span key, bool other_id)
{
	return (struct record_place){.keys = s->w.keys,
				     .compressor = s->w.env.compressor,
				     .key = key,
				     .id = span_of(other_id ? s->other_id : s->id, 32),
				     .created_s = 1764000000};
}

static span text_of(const struct shelf *s, span key, span value)
{
	const struct session_attribute set = {key, value};
	span text;

	assert_true(attributes_print(s->w.env.arena, &set, 1, NULL, 0, &text));
	return text;
}

static span base(const struct shelf *s, span key, bool other_id, uint64_t version, span value)
{
	const struct record_place p = place(s, key, other_id);
	const struct metadata m = {.user = SPAN_LIT("ann"), .authentication = {.aal = 2}};
	const struct record_header h = {.version = version,
					.created_ms = 1764000000123,
					.realm_tag = 0x00139742,
					.class_tag = 0x87e4,
					.idle_timeout_s = 1800,
					.attributes_bound = 1,
					.text_bound = 4,
					.lifetime_s = 43200,
					.issued_ms = 1764000000123};
	span metadata;
	span out;

	assert_true(metadata_print(s->w.env.arena, &m, &metadata));
	assert_true(record_write(s->w.env.arena, &p, &h, metadata, text_of(s, SPAN_LIT("k"), value), &out));
	return out;
}

/* As the update script does it. */
static span append(const struct shelf *s, span record, span delta)
{
	uint8_t *out = arena_alloc(s->w.env.arena, record.len + delta.len);

	assert_non_null(out);
	memcpy(out, record.ptr, record.len);
	memcpy(out + record.len, delta.ptr, delta.len);
	out[50]++;
	return span_of(out, record.len + delta.len);
}

static span delta(const struct shelf *s, span key, bool other_id, uint64_t bound_version, span value)
{
	const struct record_place p = place(s, key, other_id);
	span out;

	assert_true(delta_write(s->w.env.arena, &p, bound_version, text_of(s, SPAN_LIT("n"), value), &out));
	return out;
}

struct opened {
	enum record_result result;
	struct record record;
	enum record_result alone; /* of the metadata, for who has no token */
	struct metadata metadata;
	struct record_content content;
};

static struct opened open_all(const struct shelf *s, span value, span key, bool other_id)
{
	const struct record_place p = place(s, key, other_id);
	struct opened o = {0};

	o.result = record_split(value, &o.record);
	o.alone = o.result;
	if (o.alone == RECORD_OK)
		o.alone = record_open_metadata(s->w.env.arena, &p, &o.record, &o.metadata);
	if (o.result == RECORD_OK)
		o.result = record_open(s->w.env.arena, &p, &o.record, SPAN_EMPTY, &o.content);
	return o;
}

static void a_record_of_before_opens(void **state)
{
	const struct shelf *s = *state;
	const span hex = SPAN_LIT(GOLDEN_RECORD);
	uint8_t bytes[300];
	struct opened o;

	assert_true(hex_decode(hex, bytes, hex.len / 2));
	o = open_all(s, span_of(bytes, hex.len / 2), KEY_A, false);
	assert_int_equal(o.result, RECORD_OK);
	assert_int_equal(o.record.header.key_id, 1);
	assert_int_equal(o.record.header.version, 3);
	assert_int_equal(o.record.header.base_version, 1);
	assert_int_equal(o.record.header.created_ms, 1764000000123);
	assert_int_equal(o.record.header.realm_tag, s->w.realm_list[0].tag);
	assert_int_equal(o.record.header.class_tag, s->w.classes[0].tag);
	assert_int_equal(o.record.header.idle_timeout_s, 1800);
	assert_int_equal(o.record.header.delta_count, 2);
	assert_int_equal(o.record.header.attributes_bound, 2);
	assert_int_equal(o.record.header.text_bound, 8);
	assert_true(span_eq(o.content.metadata.user, SPAN_LIT("ann")));
	assert_int_equal(o.content.metadata.authentication.aal, 2);
	assert_int_equal(o.alone, RECORD_OK);
	assert_true(span_eq(o.metadata.user, SPAN_LIT("ann")));
	assert_int_equal(o.content.attribute_count, 2);
	assert_true(span_eq(o.content.attributes[0].key, SPAN_LIT("k")));
	assert_true(span_eq(o.content.attributes[0].value, SPAN_LIT("v")));
	assert_true(span_eq(o.content.attributes[1].value, SPAN_LIT("2")));
}

static void a_record_is_laid_out_as_it_was(void **state)
{
	const struct shelf *s = *state;
	const span record = base(s, KEY_A, false, 1, SPAN_LIT("v"));
	const span d = delta(s, KEY_A, false, 2, SPAN_LIT("2"));
	uint8_t header[38];

	assert_true(hex_decode(SPAN_LIT("010001019ab697e87b019ab697e87b0000a8c0000007080013974287e4000000000100190015"),
			       header, sizeof(header)));
	assert_memory_equal(record.ptr, header, sizeof(header));
	assert_memory_equal(record.ptr + 50, "\0\0\1\0\4", 5);
	assert_int_equal(record.len, 55 + 25 + 21);
	assert_int_equal(d.len, 21 + 21);
	assert_memory_equal(d.ptr, "\0\x15\0\1\0\0\0\0\2", 9);
}

static void tombstones_are_what_they_were(void **state)
{
	uint8_t bytes[TOMBSTONE_BYTES];
	enum session_reason reason;
	uint64_t at_ms;

	(void)state;
	tombstone_write(REASON_EVICTED, 1764000000123, bytes);
	assert_memory_equal(bytes, "\2\12\0\0\1\x9a\xb6\x97\xe8\x7b", sizeof(bytes));
	assert_int_equal(tombstone_read(span_of(bytes, sizeof(bytes)), &reason, &at_ms), RECORD_OK);
	assert_int_equal(reason, REASON_EVICTED);
	assert_int_equal(at_ms, 1764000000123);
	for (size_t len = 0; len < sizeof(bytes); len++)
		assert_int_equal(tombstone_read(span_of(bytes, len), &reason, &at_ms), RECORD_UNREADABLE);
}

/* Where only bounds (for the scripts) or nothing was changed, the content must be the same. */
static void expect_right_or_closed(const struct shelf *s, span value, size_t changed_at)
{
	const struct opened o = open_all(s, value, KEY_A, false);

	/* What is in front of the count, and the sealed metadata. */
	if (o.alone == RECORD_OK && (changed_at < 50 || (changed_at >= 55 && changed_at < 80)))
		fail_msg("byte %zu was changed, and the metadata opened", changed_at);
	if (o.result != RECORD_OK)
		return;
	if (changed_at < 51 || changed_at > 54)
		fail_msg("byte %zu was changed, and the record opened", changed_at);
	assert_int_equal(o.content.attribute_count, 2);
	assert_true(span_eq(o.content.attributes[1].value, SPAN_LIT("2")));
}

static void every_flipped_bit_closes_it(void **state)
{
	struct shelf *s = *state;
	span value = append(s, base(s, KEY_A, false, 1, SPAN_LIT("v")), delta(s, KEY_A, false, 0, SPAN_LIT("1")));
	uint8_t *bytes;
	size_t len;

	value = append(s, value, delta(s, KEY_A, false, 3, SPAN_LIT("2")));
	len = value.len;
	bytes = malloc(len);
	memcpy(bytes, value.ptr, len);
	assert_int_equal(open_all(s, span_of(bytes, len), KEY_A, false).result, RECORD_OK);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		world_fresh(&s->w);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		expect_right_or_closed(s, span_of(bytes, len), bit / 8);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t at = 0; at < len; at++) {
		const uint8_t was = bytes[at];

		for (int other = 0; other < 256; other += 5) {
			if (other == was)
				continue;
			world_fresh(&s->w);
			bytes[at] = (uint8_t)other;
			expect_right_or_closed(s, span_of(bytes, len), at);
		}
		bytes[at] = was;
	}
	free(bytes);
}

static void every_other_length_closes_it(void **state)
{
	struct shelf *s = *state;
	const span value = append(s, base(s, KEY_A, false, 1, SPAN_LIT("v")), delta(s, KEY_A, false, 0, SPAN_LIT("1")));
	uint8_t *whole = malloc(value.len + 1);
	const size_t len = value.len;

	memcpy(whole, value.ptr, len);
	whole[len] = 0;
	for (size_t n = 0; n <= len + 1; n++) {
		uint8_t *copy = malloc(n == 0 ? 1 : n);

		memcpy(copy, whole, n);
		world_fresh(&s->w);
		assert_int_equal(open_all(s, span_of(copy, n), KEY_A, false).result,
				 n == len ? RECORD_OK : RECORD_UNREADABLE);
		free(copy);
	}
	free(whole);
}

static void a_moved_record_does_not_open(void **state)
{
	const struct shelf *s = *state;
	const span value = base(s, KEY_A, false, 1, SPAN_LIT("v"));

	assert_int_equal(open_all(s, value, KEY_A, false).result, RECORD_OK);
	assert_int_equal(open_all(s, value, KEY_B, false).result, RECORD_UNREADABLE);
	assert_int_equal(open_all(s, value, KEY_B, false).alone, RECORD_UNREADABLE);
	assert_int_equal(open_all(s, value, KEY_A, true).result, RECORD_UNREADABLE);
	assert_int_equal(open_all(s, value, KEY_B, true).result, RECORD_UNREADABLE);
}

static void mixed_records_do_not_open(void **state)
{
	const struct shelf *s = *state;
	const span one = base(s, KEY_A, false, 1, SPAN_LIT("v"));
	const span two = base(s, KEY_A, false, 2, SPAN_LIT("w"));
	uint8_t *mixed = arena_alloc(s->w.env.arena, one.len);

	assert_int_equal(one.len, two.len);
	/* The data of the one under the header and metadata of the other, and all other cuts between parts. */
	for (size_t cut = 55; cut < one.len; cut += 25) {
		memcpy(mixed, one.ptr, cut);
		memcpy(mixed + cut, two.ptr + cut, one.len - cut);
		assert_int_equal(open_all(s, span_of(mixed, one.len), KEY_A, false).result, RECORD_UNREADABLE);
	}
	assert_int_equal(open_all(s, append(s, one, delta(s, KEY_B, false, 0, SPAN_LIT("1"))), KEY_A, false).result,
			 RECORD_UNREADABLE);
	assert_int_equal(open_all(s, append(s, one, delta(s, KEY_A, true, 0, SPAN_LIT("1"))), KEY_A, false).result,
			 RECORD_UNREADABLE);
}

static void a_bound_delta_opens_in_its_place_only(void **state)
{
	const struct shelf *s = *state;
	const span one = base(s, KEY_A, false, 1, SPAN_LIT("v"));
	const span two = base(s, KEY_A, false, 2, SPAN_LIT("v"));
	const span to_2 = delta(s, KEY_A, false, 2, SPAN_LIT("1"));
	const span to_3 = delta(s, KEY_A, false, 3, SPAN_LIT("2"));

	assert_int_equal(open_all(s, append(s, one, to_2), KEY_A, false).result, RECORD_OK);
	assert_int_equal(open_all(s, append(s, append(s, one, to_2), to_3), KEY_A, false).result, RECORD_OK);
	assert_int_equal(open_all(s, append(s, two, to_3), KEY_A, false).result, RECORD_OK);
	assert_int_equal(open_all(s, append(s, append(s, one, to_3), to_2), KEY_A, false).result, RECORD_UNREADABLE);
	assert_int_equal(open_all(s, append(s, two, to_2), KEY_A, false).result, RECORD_UNREADABLE);
	assert_int_equal(open_all(s, append(s, one, to_3), KEY_A, false).result, RECORD_UNREADABLE);
	assert_int_equal(open_all(s, append(s, append(s, one, to_2), to_2), KEY_A, false).result, RECORD_UNREADABLE);
}

static void too_many_deltas_are_no_record(void **state)
{
	const struct shelf *s = *state;
	span value = base(s, KEY_A, false, 1, SPAN_LIT("v"));
	const span d = delta(s, KEY_A, false, 0, SPAN_LIT("1"));

	for (int i = 0; i < DELTAS_READ_MAX; i++)
		value = append(s, value, d);
	assert_int_equal(open_all(s, value, KEY_A, false).result, RECORD_OK);
	assert_int_equal(open_all(s, append(s, value, d), KEY_A, false).result, RECORD_UNREADABLE);
}

static void other_formats_are_newer(void **state)
{
	const struct shelf *s = *state;
	const span value = base(s, KEY_A, false, 1, SPAN_LIT("v"));
	uint8_t *bytes = arena_alloc(s->w.env.arena, value.len);

	memcpy(bytes, value.ptr, value.len);
	for (int format = 0; format < 256; format++) {
		bytes[0] = (uint8_t)format;
		assert_int_equal(open_all(s, span_of(bytes, value.len), KEY_A, false).result,
				 format == RECORD_FORMAT ? RECORD_OK : RECORD_NEWER);
	}
}

static void large_parts_are_compressed_and_bounded(void **state)
{
	const struct shelf *s = *state;
	static char text[16000];
	const struct session_attribute set[] = {{SPAN_LIT("a"), span_of(text, sizeof(text))},
						{SPAN_LIT("b"), span_of(text, sizeof(text))}};
	const struct record_place p = place(s, KEY_A, false);
	const struct record_header h = {.version = 1};
	const struct metadata m = {.user = SPAN_LIT("ann")};
	struct opened o;
	span metadata;
	span data;
	span value;

	memset(text, 'x', sizeof(text));
	assert_true(metadata_print(s->w.env.arena, &m, &metadata));
	assert_true(attributes_print(s->w.env.arena, set, 2, NULL, 0, &data));
	assert_true(record_write(s->w.env.arena, &p, &h, metadata, data, &value));
	assert_true(value.len < 1000);
	o = open_all(s, value, KEY_A, false);
	assert_int_equal(o.result, RECORD_OK);
	assert_int_equal(o.content.attribute_count, 2);
	assert_true(span_eq(o.content.attributes[1].value, set[1].value));
}

static void without_memory_it_is_not_called_damaged(void **state)
{
	struct shelf *s = *state;
	const span value = base(s, KEY_A, false, 1, SPAN_LIT("v"));
	uint8_t copy[200];
	const size_t len = value.len;

	memcpy(copy, value.ptr, len);
	arena_free(&s->w.env.arena);
	s->w.env.arena = arena_new(0, 0);
	assert_int_equal(open_all(s, span_of(copy, len), KEY_A, false).result, RECORD_NO_MEMORY);
}

static void unknown_metadata_is_skipped(void **state)
{
	struct metadata m;

	(void)state;
	assert_true(metadata_read(SPAN_LIT("\x63\3xyz\1\3ann\x64\0"), &m));
	assert_true(span_eq(m.user, SPAN_LIT("ann")));
	assert_false(metadata_read(SPAN_LIT("\1\4ann"), &m));
	assert_false(metadata_read(SPAN_LIT("\1\x80\x80\x80\x80"
					    "ann"),
				   &m));
	assert_false(metadata_read(SPAN_LIT("\1"), &m));
	/* More methods than there is room for: the first ones stay. */
	assert_true(metadata_read(SPAN_LIT("\4\1a\4\1b\4\1c\4\1d\4\1e\4\1f\4\1g\4\1h\4\1i"), &m));
	assert_int_equal(m.authentication.amr_count, AMR_MAX);
}

static void later_changes_win(void **state)
{
	const struct shelf *s = *state;
	const span texts[] = {SPAN_LIT("\1b\1"
				       "1\1a\1"
				       "1\2aa\1"
				       "1"),
			      SPAN_LIT("\x81"
				       "a\1b\1"
				       "2"),
			      SPAN_LIT("\1c\1"
				       "3\x81"
				       "b\1b\1"
				       "3")};
	const struct session_attribute *out;
	size_t count;

	assert_int_equal(attributes_merge(s->w.env.arena, texts, 3, &out, &count), ATTRIBUTES_OK);
	assert_int_equal(count, 3);
	assert_true(span_eq(out[0].key, SPAN_LIT("aa")));
	assert_true(span_eq(out[1].key, SPAN_LIT("b")) && span_eq(out[1].value, SPAN_LIT("3")));
	assert_true(span_eq(out[2].key, SPAN_LIT("c")));
	for (size_t len = 1; len < texts[1].len; len++) {
		const span cut = span_of(texts[1].ptr, len);

		/* Whole after its first change. */
		assert_int_equal(attributes_merge(s->w.env.arena, &cut, 1, &out, &count),
				 len == 2 ? ATTRIBUTES_OK : ATTRIBUTES_DAMAGED);
	}
	assert_int_equal(
	    attributes_merge(s->w.env.arena, &(span){(const uint8_t *)"\1a\x80\x80\x80\1", 6}, 1, &out, &count),
	    ATTRIBUTES_DAMAGED);
	assert_int_equal(attributes_merge(s->w.env.arena, texts, 0, &out, &count), ATTRIBUTES_OK);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_record_of_before_opens, fresh),
	    cmocka_unit_test_setup(a_record_is_laid_out_as_it_was, fresh),
	    cmocka_unit_test_setup(tombstones_are_what_they_were, fresh),
	    cmocka_unit_test_setup(every_flipped_bit_closes_it, fresh),
	    cmocka_unit_test_setup(every_other_length_closes_it, fresh),
	    cmocka_unit_test_setup(a_moved_record_does_not_open, fresh),
	    cmocka_unit_test_setup(mixed_records_do_not_open, fresh),
	    cmocka_unit_test_setup(a_bound_delta_opens_in_its_place_only, fresh),
	    cmocka_unit_test_setup(too_many_deltas_are_no_record, fresh),
	    cmocka_unit_test_setup(other_formats_are_newer, fresh),
	    cmocka_unit_test_setup(large_parts_are_compressed_and_bounded, fresh),
	    cmocka_unit_test_setup(without_memory_it_is_not_called_damaged, fresh),
	    cmocka_unit_test_setup(unknown_metadata_is_skipped, fresh),
	    cmocka_unit_test_setup(later_changes_win, fresh),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
