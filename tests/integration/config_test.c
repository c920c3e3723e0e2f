/* A mistake in the configuration stops the start, with exit status 2 and one sentence that names line and thing. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cli.h"
#include "support/file.h"
#include "support/latchkeyd.h"
#include "support/wait.h"

static struct tmpdir dir;
static char path[TMPDIR_FILE_BYTES];

static int make_dir(void **state)
{
	(void)state;
	tmpdir_make(&dir);
	tmpdir_file(&dir, "latchkeyd.yaml", path);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	tmpdir_remove(&dir);
	return 0;
}

struct mistake {
	const char *yaml;
	const char *named[3]; /* what the message must contain */
};

static const struct mistake mistakes[] = {
    {"log_level: info\nlog_levle: info\n", {"latchkeyd.yaml", "2", "log_levle"}},
    {"calls:\n  timeout_max_ms: fast\n", {"latchkeyd.yaml", "2", "timeout_max_ms"}},
    {"calls:\n  timeout_max_ms: -5\n", {"latchkeyd.yaml", "2", "timeout_max_ms"}},
    {"\n\nlog_level: loud\n", {"latchkeyd.yaml", "3", "log_level"}},
    {"log_level: [info\n", {"latchkeyd.yaml"}},
    {"listen:\n  - url: gopher://127.0.0.1:70\n", {"latchkeyd.yaml", "2", "gopher"}},
    {"redis:\n  url: memcached://x\n", {"memcached"}},
    {"realms:\n  - name: a\n  - name: a\n", {"latchkeyd.yaml", "3", "a"}},
    {"realms:\n"
     "  - name: a\n"
     "    classes:\n"
     "      - { name: default, idle_timeout_s: 100, absolute_timeout_s: 10 }\n",
     {"latchkeyd.yaml", "4", "idle_timeout_s"}},
};

static void expect_refused(const struct mistake *m, const char *option)
{
	const char *const args[] = {"--config", path, option, NULL};
	struct run_result r;

	file_write(path, m->yaml);
	latchkeyd_run(args, NULL, &r);
	if (r.status != 2)
		fail_msg("status %d for:\n%s\n%s", r.status, m->yaml, r.err);
	for (size_t i = 0; i < 3 && m->named[i] != NULL; i++) {
		if (strstr(r.err, m->named[i]) == NULL)
			fail_msg("does not name %s: %s", m->named[i], r.err);
	}
	run_result_free(&r);
}

static void test_mistakes_stop_the_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		expect_refused(&mistakes[i], NULL);
}

static void test_mistakes_fail_the_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		expect_refused(&mistakes[i], "--check-config");
}

static void test_missing_file(void **state)
{
	const char *const args[] = {"--config", "/no/such/file.yaml", "--check-config", NULL};
	struct run_result r;

	(void)state;
	latchkeyd_run(args, NULL, &r);
	assert_int_equal(r.status, 2);
	assert_non_null(strstr(r.err, "/no/such/file.yaml"));
	run_result_free(&r);
}

static void test_bad_environment(void **state)
{
	const char *const args[] = {"--check-config", NULL};
	const char *const wrong[] = {"LATCHKEY_CALLS_TIMEOUT_MAX_MS=soon", NULL};
	const char *const unknown[] = {"LATCHKEY_CALLS_TIMEOUT_MAX=5", NULL};
	struct run_result r;

	(void)state;
	latchkeyd_run(args, wrong, &r);
	assert_int_equal(r.status, 2);
	assert_non_null(strstr(r.err, "LATCHKEY_CALLS_TIMEOUT_MAX_MS"));
	run_result_free(&r);
	latchkeyd_run(args, unknown, &r);
	assert_int_equal(r.status, 2);
	assert_non_null(strstr(r.err, "LATCHKEY_CALLS_TIMEOUT_MAX"));
	run_result_free(&r);
}

/* Each check alone would let it through: the URL's form is Redis's to judge, the file is not the configuration's own. */
static void test_bad_references(void **state)
{
	static const struct {
		const char *url;
		const char *password_file;
		const char *named;
	} wrong[] = {
	    {"LATCHKEY_REDIS_URL=redis://a,b", NULL, "redis.url"},
	    {"LATCHKEY_REDIS_URL=redis://h:0", NULL, "port"},
	    {"LATCHKEY_REDIS_URL=redis+sentinel://h", NULL, "redis.url"},
	    {"LATCHKEY_REDIS_URL=redis://h", "LATCHKEY_REDIS_PASSWORD_FILE=/no/such/password", "/no/such/password"},
	};
	const char *const check[] = {"--check-config", NULL};
	const char *const start[] = {NULL};
	struct run_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *const env[] = {wrong[i].url, wrong[i].password_file, NULL};

		latchkeyd_run(check, env, &r);
		assert_int_equal(r.status, 2);
		assert_non_null(strstr(r.err, wrong[i].named));
		run_result_free(&r);
		latchkeyd_run(start, env, &r);
		assert_int_equal(r.status, 2);
		run_result_free(&r);
	}
}

static void test_check_config_accepts(void **state)
{
	const char *const args[] = {"--config", path, "--check-config", NULL};
	struct run_result r;

	(void)state;
	file_write(path,
		   "log_level: warn\nrealms:\n  - name: shop\n    classes:\n      - { name: web, sessions_max: 3 }\n");
	latchkeyd_run(args, NULL, &r);
	if (r.status != 0)
		fail_msg("status %d: %s", r.status, r.err);
	run_result_free(&r);
}

