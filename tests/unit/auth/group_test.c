/* Groups: what depends on one is forgotten with it, wherever it is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/cache.h"

static void a_group_is_forgotten(void **state)
{
	struct stage *s = *state;
	struct looked l;

	load_in(s, "k", "editors,staff", "yes");
	load_in(s, "other", "staff", "yes");
	forget_group(s, "strangers");
	l = look_up_in(s, "k", "editors,staff");
	expect_answer(&l, AUTH_HIT, "yes");
	assert_int_equal(l.commands, 3);
	forget_group(s, "editors");
	l = look_up_in(s, "k", "editors,staff");
	assert_int_equal(l.state, AUTH_MISS);
	assert_true(l.lease_len > 0);
	/* Told that it is dead, in a command more. */
	assert_int_equal(l.commands, 4);
	assert_int_equal(look_up_in(s, "other", "staff").state, AUTH_HIT);
	/* Others wait for who loads it, and not for ever. */
	assert_int_equal(look_up_in(s, "k", "editors,staff").state, AUTH_WAIT);
	assert_true(fill(s, "k", lease_of(&l), "no"));
	l = look_up_in(s, "k", "editors,staff");
	expect_answer(&l, AUTH_HIT, "no");
}

static void order_does_not_matter(void **state)
{
	struct stage *s = *state;

	load_in(s, "k", "a,b,c,d", "yes");
	assert_int_equal(look_up_in(s, "k", "d,b,a,c").state, AUTH_HIT);
}

static void other_groups_do_not_find_it(void **state)
{
	struct stage *s = *state;

	load_in(s, "k", "a,b", "yes");
	assert_int_equal(look_up_in(s, "k", "a").state, AUTH_MISS);
	load_in(s, "k2", "a", "yes");
	assert_int_equal(look_up_in(s, "k2", "a,b").state, AUTH_MISS);
	load_in(s, "k3", "a", "yes");
	assert_int_equal(look_up(s, "k3").state, AUTH_MISS);
}

static void a_fill_that_was_under_way_is_refused(void **state)
{
	struct stage *s = *state;
	const struct looked before = look_up_in(s, "k", "a,b");
	struct looked after;

	forget_group(s, "b");
	assert_false(fill(s, "k", lease_of(&before), "old"));
	after = look_up_in(s, "k", "a,b");
	assert_int_equal(after.state, AUTH_MISS);
	assert_true(after.lease_len > 0);
	assert_true(fill(s, "k", lease_of(&after), "new"));
}

/* Between the fill and the look at the group's epoch, or unseen by it. */
static void what_is_stored_all_the_same_is_not_served(void **state)
{
	struct stage *s = *state;
	const struct looked l = look_up_in(s, "k", "a");
	const struct auth_fill_request req = {
	    .subject = SPAN_LIT("ann"), .key = SPAN_LIT("k"), .lease = lease_of(&l), .answer = SPAN_LIT("old")};
	struct plan plans[AUTH_PLANS_MAX];
	struct auth_fill_result result;
	size_t count;

	assert_int_equal(auth_fill_plan(&s->world.env, &req, plans, &count, &s->st), STATUS_OK);
	assert_int_equal(count, 2);
	for (size_t i = 2; i-- > 0;) {
		assert_int_equal(auth_fill_answer(&s->world.env, &plans[i], carry_out(s, &plans[i]), &result, &s->st),
				 STATUS_OK);
		if (i == 1)
			forget_group(s, "a");
	}
	assert_true(result.is_stored);
	assert_int_equal(look_up_in(s, "k", "a").state, AUTH_MISS);
}

/* The lease of a dead answer's refresh is the caller's already. */
static void a_stale_answer_of_a_dead_group_is_no_answer(void **state)
{
	struct stage *s = *state;
	struct looked l;

	load_in(s, "k", "a", "old");
	make_older(s, "k", CACHE_TTL_S * 1000 + 100);
	forget_group(s, "a");
	l = look_up_in(s, "k", "a");
	expect_answer(&l, AUTH_MISS, "");
	assert_int_equal(l.commands, 2);
	assert_true(fill(s, "k", lease_of(&l), "new"));
}

static struct looked look_up_since(struct stage *s, uint64_t revoked_ms, bool is_unknown)
{
	const span group = SPAN_LIT("a");

	return look_up_as(s, &(struct auth_lookup_request){.subject = SPAN_LIT("ann"),
							   .key = SPAN_LIT("k"),
							   .groups = &group,
							   .group_count = 1,
							   .realm_revoked_ms = revoked_ms,
							   .is_realm_unknown = is_unknown});
}

static bool fill_since(struct stage *s, uint64_t revoked_ms, const struct looked *l, const char *answer)
{
	return fill_as(s,
		       &(struct auth_fill_request){.subject = SPAN_LIT("ann"),
						   .key = SPAN_LIT("k"),
						   .lease = lease_of(l),
						   .answer = span_str(answer),
						   .realm_revoked_ms = revoked_ms},
		       NULL);
}

