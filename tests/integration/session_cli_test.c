/* The latchkey command, as a person at a terminal or a script uses it: outputs, JSON, exit statuses, reasons. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cli.h"
#include "support/json.h"
#include "support/port.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

/* What the server refuses for a reason of its own: a conflict, a cap. */
#define CLI_REFUSED 4

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: default }\n"
			     "      - { name: pair, sessions_max: 2, at_cap: evict_oldest }\n"
			     "      - { name: strict, sessions_max: 2, at_cap: refuse }\n"
			     "  - name: shop\n"
			     "    classes:\n"
			     "      - { name: default }\n";

THE_SCENE(config)

/* `latchkey ARGS...` with this exit status. */
#define expect(status, result, ...) cli_expect((status), (result), scene.service.url, __VA_ARGS__, NULL)

/* The only line of output, as a token. */
static void take_token(struct run_result *r, char out[static TOKEN_BYTES])
{
	if (r->out_len != TOKEN_BYTES || r->out[TOKEN_BYTES - 1] != '\n' || strncmp(r->out, "lks1_", 5) != 0 ||
	    strspn(r->out + 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != 100)
		fail_msg("not a token alone: %s", r->out);
	memcpy(out, r->out, TOKEN_BYTES - 1);
	out[TOKEN_BYTES - 1] = '\0';
	run_result_free(r);
}

/* Exit status 1, and the reason on stderr in either case of letters. */
static void expect_dead(const char *token, const char *reason)
{
	struct run_result r;

	expect(CLI_INVALID, &r, "session", "get", token);
	if (strcasestr(r.err, reason) == NULL)
		fail_msg("does not say %s: %s", reason, r.err);
	run_result_free(&r);
}

static void expect_alive(const char *token)
{
	struct run_result r;

	expect(CLI_DONE, &r, "session", "get", token);
	run_result_free(&r);
}

static void test_create_and_get(void **state)
{
	char token[TOKEN_BYTES];
	struct run_result r;
	json_t *json;
	json_t *attributes;

	(void)state;
	expect(CLI_DONE, &r, "session", "create", "ann", "--attr", "role=admin", "--attr", "cart=a=b", "--user-agent",
	       "Firefox", "--ip", "192.0.2.1", "--label", "Ann's phone");
	take_token(&r, token);
	expect(CLI_DONE, &r, "session", "get", token);
	json = json_read(r.out);
	assert_string_equal(json_text(json, "verdict"), "VALID");
	assert_string_equal(json_text(json, "user"), "ann");
	assert_string_equal(json_text(json, "class"), "default");
	assert_int_equal(strlen(json_text(json, "handle")), HANDLE_BYTES - 1);
	assert_int_equal(json_integer_value(json_object_get(json, "version")), 1);
	attributes = json_object_get(json, "attributes");
	assert_int_equal(json_object_size(attributes), 2);
	assert_string_equal(json_text(attributes, "role"), "admin");
	assert_string_equal(json_text(attributes, "cart"), "a=b");
	assert_string_equal(json_text(json_object_get(json, "device"), "user_agent"), "Firefox");
	assert_string_equal(json_text(json_object_get(json, "device"), "ip"), "192.0.2.1");
	assert_string_equal(json_text(json_object_get(json, "device"), "label"), "Ann's phone");
	/* ISO 8601, UTC. */
	assert_non_null(strchr(json_text(json, "created_at"), 'T'));
	assert_int_equal(json_text(json, "expires_at")[strlen(json_text(json, "expires_at")) - 1], 'Z');
	assert_true(strcmp(json_text(json, "idle_expires_at"), json_text(json, "expires_at")) <= 0);
	assert_true(strcmp(json_text(json, "created_at"), json_text(json, "last_seen_at")) <= 0);
	/* The token is a secret that the caller has: it is not echoed. */
	assert_null(strstr(r.out, token));
	json_decref(json);
	run_result_free(&r);
}

static void test_create_json_and_token_on_stdin(void **state)
{
	char line[TOKEN_BYTES + 1];
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "session", "create", "ann", "--json");
	json = json_read(r.out);
	snprintf(line, sizeof(line), "%s\n", json_text(json, "token"));
	json_decref(json);
	run_result_free(&r);
	cli_run_with_input(&r, scene.service.url, line, "session", "get", "-", NULL);
	assert_int_equal(r.status, CLI_DONE);
	run_result_free(&r);
}

