/* The user's index: the cap at create, and pages of List, on a real Redis. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"

static struct session_list_result list(struct stage *s, const char *user, uint32_t page_size, span page_token)
{
	const struct session_list_request req = {span_str(user), page_size, page_token};
	struct session_list_result result;

	if (do_list(s, &req, &result) != STATUS_OK)
		fail_msg("list: %s", s->st.text);
	return result;
}

static void the_oldest_makes_room(void **state)
{
	struct stage *s = *state;
	struct held_token t[WORLD_CAP + 1];
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made;
	struct session_outcome outcome;
	char index[64];

	/* The second is the oldest, and the first to end is another one: age decides, not the deadline. */
	for (int i = 0; i < WORLD_CAP; i++) {
		s->world.env.now_ms = WORLD_NOW_MS + (i == 1 ? 0 : 1000 * (uint64_t)(i + 1));
		t[i] = login(s, "ann", "");
	}
	index_key(&t[1], index);
	freeReplyObject(real_redis_ask(&s->redis, "ZINCRBY %s 3600 %b", index, t[1].handle + 12, (size_t)16));
	s->world.env.now_ms = WORLD_NOW_MS + 60000;
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 1);
	assert_memory_equal(made.evicted[0], t[1].handle, HANDLE_CHARS);
	outcome = look(s, &t[1]);
	assert_int_equal(outcome.verdict, VERDICT_INVALID);
	assert_int_equal(outcome.reason, REASON_EVICTED);
	assert_int_equal(outcome.revoked_at_ms, WORLD_NOW_MS + 60000);
	assert_int_equal(list(s, "ann", 0, SPAN_EMPTY).count, WORLD_CAP);
	for (int i = 0; i < WORLD_CAP; i++)
		assert_int_equal(is_valid(s, &t[i]), i != 1);
}

static void an_evicted_ones_tombstone_knows_the_deadline(void **state)
{
	struct stage *s = *state;
	struct held_token t = login(s, "ann", "");

	t = rotate(s, &t);
	s->world.env.now_ms = WORLD_DEADLINE_MS - 50000;
	for (int i = 0; i < WORLD_CAP; i++)
		(void)login(s, "ann", "");
	assert_int_equal(look(s, &t).reason, REASON_EVICTED);
	expect_session_ttl(s, &t, 50000);
}

static void the_dead_do_not_count(void **state)
{
	struct stage *s = *state;
	struct held_token t[WORLD_CAP] = {0};
	const struct session_revoke_request revoke = {.token = token_of(&t[4])};
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_revoke_result revoked;
	struct session_create_result made;
	char key[64];
	char index[64];

	for (int i = 0; i < WORLD_CAP; i++)
		t[i] = login(s, "ann", "");
	index_key(&t[0], index);
	session_key(&t[2], key);
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
	assert_int_equal(do_revoke(s, &revoke, &revoked), STATUS_OK);
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 0);
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), WORLD_CAP);
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 1);
}

static void a_lowered_cap_evicts_several(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct held_token t[WORLD_CAP];
	struct session_create_result made;

	for (int i = 0; i < WORLD_CAP; i++) {
		s->world.env.now_ms += 1000;
		t[i] = login(s, "ann", "");
	}
	s->world.classes[0].policy.sessions_max = 2;
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	s->world.classes[0].policy.sessions_max = WORLD_CAP;
	assert_int_equal(made.evicted_count, WORLD_CAP - 1);
	for (int i = 0; i < WORLD_CAP - 1; i++) {
		assert_memory_equal(made.evicted[i], t[i].handle, HANDLE_CHARS);
		assert_false(is_valid(s, &t[i]));
	}
	assert_true(is_valid(s, &t[WORLD_CAP - 1]));
}

