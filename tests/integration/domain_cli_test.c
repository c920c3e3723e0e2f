/* The latchkey command on profiles, visitors, the auth cache, limits and locks, as a script would use it, against the
 * real service. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/cli.h"
#include "support/scene.h"
#include "support/wait.h"

/* What the server refuses for a reason of its own: a conflict. */
#define CLI_REFUSED 4
/* Refused by a limit, not held, not there. */
#define CLI_NO	     1
#define SECRET_BYTES 257
#define DAY_BYTES    11

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    profiles: { changes: true }\n"
			     "    classes:\n"
			     "      - { name: default }\n";

THE_SCENE(config)

/* `latchkey ARGS...` with this exit status, and this on the standard output. */
#define says(status, text, ...)                                                                                        \
	do {                                                                                                           \
		struct run_result said_;                                                                               \
                                                                                                                       \
		cli_expect((status), &said_, scene.service.url, __VA_ARGS__, NULL);                                    \
		assert_string_equal(said_.out, text);                                                                  \
		run_result_free(&said_);                                                                               \
	} while (0)

/* The JSON that it prints. */
#define json_of(status, ...)                                                                                           \
	({                                                                                                             \
		struct run_result said_;                                                                               \
		json_t *json_;                                                                                         \
                                                                                                                       \
		cli_expect((status), &said_, scene.service.url, __VA_ARGS__, NULL);                                    \
		json_ = json_loads(said_.out, 0, NULL);                                                                \
		if (json_ == NULL)                                                                                     \
			fail_msg("not JSON: %s", said_.out);                                                           \
		run_result_free(&said_);                                                                               \
		json_;                                                                                                 \
	})

static void has_text(const json_t *json, const char *name, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(json, name)), text);
}

static void has_number(const json_t *json, const char *name, json_int_t number)
{
	assert_true(json_is_integer(json_object_get(json, name)));
	assert_int_equal(json_integer_value(json_object_get(json, name)), number);
}

static void a_profile_lives(void **state)
{
	json_t *json, *fields;

	(void)state;
	json_decref(json_of(CLI_NO, "profile", "get", "ann"));
	says(CLI_DONE, "version 1\n", "profile", "set", "ann", "theme=dark", "note=", "--expect-none");
	says(CLI_REFUSED, "", "profile", "set", "ann", "theme=light", "--expect-none");
	says(CLI_DONE, "visits 1\npoints -5\n", "profile", "incr", "ann", "visits", "points=-5");
	json = json_of(CLI_DONE, "profile", "get", "ann");
	has_number(json, "version", 2);
	fields = json_object_get(json, "fields");
	assert_int_equal(json_object_size(fields), 4);
	has_text(fields, "theme", "dark");
	has_text(fields, "note", "");
	has_number(fields, "points", -5);
	json_decref(json);
	json = json_of(CLI_DONE, "profile", "get", "ann", "visits", "nothing");
	assert_int_equal(json_object_size(json_object_get(json, "fields")), 1);
	json_decref(json);
	json = json_of(CLI_REFUSED, "profile", "unset", "ann", "note", "--expect", "1", "--json");
	has_number(json, "version", 2);
	json_decref(json);
	says(CLI_DONE, "version 3\n", "profile", "unset", "ann", "note", "--expect", "2");
	says(CLI_DONE, "version 4\n", "profile", "set", "ann", "only=this", "--replace");
	says(CLI_DONE, "version 5\n", "profile", "set", "ann", "visits=1", "--number", "points=7");
	says(CLI_DONE, "points 8\n", "profile", "incr", "ann", "points");
	says(CLI_REFUSED, "", "profile", "incr", "ann", "visits");
	says(CLI_DONE, "version 7\n", "profile", "set", "ann", "only=this", "--replace");
	json = json_of(CLI_DONE, "profile", "get", "ann");
	assert_int_equal(json_object_size(json_object_get(json, "fields")), 1);
	json_decref(json);
	says(CLI_DONE, "deleted\n", "profile", "delete", "ann");
	says(CLI_DONE, "there was none\n", "profile", "delete", "ann");
}

static void the_rest_is_told(void **state)
{
	struct run_result r;

	(void)state;
	says(CLI_DONE, "version 1\n", "profile", "set", "dan", "theme=dark");
	says(CLI_DONE, "version 2\n", "profile", "set", "dan", "theme=light");
	cli_expect(CLI_DONE, &r, scene.service.url, "profile", "changes", "audit", "--count", "1", NULL);
	assert_non_null(strstr(r.err, "more wait for the group"));
	run_result_free(&r);
}

