/* Plans, scripts and answers together, on a real Redis. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "calls.h"

#define IDLE_MS (WORLD_IDLE_S * 1000LL)

static void create_then_get(void **state)
{
	struct stage *s = *state;
	const struct session_attribute attributes[] = {{SPAN_LIT("theme"), SPAN_LIT("dark")},
						       {SPAN_LIT("cart"), SPAN_LIT("a\0b")},
						       {SPAN_LIT("empty"), SPAN_LIT("")}};
	const struct session_create_request req = {
	    .user = SPAN_LIT("ann"),
	    .attribute_count = 3,
	    .attributes = attributes,
	    .device = {SPAN_LIT("Firefox"), SPAN_LIT("192.0.2.1"), SPAN_LIT("Ann's phone")},
	    .authentication = {.aal = 2, .amr_count = 2, .amr = {SPAN_LIT("pwd"), SPAN_LIT("otp")}},
	};
	struct session_create_result made;
	struct session_get_result got;
	char key[64];

	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_memory_equal(made.token.ptr, "lks1_", 5);
	assert_int_equal(made.evicted_count, 0);
	assert_int_equal(made.info.version, 1);
	assert_int_equal(made.info.created_at_ms, WORLD_NOW_MS);
	assert_int_equal(made.info.expires_at_ms, WORLD_DEADLINE_MS);
	assert_int_equal(made.info.idle_expires_at_ms, WORLD_NOW_MS + IDLE_MS);

	s->world.env.now_ms += 60000;
	assert_int_equal(do_get(s, &(struct session_get_request){.token = made.token}, &got), STATUS_OK);
	assert_int_equal(got.outcome.verdict, VERDICT_VALID);
	assert_int_equal(got.outcome.reason, REASON_NONE);
	assert_memory_equal(got.info.handle, made.info.handle, HANDLE_CHARS);
	assert_true(span_eq(got.info.user, SPAN_LIT("ann")));
	assert_true(span_eq(got.info.class_name, SPAN_LIT("default")));
	assert_int_equal(got.info.created_at_ms, WORLD_NOW_MS);
	assert_int_equal(got.info.last_seen_at_ms, WORLD_NOW_MS + 60000);
	assert_int_equal(got.info.idle_expires_at_ms, WORLD_NOW_MS + 60000 + IDLE_MS);
	assert_int_equal(got.info.expires_at_ms, made.info.expires_at_ms);
	assert_true(span_eq(got.info.device.user_agent, SPAN_LIT("Firefox")));
	assert_true(span_eq(got.info.device.ip, SPAN_LIT("192.0.2.1")));
	assert_true(span_eq(got.info.device.label, SPAN_LIT("Ann's phone")));
	assert_int_equal(got.info.authentication.at_ms, WORLD_NOW_MS);
	assert_int_equal(got.info.authentication.aal, 2);
	assert_int_equal(got.info.authentication.amr_count, 2);
	assert_true(span_eq(got.info.authentication.amr[1], SPAN_LIT("otp")));
	assert_int_equal(got.attribute_count, 3);
	assert_true(span_eq(got.attributes[0].key, SPAN_LIT("cart")));
	assert_true(span_eq(got.attributes[0].value, SPAN_LIT("a\0b")));
	assert_true(span_eq(got.attributes[1].key, SPAN_LIT("empty")));
	assert_true(span_eq(got.attributes[2].value, SPAN_LIT("dark")));
	(void)snprintf(key, sizeof(key), "lk1:s:{%.11s}:%.16s", made.info.handle, made.info.handle + 12);
	expect_ttl(s, key, IDLE_MS);
}

static void get_slides_and_peek_does_not(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct session_get_request req = {.token = token_of(&t), .peek = true};
	struct session_get_result got;
	char key[64];

	session_key(&t, key);
	s->world.env.now_ms += IDLE_MS - 50000;
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s 50000", key), 1);
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.outcome.verdict, VERDICT_VALID);
	expect_ttl(s, key, 50000);
	assert_in_range(got.info.idle_expires_at_ms, s->world.env.now_ms + 50000 - SLACK_MS,
			s->world.env.now_ms + 50000);
	assert_in_range(got.info.last_seen_at_ms, WORLD_NOW_MS, WORLD_NOW_MS + SLACK_MS);
	req.peek = false;
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.info.last_seen_at_ms, s->world.env.now_ms);
	expect_ttl(s, key, IDLE_MS);
}

static void nothing_outlives_the_absolute_deadline(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const uint64_t deadline_ms = WORLD_DEADLINE_MS;
	const struct session_get_request req = {.token = token_of(&t)};
	struct session_get_result got;
	const unsigned before = s->commands;
	char key[64];

	session_key(&t, key);
	s->world.env.now_ms = deadline_ms - 30000;
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.info.idle_expires_at_ms, deadline_ms);
	expect_ttl(s, key, 30000);
	(void)put(s, &t, "k", "v");
	expect_ttl(s, key, 30000);
	assert_int_equal(s->commands, before + 2);
	s->world.env.now_ms = deadline_ms;
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(got.outcome.reason, REASON_ABSOLUTE_TIMEOUT);
	assert_int_equal(s->commands, before + 2);
}

static void a_session_without_a_record_has_a_reason(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");

	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
	assert_int_equal(look(s, &t).verdict, VERDICT_INVALID);
	assert_int_equal(look(s, &t).reason, REASON_NOT_FOUND_IN_STORE);
	s->world.env.now_ms += IDLE_MS;
	assert_int_equal(look(s, &t).verdict, VERDICT_INVALID);
	assert_int_equal(look(s, &t).reason, REASON_IDLE_TIMEOUT);
}

static void assurance_is_demanded(void **state)
{
	struct stage *s = *state;
	const struct session_create_request create = {.user = SPAN_LIT("ann"),
						      .authentication = {.aal = 1, .at_ms = WORLD_NOW_MS - 100000}};
	struct session_create_result made;
	struct session_get_request req = {.peek = true};
	struct session_get_result got;

	assert_int_equal(do_create(s, &create, &made), STATUS_OK);
	req.token = made.token;
	req.minimum_aal = 1;
	req.authenticated_within_s = 100;
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.outcome.verdict, VERDICT_VALID);
	req.minimum_aal = 2;
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(got.outcome.reason, REASON_ASSURANCE_TOO_LOW);
	req.minimum_aal = 0;
	req.authenticated_within_s = 99;
	assert_int_equal(do_get(s, &req, &got), STATUS_OK);
	assert_int_equal(got.outcome.reason, REASON_ASSURANCE_TOO_LOW);
	assert_int_equal(got.attribute_count, 0);
}

static enum session_reason demand(struct stage *s, const struct session_get_request *req)
{
	struct session_get_result got;

	if (do_get(s, req, &got) != STATUS_OK)
		fail_msg("get: %s", s->st.text);
	assert_int_equal(got.outcome.verdict, got.outcome.reason == REASON_NONE ? VERDICT_VALID : VERDICT_INVALID);
	assert_true(got.outcome.reason == REASON_NONE || got.info.user.len == 0);
	return got.outcome.reason;
}

static void one_of_the_methods_is_demanded(void **state)
{
	struct stage *s = *state;
	const struct session_create_request create = {
	    .user = SPAN_LIT("ann"), .authentication = {.amr_count = 2, .amr = {SPAN_LIT("pwd"), SPAN_LIT("otp")}}};
	const struct session_create_request unstated = {.user = SPAN_LIT("ann")};
	const span good[] = {SPAN_LIT("hwk"), SPAN_LIT("otp")};
	const span none[] = {SPAN_LIT("hwk"), SPAN_LIT("ot"), SPAN_LIT("otpp"), SPAN_LIT("OTP")};
	struct session_create_result made;
	struct session_get_request req = {.amr = good, .amr_count = 2};

	assert_int_equal(do_create(s, &create, &made), STATUS_OK);
	req.token = made.token;
	assert_int_equal(demand(s, &req), REASON_NONE);
	req.amr_count = 1;
	assert_int_equal(demand(s, &req), REASON_ASSURANCE_TOO_LOW);
	req.amr = none;
	req.amr_count = 4;
	assert_int_equal(demand(s, &req), REASON_ASSURANCE_TOO_LOW);
	/* All demands hold together. */
	req.amr = good;
	req.amr_count = 2;
	req.minimum_aal = 1;
	assert_int_equal(demand(s, &req), REASON_ASSURANCE_TOO_LOW);
	assert_int_equal(do_create(s, &unstated, &made), STATUS_OK);
	req.token = made.token;
	req.minimum_aal = 0;
	assert_int_equal(demand(s, &req), REASON_ASSURANCE_TOO_LOW);
}

