/* A realm with classes for browsers, for "remember me" and for what needs a fresh proof, end to end through two instances:
 * what Policy says, who is let in, what polling writes, and an index that is set right. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define OK	  LATCHKEY__V1__CODE__OK
#define VALID	  LATCHKEY__V1__VERDICT__VALID
#define INVALID	  LATCHKEY__V1__VERDICT__INVALID
#define NO_REASON LATCHKEY__V1__REASON__REASON_NONE
#define TOO_LOW	  LATCHKEY__V1__REASON__ASSURANCE_TOO_LOW

static const char config[] =
    "realms:\n"
    "  - name: default\n"
    "    events: false\n"
    "    classes:\n"
    "      - { name: web, touch_interval_s: 60 }\n"
    "      - { name: remember-me, idle_timeout_s: 2592000, absolute_timeout_s: 31536000,\n"
    "          sessions_max: 10, at_cap: evict_least_recently_used, touch_interval_s: 3600,\n"
    "          privileged_s: 0 }\n"
    "      - { name: sudo, idle_timeout_s: 120, absolute_timeout_s: 600, sessions_max: 1,\n"
    "          grace_s: 0, privileged_s: 300 }\n"
    "  - name: plain\n"
    "  - name: all\n"
    "    wait_replicas: 1\n"
    "    visitors: { hour_retention_h: 24, day_retention_d: 60 }\n"
    "    profiles: { tiers: [ { name: user, ttl_s: 86400 }, { name: guest, ttl_s: 3600 } ],\n"
    "                jitter_percent: 5, changes: true, changes_max: 5000 }\n"
    "    auth: { ttl_s: 61, negative_ttl_s: 11, stale_s: 31, jitter_percent: 12, lease_ms: 2001,\n"
    "            early_percent: 101 }\n";

THE_SCENE_OF_TWO(config)

static Latchkey__V1__ServerPolicyResponse *ask_policy(const char *realm, const char *session_class)
{
	Latchkey__V1__ServerPolicyRequest req = LATCHKEY__V1__SERVER_POLICY_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Server/Policy", .request = &req.base};

	req.has_realm = req.has_session_class = true;
	req.realm = raw_text(realm);
	req.session_class = raw_text(session_class);
	return (Latchkey__V1__ServerPolicyResponse *)raw_call_expect(&scene.caller, OK, &call,
								     &latchkey__v1__server_policy_response__descriptor);
}

static void test_policy_tells_what_is_in_force(void **state)
{
	Latchkey__V1__ServerPolicyResponse *p = ask_policy("default", "remember-me");

	(void)state;
	assert_int_equal(p->idle_timeout_s, 2592000);
	assert_int_equal(p->absolute_timeout_s, 31536000);
	assert_int_equal(p->sessions_max, 10);
	assert_int_equal(p->at_cap, LATCHKEY__V1__AT_CAP__EVICT_LEAST_RECENTLY_USED);
	assert_int_equal(p->touch_interval_s, 3600);
	assert_int_equal(p->grace_s, 10);
	assert_true(p->has_privileged_s && p->privileged_s == 0);
	assert_true(p->has_events && !p->events);
	raw_free(p);
	p = ask_policy("default", "sudo");
	assert_true(p->has_grace_s && p->grace_s == 0);
	assert_int_equal(p->privileged_s, 300);
	raw_free(p);
	p = ask_policy("plain", "default");
	assert_int_equal(p->at_cap, LATCHKEY__V1__AT_CAP__EVICT_OLDEST);
	assert_true(p->has_touch_interval_s && p->touch_interval_s == 0);
	assert_int_equal(p->grace_s, 10);
	assert_int_equal(p->privileged_s, 900);
	assert_true(p->events);
	raw_free(p);
}

static void test_policy_tells_what_the_realm_has(void **state)
{
	Latchkey__V1__ServerPolicyResponse *p = ask_policy("all", "default");

	(void)state;
	assert_int_equal(p->wait_replicas, 1);
	assert_int_equal(p->wait_ms, 100);
	assert_int_equal(p->n_profile_tiers, 2);
	assert_memory_equal(p->profile_tiers[1]->name.data, "guest", 5);
	assert_int_equal(p->profile_tiers[1]->ttl_s, 3600);
	assert_int_equal(p->profile_jitter_percent, 5);
	assert_true(p->profile_changes);
	assert_int_equal(p->profile_changes_max, 5000);
	assert_int_equal(p->visitors_hour_retention_h, 24);
	assert_int_equal(p->visitors_day_retention_d, 60);
	assert_int_equal(p->auth_ttl_s, 61);
	assert_int_equal(p->auth_negative_ttl_s, 11);
	assert_int_equal(p->auth_stale_s, 31);
	assert_int_equal(p->auth_jitter_percent, 12);
	assert_int_equal(p->auth_lease_ms, 2001);
	assert_int_equal(p->auth_early_percent, 101);
	raw_free(p);
	p = ask_policy("plain", "default");
	assert_int_equal(p->n_profile_tiers, 1);
	assert_int_equal(p->auth_ttl_s, 60);
	assert_true(p->has_profile_changes && !p->profile_changes);
	raw_free(p);
}

/* ---- Demands ---- */

