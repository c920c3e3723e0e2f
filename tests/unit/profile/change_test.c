/* Put, Get, Update and Delete: what is stored, what is refused without a trace, and what a second run does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiles.h"

static const struct profile_get_request everything;

static struct profile_field value_of(const char *name, const char *value)
{
	return (struct profile_field){.name = span_str(name), .value = span_str(value)};
}

static enum status_code change(struct stage *s, struct profile_change_request req, struct profile_change_result *ret)
{
	struct profile_change_request *lasting = arena_alloc(s->world.env.arena, sizeof(*lasting));

	assert_non_null(lasting);
	*lasting = req;
	lasting->user = SPAN_LIT("ann");
	return do_change(s, lasting, ret);
}

static void what_is_put_is_got_in_order_of_name(void **state)
{
	struct stage *s = *state;
	struct profile_field set[] = {value_of("name", "Ann"),
				      value_of("b", ""),
				      value_of("nam", "x"),
				      {.name = SPAN_LIT("visits"), .is_counter = true, .number = INT64_MIN}};
	const char *order[] = {"b", "nam", "name", "visits"};
	struct profile_change_result result;
	struct profile_get_result got;

	assert_int_equal(
	    change(s, (struct profile_change_request){.kind = PROFILE_PUT, .set_count = 4, .set = set}, &result),
	    STATUS_OK);
	assert_int_equal(result.version, 1);
	assert_false(result.existed);
	assert_int_equal(do_get_profile(s, "ann", &everything, &got), STATUS_OK);
	assert_true(got.is_found);
	assert_int_equal(got.version, 1);
	assert_int_equal(got.field_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(span_eq(got.fields[i].name, span_str(order[i])));
	assert_true(span_eq(got.fields[2].value, SPAN_LIT("Ann")));
	assert_true(got.fields[3].is_counter && got.fields[3].number == INT64_MIN);
	assert_in_range(got.expires_at_ms, WORLD_NOW_MS + TTL_S * 890, WORLD_NOW_MS + TTL_S * 1110);
	/* Another's is another's. */
	assert_int_equal(do_get_profile(s, "bob", &everything, &got), STATUS_OK);
	assert_false(got.is_found);
}

static void put_replaces_all(void **state)
{
	struct stage *s = *state;

	assert_int_equal(put_profile(s, "a", "1"), 1);
	(void)increment(s, "n", 5);
	assert_int_equal(put_profile(s, "b", "2"), 3);
	expect_field(s, "a", "-");
	expect_field(s, "n", "-");
	expect_field(s, "b", "2");
}

static void update_does_all_of_it(void **state)
{
	struct stage *s = *state;
	const struct profile_field set[] = {value_of("a", "new"), value_of("c", "3")};
	const span removed[] = {SPAN_LIT("b"), SPAN_LIT("never")};
	const struct profile_increment more[] = {{SPAN_LIT("n"), 2}, {SPAN_LIT("m"), -7}};
	struct profile_change_result result;

	(void)put_profile(s, "b", "2");
	(void)increment(s, "n", 40);
	assert_int_equal(change(s,
				(struct profile_change_request){.kind = PROFILE_UPDATE,
								.set_count = 2,
								.set = set,
								.remove_count = 2,
								.remove = removed,
								.increment_count = 2,
								.increments = more},
				&result),
			 STATUS_OK);
	assert_int_equal(result.version, 3);
	assert_true(span_eq(result.counters[0].name, SPAN_LIT("n")) && result.counters[0].number == 42);
	assert_true(span_eq(result.counters[1].name, SPAN_LIT("m")) && result.counters[1].number == -7);
	expect_field(s, "a", "new");
	expect_field(s, "b", "-");
	expect_field(s, "c", "3");
	expect_counter(s, "n", 42);
	expect_counter(s, "m", -7);
}

static enum status_code try_increment(struct stage *s, const char *name, int64_t by);

static void a_field_changes_its_kind(void **state)
{
	struct stage *s = *state;

	(void)set_field(s, "f", "text");
	(void)set_counter(s, "f", 9);
	expect_counter(s, "f", 9);
	assert_true(increment(s, "f", 1) == 10);
	(void)set_field(s, "f", "text again");
	expect_field(s, "f", "text again");
	assert_int_equal(try_increment(s, "f", 1), STATUS_FAILED_PRECONDITION);
	(void)remove_field(s, "f");
	expect_field(s, "f", "-");
	assert_true(increment(s, "f", 1) == 1);
}

