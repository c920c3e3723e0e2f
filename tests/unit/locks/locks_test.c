/* Locks through plans and answers, on a real Redis and by its clock. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "calls.h"
#include "locks/locks.h"

#define LONG_MS 600000
/* Sanitizers and a busy machine make a lock's shortest life end late, never early. */
#define BOUND_TRIES 2000

static void keep(struct stage *s, const struct plan *plan)
{
	if (plan->redos == NULL)
		return;
	assert_true(s->kept_count < STAGE_KEPT_MAX);
	s->kept[s->kept_count++] = *plan->redos;
}

/* One try: with a wait, `ret_next` may say that there is to be another. */
static enum status_code acquire_once(struct stage *s, const struct lock_acquire_request *req, enum plan_next *ret_next,
				     struct plan *ret_plan, struct lock_acquire_result *ret)
{
	enum status_code code = lock_acquire_plan(&s->world.env, req, ret_plan, &s->st);

	*ret = (struct lock_acquire_result){0};
	if (code != STATUS_OK)
		return code;
	code = lock_acquire_answer(&s->world.env, ret_plan, carry_out(s, ret_plan), ret_next, ret, &s->st);
	if (code == STATUS_OK)
		keep(s, ret_plan);
	return code;
}

static struct lock_acquire_result acquire(struct stage *s, const char *name, uint32_t ttl_ms)
{
	const struct lock_acquire_request req = {.name = span_str(name), .ttl_ms = ttl_ms};
	enum plan_next next = PLAN_DONE;
	struct lock_acquire_result result;
	struct plan plan;

	if (acquire_once(s, &req, &next, &plan, &result) != STATUS_OK)
		fail_msg("acquire: %s", s->st.text);
	assert_int_equal(next, PLAN_DONE);
	return result;
}

static enum status_code try_extend(struct stage *s, const char *name, span owner, uint32_t ttl_ms,
				   struct lock_extend_result *ret)
{
	const struct lock_extend_request req = {.name = span_str(name), .owner = owner, .ttl_ms = ttl_ms};
	struct plan plan = {0};
	enum status_code code = lock_extend_plan(&s->world.env, &req, &plan, &s->st);

	if (code != STATUS_OK)
		return code;
	code = lock_extend_answer(&s->world.env, &plan, carry_out(s, &plan), ret, &s->st);
	if (code == STATUS_OK)
		keep(s, &plan);
	return code;
}

static struct lock_extend_result extend(struct stage *s, const char *name, span owner, uint32_t ttl_ms)
{
	struct lock_extend_result result = {0};

	if (try_extend(s, name, owner, ttl_ms, &result) != STATUS_OK)
		fail_msg("extend: %s", s->st.text);
	return result;
}

static enum status_code try_release(struct stage *s, const char *name, span owner, bool *ret)
{
	const struct lock_release_request req = {.name = span_str(name), .owner = owner};
	struct lock_release_result result = {0};
	struct plan plan = {0};
	enum status_code code = lock_release_plan(&s->world.env, &req, &plan, &s->st);

	if (code != STATUS_OK)
		return code;
	code = lock_release_answer(&s->world.env, &plan, carry_out(s, &plan), &result, &s->st);
	if (code != STATUS_OK)
		return code;
	keep(s, &plan);
	*ret = result.released;
	return STATUS_OK;
}

static bool release(struct stage *s, const char *name, span owner)
{
	bool released = false;

	if (try_release(s, name, owner, &released) != STATUS_OK)
		fail_msg("release: %s", s->st.text);
	return released;
}

/* Until what has the shortest life has ended, by Redis's clock. */
static struct lock_acquire_result acquire_after_end(struct stage *s, const char *name, uint32_t ttl_ms)
{
	const struct timespec pause = {.tv_nsec = 5000000};

	for (int i = 0; i < BOUND_TRIES; i++) {
		const struct lock_acquire_result r = acquire(s, name, ttl_ms);

		if (r.acquired)
			return r;
		(void)nanosleep(&pause, NULL);
	}
	fail_msg("a lock of %d ms did not end", LOCK_TTL_MS_MIN);
	return (struct lock_acquire_result){0};
}