static void classes_have_caps_of_their_own(void **state)
{
	struct stage *s = *state;
	struct held_token t[WORLD_CAP];
	const struct session_create_request remember = {.user = SPAN_LIT("ann"), .class_name = SPAN_LIT("remember")};
	const struct session_create_request standard = {.user = SPAN_LIT("ann")};
	struct session_create_result made;

	for (int i = 0; i < WORLD_CAP; i++)
		t[i] = login(s, "ann", "");
	s->world.classes[1].policy.sessions_max = 1;
	assert_int_equal(do_create(s, &remember, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 0);
	assert_int_equal(do_create(s, &remember, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 1);
	s->world.classes[1].policy.sessions_max = SESSIONS_MAX_MAX;
	for (int i = 0; i < WORLD_CAP; i++)
		assert_true(is_valid(s, &t[i]));
	assert_int_equal(do_create(s, &standard, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 1);
}

/* More than a script may unpack or a stack may hold; and more than one call ends, so the next one goes on. */
static void ten_thousand_make_room(void **state)
{
	enum { MANY = 10000, EVICTED_AT_ONCE = 200 };
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann"), .class_name = SPAN_LIT("remember")};
	struct session_create_result made;
	struct held_token t;
	struct held_token last = {0};
	struct held_token next = {0};
	char index[64];

	for (int i = 0; i < MANY; i++) {
		s->world.env.now_ms += 1;
		t = login(s, "ann", "remember");
		if (i == EVICTED_AT_ONCE - 1)
			last = t;
		if (i == EVICTED_AT_ONCE)
			next = t;
		world_fresh(&s->world);
	}
	index_key(&t, index);
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), MANY);
	s->world.classes[1].policy.sessions_max = 1;
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, EVICTED_AT_ONCE);
	assert_false(is_valid(s, &last));
	assert_true(is_valid(s, &next));
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), MANY - EVICTED_AT_ONCE + 1);
	for (int i = 0; i <= MANY / EVICTED_AT_ONCE; i++) {
		s->world.env.now_ms += 1;
		world_fresh(&s->world);
		assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	}
	s->world.classes[1].policy.sessions_max = SESSIONS_MAX_MAX;
	assert_int_equal(made.evicted_count, 1);
	assert_false(is_valid(s, &t));
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), 1);
}

static void a_strict_class_refuses(void **state)
{
	struct stage *s = *state;
	struct held_token t[WORLD_CAP];
	const struct session_create_request req = {.user = SPAN_LIT("ann"), .class_name = SPAN_LIT("strict")};
	struct session_create_result made;
	char key[64];

	for (int i = 0; i < WORLD_CAP; i++)
		t[i] = login(s, "ann", "strict");
	assert_int_equal(do_create(s, &req, &made), STATUS_RESOURCE_EXHAUSTED);
	for (int i = 0; i < WORLD_CAP; i++)
		assert_true(is_valid(s, &t[i]));
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), WORLD_CAP + 1);
	session_key(&t[2], key);
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
}

static void an_unknown_class_is_not_found(void **state)
{
	struct stage *s = *state;
	const struct session_create_request req = {.user = SPAN_LIT("ann"), .class_name = SPAN_LIT("unheard of")};
	struct session_create_result made;

	assert_int_equal(do_create(s, &req, &made), STATUS_NOT_FOUND);
}

static void another_versions_sessions_count_and_go_last(void **state)
{
	struct stage *s = *state;
	struct held_token t[WORLD_CAP];
	const struct session_create_request req = {.user = SPAN_LIT("ann")};
	struct session_create_result made;
	char key[64];

	for (int i = 0; i < WORLD_CAP; i++) {
		s->world.env.now_ms += 1000;
		t[i] = login(s, "ann", "");
	}
	session_key(&t[0], key);
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 0 %b", key, "\4", (size_t)1));
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(made.evicted_count, 1);
	assert_memory_equal(made.evicted[0], t[1].handle, HANDLE_CHARS);
}

static void past_deadlines_leave_the_index(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char index[64];

	index_key(&t, index);
	assert_int_equal(real_redis_number(&s->redis, "ZADD %s %llu AAAAAAAAAAAAAAAA", index, WORLD_NOW_MS / 1000), 1);
	assert_int_equal(real_redis_number(&s->redis, "ZADD %s 1 AAAAAAAAAAAAAAAB", index), 1);
	assert_int_equal(list(s, "ann", 0, SPAN_EMPTY).count, 1);
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), 1);
	assert_int_equal(real_redis_number(&s->redis, "ZADD %s 1 AAAAAAAAAAAAAAAB", index), 1);
	(void)login(s, "ann", "");
	assert_int_equal(real_redis_number(&s->redis, "ZCARD %s", index), 2);
}

static void the_index_lives_as_long_as_its_longest(void **state)
{
	const long long day_ms = 86400000LL;
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char index[64];

	index_key(&t, index);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", index), WORLD_ABSOLUTE_S * 1000LL - 60000,
			WORLD_ABSOLUTE_S * 1000LL);
	(void)login(s, "ann", "remember");
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", index), 90 * day_ms - 60000, 90 * day_ms);
	(void)login(s, "ann", "");
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", index), 90 * day_ms - 60000, 90 * day_ms);
	assert_int_equal(real_redis_number(&s->redis, "PERSIST %s", index), 1);
	(void)login(s, "ann", "");
	assert_int_equal(real_redis_number(&s->redis, "PTTL %s", index), -1);
}