static void changes_go_to_a_group(void **state)
{
	json_t *json;
	char id[64];

	(void)state;
	says(CLI_DONE, "version 1\n", "profile", "set", "ben", "theme=dark");
	json = NULL;
	/* Those of other tests come first. */
	do {
		json_decref(json);
		json = json_of(CLI_DONE, "profile", "changes", "mail", "--count", "1", "--json");
	} while (strcmp(json_string_value(json_object_get(json, "user")), "ben") != 0);
	has_number(json, "version", 1);
	has_number(json, "deliveries", 1);
	assert_true(json_is_string(json_object_get(json, "created_at")));
	has_text(json_object_get(json, "set"), "theme", "dark");
	snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(json, "id")));
	json_decref(json);
	says(CLI_DONE, "acknowledged 1\n", "profile", "ack", "mail", id);
	says(CLI_DONE, "acknowledged 0\n", "profile", "ack", "mail", id);
	says(CLI_DONE, "", "profile", "dead", "mail");
}

/* "2026-01-31", UTC. */
static void yesterday(char out[static DAY_BYTES])
{
	const time_t at = time(NULL) - 86400;
	struct tm parts;

	assert_non_null(gmtime_r(&at, &parts));
	assert_int_equal(strftime(out, DAY_BYTES, "%F", &parts), DAY_BYTES - 1);
}

