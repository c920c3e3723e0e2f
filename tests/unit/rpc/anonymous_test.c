/* Anonymous sessions over the wire: the store is not asked for any of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

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

/* The token, for the caller to free. */
static char *make(struct fixture *f)
{
	Latchkey__V1__CreateSessionRequest request = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	Latchkey__V1__Attribute cart = LATCHKEY__V1__ATTRIBUTE__INIT;
	Latchkey__V1__Attribute *all[] = {&cart};
	Latchkey__V1__CreateSessionResponse *created;
	Latchkey__V1__ReplyFrame *frame;
	char *token;

	cart.has_key = cart.has_value = true;
	cart.key = text("cart");
	cart.value = text("3 apples");
	request.has_anonymous = request.anonymous = true;
	request.has_session_class = true;
	request.session_class = text("remember-me");
	request.n_attributes = 1;
	request.attributes = all;
	assert_int_equal(ask_one(f, CREATE, &request.base, &frame), LATCHKEY__V1__CODE__OK);
	created = body_of(frame->replies[0], &latchkey__v1__create_session_response__descriptor);
	assert_true(created->info->has_anonymous && created->info->anonymous);
	assert_false(created->info->has_handle || created->info->has_user || created->info->has_version);
	assert_null(created->info->authentication);
	assert_memory_equal(created->info->session_class.data, "remember-me", 11);
	assert_int_equal(created->info->expires_at_ms, created->info->created_at_ms + 3600000);
	token = strndup((const char *)created->token.data, created->token.len);
	body_free(created);
	reply_free(&frame);
	return token;
}

static void expect_cart(struct fixture *f, const char *token, const char *value)
{
	const Latchkey__V1__GetSessionRequest request = get_request(token);
	Latchkey__V1__GetSessionResponse *session;
	Latchkey__V1__ReplyFrame *frame;

	assert_int_equal(ask_one(f, GET, &request.base, &frame), LATCHKEY__V1__CODE__OK);
	session = body_of(frame->replies[0], &latchkey__v1__get_session_response__descriptor);
	assert_int_equal(session->verdict, LATCHKEY__V1__VERDICT__VALID);
	assert_true(session->info->anonymous);
	assert_int_equal(session->n_attributes, 1);
	assert_int_equal(session->attributes[0]->value.len, strlen(value));
	assert_memory_equal(session->attributes[0]->value.data, value, strlen(value));
	body_free(session);
	reply_free(&frame);
}

static char *update(struct fixture *f, const char *token, const char *value)
{
	Latchkey__V1__UpdateSessionRequest request = LATCHKEY__V1__UPDATE_SESSION_REQUEST__INIT;
	Latchkey__V1__Attribute cart = LATCHKEY__V1__ATTRIBUTE__INIT;
	Latchkey__V1__Attribute *all[] = {&cart};
	Latchkey__V1__UpdateSessionResponse *updated;
	Latchkey__V1__ReplyFrame *frame;
	char *next;

	cart.has_key = cart.has_value = true;
	cart.key = text("cart");
	cart.value = text(value);
	request.has_token = true;
	request.token = text(token);
	request.n_set = 1;
	request.set = all;
	assert_int_equal(ask_one(f, UPDATE, &request.base, &frame), LATCHKEY__V1__CODE__OK);
	updated = body_of(frame->replies[0], &latchkey__v1__update_session_response__descriptor);
	assert_int_equal(updated->verdict, LATCHKEY__V1__VERDICT__VALID);
	assert_false(updated->has_version);
	next = strndup((const char *)updated->token.data, updated->token.len);
	body_free(updated);
	reply_free(&frame);
	return next;
}

