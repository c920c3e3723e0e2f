/* Measures Get beside redis-benchmark on the same Redis. Each round measures ours, then the baseline; medians of the
 * rounds are compared. tests/bench/README.md says how to read the table. */

#include <argp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <latchkey/latchkey.h>

#include "support/latchkeyd.h"
#include "support/redis_server.h"
#include "support/wait.h"

#define ROUNDS_MAX	15
#define IN_FLIGHT_MAX	512
#define ATTRIBUTE_BYTES 256
/* A record around 256 B of attributes: what a GETEX of the baseline fetches. */
#define RECORD_BYTES "420"

struct settings {
	unsigned seconds;
	unsigned rounds;
	const char *json;
};

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

struct bench {
	struct redis_server redis;
	struct latchkeyd service;
	lk_client *client;
	char token[128];
	char port[8];
};

/* Many calls that each start themselves again until the time is up. */
struct load {
	struct lk_session_get_request request;
	_Atomic uint64_t done;
	_Atomic uint64_t failed;
	_Atomic int first_error; /* enum lk_err */
	_Atomic bool is_over;
	_Atomic unsigned running;
};

static void die(const char *what, const struct lk_error *error)
{
	(void)fprintf(stderr, "latchkey-bench: %s: %s\n", what, error != NULL ? error->message : "");
	exit(1);
}

static void on_get(lk_call *call, enum lk_err err, void *arg)
{
	struct load *load = arg;

	if (err == LK_OK && lk_call_verdict(call) == LK_VALID)
		atomic_fetch_add_explicit(&load->done, 1, memory_order_relaxed);
	else if (atomic_fetch_add(&load->failed, 1) == 0)
		atomic_store(&load->first_error, (int)err);
	if (atomic_load_explicit(&load->is_over, memory_order_relaxed) ||
	    lk_session_get_async(call, &load->request) != LK_OK)
		atomic_fetch_sub(&load->running, 1);
}

static double measure_ours(struct bench *b, unsigned in_flight, unsigned seconds)
{
	struct load load = {.request = LK_SESSION_GET_REQUEST_INIT};
	lk_call *calls[IN_FLIGHT_MAX];
	uint64_t start_ms, took_ms, done;

	load.request.token = lk_text(b->token);
	atomic_store(&load.running, in_flight);
	for (unsigned i = 0; i < in_flight; i++)
		if (lk_call_new(b->client, on_get, &load, &calls[i]) != LK_OK)
			die("out of memory", NULL);
	start_ms = now_mono_ms();
	for (unsigned i = 0; i < in_flight; i++)
		if (lk_session_get_async(calls[i], &load.request) != LK_OK)
			die("a call could not be started", NULL);
	nap_ms(seconds * 1000);
	done = atomic_load(&load.done);
	took_ms = now_mono_ms() - start_ms;
	atomic_store(&load.is_over, true);
	for (unsigned i = 0; i < in_flight; i++) {
		(void)!lk_call_wait(calls[i]);
		lk_call_free(&calls[i]);
	}
	if (atomic_load(&load.failed) > 0)
		(void)fprintf(stderr, "latchkey-bench: %llu calls failed, the first with %s\n",
			      (unsigned long long)atomic_load(&load.failed),
			      lk_err_name((enum lk_err)atomic_load(&load.first_error)));
	return (double)done * 1000.0 / (double)took_ms;
}

/* redis-benchmark counts requests, not seconds: a short run tells how many fill the time. */
static double redis_benchmark(struct bench *b, const struct line *l, unsigned long requests)
{
	char count[24];
	const char *argv[] = {
	    "redis-benchmark", "-p",	b->port,	  "-c", l->clients, "-P", l->pipeline, "-n", count,
	    "--csv",	       "GETEX", "bench:baseline", "PX", "1800000",  NULL};
	struct run_result run;
	double rate = 0;
	char *row;

	(void)snprintf(count, sizeof(count), "%lu", requests);
	run_capture(argv, NULL, NULL, 120000, &run);
	/* "test","rps",... and then a row whose second field is the rate. */
	row = strchr(run.out, '\n');
	row = row != NULL ? strstr(row, "\",\"") : NULL;
	if (run.status != 0 || row == NULL)
		die("redis-benchmark failed", NULL);
	rate = strtod(row + 3, NULL);
	run_result_free(&run);
	return rate;
}

