#include "history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct snapshot *take_snapshot(struct stage *s, const struct held_token *t)
{
	struct snapshot *shot = calloc(1, sizeof(*shot));
	redisReply *reply;

	session_key(t, shot->key);
	reply = real_redis_ask(&s->redis, "GET %s", shot->key);
	assert_int_equal(reply->type, REDIS_REPLY_STRING);
	memcpy(shot->value, reply->str, reply->len);
	shot->len = reply->len;
	freeReplyObject(reply);
	return shot;
}

void put_back(struct stage *s, const struct snapshot *shot)
{
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %b PX 900000", shot->key, shot->value, shot->len));
}

void flush(struct stage *s)
{
	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
}

void end(struct stage *s, const struct held_token *t)
{
	const struct session_revoke_request req = {.token = token_of(t)};
	struct session_revoke_result result;

	assert_int_equal(do_revoke(s, &req, &result), STATUS_OK);
}

uint32_t end_all(struct stage *s, span except, const char *class_name)
{
	const struct session_revoke_user_request req = {
	    .user = SPAN_LIT("ann"), .except = except, .class_name = span_str(class_name)};
	struct session_revoke_user_result result;

	assert_int_equal(do_revoke_user(s, &req, &result), STATUS_OK);
	return result.revoked;
}
