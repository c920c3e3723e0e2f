#include "cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int cache_reset(void **state)
{
	struct stage *s = *state;

	(void)stage_reset(state);
	s->world.realm_list[0].auth = (struct auth_policy){
	    .ttl_s = CACHE_TTL_S,
	    .negative_ttl_s = CACHE_NEGATIVE_TTL_S,
	    .stale_s = CACHE_STALE_S,
	    .lease_ms = CACHE_LEASE_MS,
	};
	s->world.realm_list[1].auth = s->world.realm_list[0].auth;
	s->world.env.auth_news = NULL;
	return 0;
}

static void keep_result(const struct auth_lookup_result *from, struct looked *to)
{
	to->state = from->state;
	to->answer_len = from->answer.len;
	memcpy(to->answer, from->answer.len == 0 ? "" : (const char *)from->answer.ptr, from->answer.len);
	to->answer[from->answer.len] = 0;
	if (from->lease.len > 0)
		memcpy(to->lease_bytes, from->lease.ptr, from->lease.len);
	to->expires_at_ms = from->expires_at_ms;
	to->is_early = from->is_early;
}

span lease_of(const struct looked *l)
{
	return span_of(l->lease_bytes, l->lease_len);
}

struct looked look_up_as(struct stage *s, const struct auth_lookup_request *req)
{
	const unsigned before = s->commands;
	struct plan plans[AUTH_PLANS_MAX] = {0};
	struct auth_lookup_result result = {0};
	struct looked out = {0};
	size_t count = 0;

	if (auth_lookup_plan(&s->world.env, req, plans, &count, &s->st) != STATUS_OK)
		fail_msg("lookup: %s", s->st.text);
	for (size_t i = 0; i < count; i++) {
		enum plan_next next = PLAN_AGAIN;

		while (next == PLAN_AGAIN) {
			const struct store_reply *reply = carry_out(s, &plans[i]);

			if (auth_lookup_answer(&s->world.env, &plans[i], reply, &next, &result, &s->st) != STATUS_OK)
				fail_msg("lookup: %s", s->st.text);
			assert_null(plans[i].redos);
		}
		out.is_later = next == PLAN_LATER;
	}
	arena_free(&s->replies);
	keep_result(&result, &out);
	out.lease_len = result.lease.len;
	out.commands = s->commands - before;
	return out;
}

struct looked look_up_in(struct stage *s, const char *key, const char *groups)
{
	struct auth_lookup_request req = {.subject = SPAN_LIT("ann"), .key = span_str(key)};
	span names[AUTH_GROUPS_MAX];

	for (const char *at = groups; at != NULL && *at != 0;) {
		const size_t len = strcspn(at, ",");

		assert_true(req.group_count < AUTH_GROUPS_MAX);
		names[req.group_count++] = span_of(at, len);
		at += len + (at[len] == ',');
	}
	req.groups = names;
	return look_up_as(s, &req);
}

struct looked look_up(struct stage *s, const char *key)
{
	return look_up_in(s, key, NULL);
}

void expect_answer(const struct looked *l, enum auth_answer state, const char *answer)
{
	assert_int_equal(l->state, state);
	assert_string_equal(l->answer, answer);
	if (state == AUTH_HIT || state == AUTH_NEGATIVE)
		assert_int_equal(l->lease_len, 0);
}

bool fill_as(struct stage *s, const struct auth_fill_request *req, uint64_t *ret_expires_at_ms)
{
	struct plan plans[AUTH_PLANS_MAX] = {0};
	struct auth_fill_result result = {0};
	size_t count = 0;

	if (auth_fill_plan(&s->world.env, req, plans, &count, &s->st) != STATUS_OK)
		fail_msg("fill: %s", s->st.text);
	for (size_t i = 0; i < count; i++) {
		const struct store_reply *reply = carry_out(s, &plans[i]);

		assert_false(result.is_whole);
		if (auth_fill_answer(&s->world.env, &plans[i], reply, &result, &s->st) != STATUS_OK)
			fail_msg("fill: %s", s->st.text);
	}
	assert_true(result.is_whole);
	if (ret_expires_at_ms != NULL)
		*ret_expires_at_ms = result.expires_at_ms;
	return result.is_stored;
}

bool fill(struct stage *s, const char *key, span lease, const char *answer)
{
	const struct auth_fill_request req = {.subject = SPAN_LIT("ann"),
					      .key = span_str(key),
					      .lease = lease,
					      .is_negative = answer == NULL,
					      .answer = span_str(answer)};

	return fill_as(s, &req, NULL);
}

void load_in(struct stage *s, const char *key, const char *groups, const char *answer)
{
	const struct looked l = look_up_in(s, key, groups);

	assert_int_equal(l.state, AUTH_MISS);
	assert_true(l.lease_len > 0);
	assert_true(fill(s, key, lease_of(&l), answer));
}

void load(struct stage *s, const char *key, const char *answer)
{
	load_in(s, key, NULL, answer);
}

static bool forget(struct stage *s, const struct auth_forget_request *req)
{
	struct auth_forget_result result = {0};
	struct plan plan = {0};

	if (auth_forget_plan(&s->world.env, req, &plan, &s->st) != STATUS_OK ||
	    auth_forget_answer(&s->world.env, &plan, carry_out(s, &plan), &result, &s->st) != STATUS_OK)
		fail_msg("forget: %s", s->st.text);
	assert_non_null(plan.redos);
	assert_null(plan.redos->next);
	s->kept[s->kept_count++] = *plan.redos;
	arena_free(&s->replies);
	return result.is_forgotten;
}

bool forget_key(struct stage *s, const char *key)
{
	return forget(s, &(struct auth_forget_request){.subject = SPAN_LIT("ann"), .key = span_str(key)});
}

void forget_subject(struct stage *s, const char *subject)
{
	assert_true(forget(s, &(struct auth_forget_request){.subject = span_str(subject)}));
}

void forget_group(struct stage *s, const char *group)
{
	assert_true(forget(s, &(struct auth_forget_request){.group = span_str(group)}));
}

static void print_key(span key, char out[static 64])
{
	(void)snprintf(out, 64, "%.*s", SPAN_FMT(key));
}

void answer_key(struct stage *s, const char *key, char out[static 64])
{
	const struct auth_state *state =
	    auth_state_new(&s->world.env, &(struct lease_place){SPAN_LIT("ann"), span_str(key)});

	assert_non_null(state);
	print_key(state->key, out);
}

void epoch_key(struct stage *s, const char *subject, char out[static 64])
{
	span key = SPAN_EMPTY;

	assert_true(auth_epoch_key(&s->world.env, span_str(subject), &key));
	print_key(key, out);
}

void make_older(struct stage *s, const char *key, uint64_t ms)
{
	static const char script[] =
	    "local v = redis.call('GET', KEYS[1])\n"
	    "local function older(at) return struct.pack('>I8', math.max(struct.unpack('>I8', v, at) - ARGV[1], 0)) "
	    "end\n"
	    "redis.call('SET', KEYS[1], v:sub(1, 10) .. older(11) .. older(19) .. older(27) .. older(35) .. v:sub(43), "
	    "'KEEPTTL')";
	char name[64];

	answer_key(s, key, name);
	freeReplyObject(real_redis_ask(&s->redis, "EVAL %s 1 %s %llu", script, name, (unsigned long long)ms));
}
