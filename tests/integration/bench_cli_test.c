/* `latchkey bench` on a real service: what it counts, what it leaves behind, and how it ends when it is interrupted or the
 * service goes away. No figure is held against a clock. */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cli.h"
#include "support/file.h"
#include "support/json.h"
#include "support/scene.h"
#include "support/wait.h"

/* First byte of a session's record; a tombstone and a forward have others. */
#define RECORD_FORMAT 1
/* A run of one second, with all that is around it, under a sanitizer. */
#define RUN_MS 60000

static const char config[] = "log_level: info\n"
			     "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: default, sessions_max: 10 }\n"
			     "      - { name: one, sessions_max: 1 }\n";

THE_SCENE(config)

#define expect(status, result, ...)                                                                                    \
	cli_expect((status), (result), scene.service.url, "bench", "--seconds", "1", "--warmup", "0", __VA_ARGS__, NULL)

/* Percentiles rise, and were measured at all. */
static void expect_latency(const json_t *object, const char *key)
{
	static const char *const names[] = {"p50", "p90", "p99", "p99_9", "max"};
	const json_t *latency = json_object_get(object, key);
	json_int_t before = 1;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(json_number(latency, names[i]) >= before);
		before = json_number(latency, names[i]);
	}
}

static json_int_t calls_of(const json_t *json, const char *kind)
{
	return json_number(json_object_get(json_object_get(json, "by_call"), kind), "calls");
}

static unsigned count_records(redisContext *c, const redisReply *keys)
{
	unsigned count = 0;

	for (size_t i = 0; i < keys->elements; i++) {
		redisReply *reply = redisCommand(c, "GETRANGE %s 0 0", keys->element[i]->str);

		assert_non_null(reply);
		count += reply->type == REDIS_REPLY_STRING && reply->len == 1 && reply->str[0] == RECORD_FORMAT;
		freeReplyObject(reply);
	}
	return count;
}

static unsigned living_sessions(void)
{
	redisContext *c = redis_server_connect(&scene.redis);
	redisReply *keys = redisCommand(c, "KEYS lk1:s:*");
	unsigned count;

	assert_non_null(keys);
	count = count_records(c, keys);
	freeReplyObject(keys);
	redisFree(c);
	return count;
}

static void a_closed_loop(void **state)
{
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "--json", "--sessions", "20", "--callers", "4");
	json = json_read(r.out);
	assert_string_equal(json_string_value(json_object_get(json, "loop")), "closed");
	assert_int_equal(json_number(json, "callers"), 4);
	assert_true(json_number(json, "calls") > 0);
	assert_int_equal(json_number(json, "calls"), calls_of(json, "get"));
	assert_int_equal(json_number(json, "failed"), 0);
	assert_int_equal(json_number(json, "users"), 20);
	assert_int_equal(json_number(json, "users_left"), 0);
	expect_latency(json, "latency_ns");
	expect_latency(json, "latency_corrected_ns");
	assert_int_equal(living_sessions(), 0);
	json_decref(json);
	run_result_free(&r);
}

static void an_open_loop(void **state)
{
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "--json", "--sessions", "20", "--rate", "200", "--arrivals", "even");
	json = json_read(r.out);
	assert_string_equal(json_string_value(json_object_get(json, "loop")), "open");
	/* The 200 that were due; those that a slow machine answered later are not in it. */
	assert_in_range(json_number(json, "calls"), 1, 201);
	assert_int_equal(json_number(json, "failed"), 0);
	expect_latency(json, "latency_ns");
	assert_null(json_object_get(json, "latency_corrected_ns"));
	json_decref(json);
	run_result_free(&r);
}

/* More than any machine carries: what was not started is told, and the wait of the others is in their latency. */
static void a_rate_that_is_too_high(void **state)
{
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "--json", "--sessions", "20", "--rate", "9000000");
	json = json_read(r.out);
	assert_true(json_number(json, "not_started") > 0);
	assert_true(json_number(json, "calls") > 0);
	assert_int_equal(json_number(json, "failed"), 0);
	json_decref(json);
	run_result_free(&r);
}

/* Calls that end sessions, or give them other tokens, never meet calls that use them. */
static void a_mix_of_all_calls(void **state)
{
	static const char *const kinds[] = {"get", "peek", "update", "create", "rotate", "revoke", "list"};
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "--json", "--sessions", "50", "--callers", "16", "--connections", "3", "--mix",
	       "get=4,peek=2,update=2,create=2,rotate=2,revoke=2,list=1");
	json = json_read(r.out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_true(calls_of(json, kinds[i]) > 0);
	assert_int_equal(json_number(json, "failed"), 0);
	assert_int_equal(json_number(json, "users_left"), 0);
	assert_true(json_number(json, "users") > 50);
	assert_int_equal(living_sessions(), 0);
	json_decref(json);
	run_result_free(&r);
}