static void create_proved(const char *session_class, const char *amr, uint64_t ago_ms,
			  char ret_token[static TOKEN_BYTES])
{
	Latchkey__V1__CreateSessionRequest req = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	Latchkey__V1__Authentication authentication = LATCHKEY__V1__AUTHENTICATION__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/Create", .request = &req.base};
	ProtobufCBinaryData methods[] = {raw_text(amr)};
	Latchkey__V1__CreateSessionResponse *m;

	req.has_user = req.has_session_class = true;
	req.user = raw_text("ann");
	req.session_class = raw_text(session_class);
	req.authentication = &authentication;
	authentication.n_amr = 1;
	authentication.amr = methods;
	authentication.has_at_ms = true;
	authentication.at_ms = now_wall_ms() - ago_ms;
	m = (Latchkey__V1__CreateSessionResponse *)raw_call_expect(&scene.caller, OK, &call,
								   &latchkey__v1__create_session_response__descriptor);
	memcpy(ret_token, m->token.data, TOKEN_BYTES - 1);
	ret_token[TOKEN_BYTES - 1] = '\0';
	if (strcmp(session_class, "remember-me") == 0)
		assert_false(m->info->has_privileged_until_ms);
	else
		assert_true(m->info->privileged_until_ms > authentication.at_ms);
	raw_free(m);
}

static Latchkey__V1__Reason demand(const char *token, const char *amr, bool is_privileged)
{
	Latchkey__V1__GetSessionRequest req = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/Get", .request = &req.base};
	ProtobufCBinaryData methods[] = {raw_text("hwk"), raw_text(amr == NULL ? "" : amr)};
	Latchkey__V1__GetSessionResponse *m;
	Latchkey__V1__Reason reason;

	req.has_token = true;
	req.token = raw_text(token);
	req.n_amr = amr == NULL ? 0 : 2;
	req.amr = methods;
	req.has_privileged = req.privileged = is_privileged;
	m = (Latchkey__V1__GetSessionResponse *)raw_call_expect(&second_caller, OK, &call,
								&latchkey__v1__get_session_response__descriptor);
	reason = m->reason;
	assert_int_equal(m->verdict, reason == NO_REASON ? VALID : INVALID);
	raw_free(m);
	return reason;
}

static void test_demands_are_held_against_the_session(void **state)
{
	char token[TOKEN_BYTES];

	(void)state;
	create_proved("sudo", "otp", 0, token);
	assert_int_equal(demand(token, "otp", true), NO_REASON);
	assert_int_equal(demand(token, "pwd", true), TOO_LOW);
	create_proved("sudo", "otp", 301000, token);
	assert_int_equal(demand(token, "otp", true), TOO_LOW);
	assert_int_equal(demand(token, "otp", false), NO_REASON);
	create_proved("remember-me", "otp", 0, token);
	assert_int_equal(demand(token, NULL, true), TOO_LOW);
	assert_int_equal(demand(token, NULL, false), NO_REASON);
}

/* ---- Polling ---- */

