/* The changes of a realm's profiles: each acknowledged one is handed out, at least once to each group, until it is
 * acknowledged or dead. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiles.h"

#define NEVER_MS 100000000

static int changes_reset(void **state)
{
	(void)profiles_reset(state);
	keep_changes(*state);
	return 0;
}

static struct profile_changes_result ask(struct stage *s, const char *group, uint32_t max, uint32_t redeliver_ms,
					 uint32_t deliveries_max)
{
	const struct profile_changes_request req = {.group = span_str(group),
						    .consumer = SPAN_LIT("c1"),
						    .max = max,
						    .redeliver_ms = redeliver_ms,
						    .deliveries_max = deliveries_max};
	struct profile_changes_result result;

	if (do_changes(s, &req, &result) != STATUS_OK)
		fail_msg("changes: %s", s->st.text);
	return result;
}

static struct profile_changes_result next(struct stage *s, const char *group, uint32_t max)
{
	return ask(s, group, max, NEVER_MS, 5);
}

static uint32_t acknowledge(struct stage *s, const char *group, span id)
{
	const struct profile_ack_request req = {.group = span_str(group), .id_count = 1, .ids = &id};
	uint32_t count = 0;

	if (do_ack(s, &req, &count) != STATUS_OK)
		fail_msg("ack: %s", s->st.text);
	return count;
}

static struct profile_changes_result dead(struct stage *s, const char *group, span after)
{
	const struct profile_dead_request req = {.group = span_str(group), .max = 64, .after = after};
	struct profile_changes_result result;

	if (do_dead(s, &req, &result) != STATUS_OK)
		fail_msg("dead: %s", s->st.text);
	return result;
}

static void changes_tell_what_was_done(void **state)
{
	struct stage *s = *state;
	struct profile_changes_result got;

	(void)put_profile(s, "a", "1");
	(void)increment(s, "n", 5);
	(void)increment(s, "n", 6);
	(void)set_counter(s, "m", -3);
	(void)remove_field(s, "a");
	assert_true(delete_profile(s));
	assert_false(delete_profile(s));
	got = next(s, "g", 64);
	assert_int_equal(got.count, 6);
	for (size_t i = 0; i < got.count; i++) {
		assert_true(span_eq(got.changes[i].user, SPAN_LIT("ann")));
		assert_int_equal(got.changes[i].version, i + 1);
		assert_int_equal(got.changes[i].deliveries, 1);
		assert_true(got.changes[i].created_at_ms == got.changes[0].created_at_ms);
		assert_true(got.changes[i].at_ms >= got.changes[i].created_at_ms);
	}
	assert_int_equal(got.changes[0].kind, PROFILE_PUT);
	assert_true(span_eq(got.changes[0].set[0].value, SPAN_LIT("1")));
	assert_int_equal(got.changes[1].kind, PROFILE_UPDATE);
	assert_true(got.changes[2].set[0].is_counter && got.changes[2].set[0].number == 11);
	assert_true(got.changes[3].set[0].number == -3);
	assert_true(got.changes[4].removed_count == 1 && span_eq(got.changes[4].removed[0], SPAN_LIT("a")));
	assert_int_equal(got.changes[5].kind, PROFILE_DELETE);
	assert_int_equal(got.behind, 0);
}

static void each_group_gets_all_and_once(void **state)
{
	struct stage *s = *state;
	struct profile_changes_result got;

	for (int i = 0; i < 10; i++)
		(void)increment(s, "n", 1);
	got = next(s, "g", 4);
	assert_int_equal(got.count, 4);
	assert_int_equal(got.behind, 6);
	got = next(s, "g", 64);
	assert_int_equal(got.count, 6);
	assert_int_equal(next(s, "g", 64).count, 0);
	assert_int_equal(next(s, "h", 64).count, 10);
}

static void the_acknowledged_do_not_come_again(void **state)
{
	struct stage *s = *state;
	struct profile_changes_result got;

	(void)increment(s, "n", 1);
	(void)increment(s, "n", 1);
	got = next(s, "g", 64);
	assert_int_equal(acknowledge(s, "g", got.changes[0].id), 1);
	assert_int_equal(acknowledge(s, "g", got.changes[0].id), 0);
	/* A reply that was lost: the same answer. */
	{
		const struct store_reply *reply = carry_out(s, &(struct plan){.has_command = true, .command = s->last});

		assert_int_equal(reply->elements[1]->integer, 0);
	}
	assert_string_equal(redo(s, s->kept_count - 1), "done");
	got = ask(s, "g", 64, 0, 5);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.changes[0].version, 2);
	assert_int_equal(got.changes[0].deliveries, 2);
}