static void visitors_are_counted(void **state)
{
	char day[DAY_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	says(CLI_DONE, "0\n", "visitors", "count", "home");
	says(CLI_DONE, "recorded 3\n", "visitors", "record", "home", "ann", "ben", "ann");
	cli_run_with_input(&r, scene.service.url, "ben\n\ncarol\n", "visitors", "record", "shop", "-", NULL);
	assert_int_equal(r.status, CLI_DONE);
	assert_string_equal(r.out, "recorded 2\n");
	run_result_free(&r);
	says(CLI_DONE, "2\n", "visitors", "count", "home");
	/* The union. */
	says(CLI_DONE, "3\n", "visitors", "count", "home", "shop");
	/* A day is its beginning, and of the buckets of days its own. */
	yesterday(day);
	says(CLI_DONE, "recorded 1\n", "visitors", "record", "home", "dan", "--at", day);
	says(CLI_DONE, "1\n", "visitors", "count", "home", "--from", day, "--to", day);
	says(CLI_DONE, "3\n", "visitors", "count", "home", "--from", day);
	json = json_of(CLI_DONE, "visitors", "count", "home", "--hourly", "--json");
	has_number(json, "count", 2);
	has_number(json, "buckets", 1);
	json_decref(json);
}

/* The lease that a lookup gives. */
static void take_lease(const char *key, char lease[static SECRET_BYTES])
{
	json_t *json = json_of(CLI_NO, "auth", "lookup", "ann", key, "--lease", "60");

	has_text(json, "state", "MISS");
	snprintf(lease, SECRET_BYTES, "%s", json_string_value(json_object_get(json, "lease")));
	json_decref(json);
}

/* What is there is read; nobody can keep anything, so nobody is given a lease. */
static void answers_are_read_where_redis_takes_no_writes(void **state)
{
	char lease[SECRET_BYTES];
	json_t *json;

	(void)state;
	take_lease("kept", lease);
	says(CLI_DONE, "stored\n", "auth", "fill", "ann", "kept", lease, "yes");
	freeReplyObject(redis_server_command(&scene.redis, "CONFIG SET min-replicas-to-write 1"));
	json = json_of(CLI_DONE, "auth", "lookup", "ann", "kept");
	has_text(json, "state", "HIT");
	has_text(json, "answer", "yes");
	json_decref(json);
	json = json_of(CLI_NO, "auth", "lookup", "ann", "other", "--group", "g");
	has_text(json, "state", "MISS");
	assert_null(json_object_get(json, "lease"));
	json_decref(json);
	freeReplyObject(redis_server_command(&scene.redis, "CONFIG SET min-replicas-to-write 0"));
	take_lease("other", lease);
}

static void an_answer_is_kept_and_forgotten(void **state)
{
	char lease[SECRET_BYTES];
	struct run_result r;
	json_t *json;

	(void)state;
	take_lease("may", lease);
	json = json_of(CLI_NO, "auth", "lookup", "ann", "may");
	has_text(json, "state", "WAIT");
	json_decref(json);
	says(CLI_DONE, "stored\n", "auth", "fill", "ann", "may", lease, "yes");
	json = json_of(CLI_DONE, "auth", "lookup", "ann", "may");
	has_text(json, "state", "HIT");
	has_text(json, "answer", "yes");
	json_decref(json);
	says(CLI_DONE, "forgotten\n", "auth", "forget", "ann", "may");
	/* A fill whose loading began before is refused. */
	take_lease("may", lease);
	says(CLI_DONE, "forgotten\n", "auth", "forget", "ann");
	cli_expect(CLI_NO, &r, scene.service.url, "auth", "fill", "ann", "may", lease, "yes", NULL);
	run_result_free(&r);
	take_lease("may", lease);
	says(CLI_DONE, "stored\n", "auth", "fill", "ann", "may", lease, "--negative");
	json = json_of(CLI_NO, "auth", "lookup", "ann", "may", "--no-lease");
	has_text(json, "state", "NEGATIVE");
	json_decref(json);
}

static void a_limit_refuses(void **state)
{
	struct run_result r;
	json_t *json;

	(void)state;
	says(CLI_DONE, "allowed, 1 remaining\n", "limit", "check", "login", "--limit", "2", "--per", "3600");
	says(CLI_DONE, "allowed, 0 remaining\n", "limit", "check", "login", "--limit", "2", "--per", "3600");
	cli_expect(CLI_NO, &r, scene.service.url, "limit", "check", "login", "--limit", "2", "--per", "3600", NULL);
	assert_non_null(strstr(r.out, "refused, 0 remaining, retry after "));
	run_result_free(&r);
	json = json_of(CLI_NO, "limit", "check", "login", "--limit", "2", "--per", "3600", "--peek", "--json");
	assert_true(json_integer_value(json_object_get(json, "retry_after_ms")) > 0);
	json_decref(json);
	says(CLI_DONE, "reset\n", "limit", "reset", "login");
	says(CLI_DONE, "nothing was taken\n", "limit", "reset", "login");
	says(CLI_DONE, "allowed, 1 remaining\n", "limit", "check", "login", "--limit", "2", "--per", "3600",
	     "--algorithm", "sliding-window");
}

static void a_lock_has_one_owner(void **state)
{
	char owner[SECRET_BYTES], token[32], next[32], line[SECRET_BYTES + 1];
	struct run_result r;

	(void)state;
	cli_expect(CLI_DONE, &r, scene.service.url, "lock", "acquire", "report", "--ttl", "600", NULL);
	assert_int_equal(sscanf(r.out, "%256s %31s", owner, token), 2);
	run_result_free(&r);
	cli_expect(CLI_NO, &r, scene.service.url, "lock", "acquire", "report", "--ttl", "600", NULL);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "another has the lock"));
	run_result_free(&r);
	cli_expect(CLI_DONE, &r, scene.service.url, "lock", "extend", "report", owner, "--ttl", "700", NULL);
	run_result_free(&r);
	says(CLI_NO, "it had ended, or another has it\n", "lock", "release", "report",
	     "00112233445566778899aabbccddeeff");
	snprintf(line, sizeof(line), "%s\n", owner);
	cli_run_with_input(&r, scene.service.url, line, "lock", "release", "report", "-", NULL);
	assert_int_equal(r.status, CLI_DONE);
	assert_string_equal(r.out, "released\n");
	run_result_free(&r);
	cli_expect(CLI_DONE, &r, scene.service.url, "lock", "acquire", "report", "--ttl", "600", NULL);
	assert_int_equal(sscanf(r.out, "%*s %31s", next), 1);
	assert_true(strtoull(next, NULL, 10) > strtoull(token, NULL, 10));
	run_result_free(&r);
	cli_expect(CLI_NO, &r, scene.service.url, "lock", "extend", "report", owner, "--ttl", "700", NULL);
	run_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_profile_lives),
	    cmocka_unit_test(changes_go_to_a_group),
	    cmocka_unit_test(the_rest_is_told),
	    cmocka_unit_test(visitors_are_counted),
	    cmocka_unit_test(an_answer_is_kept_and_forgotten),
	    cmocka_unit_test(answers_are_read_where_redis_takes_no_writes),
	    cmocka_unit_test(a_limit_refuses),
	    cmocka_unit_test(a_lock_has_one_owner),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
