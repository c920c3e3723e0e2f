/* bench: a load, and what came of it as a table or JSON. Whatever happens, the sessions that it made are ended. */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "bench_load.h"
#include "bench_result.h"
#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

static const struct {
	const char *title;
	const char *name; /* in JSON */
	double share;
} percentiles[] = {
    {"P50", "p50", 0.5}, {"P90", "p90", 0.9}, {"P99", "p99", 0.99}, {"P99.9", "p99_9", 0.999}, {"MAX", "max", 1},
};

#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

/* What it left behind, and how it ended. */
struct aftermath {
	uint64_t users;
	uint64_t users_left;
	struct lk_error failure; /* the first */
};

static double us_at(const struct histogram *h, double share)
{
	return (double)histogram_at(h, share) / 1000;
}

static uint64_t per_second(const struct bench_result *r, uint64_t count)
{
	return r->seconds > 0 ? (uint64_t)((double)count / r->seconds + 0.5) : 0;
}

static uint64_t all_in_time(const struct bench_result *r)
{
	uint64_t count = 0;

	for (size_t k = 0; k < BENCH_MIXED; k++)
		count += r->in_time[k];
	return count;
}

static const char *error_name(size_t code)
{
	return code == (size_t)BENCH_ENDED ? "SESSION_ENDED" : lk_err_name((enum lk_err)code);
}

/* ---- As text ---- */

static void print_row(const char *name, const struct bench_result *r, uint64_t count, const struct histogram *h)
{
	(void)printf("%-12s %12" PRIu64 " %12" PRIu64, name, count, per_second(r, count));
	for (size_t i = 0; i < PERCENTILES; i++)
		(void)printf(" %10.1f", us_at(h, percentiles[i].share));
	(void)putchar('\n');
}

static void print_title(const struct line *line, const struct bench_result *r)
{
	const struct bench_line *b = &line->bench;

	if (b->rate > 0)
		(void)printf("open loop, %u calls/s with %s arrivals", b->rate, b->is_even ? "even" : "Poisson");
	else
		(void)printf("closed loop, %u caller%s", bench_callers(b), bench_callers(b) == 1 ? "" : "s");
	(void)printf(", %u connection%s, %.1f s of %s; %u sessions with %u bytes; latencies in us\n\n", b->connections,
		     b->connections == 1 ? "" : "s", r->seconds, b->mix, b->sessions, b->value_bytes);
}

static void print_errors(const struct bench_result *r)
{
	if (r->not_started > 0)
		(void)printf("\n%" PRIu64 " calls were due and not started: too many were in flight\n", r->not_started);
	if (r->failed == 0)
		return;
	(void)printf("\n%" PRIu64 " calls failed, which the table leaves out:", r->failed);
	for (size_t i = 0; i < BENCH_ERRORS; i++)
		if (r->errors[i] > 0)
			(void)printf(" %s %" PRIu64, error_name(i), r->errors[i]);
	(void)putchar('\n');
}

static bool print_text(const struct line *line, const struct bench_result *r)
{
	unsigned kinds = 0;

	print_title(line, r);
	(void)printf("%-12s %12s %12s", "CALL", "CALLS", "CALLS/S");
	for (size_t i = 0; i < PERCENTILES; i++)
		(void)printf(" %10s", percentiles[i].title);
	(void)putchar('\n');
	for (size_t k = 0; k < BENCH_MIXED; k++) {
		if (histogram_count(r->latency[k]) == 0)
			continue;
		print_row(bench_kind_name((enum bench_kind)k), r, r->in_time[k], r->latency[k]);
		kinds++;
	}
	if (kinds != 1)
		print_row("all", r, all_in_time(r), r->all);
	if (line->bench.rate == 0)
		print_row("corrected", r, all_in_time(r), r->corrected);
	print_errors(r);
	return ferror(stdout) == 0;
}

/* ---- As JSON ---- */

static json_t *json_of_latency(const struct histogram *h)
{
	json_t *object = json_object();

	for (size_t i = 0; i < PERCENTILES; i++)
		(void)json_object_set_new(object, percentiles[i].name,
					  json_integer((json_int_t)histogram_at(h, percentiles[i].share)));
	return object;
}

static json_t *json_of_kinds(const struct bench_result *r)
{
	json_t *object = json_object();

	for (size_t k = 0; k < BENCH_MIXED; k++) {
		if (histogram_count(r->latency[k]) == 0)
			continue;
		(void)json_object_set_new(object, bench_kind_name((enum bench_kind)k),
					  json_pack("{s:I, s:I, s:o}", "calls", (json_int_t)r->in_time[k],
						    "calls_per_s", (json_int_t)per_second(r, r->in_time[k]),
						    "latency_ns", json_of_latency(r->latency[k])));
	}
	return object;
}

static json_t *json_of_errors(const struct bench_result *r)
{
	json_t *object = json_object();

	for (size_t i = 0; i < BENCH_ERRORS; i++)
		if (r->errors[i] > 0)
			(void)json_object_set_new(object, error_name(i), json_integer((json_int_t)r->errors[i]));
	return object;
}

