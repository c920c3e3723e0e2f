/* What is acknowledged will last: late replies, changes of the primary between a reply and its acknowledgement, waiting
 * for replicas, and revocations that Redis cannot write. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "latchkey/v1/limits.pb-c.h"
#include "session/session.h"
#include "support/check.h"
#include "support/fixture.h"

#define WINDOW_MS 10000

struct kept {
	struct fixture *f;
	recent *recent;
};

static int start(void **state)
{
	struct kept *k = calloc(1, sizeof(*k));
	struct rpc_options options = fixture_options();

	check(k != NULL);
	k->recent = recent_new(WINDOW_MS);
	check(k->recent != NULL);
	options.recent = k->recent;
	options.replay_window_ms = WINDOW_MS;
	k->f = fixture_start(&options);
	*state = k;
	return 0;
}

static int stop(void **state)
{
	struct kept *k = *state;

	fixture_stop(&k->f);
	recent_free(&k->recent);
	free(k);
	return 0;
}

static uint32_t send_revoke(struct fixture *f, const char *token, const struct sent_call *like)
{
	Latchkey__V1__RevokeSessionRequest request = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;
	struct sent_call call = *like;

	request.has_token = true;
	request.token = text(token);
	call.method = REVOKE;
	call.body = &request.base;
	return caller_send(f->caller, frame_of(&call, 1));
}

static const struct sent_call plain = {0};
static const struct store_result late = {.is_late = true};
static const struct store_result good = {0};

static void answer_word(struct store_op *op, const struct store_result *like, const char *word)
{
	scripted_result(op, like, &(struct store_reply){.type = STORE_STRING, .string = span_str(word)});
}

static bool same_command(const struct store_command *a, const struct store_command *b)
{
	if (a->script != b->script || a->argc != b->argc)
		return false;
	for (size_t i = 0; i < a->argc; i++)
		if (!span_eq(a->argv[i], b->argv[i]))
			return false;
	return true;
}

static void test_what_is_acknowledged_is_kept(void **state)
{
	struct kept *k = *state;
	struct minted m = fixture_mint(k->f, 10);
	const uint32_t id = send_revoke(k->f, m.token, &plain);

	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_RESTORE], 1);
	scripted_revoked(scripted_take(&k->f->script), &good, 1);
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__OK);
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_BURY], 1);
	minted_free(&m);
}

static void test_what_changed_nothing_is_not_kept(void **state)
{
	struct kept *k = *state;
	const span full = SPAN_LIT("full");
	Latchkey__V1__CreateSessionRequest request = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	uint32_t id;

	request.has_user = true;
	request.user = text("ann");
	id = caller_send(k->f->caller, frame_of_one(CREATE, &request.base, 0));
	scripted_strings(scripted_take(&k->f->script), &full, 1);
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_RESTORE], 0);
}

/* The same command again, and only the reply in time counts. */
static void test_a_late_reply_is_asked_again(void **state)
{
	struct kept *k = *state;
	const uint64_t before = metric_get(METRIC_WRITES_LATE);
	struct minted m = fixture_mint(k->f, 10);
	const uint32_t id = send_revoke(k->f, m.token, &plain);
	struct store_op *op = scripted_take(&k->f->script);
	const struct store_command first = op->command;

	assert_true(op->command.is_repeatable);
	scripted_revoked(op, &late, 1);
	op = scripted_take(&k->f->script);
	assert_true(same_command(&first, &op->command));
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_BURY], 0);
	assert_int_equal(recent_count(k->recent), 0);
	scripted_revoked(op, &late, 0);
	op = scripted_take(&k->f->script);
	assert_true(same_command(&first, &op->command));
	scripted_revoked(op, &good, 1);
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__OK);
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_BURY], 1);
	assert_int_equal(metric_get(METRIC_WRITES_LATE), before + 2);
	minted_free(&m);
}

static void late_for_ever(struct store_op *op)
{
	scripted_revoked(op, &late, 1);
}

static void expect_unconfirmed(struct fixture *f, uint32_t id)
{
	Latchkey__V1__ReplyFrame *frame = caller_wait(f->caller, id);

	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__UNAVAILABLE);
	assert_true(message_has(frame->replies[0]->message, "idempotency key"));
	assert_false(frame->replies[0]->has_body);
	reply_free(&frame);
}