/* What was loaded before it is dead, whoever finds it, and so is a lease of before; what is loaded since is not. */
static void a_revoked_realm_is_a_group_of_all(void **state)
{
	struct stage *s = *state;
	struct looked l;

	load_in(s, "k", "a", "old");
	l = look_up_since(s, 1000, false);
	expect_answer(&l, AUTH_MISS, "");
	assert_true(l.lease_len > 0);
	assert_true(fill_since(s, 1000, &l, "new"));
	l = look_up_since(s, 1000, false);
	expect_answer(&l, AUTH_HIT, "new");
	forget_group(s, "a");
	l = look_up_since(s, 1000, false);
	assert_int_equal(l.state, AUTH_MISS);
	/* Revoked once more while it is loaded. */
	assert_false(fill_since(s, 2000, &l, "late"));
	assert_int_equal(look_up_since(s, 2000, false).state, AUTH_MISS);
}

/* By an instance that has not heard of it yet. */
static void a_lease_of_since_is_good_everywhere(void **state)
{
	struct stage *s = *state;
	struct looked l = look_up_since(s, 1000, false);

	assert_true(fill_since(s, 0, &l, "new"));
	l = look_up_since(s, 1000, false);
	expect_answer(&l, AUTH_HIT, "new");
}

static void a_realm_not_asked_for_is_not_believed(void **state)
{
	struct stage *s = *state;
	struct looked l;

	load_in(s, "k", "a", "yes");
	l = look_up_since(s, 0, true);
	expect_answer(&l, AUTH_MISS, "");
	assert_int_equal(l.lease_len, 0);
	l = look_up_since(s, 0, false);
	expect_answer(&l, AUTH_HIT, "yes");
}

static void who_only_looks_begins_no_epoch(void **state)
{
	const span group = SPAN_LIT("a");
	const struct auth_lookup_request req = {
	    .subject = SPAN_LIT("ann"), .key = SPAN_LIT("k"), .groups = &group, .group_count = 1, .no_lease = true};
	struct stage *s = *state;

	assert_int_equal(look_up_as(s, &req).state, AUTH_MISS);
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 0);
	load_in(s, "k", "a", "yes");
	assert_int_equal(look_up_as(s, &req).state, AUTH_HIT);
	forget_group(s, "a");
	assert_int_equal(look_up_as(s, &req).state, AUTH_MISS);
}

static void an_epoch_lives_longer_than_its_answers(void **state)
{
	struct stage *s = *state;
	redisReply *keys;

	load_in(s, "k", "a", "yes");
	keys = real_redis_ask(&s->redis, "KEYS lk1:[fg]:*");
	assert_int_equal(keys->elements, 2);
	for (size_t i = 0; i < 2; i++) {
		const char *key = keys->element[i]->str;

		assert_true(real_redis_number(&s->redis, "PTTL %s", key) > 2000LL * (CACHE_TTL_S + CACHE_STALE_S));
		/* Half of it is over: whoever begins something renews it. */
		(void)real_redis_number(&s->redis, "PEXPIRE %s 1000", key);
	}
	(void)look_up_in(s, "k2", "a");
	for (size_t i = 0; i < 2; i++)
		assert_true(real_redis_number(&s->redis, "PTTL %s", keys->element[i]->str) > 100000);
	freeReplyObject(keys);
	assert_int_equal(look_up_in(s, "k", "a").state, AUTH_HIT);
}

static void a_failover_does_not_bring_it_back(void **state)
{
	struct stage *s = *state;
	redisReply *keys;
	redisReply *epoch;

	load_in(s, "k", "a", "old");
	keys = real_redis_ask(&s->redis, "KEYS lk1:g:*");
	epoch = real_redis_ask(&s->redis, "GET %s", keys->element[0]->str);
	s->kept_count = 0;
	forget_group(s, "a");
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %b", keys->element[0]->str, epoch->str, (size_t)epoch->len));
	assert_int_equal(look_up_in(s, "k", "a").state, AUTH_HIT);
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 0), "there");
	assert_int_equal(look_up_in(s, "k", "a").state, AUTH_MISS);
	freeReplyObject(epoch);
	freeReplyObject(keys);
}

#define TEST(name) cmocka_unit_test_setup(name, cache_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_group_is_forgotten),
	    TEST(order_does_not_matter),
	    TEST(other_groups_do_not_find_it),
	    TEST(a_fill_that_was_under_way_is_refused),
	    TEST(what_is_stored_all_the_same_is_not_served),
	    TEST(a_stale_answer_of_a_dead_group_is_no_answer),
	    TEST(a_revoked_realm_is_a_group_of_all),
	    TEST(a_lease_of_since_is_good_everywhere),
	    TEST(a_realm_not_asked_for_is_not_believed),
	    TEST(who_only_looks_begins_no_epoch),
	    TEST(an_epoch_lives_longer_than_its_answers),
	    TEST(a_failover_does_not_bring_it_back),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
