/* Calls that ask the store: every outcome, in orders that a real Redis cannot be made to produce. */

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

/* ---- Get ---- */

static void test_get_valid(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 100);
	const uint32_t id = fixture_get(f, m.token, 0);
	struct store_op *op = scripted_take(&f->script);
	Latchkey__V1__GetSessionResponse *session;
	Latchkey__V1__ReplyFrame *frame;

	assert_true(span_eq(op->command.argv[0], SPAN_LIT("GETEX")));
	assert_false(op->command.is_write);
	scripted_string(op, span_of(m.record.data, m.record.len));
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	session = body_of(frame->replies[0], &latchkey__v1__get_session_response__descriptor);
	assert_int_equal(session->verdict, LATCHKEY__V1__VERDICT__VALID);
	assert_non_null(session->info);
	assert_int_equal(session->info->handle.len, 28);
	assert_memory_equal(session->info->user.data, "ann", 3);
	assert_memory_equal(session->info->session_class.data, "default", 7);
	assert_int_equal(session->info->version, 1);
	assert_true(session->info->expires_at_ms > session->info->idle_expires_at_ms);
	assert_int_equal(session->n_attributes, 2);
	assert_memory_equal(session->attributes[0]->key.data, "cart", 4);
	assert_int_equal(session->attributes[0]->value.len, 50);
	body_free(session);
	reply_free(&frame);
	minted_free(&m);
}

static void test_get_verdicts(void **state)
{
	struct fixture *f = *state;
	const uint64_t forged = metric_get(METRIC_TOKENS_FORGED);
	const uint64_t unreadable = metric_get(METRIC_RECORDS_UNREADABLE);
	struct minted m = fixture_mint(f, 100);
	size_t commands;
	uint32_t id;

	id = fixture_get(f, m.token, 0);
	scripted_nil(scripted_take(&f->script));
	fixture_expect_verdict(f, id, LATCHKEY__V1__VERDICT__INVALID, LATCHKEY__V1__REASON__NOT_FOUND_IN_STORE);
	m.record.data[m.record.len - 1] ^= 1;
	id = fixture_get(f, m.token, 0);
	scripted_string(scripted_take(&f->script), span_of(m.record.data, m.record.len));
	fixture_expect_verdict(f, id, LATCHKEY__V1__VERDICT__UNKNOWN, LATCHKEY__V1__REASON__UNREADABLE);
	assert_int_equal(metric_get(METRIC_RECORDS_UNREADABLE), unreadable + 1);
	/* What is no token of ours does not reach the store. */
	commands = scripted_count(&f->script);
	m.token[50] = m.token[50] == 'A' ? 'B' : 'A';
	fixture_expect_verdict(f, fixture_get(f, m.token, 0), LATCHKEY__V1__VERDICT__INVALID,
			       LATCHKEY__V1__REASON__FORGED);
	fixture_expect_verdict(f, fixture_get(f, "lks1_", 0), LATCHKEY__V1__VERDICT__INVALID,
			       LATCHKEY__V1__REASON__MALFORMED);
	assert_int_equal(scripted_count(&f->script), commands);
	assert_int_equal(metric_get(METRIC_TOKENS_FORGED), forged + 1);
	minted_free(&m);
}

static void test_odd_reply(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);
	const uint32_t id = fixture_get(f, m.token, 0);

	scripted_word_number(scripted_take(&f->script), "what", 1);
	fixture_expect(f, id, LATCHKEY__V1__CODE__INTERNAL);
	minted_free(&m);
}

/* ---- The store's other outcomes ---- */