static void an_acknowledgement_has_its_key(void **state)
{
	struct stage *s = *state;
	struct profile_changes_result got;
	struct profile_ack_request other = {.group = SPAN_LIT("g"), .id_count = 1};
	uint32_t count;

	(void)increment(s, "n", 1);
	(void)increment(s, "n", 1);
	got = next(s, "g", 64);
	s->world.env.idempotency_key = SPAN_LIT("once");
	assert_int_equal(acknowledge(s, "g", got.changes[0].id), 1);
	assert_int_equal(acknowledge(s, "g", got.changes[0].id), 1);
	other.ids = &got.changes[1].id;
	assert_int_equal(do_ack(s, &other, &count), STATUS_ALREADY_EXISTS);
}

static void the_unacknowledged_die_after_so_many(void **state)
{
	struct stage *s = *state;
	struct profile_changes_result got;
	struct profile_changes_result lost;

	(void)put_profile(s, "a", "1");
	(void)put_profile(s, "a", "2");
	for (uint32_t i = 1; i <= 3; i++) {
		got = ask(s, "g", 64, 0, 3);
		assert_int_equal(got.count, 2);
		assert_int_equal(got.changes[0].deliveries, i);
		assert_int_equal(got.died, 0);
	}
	assert_int_equal(dead(s, "g", SPAN_EMPTY).count, 0);
	(void)acknowledge(s, "g", got.changes[1].id);
	(void)put_profile(s, "a", "3");
	got = ask(s, "g", 64, 0, 3);
	assert_int_equal(got.died, 1);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.changes[0].version, 3);
	lost = dead(s, "g", SPAN_EMPTY);
	assert_int_equal(lost.count, 1);
	assert_int_equal(lost.changes[0].version, 1);
	assert_int_equal(lost.changes[0].deliveries, 3);
	assert_true(span_eq(lost.changes[0].set[0].value, SPAN_LIT("1")));
	assert_int_equal(dead(s, "g", lost.changes[0].id).count, 0);
	assert_int_equal(dead(s, "h", SPAN_EMPTY).count, 0);
	assert_int_equal(acknowledge(s, "g", lost.changes[0].id), 1);
	assert_int_equal(dead(s, "g", SPAN_EMPTY).count, 0);
}

/* The reply was lost: what the first run handed out comes again, and is not counted twice. */
static void a_second_run_hands_out_the_same(void **state)
{
	const struct profile_changes_request req = {
	    .group = SPAN_LIT("g"), .consumer = SPAN_LIT("c"), .max = 2, .redeliver_ms = NEVER_MS, .deliveries_max = 5};
	struct stage *s = *state;
	struct profile_changes_result got;
	struct plan plan;

	for (int i = 0; i < 3; i++)
		(void)increment(s, "n", 1);
	assert_int_equal(profile_changes_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	(void)carry_out(s, &plan);
	assert_int_equal(profile_changes_answer(&s->world.env, &plan, carry_out(s, &plan), &got, &s->st), STATUS_OK);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.changes[0].version, 1);
	assert_int_equal(got.changes[1].deliveries, 1);
	assert_int_equal(got.behind, 1);
	assert_int_equal(next(s, "g", 64).count, 1);
}

static long long outbox_len(struct stage *s)
{
	redisReply *keys = real_redis_ask(&s->redis, "KEYS lk1:o:*");
	long long len = keys->elements == 0 ? 0 : real_redis_number(&s->redis, "LLEN %s", keys->element[0]->str);

	freeReplyObject(keys);
	return len;
}

