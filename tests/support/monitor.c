#include "support/monitor.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "support/redis_server.h"
#include "support/wait.h"

void monitor_start(struct monitor *m, const char *unix_socket, const char *password)
{
	redisReply *reply;

	*m = (struct monitor){.feed = redis_try_connect(unix_socket, password),
			      .marker = redis_try_connect(unix_socket, password)};
	if (m->feed == NULL || m->marker == NULL)
		fail_msg("cannot connect to %s", unix_socket);
	reply = redisCommand(m->feed, "MONITOR");
	if (reply == NULL || reply->type != REDIS_REPLY_STATUS)
		fail_msg("MONITOR: %s", reply == NULL ? m->feed->errstr : reply->str);
	freeReplyObject(reply);
}

static void forget_lines(struct monitor *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->lines[i]);
	m->count = 0;
}

void monitor_stop(struct monitor *m)
{
	forget_lines(m);
	free(m->lines);
	if (m->feed != NULL)
		redisFree(m->feed);
	if (m->marker != NULL)
		redisFree(m->marker);
	*m = (struct monitor){0};
}

static void keep_line(struct monitor *m, const char *text)
{
	if (m->count == m->room) {
		m->room = m->room == 0 ? 64 : m->room * 2;
		m->lines = realloc(m->lines, m->room * sizeof(*m->lines));
		if (m->lines == NULL)
			abort();
	}
	m->lines[m->count] = strdup(text);
	if (m->lines[m->count++] == NULL)
		abort();
}

static void send_marker(struct monitor *m, char *out, size_t out_size)
{
	redisReply *reply;

	snprintf(out, out_size, "marker-%d-%u", (int)getpid(), ++m->serial);
	reply = redisCommand(m->marker, "ECHO %s", out);
	if (reply == NULL || reply->type != REDIS_REPLY_STRING)
		fail_msg("ECHO: %s", m->marker->errstr);
	freeReplyObject(reply);
}

/* What the service sends with no call behind it. */
static bool is_by_itself(const char *line)
{
	static const char *const own[] = {"] \"PING\"", "] \"INFO\"", "] \"CLIENT\"", "] \"GET\" \"lk1:n:"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (strstr(line, own[i]) != NULL)
			return true;
	}
	return false;
}

void monitor_take(struct monitor *m)
{
	bool at_marker = false;
	char marker[64];

	forget_lines(m);
	send_marker(m, marker, sizeof(marker));
	while (!at_marker) {
		redisReply *line = NULL;

		if (redisGetReply(m->feed, (void **)&line) != REDIS_OK)
			fail_msg("MONITOR ended: %s", m->feed->errstr);
		at_marker = strstr(line->str, marker) != NULL;
		if (!at_marker && !is_by_itself(line->str))
			keep_line(m, line->str);
		freeReplyObject(line);
	}
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* One escaped character after its backslash; returns how many characters it took. */
static size_t unescape(const char *at, char *out)
{
	static const char letters[] = "nrtab";
	static const char meanings[] = "\n\r\t\a\b";
	const char *letter = strchr(letters, at[0]);

	if (at[0] == 'x' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2])) {
		*out = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
		return 3;
	}
	*out = letter != NULL && at[0] != '\0' ? meanings[letter - letters] : at[0];
	return 1;
}

/* Unescapes the word behind the opening quote in place; returns what follows its closing quote, or NULL. */
static char *close_word(char *at)
{
	char *out = at;

	while (*at != '"') {
		if (*at == '\0')
			return NULL;
		if (*at == '\\')
			at += 1 + unescape(at + 1, out++);
		else
			*out++ = *at++;
	}
	*out = '\0';
	return at + 1;
}

/* TIME [DB SOURCE] "WORD" "WORD" ... */
bool monitor_parse(const char *line, struct monitor_command *ret)
{
	struct monitor_command c = {.text = strdup(line)};
	char *source = c.text == NULL ? NULL : strchr(c.text, '[');
	char *at = source == NULL ? NULL : strstr(source, "] \"");

	if (at == NULL)
		goto fail;
	*at = '\0';
	c.is_from_script = strstr(source, " lua") != NULL;
	at += 2;
	while (at != NULL && *at == '"' && c.argc < MONITOR_WORDS_MAX) {
		c.argv[c.argc++] = at + 1;
		at = close_word(at + 1);
		if (at != NULL && *at == ' ')
			at++;
	}
	if (at == NULL)
		goto fail;
	*ret = c;
	return true;
fail:
	free(c.text);
	return false;
}

void monitor_command_free(struct monitor_command *c)
{
	free(c->text);
	*c = (struct monitor_command){0};
}

size_t monitor_count_sent(const struct monitor *m, const char **ret_first)
{
	struct monitor_command c;
	size_t sent = 0;

	for (size_t i = 0; i < m->count; i++) {
		if (!monitor_parse(m->lines[i], &c))
			continue;
		if (!c.is_from_script && sent++ == 0 && ret_first != NULL)
			*ret_first = m->lines[i];
		monitor_command_free(&c);
	}
	return sent;
}