/* Of text that compresses and of text that does not. */
static void large_values_come_back(void **state)
{
	struct stage *s = *state;
	char *text = calloc(1, FIELD_VALUE_BYTES_MAX + 1);

	memset(text, 'x', FIELD_VALUE_BYTES_MAX);
	(void)set_field(s, "f", text);
	expect_field(s, "f", text);
	(void)remove_field(s, "f");
	for (int i = 0; i < FIELD_VALUE_BYTES_MAX; i++)
		text[i] = (char)(33 + rand() % 90);
	(void)set_field(s, "g", text);
	expect_field(s, "g", text);
	free(text);
}

/* ---- Numbers ---- */

static void increments_are_exact(void **state)
{
	static const struct {
		int64_t start, by, sum;
	} rows[] = {{INT64_MAX - 1, 1, INT64_MAX},
		    {INT64_MIN + 1, -1, INT64_MIN},
		    {INT64_MIN, INT64_MAX, -1},
		    {INT64_MAX, INT64_MIN, -1},
		    {9007199254740993, 2, 9007199254740995},
		    {-9007199254740993, 9007199254740993, 0},
		    {999999999, 1, 1000000000},
		    {-1000000000, 1, -999999999},
		    {0, INT64_MIN, INT64_MIN},
		    {0, INT64_MAX, INT64_MAX}};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)set_counter(s, "n", rows[i].start);
		assert_true(increment(s, "n", rows[i].by) == rows[i].sum);
		expect_counter(s, "n", rows[i].sum);
	}
}

static enum status_code try_increment(struct stage *s, const char *name, int64_t by)
{
	const struct profile_increment more[] = {{SPAN_LIT("fine"), 1}, {span_str(name), by}};
	const struct profile_field set = value_of("other", "changed");
	struct profile_change_result result;

	return change(
	    s,
	    (struct profile_change_request){
		.kind = PROFILE_UPDATE, .set_count = 1, .set = &set, .increment_count = 2, .increments = more},
	    &result);
}

/* Against what the compiler knows of 64 bits. */
static void overflow_is_refused_exactly(void **state)
{
	static const int64_t numbers[] = {
	    INT64_MIN, INT64_MIN + 1, -9223372036000000000, -1000000001,	 -1000000000,	-1,	  0,
	    1,	       999999999,     1000000000,	    9223372036000000000, INT64_MAX - 1, INT64_MAX};
	const size_t count = sizeof(numbers) / sizeof(numbers[0]);
	struct stage *s = *state;

	for (size_t i = 0; i < count * count; i++) {
		const int64_t a = numbers[i / count];
		const int64_t b = numbers[i % count];
		int64_t sum;
		const bool leaves = __builtin_add_overflow(a, b, &sum);

		world_fresh(&s->world);
		s->kept_count = 0;
		(void)set_counter(s, "n", a);
		assert_int_equal(try_increment(s, "n", b), leaves ? STATUS_OUT_OF_RANGE : STATUS_OK);
		expect_counter(s, "n", leaves ? a : sum);
	}
}

/* Nothing is changed, not by half, and no version is used up. */
static void refusals_leave_no_trace(void **state)
{
	struct stage *s = *state;
	struct snapshot_all *before;
	redisReply *keys;

	(void)put_profile(s, "text", "12");
	(void)set_counter(s, "full", INT64_MAX);
	before = snapshot_all(s);
	assert_int_equal(try_increment(s, "text", 1), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(s->st.text, "increment[1]"));
	assert_int_equal(try_increment(s, "full", 1), STATUS_OUT_OF_RANGE);
	assert_int_equal(version_now(s), 2);
	expect_field(s, "fine", "-");
	expect_field(s, "other", "-");
	expect_counter(s, "full", INT64_MAX);
	keys = real_redis_ask(&s->redis, "KEYS *");
	assert_int_equal(keys->elements, 3);
	freeReplyObject(keys);
	restore_all(s, &before);
}

/* ---- Limits ---- */

