/* Answers: who is asked to load, who waits, what is fresh, stale and negative, and that nothing of it can be read or
 * moved in Redis. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/cache.h"

static void one_loads_and_all_have_it(void **state)
{
	struct stage *s = *state;
	const struct looked first = look_up(s, "k");
	struct looked other = look_up(s, "k");

	assert_int_equal(first.state, AUTH_MISS);
	assert_true(first.lease_len > 0 && first.lease_len <= AUTH_LEASE_BYTES_MAX);
	assert_int_equal(first.commands, 1);
	assert_int_equal(other.state, AUTH_WAIT);
	assert_int_equal(other.lease_len, 0);
	assert_true(fill(s, "k", lease_of(&first), "yes"));
	other = look_up(s, "k");
	expect_answer(&other, AUTH_HIT, "yes");
	assert_int_equal(other.commands, 1);
	other = look_up(s, "another");
	assert_int_equal(other.state, AUTH_MISS);
}

/* Others are asked when the lease of one is over; what he then brings is late. */
static void a_holder_that_dies_is_replaced(void **state)
{
	struct stage *s = *state;
	const struct looked dead = look_up(s, "k");
	struct looked next;

	make_older(s, "k", CACHE_LEASE_MS);
	next = look_up(s, "k");
	assert_int_equal(next.state, AUTH_MISS);
	assert_true(next.lease_len > 0);
	assert_int_equal(look_up(s, "k").state, AUTH_WAIT);
	assert_false(fill(s, "k", lease_of(&dead), "late"));
	assert_true(fill(s, "k", lease_of(&next), "in time"));
	next = look_up(s, "k");
	expect_answer(&next, AUTH_HIT, "in time");
}

static void late_is_good_enough_when_nobody_else_loads(void **state)
{
	struct stage *s = *state;
	const struct looked slow = look_up(s, "k");

	make_older(s, "k", CACHE_LEASE_MS + 1000);
	assert_true(fill(s, "k", lease_of(&slow), "late"));
}

static void a_lease_is_used_once(void **state)
{
	struct stage *s = *state;
	const struct looked first = look_up(s, "k");

	assert_true(fill(s, "k", lease_of(&first), "1"));
	assert_false(fill(s, "k", lease_of(&first), "2"));
}

static void stale_is_served_while_one_refreshes(void **state)
{
	struct stage *s = *state;
	struct looked one;
	struct looked other;

	load(s, "k", "old");
	make_older(s, "k", CACHE_TTL_S * 1000 + 100);
	one = look_up(s, "k");
	expect_answer(&one, AUTH_STALE, "old");
	assert_true(one.lease_len > 0);
	assert_false(one.is_early);
	other = look_up(s, "k");
	expect_answer(&other, AUTH_STALE, "old");
	assert_int_equal(other.lease_len, 0);
	assert_true(fill(s, "k", lease_of(&one), "new"));
	other = look_up(s, "k");
	expect_answer(&other, AUTH_HIT, "new");
}

static void beyond_that_it_is_a_miss(void **state)
{
	struct stage *s = *state;

	load(s, "k", "old");
	make_older(s, "k", (CACHE_TTL_S + CACHE_STALE_S) * 1000 + 100);
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
	assert_int_equal(look_up(s, "k").state, AUTH_WAIT);
}

static void what_is_not_there_is_known_for_a_shorter_time(void **state)
{
	struct stage *s = *state;
	struct looked l;

	load(s, "k", NULL);
	l = look_up(s, "k");
	expect_answer(&l, AUTH_NEGATIVE, "");
	make_older(s, "k", CACHE_NEGATIVE_TTL_S * 1000 + 100);
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
	/* Not the same as an answer without a byte. */
	load(s, "empty", "");
	l = look_up(s, "empty");
	expect_answer(&l, AUTH_HIT, "");
}