static double measure_baseline(struct bench *b, const struct line *l, unsigned seconds)
{
	double guess = redis_benchmark(b, l, 20000);

	return redis_benchmark(b, l, (unsigned long)(guess * seconds) + 1000);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static void open_bench(struct bench *b)
{
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_session_create_request create = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	char value[ATTRIBUTE_BYTES];
	struct lk_attribute attribute = {lk_text("profile"), lk_bytes_of(value, sizeof(value))};
	const char *endpoints[1];
	lk_session *session;

	/* Attributes that do not compress, as an identity provider's tokens do not. */
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)(i * 7919 >> 3);
	redis_server_init(&b->redis, NULL);
	redis_server_start(&b->redis);
	(void)snprintf(b->port, sizeof(b->port), "%u", b->redis.port);
	freeReplyObject(redis_server_command(&b->redis, "SET bench:baseline %s", value + 1));
	freeReplyObject(redis_server_command(&b->redis, "SETRANGE bench:baseline " RECORD_BYTES " x"));
	latchkeyd_init(&b->service, &(struct latchkeyd_options){.redis_url = b->redis.url});
	latchkeyd_start_serving(&b->service);

	endpoints[0] = b->service.url;
	options.endpoints = endpoints;
	options.endpoint_count = 1;
	options.call_timeout_ms = 10000;
	if (lk_client_open(&options, &b->client, &error) != LK_OK)
		die("client", &error);
	create.user = lk_text("ann");
	create.attributes = &attribute;
	create.attribute_count = 1;
	if (lk_session_create(b->client, &create, &session, &error) != LK_OK)
		die("create", &error);
	(void)snprintf(b->token, sizeof(b->token), "%s", lk_session_token(session));
	lk_session_free(&session);
}

static void close_bench(struct bench *b)
{
	lk_client_close(&b->client);
	latchkeyd_stop(&b->service);
	latchkeyd_remove(&b->service);
	redis_server_remove(&b->redis);
}

static void run(struct bench *b, const struct settings *s, FILE *json)
{
	double ours[ROUNDS_MAX], baseline[ROUNDS_MAX];

	(void)printf("%-20s %12s %12s %8s\n", "line", "ours/s", "baseline/s", "ratio");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		double mine, theirs;

		for (unsigned round = 0; round < s->rounds; round++) {
			ours[round] = measure_ours(b, lines[i].in_flight, s->seconds);
			baseline[round] = measure_baseline(b, &lines[i], s->seconds);
		}
		mine = median(ours, s->rounds);
		theirs = median(baseline, s->rounds);
		(void)printf("%-20s %12.0f %12.0f %8.2f\n", lines[i].name, mine, theirs, mine / theirs);
		(void)fflush(stdout);
		if (json != NULL)
			(void)fprintf(json, "%s{\"name\": \"%s\", \"ours\": %.0f, \"baseline\": %.0f, \"ratio\": %.3f}",
				      i == 0 ? "[" : ",\n ", lines[i].name, mine, theirs, mine / theirs);
	}
	if (json != NULL)
		(void)fprintf(json, "]\n");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case 's':
		s->seconds = (unsigned)strtoul(arg, NULL, 10);
		break;
	case 'r':
		s->rounds = (unsigned)strtoul(arg, NULL, 10);
		break;
	case 'j':
		s->json = arg;
		break;
	case ARGP_KEY_END:
		if (s->seconds < 1 || s->seconds > 60 || s->rounds < 1 || s->rounds > ROUNDS_MAX)
			argp_error(state, "--seconds takes 1 to 60, --rounds 1 to %d", ROUNDS_MAX);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
	    {"seconds", 's', "S", 0, "Length of one measurement (2)", 0},
	    {"rounds", 'r', "N", 0, "Measurements of each line and of its baseline (3)", 0},
	    {"json", 'j', "FILE", 0, "Write the rows there too", 0},
	    {0},
	};
	static const struct argp argp = {options, parse, NULL, "Measures latchkeyd beside redis-benchmark.",
					 NULL,	  NULL,	 NULL};
	struct settings settings = {.seconds = 2, .rounds = 3};
	struct bench bench = {0};
	FILE *json = NULL;

	if (argp_parse(&argp, argc, argv, 0, NULL, &settings) != 0)
		return 2;
	if (settings.json != NULL && (json = fopen(settings.json, "w")) == NULL) {
		perror(settings.json);
		return 1;
	}
	open_bench(&bench);
	run(&bench, &settings, json);
	close_bench(&bench);
	if (json != NULL && fclose(json) != 0) {
		perror(settings.json);
		return 1;
	}
	return 0;
}