static void test_outcomes(void **state)
{
	struct fixture *f = *state;
	const uint64_t unavailable = metric_get(METRIC_CALLS_UNAVAILABLE);
	const uint64_t overloaded = metric_get(METRIC_CALLS_OVERLOADED);
	static const struct {
		enum store_outcome outcome;
		Latchkey__V1__Code code;
	} rows[] = {
	    {STORE_UNAVAILABLE, LATCHKEY__V1__CODE__UNAVAILABLE},
	    {STORE_OVERLOADED, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED},
	    {STORE_EXPIRED, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED},
	    {STORE_LOST, LATCHKEY__V1__CODE__UNAVAILABLE},
	};
	struct minted m = fixture_mint(f, 10);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint32_t id = fixture_get(f, m.token, 0);

		scripted_outcome(scripted_take(&f->script), rows[i].outcome);
		fixture_expect(f, id, rows[i].code);
	}
	assert_int_equal(metric_get(METRIC_CALLS_UNAVAILABLE), unavailable + 2);
	assert_int_equal(metric_get(METRIC_CALLS_OVERLOADED), overloaded + 1);
	minted_free(&m);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);
	Latchkey__V1__ReplyFrame *frame;
	uint32_t id;

	id = fixture_get(f, m.token, 0);
	scripted_refuse(scripted_take(&f->script), "OOM command not allowed");
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	assert_true(frame->replies[0]->retry_after_ms > 0);
	assert_true(message_has(frame->replies[0]->message, "maxmemory"));
	reply_free(&frame);
	id = fixture_get(f, m.token, 0);
	scripted_refuse(scripted_take(&f->script), "LOADING Redis is loading the dataset in memory");
	fixture_expect(f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
	id = fixture_get(f, m.token, 0);
	scripted_refuse(scripted_take(&f->script), "ERR unknown command");
	fixture_expect(f, id, LATCHKEY__V1__CODE__INTERNAL);
	minted_free(&m);
}

/* A lost write says that nobody knows, and what is safe. */
static void test_lost_write(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__CreateSessionRequest request = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	Latchkey__V1__ReplyFrame *frame;
	uint32_t id;

	request.has_user = true;
	request.user = text("ann");
	id = caller_send(f->caller, frame_of_one(CREATE, &request.base, 0));
	scripted_outcome(scripted_take(&f->script), STORE_LOST);
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__UNAVAILABLE);
	assert_true(message_has(frame->replies[0]->message, "unknown"));
	assert_true(message_has(frame->replies[0]->message, "idempotency key"));
	reply_free(&frame);
}

static void answer_nil(struct store_op *op)
{
	scripted_nil(op);
}

/* A store that answers from within store_submit, as one does that is not connected. */
static void test_answered_at_once(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);

	f->script.at_once = answer_nil;
	fixture_expect_verdict(f, fixture_get(f, m.token, 0), LATCHKEY__V1__VERDICT__INVALID,
			       LATCHKEY__V1__REASON__NOT_FOUND_IN_STORE);
	minted_free(&m);
}

static Latchkey__V1__GetManySessionsRequest many_request(ProtobufCBinaryData *tokens, size_t count)
{
	Latchkey__V1__GetManySessionsRequest request = LATCHKEY__V1__GET_MANY_SESSIONS_REQUEST__INIT;

	request.n_tokens = count;
	request.tokens = tokens;
	return request;
}

/* 64 sessions with as much in each as there can be do not fit: the call says so, and the one beside it is answered. */
static void test_reply_too_large(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 32400);
	ProtobufCBinaryData tokens[64];
	Latchkey__V1__GetManySessionsRequest request = many_request(tokens, 64);
	const struct sent_call calls[] = {{.method = GET_MANY, .body = &request.base}, {.method = HEALTH}};
	Latchkey__V1__ReplyFrame *frame;
	uint32_t id;

	for (size_t i = 0; i < 64; i++)
		tokens[i] = text(m.token);
	id = caller_send(f->caller, frame_of(calls, 2));
	for (size_t i = 0; i < 64; i++)
		scripted_string(scripted_take(&f->script), span_of(m.record.data, m.record.len));
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	assert_false(frame->replies[0]->has_body);
	assert_int_equal(frame->replies[1]->code, LATCHKEY__V1__CODE__OK);
	reply_free(&frame);
	/* Sixty do. */
	request.n_tokens = 60;
	id = caller_send(f->caller, frame_of(calls, 1));
	for (size_t i = 0; i < 60; i++)
		scripted_string(scripted_take(&f->script), span_of(m.record.data, m.record.len));
	fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
	minted_free(&m);
}

/* ---- GetMany ---- */