static void who_only_looks_gets_no_lease(void **state)
{
	const struct auth_lookup_request req = {.subject = SPAN_LIT("ann"), .key = SPAN_LIT("k"), .no_lease = true};
	struct stage *s = *state;
	struct looked l = look_up_as(s, &req);

	assert_int_equal(l.state, AUTH_MISS);
	assert_int_equal(l.lease_len, 0);
	load(s, "k", "yes");
	l = look_up_as(s, &req);
	expect_answer(&l, AUTH_HIT, "yes");
	make_older(s, "k", CACHE_TTL_S * 1000 + 100);
	l = look_up_as(s, &req);
	expect_answer(&l, AUTH_STALE, "yes");
	assert_int_equal(l.lease_len, 0);
	/* While somebody loads, too. */
	(void)look_up(s, "other");
	assert_int_equal(look_up_as(s, &(struct auth_lookup_request){.subject = SPAN_LIT("ann"),
								     .key = SPAN_LIT("other"),
								     .no_lease = true})
			     .state,
			 AUTH_MISS);
}

/* The pause ends with the lease at the latest. */
static void who_waits_asks_again(void **state)
{
	const struct auth_lookup_request req = {
	    .subject = SPAN_LIT("ann"), .key = SPAN_LIT("k"), .wait_ms = 1000, .lease_ms = 10000};
	struct stage *s = *state;
	struct plan plans[AUTH_PLANS_MAX] = {0};
	const struct looked holder = look_up(s, "k");
	struct auth_lookup_result result;
	enum plan_next next;
	size_t count;

	assert_int_equal(auth_lookup_plan(&s->world.env, &req, plans, &count, &s->st), STATUS_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    auth_lookup_answer(&s->world.env, &plans[0], carry_out(s, &plans[0]), &next, &result, &s->st),
		    STATUS_OK);
		assert_int_equal(next, PLAN_LATER);
		assert_in_range(plans[0].pause_ms, 1, 250);
		s->world.env.mono_ms += plans[0].pause_ms;
	}
	s->world.env.mono_ms += 1000;
	assert_int_equal(auth_lookup_answer(&s->world.env, &plans[0], carry_out(s, &plans[0]), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_DONE);
	assert_int_equal(result.state, AUTH_WAIT);
	assert_true(result.has_waited && result.retry_after_ms > 0);
	assert_true(fill(s, "k", lease_of(&holder), "yes"));
	assert_int_equal(auth_lookup_answer(&s->world.env, &plans[0], carry_out(s, &plans[0]), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(result.state, AUTH_HIT);
}

/* A lost reply: the same command again gives the same. */
static void commands_may_come_twice(void **state)
{
	const struct auth_lookup_request req = {.subject = SPAN_LIT("ann"), .key = SPAN_LIT("k")};
	struct stage *s = *state;
	struct plan plans[AUTH_PLANS_MAX] = {0};
	struct auth_fill_request put = {
	    .subject = SPAN_LIT("ann"), .key = SPAN_LIT("k"), .answer = SPAN_LIT("yes"), .has_load = true};
	struct auth_lookup_result looked[2];
	struct auth_fill_result filled[2];
	enum plan_next next;
	size_t count;

	assert_int_equal(auth_lookup_plan(&s->world.env, &req, plans, &count, &s->st), STATUS_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    auth_lookup_answer(&s->world.env, &plans[0], carry_out(s, &plans[0]), &next, &looked[i], &s->st),
		    STATUS_OK);
		assert_int_equal(looked[i].state, AUTH_MISS);
	}
	assert_true(span_eq(looked[0].lease, looked[1].lease));
	put.lease = looked[0].lease;
	assert_int_equal(auth_fill_plan(&s->world.env, &put, plans, &count, &s->st), STATUS_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    auth_fill_answer(&s->world.env, &plans[0], carry_out(s, &plans[0]), &filled[i], &s->st), STATUS_OK);
		assert_true(filled[i].is_stored);
	}
	assert_int_equal(filled[0].expires_at_ms, filled[1].expires_at_ms);
}

static void times_are_the_realms_at_most(void **state)
{
	struct stage *s = *state;
	struct looked l = look_up(s, "k");
	struct auth_fill_request req = {.subject = SPAN_LIT("ann"),
					.key = SPAN_LIT("k"),
					.lease = lease_of(&l),
					.answer = SPAN_LIT("yes"),
					.has_ttl = true,
					.ttl_ms = 5000};
	uint64_t until_ms;
	long long now_s;

	assert_true(fill_as(s, &req, &until_ms));
	now_s = real_redis_number(&s->redis, "EVAL %s 0", "return tonumber(redis.call('TIME')[1])");
	assert_in_range(until_ms / 1000, now_s, now_s + 6);
	l = look_up(s, "other");
	req.key = SPAN_LIT("other");
	req.lease = lease_of(&l);
	req.ttl_ms = UINT32_MAX;
	assert_true(fill_as(s, &req, &until_ms));
	assert_in_range(until_ms / 1000, now_s, now_s + CACHE_TTL_S + 5);
}

