/* Whether a realm was revoked: asked for before any call, again and again, one question at a time; and RevokeRealm. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "support/check.h"
#include "support/fixture.h"

static not_before *known;

static int start(void **state)
{
	struct rpc_options options = fixture_options();

	known = not_before_new(1);
	assert_non_null(known);
	options.not_before = known;
	*state = fixture_start(&options);
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	fixture_stop(&f);
	not_before_free(&known);
	return 0;
}

static bool is_question(const struct store_op *op)
{
	return op->command.argc == 2 && span_eq(op->command.argv[0], SPAN_LIT("GET")) &&
	       span_starts_with(op->command.argv[1], SPAN_LIT("lk1:n:{"));
}

/* The next operation, which is one. As long as it is not answered there is no other. */
static struct store_op *take_question(struct fixture *f)
{
	struct store_op *op = scripted_take(&f->script);

	assert_true(is_question(op));
	assert_int_equal(op->command.argv[1].len, NOT_BEFORE_KEY_CHARS);
	assert_false(op->command.is_write);
	assert_true(op->command.is_repeatable);
	return op;
}

static void test_valid_needs_an_answer(void **state)
{
	struct fixture *f = *state;
	const uint64_t unconfirmed = metric_get(METRIC_REALMS_UNCONFIRMED);
	struct store_op *question = take_question(f);
	struct minted m = fixture_mint(f, 10);
	uint32_t id = fixture_get(f, m.token, 0);
	Latchkey__V1__ReplyFrame *frame;

	scripted_string(scripted_take(&f->script), span_of(m.record.data, m.record.len));
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__UNAVAILABLE);
	assert_true(frame->replies[0]->retry_after_ms > 0);
	assert_true(message_has(frame->replies[0]->message, "lk1:n:"));
	reply_free(&frame);
	assert_int_equal(metric_get(METRIC_REALMS_UNCONFIRMED), unconfirmed + 1);
	/* That it is dead may be said. */
	id = fixture_get(f, m.token, 0);
	scripted_nil(scripted_take(&f->script));
	fixture_expect_verdict(f, id, LATCHKEY__V1__VERDICT__INVALID, LATCHKEY__V1__REASON__NOT_FOUND_IN_STORE);
	/* Asked for before, answered after the question: good enough. */
	id = fixture_get(f, m.token, 0);
	scripted_nil(question);
	scripted_string(scripted_take(&f->script), span_of(m.record.data, m.record.len));
	fixture_expect_verdict(f, id, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
	minted_free(&m);
}

static void test_of_many_each_is_unknown(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__GetManySessionsRequest request = LATCHKEY__V1__GET_MANY_SESSIONS_REQUEST__INIT;
	Latchkey__V1__GetManySessionsResponse *many;
	struct store_op *question = take_question(f);
	struct minted m = fixture_mint(f, 10);
	ProtobufCBinaryData tokens[2] = {text(m.token), text("lks1_")};
	Latchkey__V1__ReplyFrame *frame;
	uint32_t id;

	request.n_tokens = 2;
	request.tokens = tokens;
	id = caller_send(f->caller, frame_of_one(GET_MANY, &request.base, 0));
	scripted_string(scripted_take(&f->script), span_of(m.record.data, m.record.len));
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	many = body_of(frame->replies[0], &latchkey__v1__get_many_sessions_response__descriptor);
	assert_int_equal(many->sessions[0]->verdict, LATCHKEY__V1__VERDICT__UNKNOWN);
	assert_int_equal(many->sessions[1]->verdict, LATCHKEY__V1__VERDICT__INVALID);
	body_free(many);
	reply_free(&frame);
	scripted_nil(question);
	minted_free(&m);
}

static void test_questions_do_not_pile_up(void **state)
{
	struct fixture *f = *state;
	const uint64_t until_ms = clock_mono_ms() + 1000;
	struct store_op *question = take_question(f);

	/* Long enough for ten of them. */
	while (clock_mono_ms() < until_ms)
		(void)usleep(1000);
	assert_int_equal(scripted_count(&f->script), 1);
	/* Whatever becomes of one, there is a next. */
	scripted_outcome(question, STORE_LOST);
	scripted_outcome(take_question(f), STORE_UNAVAILABLE);
	scripted_refuse(take_question(f), "WRONGTYPE Operation against a key");
	scripted_string(take_question(f), SPAN_LIT("garbage"));
	assert_false(not_before_is_confirmed(known, &f->realm, clock_mono_ms()));
	question = take_question(f);
	scripted_string(question, SPAN_LIT("1764000001000:0123456789abcdef"));
	assert_true(not_before_is_confirmed(known, &f->realm, clock_mono_ms()));
	assert_int_equal(not_before_of(known, &f->realm), 1764000001000ULL);
	scripted_nil(take_question(f));
	assert_int_equal(not_before_of(known, &f->realm), 1764000001000ULL);
}

static int redirect_stderr(FILE *to)
{
	const int before = dup(STDERR_FILENO);

	assert_true(before >= 0 && dup2(fileno(to), STDERR_FILENO) >= 0);
	return before;
}

static void restore_stderr(int before)
{
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	(void)close(before);
}

static size_t count_in_file(FILE *file, const char *part)
{
	char line[1024];
	size_t count = 0;

	rewind(file);
	while (fgets(line, sizeof(line), file) != NULL)
		count += strstr(line, part) != NULL;
	return count;
}

/* What Redis refuses it will refuse again: it is asked no ten times a second, and somebody is told why nothing is
 * served. */