static void test_late_replies_without_end(void **state)
{
	struct kept *k = *state;
	const uint64_t before = metric_get(METRIC_WRITES_UNCONFIRMED);
	struct minted m = fixture_mint(k->f, 10);
	const uint64_t lates = metric_get(METRIC_WRITES_LATE);

	k->f->script.at_once = late_for_ever;
	expect_unconfirmed(k->f, send_revoke(k->f, m.token, &plain));
	k->f->script.at_once = NULL;
	assert_int_equal(metric_get(METRIC_WRITES_LATE), lates + 4);
	assert_int_equal(metric_get(METRIC_WRITES_UNCONFIRMED), before + 1);
	minted_free(&m);
}

/* "Nothing was changed" holds for the repetition only. */
static void test_a_failure_after_a_late_reply_is_unconfirmed(void **state)
{
	static const enum store_outcome outcomes[] = {STORE_UNAVAILABLE, STORE_OVERLOADED, STORE_EXPIRED, STORE_LOST};
	struct kept *k = *state;
	struct minted m = fixture_mint(k->f, 10);
	uint32_t id;

	for (size_t i = 0; i < 4; i++) {
		id = send_revoke(k->f, m.token, &plain);
		scripted_revoked(scripted_take(&k->f->script), &late, 1);
		scripted_outcome(scripted_take(&k->f->script), outcomes[i]);
		expect_unconfirmed(k->f, id);
	}
	/* One in time in between has told the truth. */
	k->f->script.refuse_keeps = 1;
	id = send_revoke(k->f, m.token, &plain);
	scripted_revoked(scripted_take(&k->f->script), &late, 1);
	scripted_revoked(scripted_take(&k->f->script), &good, 1);
	answer_word(scripted_take(&k->f->script), &good, "done");
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__OK);
	minted_free(&m);
}

/* The primary changes between reply and acknowledgement: the effect is brought about on the new one first. */
static void test_what_is_not_kept_is_carried_out_again(void **state)
{
	struct kept *k = *state;
	struct minted m = fixture_mint(k->f, 10);
	struct store_op *op;
	uint32_t id;

	k->f->script.refuse_keeps = 2;
	id = send_revoke(k->f, m.token, &plain);
	scripted_revoked(scripted_take(&k->f->script), &good, 1);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->command.script, STORE_SCRIPT_SESSION_BURY);
	assert_int_equal(caller_unread(k->f->caller), 0);
	answer_word(op, &good, "done");
	/* And again, for the primary has changed once more. */
	op = scripted_take(&k->f->script);
	assert_int_equal(op->command.script, STORE_SCRIPT_SESSION_BURY);
	answer_word(op, &late, "done");
	op = scripted_take(&k->f->script);
	assert_int_equal(op->command.script, STORE_SCRIPT_SESSION_BURY);
	answer_word(op, &good, "there");
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__OK);
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_BURY], 1);
	minted_free(&m);
}

static void test_what_cannot_be_confirmed_is_not_acknowledged(void **state)
{
	static const char *const words[] = {"again", "conflict", "nonsense", NULL};
	struct kept *k = *state;
	const uint64_t before = metric_get(METRIC_WRITES_UNCONFIRMED);
	struct minted m = fixture_mint(k->f, 10);

	for (size_t i = 0; i < 4; i++) {
		const uint32_t id = send_revoke(k->f, m.token, &plain);

		k->f->script.refuse_keeps = 1;
		scripted_revoked(scripted_take(&k->f->script), &good, 1);
		if (words[i] != NULL)
			answer_word(scripted_take(&k->f->script), &good, words[i]);
		else
			scripted_outcome(scripted_take(&k->f->script), STORE_UNAVAILABLE);
		expect_unconfirmed(k->f, id);
	}
	assert_int_equal(metric_get(METRIC_WRITES_UNCONFIRMED), before + 4);
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_BURY], 0);
	minted_free(&m);
}

/* Of several, those from the refused one on; the ones before it are kept already. */
static void test_each_redo_is_kept(void **state)
{
	struct kept *k = *state;
	const span made[] = {SPAN_LIT("ok"), SPAN_LIT("AAAAAAAAAAAAAAAA")};
	Latchkey__V1__CreateSessionRequest request = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	enum store_script first;
	struct store_op *op;
	uint32_t id;

	request.has_user = true;
	request.user = text("ann");
	id = caller_send(k->f->caller, frame_of_one(CREATE, &request.base, 0));
	k->f->script.refuse_keeps = 1;
	scripted_strings(scripted_take(&k->f->script), made, 2);
	op = scripted_take(&k->f->script);
	first = op->command.script;
	answer_word(op, &good, "done");
	op = scripted_take(&k->f->script);
	assert_int_not_equal(op->command.script, first);
	answer_word(op, &good, "done");
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__OK);
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_RESTORE], 1);
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_BURY], 1);
	assert_int_equal(recent_count(k->recent), 1);
}