static void test_its_life_needs_no_store(void **state)
{
	struct fixture *f = *state;
	const uint64_t created = metric_get(METRIC_SESSIONS_CREATED);
	const uint64_t anonymous = metric_get(METRIC_SESSIONS_ANONYMOUS);
	Latchkey__V1__RevokeSessionRequest revoke = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;
	char *token = make(f);
	char *next;

	expect_cart(f, token, "3 apples");
	next = update(f, token, "4 pears");
	expect_cart(f, next, "4 pears");
	expect_cart(f, token, "3 apples");
	revoke.has_token = true;
	revoke.token = text(token);
	assert_int_equal(code_of(f, REVOKE, &revoke.base), LATCHKEY__V1__CODE__FAILED_PRECONDITION);
	token[40] = token[40] == 'A' ? 'B' : 'A';
	fixture_expect_verdict(f, fixture_get(f, token, 0), LATCHKEY__V1__VERDICT__INVALID,
			       LATCHKEY__V1__REASON__FORGED);
	assert_int_equal(scripted_count(&f->script), 0);
	assert_int_equal(metric_get(METRIC_SESSIONS_CREATED), created);
	assert_int_equal(metric_get(METRIC_SESSIONS_ANONYMOUS), anonymous + 1);
	free(token);
	free(next);
}

/* Beside one that is stored. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__GetManySessionsRequest request = LATCHKEY__V1__GET_MANY_SESSIONS_REQUEST__INIT;
	Latchkey__V1__GetManySessionsResponse *many;
	struct minted m = fixture_mint(f, 10);
	char *token = make(f);
	ProtobufCBinaryData tokens[2] = {text(token), text(m.token)};
	Latchkey__V1__ReplyFrame *frame;
	uint32_t id;

	request.n_tokens = 2;
	request.tokens = tokens;
	id = caller_send(f->caller, frame_of_one(GET_MANY, &request.base, 0));
	scripted_string(scripted_take(&f->script), span_of(m.record.data, m.record.len));
	frame = caller_wait(f->caller, id);
	many = body_of(frame->replies[0], &latchkey__v1__get_many_sessions_response__descriptor);
	assert_int_equal(many->sessions[0]->verdict, LATCHKEY__V1__VERDICT__VALID);
	assert_true(many->sessions[0]->info->anonymous);
	assert_int_equal(many->sessions[1]->verdict, LATCHKEY__V1__VERDICT__VALID);
	assert_false(many->sessions[1]->info->anonymous);
	body_free(many);
	reply_free(&frame);
	free(token);
	minted_free(&m);
}

static void test_promotion(void **state)
{
	struct fixture *f = *state;
	const uint64_t promoted = metric_get(METRIC_SESSIONS_PROMOTED);
	Latchkey__V1__CreateSessionRequest request = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	const span ok = SPAN_LIT("ok");
	char *token = make(f);
	struct bytes record;
	Latchkey__V1__CreateSessionResponse *created;
	Latchkey__V1__GetSessionResponse *session;
	Latchkey__V1__ReplyFrame *frame;
	struct store_op *op;
	char stored[106] = "";
	uint32_t id;

	request.has_user = true;
	request.user = text("ann");
	request.has_promote = true;
	request.promote = text(token);
	id = caller_send(f->caller, frame_of_one(CREATE, &request.base, 0));
	op = scripted_take(&f->script);
	record = bytes_of(op->command.argv[op->command.key_count].ptr, op->command.argv[op->command.key_count].len);
	scripted_strings(op, &ok, 1);
	frame = caller_wait(f->caller, id);
	created = body_of(frame->replies[0], &latchkey__v1__create_session_response__descriptor);
	memcpy(stored, created->token.data, 105);
	body_free(created);
	reply_free(&frame);
	id = fixture_get(f, stored, 0);
	scripted_string(scripted_take(&f->script), span_of(record.data, record.len));
	frame = caller_wait(f->caller, id);
	session = body_of(frame->replies[0], &latchkey__v1__get_session_response__descriptor);
	assert_int_equal(session->n_attributes, 1);
	assert_memory_equal(session->attributes[0]->value.data, "3 apples", 8);
	assert_memory_equal(session->info->user.data, "ann", 3);
	body_free(session);
	reply_free(&frame);
	assert_int_equal(metric_get(METRIC_SESSIONS_PROMOTED), promoted + 1);
	token[30] = token[30] == 'A' ? 'B' : 'A';
	assert_int_equal(code_of(f, CREATE, &request.base), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	bytes_free(&record);
	free(token);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_its_life_needs_no_store), TEST(test_many), TEST(test_promotion)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
