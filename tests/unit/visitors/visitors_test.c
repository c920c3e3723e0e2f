/* Visitors through plans and answers, on a real Redis. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "calls.h"
#include "visitors/visitors.h"

#define DAY_MS	86400000ULL
#define HOUR_MS 3600000ULL

static int fresh(void **state)
{
	struct stage *s = *state;

	assert_int_equal(stage_reset(state), 0);
	s->world.realm_list[0].visitors = (struct visitors_policy){.hour_retention_h = 48, .day_retention_d = 400};
	/* Redis expires by its own clock, which is the real one. */
	s->world.env.now_ms = 1000 * (uint64_t)time(NULL);
	return 0;
}

static enum status_code record(struct stage *s, const struct visitor_record_request *req, bool *ret_changed)
{
	struct visitor_record_result result;
	struct plan plan = {0};
	enum status_code code = visitor_record_plan(&s->world.env, req, &plan, &s->st);

	if (code != STATUS_OK)
		return code;
	code = visitor_record_answer(&s->world.env, &plan, carry_out(s, &plan), &result, &s->st);
	if (code != STATUS_OK)
		return code;
	assert_non_null(plan.redos);
	assert_true(s->kept_count < STAGE_KEPT_MAX);
	s->kept[s->kept_count++] = *plan.redos;
	*ret_changed = result.changed;
	return STATUS_OK;
}

/* ids FIRST to FIRST + COUNT - 1, at most VISITORS_RECORD_MAX. */
static bool see(struct stage *s, const char *counter, unsigned first, unsigned count, uint64_t at_ms)
{
	static char texts[VISITORS_RECORD_MAX][16];
	span ids[VISITORS_RECORD_MAX];
	const struct visitor_record_request req = {
	    .counter = span_str(counter), .id_count = count, .ids = ids, .at_ms = at_ms};
	bool changed = false;

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "visitor-%u", first + i);
		ids[i] = span_str(texts[i]);
	}
	if (record(s, &req, &changed) != STATUS_OK)
		fail_msg("record: %s", s->st.text);
	return changed;
}

static void finish_count(struct stage *s, struct visitor_count *whole)
{
	for (size_t i = 0; i < whole->req->counter_count; i++) {
		enum plan_next next = PLAN_AGAIN;
		struct plan plan = {0};

		assert_int_equal(visitor_count_plan(&s->world.env, whole, i, &plan, &s->st), STATUS_OK);
		while (next == PLAN_AGAIN) {
			assert_false(plan.command.is_write);
			if (visitor_count_answer(&s->world.env, whole, &plan, carry_out(s, &plan), &next, &s->st) !=
			    STATUS_OK)
				fail_msg("count: %s", s->st.text);
			arena_free(&s->replies);
		}
	}
	assert_true(whole->is_done);
}

static uint64_t count(struct stage *s, const char *const *names, size_t name_count, enum visitors_bucket bucket,
		      uint64_t from_ms, uint64_t to_ms)
{
	span counters[VISITORS_COUNTERS_MAX];
	const struct visitor_count_request req = {
	    .counter_count = name_count, .counters = counters, .bucket = bucket, .from_ms = from_ms, .to_ms = to_ms};
	struct visitor_count whole;

	for (size_t i = 0; i < name_count; i++)
		counters[i] = span_str(names[i]);
	if (visitor_count_start(&s->world.env, &req, &whole, &s->st) != STATUS_OK)
		fail_msg("count: %s", s->st.text);
	finish_count(s, &whole);
	return whole.count;
}

static uint64_t count_today(struct stage *s, const char *name)
{
	return count(s, &name, 1, VISITORS_DAY, 0, 0);
}

static void test_distinct(void **state)
{
	struct stage *s = *state;
	const uint64_t now_ms = s->world.env.now_ms;
	const char *const shop = "shop/home";

	assert_int_equal(count_today(s, shop), 0);
	assert_true(see(s, shop, 0, 100, 0));
	assert_false(see(s, shop, 0, 100, 0));
	assert_true(see(s, shop, 50, 100, 0));
	/* Few ids: the estimate is exact, or off by one. */
	assert_in_range(count_today(s, shop), 149, 151);
	assert_in_range(count(s, &shop, 1, VISITORS_HOUR, now_ms, now_ms), 149, 151);
	assert_int_equal(count_today(s, "shop/other"), 0);
	s->world.env.realm = &s->world.realm_list[1];
	assert_int_equal(count_today(s, shop), 0);
}