static enum status_code put_many(struct stage *s, enum profile_kind kind, size_t from, size_t count, size_t value_len)
{
	struct profile_field *set = arena_array(s->world.env.arena, count, sizeof(*set));
	char *value = calloc(1, value_len + 1);
	struct profile_change_result result;
	enum status_code code;

	memset(value, 'v', value_len);
	for (size_t i = 0; i < count; i++) {
		set[i].name = arena_printf(s->world.env.arena, "f%03zu", from + i);
		set[i].value = span_of(value, value_len);
	}
	code = change(s, (struct profile_change_request){.kind = kind, .set_count = count, .set = set}, &result);
	free(value);
	return code;
}

static void fields_are_counted(void **state)
{
	struct stage *s = *state;
	struct profile_get_result got;

	assert_int_equal(put_many(s, PROFILE_PUT, 0, PROFILE_FIELDS_MAX + 1, 1), STATUS_INVALID_ARGUMENT);
	assert_int_equal(put_many(s, PROFILE_PUT, 0, PROFILE_FIELDS_MAX, 100), STATUS_OK);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 0, PROFILE_AT_ONCE_MAX, 1), STATUS_OK);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 255, 2, 1), STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(do_get_profile(s, "ann", &everything, &got), STATUS_OK);
	assert_int_equal(got.field_count, PROFILE_FIELDS_MAX);
	(void)remove_field(s, "f000");
	assert_int_equal(put_many(s, PROFILE_UPDATE, 256, 1, 1), STATUS_OK);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 257, 1, 1), STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 0, PROFILE_AT_ONCE_MAX + 1, 1), STATUS_INVALID_ARGUMENT);
}

static void bytes_are_counted(void **state)
{
	struct stage *s = *state;

	/* Names of 4 bytes, two values of 16,380: full to the byte. */
	assert_int_equal(put_many(s, PROFILE_PUT, 0, 2, FIELD_VALUE_BYTES_MAX - 4), STATUS_OK);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 0, 1, FIELD_VALUE_BYTES_MAX - 3), STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 2, 1, 0), STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 0, 1, FIELD_VALUE_BYTES_MAX - 16), STATUS_OK);
	(void)set_counter(s, "full", 1);
	assert_true(increment(s, "full", 1) == 2);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 2, 1, 0), STATUS_RESOURCE_EXHAUSTED);
	(void)remove_field(s, "full");
	assert_int_equal(put_many(s, PROFILE_UPDATE, 2, 1, 8), STATUS_OK);
	assert_int_equal(put_many(s, PROFILE_UPDATE, 3, 1, 0), STATUS_RESOURCE_EXHAUSTED);
	/* What is put anew is counted anew. */
	(void)put_profile(s, "a", "1");
	assert_int_equal(put_many(s, PROFILE_UPDATE, 0, 1, FIELD_VALUE_BYTES_MAX), STATUS_OK);
	assert_int_equal(put_many(s, PROFILE_PUT, 0, 3, 16000), STATUS_INVALID_ARGUMENT);
}

static void requests_are_checked(void **state)
{
	static char long_text[FIELD_VALUE_BYTES_MAX + 2];
	const struct profile_field twice[] = {value_of("a", "1"), value_of("a", "2")};
	const struct profile_field nameless = value_of("", "1");
	const span removed[] = {SPAN_LIT("a")};
	struct stage *s = *state;
	struct profile_change_result result;
	struct profile_change_request req = {.kind = PROFILE_UPDATE};

	assert_int_equal(change(s, req, &result), STATUS_INVALID_ARGUMENT);
	req = (struct profile_change_request){.kind = PROFILE_UPDATE, .set_count = 2, .set = twice};
	assert_int_equal(change(s, req, &result), STATUS_INVALID_ARGUMENT);
	req = (struct profile_change_request){
	    .kind = PROFILE_UPDATE, .set_count = 1, .set = twice, .remove_count = 1, .remove = removed};
	assert_int_equal(change(s, req, &result), STATUS_INVALID_ARGUMENT);
	req = (struct profile_change_request){.kind = PROFILE_UPDATE, .set_count = 1, .set = &nameless};
	assert_int_equal(change(s, req, &result), STATUS_INVALID_ARGUMENT);
	req = (struct profile_change_request){.kind = PROFILE_PUT, .tier = SPAN_LIT("unheard-of")};
	assert_int_equal(change(s, req, &result), STATUS_INVALID_ARGUMENT);
	memset(long_text, 'x', sizeof(long_text) - 1);
	req = (struct profile_change_request){.kind = PROFILE_UPDATE, .set_count = 1};
	req.set = &(struct profile_field){.name = SPAN_LIT("a"), .value = span_str(long_text)};
	assert_int_equal(change(s, req, &result), STATUS_INVALID_ARGUMENT);
	s->world.realm_list[0].profiles.tier_count = 0;
	assert_int_equal(change(s, (struct profile_change_request){.kind = PROFILE_PUT}, &result),
			 STATUS_FAILED_PRECONDITION);
}

