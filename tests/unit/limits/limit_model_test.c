/* The scripts of the limits, with the time told by the test in place of the server's, against models in C that count
 * exactly: 100,000 random sequences of arrivals for each algorithm, and every answer of every arrival the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "limits/limits.h"
#include "real_redis.h"

#define SEQUENCES    100000
#define ARRIVALS_MAX 16
#define BATCH	     250
/* Costs, times and the rate in front of them. */
#define ARGS_MAX (3 + 3 + 1 + 2 * ARRIVALS_MAX)
#define US_2026	 1770000000000000ULL

typedef unsigned __int128 wide;

struct rate {
	uint64_t limit;
	uint64_t period; /* us */
	uint64_t burst;
};

struct arrival {
	uint64_t at;
	uint64_t cost;
};

struct decision {
	uint64_t allowed;
	uint64_t remaining;
	uint64_t retry_ms;
	uint64_t reset_ms;
};

struct sequence {
	struct rate rate;
	size_t count;
	struct arrival arrivals[ARRIVALS_MAX];
};

static uint64_t ceil_ms(wide numerator, uint64_t denominator)
{
	const wide us = (numerator + denominator - 1) / denominator;

	return (uint64_t)((us + 999) / 1000);
}

static uint64_t wanted(const struct arrival *a)
{
	return a->cost == 0 ? 1 : a->cost;
}

/* The virtual scheduling algorithm of I.371; its theoretical arrival time in parts of a microsecond, `limit` to one. */
static void model_gcra(const struct sequence *s, struct decision *out)
{
	const wide tolerance = (wide)s->rate.burst * s->rate.period;
	wide tat = 0;

	for (size_t i = 0; i < s->count; i++) {
		const wide now = (wide)s->arrivals[i].at * s->rate.limit;
		const wide price = (wide)wanted(&s->arrivals[i]) * s->rate.period;
		const wide from = tat > now ? tat : now;
		const bool fits = from + price <= now + tolerance;

		out[i] = (struct decision){.allowed = fits};
		if (fits && s->arrivals[i].cost > 0)
			tat = from + price;
		out[i].remaining =
		    (uint64_t)((now + tolerance - (fits && s->arrivals[i].cost > 0 ? tat : from)) / s->rate.period);
		if (!fits)
			out[i].retry_ms = ceil_ms(from + price - now - tolerance, s->rate.limit);
		out[i].reset_ms = tat > now ? ceil_ms(tat - now, s->rate.limit) : 0;
	}
}

/* Tokens in parts, `period` to one. */
static void model_bucket(const struct sequence *s, struct decision *out)
{
	const wide full = (wide)s->rate.burst * s->rate.period;
	wide level = full;
	uint64_t last = s->arrivals[0].at;

	for (size_t i = 0; i < s->count; i++) {
		const struct arrival *a = &s->arrivals[i];
		const wide price = (wide)wanted(a) * s->rate.period;

		level += (wide)(a->at - last) * s->rate.limit;
		level = level > full ? full : level;
		last = a->at;
		out[i] = (struct decision){.allowed = level >= price};
		if (!out[i].allowed)
			out[i].retry_ms = ceil_ms(price - level, s->rate.limit);
		else if (a->cost > 0)
			level -= price;
		out[i].remaining = (uint64_t)(level / s->rate.period);
		out[i].reset_ms = ceil_ms(full - level, s->rate.limit);
	}
}

static void model_fixed(const struct sequence *s, struct decision *out)
{
	const struct rate *r = &s->rate;
	uint64_t start = 0;
	uint64_t taken = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct arrival *a = &s->arrivals[i];

		if (taken > 0 && start + r->period <= a->at)
			taken = 0;
		out[i] = (struct decision){.allowed = taken + wanted(a) <= r->limit};
		if (out[i].allowed && a->cost > 0) {
			start = taken == 0 ? a->at : start;
			taken += a->cost;
		}
		out[i].remaining = r->limit - taken;
		out[i].reset_ms = taken == 0 ? 0 : ceil_ms(start + r->period - a->at, 1);
		out[i].retry_ms = out[i].allowed ? 0 : out[i].reset_ms;
	}
}

