/* Tickers. */

#include "support/wait.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "support/ends.h"
#include "support/peer.h"
#include "wire/ticker.h"

struct counter {
	atomic_int ticks;
	atomic_int running;
	atomic_int overlaps;
	uint32_t nap_ms;
};

static void count(void *owner)
{
	struct counter *c = owner;

	if (atomic_fetch_add(&c->running, 1) != 0)
		atomic_fetch_add(&c->overlaps, 1);
	if (c->nap_ms > 0)
		nap_ms(c->nap_ms);
	atomic_fetch_add(&c->ticks, 1);
	atomic_fetch_sub(&c->running, 1);
}

static void ticks_come_at_the_period_and_not_sooner(void **state)
{
	struct counter c = {0};
	uint64_t began = wire_now_ms();
	wire_ticker *t = wire_ticker_start(10, count, &c);

	(void)state;
	assert_non_null(t);
	assert_becomes(atomic_load(&c.ticks) >= 20, BOUND_MS);
	wire_ticker_stop(&t);
	assert_null(t);
	assert_true(atomic_load(&c.ticks) <= (int)((wire_now_ms() - began) / 10));
}

static void a_slow_tick_is_not_run_twice_at_once(void **state)
{
	struct counter c = {.nap_ms = 15};
	wire_ticker *t = wire_ticker_start(1, count, &c);

	(void)state;
	assert_becomes(atomic_load(&c.ticks) >= 10, BOUND_MS);
	wire_ticker_stop(&t);
	assert_int_equal(c.overlaps, 0);
}

static void nothing_runs_after_stop(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct counter c = {0};
		wire_ticker *t = wire_ticker_start(1, count, &c);
		int after;

		if (i % 2)
			nap_ms(2);
		wire_ticker_stop(&t);
		after = atomic_load(&c.ticks);
		assert_int_equal(c.running, 0);
		nap_ms(3);
		assert_int_equal(c.ticks, after);
	}
}

static void a_long_period_stops_soon(void **state)
{
	struct counter c = {0};
	uint64_t began = wire_now_ms();
	wire_ticker *t = wire_ticker_start(60000, count, &c);
	wire_ticker *none = NULL;

	(void)state;
	wire_ticker_stop(&t);
	assert_true(wire_now_ms() - began < BOUND_MS / 2);
	assert_int_equal(c.ticks, 0);
	wire_ticker_stop(&none);
}

static void send_twice(void *owner)
{
	struct end *e = owner;

	/* Once only: what one recv brings shall be one tick's. */
	if (e->context != NULL)
		return;
	e->context = e;
	end_send(e, "ab", 2);
	end_send(e, "cd", 2);
}

static void a_tick_is_corked(void **state)
{
	struct end e;
	char url[PEER_URL_BYTES];
	int listener = peer_listen(1, url);
	wire_ticker *t;
	char back[8];
	int fd;

	(void)state;
	end_init(&e);
	end_dial(&e, url, &end_limits);
	fd = peer_accept(listener);
	assert_becomes(atomic_load(&e.opened) == 1, BOUND_MS);
	t = wire_ticker_start(1, send_twice, &e);
	assert_int_equal(peer_receive_some(fd, back, sizeof(back)), 4);
	assert_memory_equal(back, "abcd", 4);
	wire_ticker_stop(&t);
	end_finish(&e);
	peer_close(fd);
	peer_close(listener);
	assert_true(wire_drain(BOUND_MS));
}

static void the_clock_is_monotonic_time(void **state)
{
	uint64_t before = now_mono_ms();
	uint64_t now = wire_now_ms();

	(void)state;
	assert_true(now >= before && now <= now_mono_ms());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ticks_come_at_the_period_and_not_sooner),
	    cmocka_unit_test(a_slow_tick_is_not_run_twice_at_once),
	    cmocka_unit_test(nothing_runs_after_stop),
	    cmocka_unit_test(a_long_period_stops_soon),
	    cmocka_unit_test(a_tick_is_corked),
	    cmocka_unit_test(the_clock_is_monotonic_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
