#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/metrics.h"
#include "call.h"
#include "support/file.h"
#include "support/redis_server.h"
#include "support/wait.h"

/* The program itself, for a latchkeyd that can be killed. */
static const char *self;

struct scene {
	struct tmpdir dir;
	char folder[TMPDIR_FILE_BYTES];
	char socket[TMPDIR_FILE_BYTES];
	char pid_file[TMPDIR_FILE_BYTES];
	char url[TMPDIR_FILE_BYTES + 16];
	struct events events;
	struct redis_options options;
	redis *redis;
};

static int set_up(void **state)
{
	static struct scene scene;
	struct scene *s = &scene;

	*s = (struct scene){.events = EVENTS_INIT};
	tmpdir_make(&s->dir);
	tmpdir_file(&s->dir, "state/redis", s->folder);
	tmpdir_file(&s->dir, "state/redis/redis.sock", s->socket);
	tmpdir_file(&s->dir, "state/redis/redis.pid", s->pid_file);
	(void)snprintf(s->url, sizeof(s->url), "embedded:%.*s", TMPDIR_FILE_BYTES - 1, s->folder);
	s->options = options_for(s->url, &s->events);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	redis_close(&s->redis);
	tmpdir_remove(&s->dir);
	return 0;
}

/* 0: there is no pid file. */
static pid_t server_pid(const struct scene *s)
{
	char text[32] = "";
	FILE *file = fopen(s->pid_file, "r");

	if (file == NULL)
		return 0;
	(void)!fgets(text, sizeof(text), file);
	(void)fclose(file);
	return (pid_t)strtol(text, NULL, 10);
}

static bool is_alive(pid_t pid)
{
	char path[64];
	char line[256] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	(void)!fgets(line, sizeof(line), file);
	(void)fclose(file);
	/* A zombie that nobody has collected yet does nothing any more. */
	return strstr(line, ") Z ") == NULL && line[0] != '\0';
}