static void test_a_refusal_is_told_and_not_hurried(void **state)
{
	struct fixture *f = *state;
	struct store_op *question = take_question(f);
	FILE *log = tmpfile();
	uint64_t asked_ms;
	int before;

	assert_non_null(log);
	before = redirect_stderr(log);
	scripted_refuse(question, "NOPERM No permissions to access a key");
	asked_ms = clock_mono_ms();
	scripted_refuse(take_question(f), "NOPERM No permissions to access a key");
	question = take_question(f);
	restore_stderr(before);
	assert_true(clock_mono_ms() - asked_ms >= 700);
	assert_int_equal(count_in_file(log, "realm_unreadable realm=default key="), 1);
	assert_int_equal(count_in_file(log, "NOPERM No permissions"), 1);
	scripted_nil(question);
	(void)fclose(log);
}

/* A question is in the store's hands when the server goes. */
static void test_the_server_may_go_first(void **state)
{
	struct fixture *f = *state;
	struct store_op *question = take_question(f);

	rpc_server_free(&f->server);
	scripted_nil(question);
}

static Latchkey__V1__ServingStatus health(struct fixture *f)
{
	Latchkey__V1__ServingStatus status;
	Latchkey__V1__HealthCheckResponse *m;
	Latchkey__V1__ReplyFrame *frame;

	assert_int_equal(ask_one(f, HEALTH, NULL, &frame), LATCHKEY__V1__CODE__OK);
	m = body_of(frame->replies[0], &latchkey__v1__health_check_response__descriptor);
	status = m->status;
	body_free(m);
	reply_free(&frame);
	return status;
}

static void test_waiting_for_the_realms(void **state)
{
	struct fixture *f = *state;
	struct store_op *question = take_question(f);

	assert_int_equal(health(f), LATCHKEY__V1__SERVING_STATUS__NOT_SERVING);
	assert_false(rpc_server_wait_realms(f->server, 1));
	scripted_nil(question);
	assert_true(rpc_server_wait_realms(f->server, 0));
	assert_int_equal(health(f), LATCHKEY__V1__SERVING_STATUS__SERVING);
}

/* ---- RevokeRealm ---- */

static uint32_t send_revoke_realm(struct fixture *f, const char *realm)
{
	Latchkey__V1__RevokeRealmRequest request = LATCHKEY__V1__REVOKE_REALM_REQUEST__INIT;

	if (realm != NULL) {
		request.has_realm = true;
		request.realm = text(realm);
	}
	return caller_send(f->caller, frame_of_one(REVOKE_REALM, &request.base, 0));
}

static void test_revoke_realm(void **state)
{
	struct fixture *f = *state;
	const uint64_t revoked = metric_get(METRIC_REALMS_REVOKED);
	const uint64_t ended = metric_get(METRIC_SESSIONS_REALM_REVOKED);
	struct store_op *question = take_question(f);
	struct minted m = fixture_mint(f, 10);
	const uint32_t id = send_revoke_realm(f, "default");
	struct store_op *op = scripted_take(&f->script);
	Latchkey__V1__RevokeRealmResponse *done;
	Latchkey__V1__ReplyFrame *frame;
	span answer[2] = {SPAN_LIT("ok"), SPAN_EMPTY};
	size_t commands;
	char moment[24];

	assert_int_equal(op->command.script, STORE_SCRIPT_SESSION_REVOKE_REALM);
	assert_true(op->command.is_write && op->command.is_repeatable);
	(void)snprintf(moment, sizeof(moment), "%.*s", SPAN_FMT(op->command.argv[1]));
	answer[1] = span_str(moment);
	scripted_strings(op, answer, 2);
	frame = caller_wait(f->caller, id);
	assert_int_equal(frame->replies[0]->code, LATCHKEY__V1__CODE__OK);
	done = body_of(frame->replies[0], &latchkey__v1__revoke_realm_response__descriptor);
	assert_int_equal(done->not_before_ms, strtoull(moment, NULL, 10));
	assert_int_equal(done->not_before_ms % 1000, 0);
	body_free(done);
	reply_free(&frame);
	assert_int_equal(f->script.kept[STORE_SCRIPT_SESSION_REVOKE_REALM], 1);
	commands = scripted_count(&f->script);
	fixture_expect_verdict(f, fixture_get(f, m.token, 0), LATCHKEY__V1__VERDICT__INVALID,
			       LATCHKEY__V1__REASON__REALM_REVOKED);
	assert_int_equal(scripted_count(&f->script), commands);
	assert_int_equal(metric_get(METRIC_REALMS_REVOKED), revoked + 1);
	assert_int_equal(metric_get(METRIC_SESSIONS_REALM_REVOKED), ended + 1);
	scripted_nil(question);
	minted_free(&m);
}

static void test_the_realm_must_be_named(void **state)
{
	struct fixture *f = *state;
	struct store_op *question = take_question(f);

	fixture_expect(f, send_revoke_realm(f, NULL), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	fixture_expect(f, send_revoke_realm(f, ""), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	fixture_expect(f, send_revoke_realm(f, "nowhere"), LATCHKEY__V1__CODE__NOT_FOUND);
	assert_int_equal(scripted_count(&f->script), 1);
	scripted_nil(question);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_valid_needs_an_answer),
	    TEST(test_of_many_each_is_unknown),
	    TEST(test_questions_do_not_pile_up),
	    TEST(test_the_server_may_go_first),
	    TEST(test_waiting_for_the_realms),
	    TEST(test_revoke_realm),
	    TEST(test_a_refusal_is_told_and_not_hurried),
	    TEST(test_the_realm_must_be_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