static void privilege_is_demanded_and_ends(void **state)
{
	const uint64_t at_ms = WORLD_NOW_MS - 100000;
	struct stage *s = *state;
	const struct session_create_request create = {.user = SPAN_LIT("ann"), .authentication = {.at_ms = at_ms}};
	struct session_create_result made;
	struct session_get_request req = {.is_privileged = true};

	s->world.classes[0].policy.privileged_s = 300;
	assert_int_equal(do_create(s, &create, &made), STATUS_OK);
	assert_int_equal(made.info.privileged_until_ms, at_ms + 300000);
	req.token = made.token;
	s->world.env.now_ms = at_ms + 299999;
	assert_int_equal(demand(s, &req), REASON_NONE);
	s->world.env.now_ms = at_ms + 300000;
	assert_int_equal(demand(s, &req), REASON_ASSURANCE_TOO_LOW);
	req.is_privileged = false;
	assert_int_equal(demand(s, &req), REASON_NONE);
	/* Of a policy that knows no privilege there never is one. */
	s->world.classes[0].policy.privileged_s = 0;
	assert_int_equal(do_create(s, &create, &made), STATUS_OK);
	assert_int_equal(made.info.privileged_until_ms, 0);
	req.is_privileged = true;
	assert_int_equal(demand(s, &req), REASON_ASSURANCE_TOO_LOW);
}