static void test_values_that_are_no_text(void **state)
{
	char token[TOKEN_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "session", "create", "ann", "--attr", "bytes=\xff\xfe");
	take_token(&r, token);
	expect(CLI_DONE, &r, "session", "get", token);
	json = json_read(r.out);
	assert_string_equal(json_text(json_object_get(json_object_get(json, "attributes"), "bytes"), "base64"), "//4=");
	json_decref(json);
	run_result_free(&r);
}

static void test_update(void **state)
{
	char token[TOKEN_BYTES];
	struct run_result r;
	json_t *attributes;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "session", "create", "ann", "--attr", "a=1", "--attr", "b=2");
	take_token(&r, token);
	expect(CLI_DONE, &r, "session", "update", token, "b=3", "c=4", "--remove", "a");
	run_result_free(&r);
	expect(CLI_DONE, &r, "session", "update", token, "d=5", "--expect", "2");
	run_result_free(&r);
	/* Somebody else was first. */
	expect(CLI_REFUSED, &r, "session", "update", token, "d=6", "--expect", "2");
	assert_non_null(strstr(r.err, "3"));
	run_result_free(&r);
	expect(CLI_DONE, &r, "session", "get", token);
	json = json_read(r.out);
	assert_int_equal(json_integer_value(json_object_get(json, "version")), 3);
	attributes = json_object_get(json, "attributes");
	assert_int_equal(json_object_size(attributes), 3);
	assert_string_equal(json_text(attributes, "b"), "3");
	assert_string_equal(json_text(attributes, "c"), "4");
	assert_string_equal(json_text(attributes, "d"), "5");
	json_decref(json);
	run_result_free(&r);
}

static void test_list(void **state)
{
	char tokens[3][TOKEN_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		expect(CLI_DONE, &r, "session", "create", "lea", "--label", i == 1 ? "tablet" : "phone");
		take_token(&r, tokens[i]);
	}
	expect(CLI_DONE, &r, "session", "list", "lea", "--json");
	json = json_read(r.out);
	if (json_is_object(json)) {
		json_t *sessions = json_incref(json_object_get(json, "sessions"));

		json_decref(json);
		json = sessions;
	}
	assert_int_equal(json_array_size(json), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(strlen(json_text(json_array_get(json, i), "handle")), HANDLE_BYTES - 1);
		assert_null(strstr(r.out, tokens[i]));
	}
	json_decref(json);
	run_result_free(&r);
	expect(CLI_DONE, &r, "session", "list", "lea");
	assert_non_null(strstr(r.out, "tablet"));
	run_result_free(&r);
	expect(CLI_DONE, &r, "session", "list", "nobody");
	run_result_free(&r);
}

static void take_handle(const char *token, char out[static HANDLE_BYTES])
{
	struct session_seen seen;

	assert_int_equal(session_get(&scene.caller, NULL, token, 0, &seen), LATCHKEY__V1__CODE__OK);
	memcpy(out, seen.handle, HANDLE_BYTES);
}

static void test_revoke(void **state)
{
	char tokens[3][TOKEN_BYTES];
	char handle[HANDLE_BYTES];
	struct run_result r;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		session_create(&scene.caller, &(struct session_wish){.user = "rex"}, tokens[i]);
	expect(CLI_DONE, &r, "session", "revoke", tokens[0]);
	run_result_free(&r);
	expect_dead(tokens[0], "LOGOUT");
	/* Again: dead it is. */
	expect(CLI_DONE, &r, "session", "revoke", tokens[0]);
	run_result_free(&r);
	take_handle(tokens[1], handle);
	expect(CLI_DONE, &r, "session", "revoke", handle, "--reason", "admin");
	run_result_free(&r);
	expect_dead(tokens[1], "ADMIN");
	expect_alive(tokens[2]);
	/* Dead sessions are no devices. */
	expect(CLI_DONE, &r, "session", "list", "rex", "--json");
	assert_null(strstr(r.out, handle));
	run_result_free(&r);
	/* And an update does not wake them. */
	expect(CLI_INVALID, &r, "session", "update", tokens[0], "k=v");
	run_result_free(&r);
	expect_dead(tokens[0], "LOGOUT");
}