static void test_ranges(void **state)
{
	struct stage *s = *state;
	const uint64_t now_ms = s->world.env.now_ms;
	const char *const shop = "shop";

	for (unsigned day = 0; day < 60; day++)
		(void)see(s, shop, day * 10, 20, now_ms - day * DAY_MS);
	/* Ten more a day, and the ten that the last day shares with none. One command, then several. */
	assert_in_range(count(s, &shop, 1, VISITORS_DAY, now_ms - 1 * DAY_MS, 0), 30, 31);
	assert_in_range(count(s, &shop, 1, VISITORS_DAY, now_ms - 15 * DAY_MS, 0), 166, 174);
	assert_in_range(count(s, &shop, 1, VISITORS_DAY, now_ms - 16 * DAY_MS, 0), 176, 184);
	assert_in_range(count(s, &shop, 1, VISITORS_DAY, now_ms - 59 * DAY_MS, 0), 595, 625);
	assert_in_range(count(s, &shop, 1, VISITORS_DAY, now_ms - 399 * DAY_MS, 0), 595, 625);
	assert_in_range(count(s, &shop, 1, VISITORS_DAY, now_ms - 59 * DAY_MS, now_ms - 59 * DAY_MS), 20, 20);
	/* Hours are kept for 48, so those before were never made. */
	assert_in_range(count(s, &shop, 1, VISITORS_HOUR, now_ms - 399 * HOUR_MS, 0), 40, 41);
}

static void test_union_of_counters(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h",
					    "i", "j", "k", "l", "m", "n", "o", "p"};
	struct stage *s = *state;
	const uint64_t now_ms = s->world.env.now_ms;

	for (unsigned i = 0; i < 16; i++)
		for (unsigned day = 0; day < 25; day += 8)
			(void)see(s, names[i], i * 50, 100, now_ms - day * DAY_MS);
	assert_in_range(count(s, names, 2, VISITORS_DAY, 0, 0), 148, 152);
	assert_in_range(count(s, names, 16, VISITORS_DAY, 0, 0), 830, 870);
	assert_in_range(count(s, names, 16, VISITORS_DAY, now_ms - 24 * DAY_MS, 0), 830, 870);
	/* One twice is one. */
	assert_in_range(count(s, (const char *const[]){"a", "a"}, 2, VISITORS_DAY, 0, 0), 99, 101);
	/* Nothing is left behind: four days and, of today, an hour for each counter. */
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 16 * (4 + 1));
}

/* A bucket that is none fails the count, and leaves nothing behind either. */
static void test_foreign_key_in_the_way(void **state)
{
	struct stage *s = *state;
	span counters[] = {SPAN_LIT("a"), SPAN_LIT("b")};
	const struct visitor_count_request req = {.counter_count = 2, .counters = counters};
	const struct store_reply *reply;
	struct visitor_count whole;
	struct plan plan = {0};

	(void)see(s, "a", 0, 10, 0);
	assert_int_equal(visitor_count_start(&s->world.env, &req, &whole, &s->st), STATUS_OK);
	assert_int_equal(visitor_count_plan(&s->world.env, &whole, 0, &plan, &s->st), STATUS_OK);
	freeReplyObject(
	    real_redis_ask(&s->redis, "SET %b no-registers", plan.command.argv[2].ptr, plan.command.argv[2].len));
	arena_free(&s->replies);
	s->replies = arena_new(64, 16384);
	reply = real_redis_do(&s->redis, s->replies, &plan.command);
	assert_int_equal(reply->type, STORE_ERROR);
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 2);
}

static void test_expiry_and_names(void **state)
{
	struct stage *s = *state;
	const uint64_t now_ms = s->world.env.now_ms;
	char today[16];
	time_t now = (time_t)(now_ms / 1000);
	struct tm utc;
	redisReply *keys;

	assert_int_equal(strftime(today, sizeof(today), "%Y%m%d", gmtime_r(&now, &utc)), 8);
	(void)see(s, "shop/home", 0, 1, now_ms);
	keys = real_redis_ask(&s->redis, "KEYS *");
	assert_int_equal(keys->elements, 2);
	for (size_t i = 0; i < keys->elements; i++) {
		const char *key = keys->element[i]->str;
		const uint64_t lives_ms = (uint64_t)real_redis_number(&s->redis, "PTTL %s", key);

		assert_non_null(strstr(key, today));
		assert_null(strstr(key, "shop"));
		if (strstr(key, ":d") != NULL)
			assert_in_range(lives_ms, 400 * DAY_MS - 5000, 401 * DAY_MS);
		else
			assert_in_range(lives_ms, 48 * HOUR_MS - 5000, 49 * HOUR_MS);
	}
	freeReplyObject(keys);
}

