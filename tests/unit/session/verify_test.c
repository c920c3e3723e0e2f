/* An index that has drifted from its sessions, by hand, and what sets it right: Verify, and the writing of a session. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "history.h"
#include "session/record.h"

#define DEADLINE_MS ((long long)WORLD_DEADLINE_MS)

static enum status_code try_verify(struct stage *s, const span *tokens, size_t count, struct session_verify_result *ret)
{
	const struct session_verify_request req = {.user = SPAN_LIT("ann"), .tokens = tokens, .token_count = count};

	return do_verify(s, &req, ret);
}

static void expect_verified(struct stage *s, const struct held_token *t, size_t count,
			    const struct session_verify_result *wanted)
{
	struct session_verify_result got = {99, 99, 99, 99};
	span tokens[VERIFY_TOKENS_MAX];

	for (size_t i = 0; i < count; i++)
		tokens[i] = token_of(&t[i]);
	if (try_verify(s, tokens, count, &got) != STATUS_OK)
		fail_msg("verify: %s", s->st.text);
	if (memcmp(&got, wanted, sizeof(got)) != 0)
		fail_msg("alive %u, dangling %u, wrong %u, missing %u; not %u, %u, %u, %u", got.sessions, got.dangling,
			 got.wrong_score, got.missing, wanted->sessions, wanted->dangling, wanted->wrong_score,
			 wanted->missing);
}

#define EXPECT(s, t, count, ...) expect_verified((s), (t), (count), &(struct session_verify_result){__VA_ARGS__})

static void drop_entry(struct stage *s, const struct held_token *t)
{
	char index[64];

	index_key(t, index);
	assert_int_equal(real_redis_number(&s->redis, "ZREM %s %b", index, t->handle + 12, (size_t)16), 1);
}

static void drop_record(struct stage *s, const struct held_token *t)
{
	char key[64];

	session_key(t, key);
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
}

static void set_record(struct stage *s, const struct held_token *t, const char *value)
{
	char key[64];

	session_key(t, key);
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %s PX 900000", key, value));
}

/* In ms, whole seconds; -1: no entry. */
static long long score(struct stage *s, const struct held_token *t)
{
	const double place = index_score(s, t);

	return place < 0 ? -1 : (long long)place * 1000;
}

static void set_score(struct stage *s, const struct held_token *t, long long to)
{
	char index[64];

	index_key(t, index);
	freeReplyObject(real_redis_ask(&s->redis, "ZADD %s %lld %b", index, to / 1000, t->handle + 12, (size_t)16));
}

static long long index_left(struct stage *s, const struct held_token *t)
{
	char index[64];

	index_key(t, index);
	return real_redis_number(&s->redis, "PTTL %s", index);
}

static void a_good_index_is_left_alone(void **state)
{
	struct stage *s = *state;
	struct held_token t[3];

	EXPECT(s, NULL, 0, .sessions = 0);
	for (int i = 0; i < 3; i++)
		t[i] = login(s, "ann", i == 0 ? "remember" : "");
	(void)login(s, "bob", "");
	(void)put(s, &t[0], "a", "1");
	t[1] = rotate(s, &t[1]);
	EXPECT(s, t, 3, .sessions = 3);
	/* Four sessions, a forward, two indexes. */
	assert_int_equal(real_redis_number(&s->redis, "DBSIZE"), 4 + 1 + 2);
}

static void entries_without_a_session_go(void **state)
{
	const uint64_t counted = metric_get(METRIC_INDEX_DANGLING);
	struct stage *s = *state;
	struct held_token t[5];

	for (int i = 0; i < 5; i++)
		t[i] = login(s, "ann", "remember");
	drop_record(s, &t[0]);
	end(s, &t[1]);
	set_score(s, &t[1], DEADLINE_MS);
	/* A forward to a successor. */
	set_record(s, &t[2], "\3 and so on");
	set_score(s, &t[0], 5000);
	/* One that was ended is no drift. */
	EXPECT(s, NULL, 0, .sessions = 2, .dangling = 2);
	for (int i = 0; i < 5; i++)
		assert_int_equal(score(s, &t[i]) > 0, i > 2);
	EXPECT(s, t, 5, .sessions = 2);
	assert_int_equal(metric_get(METRIC_INDEX_DANGLING), counted + 2);
}