static void test_one_holder(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_result first = acquire(s, "job", LONG_MS);
	struct lock_acquire_result second = acquire(s, "job", LONG_MS);

	assert_true(first.acquired && first.fencing_token > 0);
	assert_in_range(first.owner.len, LOCK_OWNER_BYTES_MIN, LOCK_OWNER_BYTES_MAX);
	assert_false(second.acquired);
	assert_int_equal(second.expires_at_ms, first.expires_at_ms);
	assert_in_range(second.retry_after_ms, 1, LONG_MS);
	assert_int_equal(second.owner.len, 0);
	assert_true(acquire(s, "other job", LONG_MS).acquired);
	assert_true(release(s, "job", first.owner));
	second = acquire(s, "job", LONG_MS);
	assert_true(second.acquired && second.fencing_token > first.fencing_token);
	assert_false(span_eq(first.owner, second.owner));
	s->world.env.realm = &s->world.realm_list[1];
	assert_true(acquire(s, "job", LONG_MS).acquired);
}

static void test_only_the_owner(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_result held = acquire(s, "job", LONG_MS);
	const span other = SPAN_LIT("0123456789abcdefghij");
	struct lock_extend_result longer;

	assert_false(extend(s, "job", other, LONG_MS).held);
	assert_false(release(s, "job", other));
	assert_false(extend(s, "no such job", held.owner, LONG_MS).held);
	assert_false(release(s, "no such job", held.owner));
	longer = extend(s, "job", held.owner, LOCK_TTL_MS_MAX);
	assert_true(longer.held && longer.expires_at_ms > held.expires_at_ms);
	assert_int_equal(longer.fencing_token, held.fencing_token);
	assert_true(release(s, "job", held.owner));
	/* Again, as after a reply that was lost; and an end is not extended. */
	assert_true(release(s, "job", held.owner));
	assert_false(extend(s, "job", held.owner, LONG_MS).held);
	assert_true(acquire(s, "job", LONG_MS).acquired);
	assert_false(release(s, "job", held.owner));
}

static void test_ends_by_itself(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_result first = acquire(s, "job", LOCK_TTL_MS_MIN);
	const struct lock_acquire_result second = acquire_after_end(s, "job", LONG_MS);

	assert_true(second.fencing_token > first.fencing_token);
	assert_true(second.expires_at_ms > first.expires_at_ms);
	assert_false(extend(s, "job", first.owner, LONG_MS).held);
	assert_false(release(s, "job", first.owner));
}

/* The number grows also when the key is gone: evicted, flushed, or lost with a primary. */
static void test_numbers_grow(void **state)
{
	struct stage *s = *state;
	uint64_t last = 0;

	for (int i = 0; i < 100; i++) {
		const struct lock_acquire_result r = acquire(s, "job", LONG_MS);

		assert_true(r.acquired && r.fencing_token > last);
		last = r.fencing_token;
		if (i % 2 == 0)
			assert_true(release(s, "job", r.owner));
		else
			freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	}
}

static void expect_number_from(struct stage *s, uint64_t number)
{
	const struct lock_acquire_result r = acquire(s, "job", LONG_MS);
	char packed[64];
	redisReply *key = real_redis_ask(&s->redis, "RANDOMKEY");

	assert_true(r.acquired);
	/* As a server whose clock is ahead would have left it: number, released. */
	for (int i = 0; i < 8; i++)
		packed[i] = (char)(number >> (56 - 8 * i));
	memset(packed + 8, 0, 8);
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %b", key->str, packed, (size_t)16));
	freeReplyObject(key);
	assert_int_equal(acquire(s, "job", LONG_MS).fencing_token, number + 1);
}

static void test_numbers_grow_when_the_clock_went_back(void **state)
{
	expect_number_from(*state, 4000000000000000ULL);
}

