/* Which session makes room at the cap when that is to be the least recently used, on a real Redis: when a session was used
 * last is made by setting its time to live. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"

#define IDLE_MS (WORLD_IDLE_S * 1000LL)

static int evicting_lru(void **state)
{
	struct stage *s = *state;

	(void)stage_reset(state);
	s->world.classes[0].policy.at_cap = AT_CAP_EVICT_LRU;
	return 0;
}

static int evicting_oldest(void **state)
{
	struct stage *s = *state;

	s->world.classes[0].policy.at_cap = AT_CAP_EVICT_OLDEST;
	return 0;
}

static void set_left(struct stage *s, const struct held_token *t, long long left_ms)
{
	char key[64];

	session_key(t, key);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s %lld", key, left_ms), 1);
}

/* To the cap; the i-th was used `ago_s[i]` ago. */
static void fill(struct stage *s, const long long *ago_s, struct held_token *ret)
{
	for (int i = 0; i < WORLD_CAP; i++) {
		s->world.env.now_ms += 1000;
		ret[i] = login(s, "ann", "");
	}
	s->world.env.now_ms += 900000;
	for (int i = 0; i < WORLD_CAP; i++)
		set_left(s, &ret[i], IDLE_MS - ago_s[i] * 1000);
}

static struct session_create_result create(struct stage *s)
{
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made = {0};

	if (do_create(s, &req, &made) != STATUS_OK)
		fail_msg("create: %s", s->st.text);
	return made;
}

static void the_least_recently_used_makes_room(void **state)
{
	static const long long ago_s[WORLD_CAP] = {100, 200, 700, 600, 300};
	struct stage *s = *state;
	struct held_token t[WORLD_CAP];
	struct session_create_result made;
	struct session_outcome outcome;

	fill(s, ago_s, t);
	made = create(s);
	assert_int_equal(made.evicted_count, 1);
	assert_memory_equal(made.evicted[0], t[2].handle, HANDLE_CHARS);
	outcome = look(s, &t[2]);
	assert_int_equal(outcome.verdict, VERDICT_INVALID);
	assert_int_equal(outcome.reason, REASON_EVICTED);
	made = create(s);
	assert_memory_equal(made.evicted[0], t[3].handle, HANDLE_CHARS);
	for (int i = 0; i < WORLD_CAP; i++)
		assert_int_equal(is_valid(s, &t[i]), i != 2 && i != 3);
}

static void use_saves_a_session(void **state)
{
	static const long long ago_s[WORLD_CAP] = {100, 200, 700, 600, 300};
	struct stage *s = *state;
	struct held_token t[WORLD_CAP];
	struct session_create_result made;
	struct session_get_result got;

	fill(s, ago_s, t);
	assert_int_equal(do_get(s, &(struct session_get_request){.token = token_of(&t[2])}, &got), STATUS_OK);
	made = create(s);
	assert_memory_equal(made.evicted[0], t[3].handle, HANDLE_CHARS);
	/* Looking does not. */
	assert_true(is_valid(s, &t[4]));
	made = create(s);
	assert_memory_equal(made.evicted[0], t[4].handle, HANDLE_CHARS);
}

static void several_go_in_order(void **state)
{
	static const long long ago_s[WORLD_CAP] = {100, 500, 700, 600, 300};
	static const int order[] = {2, 3, 1};
	struct stage *s = *state;
	struct held_token t[WORLD_CAP];
	struct session_create_result made;

	fill(s, ago_s, t);
	s->world.classes[0].policy.sessions_max = 3;
	made = create(s);
	assert_int_equal(made.evicted_count, 3);
	for (int i = 0; i < 3; i++)
		assert_memory_equal(made.evicted[i], t[order[i]].handle, HANDLE_CHARS);
}

/* Idle timeouts of their own: what is left says nothing without them. */
static void it_is_use_that_counts_not_what_is_left(void **state)
{
	struct stage *s = *state;
	const struct session_create_request brief = {.user = SPAN_LIT("ann"), .idle_timeout_s = 300};
	static const long long ago_s[WORLD_CAP] = {500, 400, 450, 420, 410};
	struct session_create_result made;
	struct held_token t[WORLD_CAP];
	struct held_token short_one;

	fill(s, ago_s, t);
	s->world.classes[0].policy.sessions_max = WORLD_CAP + 1;
	assert_int_equal(do_create(s, &brief, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 0);
	memcpy(short_one.text, made.token.ptr, sizeof(short_one.text));
	memcpy(short_one.handle, made.info.handle, sizeof(short_one.handle));
	/* Used 100 s ago, and the first to end. */
	set_left(s, &short_one, 200000);
	made = create(s);
	assert_int_equal(made.evicted_count, 1);
	assert_memory_equal(made.evicted[0], t[0].handle, HANDLE_CHARS);
	assert_true(is_valid(s, &short_one));
}

/* Used in the same millisecond: near their common deadline all seem so. The oldest goes, and among twins the first by
 * name: whichever instance decides. */
static void ties_go_by_age_and_name(void **state)
{
	struct stage *s = *state;
	struct held_token t[WORLD_CAP];
	struct held_token *first = &t[3];
	struct session_create_result made;
	char keys[WORLD_CAP][64];

	for (int i = 0; i < WORLD_CAP; i++) {
		if (i == 3)
			s->world.env.now_ms -= 5000;
		t[i] = login(s, "ann", "");
		if (i == 4 && memcmp(t[4].handle, t[3].handle, HANDLE_CHARS) < 0)
			first = &t[4];
		session_key(&t[i], keys[i]);
	}
	/* One command, one moment. */
	freeReplyObject(real_redis_ask(&s->redis, "EVAL %s 5 %s %s %s %s %s",
				       "for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], 600000) end", keys[0],
				       keys[1], keys[2], keys[3], keys[4]));
	made = create(s);
	assert_memory_equal(made.evicted[0], first->handle, HANDLE_CHARS);
	made = create(s);
	assert_memory_equal(made.evicted[0], first == &t[3] ? t[4].handle : t[3].handle, HANDLE_CHARS);
}

static void other_classes_and_versions_are_spared(void **state)
{
	static const long long ago_s[WORLD_CAP] = {100, 200, 700, 600, 300};
	struct stage *s = *state;
	const struct held_token remembered = login(s, "ann", "remember");
	struct held_token t[WORLD_CAP];
	struct session_create_result made;
	char key[64];

	fill(s, ago_s, t);
	set_left(s, &remembered, 1000000);
	session_key(&t[2], key);
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 0 %b", key, "\7", (size_t)1));
	made = create(s);
	assert_int_equal(made.evicted_count, 1);
	assert_memory_equal(made.evicted[0], t[3].handle, HANDLE_CHARS);
	assert_true(is_valid(s, &remembered));
}

static void a_lost_answer_is_told_again(void **state)
{
	static const long long ago_s[WORLD_CAP] = {100, 200, 700, 600, 300};
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made;
	struct held_token t[WORLD_CAP];

	fill(s, ago_s, t);
	s->world.env.idempotency_key = SPAN_LIT("once");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(do_create(s, &req, &made), STATUS_OK);
		assert_int_equal(made.evicted_count, 1);
		assert_memory_equal(made.evicted[0], t[2].handle, HANDLE_CHARS);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, evicting_lru, evicting_oldest)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_least_recently_used_makes_room),
	    TEST(use_saves_a_session),
	    TEST(several_go_in_order),
	    TEST(it_is_use_that_counts_not_what_is_left),
	    TEST(ties_go_by_age_and_name),
	    TEST(other_classes_and_versions_are_spared),
	    TEST(a_lost_answer_is_told_again),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
