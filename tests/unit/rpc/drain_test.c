/* The end: of a connection with calls in flight, and of the server. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/check.h"
#include "support/fixture.h"

struct drain {
	pthread_t thread;
	struct fixture *fixture;
	uint32_t timeout_ms;
	bool was_clean;
};

static void *drain_now(void *arg)
{
	struct drain *d = arg;

	d->was_clean = rpc_server_drain(d->fixture->server, d->timeout_ms);
	return NULL;
}

static void drain_start(struct drain *d, struct fixture *f, uint32_t timeout_ms)
{
	*d = (struct drain){.fixture = f, .timeout_ms = timeout_ms};
	check(pthread_create(&d->thread, NULL, drain_now, d) == 0);
}

static bool drain_end(struct drain *d)
{
	check(pthread_join(d->thread, NULL) == 0);
	return d->was_clean;
}

static Latchkey__V1__Code code_of_reply(struct fixture *f, uint32_t id)
{
	Latchkey__V1__ReplyFrame *frame = caller_wait(f->caller, id);
	const Latchkey__V1__Code code = frame->n_replies == 0 ? frame->code : frame->replies[0]->code;

	reply_free(&frame);
	return code;
}

static void empty_list(struct store_op *op)
{
	scripted_strings(op, (const span[]){SPAN_EMPTY, SPAN_EMPTY}, 2);
}

/* Asks until frames are refused: the drain has begun. */
static void wait_until_stopping(struct fixture *f)
{
	Latchkey__V1__Code code = LATCHKEY__V1__CODE__OK;

	for (int tries = 0; code != LATCHKEY__V1__CODE__UNAVAILABLE; tries++) {
		Latchkey__V1__ReplyFrame *frame = caller_ask(f->caller, frame_of_one(HEALTH, NULL, 0));

		code = frame->code;
		reply_free(&frame);
		check(tries < 1000000);
	}
}

static void test_idle(void **state)
{
	const struct rpc_options options = fixture_options();
	struct fixture *f = fixture_start(&options);

	(void)state;
	assert_true(rpc_server_drain(f->server, 0));
	(void)caller_wait_closed(f->caller);
	assert_false(caller_try(f->url));
	fixture_stop(&f);
}

static void test_in_flight_is_answered(void **state)
{
	const struct rpc_options options = fixture_options();
	struct fixture *f = fixture_start(&options);
	const uint32_t id = fixture_list(f, 0);
	struct store_op *op = scripted_take(&f->script);
	struct drain d;

	(void)state;
	drain_start(&d, f, CHECK_PATIENCE_S * 1000);
	wait_until_stopping(f);
	empty_list(op);
	assert_true(drain_end(&d));
	assert_int_equal(code_of_reply(f, id), LATCHKEY__V1__CODE__OK);
	(void)caller_wait_closed(f->caller);
	fixture_stop(&f);
}

/* What is not done in time is told so, and the store may answer when all is over. */
static void test_cut_off(void **state)
{
	const struct rpc_options options = fixture_options();
	struct fixture *f = fixture_start(&options);
	const uint32_t id = fixture_list(f, 0);
	struct store_op *op = scripted_take(&f->script);

	(void)state;
	assert_false(rpc_server_drain(f->server, 20));
	assert_int_equal(code_of_reply(f, id), LATCHKEY__V1__CODE__UNAVAILABLE);
	rpc_server_free(&f->server);
	scripted_outcome(op, STORE_LOST);
	fixture_stop(&f);
}

static void test_free_without_drain(void **state)
{
	const struct rpc_options options = fixture_options();
	struct fixture *f = fixture_start(&options);
	struct store_op *op;

	(void)state;
	(void)fixture_list(f, 0);
	op = scripted_take(&f->script);
	rpc_server_free(&f->server);
	empty_list(op);
	fixture_stop(&f);
}

/* The server answers with nobody there, and keeps the caller's place until it has. */
static void test_caller_hangs_up(void **state)
{
	struct rpc_options options = fixture_options();
	struct store_op *op;
	struct fixture *f;

	(void)state;
	options.connections_max = 1;
	f = fixture_start(&options);
	(void)fixture_list(f, 0);
	op = scripted_take(&f->script);
	caller_close(&f->caller);
	for (int i = 0; i < 20; i++)
		assert_false(caller_try(f->url));
	empty_list(op);
	for (int tries = 0; !caller_try(f->url); tries++)
		assert_true(tries < 100000);
	fixture_stop(&f);
}

/* The sweep ends its calls too, though nobody is told. */
static void test_caller_hangs_up_and_time_passes(void **state)
{
	struct rpc_options options = fixture_options();
	struct store_op *op;
	struct fixture *f;

	(void)state;
	options.connections_max = 1;
	f = fixture_start(&options);
	(void)fixture_list(f, 200);
	op = scripted_take(&f->script);
	caller_close(&f->caller);
	for (int tries = 0; !caller_try(f->url); tries++)
		assert_true(tries < 1000000);
	scripted_outcome(op, STORE_LOST);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_in_flight_is_answered),
	    cmocka_unit_test(test_cut_off),
	    cmocka_unit_test(test_free_without_drain),
	    cmocka_unit_test(test_caller_hangs_up),
	    cmocka_unit_test(test_caller_hangs_up_and_time_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