static void test_idempotency_key(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_request req = {.name = SPAN_LIT("job"), .ttl_ms = LONG_MS + 1};
	struct lock_acquire_result first;
	struct lock_acquire_result again;
	enum plan_next next;
	struct plan plan;

	s->world.env.idempotency_key = SPAN_LIT("k1");
	first = acquire(s, "job", LONG_MS);
	assert_true(first.acquired);
	again = acquire(s, "job", LONG_MS);
	assert_true(again.acquired && span_eq(again.owner, first.owner));
	assert_int_equal(again.fencing_token, first.fencing_token);
	s->world.env.idempotency_key = SPAN_LIT("k2");
	assert_false(acquire(s, "job", LONG_MS).acquired);
	/* A late repetition does not take the lock again. */
	assert_true(release(s, "job", first.owner));
	s->world.env.idempotency_key = SPAN_LIT("k1");
	again = acquire(s, "job", LONG_MS);
	assert_true(again.acquired && again.fencing_token == first.fencing_token);
	assert_false(extend(s, "job", again.owner, LONG_MS).held);
	assert_int_equal(acquire_once(s, &req, &next, &plan, &again), STATUS_ALREADY_EXISTS);
	s->world.env.idempotency_key = SPAN_EMPTY;
	assert_true(acquire(s, "job", LONG_MS).acquired);
}

static void test_repeated_command(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_request req = {.name = SPAN_LIT("job"), .ttl_ms = LONG_MS};
	struct lock_acquire_result first;
	struct lock_acquire_result again = {0};
	enum plan_next next;
	struct plan plan;

	assert_int_equal(acquire_once(s, &req, &next, &plan, &first), STATUS_OK);
	assert_true(plan.command.is_repeatable && plan.command.is_write);
	assert_int_equal(lock_acquire_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &again, &s->st),
			 STATUS_OK);
	assert_true(again.acquired && again.fencing_token == first.fencing_token);
	assert_int_equal(again.expires_at_ms, first.expires_at_ms);
}

/* ---- Waiting ---- */

static void test_waits_with_growing_pauses(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_result held = acquire(s, "job", LOCK_TTL_MS_MAX);
	const struct lock_acquire_request req = {.name = SPAN_LIT("job"), .ttl_ms = LONG_MS, .wait_ms = 30000};
	struct lock_acquire_result r;
	enum plan_next next = PLAN_DONE;
	struct plan plan;
	uint64_t began_ms;
	unsigned tries = 1;

	s->world.env.mono_ms = 5000000;
	began_ms = s->world.env.mono_ms;
	assert_int_equal(acquire_once(s, &req, &next, &plan, &r), STATUS_OK);
	while (next == PLAN_LATER) {
		const uint64_t waited_ms = s->world.env.mono_ms - began_ms;

		assert_in_range(plan.pause_ms, 1, 1250);
		assert_true(plan.pause_ms <= (waited_ms / 4 < 10 ? 10 : waited_ms / 4));
		s->world.env.mono_ms += plan.pause_ms;
		assert_int_equal(lock_acquire_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &r, &s->st),
				 STATUS_OK);
		tries++;
	}
	assert_false(r.acquired);
	assert_int_equal(r.expires_at_ms, held.expires_at_ms);
	assert_int_equal(s->world.env.mono_ms - began_ms, 30000);
	assert_in_range(tries, 30, 60);
}

static void test_gets_it_while_waiting(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_result held = acquire(s, "job", LONG_MS);
	const struct lock_acquire_request req = {.name = SPAN_LIT("job"), .ttl_ms = LONG_MS, .wait_ms = 1000};
	struct lock_acquire_result r;
	enum plan_next next = PLAN_DONE;
	struct plan plan;

	assert_int_equal(acquire_once(s, &req, &next, &plan, &r), STATUS_OK);
	assert_int_equal(next, PLAN_LATER);
	assert_true(release(s, "job", held.owner));
	s->world.env.mono_ms += plan.pause_ms;
	assert_int_equal(lock_acquire_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &r, &s->st), STATUS_OK);
	assert_int_equal(next, PLAN_DONE);
	assert_true(r.acquired && r.fencing_token > held.fencing_token);
}

