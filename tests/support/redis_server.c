#include "support/redis_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/file.h"
#include "support/port.h"
#include "support/wait.h"

void redis_server_init(struct redis_server *s, const struct redis_server_options *options)
{
	*s = (struct redis_server){0};
	if (options != NULL)
		s->options = *options;
	tmpdir_make(&s->dir);
	tmpdir_file(&s->dir, "redis.sock", s->socket);
	tmpdir_file(&s->dir, "redis.log", s->log);
	snprintf(s->url, sizeof(s->url), "unix://%s", s->socket);
	s->port = port_free();
}

static bool answers(const struct redis_server *s)
{
	redisContext *c = redis_try_connect(s->socket, s->options.password);
	redisReply *reply;
	bool is_there = false;

	if (c == NULL)
		return false;
	reply = redisCommand(c, "PING");
	if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
		is_there = s->options.may_load && strncmp(reply->str, "LOADING", 7) == 0;
	else if (reply != NULL)
		is_there = reply->type == REDIS_REPLY_STATUS;
	freeReplyObject(reply);
	redisFree(c);
	return is_there;
}

void redis_server_start(struct redis_server *s)
{
	char port[8];
	const char *argv[16 + 2 * REDIS_ARGS_MAX] = {"redis-server", "--port",	port,	 "--bind",    "127.0.0.1",
						     "--unixsocket", s->socket, "--dir", s->dir.path, "--logfile",
						     s->log,	     "--save",	""};
	struct process_spec spec = {.argv = argv, .output_path = s->log};
	size_t argc = 13;

	snprintf(port, sizeof(port), "%u", s->port);
	if (s->options.password != NULL) {
		argv[argc++] = "--requirepass";
		argv[argc++] = s->options.password;
	}
	for (size_t i = 0; i < REDIS_ARGS_MAX && s->options.args[i] != NULL; i++)
		argv[argc++] = s->options.args[i];
	process_spawn(&s->process, &spec);
	if (!WAIT_FOR(answers(s) || !process_is_running(&s->process), BOUND_MS) || !process_is_running(&s->process))
		fail_msg("redis-server does not answer:\n%s", file_read(s->log, NULL));
}

void redis_server_stop(struct redis_server *s)
{
	process_signal(&s->process, SIGTERM);
	if (!process_wait(&s->process, BOUND_MS, NULL))
		fail_msg("redis-server does not stop");
}

void redis_server_kill(struct redis_server *s)
{
	process_kill(&s->process);
}

void redis_server_remove(struct redis_server *s)
{
	process_kill(&s->process);
	tmpdir_remove(&s->dir);
}

redisContext *redis_try_connect(const char *unix_socket, const char *password)
{
	const struct timeval bound = {.tv_sec = BOUND_MS / 1000};
	redisContext *c = redisConnectUnixWithTimeout(unix_socket, bound);
	redisReply *reply;

	if (c == NULL || c->err != 0)
		goto fail;
	if (redisSetTimeout(c, bound) != REDIS_OK)
		goto fail;
	if (password == NULL)
		return c;
	reply = redisCommand(c, "AUTH %s", password);
	if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
		freeReplyObject(reply);
		goto fail;
	}
	freeReplyObject(reply);
	return c;
fail:
	if (c != NULL)
		redisFree(c);
	return NULL;
}

redisContext *redis_server_connect(const struct redis_server *s)
{
	redisContext *c = redis_try_connect(s->socket, s->options.password);

	if (c == NULL)
		fail_msg("cannot connect to %s", s->socket);
	return c;
}

redisReply *redis_server_command(const struct redis_server *s, const char *format, ...)
{
	redisContext *c = redis_server_connect(s);
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = redisvCommand(c, format, args);
	va_end(args);
	if (reply == NULL)
		fail_msg("%s: %s", format, c->errstr);
	if (reply->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", format, reply->str);
	redisFree(c);
	return reply;
}

static redisReply *info(redisContext *c, const char *section)
{
	redisReply *reply = redisCommand(c, "INFO %s", section);

	if (reply == NULL || reply->type != REDIS_REPLY_STRING)
		fail_msg("INFO %s: no answer", section);
	return reply;
}

long long redis_info_number(redisContext *c, const char *section, const char *field)
{
	redisReply *reply = info(c, section);
	long long number = -1;
	size_t len = strlen(field);

	for (const char *line = reply->str; line != NULL; line = strchr(line, '\n')) {
		line += line[0] == '\n';
		if (strncmp(line, field, len) == 0 && line[len] == ':')
			number = strtoll(line + len + 1, NULL, 10);
	}
	freeReplyObject(reply);
	return number;
}

long long redis_command_calls(redisContext *c, const char *name)
{
	redisReply *reply = info(c, "commandstats");
	long long calls = 0;
	const char *line;
	char field[64];

	snprintf(field, sizeof(field), "cmdstat_%s:calls=", name);
	line = strstr(reply->str, field);
	if (line != NULL)
		calls = strtoll(line + strlen(field), NULL, 10);
	freeReplyObject(reply);
	return calls;
}

long long redis_data_commands(redisContext *c)
{
	static const char *const names[] = {"getex",   "get",	  "set",      "del",	  "eval",
					    "evalsha", "append",  "setrange", "getrange", "zadd",
					    "zrem",    "pexpire", "pttl",     "exists",	  "unlink"};
	long long calls = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		calls += redis_command_calls(c, names[i]);
	return calls;
}
