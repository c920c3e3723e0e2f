/* What ops does to the process, each in a child of its own: the settings cannot be taken back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/args.h"
#include "ops/harden.h"
#include "ops/signals.h"
#include "ops/state_dir.h"

/* Runs body in a child: its wait status. What it prints goes nowhere. */
static int in_child(void (*body)(void))
{
	const pid_t pid = fork();
	int status = -1;

	assert_true(pid >= 0);
	if (pid == 0) {
		const int null = open("/dev/null", O_WRONLY);

		if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
			_exit(99);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* In a child: ends it with a status that tells where. */
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			_exit(__LINE__ % 250 + 1);                                                                     \
	} while (0)

static void wait_for_signals(void)
{
	signals_block();
	CHECK(signals_wait(1) == SIGNAL_NONE);
	CHECK(kill(getpid(), SIGHUP) == 0);
	CHECK(signals_wait(0) == SIGNAL_RELOAD);
	CHECK(kill(getpid(), SIGTERM) == 0);
	CHECK(signals_wait(60000) == SIGNAL_STOP);
	CHECK(kill(getpid(), SIGINT) == 0);
	CHECK(signals_wait(0) == SIGNAL_STOP);
	CHECK(kill(getpid(), SIGPIPE) == 0);
}

static void end_at_once(void)
{
	signals_block();
	signals_end_at_once();
	CHECK(kill(getpid(), SIGHUP) == 0);
	CHECK(kill(getpid(), SIGTERM) == 0);
}

static void test_signals(void **state)
{
	int status;

	(void)state;
	assert_int_equal(in_child(wait_for_signals), 0);
	status = in_child(end_at_once);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void harden(void)
{
	struct rlimit core;
	struct status st;

	CHECK(harden_process(&st) == STATUS_OK);
	CHECK(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(umask(0) == 077);
}

static void allow_files(void)
{
	struct rlimit limit = {.rlim_cur = 100, .rlim_max = 200};
	struct status st;

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(harden_allow_files(50, &st) == STATUS_OK);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 100);
	CHECK(harden_allow_files(200, &st) == STATUS_OK);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 200);
	CHECK(harden_allow_files(201, &st) == STATUS_FAILED_PRECONDITION);
	CHECK(strstr(st.text, "201 open files") != NULL && strstr(st.text, "limit is 200") != NULL);
}

static void test_harden(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden), 0);
	assert_int_equal(in_child(allow_files), 0);
}

static void test_state_dir(void **state)
{
	char root[] = "/tmp/lk-ops-XXXXXX";
	char path[128];
	char parent[128];
	char below[128];
	struct status st;
	struct stat s;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(parent, sizeof(parent), "%s/a", root);
	snprintf(path, sizeof(path), "%s/a/b", root);
	assert_false(path_exists(path));
	assert_int_equal(state_dir_prepare(path, &st), STATUS_OK);
	assert_true(path_exists(path));
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0700);
	assert_int_equal(state_dir_prepare(path, &st), STATUS_OK);

	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(state_dir_prepare(path, &st), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.text, "chmod go-w"));
	assert_int_equal(rmdir(path), 0);

	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(state_dir_prepare(path, &st), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.text, "is no folder"));
	snprintf(below, sizeof(below), "%s/a/b/c", root);
	assert_int_equal(state_dir_prepare(below, &st), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.text, "cannot be made"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(parent), 0);
	assert_int_equal(rmdir(root), 0);
}

static struct args parse(const char *a, const char *b, const char *c)
{
	char program[] = "latchkeyd";
	char words[3][32];
	char *argv[5] = {program};
	const char *given[3] = {a, b, c};
	int argc = 1;

	for (int i = 0; i < 3 && given[i] != NULL; i++) {
		snprintf(words[i], sizeof(words[i]), "%s", given[i]);
		argv[argc++] = words[i];
	}
	return args_parse(argc, argv);
}

static void ask_version(void)
{
	(void)parse("--version", NULL, NULL);
	_exit(98);
}

static void ask_help(void)
{
	(void)parse("--help", NULL, NULL);
	_exit(98);
}

static void give_unknown_option(void)
{
	(void)parse("--nonsense", NULL, NULL);
	_exit(98);
}

static void give_argument(void)
{
	(void)parse("start", NULL, NULL);
	_exit(98);
}

static void give_two_actions(void)
{
	(void)parse("--check-config", "--print-config", NULL);
	_exit(98);
}

static void give_no_number(void)
{
	(void)parse("--promote-key", "k", NULL);
	_exit(98);
}

static void give_bad_number(void)
{
	(void)parse("--promote-key", "k", "65536");
	_exit(98);
}

static void test_args(void **state)
{
	struct args a = parse(NULL, NULL, NULL);

	(void)state;
	assert_int_equal(a.action, ARGS_RUN);
	assert_null(a.config_file);
	assert_int_equal(parse("--check-config", NULL, NULL).action, ARGS_CHECK_CONFIG);
	assert_int_equal(parse("--config", "x.yaml", "--print-config").action, ARGS_PRINT_CONFIG);
	assert_non_null(parse("-c", "x.yaml", NULL).config_file);
	assert_int_equal(parse("--print-config-schema", NULL, NULL).action, ARGS_PRINT_SCHEMA);
	assert_int_equal(parse("--new-keyring", "k", NULL).action, ARGS_NEW_KEYRING);
	assert_int_equal(parse("--add-key", "k", NULL).action, ARGS_ADD_KEY);
	a = parse("--promote-key", "k", "65535");
	assert_int_equal(a.action, ARGS_PROMOTE_KEY);
	assert_int_equal(a.key, 65535);
	assert_int_equal(WEXITSTATUS(in_child(give_no_number)), 2);
	assert_int_equal(WEXITSTATUS(in_child(give_bad_number)), 2);
	assert_int_equal(in_child(ask_version), 0);
	assert_int_equal(in_child(ask_help), 0);
	assert_int_equal(WEXITSTATUS(in_child(give_unknown_option)), 2);
	assert_int_equal(WEXITSTATUS(in_child(give_argument)), 2);
	assert_int_equal(WEXITSTATUS(in_child(give_two_actions)), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signals),
	    cmocka_unit_test(test_harden),
	    cmocka_unit_test(test_state_dir),
	    cmocka_unit_test(test_args),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