static void test_get_many(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);
	ProtobufCBinaryData tokens[] = {text(m.token), text("no token"), text(m.token), text(m.token)};
	Latchkey__V1__GetManySessionsRequest request = many_request(tokens, 4);
	const uint32_t id = caller_send(f->caller, frame_of_one(GET_MANY, &request.base, 0));
	struct store_op *ops[3];
	Latchkey__V1__GetManySessionsResponse *many;
	Latchkey__V1__ReplyFrame *frame;

	for (size_t i = 0; i < 3; i++)
		ops[i] = scripted_take(&f->script);
	/* Backwards; the one in the middle is on a node that is down. */
	scripted_nil(ops[2]);
	scripted_outcome(ops[1], STORE_UNAVAILABLE);
	scripted_string(ops[0], span_of(m.record.data, m.record.len));
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	many = body_of(frame->replies[0], &latchkey__v1__get_many_sessions_response__descriptor);
	assert_int_equal(many->n_sessions, 4);
	assert_int_equal(many->sessions[0]->verdict, LATCHKEY__V1__VERDICT__VALID);
	assert_int_equal(many->sessions[1]->reason, LATCHKEY__V1__REASON__MALFORMED);
	assert_int_equal(many->sessions[2]->verdict, LATCHKEY__V1__VERDICT__UNKNOWN);
	assert_int_equal(many->sessions[3]->verdict, LATCHKEY__V1__VERDICT__INVALID);
	body_free(many);
	reply_free(&frame);
	minted_free(&m);
}

static void test_get_many_all_down(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);
	ProtobufCBinaryData tokens[] = {text(m.token), text(m.token)};
	Latchkey__V1__GetManySessionsRequest request = many_request(tokens, 2);
	const uint32_t id = caller_send(f->caller, frame_of_one(GET_MANY, &request.base, 0));
	Latchkey__V1__ReplyFrame *frame;

	scripted_outcome(scripted_take(&f->script), STORE_UNAVAILABLE);
	scripted_outcome(scripted_take(&f->script), STORE_UNAVAILABLE);
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__UNAVAILABLE);
	assert_true(frame->replies[0]->retry_after_ms > 0);
	assert_false(frame->replies[0]->has_body);
	reply_free(&frame);
	minted_free(&m);
}

/* ---- Calls of several steps, and results beside a failure ---- */

static uint32_t send_revoke_user(struct fixture *f, uint32_t timeout_ms)
{
	Latchkey__V1__RevokeUserRequest request = LATCHKEY__V1__REVOKE_USER_REQUEST__INIT;

	request.has_user = true;
	request.user = text("ann");
	return caller_send(f->caller, frame_of_one(REVOKE_USER, &request.base, timeout_ms));
}

static void test_steps(void **state)
{
	struct fixture *f = *state;
	const uint64_t before = metric_get(METRIC_SESSIONS_REVOKED);
	const uint32_t id = send_revoke_user(f, 0);
	Latchkey__V1__RevokeUserResponse *response;
	Latchkey__V1__ReplyFrame *frame;

	scripted_chunk(scripted_take(&f->script), 100, "1", "AAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA");
	scripted_chunk(scripted_take(&f->script), 100, "2", "BBBBBBBBBBBBBBBB", "AAAAAAAAAAAAAAAA");
	scripted_chunk(scripted_take(&f->script), 3, "", "", "AAAAAAAAAAAAAAAA");
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	response = body_of(frame->replies[0], &latchkey__v1__revoke_user_response__descriptor);
	assert_int_equal(response->revoked, 203);
	body_free(response);
	reply_free(&frame);
	assert_int_equal(metric_get(METRIC_SESSIONS_REVOKED), before + 203);
}

/* Once time is up, no further step is taken. */
static void test_no_step_after_the_deadline(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = send_revoke_user(f, 200);
	struct store_op *op = scripted_take(&f->script);
	Latchkey__V1__ReplyFrame *frame = caller_wait(f->caller, id);

	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	assert_true(message_has(frame->replies[0]->message, "idempotency key"));
	reply_free(&frame);
	scripted_chunk(op, 100, "1", "AAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA");
	assert_int_equal(scripted_count(&f->script), 1);
}