static int check_realms(const char *keyring, const char *more)
{
	enum { REALMS = 1024 };
	char variable[TMPDIR_FILE_BYTES + 32];
	const char *const args[] = {"--config", path, "--check-config", NULL};
	const char *const env[] = {variable, NULL};
	struct run_result r;
	FILE *f = fopen(path, "w");
	int status;

	assert_non_null(f);
	fprintf(f, "realms:\n%s", more);
	for (int i = 0; i < REALMS - 2; i++)
		fprintf(f, "  - { name: r%d }\n", i);
	assert_int_equal(fclose(f), 0);
	snprintf(variable, sizeof(variable), "LATCHKEY_KEYRING=%s", keyring);
	latchkeyd_run(args, env, &r);
	status = r.status;
	if (status != 0)
		assert_non_null(strstr(r.err, "the 32-bit tag of another by chance; rename it"));
	run_result_free(&r);
	return status;
}

/* Names are told apart by 32 bits under the keyring's names key. As many as there may be are, and two that meet under
 * this one are not. */
static void test_check_config_holds_realms_against_the_keyring(void **state)
{
	char keyring[TMPDIR_FILE_BYTES];

	(void)state;
	tmpdir_file(&dir, "keyring", keyring);
	assert_int_equal(check_realms(keyring, "  - { name: r19857 }\n  - { name: r127914 }\n"), 0);
	file_write(keyring, "names AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
			    "1     ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n");
	assert_int_equal(chmod(keyring, 0600), 0);
	assert_int_equal(check_realms(keyring, "  - { name: r19857 }\n  - { name: other }\n"), 0);
	assert_int_equal(check_realms(keyring, "  - { name: r19857 }\n  - { name: r127914 }\n"), 2);
}

/* The text behind the first line, which says what was read. */
static const char *settings(const struct run_result *r)
{
	const char *end = strchr(r->out, '\n');

	assert_int_equal(r->status, 0);
	assert_non_null(end);
	return end;
}

/* What --print-config prints is a configuration, and printing that prints the same. */
static void test_print_config_is_a_config(void **state)
{
	const char *const first[] = {"--print-config", NULL};
	const char *const again[] = {"--config", path, "--print-config", NULL};
	struct run_result a;
	struct run_result b;

	(void)state;
	latchkeyd_run(first, NULL, &a);
	file_write(path, a.out);
	latchkeyd_run(again, NULL, &b);
	assert_string_equal(settings(&a), settings(&b));
	run_result_free(&a);
	run_result_free(&b);
}

static void test_usage(void **state)
{
	const char *const args[] = {"--frobnicate", NULL};
	const char *const version[] = {"--version", NULL};
	struct run_result r;

	(void)state;
	latchkeyd_run(args, NULL, &r);
	assert_int_equal(r.status, 2);
	assert_non_null(strstr(r.err, "frobnicate"));
	run_result_free(&r);
	latchkeyd_run(version, NULL, &r);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.out, "latchkeyd"));
	run_result_free(&r);
}

/* Without credentials only this machine's callers are let in. */
static void test_foreign_address_is_refused(void **state)
{
	const char *const args[] = {NULL};
	char state_dir[TMPDIR_FILE_BYTES + 32];
	const char *const env[] = {"LATCHKEY_LISTEN=tcp://0.0.0.0:0", state_dir,
				   "LATCHKEY_REDIS_URL=redis://127.0.0.1:1", NULL};
	struct run_result r;

	(void)state;
	snprintf(state_dir, sizeof(state_dir), "LATCHKEY_STATE_DIR=%s", dir.path);
	latchkeyd_run(args, env, &r);
	assert_int_equal(r.status, 2);
	assert_non_null(strstr(r.err, "LATCHKEY_LISTEN"));
	assert_non_null(strstr(r.err, "loopback"));
	run_result_free(&r);
}

/* The port is taken: exit status 1, and the address is named. */
static void test_address_in_use(void **state)
{
	const char *const args[] = {NULL};
	struct latchkeyd first;
	char listen[TMPDIR_FILE_BYTES + 32];
	char state_dir[TMPDIR_FILE_BYTES + 32];
	const char *const env[] = {listen, state_dir,
				   "LATCHKEY_ADMIN_LISTEN=", "LATCHKEY_REDIS_URL=redis://127.0.0.1:1", NULL};
	struct run_result r;

	(void)state;
	latchkeyd_init(&first, &(struct latchkeyd_options){.redis_url = "redis://127.0.0.1:1"});
	latchkeyd_start(&first);
	snprintf(listen, sizeof(listen), "LATCHKEY_LISTEN=%s", first.url);
	snprintf(state_dir, sizeof(state_dir), "LATCHKEY_STATE_DIR=%s", dir.path);
	latchkeyd_run(args, env, &r);
	assert_int_equal(r.status, 1);
	assert_non_null(strstr(r.err, strrchr(first.url, ':')));
	run_result_free(&r);
	latchkeyd_end(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mistakes_stop_the_start),
	    cmocka_unit_test(test_mistakes_fail_the_check),
	    cmocka_unit_test(test_missing_file),
	    cmocka_unit_test(test_bad_environment),
	    cmocka_unit_test(test_bad_references),
	    cmocka_unit_test(test_check_config_accepts),
	    cmocka_unit_test(test_check_config_holds_realms_against_the_keyring),
	    cmocka_unit_test(test_print_config_is_a_config),
	    cmocka_unit_test(test_usage),
	    cmocka_unit_test(test_foreign_address_is_refused),
	    cmocka_unit_test(test_address_in_use),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