static void wrong_deadlines_are_corrected(void **state)
{
	const uint64_t counted = metric_get(METRIC_INDEX_WRONG_SCORE);
	struct stage *s = *state;
	struct held_token t[4];
	char index[64];

	for (int i = 0; i < 4; i++)
		t[i] = login(s, "ann", "");
	(void)put(s, &t[3], "a", "1");
	t[3] = rotate(s, &t[3]);
	/* The first would be trimmed by the next list or login. */
	set_score(s, &t[0], 1000);
	set_score(s, &t[1], DEADLINE_MS - 1000);
	set_score(s, &t[2], DEADLINE_MS * 2);
	index_key(&t[0], index);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s 60000", index), 1);
	EXPECT(s, NULL, 0, .sessions = 4, .wrong_score = 3);
	for (int i = 0; i < 4; i++)
		assert_int_equal(score(s, &t[i]), DEADLINE_MS);
	assert_in_range(index_left(s, &t[0]), WORLD_ABSOLUTE_S * 1000LL - SLACK_MS, WORLD_ABSOLUTE_S * 1000LL);
	EXPECT(s, NULL, 0, .sessions = 4);
	assert_int_equal(metric_get(METRIC_INDEX_WRONG_SCORE), counted + 3);
}

static void what_the_tokens_name_is_entered(void **state)
{
	const uint64_t counted = metric_get(METRIC_INDEX_MISSING);
	struct stage *s = *state;
	struct held_token t[4];
	char index[64];

	for (int i = 0; i < 4; i++)
		t[i] = login(s, "ann", "");
	drop_entry(s, &t[1]);
	/* Nothing but its token can tell. */
	EXPECT(s, NULL, 0, .sessions = 3);
	EXPECT(s, t, 2, .sessions = 4, .missing = 1);
	assert_int_equal(score(s, &t[1]), DEADLINE_MS);
	index_key(&t[0], index);
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", index), 1);
	end(s, &t[3]);
	EXPECT(s, t, 4, .sessions = 3, .missing = 3);
	assert_int_equal(score(s, &t[3]), -1);
	assert_in_range(index_left(s, &t[0]), WORLD_ABSOLUTE_S * 1000LL - SLACK_MS, WORLD_ABSOLUTE_S * 1000LL);
	EXPECT(s, t, 4, .sessions = 3);
	assert_int_equal(metric_get(METRIC_INDEX_MISSING), counted + 4);
}

static void tokens_must_be_the_users(void **state)
{
	struct stage *s = *state;
	const struct held_token ann = login(s, "ann", "");
	const struct held_token bob = login(s, "bob", "");
	struct session_verify_result got;
	struct held_token forged = ann;
	span tokens[VERIFY_TOKENS_MAX + 1] = {token_of(&ann), token_of(&bob)};

	assert_int_equal(try_verify(s, tokens, 2, &got), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "tokens[1]: a token of another user"));
	forged.text[50] = forged.text[50] == 'A' ? 'B' : 'A';
	tokens[1] = token_of(&forged);
	assert_int_equal(try_verify(s, tokens, 2, &got), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "tokens[1]: not a token of this realm"));
	assert_int_equal(try_verify(s, tokens, VERIFY_TOKENS_MAX + 1, &got), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(s->st.text, "at most 64"));
	assert_int_equal(do_verify(s, &(struct session_verify_request){.token_count = 0}, &got),
			 STATUS_INVALID_ARGUMENT);
	s->world.env.realm = &s->world.realm_list[1];
	assert_int_equal(try_verify(s, tokens, 1, &got), STATUS_INVALID_ARGUMENT);
}

static void a_token_past_its_deadline_is_passed_over(void **state)
{
	struct stage *s = *state;
	const struct held_token t[2] = {login(s, "ann", ""), login(s, "ann", "remember")};

	drop_entry(s, &t[0]);
	drop_entry(s, &t[1]);
	s->world.env.now_ms += WORLD_ABSOLUTE_S * 1000ULL;
	EXPECT(s, t, 2, .sessions = 1, .missing = 1);
}

/* Many chunks; entries that are moved ahead are met again, and counted once. */
static void a_long_index_is_gone_through_in_chunks(void **state)
{
	enum { MANY = 1500 };
	struct stage *s = *state;
	struct held_token *t = calloc(MANY, sizeof(*t));
	unsigned commands;
	uint32_t dangling = 0;
	uint32_t wrong = 0;

	for (int i = 0; i < MANY; i++) {
		s->world.env.now_ms += 500;
		world_fresh(&s->world);
		t[i] = login(s, "ann", "remember");
	}
	for (int i = 0; i < MANY; i++) {
		if (i % 5 == 1)
			set_score(s, &t[i], (i + 1) * 1000);
		if (i % 5 == 2)
			set_score(s, &t[i], 2 * DEADLINE_MS + i * 1000);
		if (i % 5 == 3)
			drop_record(s, &t[i]);
		wrong += i % 5 == 1 || i % 5 == 2;
		dangling += i % 5 == 3;
	}
	commands = s->commands;
	EXPECT(s, NULL, 0, .sessions = MANY - dangling, .dangling = dangling, .wrong_score = wrong);
	assert_true(s->commands - commands >= 4);
	EXPECT(s, NULL, 0, .sessions = MANY - dangling);
	free(t);
}