static void requested_timeouts_only_shorten(void **state)
{
	struct stage *s = *state;
	struct session_create_request req = {.user = SPAN_LIT("ann"), .idle_timeout_s = 600, .absolute_timeout_s = 60};
	struct session_create_result made;

	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	assert_int_equal(made.info.expires_at_ms, WORLD_NOW_MS / 1000 * 1000 + 60000);
	assert_int_equal(made.info.idle_expires_at_ms, made.info.expires_at_ms);
	req.absolute_timeout_s = WORLD_ABSOLUTE_S + 1;
	assert_int_equal(do_create(s, &req, &made), STATUS_INVALID_ARGUMENT);
	req.absolute_timeout_s = 0;
	req.idle_timeout_s = WORLD_IDLE_S + 1;
	assert_int_equal(do_create(s, &req, &made), STATUS_INVALID_ARGUMENT);
}

static void updates_apply_in_order(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set[] = {{SPAN_LIT("a"), SPAN_LIT("2")}, {SPAN_LIT("b"), SPAN_LIT("2")}};
	const span remove[] = {SPAN_LIT("c"), SPAN_LIT("never there")};
	const struct session_update_request req = {
	    .token = token_of(&t), .set_count = 2, .set = set, .remove_count = 2, .remove = remove};
	struct session_update_result result;
	char key[64];

	session_key(&t, key);
	assert_int_equal(put(s, &t, "a", "1"), 2);
	assert_int_equal(put(s, &t, "c", "1"), 3);
	assert_int_equal(real_redis_number(&s->redis, "PEXPIRE %s 30000", key), 1);
	s->world.env.now_ms += 5000;
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 4);
	assert_int_equal(result.idle_expires_at_ms, WORLD_NOW_MS + 5000 + IDLE_MS);
	expect_ttl(s, key, IDLE_MS);
	expect_attribute(s, &t, "a", "2");
	expect_attribute(s, &t, "b", "2");
	expect_attribute(s, &t, "c", "-");
	assert_int_equal(put(s, &t, "c", "again"), 5);
	expect_attribute(s, &t, "c", "again");
}

