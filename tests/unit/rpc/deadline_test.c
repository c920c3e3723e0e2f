/* Time and numbers: deadlines, frames in flight, and replies from several threads at once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "support/check.h"
#include "support/fixture.h"

static int start(void **state)
{
	const struct rpc_options options = fixture_options();

	*state = fixture_start(&options);
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	fixture_stop(&f);
	return 0;
}

/* ---- Deadlines ---- */

static void test_deadline(void **state)
{
	struct fixture *f = *state;
	const uint64_t before = metric_get(METRIC_CALLS_DEADLINE);
	struct minted m = fixture_mint(f, 10);
	const uint64_t sent_ms = clock_mono_ms();
	const uint32_t id = fixture_get(f, m.token, 200);
	struct store_op *op = scripted_take(&f->script);

	assert_in_range(op->deadline_ms, sent_ms + 200, clock_mono_ms() + 200);
	fixture_expect(f, id, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	assert_true(clock_mono_ms() >= sent_ms + 200);
	assert_int_equal(metric_get(METRIC_CALLS_DEADLINE), before + 1);
	/* The reply that comes too late changes nothing and is sent to nobody. */
	scripted_string(op, span_of(m.record.data, m.record.len));
	assert_int_equal(code_of(f, HEALTH, NULL), LATCHKEY__V1__CODE__OK);
	assert_int_equal(caller_unread(f->caller), 0);
	minted_free(&m);
}

/* A frame is answered when its last call is, whichever way each of them ends. */
static void test_deadlines_of_a_frame(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);
	const Latchkey__V1__GetSessionRequest request = get_request(m.token);
	const struct sent_call calls[] = {
	    {.method = GET, .body = &request.base, .timeout_ms = 400},
	    {.method = GET, .body = &request.base, .timeout_ms = 1},
	    {.method = HEALTH},
	    {.method = GET, .body = &request.base, .timeout_ms = 200},
	};
	const uint32_t id = caller_send(f->caller, frame_of(calls, 4));
	struct store_op *first = scripted_take(&f->script);
	Latchkey__V1__ReplyFrame *frame;

	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->n_replies, 4);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	assert_int_equal(frame->replies[1]->code, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	assert_int_equal(frame->replies[2]->code, LATCHKEY__V1__CODE__OK);
	assert_int_equal(frame->replies[3]->code, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	reply_free(&frame);
	scripted_nil(first);
	/* The call of 1 ms may have been too late for a command already. */
	while (f->script.taken < scripted_count(&f->script))
		scripted_nil(scripted_take(&f->script));
	minted_free(&m);
}

static void expect_timeout(struct fixture *f, uint32_t asked_ms, uint32_t granted_ms)
{
	const uint32_t id = fixture_list(f, asked_ms);
	struct store_op *op = scripted_take(&f->script);

	assert_true(op->deadline_ms <= clock_mono_ms() + granted_ms);
	fixture_expect(f, id, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	assert_true(clock_mono_ms() >= op->deadline_ms);
	scripted_outcome(op, STORE_LOST);
}

static void test_timeout_default_and_cap(void **state)
{
	struct rpc_options options = fixture_options();
	struct fixture *f;

	(void)state;
	options.timeout_default_ms = 200;
	options.timeout_max_ms = 300;
	f = fixture_start(&options);
	expect_timeout(f, 0, 200);
	expect_timeout(f, UINT32_MAX, 300);
	fixture_stop(&f);
}

/* A connection that waits for an answer is not idle. */
static void test_not_idle_while_waiting(void **state)
{
	struct rpc_options options = fixture_options();
	struct store_op *op;
	struct fixture *f;
	struct minted m;
	uint32_t id;

	(void)state;
	options.limits.idle_timeout_ms = 300;
	f = fixture_start(&options);
	m = fixture_mint(f, 10);
	id = fixture_get(f, m.token, 1200);
	op = scripted_take(&f->script);
	fixture_expect(f, id, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	(void)caller_wait_closed(f->caller);
	scripted_nil(op);
	minted_free(&m);
	fixture_stop(&f);
}

/* ---- Limits ---- */

/* Frames are held until the store is done with them, answered or not; then others may come. */
static void test_frames_in_flight(void **state)
{
	struct rpc_options options = fixture_options();
	struct store_op *held[2];
	Latchkey__V1__ReplyFrame *frame;
	struct caller *other;
	struct fixture *f;
	struct minted m;
	uint32_t ids[2];

	(void)state;
	options.frames_in_flight_per_connection_max = 2;
	options.frames_in_flight_max = 2;
	f = fixture_start(&options);
	m = fixture_mint(f, 10);
	for (size_t i = 0; i < 2; i++) {
		ids[i] = fixture_get(f, m.token, 200);
		held[i] = scripted_take(&f->script);
	}
	for (size_t i = 0; i < 2; i++)
		fixture_expect(f, ids[i], LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	frame = caller_ask(f->caller, frame_of_one(HEALTH, NULL, 0));
	assert_int_equal(frame->code, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	assert_true(message_has(frame->message, "2 frames are in flight on this connection"));
	assert_true(frame->retry_after_ms > 0);
	reply_free(&frame);
	other = caller_open(f->url);
	frame = caller_ask(other, frame_of_one(HEALTH, NULL, 0));
	assert_int_equal(frame->code, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	assert_true(message_has(frame->message, "2 frames are in flight in this server"));
	reply_free(&frame);
	scripted_nil(held[0]);
	scripted_outcome(held[1], STORE_LOST);
	frame = caller_ask(other, frame_of_one(HEALTH, NULL, 0));
	assert_int_equal(frame->code, LATCHKEY__V1__CODE__OK);
	reply_free(&frame);
	caller_close(&other);
	minted_free(&m);
	fixture_stop(&f);
}

/* ---- Threads ---- */

#define THREADS 4
#define ROUNDS	20

struct answerer {
	pthread_t thread;
	struct store_op *ops[RPC_CALLS_MAX / THREADS];
	span record;
};

static void *answer_all(void *arg)
{
	struct answerer *a = arg;

	for (size_t i = 0; i < RPC_CALLS_MAX / THREADS; i++) {
		if (i % 4 == 3)
			scripted_outcome(a->ops[i], STORE_LOST);
		else
			scripted_string(a->ops[i], a->record);
	}
	return NULL;
}

static void one_round(struct fixture *f, const struct minted *m)
{
	const Latchkey__V1__GetSessionRequest request = get_request(m->token);
	struct sent_call calls[RPC_CALLS_MAX];
	struct answerer answerers[THREADS];
	Latchkey__V1__ReplyFrame *frame;
	uint32_t id;

	for (size_t i = 0; i < RPC_CALLS_MAX; i++)
		calls[i] = (struct sent_call){.method = GET, .body = &request.base};
	id = caller_send(f->caller, frame_of(calls, RPC_CALLS_MAX));
	for (size_t i = 0; i < RPC_CALLS_MAX; i++)
		answerers[i % THREADS].ops[i / THREADS] = scripted_take(&f->script);
	for (size_t i = 0; i < THREADS; i++) {
		answerers[i].record = span_of(m->record.data, m->record.len);
		check(pthread_create(&answerers[i].thread, NULL, answer_all, &answerers[i]) == 0);
	}
	frame = caller_wait(f->caller, id);
	for (size_t i = 0; i < THREADS; i++)
		check(pthread_join(answerers[i].thread, NULL) == 0);
	assert_int_equal(frame->n_replies, RPC_CALLS_MAX);
	for (size_t i = 0; i < RPC_CALLS_MAX; i++)
		assert_int_equal(frame->replies[i]->code,
				 i / THREADS % 4 == 3 ? LATCHKEY__V1__CODE__UNAVAILABLE : LATCHKEY__V1__CODE__OK);
	reply_free(&frame);
}

/* One frame's replies come from several threads at once, and stand in the calls' order. */
static void test_replies_from_several_threads(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 200);

	for (int i = 0; i < ROUNDS; i++)
		one_round(f, &m);
	minted_free(&m);
}

/* Replies that race the sweep: every frame is answered once, by one or the other. */
static void test_replies_race_deadlines(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);

	for (int round = 0; round < 200; round++) {
		const uint32_t id = fixture_get(f, m.token, 5);
		const uint64_t until_us = clock_mono_us() + 4000 + (uint64_t)(round % 50) * 100;
		const size_t before = f->script.taken;
		struct store_op *op = NULL;
		Latchkey__V1__ReplyFrame *frame;

		while (clock_mono_us() < until_us)
			continue;
		if (scripted_count(&f->script) > before)
			op = scripted_take(&f->script);
		if (op != NULL)
			scripted_nil(op);
		frame = caller_wait(f->caller, id);
		assert_int_equal(frame->n_replies, 1);
		reply_free(&frame);
		if (op == NULL && scripted_count(&f->script) > before)
			scripted_nil(scripted_take(&f->script));
	}
	assert_int_equal(caller_unread(f->caller), 0);
	minted_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_deadline, start, stop),
	    cmocka_unit_test_setup_teardown(test_deadlines_of_a_frame, start, stop),
	    cmocka_unit_test(test_timeout_default_and_cap),
	    cmocka_unit_test(test_not_idle_while_waiting),
	    cmocka_unit_test(test_frames_in_flight),
	    cmocka_unit_test_setup_teardown(test_replies_from_several_threads, start, stop),
	    cmocka_unit_test_setup_teardown(test_replies_race_deadlines, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
