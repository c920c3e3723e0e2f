#include "bench/baseline.h"

#include <stdlib.h>
#include <string.h>

/* What one measurement may take at most, whatever the settings. */
#define RUN_MS 600000
/* redis-benchmark counts requests, not seconds: so many, at most, tell how many fill the time. */
#define TRIAL_REQUESTS 20000

/* The second of the row of values, which follows that of the titles: "test","rps",... */
static double rate_in(const char *csv)
{
	const char *row = strchr(csv, '\n');
	const char *end = row != NULL ? strstr(row, "\",\"") : NULL;

	if (end == NULL)
		bench_die("redis-benchmark prints a table that is not known here", NULL);
	return strtod(end + 3, NULL);
}

static double run(const struct baseline *baseline, unsigned long requests)
{
	char count[24];
	char port[8];
	const char *argv[24] = {"redis-benchmark",  "-p", port,	 "-c", baseline->clients,  "-P",
				baseline->pipeline, "-n", count, "-r", baseline->keyspace, "--csv"};
	struct run_result result;
	double rate;
	size_t argc = 12;

	for (size_t i = 0; i < BASELINE_WORDS_MAX && baseline->command[i] != NULL; i++)
		argv[argc++] = baseline->command[i];
	(void)snprintf(port, sizeof(port), "%u", baseline->port);
	(void)snprintf(count, sizeof(count), "%lu", requests);
	run_capture(argv, NULL, NULL, RUN_MS, &result);
	if (result.status != 0)
		bench_die("redis-benchmark failed", NULL);
	rate = rate_in(result.out);
	run_result_free(&result);
	return rate;
}

double baseline_run(const struct bench *b, const struct baseline *baseline)
{
	const double seconds = b->settings.seconds;
	const unsigned long trial = seconds >= 1 ? TRIAL_REQUESTS : (unsigned long)(TRIAL_REQUESTS * seconds) + 500;
	const double guess = run(baseline, trial);

	return run(baseline, (unsigned long)(guess * seconds) + 500);
}

void baseline_fill(const struct redis_server *redis, size_t value_bytes)
{
	redisContext *c = redis_server_connect(redis);
	char *value = malloc(value_bytes);

	if (value == NULL)
		bench_die("out of memory", NULL);
	memset(value, 'x', value_bytes);
	for (unsigned i = 0; i < BASELINE_KEYS; i++)
		(void)redisAppendCommand(c, "SET " BASELINE_KEY_OF_N " %b", i, value, value_bytes);
	for (unsigned i = 0; i < BASELINE_KEYS; i++) {
		redisReply *reply;

		if (redisGetReply(c, (void **)&reply) != REDIS_OK)
			bench_die("Redis does not answer", NULL);
		freeReplyObject(reply);
	}
	free(value);
	redisFree(c);
}