/* A chunk is kept, or carried out again, before the next one is sent. */
static void test_steps_are_kept_one_by_one(void **state)
{
	struct kept *k = *state;
	Latchkey__V1__RevokeUserRequest request = LATCHKEY__V1__REVOKE_USER_REQUEST__INIT;
	const char *name = "AAAAAAAAAAAAAAAA";
	Latchkey__V1__RevokeUserResponse *response;
	Latchkey__V1__ReplyFrame *frame;
	struct store_op *op;
	uint32_t id;

	request.has_user = true;
	request.user = text("ann");
	id = caller_send(k->f->caller, frame_of_one(REVOKE_USER, &request.base, 0));
	k->f->script.refuse_keeps = 1;
	scripted_chunk(scripted_take(&k->f->script), 1, "1", name, name);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->command.script, STORE_SCRIPT_SESSION_BURY);
	answer_word(op, &good, "done");
	op = scripted_take(&k->f->script);
	assert_int_equal(op->command.script, STORE_SCRIPT_SESSION_REVOKE_USER);
	scripted_chunk(op, 1, "", "", "BBBBBBBBBBBBBBBB");
	frame = caller_wait(k->f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	response = body_of(frame->replies[0], &latchkey__v1__revoke_user_response__descriptor);
	assert_int_equal(response->revoked, 2);
	body_free(response);
	reply_free(&frame);
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_BURY], 2);
	assert_int_equal(recent_count(k->recent), 2);
}

/* Time runs out between the reply and the confirmation. */
static void test_the_deadline_may_come_first(void **state)
{
	struct kept *k = *state;
	struct minted m = fixture_mint(k->f, 10);
	const struct sent_call hurried = {.timeout_ms = 200};
	const uint32_t id = send_revoke(k->f, m.token, &hurried);
	struct store_op *op;

	k->f->script.refuse_keeps = 1;
	scripted_revoked(scripted_take(&k->f->script), &good, 1);
	op = scripted_take(&k->f->script);
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	answer_word(op, &good, "done");
	assert_int_equal(k->f->script.kept[STORE_SCRIPT_SESSION_BURY], 0);
	minted_free(&m);
}

/* ---- What is remembered ---- */

static void test_the_revoked_are_refused_without_the_store(void **state)
{
	struct kept *k = *state;
	struct minted m = fixture_mint(k->f, 10);
	const uint32_t id = send_revoke(k->f, m.token, &plain);
	size_t commands;

	scripted_revoked(scripted_take(&k->f->script), &good, 1);
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__OK);
	commands = scripted_count(&k->f->script);
	fixture_expect_verdict(k->f, fixture_get(k->f, m.token, 0), LATCHKEY__V1__VERDICT__INVALID,
			       LATCHKEY__V1__REASON__LOGOUT);
	assert_int_equal(scripted_count(&k->f->script), commands);
	minted_free(&m);
}

static void test_missing_when_unsettled_is_unknown(void **state)
{
	struct kept *k = *state;
	const struct store_result unsettled = {.is_unsettled = true};
	const struct store_reply nil = {.type = STORE_NIL};
	struct minted m = fixture_mint(k->f, 10);
	uint32_t id = fixture_get(k->f, m.token, 0);

	scripted_result(scripted_take(&k->f->script), &unsettled, &nil);
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
	id = fixture_get(k->f, m.token, 0);
	scripted_result(scripted_take(&k->f->script), &good, &nil);
	fixture_expect_verdict(k->f, id, LATCHKEY__V1__VERDICT__INVALID, LATCHKEY__V1__REASON__NOT_FOUND_IN_STORE);
	minted_free(&m);
}

/* ---- Replicas ---- */

static void expect_replicas(struct fixture *f, uint32_t id, int wanted)
{
	Latchkey__V1__ReplyFrame *frame = caller_wait(f->caller, id);

	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	assert_int_equal(frame->replies[0]->has_replicas, wanted >= 0);
	if (wanted >= 0)
		assert_int_equal(frame->replies[0]->replicas, wanted);
	reply_free(&frame);
}