static void list_shows_what_a_person_wants_to_know(void **state)
{
	struct stage *s = *state;
	const struct session_attribute secret = {SPAN_LIT("k"), SPAN_LIT("v")};
	const struct session_create_request req = {.user = SPAN_LIT("ann"),
						   .class_name = SPAN_LIT("remember"),
						   .attribute_count = 1,
						   .attributes = &secret,
						   .device = {.label = SPAN_LIT("Ann's phone")},
						   .authentication = {.aal = 2}};
	struct session_create_result made;
	struct session_list_result page;
	struct held_token plain;

	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	s->world.env.now_ms += 1000;
	plain = login(s, "ann", "");
	page = list(s, "ann", 0, SPAN_EMPTY);
	assert_int_equal(page.count, 2);
	assert_int_equal(page.next_page_token.len, 0);
	assert_memory_equal(page.sessions[0].handle, plain.handle, HANDLE_CHARS);
	assert_memory_equal(page.sessions[1].handle, made.info.handle, HANDLE_CHARS);
	assert_true(span_eq(page.sessions[1].user, SPAN_LIT("ann")));
	assert_true(span_eq(page.sessions[1].class_name, SPAN_LIT("remember")));
	assert_true(span_eq(page.sessions[1].device.label, SPAN_LIT("Ann's phone")));
	assert_int_equal(page.sessions[1].authentication.aal, 2);
	assert_int_equal(page.sessions[1].created_at_ms, WORLD_NOW_MS);
	assert_int_equal(page.sessions[1].expires_at_ms, made.info.expires_at_ms);
	assert_in_range(page.sessions[1].idle_expires_at_ms, made.info.idle_expires_at_ms - 20000,
			made.info.idle_expires_at_ms + 1000);
	assert_int_equal(page.sessions[1].version, 1);
	assert_int_equal(list(s, "nobody", 0, SPAN_EMPTY).count, 0);
	s->world.env.realm = &s->world.realm_list[1];
	assert_int_equal(list(s, "ann", 0, SPAN_EMPTY).count, 0);
}

/* How often each of the tokens is in the page. */
static void tally(const struct session_list_result *page, const struct held_token *t, size_t count, int *seen)
{
	for (size_t i = 0; i < page->count; i++)
		for (size_t k = 0; k < count; k++)
			if (memcmp(page->sessions[i].handle, t[k].handle, HANDLE_CHARS) == 0)
				seen[k]++;
}

/* All have one deadline, and some were rotated. After each page one entry seen and one not yet seen are gone. */
static void pages_neither_skip_nor_repeat(void **state)
{
	enum { MANY = 61, PAGE = 7 };
	struct stage *s = *state;
	struct held_token t[MANY];
	int seen[MANY] = {0};
	bool gone[MANY] = {false};
	span page_token = SPAN_EMPTY;
	char index[64];

	for (int i = 0; i < MANY; i++) {
		t[i] = login(s, "ann", "remember");
		for (int k = 0; k < i % 3; k++)
			t[i] = rotate(s, &t[i]);
	}
	index_key(&t[0], index);
	do {
		const struct session_list_result page = list(s, "ann", PAGE, page_token);
		bool taken_seen = false;
		bool taken_unseen = false;

		tally(&page, t, MANY, seen);
		assert_true(page.count <= PAGE);
		for (int k = 0; k < MANY; k++) {
			bool *taken = seen[k] > 0 ? &taken_seen : &taken_unseen;
			char key[64];

			if (gone[k] || *taken)
				continue;
			*taken = gone[k] = true;
			session_key(&t[k], key);
			/* One by its entry, the other by its record. */
			if (seen[k] > 0)
				assert_int_equal(
				    real_redis_number(&s->redis, "ZREM %s %b", index, t[k].handle + 12, (size_t)16), 1);
			else
				assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
		}
		page_token = page.next_page_token;
	} while (page_token.len > 0);
	for (int k = 0; k < MANY; k++)
		if (seen[k] != 1 && !(gone[k] && seen[k] == 0))
			fail_msg("session %d was listed %d times", k, seen[k]);
}