/* Not after the holder's end, of which it knows. */
static void test_waits_no_longer_than_the_holder(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_request req = {.name = SPAN_LIT("job"), .ttl_ms = LONG_MS, .wait_ms = 30000};
	struct lock_acquire_result r;
	enum plan_next next = PLAN_DONE;
	struct plan plan;

	(void)acquire(s, "job", LOCK_TTL_MS_MIN);
	assert_int_equal(acquire_once(s, &req, &next, &plan, &r), STATUS_OK);
	if (next == PLAN_DONE)
		return; /* the machine was so slow that it has ended */
	s->world.env.mono_ms += 20000;
	assert_int_equal(lock_acquire_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &r, &s->st), STATUS_OK);
	if (next == PLAN_LATER)
		assert_in_range(plan.pause_ms, 1, LOCK_TTL_MS_MIN);
}

/* ---- After a failover ---- */

static void flush(struct stage *s)
{
	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
}

/* All that was acknowledged, in every order of three: the lock is as it was acknowledged last. */
static void test_redos_in_any_order(void **state)
{
	static const size_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct stage *s = *state;
	const struct lock_acquire_result first = acquire(s, "job", LONG_MS);
	struct lock_acquire_result second;

	assert_true(release(s, "job", first.owner));
	second = acquire(s, "job", LONG_MS);
	assert_int_equal(s->kept_count, 3);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		flush(s);
		for (size_t k = 0; k < 3; k++)
			(void)redo(s, orders[i][k]);
		for (size_t k = 0; k < 3; k++)
			assert_string_equal(redo(s, orders[i][k]), "there");
		assert_false(acquire(s, "job", LONG_MS).acquired);
		assert_false(extend(s, "job", first.owner, LONG_MS).held);
		assert_true(extend(s, "job", second.owner, LONG_MS).held);
	}
}

static void test_redo_of_a_release_and_an_extension(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_result held = acquire(s, "job", LONG_MS);
	const struct lock_extend_result longer = extend(s, "job", held.owner, 2 * LONG_MS);

	flush(s);
	assert_string_equal(redo(s, 1), "done");
	assert_string_equal(redo(s, 0), "there");
	assert_int_equal(acquire(s, "job", LONG_MS).expires_at_ms, longer.expires_at_ms);
	assert_true(release(s, "job", held.owner));
	flush(s);
	assert_string_equal(redo(s, 2), "done");
	assert_string_equal(redo(s, 1), "there");
	assert_string_equal(redo(s, 0), "there");
	assert_true(acquire(s, "job", LONG_MS).fencing_token > held.fencing_token);
}

/* A later holder keeps what he has when an earlier one is brought back after him. */
static void test_redo_finds_a_later_holder(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_result lost = acquire(s, "job", LONG_MS);
	struct lock_acquire_result later;

	flush(s);
	later = acquire(s, "job", LONG_MS);
	assert_true(later.acquired && later.fencing_token > lost.fencing_token);
	assert_string_equal(redo(s, 0), "there");
	assert_true(extend(s, "job", later.owner, LONG_MS).held);
	assert_false(extend(s, "job", lost.owner, LONG_MS).held);
}

