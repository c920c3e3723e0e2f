/* The latchkey command over a session's whole life: cart, login, step-up, devices, events, the end of a realm; as a
 * script would use it, against the real service. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cli.h"
#include "support/file.h"
#include "support/json.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

/* An anonymous token carries its attributes. */
#define ANY_TOKEN_BYTES 3073

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    events: true\n"
			     "    classes:\n"
			     "      - { name: default, grace_s: 60, privileged_s: 300 }\n"
			     "      - { name: strict, sessions_max: 2, at_cap: refuse, privileged_s: 0 }\n"
			     "  - name: mall\n"
			     "    classes:\n"
			     "      - { name: default }\n";

THE_SCENE(config)

/* `latchkey ARGS...` with this exit status. */
#define expect(status, result, ...) cli_expect((status), (result), scene.service.url, __VA_ARGS__, NULL)
#define expect_only(status, ...)                                                                                       \
	do {                                                                                                           \
		struct run_result only_;                                                                               \
                                                                                                                       \
		expect((status), &only_, __VA_ARGS__);                                                                 \
		run_result_free(&only_);                                                                               \
	} while (0)

/* The only line of output, a token with this prefix. */
static void take_token(struct run_result *r, const char *prefix, char out[static ANY_TOKEN_BYTES])
{
	if (r->out_len < 2 || r->out_len > ANY_TOKEN_BYTES || strchr(r->out, '\n') != r->out + r->out_len - 1 ||
	    strncmp(r->out, prefix, strlen(prefix)) != 0)
		fail_msg("not a token alone: %s", r->out);
	memcpy(out, r->out, r->out_len - 1);
	out[r->out_len - 1] = '\0';
	run_result_free(r);
}

static json_t *parse(struct run_result *r)
{
	json_t *json = json_read(r->out);

	run_result_free(r);
	return json;
}

static void create(char token[static ANY_TOKEN_BYTES], const char *user)
{
	struct run_result r;

	expect(CLI_DONE, &r, "session", "create", user, "--aal", "1", "--amr", "pwd");
	take_token(&r, "lks1_", token);
}

static void expect_dead(const char *token, const char *reason)
{
	struct run_result r;

	expect(CLI_INVALID, &r, "session", "get", token);
	if (strstr(r.err, reason) == NULL)
		fail_msg("does not say %s: %s", reason, r.err);
	run_result_free(&r);
}

static void test_policy(void **state)
{
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "policy", "--class", "strict", "--json");
	json = parse(&r);
	assert_string_equal(json_text(json, "class"), "strict");
	assert_string_equal(json_text(json, "at_cap"), "REFUSE");
	assert_int_equal(json_integer_value(json_object_get(json, "sessions_max")), 2);
	assert_true(json_boolean_value(json_object_get(json, "events")));
	json_decref(json);
	expect(CLI_DONE, &r, "policy", "--realm", "mall");
	assert_non_null(strstr(r.out, "realm               mall\n"));
	run_result_free(&r);
	expect(CLI_USAGE, &r, "policy", "--class", "nowhere");
	assert_non_null(strstr(r.err, "nowhere"));
	run_result_free(&r);
}

