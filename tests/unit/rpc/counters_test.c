/* Visitors, limits and locks where the store does what a real one rarely does: fails for one of several counters, replies
 * late, and never gives the lock. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "latchkey/v1/limits.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "support/check.h"
#include "support/fixture.h"

#define CHECK_LIMIT "/latchkey.v1.Limits/Check"
#define ACQUIRE	    "/latchkey.v1.Locks/Acquire"
#define EXTEND	    "/latchkey.v1.Locks/Extend"
#define COUNT	    "/latchkey.v1.Visitors/Count"
#define RECORD	    "/latchkey.v1.Visitors/Record"

static const struct store_result late = {.is_late = true};
static const struct store_result good = {0};

static int start(void **state)
{
	const struct rpc_options options = fixture_options();
	struct fixture *f = fixture_start(&options);

	f->realm.visitors.day_retention_d = 400;
	*state = f;
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	fixture_stop(&f);
	return 0;
}

/* An array of a word and numbers. */
static void answer(struct store_op *op, const struct store_result *like, const char *word, const int64_t *numbers,
		   size_t count)
{
	const struct store_reply first = {.type = STORE_STRING, .string = span_str(word)};
	struct store_reply rest[4];
	const struct store_reply *elements[5] = {&first};

	check(count <= 4);
	for (size_t i = 0; i < count; i++) {
		rest[i] = (struct store_reply){.type = STORE_INTEGER, .integer = numbers[i]};
		elements[i + 1] = &rest[i];
	}
	scripted_result(op, like, &(struct store_reply){.type = STORE_ARRAY, .count = count + 1, .elements = elements});
}

/* ---- Limits ---- */

static uint32_t send_check(struct fixture *f, const char *key)
{
	Latchkey__V1__CheckLimitRequest request = LATCHKEY__V1__CHECK_LIMIT_REQUEST__INIT;
	const struct sent_call call = {.method = CHECK_LIMIT, .body = &request.base, .idempotency_key = key};

	request.has_name = request.has_limit = request.has_per_ms = true;
	request.name = text("n");
	request.limit = 5;
	request.per_ms = 1000;
	return caller_send(f->caller, frame_of(&call, 1));
}

static const int64_t granted[] = {1, 4, 0, 200};

/* To ask again would take again. */
static void test_a_late_check_is_asked_again_only_with_a_key(void **state)
{
	struct fixture *f = *state;
	const size_t before = scripted_count(&f->script);
	uint32_t id = send_check(f, NULL);
	struct store_op *op = scripted_take(&f->script);

	assert_false(op->command.is_repeatable);
	answer(op, &late, "ok", granted, 4);
	fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
	assert_int_equal(scripted_count(&f->script), before + 1);
	id = send_check(f, "key");
	op = scripted_take(&f->script);
	assert_true(op->command.is_repeatable);
	answer(op, &late, "ok", granted, 4);
	answer(scripted_take(&f->script), &good, "ok", granted, 4);
	fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
}

