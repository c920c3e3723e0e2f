/* The auth cache's calls: several commands at once, pauses, and what ends them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "latchkey/v1/auth_cache.pb-c.h"
#include "support/check.h"
#include "support/fixture.h"

#define LOOKUP "/latchkey.v1.AuthCache/Lookup"
#define FILL   "/latchkey.v1.AuthCache/Fill"
#define FORGET "/latchkey.v1.AuthCache/Forget"
#define EPOCH  "12345678"

static auth_news *news;

static int start(void **state)
{
	struct rpc_options options = fixture_options();
	struct fixture *f;

	news = auth_news_new();
	options.auth_news = news;
	f = fixture_start(&options);
	f->realm.auth = (struct auth_policy){.ttl_s = 60, .negative_ttl_s = 10, .lease_ms = 1000};
	*state = f;
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	fixture_stop(&f);
	auth_news_free(&news);
	return 0;
}

static uint32_t send_lookup(struct fixture *f, const char *group, uint32_t wait_ms, uint32_t timeout_ms)
{
	Latchkey__V1__LookupAuthRequest m = LATCHKEY__V1__LOOKUP_AUTH_REQUEST__INIT;
	ProtobufCBinaryData name = text(group == NULL ? "" : group);

	m.has_subject = m.has_key = true;
	m.subject = text("ann");
	m.key = text("k");
	m.n_groups = group == NULL ? 0 : 1;
	m.groups = &name;
	m.has_wait_ms = wait_ms > 0;
	m.wait_ms = wait_ms;
	return caller_send(f->caller, frame_of_one(LOOKUP, &m.base, timeout_ms));
}

static void expect_state(struct fixture *f, uint32_t id, Latchkey__V1__AuthState state, bool has_lease)
{
	Latchkey__V1__ReplyFrame *reply = caller_wait(f->caller, id);
	Latchkey__V1__LookupAuthResponse *m;

	assert_int_equal(reply->replies[0]->code, LATCHKEY__V1__CODE__OK);
	m = body_of(reply->replies[0], &latchkey__v1__lookup_auth_response__descriptor);
	assert_int_equal(m->state, state);
	assert_int_equal(m->has_lease, has_lease);
	body_free(m);
	reply_free(&reply);
}

static void answer_miss(struct store_op *op)
{
	const span words[] = {SPAN_LIT("miss"), SPAN_LIT(EPOCH)};

	scripted_strings(op, words, 2);
}

static bool is_script(const struct store_op *op, enum store_script script)
{
	return op->command.script == script;
}

/* In whatever order the replies come. */
static void test_the_last_reply_decides(void **state)
{
	struct fixture *f = *state;

	for (int order = 0; order < 2; order++) {
		const uint32_t id = send_lookup(f, "g", 0, 0);
		struct store_op *answer = scripted_take(&f->script);
		struct store_op *group = scripted_take(&f->script);

		assert_true(is_script(answer, STORE_SCRIPT_AUTH_LOOKUP));
		assert_true(is_script(group, STORE_SCRIPT_AUTH_EPOCH));
		if (order == 0)
			answer_miss(answer);
		scripted_string(group, SPAN_LIT(EPOCH));
		if (order == 1)
			answer_miss(answer);
		expect_state(f, id, LATCHKEY__V1__AUTH_STATE__MISS, true);
	}
}