/* ---- Versions, tiers, deletion ---- */

static enum status_code set_expecting(struct stage *s, uint64_t version, uint64_t *ret_version)
{
	const struct profile_field set = value_of("a", "by version");
	struct profile_change_result result = {0};
	const enum status_code code = change(s,
					     (struct profile_change_request){.kind = PROFILE_UPDATE,
									     .set_count = 1,
									     .set = &set,
									     .has_expected_version = true,
									     .expected_version = version},
					     &result);

	*ret_version = result.version;
	return code;
}

static void versions_are_compared(void **state)
{
	struct stage *s = *state;
	uint64_t version;

	assert_int_equal(set_expecting(s, 1, &version), STATUS_ABORTED);
	assert_int_equal(version, 0);
	assert_int_equal(set_expecting(s, 0, &version), STATUS_OK);
	assert_int_equal(version, 1);
	assert_int_equal(set_expecting(s, 0, &version), STATUS_ABORTED);
	assert_int_equal(version, 1);
	assert_int_equal(set_expecting(s, 1, &version), STATUS_OK);
	/* What it decides by must be there: it waits for a new primary to settle. */
	assert_true(s->last.settling_ms > 0);
	(void)set_field(s, "a", "1");
	assert_int_equal(s->last.settling_ms, 0);
	assert_true(delete_profile(s));
	assert_int_equal(set_expecting(s, 3, &version), STATUS_ABORTED);
	assert_int_equal(version, 0);
	/* It goes on counting, for those who follow its changes. */
	assert_int_equal(set_expecting(s, 0, &version), STATUS_OK);
	assert_int_equal(version, 5);
}

static void deletion_leaves_nothing_to_read(void **state)
{
	struct stage *s = *state;

	assert_false(delete_profile(s));
	(void)put_profile(s, "a", "1");
	assert_true(delete_profile(s));
	assert_int_equal(version_now(s), 0);
	assert_false(delete_profile(s));
	/* What is left of it is short-lived. */
	(void)set_field(s, "b", "2");
	expect_field(s, "a", "-");
	expect_field(s, "b", "2");
}

static long long profile_left_ms(struct stage *s)
{
	redisReply *keys = real_redis_ask(&s->redis, "KEYS lk1:p:*");
	long long left;

	assert_int_equal(keys->elements, 1);
	left = real_redis_number(&s->redis, "PTTL %s", keys->element[0]->str);
	freeReplyObject(keys);
	return left;
}

static void tiers_last_and_are_kept(void **state)
{
	struct stage *s = *state;
	const struct profile_field set = value_of("a", "1");
	struct profile_change_result result;

	(void)put_profile(s, "a", "1");
	assert_in_range(profile_left_ms(s), TTL_S * 890, TTL_S * 1100);
	assert_int_equal(
	    change(s, (struct profile_change_request){.kind = PROFILE_UPDATE, .tier = SPAN_LIT("long")}, &result),
	    STATUS_OK);
	assert_in_range(profile_left_ms(s), TTL_S * 89000, TTL_S * 110000);
	(void)set_field(s, "a", "2");
	assert_in_range(profile_left_ms(s), TTL_S * 89000, TTL_S * 110000);
	assert_int_equal(
	    change(s, (struct profile_change_request){.kind = PROFILE_PUT, .set_count = 1, .set = &set}, &result),
	    STATUS_OK);
	assert_in_range(profile_left_ms(s), TTL_S * 890, TTL_S * 1100);
	assert_true(delete_profile(s));
	assert_in_range(profile_left_ms(s), 1, 600000);
}