static void key_of(const char *token, char ret_key[static 64])
{
	struct session_seen seen;

	assert_int_equal(session_peek(&scene.caller, NULL, token, &seen), OK);
	assert_int_equal(seen.verdict, VALID);
	(void)snprintf(ret_key, 64, "lk1:s:{%.11s}:%.16s", seen.handle, seen.handle + 12);
}

static long long slides(redisContext *c)
{
	return redis_command_calls(c, "pexpire") + redis_command_calls(c, "getex");
}

static void test_polling_through_two_instances_writes_once(void **state)
{
	redisContext *c = redis_server_connect(&scene.redis);
	struct session_seen seen;
	char token[TOKEN_BYTES];
	char key[64];
	long long before;

	(void)state;
	session_create(&scene.caller, &(struct session_wish){.user = "poll", .session_class = "web"}, token);
	key_of(token, key);
	freeReplyObject(redis_server_command(&scene.redis, "PEXPIRE %s %d", key, (1800 - 60) * 1000));
	before = slides(c);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(session_get(i % 2 == 0 ? &scene.caller : &second_caller, NULL, token, 0, &seen), OK);
		assert_int_equal(seen.verdict, VALID);
	}
	assert_int_equal(slides(c) - before, 1);
	assert_true(server_counter(&scene.caller, "latchkey_touches_total") +
			server_counter(&second_caller, "latchkey_touches_total") >=
		    1);
	assert_true(server_counter(&second_caller, "latchkey_touches_spared_total") >= 49);
	redisFree(c);
}

/* ---- Verify ---- */

static void expect_verified(struct raw *r, const char *token, uint32_t sessions, uint32_t dangling, uint32_t wrong,
			    uint32_t missing)
{
	Latchkey__V1__VerifySessionsRequest req = LATCHKEY__V1__VERIFY_SESSIONS_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/Verify", .request = &req.base};
	ProtobufCBinaryData tokens[] = {raw_text(token)};
	Latchkey__V1__VerifySessionsResponse *m;

	req.has_user = true;
	req.user = raw_text("drift");
	req.n_tokens = 1;
	req.tokens = tokens;
	m = (Latchkey__V1__VerifySessionsResponse *)raw_call_expect(
	    r, OK, &call, &latchkey__v1__verify_sessions_response__descriptor);
	assert_true(m->has_sessions && m->has_dangling && m->has_wrong_score && m->has_missing);
	assert_int_equal(m->sessions, sessions);
	assert_int_equal(m->dangling, dangling);
	assert_int_equal(m->wrong_score, wrong);
	assert_int_equal(m->missing, missing);
	raw_free(m);
}

static void test_verify_sets_an_index_right(void **state)
{
	char token[3][TOKEN_BYTES];
	char key[3][64];
	char index[64];

	(void)state;
	for (int i = 0; i < 3; i++) {
		session_create(&scene.caller, &(struct session_wish){.user = "drift", .session_class = "web"},
			       token[i]);
		key_of(token[i], key[i]);
	}
	expect_verified(&scene.caller, token[0], 3, 0, 0, 0);
	(void)snprintf(index, sizeof(index), "lk1:u:%.13s", key[0] + 6);
	freeReplyObject(redis_server_command(&scene.redis, "DEL %s", key[1]));
	freeReplyObject(redis_server_command(&scene.redis, "ZADD %s 1 %s", index, key[2] + 20));
	freeReplyObject(redis_server_command(&scene.redis, "ZREM %s %s", index, key[0] + 20));
	expect_verified(&second_caller, token[0], 2, 1, 1, 1);
	expect_verified(&scene.caller, token[0], 2, 0, 0, 0);
	assert_int_equal(server_counter(&second_caller, "latchkey_index_dangling_total"), 1);
	assert_int_equal(server_counter(&second_caller, "latchkey_index_wrong_score_total"), 1);
	assert_int_equal(server_counter(&second_caller, "latchkey_index_missing_total"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policy_tells_what_is_in_force),
	    cmocka_unit_test(test_policy_tells_what_the_realm_has),
	    cmocka_unit_test(test_demands_are_held_against_the_session),
	    cmocka_unit_test(test_polling_through_two_instances_writes_once),
	    cmocka_unit_test(test_verify_sets_an_index_right),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