/* Of what was granted before arrival i, the sum that is in force a while after it. */
static uint64_t in_force(const struct sequence *s, const bool *granted, size_t i, uint64_t at)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < i; k++)
		if (granted[k] && s->arrivals[k].at + s->rate.period > at)
			sum += s->arrivals[k].cost;
	return sum;
}

/* When enough will be over: at the end of one of the grants. */
static uint64_t sliding_retry(const struct sequence *s, const bool *granted, size_t i)
{
	const struct arrival *a = &s->arrivals[i];

	for (size_t k = 0; k < i; k++) {
		const uint64_t end = s->arrivals[k].at + s->rate.period;

		if (granted[k] && end > a->at && in_force(s, granted, i, end) + wanted(a) <= s->rate.limit)
			return end - a->at;
	}
	fail_msg("what fits into the limit never comes");
	return 0;
}

static void model_sliding(const struct sequence *s, struct decision *out)
{
	bool granted[ARRIVALS_MAX] = {false};
	uint64_t last = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct arrival *a = &s->arrivals[i];
		const uint64_t used = in_force(s, granted, i, a->at);

		out[i] = (struct decision){.allowed = used + wanted(a) <= s->rate.limit};
		granted[i] = out[i].allowed && a->cost > 0;
		if (granted[i])
			last = a->at;
		if (!out[i].allowed)
			out[i].retry_ms = ceil_ms(sliding_retry(s, granted, i), 1);
		out[i].remaining = s->rate.limit - used - (granted[i] ? a->cost : 0);
		out[i].reset_ms =
		    last + s->rate.period > a->at && last > 0 ? ceil_ms(last + s->rate.period - a->at, 1) : 0;
	}
}

/* ---- Random sequences ---- */

static uint64_t random_state;

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t random_below(uint64_t n)
{
	return random_number() % n;
}

/* 1 to max, as often between 1 and 10 as between 100,000 and a million. */
static uint64_t random_scale(uint64_t max)
{
	uint64_t top = 1;

	while (top < max && random_below(8) != 0)
		top *= 4;
	top = top > max ? max : top;
	return 1 + random_below(top);
}

static void make_sequence(struct sequence *s, uint64_t limit_max, bool has_burst)
{
	uint64_t at = US_2026 + random_below(1ULL << 50);
	uint64_t most;
	uint64_t gap;

	do {
		s->rate.limit = random_scale(limit_max);
		s->rate.period = random_scale(LIMIT_PER_MS_MAX) * 1000;
		s->rate.burst = has_burst && random_below(2) == 0 ? random_scale(LIMIT_MAX) : s->rate.limit;
	} while ((wide)s->rate.burst * s->rate.period / s->rate.limit > (wide)LIMIT_PER_MS_MAX * 1000);
	most = s->rate.burst;
	most = random_below(2) == 0 ? most : 1 + most / (1 + random_below(8));
	most = most > s->rate.burst ? s->rate.burst : most;
	gap = 1 + (uint64_t)((wide)s->rate.burst * s->rate.period / s->rate.limit / (1 + random_below(16)));
	s->count = 1 + random_below(ARRIVALS_MAX);
	for (size_t i = 0; i < s->count; i++) {
		at += random_below(8) == 0 ? s->rate.period : random_below(gap);
		s->arrivals[i] = (struct arrival){at, random_below(10) == 0 ? 0 : 1 + random_below(most)};
	}
}

/* ---- The script under the test's time ---- */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (f == NULL)
		fail_msg("cannot open %s", path);
	assert_true(getdelim(&text, &size, EOF, f) > 0);
	fclose(f);
	return text;
}

/* The text of a script's includes replaced; frees text. */
static char *include(char *text, const char *name, const char *with)
{
	char line[64];
	char *out = NULL;
	char *at;

	(void)snprintf(line, sizeof(line), "\n-- include %s\n", name);
	at = strstr(text, line);
	assert_non_null(at);
	assert_true(asprintf(&out, "%.*s\n%s\n%s", (int)(at - text), text, with, at + strlen(line)) > 0);
	free(text);
	return out;
}

/* The script as a function, called for each arrival of a sequence. It sets no expiry, which would be by another time: a
 * machine that stops for a moment between two arrivals would make the test fail. */