static void expect_refused(struct scene *s, enum status_code code, const char *part)
{
	struct redis_options options = s->options;
	redis *second = NULL;
	struct status st = {.text = "opened"};
	enum status_code found = redis_open(&options, &second, &st);

	redis_close(&second);
	if (found != code)
		fail_msg("%s: \"%s\", not \"%s\"", options.url, st.text, part);
	if (strstr(st.text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", st.text, part);
}

static void keeps_its_data(void **state)
{
	struct scene *s = *state;
	struct store_state st;
	pid_t pid;

	s->redis = open_ready(&s->options);
	store_get_state(redis_store(s->redis), &st);
	assert_string_equal(st.mode, "embedded");
	call_expect(s->redis, "SET k kept", STORE_REPLIED, "OK");
	pid = server_pid(s);
	assert_true(is_alive(pid));
	redis_close(&s->redis);
	assert_false(is_alive(pid));
	assert_int_equal(access(s->pid_file, F_OK), -1);
	s->redis = open_ready(&s->options);
	call_expect(s->redis, "GET k", STORE_REPLIED, "kept");
}

static void uses_the_state_folder(void **state)
{
	struct scene *s = *state;
	char path[200];

	s->options.url = "embedded:";
	s->options.state_dir = s->dir.path;
	s->redis = open_ready(&s->options);
	(void)snprintf(path, sizeof(path), "%s/redis/redis.sock", s->dir.path);
	assert_int_equal(access(path, F_OK), 0);
}

static void is_private(void **state)
{
	struct scene *s = *state;
	redisContext *c;
	redisReply *reply;
	struct stat st;

	s->redis = open_ready(&s->options);
	assert_int_equal(stat(s->folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(s->socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	/* A session of its own: a terminal's ^C is not for it. */
	assert_int_equal(getsid(server_pid(s)), server_pid(s));
	c = redis_try_connect(s->socket, NULL);
	assert_non_null(c);
	reply = redisCommand(c, "CONFIG GET port");
	assert_string_equal(reply->element[1]->str, "0");
	freeReplyObject(reply);
	reply = redisCommand(c, "CONFIG GET appendonly");
	assert_string_equal(reply->element[1]->str, "yes");
	freeReplyObject(reply);
	reply = redisCommand(c, "CONFIG GET save");
	assert_string_equal(reply->element[1]->str, "");
	freeReplyObject(reply);
	reply = redisCommand(c, "CONFIG GET maxmemory-policy");
	assert_string_equal(reply->element[1]->str, "noeviction");
	freeReplyObject(reply);
	redisFree(c);
}

static void restarts_what_dies(void **state)
{
	struct scene *s = *state;
	uint64_t restarts = metric_get(METRIC_EMBEDDED_RESTARTS);

	s->redis = open_ready(&s->options);
	for (unsigned round = 1; round <= 4; round++) {
		char set[32];
		char value[16];
		pid_t pid = server_pid(s);

		(void)snprintf(value, sizeof(value), "%u", round);
		(void)snprintf(set, sizeof(set), "SET k %u", round);
		call_expect(s->redis, set, STORE_REPLIED, "OK");
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_becomes(!is_ready(s->redis), BOUND_MS);
		assert_true(redis_wait_ready(s->redis, BOUND_MS));
		assert_int_not_equal(server_pid(s), pid);
		call_expect(s->redis, "GET k", STORE_REPLIED, value);
		assert_int_equal(metric_get(METRIC_EMBEDDED_RESTARTS), restarts + round);
	}
	assert_true(events_have(&s->events, "embedded_died"));
	assert_true(events_have(&s->events, "ended by signal 9"));
	assert_true(events_have(&s->events, "embedded_started"));
}

static void locks_its_folder(void **state)
{
	struct scene *s = *state;
	pid_t pid;

	s->redis = open_ready(&s->options);
	pid = server_pid(s);
	expect_refused(s, STATUS_FAILED_PRECONDITION, "in use by another latchkeyd");
	expect_refused(s, STATUS_FAILED_PRECONDITION, s->folder);
	assert_true(is_alive(pid));
	call_expect(s->redis, "PING", STORE_REPLIED, "PONG");
}

static void refuses_folders(void **state)
{
	struct scene *s = *state;
	char url[300];
	size_t longest = 107 - strlen("/redis.sock");

	assert_int_equal(chmod(s->dir.path, 0750), 0);
	(void)snprintf(url, sizeof(url), "embedded:%s", s->dir.path);
	s->options.url = url;
	expect_refused(s, STATUS_FAILED_PRECONDITION, "chmod 700");
	s->options.url = "embedded:/proc/latchkey";
	expect_refused(s, STATUS_FAILED_PRECONDITION, "/proc/latchkey");
	s->options.url = "embedded:/dev/null";
	expect_refused(s, STATUS_FAILED_PRECONDITION, "not a folder");

	assert_int_equal(chmod(s->dir.path, 0700), 0);
	(void)snprintf(url, sizeof(url), "embedded:%s/", s->dir.path);
	memset(url + strlen(url), 'd', sizeof(url) - strlen(url) - 1);
	url[sizeof(url) - 1] = '\0';
	url[strlen("embedded:") + longest + 1] = '\0';
	s->options.url = url;
	expect_refused(s, STATUS_INVALID_ARGUMENT, "use a shorter one");
	url[strlen("embedded:") + longest] = '\0';
	s->redis = open_ready(&s->options);
	call_expect(s->redis, "PING", STORE_REPLIED, "PONG");
}

static void write_program(const struct scene *s, char path[static TMPDIR_FILE_BYTES], const char *text)
{
	FILE *file;

	tmpdir_file(&s->dir, "program", path);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
}

static void refuses_programs(void **state)
{
	struct scene *s = *state;
	char path[TMPDIR_FILE_BYTES];

	s->options.server_binary = "no-such-redis-server";
	expect_refused(s, STATUS_FAILED_PRECONDITION, "no program no-such-redis-server in PATH");
	s->options.server_binary = "/no/such/redis-server";
	expect_refused(s, STATUS_FAILED_PRECONDITION, "redis.server_binary");
	write_program(s, path, "#!/bin/sh\necho first words\necho last words >&2\nexit 3\n");
	s->options.server_binary = path;
	expect_refused(s, STATUS_FAILED_PRECONDITION, ": last words");
	write_program(s, path, "#!/no/such/interpreter\n");
	expect_refused(s, STATUS_FAILED_PRECONDITION, "cannot be executed");
}

/* What the server itself complains of reaches the operator. */
static void quotes_the_server(void **state)
{
	struct scene *s = *state;
	char path[TMPDIR_FILE_BYTES + 64];

	s->redis = open_ready(&s->options);
	call_expect(s->redis, "SET k v", STORE_REPLIED, NULL);
	redis_close(&s->redis);
	(void)snprintf(path, sizeof(path), "%s/appendonlydir/appendonly.aof.manifest", s->folder);
	assert_int_equal(truncate(path, 7), 0);
	expect_refused(s, STATUS_FAILED_PRECONDITION, "redis.log");
}

static void spawn_server(struct process *p, const struct scene *s)
{
	const char *argv[] = {"redis-server", "--port", "0", "--unixsocket", s->socket, "--dir", s->folder,
			      "--save",	      "",	NULL};
	redisContext *c = NULL;

	process_spawn(p, &(struct process_spec){.argv = argv, .output_path = "/dev/null"});
	assert_becomes((c = redis_try_connect(s->socket, NULL)) != NULL, BOUND_MS);
	redisFree(c);
}

static void note_pid(const struct scene *s, pid_t pid)
{
	FILE *file = fopen(s->pid_file, "w");

	assert_non_null(file);
	(void)fprintf(file, "%d\n", (int)pid);
	(void)fclose(file);
}

static void ends_a_left_over_server(void **state)
{
	struct scene *s = *state;
	struct process left_over = {0};

	s->redis = open_ready(&s->options);
	redis_close(&s->redis);
	spawn_server(&left_over, s);
	/* Whatever else listens there is none of ours. */
	expect_refused(s, STATUS_FAILED_PRECONDITION, "is not ours to end");
	note_pid(s, getpid());
	expect_refused(s, STATUS_FAILED_PRECONDITION, "is not ours to end");
	assert_true(process_is_running(&left_over));
	note_pid(s, left_over.pid);
	s->redis = open_ready(&s->options);
	assert_false(process_is_running(&left_over));
	process_kill(&left_over);
}

static int hold(const char *url)
{
	struct events events = EVENTS_INIT;
	struct redis_options options = options_for(url, &events);
	struct status st;
	redis *r = NULL;

	if (redis_open(&options, &r, &st) != STATUS_OK)
		return 1;
	for (;;)
		pause();
}

static void dies_with_its_owner(void **state)
{
	struct scene *s = *state;
	const char *argv[] = {self, "hold", s->url, NULL};
	struct process owner = {0};
	pid_t pid;

	process_spawn(&owner, &(struct process_spec){.argv = argv});
	assert_becomes(server_pid(s) != 0 && access(s->socket, F_OK) == 0, BOUND_MS);
	pid = server_pid(s);
	process_kill(&owner);
	/* At once, while the old server may still be saving. */
	s->redis = open_ready(&s->options);
	assert_int_not_equal(server_pid(s), pid);
	assert_becomes(!is_alive(pid), BOUND_MS);
	call_expect(s->redis, "PING", STORE_REPLIED, "PONG");
}

/* A server that hangs is waited for, and ended in the end. */
static void ends_a_hanging_server(void **state)
{
	struct scene *s = *state;
	pid_t pid;

	s->redis = open_ready(&s->options);
	pid = server_pid(s);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	redis_close(&s->redis);
	assert_false(is_alive(pid));
	assert_true(events_have(&s->events, "embedded_killed"));
}

static void opens_and_closes_often(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 10; i++) {
		s->redis = open_redis(&s->options);
		redis_close(&s->redis);
	}
	s->redis = open_ready(&s->options);
	assert_int_equal(kill(server_pid(s), SIGKILL), 0);
	redis_close(&s->redis);
}

#define EMBEDDED_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    EMBEDDED_TEST(keeps_its_data),
	    EMBEDDED_TEST(uses_the_state_folder),
	    EMBEDDED_TEST(is_private),
	    EMBEDDED_TEST(restarts_what_dies),
	    EMBEDDED_TEST(locks_its_folder),
	    EMBEDDED_TEST(refuses_folders),
	    EMBEDDED_TEST(refuses_programs),
	    EMBEDDED_TEST(quotes_the_server),
	    EMBEDDED_TEST(ends_a_left_over_server),
	    EMBEDDED_TEST(dies_with_its_owner),
	    EMBEDDED_TEST(ends_a_hanging_server),
	    EMBEDDED_TEST(opens_and_closes_often),
	};

	self = argv[0];
	if (argc == 3 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