static bool print_json(const struct line *line, const struct bench_result *r, const struct aftermath *after)
{
	const struct bench_line *b = &line->bench;
	const uint64_t calls = all_in_time(r);
	json_t *object = json_pack(
	    "{s:s, s:I, s:I, s:s, s:f, s:I, s:I, s:b}", "loop", b->rate > 0 ? "open" : "closed",
	    b->rate > 0 ? "rate" : "callers", (json_int_t)(b->rate > 0 ? b->rate : bench_callers(b)), "connections",
	    (json_int_t)b->connections, "mix", b->mix, "seconds", r->seconds, "sessions", (json_int_t)b->sessions,
	    "value_bytes", (json_int_t)b->value_bytes, "interrupted", bench_is_interrupted());

	if (object == NULL)
		return false;
	(void)json_object_set_new(object, "calls", json_integer((json_int_t)calls));
	(void)json_object_set_new(object, "calls_per_s", json_integer((json_int_t)per_second(r, calls)));
	(void)json_object_set_new(object, "latency_ns", json_of_latency(r->all));
	if (b->rate == 0)
		(void)json_object_set_new(object, "latency_corrected_ns", json_of_latency(r->corrected));
	(void)json_object_set_new(object, "by_call", json_of_kinds(r));
	(void)json_object_set_new(object, "failed", json_integer((json_int_t)r->failed));
	(void)json_object_set_new(object, "errors", json_of_errors(r));
	(void)json_object_set_new(object, "not_started", json_integer((json_int_t)r->not_started));
	(void)json_object_set_new(object, "users", json_integer((json_int_t)after->users));
	(void)json_object_set_new(object, "users_left", json_integer((json_int_t)after->users_left));
	return json_print(object);
}

/* ---- The verb ---- */

static int print_result(const struct line *line, struct bench_load *load, const struct aftermath *after)
{
	struct bench_result *r = bench_load_result(load);
	int status;

	if (r == NULL) {
		const struct lk_error error = {.code = LK_E_NO_MEMORY, .message = "out of memory"};

		return report_failure(line, &error);
	}
	status = say_done(line->json ? print_json(line, r, after) : print_text(line, r));
	if (status == EXIT_DONE && after->failure.code != LK_OK) {
		(void)fputs("latchkey: the first call that failed: ", stderr);
		report_sentence(&after->failure);
		status = report_status(&after->failure);
	} else if (status == EXIT_DONE && r->failed > 0) {
		status = EXIT_INVALID;
	}
	bench_result_free(&r);
	return status;
}

static void clean(struct bench_load *load, struct aftermath *after)
{
	after->users = bench_load_users(load);
	after->users_left = bench_load_clean(load);
	if (after->users_left > 0)
		(void)fprintf(stderr,
			      "latchkey: the sessions of %" PRIu64 " of %" PRIu64
			      " users named %s-0 and so on could not be ended; they end by their timeouts\n",
			      after->users_left, after->users, bench_load_run(load));
}

static int fail_prepare(const struct line *line, const struct lk_error *failure)
{
	if (failure->code != LK_OK)
		return report_failure(line, failure);
	(void)fputs("latchkey: interrupted before anything was measured\n", stderr);
	return EXIT_UNKNOWN;
}

static int run(const struct line *line, struct bench_load *load)
{
	struct aftermath after = {0};
	bool is_prepared;

	bench_catch_interrupts();
	is_prepared = bench_load_prepare(load);
	if (is_prepared)
		bench_load_measure(load);
	bench_load_failure(load, &after.failure);
	clean(load, &after);
	return is_prepared ? print_result(line, load, &after) : fail_prepare(line, &after.failure);
}

static int check(const struct bench_line *b)
{
	if (b->callers > 0 && b->rate > 0)
		return usage_error("--callers makes a closed loop and --rate an open one: give one of them");
	if (b->has_arrivals && b->rate == 0)
		return usage_error("--arrivals goes with --rate: in a closed loop a call begins when another ends");
	if (b->sessions < b->connections)
		return usage_error("--sessions %u: at least one for each of the %u connections is needed", b->sessions,
				   b->connections);
	if (b->rate == 0 && bench_callers(b) < b->connections)
		return usage_error("--callers %u: at least one for each of the %u connections is needed",
				   bench_callers(b), b->connections);
	return EXIT_DONE;
}

/* Tells before anything is made what is wrong with the server or the credential. */
static int try_server(const struct line *line, lk_client *client)
{
	struct lk_error error = LK_ERROR_INIT;
	enum lk_serving serving;

	if (lk_health(client, NULL, &serving, &error) != LK_OK)
		return report_failure(line, &error);
	return EXIT_DONE;
}

int verb_bench(const struct line *line, lk_client *client)
{
	struct bench_load *load;
	struct bench_mix mix;
	int status = check(&line->bench);

	if (status == EXIT_DONE && !bench_mix_parse(line->bench.mix, &mix))
		status = EXIT_USAGE;
	if (status == EXIT_DONE)
		status = try_server(line, client);
	if (status == EXIT_DONE)
		status = bench_load_open(line, &mix, &load);
	if (status != EXIT_DONE)
		return status;
	status = run(line, load);
	bench_load_close(&load);
	return status;
}
