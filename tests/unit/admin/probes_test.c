/* When the service counts as alive and as ready. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/probes.h"
#include "stand_in.h"

static bool is_alive(struct pulse *p, uint64_t rpc, uint64_t redis, uint64_t now_ms, const char *says)
{
	const uint64_t ticks[PULSES] = {rpc, redis};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	const bool alive = pulse_check(p, ticks, now_ms, out);

	fclose(out);
	assert_non_null(strstr(text, says));
	free(text);
	return alive;
}

static void test_a_clock_that_stands(void **state)
{
	struct pulse p = {0};

	(void)state;
	assert_true(is_alive(&p, 0, 0, 1000, "ok"));
	assert_true(is_alive(&p, 10, 10, 2000, "ok"));
	/* A second look at once says nothing of whether they go on. */
	assert_true(is_alive(&p, 10, 10, 2001, "ok"));
	assert_true(is_alive(&p, 10, 11, 6999, "ok"));
	assert_false(is_alive(&p, 10, 12, 7000, "the clock of rpc has stood still for 5000 ms"));
	assert_false(is_alive(&p, 10, 12, 12000, "the clock of redis has stood still for 5000 ms"));
	assert_true(is_alive(&p, 11, 13, 13000, "ok"));
}

/* Whoever asks seldom must not be told that the clocks stand, though much time has passed between two looks. */
static void test_seldom_asked(void **state)
{
	struct pulse p = {0};

	(void)state;
	assert_true(is_alive(&p, 1, 1, 1000, "ok"));
	assert_true(is_alive(&p, 2, 2, 10000000, "ok"));
	assert_true(is_alive(&p, 3, 3, 20000000, "ok"));
}

static void assert_verdict(const struct admin_view *v, bool is_ready, bool is_degraded, const char *reason)
{
	const struct readiness r = readiness_of(v);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	readiness_write(v, out);
	fclose(out);
	assert_int_equal(r.is_ready, is_ready);
	assert_int_equal(r.is_degraded, is_degraded);
	assert_non_null(strstr(text, is_ready ? "{\"ready\":true," : "{\"ready\":false,"));
	assert_non_null(strstr(text, is_degraded ? "\"degraded\":true}\n" : "\"degraded\":false}\n"));
	assert_non_null(strstr(text, reason));
	free(text);
}

static void test_readiness(void **state)
{
	struct admin_view v = stand_in_well.view;

	(void)state;
	assert_verdict(&v, true, false, "{\"check\":\"store\",\"result\":\"pass\"}\n");
	v.is_listening = false;
	assert_verdict(&v, false, false, "{\"check\":\"listening\",\"result\":\"fail\",\"text\":");
	v = stand_in_well.view;
	v.is_draining = true;
	assert_verdict(&v, false, false, "{\"check\":\"draining\",\"result\":\"fail\",\"text\":");
	v = stand_in_well.view;
	v.key_count = 0;
	assert_verdict(&v, false, false, "{\"check\":\"keyring\",\"result\":\"fail\",\"text\":");
}

static void test_redis_that_was_never_there(void **state)
{
	struct admin_view v = stand_in_well.view;

	(void)state;
	v.has_been_ready = v.knows_realms = v.store.is_ready = false;
	assert_verdict(&v, false, false, "{\"check\":\"store\",\"result\":\"fail\",\"text\":");
	/* It is there, but has not told of the realms. */
	v.store.is_ready = true;
	assert_verdict(&v, false, false, "{\"check\":\"realms\",\"result\":\"fail\",\"text\":");
}

static void test_redis_that_was_lost(void **state)
{
	struct admin_view v = stand_in_well.view;

	(void)state;
	v.store.is_ready = false;
	assert_verdict(&v, true, true, "{\"check\":\"store\",\"result\":\"degraded\",\"text\":");
	v.knows_realms = false;
	assert_verdict(&v, true, true, "{\"check\":\"realms\",\"result\":\"degraded\",\"text\":");
	/* What is not ready for another reason is not called degraded. */
	v.is_draining = true;
	assert_verdict(&v, false, false, "{\"check\":\"draining\",\"result\":\"fail\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_clock_that_stands), cmocka_unit_test(test_seldom_asked),
	    cmocka_unit_test(test_readiness),		cmocka_unit_test(test_redis_that_was_never_there),
	    cmocka_unit_test(test_redis_that_was_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