static void test_revoke_user(void **state)
{
	char tokens[4][TOKEN_BYTES];
	struct run_result r;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		session_create(&scene.caller, &(struct session_wish){.user = i < 3 ? "uma" : "una"}, tokens[i]);
	expect(CLI_DONE, &r, "session", "revoke-user", "uma", "--except", tokens[1]);
	assert_non_null(strstr(r.out, "2"));
	run_result_free(&r);
	expect_dead(tokens[0], "LOGOUT_EVERYWHERE");
	expect_alive(tokens[1]);
	expect_dead(tokens[2], "LOGOUT_EVERYWHERE");
	expect_alive(tokens[3]);
	expect(CLI_DONE, &r, "session", "revoke-user", "uma");
	run_result_free(&r);
	expect_dead(tokens[1], "LOGOUT_EVERYWHERE");
	expect_alive(tokens[3]);
}

static void test_realms_are_apart(void **state)
{
	char here[TOKEN_BYTES];
	char there[TOKEN_BYTES];
	struct run_result r;

	(void)state;
	expect(CLI_DONE, &r, "session", "create", "rea");
	take_token(&r, here);
	expect(CLI_DONE, &r, "session", "create", "rea", "--realm", "shop");
	take_token(&r, there);
	expect_dead(there, "FORGED");
	expect(CLI_INVALID, &r, "session", "get", here, "--realm", "shop");
	run_result_free(&r);
	expect(CLI_DONE, &r, "session", "revoke-user", "rea");
	run_result_free(&r);
	expect(CLI_DONE, &r, "session", "get", there, "--realm", "shop");
	run_result_free(&r);
	expect(CLI_USAGE, &r, "session", "create", "rea", "--realm", "atlantis");
	assert_non_null(strstr(r.err, "atlantis"));
	run_result_free(&r);
}

static void test_cap_evicts_the_oldest(void **state)
{
	char tokens[3][TOKEN_BYTES];
	struct run_result r;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		expect(CLI_DONE, &r, "session", "create", "eva", "--class", "pair");
		take_token(&r, tokens[i]);
	}
	expect_dead(tokens[0], "EVICTED");
	expect_alive(tokens[1]);
	expect_alive(tokens[2]);
}

static void test_cap_refuses(void **state)
{
	char tokens[2][TOKEN_BYTES];
	struct run_result r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		expect(CLI_DONE, &r, "session", "create", "sten", "--class", "strict");
		take_token(&r, tokens[i]);
	}
	expect(CLI_REFUSED, &r, "session", "create", "sten", "--class", "strict");
	assert_int_equal(r.out_len, 0);
	assert_non_null(strstr(r.err, "2"));
	run_result_free(&r);
	expect_alive(tokens[0]);
	/* Room again. */
	expect(CLI_DONE, &r, "session", "revoke", tokens[0]);
	run_result_free(&r);
	expect(CLI_DONE, &r, "session", "create", "sten", "--class", "strict");
	run_result_free(&r);
	expect_alive(tokens[1]);
}

static bool is_dead_to_a_peek(const char *token)
{
	struct run_result r;
	bool is_dead;

	cli_run(&r, scene.service.url, "session", "get", token, "--peek", NULL);
	is_dead = r.status == CLI_INVALID;
	assert_in_range(r.status, CLI_DONE, CLI_INVALID);
	run_result_free(&r);
	return is_dead;
}

