#include "calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int stage_start(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	world_start(&s->world);
	real_redis_start(&s->redis);
	*state = s;
	return 0;
}

int stage_stop(void **state)
{
	struct stage *s = *state;

	real_redis_stop(&s->redis);
	world_stop(&s->world);
	arena_free(&s->replies);
	free(s);
	return 0;
}

int stage_reset(void **state)
{
	struct stage *s = *state;

	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	freeReplyObject(real_redis_ask(&s->redis, "CONFIG SET maxmemory 0"));
	world_use_keyring(&s->world, WORLD_KEYRING);
	s->world.classes[0].policy.sessions_max = WORLD_CAP;
	world_fresh(&s->world);
	s->kept_count = 0;
	s->world.env.recent = NULL;
	s->world.env.not_before = NULL;
	s->world.env.mono_ms = 0;
	s->world.env.is_unsettled = false;
	s->world.env.now_ms = WORLD_NOW_MS;
	s->world.env.realm = &s->world.realm_list[0];
	return 0;
}

const struct store_reply *carry_out(struct stage *s, const struct plan *plan)
{
	const struct store_reply *reply;

	if (!plan->has_command)
		return NULL;
	s->commands++;
	arena_free(&s->replies);
	s->replies = arena_new(64, 16777216);
	assert_non_null(s->replies);
	reply = real_redis_do(&s->redis, s->replies, &plan->command);
	if (reply->type == STORE_ERROR)
		fail_msg("redis: %.*s", SPAN_FMT(reply->string));
	return reply;
}

/* As the store does when `done` returns: an answer that borrowed from its reply shows under the address sanitizer. */
static void drop_reply(struct stage *s)
{
	arena_free(&s->replies);
}

/* What the store would keep, in that order. */
static void keep(struct stage *s, const struct plan *plan, enum status_code code)
{
	s->last = plan->command;
	for (const struct plan_redo *r = code == STATUS_OK ? plan->redos : NULL; r != NULL; r = r->next) {
		assert_true(s->kept_count < STAGE_KEPT_MAX);
		assert_true(r->command.is_write && r->command.is_repeatable && r->lifetime_ms > 0);
		s->kept[s->kept_count++] = *r;
	}
}

const char *redo(struct stage *s, size_t i)
{
	static const char *const words[] = {"done", "there", "again", "conflict"};
	const struct store_reply *reply;

	assert_true(i < s->kept_count);
	arena_free(&s->replies);
	s->replies = arena_new(64, 16777216);
	reply = real_redis_do(&s->redis, s->replies, &s->kept[i].command);
	if (reply->type != STORE_STRING)
		fail_msg("redo: %.*s", SPAN_FMT(reply->string));
	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		if (!span_eq(reply->string, span_str(words[w])))
			continue;
		assert_int_equal(plan_redo_is_done(reply), w < 2);
		return words[w];
	}
	fail_msg("redo: %.*s", SPAN_FMT(reply->string));
	return "";
}

/* The calls of one step are alike but for their types. */
#define DEFINE_CALL(call)                                                                                              \
	enum status_code do_##call(struct stage *s, const struct session_##call##_request *req,                        \
				   struct session_##call##_result *ret)                                                \
	{                                                                                                              \
		struct plan plan = {0};                                                                                \
		const struct store_reply *reply;                                                                       \
		enum status_code code = session_##call##_plan(&s->world.env, req, &plan, &s->st);                      \
                                                                                                                       \
		if (code != STATUS_OK)                                                                                 \
			return code;                                                                                   \
		reply = carry_out(s, &plan);                                                                           \
		code = session_##call##_answer(&s->world.env, &plan, reply, ret, &s->st);                              \
		keep(s, &plan, code);                                                                                  \
		drop_reply(s);                                                                                         \
		return code;                                                                                           \
	}

#define DEFINE_STEPPED_CALL(call)                                                                                      \
	enum status_code do_##call(struct stage *s, const struct session_##call##_request *req,                        \
				   struct session_##call##_result *ret)                                                \
	{                                                                                                              \
		struct plan plan = {0};                                                                                \
		enum plan_next next = PLAN_AGAIN;                                                                      \
		enum status_code code = session_##call##_plan(&s->world.env, req, &plan, &s->st);                      \
                                                                                                                       \
		for (int i = 0; code == STATUS_OK && next == PLAN_AGAIN; i++) {                                        \
			const struct store_reply *reply = carry_out(s, &plan);                                         \
                                                                                                                       \
			assert_true(i < PLAN_STEPS_MAX);                                                               \
			code = session_##call##_answer(&s->world.env, &plan, reply, &next, ret, &s->st);               \
			keep(s, &plan, code);                                                                          \
			drop_reply(s);                                                                                 \
		}                                                                                                      \
		return code;                                                                                           \
	}