static void test_unsettled_is_not_a_no(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_request req = {.name = SPAN_LIT("job"), .ttl_ms = LONG_MS};
	const struct lock_acquire_result held = acquire(s, "job", LONG_MS);
	struct lock_extend_result longer;
	struct plan plan = {0};
	bool released;

	/* A lock is given only when all have had time to bring back what they gave. */
	assert_int_equal(lock_acquire_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_true(plan.command.settling_ms > 0);
	flush(s);
	s->world.env.is_unsettled = true;
	assert_int_equal(try_extend(s, "job", held.owner, LONG_MS, &longer), STATUS_UNAVAILABLE);
	assert_true(s->st.retry_after_ms > 0);
	assert_int_equal(try_release(s, "job", held.owner, &released), STATUS_UNAVAILABLE);
	assert_string_equal(redo(s, 0), "done");
	assert_true(extend(s, "job", held.owner, LONG_MS).held);
	assert_true(release(s, "job", held.owner));
}

/* ---- What is stored, and what is refused ---- */

static void test_nothing_stands_in_clear(void **state)
{
	struct stage *s = *state;
	const struct lock_acquire_result held = acquire(s, "nightly-job", LONG_MS);
	redisReply *key = real_redis_ask(&s->redis, "RANDOMKEY");
	redisReply *value = real_redis_ask(&s->redis, "GET %s", key->str);

	if (value->str == NULL || held.owner.ptr == NULL)
		abort();
	assert_null(strstr(key->str, "nightly"));
	assert_null(memmem(value->str, (size_t)value->len, held.owner.ptr, held.owner.len));
	assert_int_equal(value->len, 32);
	/* A day after its end. */
	assert_in_range(real_redis_number(&s->redis, "PTTL %s", key->str), 86400000, 86400000 + LONG_MS);
	freeReplyObject(value);
	freeReplyObject(key);
}

static void test_bad_requests(void **state)
{
	static const char long_name[LOCK_NAME_BYTES_MAX + 2] = {[0 ... LOCK_NAME_BYTES_MAX] = 'x'};
	static const uint32_t ttls[] = {0, LOCK_TTL_MS_MIN - 1, LOCK_TTL_MS_MAX + 1};
	struct stage *s = *state;
	const span owner = SPAN_LIT("0123456789abcdef");
	struct lock_acquire_result r;
	struct lock_extend_result longer;
	enum plan_next next;
	struct plan plan;
	bool released;

	for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++) {
		const struct lock_acquire_request req = {.name = SPAN_LIT("n"), .ttl_ms = ttls[i]};

		assert_int_equal(acquire_once(s, &req, &next, &plan, &r), STATUS_INVALID_ARGUMENT);
		assert_int_equal(try_extend(s, "n", owner, ttls[i], &longer), STATUS_INVALID_ARGUMENT);
	}
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "" : long_name;
		const struct lock_acquire_request req = {.name = span_str(name), .ttl_ms = LONG_MS};

		assert_int_equal(acquire_once(s, &req, &next, &plan, &r), STATUS_INVALID_ARGUMENT);
		assert_int_equal(try_extend(s, name, owner, LONG_MS, &longer), STATUS_INVALID_ARGUMENT);
		assert_int_equal(try_release(s, name, owner, &released), STATUS_INVALID_ARGUMENT);
	}
	assert_int_equal(try_release(s, "n", span_of(owner.ptr, 15), &released), STATUS_INVALID_ARGUMENT);
	assert_int_equal(try_extend(s, "n", span_str(long_name), LONG_MS, &longer), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_one_holder, stage_reset),
	    cmocka_unit_test_setup(test_only_the_owner, stage_reset),
	    cmocka_unit_test_setup(test_ends_by_itself, stage_reset),
	    cmocka_unit_test_setup(test_numbers_grow, stage_reset),
	    cmocka_unit_test_setup(test_numbers_grow_when_the_clock_went_back, stage_reset),
	    cmocka_unit_test_setup(test_idempotency_key, stage_reset),
	    cmocka_unit_test_setup(test_repeated_command, stage_reset),
	    cmocka_unit_test_setup(test_waits_with_growing_pauses, stage_reset),
	    cmocka_unit_test_setup(test_gets_it_while_waiting, stage_reset),
	    cmocka_unit_test_setup(test_waits_no_longer_than_the_holder, stage_reset),
	    cmocka_unit_test_setup(test_redos_in_any_order, stage_reset),
	    cmocka_unit_test_setup(test_redo_of_a_release_and_an_extension, stage_reset),
	    cmocka_unit_test_setup(test_redo_finds_a_later_holder, stage_reset),
	    cmocka_unit_test_setup(test_unsettled_is_not_a_no, stage_reset),
	    cmocka_unit_test_setup(test_nothing_stands_in_clear, stage_reset),
	    cmocka_unit_test_setup(test_bad_requests, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
