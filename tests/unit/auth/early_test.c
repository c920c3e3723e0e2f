/* Early refresh comes as often as the formula says, and to one caller at a time. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/early.h"
#include "support/cache.h"

/* So long that the milliseconds between two commands do not matter. */
#define LOAD_MS 100000
#define TRIALS	2000
/* Standard deviations: by chance once in 500 million. */
#define SIGMAS 6

/* SplitMix64, by S. Vigna: the same in every run. */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* -ln of what is uniform is exponential: mean 1, variance 1. */
static void the_factor_is_exponential(void **state)
{
	const int count = 200000;
	uint64_t seed = 1;
	double sum = 0;
	double squares = 0;

	(void)state;
	for (int i = 0; i < count; i++) {
		const double x = (double)early_factor(100, next_random(&seed)) / 1e6;

		sum += x;
		squares += x * x;
	}
	assert_true(fabs(sum / count - 1) < SIGMAS / sqrt(count));
	/* The square of an exponential has mean 2 and variance 20. */
	assert_true(fabs(squares / count - 2) < SIGMAS * sqrt(20.0 / count));
	assert_int_equal(early_factor(0, 0), 0);
	assert_int_equal(early_factor(100, UINT64_MAX), 0);
	assert_in_range(early_factor(100, 0), 36000000, 37000000);
	/* But for what is rounded off. */
	assert_in_range(early_factor(300, 12345), 3 * early_factor(100, 12345), 3 * early_factor(100, 12345) + 2);
}

/* The answer is fresh for gap_ms from now, and nobody has a lease. */
static void set_gap(struct stage *s, const char *name, uint64_t gap_ms)
{
	static const char script[] = "local v, t = redis.call('GET', KEYS[1]), redis.call('TIME')\n"
				     "local fresh = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[1]\n"
				     "redis.call('SET', KEYS[1], v:sub(1, 2) .. ('\\0'):rep(24) .. "
				     "struct.pack('>I8I8', fresh, fresh + 30000) .. "
				     "v:sub(43), 'KEEPTTL')";

	freeReplyObject(real_redis_ask(&s->redis, "EVAL %s 1 %s %llu", script, name, (unsigned long long)gap_ms));
}

static void fill_slowly(struct stage *s, const char *key)
{
	const struct looked l = look_up(s, key);
	const struct auth_fill_request req = {.subject = SPAN_LIT("ann"),
					      .key = span_str(key),
					      .lease = lease_of(&l),
					      .answer = SPAN_LIT("yes"),
					      .has_load = true,
					      .load_ms = LOAD_MS};

	assert_true(fill_as(s, &req, NULL));
}

static int count_early(struct stage *s, double gap, int trials)
{
	char name[64];
	int early = 0;

	fill_slowly(s, "k");
	answer_key(s, "k", name);
	for (int i = 0; i < trials; i++) {
		struct looked l;

		set_gap(s, name, (uint64_t)(gap * LOAD_MS));
		l = look_up(s, "k");
		assert_int_equal(l.state, l.is_early ? AUTH_STALE : AUTH_HIT);
		assert_int_equal(l.lease_len > 0, l.is_early);
		assert_string_equal(l.answer, "yes");
		early += l.is_early;
		if (i % 100 == 99)
			world_fresh(&s->world);
	}
	return early;
}

/* P(early) = P(-D * beta * ln u >= gap) = e^(-gap / (D * beta)). */
static void expect_rate(struct stage *s, double gap, uint32_t beta_percent)
{
	const double p = exp(-gap * 100 / beta_percent);
	const double sigma = sqrt(TRIALS * p * (1 - p));
	int early;

	s->world.realm_list[0].auth.early_percent = beta_percent;
	early = count_early(s, gap, TRIALS);
	print_message("gap %.1f D, beta %.1f: %d early of %d, expected %.0f +- %.0f\n", gap, beta_percent / 100.0,
		      early, TRIALS, TRIALS * p, sigma);
	assert_true(fabs(early - TRIALS * p) < SIGMAS * sigma + 1);
}

static void the_rate_is_the_formulas(void **state)
{
	static const struct {
		double gap;
		uint32_t beta_percent;
	} cases[] = {{0.2, 100}, {0.5, 100}, {1, 100}, {2, 100}, {3, 100}, {1, 50}, {1, 300}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)cache_reset(state);
		expect_rate(*state, cases[i].gap, cases[i].beta_percent);
	}
}

static void none_without_it(void **state)
{
	struct stage *s = *state;

	s->world.realm_list[0].auth.early_percent = 0;
	assert_int_equal(count_early(s, 0.001, 300), 0);
}

/* All would, and one does. */
static void there_is_no_herd(void **state)
{
	struct stage *s = *state;
	char name[64];
	int early = 0;

	s->world.realm_list[0].auth.early_percent = 1000;
	s->world.realm_list[0].auth.lease_ms = AUTH_LEASE_MS_MAX;
	fill_slowly(s, "k");
	answer_key(s, "k", name);
	set_gap(s, name, LOAD_MS / 10);
	for (int i = 0; i < 1000; i++) {
		const struct looked l = look_up(s, "k");

		assert_int_equal(l.state, l.is_early ? AUTH_STALE : AUTH_HIT);
		early += l.is_early;
		if (i % 100 == 99)
			world_fresh(&s->world);
	}
	assert_int_equal(early, 1);
}

/* There would be nothing to serve meanwhile. */
static void a_negative_answer_is_not_refreshed_early(void **state)
{
	struct stage *s = *state;
	const struct looked l = look_up(s, "k");
	const struct auth_fill_request req = {.subject = SPAN_LIT("ann"),
					      .key = SPAN_LIT("k"),
					      .lease = lease_of(&l),
					      .is_negative = true,
					      .has_load = true,
					      .load_ms = LOAD_MS};

	s->world.realm_list[0].auth.early_percent = 1000;
	assert_true(fill_as(s, &req, NULL));
	for (int i = 0; i < 300; i++)
		assert_int_equal(look_up(s, "k").state, AUTH_NEGATIVE);
}

#define TEST(name) cmocka_unit_test_setup(name, cache_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_factor_is_exponential),
	    TEST(the_rate_is_the_formulas),
	    TEST(none_without_it),
	    TEST(there_is_no_herd),
	    TEST(a_negative_answer_is_not_refreshed_early),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
