/* The cap where a user has more sessions than a login looks at, on a real Redis: it holds, the victims are those that the
 * policy names, and what a login costs does not grow with the crowd. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"

enum { CAP = 500, LOOKS = 200 };

static struct held_token crowd[CAP];

/* One class, and as many of its sessions as may be, a second apart. */
static int with_a_crowd(void **state)
{
	struct stage *s = *state;

	(void)stage_reset(state);
	s->world.realm_list[0].class_count = 1;
	s->world.classes[0].policy.sessions_max = CAP;
	for (int i = 0; i < CAP; i++) {
		s->world.env.now_ms += 1000;
		crowd[i] = login(s, "ann", "");
		world_fresh(&s->world);
	}
	return 0;
}

static int as_it_was(void **state)
{
	struct stage *s = *state;

	s->world.realm_list[0].class_count = 3;
	s->world.classes[0].policy.at_cap = AT_CAP_EVICT_OLDEST;
	return 0;
}

static enum status_code try_create(struct stage *s, struct session_create_result *ret)
{
	const struct session_create_request req = {.user = SPAN_LIT("ann")};

	world_fresh(&s->world);
	s->world.env.now_ms += 997;
	return do_create(s, &req, ret);
}

static struct session_create_result create(struct stage *s)
{
	struct session_create_result made = {0};

	if (try_create(s, &made) != STATUS_OK)
		fail_msg("create: %s", s->st.text);
	return made;
}

static long long entries(struct stage *s)
{
	char index[64];

	index_key(&crowd[0], index);
	return real_redis_number(&s->redis, "ZCARD %s", index);
}

static void drop(struct stage *s, int first, int end)
{
	char key[64];

	for (int i = first; i < end; i++) {
		session_key(&crowd[i], key);
		assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
	}
}

/* Reads of sessions since the last CONFIG RESETSTAT. */
static long long looks(struct stage *s)
{
	redisReply *info = real_redis_ask(&s->redis, "INFO commandstats");
	const char *row = strstr(info->str, "cmdstat_getrange:calls=");
	const long long count = row == NULL ? 0 : strtoll(row + strlen("cmdstat_getrange:calls="), NULL, 10);

	freeReplyObject(info);
	return count;
}

static void expect_evicted(const struct session_create_result *made, int first, int count)
{
	assert_int_equal(made->evicted_count, count);
	for (int i = 0; i < count; i++)
		assert_memory_equal(made->evicted[i], crowd[first + i].handle, HANDLE_CHARS);
}

static void the_oldest_of_a_crowd_goes(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < 20; i++) {
		struct session_create_result made;

		freeReplyObject(real_redis_ask(&s->redis, "CONFIG RESETSTAT"));
		made = create(s);
		expect_evicted(&made, i, 1);
		assert_in_range(looks(s), 1, LOOKS);
		assert_int_equal(entries(s), CAP);
	}
}

static void the_least_recently_used_goes_where_it_is_looked_at(void **state)
{
	struct stage *s = *state;
	struct session_create_result made;
	char key[64];

	s->world.classes[0].policy.at_cap = AT_CAP_EVICT_LRU;
	session_key(&crowd[60], key);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s 1000000", key), 1);
	made = create(s);
	expect_evicted(&made, 60, 1);
	assert_int_equal(entries(s), CAP);
}

static void a_crowd_that_is_full_refuses(void **state)
{
	struct stage *s = *state;
	struct session_create_result made;

	s->world.classes[0].policy.at_cap = AT_CAP_REFUSE;
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG RESETSTAT"));
	assert_int_equal(try_create(s, &made), STATUS_RESOURCE_EXHAUSTED);
	assert_in_range(looks(s), 1, LOOKS);
	/* In front, where those are that end first. */
	drop(s, 3, 5);
	made = create(s);
	made = create(s);
	assert_int_equal(made.evicted_count, 0);
	assert_int_equal(try_create(s, &made), STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(entries(s), CAP);
}

/* Wherever they are: each login looks at another place. */
static void the_dead_of_a_crowd_are_found_in_time(void **state)
{
	struct stage *s = *state;
	struct session_verify_result found;
	int living = CAP - 40;

	drop(s, 300, 340);
	for (int i = 0; i < 60; i++) {
		const struct session_create_result made = create(s);

		living += 1 - (int)made.evicted_count;
		assert_true(living <= CAP);
	}
	assert_int_equal(do_verify(s, &(struct session_verify_request){.user = SPAN_LIT("ann")}, &found), STATUS_OK);
	assert_int_equal(found.sessions, living);
	assert_int_equal(found.dangling, 0);
	assert_int_equal(living, CAP);
}

static void a_lowered_cap_is_reached_by_the_oldest_first(void **state)
{
	enum { LOWERED = 380, A_CALL = LOOKS / 4 };
	struct stage *s = *state;
	struct session_create_result made;

	s->world.classes[0].policy.sessions_max = LOWERED;
	made = create(s);
	expect_evicted(&made, 0, A_CALL);
	made = create(s);
	expect_evicted(&made, A_CALL, A_CALL);
	made = create(s);
	expect_evicted(&made, 2 * A_CALL, CAP - LOWERED + 3 - 2 * A_CALL);
	assert_int_equal(entries(s), LOWERED);
}

/* Nobody goes for a place that the dead take up. */
static void of_a_crowd_above_its_cap_all_are_looked_at(void **state)
{
	enum { LOWERED = 300 };
	struct stage *s = *state;
	struct session_create_result made;

	drop(s, 0, CAP - LOWERED - 1);
	s->world.classes[0].policy.sessions_max = LOWERED;
	made = create(s);
	expect_evicted(&made, CAP - LOWERED - 1, 2);
	assert_int_equal(entries(s), LOWERED);
}

static void after_a_logout_everywhere_nobody_has_to_go(void **state)
{
	struct stage *s = *state;
	struct session_revoke_user_result revoked;
	struct session_create_result made;

	assert_int_equal(do_revoke_user(s, &(struct session_revoke_user_request){.user = SPAN_LIT("ann")}, &revoked),
			 STATUS_OK);
	assert_int_equal(revoked.revoked, CAP);
	made = create(s);
	assert_int_equal(made.evicted_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, with_a_crowd, as_it_was)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_oldest_of_a_crowd_goes),
	    TEST(the_least_recently_used_goes_where_it_is_looked_at),
	    TEST(a_crowd_that_is_full_refuses),
	    TEST(the_dead_of_a_crowd_are_found_in_time),
	    TEST(a_lowered_cap_is_reached_by_the_oldest_first),
	    TEST(of_a_crowd_above_its_cap_all_are_looked_at),
	    TEST(after_a_logout_everywhere_nobody_has_to_go),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