static void page_tokens_are_checked(void **state)
{
	struct stage *s = *state;
	struct session_list_request req = {.user = SPAN_LIT("ann"), .page_token = SPAN_LIT("nonsense")};
	struct session_list_result result;

	assert_int_equal(do_list(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.page_token = SPAN_LIT("+++++++++++++++++++++++++++");
	assert_int_equal(do_list(s, &req, &result), STATUS_INVALID_ARGUMENT);
	req.page_token = SPAN_LIT("AAAAAAAAAAAAAAAAAAAAAAAAAAA");
	assert_int_equal(do_list(s, &req, &result), STATUS_OK);
	req.page_token = SPAN_LIT("__________________________8");
	(void)login(s, "ann", "");
	assert_int_equal(do_list(s, &req, &result), STATUS_OK);
	assert_int_equal(result.count, 0);
	req.page_token = SPAN_EMPTY;
	req.page_size = LIST_PAGE_MAX + 1;
	assert_int_equal(do_list(s, &req, &result), STATUS_INVALID_ARGUMENT);
}

static void one_damaged_record_hides_no_other(void **state)
{
	struct stage *s = *state;
	const struct held_token good = login(s, "ann", "");
	const struct held_token damaged = login(s, "ann", "");
	const struct held_token newer = login(s, "ann", "");
	struct session_list_result page;
	char key[64];
	int bare = 0;

	session_key(&damaged, key);
	freeReplyObject(real_redis_ask(&s->redis, "SETRANGE %s 60 xx", key));
	session_key(&newer, key);
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %b PX 90000", key, "\4new", (size_t)4));
	page = list(s, "ann", 0, SPAN_EMPTY);
	assert_int_equal(page.count, 3);
	for (size_t i = 0; i < page.count; i++) {
		assert_true(span_eq(page.sessions[i].user, SPAN_LIT("ann")));
		assert_int_equal(page.sessions[i].expires_at_ms, page.sessions[0].expires_at_ms);
		if (memcmp(page.sessions[i].handle, good.handle, HANDLE_CHARS) == 0)
			assert_int_equal(page.sessions[i].created_at_ms, WORLD_NOW_MS);
		else if (page.sessions[i].created_at_ms == 0)
			bare++;
	}
	assert_int_equal(bare, 2);
}

static void a_full_size_page_fits_the_arena(void **state)
{
	struct stage *s = *state;
	char longest[512];
	const struct session_create_request req = {
	    .user = span_of(longest, USER_BYTES_MAX),
	    .class_name = SPAN_LIT("remember"),
	    .device = {span_of(longest, 512), span_of(longest, 45), span_of(longest, 64)},
	    .authentication = {.aal = 3, .amr_count = 1, .amr = {SPAN_LIT("sixteen-bytes-sx")}},
	};
	const struct session_list_request list_all = {.user = req.user, .page_size = LIST_PAGE_MAX};
	struct session_create_result made;
	struct session_list_result page;

	memset(longest, 'x', sizeof(longest));
	for (int i = 0; i < LIST_PAGE_MAX; i++) {
		assert_int_equal(do_create(s, &req, &made), STATUS_OK);
		world_fresh(&s->world);
	}
	assert_int_equal(do_list(s, &list_all, &page), STATUS_OK);
	assert_int_equal(page.count, LIST_PAGE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_oldest_makes_room, stage_reset),
	    cmocka_unit_test_setup(an_evicted_ones_tombstone_knows_the_deadline, stage_reset),
	    cmocka_unit_test_setup(the_dead_do_not_count, stage_reset),
	    cmocka_unit_test_setup(a_lowered_cap_evicts_several, stage_reset),
	    cmocka_unit_test_setup(classes_have_caps_of_their_own, stage_reset),
	    cmocka_unit_test_setup(ten_thousand_make_room, stage_reset),
	    cmocka_unit_test_setup(a_strict_class_refuses, stage_reset),
	    cmocka_unit_test_setup(an_unknown_class_is_not_found, stage_reset),
	    cmocka_unit_test_setup(another_versions_sessions_count_and_go_last, stage_reset),
	    cmocka_unit_test_setup(past_deadlines_leave_the_index, stage_reset),
	    cmocka_unit_test_setup(the_index_lives_as_long_as_its_longest, stage_reset),
	    cmocka_unit_test_setup(list_shows_what_a_person_wants_to_know, stage_reset),
	    cmocka_unit_test_setup(pages_neither_skip_nor_repeat, stage_reset),
	    cmocka_unit_test_setup(page_tokens_are_checked, stage_reset),
	    cmocka_unit_test_setup(one_damaged_record_hides_no_other, stage_reset),
	    cmocka_unit_test_setup(a_full_size_page_fits_the_arena, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