static void compare_and_set(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("n"), SPAN_LIT("1")};
	struct session_update_request req = {
	    .token = token_of(&t), .set_count = 1, .set = &set, .has_expected_version = true, .expected_version = 1};
	struct session_update_result result;

	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.version, 2);
	expect_attribute(s, &t, "n", "1");
	assert_int_equal(do_update(s, &req, &result), STATUS_ABORTED);
	assert_int_equal(result.version, 2);
	req.expected_version = UINT64_MAX;
	assert_int_equal(do_update(s, &req, &result), STATUS_ABORTED);
	req.expected_version = 0;
	assert_int_equal(do_update(s, &req, &result), STATUS_ABORTED);
	assert_int_equal(result.version, 2);
}

static unsigned header_byte(struct stage *s, const char *key, int at)
{
	redisReply *reply = real_redis_ask(&s->redis, "GETRANGE %s %d %d", key, at, at);
	unsigned byte;

	assert_int_equal(reply->len, 1);
	byte = (uint8_t)reply->str[0];
	freeReplyObject(reply);
	return byte;
}

static void a_full_record_is_rewritten(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	unsigned before = s->commands;
	char name[16];
	char key[64];

	session_key(&t, key);
	for (int i = 1; i <= 40; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i);
		assert_int_equal(put(s, &t, name, "v"), i + 1);
	}
	/* 16 deltas, the 17th rewrites; and again at the 34th. */
	assert_int_equal(s->commands - before, 42);
	assert_int_equal(header_byte(s, key, 50), 6);
	assert_int_equal(header_byte(s, key, 52), 40);
	expect_attribute(s, &t, "k1", "v");
	expect_attribute(s, &t, "k17", "v");
	expect_attribute(s, &t, "k40", "v");
	expect_ttl(s, key, IDLE_MS);
}

static void rewriting_yields_to_others(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("mine"), SPAN_LIT("1")};
	struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct session_update_result result;
	struct plan plan = {0};
	enum plan_next next;

	for (int i = 0; i < 16; i++)
		(void)put(s, &t, "theirs", "0");
	assert_int_equal(session_update_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_int_equal(session_update_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_AGAIN);
	assert_int_equal(plan.command.script, STORE_SCRIPT_SESSION_REPLACE);
	assert_int_equal(put(s, &t, "theirs", "1"), 18);
	assert_int_equal(session_update_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_AGAIN);
	assert_int_equal(plan.command.script, STORE_SCRIPT_SESSION_UPDATE);
	assert_int_equal(session_update_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_DONE);
	assert_int_equal(result.version, 19);
	expect_attribute(s, &t, "mine", "1");
	expect_attribute(s, &t, "theirs", "1");
}

static void rewriting_with_an_expected_version_gives_up(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("mine"), SPAN_LIT("1")};
	struct session_update_request req = {
	    .token = token_of(&t), .set_count = 1, .set = &set, .has_expected_version = true, .expected_version = 17};
	struct session_update_result result;
	struct plan plan = {0};
	enum plan_next next;

	for (int i = 0; i < 16; i++)
		(void)put(s, &t, "theirs", "0");
	assert_int_equal(session_update_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_int_equal(session_update_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_AGAIN);
	(void)put(s, &t, "theirs", "1");
	assert_int_equal(session_update_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_ABORTED);
	assert_int_equal(result.version, 18);
	expect_attribute(s, &t, "mine", "-");
}

