#include "redis/greeting.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define VERSION_MAJOR_MIN 7

static void add(struct store_command *c, span argument)
{
	c->argv[c->argc++] = argument;
}

bool greeting_command(enum greeting_step step, const struct greeting_settings *settings,
		      struct greeting_scratch *scratch, struct store_command *ret)
{
	struct store_command c = {.script = STORE_NO_SCRIPT};

	switch (step) {
	case GREETING_AUTH:
		if (settings->password == NULL)
			return false;
		add(&c, SPAN_LIT("AUTH"));
		if (settings->user != NULL)
			add(&c, span_str(settings->user));
		add(&c, span_str(settings->password));
		break;
	case GREETING_SELECT:
		if (settings->db == 0)
			return false;
		(void)snprintf(scratch->db, sizeof(scratch->db), "%u", settings->db);
		add(&c, SPAN_LIT("SELECT"));
		add(&c, span_str(scratch->db));
		break;
	case GREETING_NAME:
		add(&c, SPAN_LIT("CLIENT"));
		add(&c, SPAN_LIT("SETNAME"));
		add(&c, SPAN_LIT("latchkeyd"));
		break;
	case GREETING_INFO:
		add(&c, SPAN_LIT("INFO"));
		add(&c, SPAN_LIT("server"));
		break;
	default:
		assert(step == GREETING_PING);
		add(&c, SPAN_LIT("PING"));
	}
	*ret = c;
	return true;
}

/* Copies what is printable, so that a peer cannot write control characters into a log or a terminal. */
static void copy_printable(char *ret, size_t size, span s)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;

	for (size_t i = 0; i < n; i++)
		ret[i] = (char)(s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f ? s.ptr[i] : '?');
	ret[n] = '\0';
}

static void read_version(span info, char *ret, size_t size)
{
	static const char field[] = "redis_version:";
	const uint8_t *at = info.len == 0 ? NULL : memmem(info.ptr, info.len, field, sizeof(field) - 1);
	size_t left;
	const uint8_t *end;

	if (at == NULL)
		return;
	at += sizeof(field) - 1;
	left = (size_t)(info.ptr + info.len - at);
	end = memchr(at, '\r', left);
	copy_printable(ret, size, span_of(at, end == NULL ? left : (size_t)(end - at)));
}

static bool refuse(const char *what, const struct store_reply *reply, struct greeting_result *ret)
{
	char words[100] = "an answer of another type";

	if (reply->type == STORE_ERROR)
		copy_printable(words, sizeof(words), reply->string);
	(void)snprintf(ret->refusal, sizeof(ret->refusal), "%s: %s", what, words);
	return false;
}

bool greeting_answer(enum greeting_step step, const struct store_reply *reply, struct greeting_result *ret)
{
	switch (step) {
	case GREETING_AUTH:
		return reply->type == STORE_STATUS || refuse("AUTH refused", reply, ret);
	case GREETING_SELECT:
		return reply->type == STORE_STATUS || refuse("SELECT refused", reply, ret);
	case GREETING_NAME:
		return true;
	case GREETING_INFO:
		if (reply->type == STORE_STRING)
			read_version(reply->string, ret->version, sizeof(ret->version));
		return true;
	default:
		assert(step == GREETING_PING);
		return reply->type == STORE_STATUS || refuse("not ready", reply, ret);
	}
}

bool greeting_version_is_served(const char *version)
{
	return version[0] == '\0' || strtoul(version, NULL, 10) >= VERSION_MAJOR_MIN;
}
