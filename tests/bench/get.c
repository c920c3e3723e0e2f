/* Get beside redis-benchmark on the same Redis. Each round measures ours, then the baseline; medians of the rounds are
 * compared. */

#include <stdlib.h>
#include <string.h>

#include "bench/crowd.h"
#include "bench/load.h"
#include "support/wait.h"

/* A record around ATTRIBUTE_BYTES of attributes: what a GETEX of the baseline fetches. */
#define RECORD_BYTES "420"

struct line {
	const char *name;
	unsigned in_flight;
	const char *clients; /* redis-benchmark's -c and -P */
	const char *pipeline;
};

static const struct line lines[] = {
    {"get, 64 in flight", 64, "64", "1"},
    {"get, 512 in flight", 512, "64", "16"},
    {"get, alone", 1, "1", "1"},
};

static double measure_ours(struct bench *b, const struct crowd *crowd, unsigned in_flight)
{
	struct load *load = calloc(1, sizeof(*load));
	uint64_t start_us, took_us, done;

	if (load == NULL)
		bench_die("out of memory", NULL);
	start_us = bench_now_us();
	load_start(b, load, crowd->tokens, crowd->count, in_flight);
	nap_ms(b->settings.seconds * 1000);
	done = atomic_load(&load->done);
	took_us = bench_now_us() - start_us;
	load_stop(load);
	free(load);
	return (double)done * 1e6 / (double)took_us;
}

/* redis-benchmark counts requests, not seconds: a short run tells how many fill the time. */
static double redis_benchmark(struct bench *b, const struct line *l, unsigned long requests)
{
	char count[24];
	char port[8];
	const char *argv[] = {
	    "redis-benchmark", "-p", port,	"-c", l->clients, "-P", l->pipeline, "-n", count, "--csv", "GETEX",
	    "bench:baseline",  "PX", "1800000", NULL};
	struct run_result run;
	double rate = 0;
	char *row;

	(void)snprintf(port, sizeof(port), "%u", b->redis.port);
	(void)snprintf(count, sizeof(count), "%lu", requests);
	run_capture(argv, NULL, NULL, 120000, &run);
	/* "test","rps",... and then a row whose second field is the rate. */
	row = strchr(run.out, '\n');
	row = row != NULL ? strstr(row, "\",\"") : NULL;
	if (run.status != 0 || row == NULL)
		bench_die("redis-benchmark failed", NULL);
	rate = strtod(row + 3, NULL);
	run_result_free(&run);
	return rate;
}

static double measure_baseline(struct bench *b, const struct line *l)
{
	double guess = redis_benchmark(b, l, 20000);

	return redis_benchmark(b, l, (unsigned long)(guess * b->settings.seconds) + 1000);
}

static void measure_line(struct bench *b, const struct crowd *crowd, const struct line *line)
{
	double ours[ROUNDS_MAX], baseline[ROUNDS_MAX];
	double mine, theirs;

	for (unsigned round = 0; round < b->settings.rounds; round++) {
		ours[round] = measure_ours(b, crowd, line->in_flight);
		baseline[round] = measure_baseline(b, line);
	}
	mine = bench_median(ours, b->settings.rounds);
	theirs = bench_median(baseline, b->settings.rounds);
	(void)printf("%-20s %12.0f %12.0f %8.2f\n", line->name, mine, theirs, mine / theirs);
	(void)fflush(stdout);
	bench_row(b, "\"name\": \"%s\", \"ours\": %.0f, \"baseline\": %.0f, \"ratio\": %.3f", line->name, mine, theirs,
		  mine / theirs);
}

void bench_get(struct bench *b)
{
	struct crowd crowd;

	freeReplyObject(redis_server_command(&b->redis, "SETRANGE bench:baseline " RECORD_BYTES " x"));
	crowd_make(b, "get", NULL, 1, 1, &crowd);
	(void)printf("%-20s %12s %12s %8s\n", "line", "ours/s", "baseline/s", "ratio");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		measure_line(b, &crowd, &lines[i]);
	crowd_free(&crowd);
}
