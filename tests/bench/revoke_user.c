/* Ending all of a user's sessions, and what other users' reads feel of it. Each round ends the sessions of a new user
 * twice: alone, and beside a steady load of Gets. Only Gets that were under way during the call count as "meanwhile", so
 * the short calls are repeated more often. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"
#include "bench/sections.h"
#include "support/wait.h"

#define IN_FLIGHT 16
/* Before the call, the load runs for so long: as many Gets as ten such calls would meet. */
#define CALM_MS 200

#define REPEATS_MAX 16

struct size {
	unsigned sessions;
	unsigned repeats; /* in a round */
};

static const struct size sizes[] = {{1, REPEATS_MAX}, {100, 8}, {1000, 2}, {10000, 1}};

struct figures {
	double alone_ms[ROUNDS_MAX * REPEATS_MAX];
	double loaded_ms[ROUNDS_MAX * REPEATS_MAX];
	double redis_ms[ROUNDS_MAX * REPEATS_MAX]; /* of the script, in Redis, alone */
	unsigned count;
	struct latencies *calm;
	struct latencies *hard;
};

/* Time in which Redis ran scripts. */
static double script_ms(struct bench *b)
{
	redisReply *info = redis_server_command(&b->stage.redis, "INFO commandstats");
	const char *row = strstr(info->str, "cmdstat_evalsha:");
	const char *usec = row != NULL ? strstr(row, ",usec=") : NULL;
	double ms = usec != NULL ? strtod(usec + 6, NULL) / 1000 : 0;

	freeReplyObject(info);
	return ms;
}

static double revoke_all(struct bench *b, const struct crowd *crowd)
{
	struct lk_session_revoke_user_request request = LK_SESSION_REVOKE_USER_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	char user[CROWD_USER_BYTES];
	uint64_t start_us;
	uint32_t revoked;

	crowd_user(crowd, 0, user);
	request.user = lk_text(user);
	start_us = bench_now_us();
	if (lk_session_revoke_user(b->stage.client, &request, &revoked, &error) != LK_OK)
		bench_die("revoke-user", &error);
	if (revoked != crowd->count)
		bench_die("revoke-user ended another number of sessions than there were", NULL);
	return (double)(bench_now_us() - start_us) / 1000;
}

static void make_user(struct bench *b, unsigned sessions, struct crowd *ret)
{
	static unsigned number;
	char name[24];

	(void)snprintf(name, sizeof(name), "leaver%u", number++);
	(void)crowd_make(b->stage.client, name, &(struct crowd_policy){.session_class = CLASS_MANY}, sessions, sessions,
			 ret);
}

static void measure_alone(struct bench *b, unsigned sessions, struct figures *f)
{
	struct crowd crowd;
	double before_ms;

	make_user(b, sessions, &crowd);
	before_ms = script_ms(b);
	f->alone_ms[f->count] = revoke_all(b, &crowd);
	f->redis_ms[f->count] = script_ms(b) - before_ms;
	crowd_free(&crowd);
}

static void measure_loaded(struct bench *b, const struct crowd *others, unsigned sessions, struct figures *f)
{
	struct load *load = load_new();
	struct crowd crowd;

	make_user(b, sessions, &crowd);
	load->calm = f->calm;
	load->hard = f->hard;
	load_start(load, &b->stage.client, 1, others, IN_FLIGHT);
	atomic_store(&load->moment, LOAD_CALM);
	nap_ms(CALM_MS);
	atomic_store(&load->moment, LOAD_HARD);
	f->loaded_ms[f->count] = revoke_all(b, &crowd);
	atomic_store(&load->moment, LOAD_UNMEASURED);
	load_stop(load);
	free(load);
	crowd_free(&crowd);
}

static bool is_unwanted(unsigned sessions)
{
	char call[32];
	char others[32];

	(void)snprintf(call, sizeof(call), "revoke-user-%u", sessions);
	(void)snprintf(others, sizeof(others), "revoke-user-%u-p99", sessions);
	return line_find(call)->is_unwanted && line_find(others)->is_unwanted;
}

static void report_sized(struct bench *b, unsigned sessions, const char *what, double ours, double baseline)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "revoke-user-%u%s", sessions, what);
	report_result(&b->report, name, ours, baseline);
}

static void print_size(struct bench *b, unsigned sessions, struct figures *f)
{
	const double alone = bench_median(f->alone_ms, f->count);
	const double loaded = bench_median(f->loaded_ms, f->count);
	const double redis = bench_median(f->redis_ms, f->count);
	const double calm50 = latencies_at(f->calm, 0.5), calm99 = latencies_at(f->calm, 0.99);
	char name[32];
	const double hard50 = latencies_at(f->hard, 0.5), hard99 = latencies_at(f->hard, 0.99);

	(void)printf("%-20u %9.2f %9.2f %9.2f %8.0f %9.0f %6.2f %8.0f %9.0f %6.2f\n", sessions, alone, redis, loaded,
		     calm50, hard50, hard50 / calm50, calm99, hard99, hard99 / calm99);
	(void)fflush(stdout);
	report_sized(b, sessions, "", loaded, NAN);
	report_sized(b, sessions, "-p99", hard99, calm99);
	(void)snprintf(name, sizeof(name), "revoke-user-%u", sessions);
	report_detail(&b->report, name, "alone ms", alone);
	report_detail(&b->report, name, "in Redis ms", redis);
	report_detail(&b->report, name, "p50 us", calm50);
	report_detail(&b->report, name, "p50 meanwhile us", hard50);
}

void bench_revoke_user(struct bench *b)
{
	struct crowd others;

	(void)crowd_make(b->stage.client, "stayer", NULL, IN_FLIGHT, 1, &others);
	(void)printf("%-20s %9s %9s %9s %8s %9s %6s %8s %9s %6s\n", "revoke-user, of", "alone ms", "in Redis",
		     "loaded ms", "p50 us", "meanwhile", "ratio", "p99 us", "meanwhile", "ratio");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct figures f = {0};

		if (is_unwanted(sizes[i].sessions))
			continue;
		f.calm = latencies_new();
		f.hard = latencies_new();

		for (unsigned j = 0; j < b->settings.rounds * sizes[i].repeats; j++, f.count++) {
			measure_alone(b, sizes[i].sessions, &f);
			measure_loaded(b, &others, sizes[i].sessions, &f);
		}
		print_size(b, sizes[i].sessions, &f);
		free(f.calm);
		free(f.hard);
	}
	crowd_free(&others);
}