static void test_demands(void **state)
{
	char token[ANY_TOKEN_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	create(token, "dan");
	expect(CLI_INVALID, &r, "session", "get", token, "--aal", "2");
	json = parse(&r);
	assert_string_equal(json_text(json, "reason"), "ASSURANCE_TOO_LOW");
	json_decref(json);
	expect_only(CLI_INVALID, "session", "get", token, "--amr", "hwk");
	expect_only(CLI_DONE, "session", "get", token, "--amr", "hwk", "--amr", "pwd");
	expect_only(CLI_DONE, "session", "get", token, "--aal", "1", "--within", "1000", "--privileged");
	expect(CLI_DONE, &r, "session", "get", token);
	json = parse(&r);
	assert_non_null(json_text(json, "privileged_until"));
	json_decref(json);
}

static void test_verify(void **state)
{
	char token[ANY_TOKEN_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	create(token, "vera");
	create(token, "vera");
	expect(CLI_DONE, &r, "session", "verify", "vera", "--json");
	json = parse(&r);
	assert_int_equal(json_integer_value(json_object_get(json, "sessions")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "dangling")), 0);
	json_decref(json);
	cli_run_with_input(&r, scene.service.url, token, "session", "verify", "vera", "--token", "-", NULL);
	assert_int_equal(r.status, CLI_DONE);
	assert_non_null(strstr(r.out, "sessions     2\n"));
	assert_non_null(strstr(r.out, "missing      0\n"));
	run_result_free(&r);
}

static void test_get_many(void **state)
{
	char alive[ANY_TOKEN_BYTES], dead[ANY_TOKEN_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	create(alive, "gil");
	create(dead, "gil");
	expect_only(CLI_DONE, "session", "revoke", dead);
	expect(CLI_INVALID, &r, "session", "get-many", dead, "no-token", alive);
	json = parse(&r);
	assert_int_equal(json_array_size(json), 3);
	assert_string_equal(json_text(json_array_get(json, 0), "reason"), "LOGOUT");
	assert_string_equal(json_text(json_array_get(json, 1), "reason"), "MALFORMED");
	assert_string_equal(json_text(json_array_get(json, 2), "user"), "gil");
	json_decref(json);
	expect_only(CLI_DONE, "session", "get-many", alive, alive, "--peek");
}

static void test_rotate(void **state)
{
	char old[ANY_TOKEN_BYTES], next[ANY_TOKEN_BYTES], again[ANY_TOKEN_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	create(old, "rob");
	expect(CLI_DONE, &r, "session", "rotate", old);
	take_token(&r, "lks1_", next);
	assert_string_not_equal(old, next);
	/* Whoever is a moment late gets the same. */
	expect(CLI_DONE, &r, "session", "rotate", old);
	take_token(&r, "lks1_", again);
	assert_string_equal(again, next);
	expect(CLI_DONE, &r, "session", "get", old);
	json = parse(&r);
	assert_string_equal(json_text(json, "successor"), next);
	json_decref(json);
	/* One device still. */
	expect(CLI_DONE, &r, "session", "list", "rob", "--json");
	json = parse(&r);
	assert_int_equal(json_array_size(json), 1);
	json_decref(json);
	/* Without a grace period the next use of the old one is a theft. */
	expect(CLI_DONE, &r, "session", "rotate", next, "--grace", "0", "--json");
	json = parse(&r);
	snprintf(again, sizeof(again), "%s", json_text(json, "token"));
	assert_non_null(json_text(json, "handle"));
	json_decref(json);
	expect_only(CLI_DONE, "session", "get", again);
	expect_dead(next, "REUSE_DETECTED");
	expect_dead(again, "REUSE_DETECTED");
	expect(CLI_INVALID, &r, "session", "rotate", again);
	assert_int_equal(r.out_len, 0);
	run_result_free(&r);
}

/* What a step-up gives goes to those who prove as much, and not to whoever has the old token. */
static void test_step_up(void **state)
{
	char old[ANY_TOKEN_BYTES], next[ANY_TOKEN_BYTES], again[ANY_TOKEN_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	create(old, "sue");
	expect(CLI_DONE, &r, "session", "rotate", old, "--aal", "2", "--amr", "hwk");
	take_token(&r, "lks1_", next);
	expect_only(CLI_DONE, "session", "get", next, "--aal", "2", "--amr", "hwk");
	expect(CLI_INVALID, &r, "session", "rotate", old);
	assert_non_null(strstr(r.err, "stronger login"));
	assert_null(strstr(r.err, "ended"));
	run_result_free(&r);
	expect(CLI_DONE, &r, "session", "rotate", old, "--aal", "2", "--amr", "hwk");
	take_token(&r, "lks1_", again);
	assert_string_equal(again, next);
	expect(CLI_DONE, &r, "session", "get", old);
	json = parse(&r);
	assert_null(json_object_get(json, "successor"));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "authentication"), "aal")), 1);
	json_decref(json);
	expect_only(CLI_INVALID, "session", "get", old, "--aal", "2");
}

