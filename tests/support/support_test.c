/* The helpers themselves: a test that trusts a broken observer proves nothing. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/file.h"
#include "support/monitor.h"
#include "support/port.h"
#include "support/redis_server.h"
#include "support/wait.h"

static void test_run_captures(void **state)
{
	const char *const argv[] = {"sh", "-c", "cat; echo oops >&2; echo \"$NAME$LATCHKEY_TEST\"; exit 3", NULL};
	const char *const env[] = {"NAME=x", NULL};
	struct run_result r;

	(void)state;
	setenv("LATCHKEY_TEST", "leaks in", 1);
	run_capture(argv, env, "in\n", BOUND_MS, &r);
	unsetenv("LATCHKEY_TEST");
	assert_int_equal(r.status, 3);
	assert_string_equal(r.out, "in\nx\n");
	assert_string_equal(r.err, "oops\n");
	run_result_free(&r);
}

static void test_wait_and_kill(void **state)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	struct process_spec spec = {.argv = argv};
	struct process p = {0};
	int status = 0;

	(void)state;
	process_spawn(&p, &spec);
	assert_true(process_is_running(&p));
	assert_false(process_wait(&p, 10, &status));
	process_signal(&p, SIGTERM);
	assert_true(process_wait(&p, BOUND_MS, &status));
	assert_int_equal(status, 128 + SIGTERM);
	assert_false(process_is_running(&p));
	process_kill(&p);
}

static void test_tmpdir_and_files(void **state)
{
	char path[TMPDIR_FILE_BYTES];
	struct tmpdir dir;
	unsigned files;

	(void)state;
	tmpdir_make(&dir);
	tmpdir_file(&dir, "a", path);
	file_write(path, "needle in here");
	assert_int_equal(tree_count_files_with(dir.path, "dle i", 5, &files), 1);
	assert_int_equal(tree_count_files_with(dir.path, "nail", 4, &files), 0);
	assert_int_equal(files, 1);
	tmpdir_remove(&dir);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void test_ports_are_free(void **state)
{
	(void)state;
	assert_int_not_equal(port_free(), 0);
}

static void test_parse_monitor_lines(void **state)
{
	struct monitor_command c;

	(void)state;
	assert_true(monitor_parse("1700000000.123456 [0 unix:/x y] \"GETEX\" \"a\\\"b\\x41\\n\" \"PX\" \"5\"", &c));
	assert_false(c.is_from_script);
	assert_int_equal(c.argc, 4);
	assert_string_equal(c.argv[1], "a\"bA\n");
	assert_string_equal(c.argv[3], "5");
	monitor_command_free(&c);
	assert_true(monitor_parse("1700000000.123456 [3 lua] \"get\" \"a\"", &c));
	assert_true(c.is_from_script);
	monitor_command_free(&c);
	assert_false(monitor_parse("OK", &c));
	assert_false(monitor_parse("1.2 [0 x] \"GET", &c));
}

static void test_monitor_sees_all(void **state)
{
	struct redis_server s;
	struct monitor m;
	const char *first;
	redisContext *c;

	(void)state;
	redis_server_init(&s, &(struct redis_server_options){.password = "secret"});
	redis_server_start(&s);
	c = redis_server_connect(&s);
	monitor_start(&m, s.socket, "secret");
	freeReplyObject(redisCommand(c, "SET k v"));
	freeReplyObject(redisCommand(c, "EVAL %s 1 k", "return redis.call('GET', KEYS[1])"));
	monitor_take(&m);
	assert_int_equal(m.count, 3);
	assert_int_equal(monitor_count_sent(&m, &first), 2);
	assert_non_null(strstr(first, "\"SET\""));
	monitor_take(&m);
	assert_int_equal(m.count, 0);
	monitor_stop(&m);
	redisFree(c);
	redis_server_remove(&s);
}

static void test_redis_restarts(void **state)
{
	struct redis_server s;
	redisContext *c;

	(void)state;
	redis_server_init(&s,
			  &(struct redis_server_options){.args = {"--appendonly", "yes", "--appendfsync", "always"}});
	redis_server_start(&s);
	freeReplyObject(redis_server_command(&s, "SET k v"));
	redis_server_kill(&s);
	assert_null(redis_try_connect(s.socket, NULL));
	redis_server_start(&s);
	freeReplyObject(redis_server_command(&s, "GET k"));
	c = redis_server_connect(&s);
	assert_int_equal(redis_command_calls(c, "get"), 1);
	assert_int_equal(redis_info_number(c, "server", "process_id"), s.process.pid);
	assert_int_equal(redis_info_number(c, "server", "no_such"), -1);
	redisFree(c);
	redis_server_stop(&s);
	redis_server_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_run_captures),	cmocka_unit_test(test_wait_and_kill),
	    cmocka_unit_test(test_tmpdir_and_files),	cmocka_unit_test(test_ports_are_free),
	    cmocka_unit_test(test_parse_monitor_lines), cmocka_unit_test(test_monitor_sees_all),
	    cmocka_unit_test(test_redis_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