/* Without the epoch of a group nothing can be said; nor without the answer. */
static void test_one_failed_reply_fails_the_call(void **state)
{
	struct fixture *f = *state;

	for (int order = 0; order < 2; order++) {
		const uint32_t id = send_lookup(f, "g", 0, 0);
		struct store_op *answer = scripted_take(&f->script);
		struct store_op *group = scripted_take(&f->script);

		if (order == 0) {
			answer_miss(answer);
			scripted_outcome(group, STORE_UNAVAILABLE);
		} else {
			scripted_string(group, SPAN_LIT(EPOCH));
			scripted_outcome(answer, STORE_UNAVAILABLE);
		}
		fixture_expect(f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
	}
}

static void test_odd_replies_are_internal(void **state)
{
	struct fixture *f = *state;
	const span words[] = {SPAN_LIT("miss"), SPAN_LIT("short")};
	uint32_t id = send_lookup(f, NULL, 0, 0);

	scripted_string(scripted_take(&f->script), SPAN_LIT("nonsense"));
	fixture_expect(f, id, LATCHKEY__V1__CODE__INTERNAL);
	id = send_lookup(f, NULL, 0, 0);
	scripted_strings(scripted_take(&f->script), words, 2);
	fixture_expect(f, id, LATCHKEY__V1__CODE__INTERNAL);
}

/* The holder's time is longer than the test's: it is the pause that ends. */
static void test_who_waits_asks_again(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = send_lookup(f, NULL, CHECK_PATIENCE_S * 500, 0);

	for (int i = 0; i < 3; i++)
		scripted_word_number(scripted_take(&f->script), "wait", 1000000);
	answer_miss(scripted_take(&f->script));
	expect_state(f, id, LATCHKEY__V1__AUTH_STATE__MISS, true);
}

/* Told so half a second before its time, and not as out of time. */
static void test_who_waits_in_vain_is_told(void **state)
{
	struct fixture *f = *state;
	size_t count = scripted_count(&f->script);
	const uint32_t id = send_lookup(f, NULL, CHECK_PATIENCE_S * 1000, 4000);

	while (caller_unread(f->caller) == 0) {
		if (scripted_count(&f->script) == count) {
			(void)usleep(200);
			continue;
		}
		scripted_word_number(scripted_take(&f->script), "wait", 1000000);
		count++;
	}
	expect_state(f, id, LATCHKEY__V1__AUTH_STATE__WAIT, false);
}

/* Pauses grow to 250 ms; what is heard ends one at once, also when it was heard while the question was under way. */
static void test_news_ends_a_pause(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = send_lookup(f, NULL, CHECK_PATIENCE_S * 500, 0);
	struct store_op *op = scripted_take(&f->script);
	uint8_t message[128] = {4, 1};
	const span key = op->command.key;
	const int rounds = 200;
	uint64_t began_ms;

	memcpy(message + 2, key.ptr, key.len);
	for (int i = 0; i < 6; i++) {
		scripted_word_number(op, "wait", 1000000);
		op = scripted_take(&f->script);
	}
	began_ms = clock_mono_ms();
	for (int i = 0; i < rounds; i++) {
		auth_news_hear(news, span_of(message, key.len + 2), 1);
		scripted_word_number(op, "wait", 1000000);
		op = scripted_take(&f->script);
	}
	/* Without it: 50 s. */
	assert_true(clock_mono_ms() - began_ms < 25000);
	answer_miss(op);
	expect_state(f, id, LATCHKEY__V1__AUTH_STATE__MISS, true);
}

static void test_a_drain_ends_a_pause(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = send_lookup(f, NULL, CHECK_PATIENCE_S * 500, 0);
	struct store_op *op = scripted_take(&f->script);

	scripted_word_number(op, "wait", 1000000);
	/* Nobody answers for a moment: cut off. */
	assert_false(rpc_server_drain(f->server, 0));
	op = scripted_take(&f->script);
	scripted_word_number(op, "wait", 1000000);
	fixture_expect(f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
}

/* The caller goes, and the server, while a task pauses: nothing is left, and nothing touched. */
static void test_all_may_end_in_a_pause(void **state)
{
	struct fixture *f = *state;

	(void)send_lookup(f, NULL, CHECK_PATIENCE_S * 500, 0);
	scripted_word_number(scripted_take(&f->script), "wait", 1000000);
	caller_close(&f->caller);
}

#define NO_WRITES "MISCONF Redis is configured to save RDB snapshots"

/* A Redis that takes no writes can be read: nobody gets a lease, and who would wait is not kept waiting. */
static void test_a_redis_without_writes_is_read(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = send_lookup(f, "g", CHECK_PATIENCE_S * 500, 0);
	const span miss[] = {SPAN_LIT("miss"), SPAN_LIT("")};
	struct store_op *answer = scripted_take(&f->script);
	struct store_op *op = scripted_take(&f->script);

	assert_true(is_script(op, STORE_SCRIPT_AUTH_EPOCH));
	scripted_refuse(answer, NO_WRITES);
	scripted_refuse(op, NO_WRITES);
	op = scripted_take(&f->script);
	assert_true(is_script(op, STORE_SCRIPT_AUTH_PEEK));
	scripted_strings(op, miss, 2);
	op = scripted_take(&f->script);
	assert_true(is_script(op, STORE_NO_SCRIPT));
	assert_true(span_eq(op->command.argv[0], SPAN_LIT("GET")));
	scripted_nil(op);
	expect_state(f, id, LATCHKEY__V1__AUTH_STATE__MISS, false);
}

/* One that cannot be read either is not asked for ever. */
static void test_a_redis_that_refuses_all_is_told(void **state)
{
	struct fixture *f = *state;
	const uint32_t id = send_lookup(f, NULL, 0, 0);

	scripted_refuse(scripted_take(&f->script), NO_WRITES);
	scripted_refuse(scripted_take(&f->script), NO_WRITES);
	fixture_expect(f, id, LATCHKEY__V1__CODE__UNAVAILABLE);
}

/* With the lease that a Lookup gives. */
static uint32_t send_fill(struct fixture *f)
{
	Latchkey__V1__FillAuthRequest m = LATCHKEY__V1__FILL_AUTH_REQUEST__INIT;
	const uint32_t asked = send_lookup(f, NULL, 0, 0);
	Latchkey__V1__LookupAuthResponse *found;
	Latchkey__V1__ReplyFrame *reply;
	uint32_t id;

	answer_miss(scripted_take(&f->script));
	reply = caller_wait(f->caller, asked);
	found = body_of(reply->replies[0], &latchkey__v1__lookup_auth_response__descriptor);
	m.has_subject = m.has_key = m.has_lease = m.has_answer = true;
	m.subject = text("ann");
	m.key = text("k");
	m.lease = found->lease;
	m.answer = text("yes");
	id = caller_send(f->caller, frame_of_one(FILL, &m.base, 0));
	body_free(found);
	reply_free(&reply);
	return id;
}

/* Nobody brings it back after a failover, but it is a change. */
static void test_replicas_are_told_of_a_fill(void **state)
{
	const struct store_result two = {.replicas = 2};
	struct store_reply elements[] = {
	    {.type = STORE_STRING, .string = SPAN_LIT("stored")},
	    {.type = STORE_INTEGER, .integer = 1000},
	};
	const struct store_reply *const all[] = {&elements[0], &elements[1]};
	const struct store_reply stored = {.type = STORE_ARRAY, .count = 2, .elements = all};
	struct fixture *f = *state;
	Latchkey__V1__ReplyFrame *reply;
	uint32_t id;

	f->realm.wait_replicas = 1;
	id = send_fill(f);
	scripted_result(scripted_take(&f->script), &two, &stored);
	reply = caller_wait(f->caller, id);
	assert_int_equal(reply->replies[0]->code, LATCHKEY__V1__CODE__OK);
	assert_true(reply->replies[0]->has_replicas);
	assert_int_equal(reply->replies[0]->replicas, 2);
	reply_free(&reply);
}

/* Kept for a failover before it is acknowledged. */
static void test_a_forget_is_kept(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__ForgetAuthRequest m = LATCHKEY__V1__FORGET_AUTH_REQUEST__INIT;
	uint32_t id;

	m.has_group = true;
	m.group = text("g");
	id = caller_send(f->caller, frame_of_one(FORGET, &m.base, 0));
	scripted_string(scripted_take(&f->script), SPAN_LIT("there"));
	fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
	assert_int_equal(f->script.kept[STORE_SCRIPT_AUTH_FORGET], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_last_reply_decides),
	    TEST(test_one_failed_reply_fails_the_call),
	    TEST(test_odd_replies_are_internal),
	    TEST(test_who_waits_asks_again),
	    TEST(test_who_waits_in_vain_is_told),
	    TEST(test_news_ends_a_pause),
	    TEST(test_a_drain_ends_a_pause),
	    TEST(test_all_may_end_in_a_pause),
	    TEST(test_a_forget_is_kept),
	    TEST(test_replicas_are_told_of_a_fill),
	    TEST(test_a_redis_without_writes_is_read),
	    TEST(test_a_redis_that_refuses_all_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