static void jitter_spreads_the_ends(void **state)
{
	struct stage *s = *state;
	uint64_t first = UINT64_MAX;
	uint64_t last = 0;

	s->world.realm_list[0].auth.jitter_percent = 50;
	for (int i = 0; i < 40; i++) {
		char key[16];
		struct looked l;
		struct auth_fill_request req = {.subject = SPAN_LIT("ann"), .answer = SPAN_LIT("yes")};
		uint64_t until_ms;

		(void)snprintf(key, sizeof(key), "%d", i);
		l = look_up(s, key);
		req.key = span_str(key);
		req.lease = lease_of(&l);
		assert_true(fill_as(s, &req, &until_ms));
		first = until_ms < first ? until_ms : first;
		last = until_ms > last ? until_ms : last;
	}
	/* Of 30 s: forty within a third of it are one in 10^17. */
	assert_true(last - first > 10000);
	assert_true(last - first < 31000);
}

static void large_answers_are_compressed(void **state)
{
	struct stage *s = *state;
	char *large = malloc(AUTH_ANSWER_BYTES_MAX + 1);
	char name[64];
	struct looked l;

	memset(large, 'x', AUTH_ANSWER_BYTES_MAX);
	large[AUTH_ANSWER_BYTES_MAX] = 0;
	load(s, "k", large);
	l = look_up(s, "k");
	expect_answer(&l, AUTH_HIT, large);
	answer_key(s, "k", name);
	assert_true(real_redis_number(&s->redis, "STRLEN %s", name) < 500);
	free(large);
}

/* Neither names nor contents stand there in clear. */
static void redis_holds_nothing_readable(void **state)
{
	struct stage *s = *state;
	redisReply *keys;

	load_in(s, "introspect:secret-token", "role-of-admins", "the-answer-itself");
	keys = real_redis_ask(&s->redis, "KEYS *");
	assert_int_equal(keys->elements, 3);
	for (size_t i = 0; i < keys->elements; i++) {
		redisReply *value = real_redis_ask(&s->redis, "GET %s", keys->element[i]->str);

		assert_null(strstr(keys->element[i]->str, "secret"));
		assert_null(strstr(keys->element[i]->str, "admins"));
		assert_null(memmem(value->str, value->len, "answer", 6));
		assert_null(memmem(value->str, value->len, "ann", 3));
		freeReplyObject(value);
	}
	freeReplyObject(keys);
}

/* Whoever writes to Redis can take an answer away, and not put one in another's place. */
static void an_answer_moved_does_not_open(void **state)
{
	struct stage *s = *state;
	char from[64];
	char to[64];
	struct looked l;

	load(s, "may:read", "yes");
	load(s, "may:delete", "no");
	answer_key(s, "may:read", from);
	answer_key(s, "may:delete", to);
	freeReplyObject(real_redis_ask(&s->redis, "COPY %s %s REPLACE", from, to));
	l = look_up(s, "may:delete");
	assert_int_equal(l.state, AUTH_MISS);
	assert_true(l.lease_len > 0);
	assert_int_equal(l.commands, 2);
	assert_true(fill(s, "may:delete", lease_of(&l), "no"));
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 100 %s", to, "damage"));
	l = look_up(s, "may:delete");
	assert_int_equal(l.state, AUTH_MISS);
	/* Too short to be one. */
	freeReplyObject(real_redis_ask(&s->redis, "EVAL %s 1 %s",
				       "redis.call('SET', KEYS[1], redis.call('GET', KEYS[1]):sub(1, 60))", from));
	assert_int_equal(look_up(s, "may:read").state, AUTH_MISS);
}

static void realms_do_not_share(void **state)
{
	struct stage *s = *state;

	load(s, "k", "yes");
	s->world.env.realm = &s->world.realm_list[1];
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
}

static enum status_code plan_lookup(struct stage *s, const struct auth_lookup_request *req)
{
	struct plan plans[AUTH_PLANS_MAX];
	size_t count;

	return auth_lookup_plan(&s->world.env, req, plans, &count, &s->st);
}