/* Revoking more than there is makes new ones. */
static void revoking_alone(void **state)
{
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "--json", "--sessions", "1", "--callers", "4", "--mix", "revoke");
	json = json_read(r.out);
	assert_true(calls_of(json, "revoke") > 0);
	assert_true(calls_of(json, "create") > 0);
	assert_int_equal(json_number(json, "failed"), 0);
	json_decref(json);
	run_result_free(&r);
}

/* Ten users share 60 sessions of a class that allows one each: the others were evicted, and that is no success. */
static void sessions_that_have_ended_count_apart(void **state)
{
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_INVALID, &r, "--json", "--sessions", "60", "--user-count", "10", "--class", "one", "--callers", "1");
	json = json_read(r.out);
	assert_int_equal(json_number(json_object_get(json, "errors"), "SESSION_ENDED"), json_number(json, "failed"));
	assert_in_range(json_number(json, "failed"), 1, 50);
	assert_true(json_number(json, "calls") > 0);
	assert_int_equal(json_number(json, "users"), 10);
	json_decref(json);
	run_result_free(&r);
}

static void as_text(void **state)
{
	struct run_result r;

	(void)state;
	expect(CLI_DONE, &r, "--sessions", "10", "--callers", "2", "--value-bytes", "0", "--progress");
	assert_non_null(strstr(r.out, "closed loop, 2 callers, 1 connection, 1.0 s of get; 10 sessions with 0 bytes"));
	assert_non_null(strstr(r.out, "CALL                CALLS      CALLS/S        P50"));
	assert_non_null(strstr(r.out, "\nget   "));
	assert_non_null(strstr(r.out, "\ncorrected   "));
	assert_null(strstr(r.out, "\nall   "));
	assert_null(strstr(r.out, "failed"));
	run_result_free(&r);
	/* A second of the warm-up is not one of no calls. */
	cli_expect(CLI_DONE, &r, scene.service.url, "bench", "--seconds", "1", "--warmup", "1", "--sessions", "10",
		   "--progress", NULL);
	assert_non_null(strstr(r.err, "1 s of 2  warming up\n"));
	run_result_free(&r);
}

