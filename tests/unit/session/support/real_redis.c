#include "real_redis.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A redis-server starts in some 20 ms; under sanitizers on a busy machine in a few hundred. */
#define START_TRIES    1000
#define START_PAUSE_US 10000

static const char *const script_files[STORE_SCRIPTS] = {
#define X(id, file) [STORE_SCRIPT_##id] = SCRIPTS_DIR "/" file ".lua",
    STORE_SCRIPT_MAP(X)
#undef X
};

static void exec_server(const struct real_redis *r)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", r->socket_path, "--dir", r->folder,
	       "--save", "", "--appendonly", "no", "--logfile", "redis.log", "--lua-time-limit", "0", (char *)NULL);
	_exit(127);
}

void real_redis_start(struct real_redis *r)
{
	*r = (struct real_redis){.folder = "/tmp/latchkey-test-XXXXXX"};
	assert_non_null(mkdtemp(r->folder));
	(void)snprintf(r->socket_path, sizeof(r->socket_path), "%s/redis.sock", r->folder);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0)
		exec_server(r);
	for (int i = 0; i < START_TRIES; i++) {
		r->connection = redisConnectUnix(r->socket_path);
		assert_non_null(r->connection);
		if (r->connection->err == 0)
			return;
		redisFree(r->connection);
		r->connection = NULL;
		assert_int_equal(waitpid(r->pid, NULL, WNOHANG), 0);
		usleep(START_PAUSE_US);
	}
	fail_msg("redis-server did not start");
}

void real_redis_stop(struct real_redis *r)
{
	char path[128];

	redisFree(r->connection);
	kill(r->pid, SIGKILL);
	(void)waitpid(r->pid, NULL, 0);
	(void)unlink(r->socket_path);
	(void)snprintf(path, sizeof(path), "%s/redis.log", r->folder);
	(void)unlink(path);
	(void)rmdir(r->folder);
	for (size_t i = 0; i < STORE_SCRIPTS; i++)
		free(r->scripts[i]);
}

static char *read_script(const char *path)
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

static const struct store_reply *copy_reply(arena *a, const redisReply *reply)
{
	struct store_reply *out = arena_alloc(a, sizeof(*out));
	const struct store_reply **elements;

	assert_non_null(out);
	switch (reply->type) {
	case REDIS_REPLY_NIL:
		out->type = STORE_NIL;
		break;
	case REDIS_REPLY_INTEGER:
		out->type = STORE_INTEGER;
		out->integer = reply->integer;
		break;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		out->type = reply->type == REDIS_REPLY_STRING ? STORE_STRING : STORE_STATUS;
		assert_true(arena_copy(a, span_of(reply->str, (size_t)reply->len), &out->string));
		break;
	case REDIS_REPLY_ARRAY:
		out->type = STORE_ARRAY;
		out->count = reply->elements;
		elements = arena_array(a, out->count, sizeof(const struct store_reply *));
		assert_non_null(elements);
		for (size_t i = 0; i < out->count; i++)
			elements[i] = copy_reply(a, reply->element[i]);
		out->elements = elements;
		break;
	case REDIS_REPLY_ERROR:
		out->type = STORE_ERROR;
		assert_true(arena_copy(a, span_of(reply->str, (size_t)reply->len), &out->string));
		break;
	default:
		fail_msg("redis: reply of type %d", reply->type);
	}
	return out;
}

const struct store_reply *real_redis_do(struct real_redis *r, arena *a, const struct store_command *command)
{
	const char *argv[STORE_ARGS_MAX + 3];
	size_t lengths[STORE_ARGS_MAX + 3];
	const struct store_reply *out;
	char key_count[8];
	redisReply *reply;
	int argc = 0;

	if (command->script != STORE_NO_SCRIPT) {
		if (r->scripts[command->script] == NULL)
			r->scripts[command->script] = read_script(script_files[command->script]);
		(void)snprintf(key_count, sizeof(key_count), "%u", command->key_count);
		argv[argc++] = "EVAL";
		argv[argc++] = r->scripts[command->script];
		argv[argc++] = key_count;
		for (int i = 0; i < argc; i++)
			lengths[i] = strlen(argv[i]);
	}
	for (size_t i = 0; i < command->argc; i++) {
		argv[argc] = (const char *)command->argv[i].ptr;
		lengths[argc++] = command->argv[i].len;
	}
	reply = redisCommandArgv(r->connection, argc, argv, lengths);
	assert_non_null(reply);
	out = copy_reply(a, reply);
	freeReplyObject(reply);
	return out;
}

static redisReply *ask(struct real_redis *r, const char *format, va_list args)
{
	redisReply *reply = redisvCommand(r->connection, format, args);

	assert_non_null(reply);
	if (reply->type == REDIS_REPLY_ERROR)
		fail_msg("redis: %s", reply->str);
	return reply;
}

redisReply *real_redis_ask(struct real_redis *r, const char *format, ...)
{
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = ask(r, format, args);
	va_end(args);
	return reply;
}

long long real_redis_number(struct real_redis *r, const char *format, ...)
{
	redisReply *reply;
	long long n;
	va_list args;

	va_start(args, format);
	reply = ask(r, format, args);
	va_end(args);
	assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
	n = reply->integer;
	freeReplyObject(reply);
	return n;
}