static void a_rewrite_never_revives(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("mine"), SPAN_LIT("1")};
	struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	const struct session_revoke_request revoke = {.token = token_of(&t)};
	struct session_revoke_result revoked;
	struct session_update_result result;
	struct plan plan = {0};
	enum plan_next next;

	for (int i = 0; i < 16; i++)
		(void)put(s, &t, "theirs", "0");
	assert_int_equal(session_update_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	assert_int_equal(session_update_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_AGAIN);
	assert_int_equal(do_revoke(s, &revoke, &revoked), STATUS_OK);
	assert_true(revoked.was_alive);
	assert_int_equal(session_update_answer(&s->world.env, &plan, carry_out(s, &plan), &next, &result, &s->st),
			 STATUS_OK);
	assert_int_equal(next, PLAN_DONE);
	assert_int_equal(result.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(result.outcome.reason, REASON_LOGOUT);
	assert_int_equal(look(s, &t).reason, REASON_LOGOUT);
}

static void an_update_never_revives(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	const struct session_revoke_request revoke = {.token = token_of(&t), .reason = REASON_ADMIN};
	struct session_update_result result;
	struct session_revoke_result revoked;
	char key[64];

	session_key(&t, key);
	assert_int_equal(do_revoke(s, &revoke, &revoked), STATUS_OK);
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(result.outcome.reason, REASON_ADMIN);
	assert_int_equal(result.outcome.revoked_at_ms, WORLD_NOW_MS);
	assert_false(is_valid(s, &t));
	assert_int_equal(real_redis_number(&s->redis, "DEL %s", key), 1);
	assert_int_equal(do_update(s, &req, &result), STATUS_OK);
	assert_int_equal(result.outcome.verdict, VERDICT_INVALID);
	assert_int_equal(result.outcome.reason, REASON_NOT_FOUND_IN_STORE);
	assert_int_equal(real_redis_number(&s->redis, "EXISTS %s", key), 0);
}

/* Sets count attributes named first, first + 1, ... to bytes of text each. */
static enum status_code put_many(struct stage *s, const struct held_token *t, size_t first, size_t count, span value)
{
	struct session_attribute set[ATTRIBUTES_MAX];
	char names[ATTRIBUTES_MAX][8];
	struct session_update_request req = {.token = token_of(t), .set_count = count, .set = set};
	struct session_update_result result;

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%zu", first + i);
		set[i] = (struct session_attribute){span_str(names[i]), value};
	}
	return do_update(s, &req, &result);
}

static void stored_attributes_are_limited(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const span one = SPAN_LIT("0");
	const struct session_update_request removal = {.token = token_of(&t), .remove_count = 1, .remove = &one};
	struct session_update_result result;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(put_many(s, &t, i * 64, 64, SPAN_LIT("v")), STATUS_OK);
	assert_int_equal(put_many(s, &t, 256, 1, SPAN_LIT("v")), STATUS_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(s->st.text, "257"));
	expect_attribute(s, &t, "256", "-");
	expect_attribute(s, &t, "255", "v");
	/* Changing what is there, and making room, go on. */
	assert_int_equal(put_many(s, &t, 200, 56, SPAN_LIT("w")), STATUS_OK);
	expect_attribute(s, &t, "255", "w");
	assert_int_equal(do_update(s, &removal, &result), STATUS_OK);
	assert_int_equal(put_many(s, &t, 256, 1, SPAN_LIT("v")), STATUS_OK);
	expect_attribute(s, &t, "256", "v");
}

static void stored_bytes_are_limited(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	static char zeros[15000]; /* which zstd makes next to nothing of */
	const span value = span_of(zeros, sizeof(zeros));

	memset(zeros, '0', sizeof(zeros));
	assert_int_equal(put_many(s, &t, 0, 1, value), STATUS_OK);
	assert_int_equal(put_many(s, &t, 1, 1, value), STATUS_OK);
	assert_int_equal(put_many(s, &t, 2, 1, value), STATUS_RESOURCE_EXHAUSTED);
	/* The same again is no growth: it needs a rewrite to find that out. */
	assert_int_equal(put_many(s, &t, 1, 1, value), STATUS_OK);
	expect_attribute(s, &t, "2", "-");
	world_fresh(&s->world);
	assert_int_equal(put_many(s, &t, 1, 1, SPAN_LIT("small")), STATUS_OK);
	assert_int_equal(put_many(s, &t, 2, 1, value), STATUS_OK);
}