static void test_replicas_are_waited_for(void **state)
{
	struct kept *k = *state;
	const uint64_t before = metric_get(METRIC_WRITES_WAIT_SHORT);
	const struct sent_call patient = {.has_wait = true, .wait_replicas = 2, .wait_ms = 70};
	const struct store_result two = {.replicas = 2};
	const struct store_result one = {.replicas = 1};
	struct minted m = fixture_mint(k->f, 10);
	struct store_op *op;
	uint32_t id;

	id = send_revoke(k->f, m.token, &patient);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->wait_replicas, 2);
	assert_int_equal(op->wait_ms, 70);
	scripted_revoked(op, &two, 1);
	expect_replicas(k->f, id, 2);
	assert_int_equal(metric_get(METRIC_WRITES_WAIT_SHORT), before);
	id = send_revoke(k->f, m.token, &patient);
	scripted_revoked(scripted_take(&k->f->script), &one, 1);
	expect_replicas(k->f, id, 1);
	assert_int_equal(metric_get(METRIC_WRITES_WAIT_SHORT), before + 1);
	id = send_revoke(k->f, m.token, &plain);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->wait_replicas, 0);
	scripted_revoked(op, &one, 1);
	expect_replicas(k->f, id, -1);
	minted_free(&m);
}

static void test_realms_may_wait_for_replicas(void **state)
{
	struct kept *k = *state;
	const struct sent_call impatient = {.has_wait = true};
	const struct sent_call hurried = {.timeout_ms = 5000, .has_wait = true, .wait_replicas = 1, .wait_ms = 900000};
	struct minted m = fixture_mint(k->f, 10);
	struct store_op *op;
	uint32_t id;

	k->f->realm.wait_replicas = 1;
	id = send_revoke(k->f, m.token, &plain);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->wait_replicas, 1);
	assert_int_equal(op->wait_ms, WAIT_MS_DEFAULT);
	scripted_revoked(op, &good, 1);
	expect_replicas(k->f, id, 0);
	id = send_revoke(k->f, m.token, &impatient);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->wait_replicas, 0);
	scripted_revoked(op, &good, 1);
	expect_replicas(k->f, id, -1);
	/* Never longer than the call has. */
	id = send_revoke(k->f, m.token, &hurried);
	op = scripted_take(&k->f->script);
	assert_in_range(op->wait_ms, 1, 5000);
	scripted_revoked(op, &good, 1);
	expect_replicas(k->f, id, 0);
	/* Reads wait for nobody. */
	id = fixture_list(k->f, 0);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->wait_replicas, 0);
	scripted_strings(op, (const span[]){SPAN_LIT(""), SPAN_LIT("")}, 2);
	expect_replicas(k->f, id, -1);
	minted_free(&m);
}

static uint32_t send_check(struct fixture *f, uint32_t cost)
{
	Latchkey__V1__CheckLimitRequest request = LATCHKEY__V1__CHECK_LIMIT_REQUEST__INIT;

	request.has_name = request.has_limit = request.has_per_ms = request.has_cost = true;
	request.name = text("n");
	request.limit = 5;
	request.per_ms = 1000;
	request.cost = cost;
	return caller_send(f->caller, frame_of_one("/latchkey.v1.Limits/Check", &request.base, 0));
}

static void answer_check(struct store_op *op, bool is_allowed)
{
	const struct store_result one = {.replicas = 1};
	struct store_reply elements[5] = {
	    {.type = STORE_STRING, .string = SPAN_LIT("ok")},
	    {.type = STORE_INTEGER, .integer = is_allowed},
	    {.type = STORE_INTEGER},
	    {.type = STORE_INTEGER, .integer = is_allowed ? 0 : 100},
	    {.type = STORE_INTEGER, .integer = 1000},
	};
	const struct store_reply *const all[] = {&elements[0], &elements[1], &elements[2], &elements[3], &elements[4]};

	scripted_result(op, &one, &(struct store_reply){.type = STORE_ARRAY, .count = 5, .elements = all});
}

/* A change that nobody brings back after a failover is one all the same; a refusal is none. */
static void test_replicas_are_told_of_what_is_not_kept(void **state)
{
	struct kept *k = *state;
	struct store_op *op;
	uint32_t id;

	k->f->realm.wait_replicas = 1;
	id = send_check(k->f, 1);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->wait_replicas, 1);
	answer_check(op, true);
	expect_replicas(k->f, id, 1);
	id = send_check(k->f, 1);
	answer_check(scripted_take(&k->f->script), false);
	expect_replicas(k->f, id, -1);
	id = send_check(k->f, 0);
	op = scripted_take(&k->f->script);
	assert_int_equal(op->wait_replicas, 0);
	answer_check(op, true);
	expect_replicas(k->f, id, -1);
}