static void what_makes_no_sense(void **state)
{
	static const struct {
		const char *args[4];
		const char *fragment;
	} lines[] = {
	    {{"--callers", "5", "--rate", "7"}, "--callers makes a closed loop and --rate an open one"},
	    {{"--arrivals", "even", "--sessions", "9"}, "--arrivals goes with --rate"},
	    {{"--arrivals", "odd", "--rate", "9"}, "--arrivals \"odd\": not poisson or even"},
	    {{"--sessions", "2", "--connections", "3"}, "--sessions 2: at least one for each of the 3 connections"},
	    {{"--callers", "2", "--connections", "3"}, "--callers 2: at least one for each of the 3 connections"},
	    {{"--mix", "frob=1", "--rate", "9"}, "--mix \"frob\": not get"},
	    {{"--realm", "nowhere", "--callers", "1"}, "nowhere"},
	    {{"--class", "nothing", "--callers", "1"}, "no class of this name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *const *a = lines[i].args;
		struct run_result r;

		expect(CLI_USAGE, &r, a[0], a[1], a[2], a[3]);
		if (strstr(r.err, lines[i].fragment) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", r.err, lines[i].fragment);
		assert_int_equal(r.out_len, 0);
		run_result_free(&r);
	}
}

/* ---- Runs that do not come to their end ---- */

struct run {
	struct process process;
	struct tmpdir dir;
	char out[TMPDIR_FILE_BYTES];
	char err[TMPDIR_FILE_BYTES];
};

/* A run of ten minutes. */
static void start(struct run *run, const char *sessions, const char *timeout)
{
	char binary[512], server[512];
	const char *argv[] = {binary,	"bench",      "--seconds", "600",   "--warmup",
			      "0",	"--json",     "--callers", "4",	    "--sessions",
			      sessions, "--progress", "--timeout", timeout, NULL};
	const char *env[] = {server, NULL};
	struct process_spec spec = {.argv = argv, .env = env};

	tmpdir_make(&run->dir);
	tmpdir_file(&run->dir, "out", run->out);
	tmpdir_file(&run->dir, "err", run->err);
	binary_path("latchkey", binary, sizeof(binary));
	snprintf(server, sizeof(server), "LATCHKEY_SERVER=%s", scene.service.url);
	spec.stdout_fd = open(run->out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	spec.stderr_fd = open(run->err, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(spec.stdout_fd > 0 && spec.stderr_fd > 0);
	process_spawn(&run->process, &spec);
	close(spec.stdout_fd);
	close(spec.stderr_fd);
}

static bool shows_calls(const struct run *run)
{
	return file_contains(run->err, "calls/s", 7);
}

/* Its end, and what it printed; the caller frees. */
static char *finish(struct run *run, int status, const char *fragment)
{
	int ended_with = -1;
	char *text;

	assert_true(process_wait(&run->process, RUN_MS, &ended_with));
	text = file_read(run->err, NULL);
	if (ended_with != status || strstr(text, fragment) == NULL)
		fail_msg("exit status %d, not %d, or no \"%s\": %s", ended_with, status, fragment, text);
	free(text);
	text = file_read(run->out, NULL);
	tmpdir_remove(&run->dir);
	return text;
}

static json_t *finish_json(struct run *run, int status, const char *fragment)
{
	char *text = finish(run, status, fragment);
	json_t *json = json_read(text);

	free(text);
	return json;
}

/* A progress line with another number than 0. */
static bool shows_failures(const struct run *run)
{
	char *text = file_read(run->err, NULL);
	const char *at = text;
	bool shows = false;

	while ((at = strstr(at, " failed")) != NULL && !shows) {
		shows = at - text >= 2 && strncmp(at - 2, " 0", 2) != 0;
		at++;
	}
	free(text);
	return shows;
}

static void interrupted(int signal_number)
{
	struct run run;
	json_t *json;

	start(&run, "20", "5");
	assert_becomes(shows_calls(&run), BOUND_MS);
	process_signal(&run.process, signal_number);
	json = finish_json(&run, CLI_DONE, "");
	assert_true(json_is_true(json_object_get(json, "interrupted")));
	assert_true(json_number(json, "calls") > 0);
	assert_true(json_real_value(json_object_get(json, "seconds")) < 600);
	assert_int_equal(json_number(json, "users_left"), 0);
	assert_int_equal(living_sessions(), 0);
	json_decref(json);
}

static void interrupted_it_prints_and_cleans_up(void **state)
{
	(void)state;
	interrupted(SIGINT);
	interrupted(SIGTERM);
}

/* While it still makes its sessions there is nothing to print, but what was made is ended. */
static void interrupted_while_it_prepares(void **state)
{
	struct run run;
	char *out;

	(void)state;
	start(&run, "1000000", "5");
	assert_becomes(living_sessions() > 0, BOUND_MS);
	process_signal(&run.process, SIGINT);
	out = finish(&run, CLI_UNAVAILABLE, "interrupted before anything was measured");
	assert_string_equal(out, "");
	assert_int_equal(living_sessions(), 0);
	free(out);
}

/* Calls of a service that is gone fail, are counted by code, and the exit status says so. */
static void a_service_that_goes_away(void **state)
{
	struct run run;
	json_t *json;

	(void)state;
	start(&run, "20", "0.2");
	assert_becomes(shows_calls(&run), BOUND_MS);
	process_kill(&scene.service.process);
	assert_becomes(shows_failures(&run), BOUND_MS);
	process_signal(&run.process, SIGINT);
	json = finish_json(&run, CLI_UNAVAILABLE, "the first call that failed: ");
	assert_true(json_number(json, "failed") > 0);
	assert_int_equal(json_number(json, "users_left"), 20);
	json_decref(json);
	latchkeyd_start_serving(&scene.service);
}

static void no_service(void **state)
{
	struct run_result r;

	(void)state;
	cli_expect(CLI_UNAVAILABLE, &r, "ipc:///nowhere.sock", "bench", NULL);
	assert_int_equal(r.out_len, 0);
	run_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_closed_loop, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(an_open_loop, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(a_rate_that_is_too_high, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(a_mix_of_all_calls, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(revoking_alone, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(sessions_that_have_ended_count_apart, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(as_text, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(what_makes_no_sense, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(interrupted_it_prints_and_cleans_up, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(interrupted_while_it_prepares, open_scene, close_scene),
	    cmocka_unit_test_setup_teardown(a_service_that_goes_away, open_scene, close_scene),
	    cmocka_unit_test(no_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