static void lives_differ_by_chance(void **state)
{
	enum { TRIES = 40 };
	struct stage *s = *state;
	long long least = INT64_MAX;
	long long most = 0;

	for (int i = 0; i < TRIES; i++) {
		long long left;

		(void)put_profile(s, "a", "1");
		left = profile_left_ms(s);
		least = left < least ? left : least;
		most = left > most ? left : most;
	}
	/* Forty draws from 20 %, all within 6 %: once in 10^19. */
	assert_true(most - least > TTL_S * 60);
	s->world.realm_list[0].profiles.jitter_percent = 0;
	(void)put_profile(s, "a", "1");
	assert_in_range(profile_left_ms(s), TTL_S * 1000 - 5000, TTL_S * 1000);
}

/* ---- Repetition ---- */

/* The store sends a command again whose reply got lost; others' changes may have come in between. */
static void a_second_run_changes_nothing(void **state)
{
	struct stage *s = *state;
	const struct profile_increment one = {SPAN_LIT("n"), 1};
	const struct profile_change_request req = {
	    .kind = PROFILE_UPDATE, .user = SPAN_LIT("ann"), .increment_count = 1, .increments = &one};
	struct profile_change_result result;
	enum plan_next next;
	struct plan plan;

	assert_int_equal(profile_change_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	(void)carry_out(s, &plan);
	assert_true(increment(s, "n", 10) == 11);
	assert_int_equal(profile_change_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(result.version, 1);
	assert_true(result.counters[0].number == 1);
	expect_counter(s, "n", 11);
	assert_int_equal(version_now(s), 2);
}

static void an_idempotency_key_answers_again(void **state)
{
	struct stage *s = *state;
	const struct profile_increment one = {SPAN_LIT("n"), 1};
	const struct profile_increment two = {SPAN_LIT("n"), 2};
	struct profile_change_request req = {.kind = PROFILE_UPDATE, .increment_count = 1, .increments = &one};
	struct profile_change_result result;

	s->world.env.idempotency_key = SPAN_LIT("once");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(change(s, req, &result), STATUS_OK);
		assert_true(result.version == 1 && result.counters[0].number == 1);
	}
	req.increments = &two;
	assert_int_equal(change(s, req, &result), STATUS_ALREADY_EXISTS);
	expect_counter(s, "n", 1);
}

/* ---- What Redis has ---- */

static void nothing_stands_in_clear(void **state)
{
	struct stage *s = *state;
	redisReply *keys;

	keep_changes(s);
	(void)set_field(s, "favourite", "strawberry");
	(void)set_counter(s, "favourites", 3);
	(void)increment(s, "visited", 1);
	keys = real_redis_ask(&s->redis, "KEYS *");
	for (size_t i = 0; i < keys->elements; i++) {
		const redisReply *name = keys->element[i];
		redisReply *dump = real_redis_ask(&s->redis, "DUMP %b", name->str, (size_t)name->len);

		assert_null(memmem(dump->str, dump->len, "favourite", 9));
		assert_null(memmem(dump->str, dump->len, "strawberry", 10));
		assert_null(memmem(dump->str, dump->len, "visited", 7));
		assert_null(memmem(dump->str, dump->len, "ann", 3));
		assert_null(strstr(name->str, "ann"));
		freeReplyObject(dump);
	}
	freeReplyObject(keys);
}

/* A seal opens in its own profile and place only. */
static void fields_cannot_be_moved(void **state)
{
	static const char move[] =
	    "local k = redis.call('KEYS', 'lk1:p:*')[1] local ids = {} "
	    "for _, f in ipairs(redis.call('HKEYS', k)) do if #f == 16 then ids[#ids + 1] = f end end "
	    "redis.call('HSET', k, ids[1], redis.call('HGET', k, ids[2]))";
	struct stage *s = *state;
	struct profile_get_result got;

	(void)set_field(s, "a", "1");
	(void)set_field(s, "b", "2");
	freeReplyObject(real_redis_ask(&s->redis, "EVAL %s 0", move));
	assert_int_equal(do_get_profile(s, "ann", &everything, &got), STATUS_DATA_LOSS);
}

static void a_new_key_takes_over(void **state)
{
	struct stage *s = *state;
	struct profile_get_result got;

	(void)set_field(s, "a", "1");
	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	expect_field(s, "a", "1");
	(void)set_field(s, "b", "2");
	world_use_keyring(&s->world, WORLD_KEYRING_RETIRED);
	assert_int_equal(do_get_profile(s, "ann", &everything, &got), STATUS_UNAVAILABLE);
	(void)set_field(s, "a", "3");
	expect_field(s, "a", "3");
	expect_field(s, "b", "2");
}

/* It is looked for again when others have brought back what they have; what was deleted is known to be. */
static void missing_is_not_proved_after_a_failover(void **state)
{
	struct stage *s = *state;
	struct profile_get_result got;
	const unsigned before = s->commands;

	s->world.env.is_unsettled = true;
	assert_int_equal(do_get_profile(s, "ann", &everything, &got), STATUS_OK);
	assert_false(got.is_found);
	assert_int_equal(s->commands - before, 2);
	assert_true(s->last.settling_ms > 0);
	(void)put_profile(s, "a", "1");
	assert_true(delete_profile(s));
	assert_int_equal(do_get_profile(s, "ann", &everything, &got), STATUS_OK);
	assert_false(got.is_found);
	assert_int_equal(s->last.settling_ms, 0);
}

/* Who wants to be forgotten is, and room is made. */
static void what_is_full_can_be_deleted(void **state)
{
	struct stage *s = *state;

	(void)put_profile(s, "a", "1");
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	assert_true(delete_profile(s));
	assert_false(delete_profile(s));
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 0"));
	assert_int_equal(version_now(s), 0);
}

static void a_damaged_profile_is_put_anew(void **state)
{
	struct stage *s = *state;
	redisReply *key;

	(void)put_profile(s, "a", "1");
	key = real_redis_ask(&s->redis, "KEYS lk1:p:*");
	assert_int_equal(key->elements, 1);
	freeReplyObject(real_redis_ask(&s->redis, "HSET %s _h short _v none", key->element[0]->str));
	(void)put_profile(s, "b", "2");
	expect_field(s, "a", "-");
	expect_field(s, "b", "2");
	freeReplyObject(real_redis_ask(&s->redis, "HSET %s _h short", key->element[0]->str));
	assert_true(delete_profile(s));
	expect_field(s, "b", "-");
	freeReplyObject(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_is_put_is_got_in_order_of_name, profiles_reset),
	    cmocka_unit_test_setup(a_damaged_profile_is_put_anew, profiles_reset),
	    cmocka_unit_test_setup(what_is_full_can_be_deleted, profiles_reset),
	    cmocka_unit_test_setup(put_replaces_all, profiles_reset),
	    cmocka_unit_test_setup(update_does_all_of_it, profiles_reset),
	    cmocka_unit_test_setup(a_field_changes_its_kind, profiles_reset),
	    cmocka_unit_test_setup(large_values_come_back, profiles_reset),
	    cmocka_unit_test_setup(increments_are_exact, profiles_reset),
	    cmocka_unit_test_setup(overflow_is_refused_exactly, profiles_reset),
	    cmocka_unit_test_setup(refusals_leave_no_trace, profiles_reset),
	    cmocka_unit_test_setup(fields_are_counted, profiles_reset),
	    cmocka_unit_test_setup(bytes_are_counted, profiles_reset),
	    cmocka_unit_test_setup(requests_are_checked, profiles_reset),
	    cmocka_unit_test_setup(versions_are_compared, profiles_reset),
	    cmocka_unit_test_setup(deletion_leaves_nothing_to_read, profiles_reset),
	    cmocka_unit_test_setup(tiers_last_and_are_kept, profiles_reset),
	    cmocka_unit_test_setup(lives_differ_by_chance, profiles_reset),
	    cmocka_unit_test_setup(a_second_run_changes_nothing, profiles_reset),
	    cmocka_unit_test_setup(an_idempotency_key_answers_again, profiles_reset),
	    cmocka_unit_test_setup(nothing_stands_in_clear, profiles_reset),
	    cmocka_unit_test_setup(fields_cannot_be_moved, profiles_reset),
	    cmocka_unit_test_setup(a_new_key_takes_over, profiles_reset),
	    cmocka_unit_test_setup(missing_is_not_proved_after_a_failover, profiles_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