static _Atomic unsigned steps_taken;

/* Answers when the time is just up, most likely before the sweep has seen it. */
static void chunk_at_the_deadline(struct store_op *op)
{
	steps_taken++;
	while (clock_mono_ms() < op->deadline_ms)
		continue;
	scripted_chunk(op, 1, "1", "AAAAAAAAAAAAAAAA", "");
}

static void test_no_step_before_the_sweep_either(void **state)
{
	struct fixture *f = *state;

	f->script.at_once = chunk_at_the_deadline;
	for (int i = 0; i < 20; i++) {
		steps_taken = 0;
		fixture_expect(f, send_revoke_user(f, 10), LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
		assert_true(steps_taken <= 1);
	}
}

static void chunk_without_end(struct store_op *op)
{
	scripted_chunk(op, 1, "1", "AAAAAAAAAAAAAAAA", "");
}

static void test_steps_are_bounded(void **state)
{
	struct fixture *f = *state;

	f->script.at_once = chunk_without_end;
	fixture_expect(f, send_revoke_user(f, 0), LATCHKEY__V1__CODE__UNAVAILABLE);
}

static void test_aborted_has_the_version(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);
	Latchkey__V1__UpdateSessionRequest request = LATCHKEY__V1__UPDATE_SESSION_REQUEST__INIT;
	ProtobufCBinaryData gone = text("cart");
	Latchkey__V1__UpdateSessionResponse *response;
	Latchkey__V1__ReplyFrame *frame;
	uint32_t id;

	request.has_token = true;
	request.token = text(m.token);
	request.n_remove = 1;
	request.remove = &gone;
	request.has_expected_version = true;
	request.expected_version = 7;
	id = caller_send(f->caller, frame_of_one(UPDATE, &request.base, 0));
	scripted_word_number(scripted_take(&f->script), "conflict", 9);
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__ABORTED);
	response = body_of(frame->replies[0], &latchkey__v1__update_session_response__descriptor);
	assert_int_equal(response->version, 9);
	body_free(response);
	reply_free(&frame);
	minted_free(&m);
}

static void test_revoke(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 10);
	Latchkey__V1__RevokeSessionRequest request = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;
	uint32_t id;

	request.has_token = true;
	request.token = text(m.token);
	id = caller_send(f->caller, frame_of_one(REVOKE, &request.base, 0));
	scripted_revoked(scripted_take(&f->script), &(struct store_result){0}, 1);
	fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
	/* Neither token nor handle, and a reason that is not one to give. */
	request.has_token = false;
	assert_int_equal(code_of(f, REVOKE, &request.base), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	request.has_token = true;
	request.has_reason = true;
	request.reason = (Latchkey__V1__Reason)77;
	assert_int_equal(code_of(f, REVOKE, &request.base), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	minted_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_get_valid, start, stop),
	    cmocka_unit_test_setup_teardown(test_get_verdicts, start, stop),
	    cmocka_unit_test_setup_teardown(test_odd_reply, start, stop),
	    cmocka_unit_test_setup_teardown(test_outcomes, start, stop),
	    cmocka_unit_test_setup_teardown(test_refusals, start, stop),
	    cmocka_unit_test_setup_teardown(test_lost_write, start, stop),
	    cmocka_unit_test_setup_teardown(test_answered_at_once, start, stop),
	    cmocka_unit_test_setup_teardown(test_reply_too_large, start, stop),
	    cmocka_unit_test_setup_teardown(test_get_many, start, stop),
	    cmocka_unit_test_setup_teardown(test_get_many_all_down, start, stop),
	    cmocka_unit_test_setup_teardown(test_steps, start, stop),
	    cmocka_unit_test_setup_teardown(test_no_step_after_the_deadline, start, stop),
	    cmocka_unit_test_setup_teardown(test_no_step_before_the_sweep_either, start, stop),
	    cmocka_unit_test_setup_teardown(test_steps_are_bounded, start, stop),
	    cmocka_unit_test_setup_teardown(test_aborted_has_the_version, start, stop),
	    cmocka_unit_test_setup_teardown(test_revoke, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