static void test_anonymous(void **state)
{
	char token[ANY_TOKEN_BYTES], renewed[ANY_TOKEN_BYTES], promoted[ANY_TOKEN_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	expect(CLI_DONE, &r, "session", "create", "--anonymous", "--attr", "cart=3", "--attr", "lang=de");
	take_token(&r, "lka1_", token);
	expect(CLI_DONE, &r, "session", "update", token, "cart=4");
	take_token(&r, "lka1_", renewed);
	expect(CLI_DONE, &r, "session", "get", renewed);
	json = parse(&r);
	assert_true(json_boolean_value(json_object_get(json, "anonymous")));
	assert_null(json_object_get(json, "handle"));
	assert_string_equal(json_text(json_object_get(json, "attributes"), "cart"), "4");
	json_decref(json);
	cli_run_with_input(&r, scene.service.url, renewed, "session", "promote", "-", "paula", "--attr", "lang=fr",
			   NULL);
	assert_int_equal(r.status, CLI_DONE);
	take_token(&r, "lks1_", promoted);
	expect(CLI_DONE, &r, "session", "get", promoted);
	json = parse(&r);
	assert_string_equal(json_text(json, "user"), "paula");
	assert_string_equal(json_text(json_object_get(json, "attributes"), "cart"), "4");
	assert_string_equal(json_text(json_object_get(json, "attributes"), "lang"), "fr");
	json_decref(json);
	expect_only(CLI_DONE, "session", "create", "paula", "--promote", renewed);
	/* Not a session of somebody. */
	expect_only(CLI_USAGE, "session", "create", "paula", "--promote", promoted);
}

static void test_revoke_realm(void **state)
{
	char token[ANY_TOKEN_BYTES], here[ANY_TOKEN_BYTES];
	struct run_result r;

	(void)state;
	create(here, "mia");
	expect(CLI_DONE, &r, "session", "create", "mia", "--realm", "mall");
	take_token(&r, "lks1_", token);
	/* Before it was created: nothing has ended. */
	expect(CLI_DONE, &r, "session", "revoke-realm", "--realm", "mall", "--before", "2020-01-31T12:00:00Z");
	assert_string_equal(r.out, "revoked all sessions of the realm mall created before 2020-01-31T12:00:00.000Z\n");
	run_result_free(&r);
	expect_only(CLI_DONE, "session", "get", token, "--realm", "mall");
	expect_only(CLI_DONE, "session", "revoke-realm", "--realm", "mall");
	expect(CLI_INVALID, &r, "session", "get", token, "--realm", "mall");
	assert_non_null(strstr(r.err, "REALM_REVOKED"));
	run_result_free(&r);
	expect_only(CLI_DONE, "session", "get", here);
	expect_only(CLI_USAGE, "session", "revoke-realm", "--realm", "atlantis");
	/* "default" where none is named, and the answer says so. */
	expect(CLI_DONE, &r, "session", "revoke-realm", "--json");
	assert_non_null(strstr(r.out, "\"realm\": \"default\""));
	run_result_free(&r);
	expect_dead(here, "REALM_REVOKED");
}

static void test_keys(void **state)
{
	struct run_result r;
	json_t *json;
	json_t *key;

	(void)state;
	expect(CLI_DONE, &r, "keys", "--json");
	json = parse(&r);
	key = json_array_get(json_object_get(json, "keys"), 0);
	assert_true(json_boolean_value(json_object_get(key, "first")));
	assert_non_null(json_text(json, "loaded_at"));
	json_decref(json);
}

/* Runs `latchkey session watch` beside, and makes things happen until it has seen enough. */
static void watch_until(const char *const *args, const char *output)
{
	char program[TMPDIR_FILE_BYTES];
	char server[TMPDIR_FILE_BYTES + 32];
	const char *argv[12] = {program, "session", "watch"};
	const char *const env[] = {server, NULL};
	char token[ANY_TOKEN_BYTES];
	struct process process = {0};
	uint64_t until = now_mono_ms() + BOUND_MS;
	int status = -1;

	binary_path("latchkey", program, sizeof(program));
	(void)snprintf(server, sizeof(server), "LATCHKEY_SERVER=%s", scene.service.url);
	for (size_t i = 0; args[i] != NULL; i++)
		argv[3 + i] = args[i];
	process_spawn(&process, &(struct process_spec){.argv = argv, .env = env, .output_path = output});
	while (!process_wait(&process, 50, &status)) {
		assert_true(now_mono_ms() < until);
		create(token, "wanda");
		expect_only(CLI_DONE, "session", "revoke", token);
	}
	assert_int_equal(status, CLI_DONE);
}

static void test_watch(void **state)
{
	char output[TMPDIR_FILE_BYTES], more[TMPDIR_FILE_BYTES];
	json_t *last = NULL;
	char *lines;
	unsigned count = 0;

	(void)state;
	tmpdir_file(&scene.service.dir, "watched", output);
	tmpdir_file(&scene.service.dir, "watched-more", more);
	watch_until((const char *const[]){"--count", "5", "--json", "--timeout", "2", NULL}, output);
	lines = file_read(output, NULL);
	for (char *save = NULL, *line = strtok_r(lines, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		json_decref(last);
		last = json_read(line);
		assert_true(strcmp(json_text(last, "kind"), "CREATED") == 0 ||
			    strcmp(json_text(last, "kind"), "REVOKED") == 0);
		assert_int_equal(strlen(json_text(last, "handle")), HANDLE_BYTES - 1);
		assert_memory_equal(json_text(last, "handle"), json_text(last, "user_tag"),
				    strlen(json_text(last, "user_tag")));
		count++;
	}
	free(lines);
	assert_int_equal(count, 5);
	/* From there on: without a gap, and as text. */
	watch_until((const char *const[]){"--count", "2", "--cursor", json_text(last, "cursor"), NULL}, more);
	lines = file_read(more, NULL);
	assert_null(strstr(lines, "GAP"));
	assert_true(strstr(lines, "CREATED") != NULL || strstr(lines, "REVOKED") != NULL);
	free(lines);
	json_decref(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policy),	 cmocka_unit_test(test_demands), cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_get_many),	 cmocka_unit_test(test_rotate),	 cmocka_unit_test(test_step_up),
	    cmocka_unit_test(test_anonymous),	 cmocka_unit_test(test_keys),	 cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_revoke_realm),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