static void limits_are_told(void **state)
{
	static const char long_text[AUTH_KEY_BYTES_MAX + 1];
	const span longest = span_of(long_text, AUTH_KEY_BYTES_MAX);
	const span too_long = span_of(long_text, AUTH_KEY_BYTES_MAX + 1);
	const span some[] = {SPAN_LIT("a"), SPAN_LIT("b"), SPAN_LIT("a"), SPAN_LIT("c"), SPAN_LIT("d")};
	const span k = SPAN_LIT("k");
	const struct auth_lookup_request bad[] = {
	    {.key = k},
	    {.subject = k},
	    {.subject = too_long, .key = k},
	    {.subject = k, .key = too_long},
	    {.subject = k, .key = k, .lease_ms = AUTH_LEASE_MS_MIN - 1},
	    {.subject = k, .key = k, .lease_ms = AUTH_LEASE_MS_MAX + 1},
	    {.subject = k, .key = k, .groups = some, .group_count = 3},
	    {.subject = k, .key = k, .groups = some, .group_count = 5},
	    {.subject = k, .key = k, .groups = &too_long, .group_count = 1},
	    {.subject = k, .key = k, .groups = &SPAN_EMPTY, .group_count = 1},
	};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(plan_lookup(s, &bad[i]), STATUS_INVALID_ARGUMENT);
		assert_true(strlen(s->st.text) > 10);
	}
	assert_int_equal(plan_lookup(s, &(struct auth_lookup_request){.subject = longest, .key = longest}), STATUS_OK);
}

static enum status_code plan_fill(struct stage *s, const char *key, span lease, size_t answer_len)
{
	static const char zeros[AUTH_ANSWER_BYTES_MAX + 1];
	const struct auth_fill_request req = {
	    .subject = SPAN_LIT("ann"), .key = span_str(key), .lease = lease, .answer = span_of(zeros, answer_len)};
	struct plan plans[AUTH_PLANS_MAX];
	size_t count;

	return auth_fill_plan(&s->world.env, &req, plans, &count, &s->st);
}

static void a_lease_is_for_what_it_was_given_for(void **state)
{
	struct stage *s = *state;
	struct looked l = look_up_in(s, "k", "a,b");
	const span lease = lease_of(&l);

	assert_int_equal(plan_fill(s, "k", lease, 1), STATUS_OK);
	assert_int_equal(plan_fill(s, "k", lease, AUTH_ANSWER_BYTES_MAX), STATUS_OK);
	assert_int_equal(plan_fill(s, "k", lease, AUTH_ANSWER_BYTES_MAX + 1), STATUS_INVALID_ARGUMENT);
	assert_int_equal(plan_fill(s, "other", lease, 1), STATUS_INVALID_ARGUMENT);
	assert_int_equal(plan_fill(s, "k", SPAN_EMPTY, 1), STATUS_INVALID_ARGUMENT);
	for (size_t len = 0; len < lease.len; len++)
		assert_int_equal(plan_fill(s, "k", span_of(lease.ptr, len), 1), STATUS_INVALID_ARGUMENT);
	for (size_t i = 0; i < lease.len; i++) {
		l.lease_bytes[i] ^= 1;
		assert_int_equal(plan_fill(s, "k", lease, 1), STATUS_INVALID_ARGUMENT);
		l.lease_bytes[i] ^= 1;
	}
}

#define TEST(name) cmocka_unit_test_setup(name, cache_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(one_loads_and_all_have_it),
	    TEST(a_holder_that_dies_is_replaced),
	    TEST(late_is_good_enough_when_nobody_else_loads),
	    TEST(a_lease_is_used_once),
	    TEST(stale_is_served_while_one_refreshes),
	    TEST(beyond_that_it_is_a_miss),
	    TEST(what_is_not_there_is_known_for_a_shorter_time),
	    TEST(who_only_looks_gets_no_lease),
	    TEST(who_waits_asks_again),
	    TEST(commands_may_come_twice),
	    TEST(times_are_the_realms_at_most),
	    TEST(jitter_spreads_the_ends),
	    TEST(large_answers_are_compressed),
	    TEST(redis_holds_nothing_readable),
	    TEST(an_answer_moved_does_not_open),
	    TEST(realms_do_not_share),
	    TEST(limits_are_told),
	    TEST(a_lease_is_for_what_it_was_given_for),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