static void another_versions_records_are_left_alone(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	set_record(s, &t, "\7newer");
	set_score(s, &t, 4711000);
	EXPECT(s, &t, 1, .sessions = 1);
	assert_int_equal(score(s, &t), 4711000);
	drop_entry(s, &t);
	EXPECT(s, &t, 1, .sessions = 0);
}

static void no_session_is_touched(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct snapshot *before = take_snapshot(s, &t);
	struct snapshot *after;
	char key[64];

	session_key(&t, key);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s 123456", key), 1);
	set_score(s, &t, 1000);
	EXPECT(s, &t, 1, .sessions = 1, .wrong_score = 1);
	after = take_snapshot(s, &t);
	assert_int_equal(after->len, before->len);
	assert_memory_equal(after->value, before->value, before->len);
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key), 1, 123456);
	free(before);
	free(after);
}

/* A primary that has just taken over may lack a session: it comes back, and its entry with it. */
static void what_is_brought_back_later_is_entered_again(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	(void)put(s, &t, "a", "1");
	drop_record(s, &t);
	s->world.env.is_unsettled = true;
	s->world.env.young_ms = 10000;
	EXPECT(s, &t, 1, .dangling = 1);
	assert_int_equal(score(s, &t), -1);
	/* The update waits for the session that it is of. */
	assert_string_equal(redo(s, 1), "again");
	assert_string_equal(redo(s, 0), "done");
	assert_string_equal(redo(s, 1), "done");
	assert_int_equal(score(s, &t), DEADLINE_MS);
	EXPECT(s, &t, 1, .sessions = 1);
	expect_attribute(s, &t, "a", "1");
}

static void a_full_redis_is_no_obstacle(void **state)
{
	struct stage *s = *state;
	const struct held_token t[2] = {login(s, "ann", ""), login(s, "ann", "")};

	drop_record(s, &t[0]);
	drop_entry(s, &t[1]);
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 1"));
	EXPECT(s, &t[1], 1, .sessions = 1, .dangling = 1, .missing = 1);
}

/* ---- Writing a session puts its entry back ---- */

static void an_update_enters_a_session_again(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char index[64];

	(void)login(s, "ann", "remember");
	drop_entry(s, &t);
	s->world.env.now_ms += 5000;
	(void)put(s, &t, "a", "1");
	assert_int_equal(score(s, &t), DEADLINE_MS);
	/* It lives as long as the longest still. */
	assert_true(index_left(s, &t) > WORLD_ABSOLUTE_S * 1000LL);
	index_key(&t, index);
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", index), 1);
	(void)put(s, &t, "a", "2");
	assert_int_equal(score(s, &t), DEADLINE_MS);
	assert_in_range(index_left(s, &t), WORLD_ABSOLUTE_S * 1000LL - SLACK_MS, WORLD_ABSOLUTE_S * 1000LL);
}

static void a_rewriting_enters_a_session_again(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	for (int i = 0; i < DELTAS_MAX; i++)
		(void)put(s, &t, "a", "1");
	drop_entry(s, &t);
	(void)put(s, &t, "a", "2");
	assert_int_equal(s->last.script, STORE_SCRIPT_SESSION_REPLACE);
	assert_int_equal(score(s, &t), DEADLINE_MS);
}

static void a_refused_update_enters_nothing(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct session_update_result result;

	end(s, &t);
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.reason, REASON_LOGOUT);
	assert_int_equal(score(s, &t), -1);
}

static void a_broken_index_stops_no_update(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	char index[64];

	index_key(&t, index);
	freeReplyObject(real_redis_ask(&s->redis, "SET %s nonsense", index));
	(void)put(s, &t, "a", "1");
	expect_attribute(s, &t, "a", "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_good_index_is_left_alone, stage_reset),
	    cmocka_unit_test_setup(entries_without_a_session_go, stage_reset),
	    cmocka_unit_test_setup(wrong_deadlines_are_corrected, stage_reset),
	    cmocka_unit_test_setup(what_the_tokens_name_is_entered, stage_reset),
	    cmocka_unit_test_setup(tokens_must_be_the_users, stage_reset),
	    cmocka_unit_test_setup(a_token_past_its_deadline_is_passed_over, stage_reset),
	    cmocka_unit_test_setup(a_long_index_is_gone_through_in_chunks, stage_reset),
	    cmocka_unit_test_setup(another_versions_records_are_left_alone, stage_reset),
	    cmocka_unit_test_setup(no_session_is_touched, stage_reset),
	    cmocka_unit_test_setup(what_is_brought_back_later_is_entered_again, stage_reset),
	    cmocka_unit_test_setup(a_full_redis_is_no_obstacle, stage_reset),
	    cmocka_unit_test_setup(an_update_enters_a_session_again, stage_reset),
	    cmocka_unit_test_setup(a_rewriting_enters_a_session_again, stage_reset),
	    cmocka_unit_test_setup(a_refused_update_enters_nothing, stage_reset),
	    cmocka_unit_test_setup(a_broken_index_stops_no_update, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