static void test_a_lost_check_is_unknown(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = send_check(f, NULL);

	scripted_outcome(scripted_take(&f->script), STORE_LOST);
	fixture_expect(f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
}

/* ---- Visitors ---- */

static uint32_t send_count(struct fixture *f)
{
	Latchkey__V1__CountVisitorsRequest request = LATCHKEY__V1__COUNT_VISITORS_REQUEST__INIT;
	ProtobufCBinaryData counters[] = {text("a"), text("b"), text("c")};

	request.n_counters = 3;
	request.counters = counters;
	return caller_send(f->caller, frame_of_one(COUNT, &request.base, 0));
}

/* A part of a union is no answer. */
static void test_one_failed_counter_fails_the_count(void **state)
{
	const span registers[] = {SPAN_LIT("ok"), SPAN_LIT("HYLL")};
	struct fixture *f = *state;

	for (int failing = 0; failing < 3; failing++) {
		const uint32_t id = send_count(f);

		for (int i = 0; i < 3; i++) {
			struct store_op *op = scripted_take(&f->script);

			assert_int_equal(op->command.script, STORE_SCRIPT_VISITORS_MERGE);
			if (i == failing)
				scripted_outcome(op, STORE_UNAVAILABLE);
			else
				scripted_strings(op, registers, 2);
		}
		fixture_expect(f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
	}
}

static void test_the_last_counter_goes_on_with_the_union(void **state)
{
	const span registers[] = {SPAN_LIT("ok"), SPAN_LIT("HYLL")};
	Latchkey__V1__ReplyFrame *frame;
	Latchkey__V1__CountVisitorsResponse *m;
	struct fixture *f = *state;
	const uint32_t id = send_count(f);
	const int64_t found = 42;
	struct store_op *op;

	for (int i = 0; i < 3; i++)
		scripted_strings(scripted_take(&f->script), registers, 2);
	op = scripted_take(&f->script);
	assert_false(op->command.is_write);
	/* Two keys for a moment, the word, and three registers. */
	assert_int_equal(op->command.argc, 2 + 1 + 3);
	answer(op, &good, "ok", &found, 1);
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	m = body_of(frame->replies[0], &latchkey__v1__count_visitors_response__descriptor);
	assert_int_equal(m->count, 42);
	assert_int_equal(m->buckets, 1);
	body_free(m);
	reply_free(&frame);
}

static void test_records_are_kept(void **state)
{
	Latchkey__V1__RecordVisitorsRequest request = LATCHKEY__V1__RECORD_VISITORS_REQUEST__INIT;
	ProtobufCBinaryData visitor = text("ann");
	struct fixture *f = *state;
	uint32_t id;

	request.has_counter = true;
	request.counter = text("c");
	request.n_ids = 1;
	request.ids = &visitor;
	for (int i = 0; i < 2; i++) {
		id = caller_send(f->caller, frame_of_one(RECORD, &request.base, 0));
		scripted_string(scripted_take(&f->script), i == 0 ? SPAN_LIT("done") : SPAN_LIT("there"));
		fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
	}
	assert_int_equal(f->script.kept[STORE_SCRIPT_VISITORS_RECORD], 2);
}

/* ---- Locks ---- */

static uint32_t send_acquire(struct fixture *f, uint32_t wait_ms, uint32_t timeout_ms)
{
	Latchkey__V1__AcquireLockRequest request = LATCHKEY__V1__ACQUIRE_LOCK_REQUEST__INIT;

	request.has_name = request.has_ttl_ms = request.has_wait_ms = true;
	request.name = text("n");
	request.ttl_ms = 1000;
	request.wait_ms = wait_ms;
	return caller_send(f->caller, frame_of_one(ACQUIRE, &request.base, timeout_ms));
}

static void held_for_long(struct store_op *op)
{
	const int64_t numbers[] = {1770000000000, 60000};

	answer(op, &good, "held", numbers, 2);
}

static void test_a_wait_asks_again_later(void **state)
{
	const int64_t got[] = {77, 1770000000000};
	struct fixture *f = *state;
	const uint32_t id = send_acquire(f, 10000, 20000);
	struct store_op *op = scripted_take(&f->script);

	assert_true(op->command.settling_ms > 0);
	for (int i = 0; i < 5; i++) {
		held_for_long(op);
		op = scripted_take(&f->script);
		assert_int_equal(op->command.script, STORE_SCRIPT_LOCK_ACQUIRE);
		assert_true(op->command.settling_ms > 0);
	}
	answer(op, &good, "ok", got, 2);
	fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
	assert_int_equal(f->script.kept[STORE_SCRIPT_LOCK_RESTORE], 1);
}

/* The wait ends before the call's time, so that its answer comes. */
static void test_a_wait_in_vain_is_answered(void **state)
{
	Latchkey__V1__AcquireLockResponse *m;
	Latchkey__V1__ReplyFrame *frame;
	struct fixture *f = *state;

	f->script.at_once = held_for_long;
	frame = caller_wait(f->caller, send_acquire(f, UINT32_MAX, 800));
	f->script.at_once = NULL;
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	m = body_of(frame->replies[0], &latchkey__v1__acquire_lock_response__descriptor);
	assert_true(m->has_acquired && !m->acquired && !m->has_owner);
	assert_int_equal(m->retry_after_ms, 60000);
	body_free(m);
	reply_free(&frame);
}

/* As long as others may be bringing the lock back, that it is not there is not a no. */
static void test_not_held_is_unknown_after_a_failover(void **state)
{
	static const struct store_result unsettled = {.is_unsettled = true};
	Latchkey__V1__ExtendLockRequest request = LATCHKEY__V1__EXTEND_LOCK_REQUEST__INIT;
	struct fixture *f = *state;
	uint32_t id;

	request.has_name = request.has_owner = request.has_ttl_ms = true;
	request.name = text("n");
	request.owner = text("0123456789abcdef");
	request.ttl_ms = 1000;
	id = caller_send(f->caller, frame_of_one(EXTEND, &request.base, 0));
	answer(scripted_take(&f->script), &unsettled, "not", NULL, 0);
	fixture_expect(f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
	id = caller_send(f->caller, frame_of_one(EXTEND, &request.base, 0));
	answer(scripted_take(&f->script), &good, "not", NULL, 0);
	fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_late_check_is_asked_again_only_with_a_key),
	    TEST(a_lost_check_is_unknown),
	    TEST(one_failed_counter_fails_the_count),
	    TEST(the_last_counter_goes_on_with_the_union),
	    TEST(records_are_kept),
	    TEST(a_wait_asks_again_later),
	    TEST(a_wait_in_vain_is_answered),
	    TEST(not_held_is_unknown_after_a_failover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