static void test_too_many_replicas(void **state)
{
	struct kept *k = *state;
	const struct sent_call greedy = {.has_wait = true, .wait_replicas = WAIT_REPLICAS_MAX + 1};
	struct minted m = fixture_mint(k->f, 10);

	fixture_expect(k->f, send_revoke(k->f, m.token, &greedy), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	minted_free(&m);
}

/* ---- A Redis that cannot write ---- */

static void test_a_revocation_can_be_pending(void **state)
{
	struct kept *k = *state;
	struct minted m = fixture_mint(k->f, 10);
	const uint32_t id = send_revoke(k->f, m.token, &plain);
	Latchkey__V1__RevokeSessionResponse *response;
	Latchkey__V1__ReplyFrame *frame;
	recent *elsewhere = recent_new(WINDOW_MS);

	scripted_refuse(scripted_take(&k->f->script), "MISCONF Redis is configured to save RDB snapshots");
	frame = caller_wait(k->f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	response = body_of(frame->replies[0], &latchkey__v1__revoke_session_response__descriptor);
	assert_true(response->has_pending && response->pending);
	body_free(response);
	reply_free(&frame);
	assert_int_equal(k->f->script.pended[STORE_SCRIPT_SESSION_BURY], 1);
	session_hear(&(struct session_ears){.recent = elsewhere},
		     span_of(k->f->script.announced, k->f->script.announced_len), 0);
	assert_int_equal(recent_count(elsewhere), 1);
	fixture_expect_verdict(k->f, fixture_get(k->f, m.token, 0), LATCHKEY__V1__VERDICT__INVALID,
			       LATCHKEY__V1__REASON__LOGOUT);
	recent_free(&elsewhere);
	minted_free(&m);
}

static void test_there_may_be_no_room_for_what_is_pending(void **state)
{
	struct kept *k = *state;
	struct minted m = fixture_mint(k->f, 10);
	const uint32_t id = send_revoke(k->f, m.token, &plain);

	k->f->script.refuse_pends = true;
	scripted_refuse(scripted_take(&k->f->script), "MISCONF Redis is configured to save RDB snapshots");
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
	assert_int_equal(k->f->script.announced_len, 0);
	minted_free(&m);
}

static void test_other_calls_cannot(void **state)
{
	struct kept *k = *state;
	struct minted m = fixture_mint(k->f, 10);
	Latchkey__V1__RevokeUserRequest everywhere = LATCHKEY__V1__REVOKE_USER_REQUEST__INIT;
	uint32_t id;

	everywhere.has_user = true;
	everywhere.user = text("ann");
	id = caller_send(k->f->caller, frame_of_one(REVOKE_USER, &everywhere.base, 0));
	scripted_refuse(scripted_take(&k->f->script), "MISCONF no");
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
	/* For another reason neither. */
	id = send_revoke(k->f, m.token, &plain);
	scripted_refuse(scripted_take(&k->f->script), "READONLY no");
	fixture_expect(k->f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
	assert_int_equal(k->f->script.pended[STORE_SCRIPT_SESSION_BURY], 0);
	minted_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_is_acknowledged_is_kept, start, stop),
	    cmocka_unit_test_setup_teardown(test_what_changed_nothing_is_not_kept, start, stop),
	    cmocka_unit_test_setup_teardown(test_a_late_reply_is_asked_again, start, stop),
	    cmocka_unit_test_setup_teardown(test_late_replies_without_end, start, stop),
	    cmocka_unit_test_setup_teardown(test_a_failure_after_a_late_reply_is_unconfirmed, start, stop),
	    cmocka_unit_test_setup_teardown(test_what_is_not_kept_is_carried_out_again, start, stop),
	    cmocka_unit_test_setup_teardown(test_what_cannot_be_confirmed_is_not_acknowledged, start, stop),
	    cmocka_unit_test_setup_teardown(test_each_redo_is_kept, start, stop),
	    cmocka_unit_test_setup_teardown(test_steps_are_kept_one_by_one, start, stop),
	    cmocka_unit_test_setup_teardown(test_the_deadline_may_come_first, start, stop),
	    cmocka_unit_test_setup_teardown(test_the_revoked_are_refused_without_the_store, start, stop),
	    cmocka_unit_test_setup_teardown(test_missing_when_unsettled_is_unknown, start, stop),
	    cmocka_unit_test_setup_teardown(test_replicas_are_waited_for, start, stop),
	    cmocka_unit_test_setup_teardown(test_realms_may_wait_for_replicas, start, stop),
	    cmocka_unit_test_setup_teardown(test_replicas_are_told_of_what_is_not_kept, start, stop),
	    cmocka_unit_test_setup_teardown(test_too_many_replicas, start, stop),
	    cmocka_unit_test_setup_teardown(test_a_revocation_can_be_pending, start, stop),
	    cmocka_unit_test_setup_teardown(test_there_may_be_no_room_for_what_is_pending, start, stop),
	    cmocka_unit_test_setup_teardown(test_other_calls_cannot, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
