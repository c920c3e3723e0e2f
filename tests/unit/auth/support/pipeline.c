#include "pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
	enum store_script script;
	const char *file;
} scripts[] = {
    {STORE_SCRIPT_AUTH_LOOKUP, SCRIPTS_DIR "/auth_lookup.lua"},
    {STORE_SCRIPT_AUTH_PEEK, SCRIPTS_DIR "/auth_peek.lua"},
    {STORE_SCRIPT_AUTH_FILL, SCRIPTS_DIR "/auth_fill.lua"},
    {STORE_SCRIPT_AUTH_EPOCH, SCRIPTS_DIR "/auth_epoch.lua"},
    {STORE_SCRIPT_AUTH_FORGET, SCRIPTS_DIR "/auth_forget.lua"},
};

static void load_script(struct pipeline *p, enum store_script script, const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;
	redisReply *reply;

	if (f == NULL)
		fail_msg("cannot open %s", path);
	assert_true(getdelim(&text, &size, EOF, f) > 0);
	fclose(f);
	reply = redisCommand(p->connection, "SCRIPT LOAD %s", text);
	assert_non_null(reply);
	assert_int_equal(reply->type, REDIS_REPLY_STRING);
	memcpy(p->sha1[script], reply->str, sizeof(p->sha1[script]));
	freeReplyObject(reply);
	free(text);
}

void pipeline_open(struct pipeline *p, const struct real_redis *redis)
{
	*p = (struct pipeline){.connection = redisConnectUnix(redis->socket_path)};
	assert_non_null(p->connection);
	assert_int_equal(p->connection->err, 0);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		load_script(p, scripts[i].script, scripts[i].file);
}

void pipeline_close(struct pipeline *p)
{
	assert_int_equal(p->in_flight, 0);
	redisFree(p->connection);
}

void pipeline_send(struct pipeline *p, const struct store_command *command)
{
	const char *argv[STORE_ARGS_MAX + 3];
	size_t lengths[STORE_ARGS_MAX + 3];
	int argc = 0;

	if (command->script != STORE_NO_SCRIPT) {
		assert_int_equal(command->key_count, 1);
		argv[argc++] = "EVALSHA";
		argv[argc++] = p->sha1[command->script];
		argv[argc++] = "1";
		for (int i = 0; i < argc; i++)
			lengths[i] = strlen(argv[i]);
	}
	for (size_t i = 0; i < command->argc; i++) {
		argv[argc] = (const char *)command->argv[i].ptr;
		lengths[argc++] = command->argv[i].len;
	}
	assert_int_equal(redisAppendCommandArgv(p->connection, argc, argv, lengths), REDIS_OK);
	p->in_flight++;
}

static const struct store_reply *copy(arena *a, const redisReply *from)
{
	struct store_reply *to = arena_alloc(a, sizeof(*to));
	const struct store_reply **elements;

	assert_non_null(to);
	switch (from->type) {
	case REDIS_REPLY_ARRAY:
		to->type = STORE_ARRAY;
		to->count = from->elements;
		elements = arena_array(a, to->count, sizeof(const struct store_reply *));
		assert_non_null(elements);
		for (size_t i = 0; i < to->count; i++)
			elements[i] = copy(a, from->element[i]);
		to->elements = elements;
		break;
	case REDIS_REPLY_INTEGER:
		to->type = STORE_INTEGER;
		to->integer = from->integer;
		break;
	case REDIS_REPLY_NIL:
		to->type = STORE_NIL;
		break;
	case REDIS_REPLY_STRING:
		to->type = STORE_STRING;
		assert_true(arena_copy(a, span_of(from->str, (size_t)from->len), &to->string));
		break;
	default:
		fail_msg("redis: %s", from->type == REDIS_REPLY_ERROR ? from->str : "a reply of another type");
	}
	return to;
}

const struct store_reply *pipeline_take(struct pipeline *p, arena *a)
{
	const struct store_reply *out;
	void *reply = NULL;

	assert_true(p->in_flight > 0);
	assert_int_equal(redisGetReply(p->connection, &reply), REDIS_OK);
	p->in_flight--;
	out = copy(a, reply);
	freeReplyObject(reply);
	return out;
}