/* Carries out `steps` commands of a change, and then the instance dies. */
static void die_after(struct stage *s, int steps)
{
	const struct profile_increment one = {SPAN_LIT("n"), 1};
	const struct profile_change_request req = {
	    .kind = PROFILE_UPDATE, .user = SPAN_LIT("ann"), .increment_count = 1, .increments = &one};
	struct profile_change_result result;
	struct plan plan;

	assert_int_equal(profile_change_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	for (int i = 0; i < steps; i++) {
		enum plan_next then;
		const struct store_reply *reply = carry_out(s, &plan);

		if (i + 1 < steps)
			assert_int_equal(profile_change_answer(&s->world.env, &plan, reply, &then, &result, &s->st),
					 STATUS_OK);
	}
}

/* What a dead instance has left in the outbox is brought along by the next change, in its order, and once. */
static void a_dead_instances_changes_are_brought_along(void **state)
{
	struct stage *s = *state;
	struct profile_changes_result got;

	die_after(s, 1);
	assert_int_equal(outbox_len(s), 1);
	die_after(s, 2);
	assert_int_equal(outbox_len(s), 2);
	(void)increment(s, "n", 1);
	assert_int_equal(outbox_len(s), 0);
	got = next(s, "g", 64);
	assert_int_equal(got.count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(got.changes[i].version == i + 1 && got.changes[i].set[0].number == (int64_t)i + 1);
}

/* The caller, who was not answered, repeats. */
static void a_repetition_publishes(void **state)
{
	struct stage *s = *state;

	s->world.env.idempotency_key = SPAN_LIT("once");
	die_after(s, 1);
	assert_true(increment(s, "n", 1) == 1);
	assert_int_equal(outbox_len(s), 0);
	assert_int_equal(next(s, "g", 64).count, 1);
	assert_true(increment(s, "n", 1) == 1);
	assert_int_equal(next(s, "g", 64).count, 0);
}

/* The stream's server was away for long: a full outbox is emptied before anything is added. */
static void a_backlog_goes_first(void **state)
{
	struct stage *s = *state;
	struct profile_changes_result got;

	for (int i = 0; i < 20; i++)
		die_after(s, 1);
	assert_int_equal(outbox_len(s), 16);
	assert_true(increment(s, "n", 1) == 17);
	assert_int_equal(outbox_len(s), 0);
	got = next(s, "g", 64);
	assert_int_equal(got.count, 17);
	for (size_t i = 0; i < got.count; i++)
		assert_int_equal(got.changes[i].version, i + 1);
}

/* A failover of either server: the stream's, the profile's. */
static void nothing_is_lost_or_doubled_by_a_failover(void **state)
{
	struct stage *s = *state;
	struct profile_changes_result got;
	bool seen[7] = {false};

	for (int i = 0; i < 6; i++)
		(void)increment(s, "n", 1);
	freeReplyObject(real_redis_ask(
	    &s->redis, "EVAL %s 0", "for _, k in ipairs(redis.call('KEYS', 'lk1:c:*')) do redis.call('DEL', k) end"));
	for (size_t i = s->kept_count; i > 0; i--)
		assert_true(strcmp(redo(s, i - 1), "conflict") != 0);
	for (size_t i = 0; i < s->kept_count; i++)
		(void)redo(s, i);
	got = next(s, "g", 64);
	assert_int_equal(got.count, 6);
	for (size_t i = 0; i < got.count; i++) {
		assert_in_range(got.changes[i].version, 1, 6);
		seen[got.changes[i].version] = true;
	}
	for (size_t v = 1; v <= 6; v++)
		assert_true(seen[v]);
}

static void large_changes_come_in_turns(void **state)
{
	enum { CHANGES = 20 };
	struct stage *s = *state;
	struct profile_changes_result got;
	char *text = calloc(1, FIELD_VALUE_BYTES_MAX + 1);
	struct profile_field set[2];
	size_t sum = 0;
	int asked = 0;

	memset(text, 'x', FIELD_VALUE_BYTES_MAX - 8);
	set[0] = (struct profile_field){.name = SPAN_LIT("a"), .value = span_str(text)};
	set[1] = (struct profile_field){.name = SPAN_LIT("b"), .value = span_str(text)};
	for (int i = 0; i < CHANGES; i++) {
		const struct profile_change_request req = {
		    .kind = PROFILE_PUT, .user = SPAN_LIT("ann"), .set_count = 2, .set = set};
		struct profile_change_result result;

		world_fresh(&s->world);
		s->kept_count = 0;
		assert_int_equal(do_change(s, &req, &result), STATUS_OK);
	}
	do {
		world_fresh(&s->world);
		got = next(s, "g", CHANGES_MAX);
		sum += got.count;
		asked++;
	} while (got.count > 0);
	assert_int_equal(sum, CHANGES);
	assert_in_range(asked, 3, 4);
	free(text);
}

static void old_changes_go(void **state)
{
	enum { CHANGES = 1200 };
	struct stage *s = *state;

	s->world.realm_list[0].profiles.changes_max = 100;
	for (int i = 0; i < CHANGES; i++) {
		world_fresh(&s->world);
		s->kept_count = 0;
		(void)increment(s, "n", 1);
	}
	/* About so many: whole nodes of a hundred. */
	world_fresh(&s->world);
	assert_in_range(next(s, "g", CHANGES_MAX).count, 100, 200);
}

static void requests_are_checked(void **state)
{
	struct stage *s = *state;
	struct profile_changes_request req = {
	    .group = SPAN_LIT("g"), .consumer = SPAN_LIT("c"), .max = 1, .deliveries_max = 1};
	const span bad[] = {SPAN_LIT("1-1x"), SPAN_LIT("*"), SPAN_LIT("dd1-1"),
			    SPAN_LIT("1"),    SPAN_LIT("-"), SPAN_LIT("")};
	struct profile_ack_request ack = {.group = SPAN_LIT("g"), .id_count = 1};
	struct profile_changes_result got;
	uint32_t count;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ack.ids = &bad[i];
		assert_int_equal(do_ack(s, &ack, &count), STATUS_INVALID_ARGUMENT);
	}
	req.max = CHANGES_MAX + 1;
	assert_int_equal(do_changes(s, &req, &got), STATUS_INVALID_ARGUMENT);
	req.max = 1;
	req.consumer = SPAN_EMPTY;
	assert_int_equal(do_changes(s, &req, &got), STATUS_INVALID_ARGUMENT);
	req.consumer = SPAN_LIT("c");
	s->world.realm_list[0].profiles.has_changes = false;
	assert_int_equal(do_changes(s, &req, &got), STATUS_FAILED_PRECONDITION);
}

static void groups_and_consumers_are_bounded(void **state)
{
	struct stage *s = *state;
	struct profile_changes_request req = {
	    .consumer = SPAN_LIT("c"), .max = 1, .redeliver_ms = NEVER_MS, .deliveries_max = 5};
	struct profile_changes_result got;
	char name[16];

	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		req.group = span_str(name);
		assert_int_equal(do_changes(s, &req, &got), STATUS_OK);
	}
	req.group = SPAN_LIT("one more");
	assert_int_equal(do_changes(s, &req, &got), STATUS_RESOURCE_EXHAUSTED);
	/* Consumers that hold nothing make room, those that hold something do not. */
	req.group = SPAN_LIT("g0");
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		req.consumer = span_str(name);
		assert_int_equal(do_changes(s, &req, &got), STATUS_OK);
	}
	for (int i = 0; i < 260; i++)
		(void)increment(s, "n", 1);
	for (int i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		req.consumer = span_str(name);
		assert_int_equal(do_changes(s, &req, &got), STATUS_OK);
		assert_int_equal(got.count, 1);
	}
	req.consumer = SPAN_LIT("one more");
	assert_int_equal(do_changes(s, &req, &got), STATUS_RESOURCE_EXHAUSTED);
}