static void load(struct real_redis *r, const char *name, char sha1[static 41])
{
	char path[256];
	char *answer;
	char *body;
	char *whole = NULL;
	redisReply *reply;

	(void)snprintf(path, sizeof(path), "%s/include/limit_answer.lua", SCRIPTS_DIR);
	answer = read_file(path);
	(void)snprintf(path, sizeof(path), "%s/%s.lua", SCRIPTS_DIR, name);
	body = read_file(path);
	body = include(body, "redis_time", "local now = tonumber(ARGV[#ARGV])");
	body = include(body, "limit_answer", answer);
	assert_true(asprintf(&whole,
			     "local server = redis\n"
			     "local function call(name, ...)\n"
			     "  return name == 'PEXPIRE' and 1 or server.call(name, ...)\n"
			     "end\n"
			     "local function check(KEYS, ARGV)\nlocal redis = {call = call}\n%s\nend\n"
			     "local out = {}\n"
			     "for i = 4, #ARGV, 2 do\n"
			     "  local d = check({KEYS[1]}, {ARGV[1], ARGV[2], ARGV[3], ARGV[i + 1], '', ARGV[i]})\n"
			     "  for k = 2, 5 do out[#out + 1] = d[k] end\n"
			     "end\n"
			     "redis.call('DEL', KEYS[1])\n"
			     "return out\n",
			     strchr(body, '\n')) > 0);
	reply = real_redis_ask(r, "SCRIPT LOAD %s", whole);
	assert_int_equal(reply->type, REDIS_REPLY_STRING);
	memcpy(sha1, reply->str, 41);
	freeReplyObject(reply);
	free(whole);
	free(body);
	free(answer);
}

static void append(struct real_redis *r, const char *sha1, const struct sequence *s)
{
	char texts[ARGS_MAX][24];
	const char *argv[ARGS_MAX];
	size_t argc = 0;

	argv[argc++] = "EVALSHA";
	argv[argc++] = sha1;
	argv[argc++] = "1";
	argv[argc++] = "limit";
#define NUMBER(n)                                                                                                      \
	do {                                                                                                           \
		(void)snprintf(texts[argc], sizeof(texts[argc]), "%llu", (unsigned long long)(n));                     \
		argv[argc] = texts[argc];                                                                              \
		argc++;                                                                                                \
	} while (0)
	NUMBER(s->rate.limit);
	NUMBER(s->rate.period);
	NUMBER(s->rate.burst);
	for (size_t i = 0; i < s->count; i++) {
		NUMBER(s->arrivals[i].at);
		NUMBER(s->arrivals[i].cost);
	}
#undef NUMBER
	assert_int_equal(redisAppendCommandArgv(r->connection, (int)argc, argv, NULL), REDIS_OK);
}

static void compare(const struct sequence *s, const struct decision *model, const redisReply *reply)
{
	assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
	assert_int_equal(reply->elements, 4 * s->count);
	for (size_t i = 0; i < s->count; i++) {
		redisReply **e = reply->element + 4 * i;
		const struct decision d = {(uint64_t)e[0]->integer, (uint64_t)e[1]->integer, (uint64_t)e[2]->integer,
					   (uint64_t)e[3]->integer};

		if (memcmp(&d, &model[i], sizeof(d)) != 0)
			fail_msg("limit %llu each %llu us, burst %llu, arrival %zu of cost %llu: allowed %llu, "
				 "remaining %llu, retry %llu, reset %llu; the model: %llu, %llu, %llu, %llu",
				 (unsigned long long)s->rate.limit, (unsigned long long)s->rate.period,
				 (unsigned long long)s->rate.burst, i, (unsigned long long)s->arrivals[i].cost,
				 (unsigned long long)d.allowed, (unsigned long long)d.remaining,
				 (unsigned long long)d.retry_ms, (unsigned long long)d.reset_ms,
				 (unsigned long long)model[i].allowed, (unsigned long long)model[i].remaining,
				 (unsigned long long)model[i].retry_ms, (unsigned long long)model[i].reset_ms);
	}
}

struct count {
	size_t arrivals;
	size_t refused;
};