static void sealed_bytes_are_limited(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	static uint8_t noise[33000];
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof(noise); i++) {
		x = x * 1664525 + 1013904223;
		noise[i] = (uint8_t)(x >> 24);
	}
	assert_int_equal(put_many(s, &t, 0, 1, span_of(noise, 16000)), STATUS_OK);
	/* Within the limit of text all along: it is the seals and the rest of the record that make it too much. */
	assert_int_equal(put_many(s, &t, 1, 1, span_of(noise + 16000, 16000)), STATUS_OK);
	assert_int_equal(put_many(s, &t, 2, 1, span_of(noise + 32000, 400)), STATUS_OK);
	assert_int_equal(put_many(s, &t, 3, 1, span_of(noise + 32400, 300)), STATUS_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(s->st.text, "sealed record would have"));
	assert_int_equal(put_many(s, &t, 0, 1, SPAN_LIT("")), STATUS_OK);
	assert_int_equal(put_many(s, &t, 3, 1, span_of(noise + 32400, 300)), STATUS_OK);
}

static void rotated_keys_open_and_rewriting_moves_on(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	struct held_token t2;
	char key[64];

	session_key(&t, key);
	(void)put(s, &t, "old", "1");
	world_use_keyring(&s->world, WORLD_KEYRING_ROTATED);
	expect_attribute(s, &t, "old", "1");
	t2 = login(s, "ann", "");
	assert_int_equal(header_byte(s, key, 2), 1);
	for (int i = 0; i < 16; i++)
		(void)put(s, &t, "new", "2");
	assert_int_equal(header_byte(s, key, 2), 2);
	expect_attribute(s, &t, "old", "1");
	expect_attribute(s, &t, "new", "2");
	world_use_keyring(&s->world, WORLD_KEYRING_RETIRED);
	assert_int_equal(look(s, &t).reason, REASON_RETIRED_KEY);
	assert_true(is_valid(s, &t2));
}

static void damaged_records_are_unknown(void **state)
{
	static const struct {
		const char *value;
		size_t len;
		enum session_reason reason;
	} cases[] = {
	    {"\4whatever", 9, REASON_NEWER_FORMAT},
	    {"\3short", 6, REASON_UNREADABLE},
	    {"\0", 1, REASON_NEWER_FORMAT},
	    {"\1short", 6, REASON_UNREADABLE},
	    {"\2\7", 2, REASON_UNREADABLE},
	    {"\2\0........", 10, REASON_UNREADABLE},
	    {"\2\x63........", 10, REASON_NEWER_FORMAT},
	};
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_attribute set = {SPAN_LIT("a"), SPAN_LIT("1")};
	const struct session_update_request req = {.token = token_of(&t), .set_count = 1, .set = &set};
	struct session_update_result result;
	char key[64];

	session_key(&t, key);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		freeReplyObject(real_redis_ask(&s->redis, "SET %s %b PX 100000", key, cases[i].value, cases[i].len));
		assert_int_equal(look(s, &t).verdict, VERDICT_UNKNOWN);
		assert_int_equal(look(s, &t).reason, cases[i].reason);
		assert_int_equal(do_update(s, &req, &result), STATUS_OK);
		assert_int_equal(result.outcome.verdict, VERDICT_UNKNOWN);
		assert_int_equal(result.outcome.reason, cases[i].reason);
		assert_int_equal(real_redis_number(&s->redis, "STRLEN %s", key), cases[i].len);
	}
}