/* A program that reads and never acknowledges would fill Redis, and make each call slower. */
static void what_is_in_hand_is_bounded(void **state)
{
	static const char fill[] = "for _ = 1, 9000 do redis.call('XADD', KEYS[1], '*', 'e', 'x') end return 1";
	struct stage *s = *state;
	struct profile_changes_result got;
	redisReply *key;
	size_t handed_out = 0;

	(void)increment(s, "n", 1);
	key = real_redis_ask(&s->redis, "KEYS lk1:c:{???????????}");
	assert_int_equal(key->elements, 1);
	freeReplyObject(real_redis_ask(&s->redis, "EVAL %s 1 %s", fill, key->element[0]->str));
	for (int i = 0; i < 40; i++) {
		got = next(s, "g", 256);
		handed_out += got.count + got.unreadable;
		world_fresh(&s->world);
	}
	assert_int_equal(handed_out, 8192);
	freeReplyObject(key);
	/* What is late comes again all the same; and where some have died there is room. */
	assert_int_equal(ask(s, "g", 256, 0, 5).unreadable, 255);
	got = ask(s, "g", 256, 0, 1);
	assert_int_equal(got.died, 256);
	assert_int_equal(got.unreadable, 256);
	assert_int_equal(next(s, "g", 256).unreadable, 0);
}

