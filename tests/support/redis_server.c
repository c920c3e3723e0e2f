#include "support/redis_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/file.h"
#include "support/port.h"
#include "support/wait.h"

#define LINE_WORDS_MAX (48 + REDIS_ARGS_MAX)
/* Two ports, and a password of the 1023 bytes that the service takes. */
#define TEXT_BYTES	 1200
#define LAST_WORDS_BYTES 1500

static const struct timeval patient = {.tv_sec = BOUND_MS / 1000};
/* For servers that may be frozen, or not be there: all are on this machine. */
static const struct timeval impatient = {.tv_sec = 2};

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
	if (s->options.tls != NULL)
		s->tls_port = port_free();
}

/* A command line under construction. The strings that have no other owner are in `text`. */
struct line {
	const char *argv[LINE_WORDS_MAX];
	size_t argc;
	char text[TEXT_BYTES];
	size_t text_used;
};

static void add(struct line *l, const char *word)
{
	assert_true(l->argc + 1 < LINE_WORDS_MAX);
	l->argv[l->argc++] = word;
}

static void add_pair(struct line *l, const char *option, const char *value)
{
	add(l, option);
	add(l, value);
}

static const char *keep(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *keep(struct line *l, const char *format, ...)
{
	size_t room = sizeof(l->text) - l->text_used;
	char *at = l->text + l->text_used;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(at, room, format, args);
	va_end(args);
	assert_true(len >= 0 && (size_t)len < room);
	l->text_used += (size_t)len + 1;
	return at;
}

static void add_place(struct line *l, const struct redis_server *s)
{
	add_pair(l, "--port", keep(l, "%u", s->port));
	add_pair(l, "--bind", redis_server_address(s));
	/* Who reaches the host at all is let in: the network is the test's own. */
	if (s->options.host != NULL)
		add_pair(l, "--protected-mode", "no");
	add_pair(l, "--unixsocket", s->socket);
	add_pair(l, "--dir", s->dir.path);
	add_pair(l, "--logfile", s->log);
}

static void add_tls(struct line *l, const struct redis_server *s)
{
	const struct certificates *tls = s->options.tls;

	add_pair(l, "--tls-port", keep(l, "%u", s->tls_port));
	add_pair(l, "--tls-ca-cert-file", tls->ca);
	add_pair(l, "--tls-cert-file", tls->server);
	add_pair(l, "--tls-key-file", tls->server_key);
	add_pair(l, "--tls-auth-clients", s->options.is_mutual ? "yes" : "no");
}

static void add_user(struct line *l, const struct redis_server *s)
{
	const char *password = s->options.password;

	add_pair(l, "--user", s->options.user);
	add(l, "on");
	add(l, password == NULL ? "nopass" : keep(l, ">%s", password));
	add(l, "~*");
	add(l, "&*");
	add(l, "+@all");
}

static void write_line(struct line *l, const struct redis_server *s)
{
	add(l, "redis-server");
	if (s->options.file != NULL)
		add(l, s->options.file);
	add_pair(l, "--save", "");
	add_place(l, s);
	if (s->options.tls != NULL)
		add_tls(l, s);
	if (s->options.password != NULL)
		add_pair(l, "--requirepass", s->options.password);
	if (s->options.user != NULL)
		add_user(l, s);
	for (size_t i = 0; i < REDIS_ARGS_MAX && s->options.args[i] != NULL; i++)
		add(l, s->options.args[i]);
}

void redis_server_launch(struct redis_server *s)
{
	struct line l = {0};
	struct process_spec spec = {.argv = l.argv, .output_path = s->log};

	write_line(&l, s);
	if (s->options.host != NULL)
		spec.netns_fd = s->options.host->fd;
	process_spawn(&s->process, &spec);
	s->is_frozen = false;
}

static bool answers(const struct redis_server *s)
{
	redisReply *reply = redis_server_try(s, "PING");
	bool is_there = false;

	if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
		is_there = s->options.may_load && strncmp(reply->str, "LOADING", 7) == 0;
	else if (reply != NULL)
		is_there = reply->type == REDIS_REPLY_STATUS;
	freeReplyObject(reply);
	return is_there;
}

char *redis_server_last_words(const struct redis_server *s)
{
	size_t len;
	char *log = file_read(s->log, &len);

	if (len > LAST_WORDS_BYTES)
		memmove(log, log + len - LAST_WORDS_BYTES, LAST_WORDS_BYTES + 1);
	return log;
}

void redis_server_wait_up(struct redis_server *s)
{
	if (!WAIT_FOR(answers(s) || !process_is_running(&s->process), BOUND_MS) || !process_is_running(&s->process))
		fail_msg("redis-server does not answer:\n%s", redis_server_last_words(s));
}

void redis_server_start(struct redis_server *s)
{
	redis_server_launch(s);
	redis_server_wait_up(s);
}

void redis_server_stop(struct redis_server *s)
{
	process_signal(&s->process, SIGTERM);
	if (!process_wait(&s->process, BOUND_MS, NULL))
		fail_msg("redis-server does not stop:\n%s", redis_server_last_words(s));
}

void redis_server_kill(struct redis_server *s)
{
	process_kill(&s->process);
	s->is_frozen = false;
}

void redis_server_freeze(struct redis_server *s)
{
	process_signal(&s->process, SIGSTOP);
	s->is_frozen = true;
}

void redis_server_thaw(struct redis_server *s)
{
	process_signal(&s->process, SIGCONT);
	s->is_frozen = false;
}

bool redis_server_is_live(const struct redis_server *s)
{
	return !s->is_frozen && process_is_running(&s->process);
}

void redis_server_remove(struct redis_server *s)
{
	redis_server_kill(s);
	tmpdir_remove(&s->dir);
}

const char *redis_server_address(const struct redis_server *s)
{
	return s->options.host == NULL ? "127.0.0.1" : s->options.host->address;
}

uint16_t redis_server_service_port(const struct redis_server *s)
{
	return s->tls_port != 0 ? s->tls_port : s->port;
}

/* Nulls and frees what cannot be used. */
static redisContext *log_in(redisContext *c, const char *password, const struct timeval bound)
{
	redisReply *reply = NULL;

	if (c == NULL || c->err != 0 || redisSetTimeout(c, bound) != REDIS_OK)
		goto fail;
	if (password == NULL)
		return c;
	reply = redisCommand(c, "AUTH %s", password);
	if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
		goto fail;
	freeReplyObject(reply);
	return c;
fail:
	freeReplyObject(reply);
	if (c != NULL)
		redisFree(c);
	return NULL;
}

redisContext *redis_try_connect(const char *unix_socket, const char *password)
{
	return log_in(redisConnectUnixWithTimeout(unix_socket, patient), password, patient);
}

redisContext *redis_try_connect_tcp(uint16_t port, const char *password)
{
	return log_in(redisConnectWithTimeout("127.0.0.1", port, patient), password, patient);
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

redisReply *redis_server_try(const struct redis_server *s, const char *format, ...)
{
	redisContext *c = log_in(redisConnectUnixWithTimeout(s->socket, impatient), s->options.password, impatient);
	redisReply *reply;
	va_list args;

	if (c == NULL)
		return NULL;
	va_start(args, format);
	reply = redisvCommand(c, format, args);
	va_end(args);
	redisFree(c);
	return reply;
}

bool redis_server_info_is(const struct redis_server *s, const char *section, const char *field, const char *value)
{
	redisReply *reply = redis_server_try(s, "INFO %s", section);
	char line[256];
	bool is_so;

	snprintf(line, sizeof(line), "\n%s:%s\r", field, value);
	is_so = reply != NULL && reply->type == REDIS_REPLY_STRING && strstr(reply->str, line) != NULL;
	freeReplyObject(reply);
	return is_so;
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
	static const char *const names[] = {"getex",	"set",	"del",	"eval",	   "evalsha", "append", "setrange",
					    "getrange", "zadd", "zrem", "pexpire", "pttl",    "exists", "unlink"};
	long long calls = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		calls += redis_command_calls(c, names[i]);
	return calls;
}
