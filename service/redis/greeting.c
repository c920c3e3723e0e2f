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
	case GREETING_READONLY:
		if (!settings->is_readonly)
			return false;
		add(&c, SPAN_LIT("READONLY"));
		break;
	case GREETING_INFO:
		/* Without naming sections: Redis 6 takes only one, and is to be told by its version. */
		add(&c, SPAN_LIT("INFO"));
		break;
	default:
		assert(step == GREETING_PING);
		add(&c, SPAN_LIT("PING"));
	}
	*ret = c;
	return true;
}

/* Others, such as LOADING, pass by themselves. */
static bool is_about_login(const char *words)
{
	return strstr(words, "AUTH") != NULL || strstr(words, "WRONGPASS") != NULL || strstr(words, "NOPERM") != NULL;
}

static bool refuse(const char *what, const struct store_reply *reply, struct greeting_result *ret)
{
	char words[100] = "an answer of another type";

	if (reply->type == STORE_ERROR)
		info_copy_printable(words, sizeof(words), reply->string);
	(void)snprintf(ret->refusal, sizeof(ret->refusal), "%s: %s", what, words);
	ret->is_login_refused = is_about_login(words);
	return false;
}

/* A Redis that cannot save refuses writes, and this; it still answers reads. */
static bool is_pong(const struct store_reply *reply)
{
	return reply->type == STORE_STATUS ||
	       (reply->type == STORE_ERROR && span_starts_with(reply->string, SPAN_LIT("MISCONF")));
}

bool greeting_answer(enum greeting_step step, const struct store_reply *reply, struct greeting_result *ret)
{
	switch (step) {
	case GREETING_AUTH:
		return reply->type == STORE_STATUS || refuse("AUTH refused", reply, ret);
	case GREETING_SELECT:
		return reply->type == STORE_STATUS || refuse("SELECT refused", reply, ret);
	case GREETING_NAME:
	case GREETING_READONLY:
		/* READONLY is refused outside of a cluster, where no replica needs it. */
		return true;
	case GREETING_INFO:
		if (reply->type == STORE_STRING)
			info_read(reply->string, &ret->info);
		else if (reply->type == STORE_ERROR)
			info_copy_printable(ret->untold, sizeof(ret->untold), reply->string);
		return true;
	default:
		assert(step == GREETING_PING);
		return is_pong(reply) || refuse("not ready", reply, ret);
	}
}

bool greeting_version_is_served(const char *version)
{
	return version[0] == '\0' || strtoul(version, NULL, 10) >= VERSION_MAJOR_MIN;
}