/* Nobody could look beyond a page of those, or be done with one, if they had no ids. */
static void the_dead_that_do_not_open_can_be_passed_and_buried(void **state)
{
	static const char fill[] = "for _ = 1, 3 do redis.call('XADD', KEYS[1], '*', 'e', 'x') end return 1";
	struct stage *s = *state;
	struct profile_changes_result got;
	redisReply *key;

	(void)increment(s, "n", 1);
	key = real_redis_ask(&s->redis, "KEYS lk1:c:{???????????}");
	assert_int_equal(key->elements, 1);
	freeReplyObject(real_redis_ask(&s->redis, "EVAL %s 1 %s", fill, key->element[0]->str));
	freeReplyObject(key);
	(void)increment(s, "n", 1);
	assert_int_equal(next(s, "g", 64).count, 2);
	assert_int_equal(ask(s, "g", 64, 0, 1).died, 5);
	got = dead(s, "g", SPAN_EMPTY);
	assert_int_equal(got.count, 5);
	assert_int_equal(got.unreadable, 3);
	assert_int_equal(got.changes[1].kind, 0);
	assert_int_equal(got.changes[1].deliveries, 1);
	assert_int_equal(got.changes[4].version, 2);
	assert_int_equal(dead(s, "g", got.changes[3].id).count, 1);
	assert_int_equal(acknowledge(s, "g", got.changes[1].id), 1);
	assert_int_equal(dead(s, "g", SPAN_EMPTY).count, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(changes_tell_what_was_done, changes_reset),
	    cmocka_unit_test_setup(each_group_gets_all_and_once, changes_reset),
	    cmocka_unit_test_setup(the_acknowledged_do_not_come_again, changes_reset),
	    cmocka_unit_test_setup(an_acknowledgement_has_its_key, changes_reset),
	    cmocka_unit_test_setup(the_unacknowledged_die_after_so_many, changes_reset),
	    cmocka_unit_test_setup(a_second_run_hands_out_the_same, changes_reset),
	    cmocka_unit_test_setup(a_dead_instances_changes_are_brought_along, changes_reset),
	    cmocka_unit_test_setup(a_repetition_publishes, changes_reset),
	    cmocka_unit_test_setup(a_backlog_goes_first, changes_reset),
	    cmocka_unit_test_setup(nothing_is_lost_or_doubled_by_a_failover, changes_reset),
	    cmocka_unit_test_setup(large_changes_come_in_turns, changes_reset),
	    cmocka_unit_test_setup(old_changes_go, changes_reset),
	    cmocka_unit_test_setup(requests_are_checked, changes_reset),
	    cmocka_unit_test_setup(groups_and_consumers_are_bounded, changes_reset),
	    cmocka_unit_test_setup(what_is_in_hand_is_bounded, changes_reset),
	    cmocka_unit_test_setup(the_dead_that_do_not_open_can_be_passed_and_buried, changes_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