DEFINE_CALL(revoke)
DEFINE_CALL(list)
DEFINE_CALL(revoke_realm)
DEFINE_STEPPED_CALL(create)
DEFINE_STEPPED_CALL(get)
DEFINE_STEPPED_CALL(update)
DEFINE_STEPPED_CALL(rotate)
DEFINE_STEPPED_CALL(revoke_user)
DEFINE_STEPPED_CALL(verify)

span token_of(const struct held_token *t)
{
	return span_of(t->text, sizeof(t->text));
}

span handle_text(const struct held_token *t)
{
	return span_of(t->handle, sizeof(t->handle));
}

struct held_token login(struct stage *s, const char *user, const char *class_name)
{
	const struct session_create_request req = {.user = span_str(user), .class_name = span_str(class_name)};
	struct session_create_result result = {0};
	struct held_token t;

	if (do_create(s, &req, &result) != STATUS_OK)
		fail_msg("create: %s", s->st.text);
	assert_int_equal(result.token.len, sizeof(t.text));
	if (result.token.ptr == NULL)
		abort();
	memcpy(t.text, result.token.ptr, sizeof(t.text));
	memcpy(t.handle, result.info.handle, sizeof(t.handle));
	return t;
}

struct held_token rotate_within(struct stage *s, const struct held_token *t, uint32_t grace_s)
{
	const struct session_rotate_request req = {.token = token_of(t), .has_grace = true, .grace_s = grace_s};
	struct session_rotate_result result = {0};
	struct held_token successor;

	if (do_rotate(s, &req, &result) != STATUS_OK)
		fail_msg("rotate: %s", s->st.text);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	memcpy(successor.text, result.token, sizeof(successor.text));
	memcpy(successor.handle, result.info.handle, sizeof(successor.handle));
	return successor;
}

struct held_token rotate(struct stage *s, const struct held_token *t)
{
	return rotate_within(s, t, WORLD_GRACE_S);
}

struct session_outcome look(struct stage *s, const struct held_token *t)
{
	const struct session_get_request req = {.token = token_of(t), .peek = true};
	struct session_get_result result = {0};

	if (do_get(s, &req, &result) != STATUS_OK)
		fail_msg("get: %s", s->st.text);
	return result.outcome;
}

bool is_valid(struct stage *s, const struct held_token *t)
{
	return look(s, t).verdict == VERDICT_VALID;
}

uint64_t put(struct stage *s, const struct held_token *t, const char *key, const char *value)
{
	const struct session_attribute set = {span_str(key), span_str(value)};
	const struct session_update_request req = {.token = token_of(t), .set_count = 1, .set = &set};
	struct session_update_result result = {0};

	if (do_update(s, &req, &result) != STATUS_OK)
		fail_msg("update: %s", s->st.text);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	return result.version;
}

void expect_attribute(struct stage *s, const struct held_token *t, const char *key, const char *value)
{
	const struct session_get_request req = {.token = token_of(t), .peek = true};
	struct session_get_result result = {0};
	span found = SPAN_LIT("-");

	assert_int_equal(do_get(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_VALID);
	for (size_t i = 0; i < result.attribute_count; i++)
		if (span_eq(result.attributes[i].key, span_str(key)))
			found = result.attributes[i].value;
	if (!span_eq(found, span_str(value)))
		fail_msg("%s is %.*s, not %s", key, SPAN_FMT(found), value);
}

void session_key(const struct held_token *t, char out[static 64])
{
	(void)snprintf(out, 64, "lk1:s:{%.11s}:%.16s", t->handle, t->handle + 12);
}

void index_key(const struct held_token *t, char out[static 64])
{
	(void)snprintf(out, 64, "lk1:u:{%.11s}", t->handle);
}

double index_score(struct stage *s, const struct held_token *t)
{
	char index[64];
	redisReply *reply;
	double score;

	index_key(t, index);
	reply = real_redis_ask(&s->redis, "ZSCORE %s %b", index, t->handle + 12, (size_t)16);
	score = reply->type == REDIS_REPLY_STRING ? strtod(reply->str, NULL) : -1;
	freeReplyObject(reply);
	return score;
}

void expect_ttl(struct stage *s, const char *key, long long wanted_ms)
{
	const long long ttl = real_redis_number(&s->redis, "PTTL %s", key);

	if (ttl > wanted_ms || ttl < wanted_ms - SLACK_MS)
		fail_msg("%s lives for %lld ms, not %lld", key, ttl, wanted_ms);
}

void expect_session_ttl(struct stage *s, const struct held_token *t, long long wanted_ms)
{
	char key[64];

	session_key(t, key);
	expect_ttl(s, key, wanted_ms);
}