static void run_batch(struct real_redis *r, const char *sha1, const struct sequence *batch,
		      void (*model)(const struct sequence *s, struct decision *out), struct count *count)
{
	for (size_t i = 0; i < BATCH; i++)
		append(r, sha1, &batch[i]);
	for (size_t i = 0; i < BATCH; i++) {
		struct decision decisions[ARRIVALS_MAX];
		redisReply *reply = NULL;

		assert_int_equal(redisGetReply(r->connection, (void **)&reply), REDIS_OK);
		if (reply->type == REDIS_REPLY_ERROR)
			fail_msg("%s", reply->str);
		model(&batch[i], decisions);
		compare(&batch[i], decisions, reply);
		freeReplyObject(reply);
		count->arrivals += batch[i].count;
		for (size_t k = 0; k < batch[i].count; k++)
			count->refused += decisions[k].allowed ? 0 : 1;
	}
}

static void hold_against(struct real_redis *r, const char *script, uint64_t limit_max, bool has_burst,
			 void (*model)(const struct sequence *s, struct decision *out))
{
	struct sequence *batch = calloc(BATCH, sizeof(*batch));
	struct count count = {0};
	char sha1[41];

	assert_non_null(batch);
	random_state = 88172645463325252ULL;
	load(r, script, sha1);
	for (size_t done = 0; done < SEQUENCES; done += BATCH) {
		for (size_t i = 0; i < BATCH; i++)
			make_sequence(&batch[i], limit_max, has_burst);
		run_batch(r, sha1, batch, model, &count);
	}
	print_message("%s: %d sequences, %zu arrivals, %zu refused: all as the model\n", script, SEQUENCES,
		      count.arrivals, count.refused);
	/* Or it would prove little. */
	assert_true(count.refused > count.arrivals / 10 && count.refused < count.arrivals * 9 / 10);
	free(batch);
}

static void test_gcra(void **state)
{
	hold_against(*state, "limit_gcra", LIMIT_MAX, true, model_gcra);
}

static void test_token_bucket(void **state)
{
	hold_against(*state, "limit_gcra", LIMIT_MAX, true, model_bucket);
}

static void test_fixed_window(void **state)
{
	hold_against(*state, "limit_fixed", LIMIT_MAX, false, model_fixed);
}

static void test_sliding_window(void **state)
{
	hold_against(*state, "limit_sliding", LIMIT_SLIDING_MAX, false, model_sliding);
}

/* ---- A clock that goes back: by the failover to a server whose clock is behind ---- */

static void ask(struct real_redis *r, const char *sha1, const struct sequence *s, struct decision *ret_last)
{
	redisReply *reply = NULL;
	redisReply **e;

	append(r, sha1, s);
	assert_int_equal(redisGetReply(r->connection, (void **)&reply), REDIS_OK);
	assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
	e = reply->element + 4 * (s->count - 1);
	*ret_last = (struct decision){(uint64_t)e[0]->integer, (uint64_t)e[1]->integer, (uint64_t)e[2]->integer,
				      (uint64_t)e[3]->integer};
	freeReplyObject(reply);
}

/* Nobody is refused for longer than a period, or two where entries are kept, however far back the clock went. */
static void test_clock_goes_back(void **state)
{
	static const char *const scripts[] = {"limit_gcra", "limit_fixed", "limit_sliding"};
	static const uint64_t steps[] = {1, 400000, 999999, 1000001, 3600000000ULL};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		char sha1[41];

		load(*state, scripts[i], sha1);
		for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
			const uint64_t back = US_2026 - steps[k];
			const struct sequence s = {
			    .rate = {10, 1000000, 10},
			    .count = 4,
			    .arrivals = {{US_2026, 10}, {US_2026, 1}, {back, 1}, {back + 2000000, 10}}};
			struct decision d;

			ask(*state, sha1, &s, &d);
			assert_int_equal(d.allowed, 1);
			assert_int_equal(d.remaining, 0);
		}
	}
}

static int start(void **state)
{
	struct real_redis *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	real_redis_start(r);
	*state = r;
	return 0;
}

static int stop(void **state)
{
	real_redis_stop(*state);
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_gcra),
	    cmocka_unit_test(test_token_bucket),
	    cmocka_unit_test(test_fixed_window),
	    cmocka_unit_test(test_sliding_window),
	    cmocka_unit_test(test_clock_goes_back),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