static void test_idle_timeout(void **state)
{
	char token[TOKEN_BYTES];
	struct run_result r;

	(void)state;
	expect(CLI_DONE, &r, "session", "create", "ida", "--idle", "2");
	take_token(&r, token);
	assert_becomes(is_dead_to_a_peek(token), BOUND_MS);
	expect_dead(token, "IDLE_TIMEOUT");
}

static void test_absolute_timeout(void **state)
{
	char token[TOKEN_BYTES];
	struct run_result r;
	uint64_t began = now_mono_ms();

	(void)state;
	expect(CLI_DONE, &r, "session", "create", "abe", "--max", "3");
	take_token(&r, token);
	/* Using it does not make it live longer. */
	assert_becomes((cli_run(&r, scene.service.url, "session", "get", token, NULL), run_result_free(&r),
			r.status = 0, is_dead_to_a_peek(token)),
		       BOUND_MS);
	assert_true(now_mono_ms() - began >= 2000);
	expect_dead(token, "ABSOLUTE_TIMEOUT");
}

static void test_nobody_listens(void **state)
{
	char url[64];
	struct run_result r;
	uint64_t began = now_mono_ms();

	(void)state;
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", port_free());
	cli_run(&r, url, "session", "get", "lks1_x", "--timeout", "0.5", NULL);
	assert_int_equal(r.status, CLI_UNAVAILABLE);
	/* JSON always, and never a word of INVALID. */
	assert_non_null(strstr(r.out, "UNKNOWN"));
	assert_null(strstr(r.out, "INVALID"));
	assert_non_null(strstr(r.err, url));
	run_result_free(&r);
	assert_in_range(now_mono_ms() - began, 0, 500 + LATE_MS);
	cli_run(&r, url, "health", "--timeout", "0.5", NULL);
	assert_int_equal(r.status, CLI_UNAVAILABLE);
	run_result_free(&r);
}

static void test_usage(void **state)
{
	static const char *const wrong[][4] = {
	    {"session", "frobnicate"},	   {"session", "get"},
	    {"session", "create"},	   {"frobnicate"},
	    {"info", "--frobnicate"},	   {"session", "update", "lks1_x", "no-equals-sign"},
	    {"info", "--timeout", "soon"},
	};
	struct run_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cli_run(&r, scene.service.url, wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3], NULL);
		if (r.status != CLI_USAGE || r.out_len != 0 || strstr(r.err, "--help") == NULL)
			fail_msg("case %zu: status %d, out: %s, err: %s", i, r.status, r.out, r.err);
		run_result_free(&r);
	}
	expect(CLI_DONE, &r, "--help");
	assert_non_null(strstr(r.out, "session create"));
	run_result_free(&r);
	expect(CLI_DONE, &r, "--version");
	run_result_free(&r);
}

static void test_info_health_stats(void **state)
{
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "health");
	assert_non_null(strstr(r.out, "SERVING"));
	run_result_free(&r);
	expect(CLI_DONE, &r, "info", "--json");
	json = json_read(r.out);
	assert_true(json_object_size(json) > 0);
	assert_non_null(strstr(r.out, "shop"));
	json_decref(json);
	run_result_free(&r);
	expect(CLI_DONE, &r, "info");
	assert_non_null(strstr(r.out, "shop"));
	run_result_free(&r);
	expect(CLI_DONE, &r, "stats");
	assert_non_null(strstr(r.out, "latchkey_sessions_created_total"));
	run_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_create_and_get),
	    cmocka_unit_test(test_create_json_and_token_on_stdin),
	    cmocka_unit_test(test_values_that_are_no_text),
	    cmocka_unit_test(test_update),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_revoke),
	    cmocka_unit_test(test_revoke_user),
	    cmocka_unit_test(test_realms_are_apart),
	    cmocka_unit_test(test_cap_evicts_the_oldest),
	    cmocka_unit_test(test_cap_refuses),
	    cmocka_unit_test(test_idle_timeout),
	    cmocka_unit_test(test_absolute_timeout),
	    cmocka_unit_test(test_nobody_listens),
	    cmocka_unit_test(test_usage),
	    cmocka_unit_test(test_info_health_stats),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