static void nothing_is_stored_in_clear(void **state)
{
	struct stage *s = *state;
	const struct session_attribute set = {SPAN_LIT("plain-key"), SPAN_LIT("plain-value")};
	const struct session_create_request req = {.user = SPAN_LIT("plain-user"),
						   .attribute_count = 1,
						   .attributes = &set,
						   .device = {.user_agent = SPAN_LIT("plain-agent")}};
	struct session_create_result made;
	redisReply *keys;

	s->world.env.idempotency_key = SPAN_LIT("plain-idempotency");
	assert_int_equal(do_create(s, &req, &made), STATUS_OK);
	keys = real_redis_ask(&s->redis, "KEYS *");
	assert_int_equal(keys->elements, 3);
	for (size_t i = 0; i < keys->elements; i++) {
		redisReply *dump = real_redis_ask(&s->redis, "DUMP %s", keys->element[i]->str);

		assert_null(memmem(keys->element[i]->str, keys->element[i]->len, "plain", 5));
		assert_null(memmem(dump->str, dump->len, "plain", 5));
		assert_null(memmem(dump->str, dump->len, made.token.ptr + 5, 20));
		assert_null(memmem(dump->str, dump->len, made.token.ptr + TOKEN_CHARS - 20, 20));
		freeReplyObject(dump);
	}
	freeReplyObject(keys);
}

static void the_commands_are_exact(void **state)
{
	struct stage *s = *state;
	const struct held_token t = login(s, "ann", "");
	const struct session_get_request req = {.token = token_of(&t)};
	struct plan plan = {0};
	char key[64];
	char wanted[16];

	session_key(&t, key);
	assert_int_equal(session_get_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	(void)snprintf(wanted, sizeof(wanted), "%lld", IDLE_MS);
	assert_int_equal(plan.command.script, STORE_NO_SCRIPT);
	assert_false(plan.command.is_write);
	assert_int_equal(plan.command.argc, 4);
	assert_true(span_eq(plan.command.key, span_str(key)));
	assert_true(span_eq(plan.command.argv[0], SPAN_LIT("GETEX")));
	assert_true(span_eq(plan.command.argv[1], span_str(key)));
	assert_true(span_eq(plan.command.argv[2], SPAN_LIT("PX")));
	assert_true(span_eq(plan.command.argv[3], span_str(wanted)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(create_then_get, stage_reset),
	    cmocka_unit_test_setup(get_slides_and_peek_does_not, stage_reset),
	    cmocka_unit_test_setup(nothing_outlives_the_absolute_deadline, stage_reset),
	    cmocka_unit_test_setup(a_session_without_a_record_has_a_reason, stage_reset),
	    cmocka_unit_test_setup(assurance_is_demanded, stage_reset),
	    cmocka_unit_test_setup(one_of_the_methods_is_demanded, stage_reset),
	    cmocka_unit_test_setup(privilege_is_demanded_and_ends, stage_reset),
	    cmocka_unit_test_setup(requested_timeouts_only_shorten, stage_reset),
	    cmocka_unit_test_setup(updates_apply_in_order, stage_reset),
	    cmocka_unit_test_setup(compare_and_set, stage_reset),
	    cmocka_unit_test_setup(a_full_record_is_rewritten, stage_reset),
	    cmocka_unit_test_setup(rewriting_yields_to_others, stage_reset),
	    cmocka_unit_test_setup(rewriting_with_an_expected_version_gives_up, stage_reset),
	    cmocka_unit_test_setup(a_rewrite_never_revives, stage_reset),
	    cmocka_unit_test_setup(an_update_never_revives, stage_reset),
	    cmocka_unit_test_setup(stored_attributes_are_limited, stage_reset),
	    cmocka_unit_test_setup(stored_bytes_are_limited, stage_reset),
	    cmocka_unit_test_setup(sealed_bytes_are_limited, stage_reset),
	    cmocka_unit_test_setup(rotated_keys_open_and_rewriting_moves_on, stage_reset),
	    cmocka_unit_test_setup(damaged_records_are_unknown, stage_reset),
	    cmocka_unit_test_setup(nothing_is_stored_in_clear, stage_reset),
	    cmocka_unit_test_setup(the_commands_are_exact, stage_reset),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
