/* Callers are asked to move on: by a server that drains, and when their connection is old. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "support/check.h"
#include "support/fixture.h"

#define AGE_MS	 200
#define GRACE_MS (AGE_MS / 10)

struct answer {
	Latchkey__V1__Code code;
	bool is_whole; /* the frame was not refused as a whole */
	bool sends_away;
};

static struct answer ask_health(struct fixture *f)
{
	Latchkey__V1__ReplyFrame *frame = caller_ask(f->caller, frame_of_one(HEALTH, NULL, 0));
	const struct answer a = {.code = frame->n_replies == 0 ? frame->code : frame->replies[0]->code,
				 .is_whole = frame->n_replies > 0,
				 .sends_away = frame->going_away};

	reply_free(&frame);
	return a;
}

static void sleep_ms(unsigned ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};

	(void)nanosleep(&pause, NULL);
}

static struct fixture *start_aging(void)
{
	struct rpc_options options = fixture_options();

	options.connection_age_max_ms = AGE_MS;
	return fixture_start(&options);
}

static void wait_until_old(struct fixture *f)
{
	struct answer a;

	for (int tries = 0; !(a = ask_health(f)).sends_away; tries++) {
		assert_int_equal(a.code, LATCHKEY__V1__CODE__OK);
		assert_true(tries < CHECK_PATIENCE_S * 1000);
		sleep_ms(1);
	}
	assert_true(a.is_whole);
	assert_int_equal(a.code, LATCHKEY__V1__CODE__OK);
}

static void test_draining(void **state)
{
	const struct rpc_options options = fixture_options();
	struct fixture *f = fixture_start(&options);
	struct answer a = ask_health(f);

	(void)state;
	assert_false(a.sends_away);
	rpc_server_set_draining(f->server);
	a = ask_health(f);
	assert_true(a.sends_away && a.is_whole);
	assert_int_equal(a.code, LATCHKEY__V1__CODE__OK);
	fixture_stop(&f);
}

static void test_old_and_quiet_is_closed(void **state)
{
	struct fixture *f = start_aging();

	(void)state;
	wait_until_old(f);
	sleep_ms(GRACE_MS + 1);
	assert_true(ask_health(f).sends_away);
	(void)caller_wait_closed(f->caller);
	fixture_stop(&f);
}

/* Whoever always waits for something is refused in the end, and still gets what he waits for. */
static void test_old_and_busy_is_refused(void **state)
{
	struct fixture *f = start_aging();
	const uint32_t id = fixture_list(f, CHECK_PATIENCE_S * 1000);
	struct store_op *op = scripted_take(&f->script);
	struct answer a;

	(void)state;
	wait_until_old(f);
	for (int tries = 0; (a = ask_health(f)).is_whole; tries++) {
		assert_true(a.sends_away);
		assert_true(tries < CHECK_PATIENCE_S * 1000);
		sleep_ms(1);
	}
	assert_int_equal(a.code, LATCHKEY__V1__CODE__UNAVAILABLE);
	assert_true(a.sends_away);
	scripted_strings(op, (const span[]){SPAN_EMPTY, SPAN_EMPTY}, 2);
	fixture_expect(f, id, LATCHKEY__V1__CODE__OK);
	(void)caller_wait_closed(f->caller);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_draining),
	    cmocka_unit_test(test_old_and_quiet_is_closed),
	    cmocka_unit_test(test_old_and_busy_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