static void test_retention(void **state)
{
	struct stage *s = *state;
	const uint64_t now_ms = s->world.env.now_ms;
	const span id = SPAN_LIT("v");
	struct visitor_record_request req = {.counter = SPAN_LIT("c"), .id_count = 1, .ids = &id};
	bool changed;

	/* Its day is kept still, its hour no more. */
	(void)see(s, "c", 0, 1, now_ms - 50 * HOUR_MS);
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 1);
	s->world.realm_list[0].visitors.hour_retention_h = 0;
	(void)see(s, "d", 0, 1, now_ms);
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 2);
	req.at_ms = now_ms - 402 * DAY_MS;
	assert_int_equal(record(s, &req, &changed), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "day_retention_d 400"));
	req.at_ms = now_ms + 60001;
	assert_int_equal(record(s, &req, &changed), STATUS_INVALID_ARGUMENT);
	req.at_ms = now_ms + 60000;
	assert_int_equal(record(s, &req, &changed), STATUS_OK);
}

/* What was acknowledged comes back, in any order, and harms nothing that is there. */
static void test_redos(void **state)
{
	struct stage *s = *state;
	const char *const shop = "shop";
	uint64_t before;

	for (unsigned i = 0; i < 10; i++)
		(void)see(s, shop, i * 100, 150, 0);
	before = count_today(s, shop);
	for (size_t i = 0; i < 10; i++)
		assert_string_equal(redo(s, i), "there");
	assert_int_equal(count_today(s, shop), before);
	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	for (size_t i = 10; i-- > 0;)
		assert_string_equal(redo(s, i), "done");
	assert_int_equal(count_today(s, shop), before);
	assert_int_equal(count(s, &shop, 1, VISITORS_HOUR, 0, 0), before);
}

static void test_bad_requests(void **state)
{
	struct stage *s = *state;
	static uint8_t long_id[VISITOR_BYTES_MAX + 1];
	const span ids[] = {SPAN_LIT("v"), span_of(long_id, sizeof(long_id)), SPAN_EMPTY};
	const struct visitor_record_request bad[] = {
	    {.counter = SPAN_LIT(""), .id_count = 1, .ids = ids},
	    {.counter = SPAN_LIT("Shop"), .id_count = 1, .ids = ids},
	    {.counter = SPAN_LIT("12345678901234567890123456789012345678901234567890123456789012345"),
	     .id_count = 1,
	     .ids = ids},
	    {.counter = SPAN_LIT("c"), .id_count = 0, .ids = ids},
	    {.counter = SPAN_LIT("c"), .id_count = VISITORS_RECORD_MAX + 1, .ids = ids},
	    {.counter = SPAN_LIT("c"), .id_count = 1, .ids = ids + 1},
	    {.counter = SPAN_LIT("c"), .id_count = 1, .ids = ids + 2},
	};
	bool changed;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(record(s, &bad[i], &changed), STATUS_INVALID_ARGUMENT);
	assert_int_equal(s->commands, 0);
}

static void test_bad_counts(void **state)
{
	struct stage *s = *state;
	const uint64_t now_ms = s->world.env.now_ms;
	const span counters[17] = {SPAN_LIT("c")};
	const struct {
		struct visitor_count_request req;
		const char *says;
	} bad[] = {
	    {{.counters = counters}, "counters has 0"},
	    {{.counter_count = 17, .counters = counters}, "counters has 17"},
	    {{.counter_count = 2, .counters = counters}, "a counter of 0 bytes"},
	    {{.counter_count = 1, .counters = counters, .bucket = VISITORS_BUCKETS}, "bucket 2"},
	    {{.counter_count = 1, .counters = counters, .to_ms = now_ms - DAY_MS}, "absent, it is now"},
	    {{.counter_count = 1, .counters = counters, .from_ms = now_ms - 400 * DAY_MS}, "401 buckets"},
	    {{.counter_count = 1, .counters = counters, .bucket = VISITORS_HOUR, .from_ms = now_ms - 30 * DAY_MS},
	     "count days"},
	    {{.counter_count = 1, .counters = counters, .from_ms = 1, .to_ms = UINT64_MAX}, "beyond the year 9999"},
	};
	struct visitor_count whole;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(visitor_count_start(&s->world.env, &bad[i].req, &whole, &s->st),
				 STATUS_INVALID_ARGUMENT);
		if (strstr(s->st.text, bad[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", s->st.text, bad[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_bad_requests, fresh),
	    cmocka_unit_test_setup(test_bad_counts, fresh),
	    cmocka_unit_test_setup(test_distinct, fresh),
	    cmocka_unit_test_setup(test_ranges, fresh),
	    cmocka_unit_test_setup(test_union_of_counters, fresh),
	    cmocka_unit_test_setup(test_foreign_key_in_the_way, fresh),
	    cmocka_unit_test_setup(test_expiry_and_names, fresh),
	    cmocka_unit_test_setup(test_retention, fresh),
	    cmocka_unit_test_setup(test_redos, fresh),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
