#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/options.h"

static enum lk_err take(const struct lk_options *given, struct options *ret, struct lk_error *error)
{
	struct lk_options known;

	return options_take(given, &known, ret, error);
}

static void refused(const struct lk_options *given, const char *fragment)
{
	struct lk_error error = LK_ERROR_INIT;
	struct options options = {0};

	assert_int_equal(take(given, &options, &error), LK_E_INVALID_ARGUMENT);
	assert_int_equal(error.code, LK_E_INVALID_ARGUMENT);
	if (strstr(error.message, fragment) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.message, fragment);
	assert_null(options.endpoints);
}

static void defaults_are_as_documented(void **state)
{
	struct lk_options given = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct options options;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(take(i == 0 ? &given : NULL, &options, &error), LK_OK);
		assert_int_equal(options.endpoint_count, 1);
		assert_string_equal(options.endpoints[0], "tcp://127.0.0.1:7373");
		assert_string_equal(options.realm, "");
		assert_int_equal(options.connect_timeout_ms, 2000);
		assert_int_equal(options.call_timeout_ms, 2000);
		assert_int_equal(options.attempts_max, 3);
		assert_int_equal(options.retry_budget_percent, 10);
		assert_int_equal(options.in_flight_max, 4096);
		assert_false(options.fail_fast);
		assert_false(options.needs_tls);
		options_clear(&options);
	}
}

static void numbers_beyond_their_limits_are_refused(void **state)
{
	struct lk_options given = LK_OPTIONS_INIT;

	(void)state;
	given.connect_timeout_ms = LK_TIMEOUT_MS_MAX + 1;
	refused(&given, "connect_timeout_ms is 600001, at most 600000");
	given = (struct lk_options)LK_OPTIONS_INIT;
	given.call_timeout_ms = UINT32_MAX;
	refused(&given, "call_timeout_ms");
	given = (struct lk_options)LK_OPTIONS_INIT;
	given.attempts_max = 4;
	refused(&given, "attempts_max is 4, at most 3");
	given = (struct lk_options)LK_OPTIONS_INIT;
	given.retry_budget_percent = 101;
	refused(&given, "retry_budget_percent");
	given = (struct lk_options)LK_OPTIONS_INIT;
	given.in_flight_max = LK_IN_FLIGHT_MAX + 1;
	refused(&given, "in_flight_max");
}

static void endpoints_that_are_no_urls_are_refused(void **state)
{
	static const char *const bad[] = {"", "tcp://", "127.0.0.1:7373", "http://host:1", "tcp:/host", NULL};
	struct lk_options given = LK_OPTIONS_INIT;
	char longer[ENDPOINT_BYTES_MAX + 2] = "ipc:///";

	(void)state;
	given.endpoint_count = 1;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		given.endpoints = &bad[i];
		refused(&given, "is not a URL");
	}
	memset(longer + 7, 'x', sizeof(longer) - 8);
	given.endpoints = (const char *const[]){longer};
	refused(&given, "is not a URL");
	given.endpoints = NULL;
	refused(&given, "endpoints is NULL");
	given.endpoint_count = LK_ENDPOINTS_MAX + 1;
	given.endpoints = bad;
	refused(&given, "17 endpoints, at most 16");
}

static void texts_too_long_are_refused(void **state)
{
	struct lk_options given = LK_OPTIONS_INIT;
	char text[200] = {0};

	(void)state;
	memset(text, 'a', 129);
	given.credential = text;
	refused(&given, "credential has 129 bytes, at most 128");
	text[65] = '\0';
	given.credential = NULL;
	given.realm = text;
	refused(&given, "realm has 65 bytes, at most 64");
}

static void tls_needs_its_files(void **state)
{
	static const char *const urls[] = {"tcp://a:1", "tls+tcp://b:2"};
	struct lk_options given = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct options options;

	(void)state;
	given.endpoints = urls;
	given.endpoint_count = 2;
	refused(&given, "tls_ca_file");
	given.tls_ca_file = "/ca.pem";
	assert_int_equal(take(&given, &options, &error), LK_OK);
	assert_true(options.needs_tls);
	options_clear(&options);
	given.tls_cert_file = "/cert.pem";
	refused(&given, "go together");
}

struct old_struct {
	size_t struct_size;
	uint32_t a;
};

struct new_struct {
	size_t struct_size;
	uint32_t a;
	uint32_t b;
	uint64_t c;
};

static void older_structs_leave_new_fields_zero(void **state)
{
	struct old_struct old = {sizeof(old), 7};
	struct lk_error error = LK_ERROR_INIT;
	struct new_struct taken;

	(void)state;
	memset(&taken, 0xff, sizeof(taken));
	assert_int_equal(struct_take(&old, &taken, sizeof(taken), sizeof(old), "s", &error), LK_OK);
	assert_int_equal(taken.a, 7);
	assert_int_equal(taken.c, 0);
}

static void newer_structs_pass_unless_they_ask_for_more(void **state)
{
	struct new_struct newer = {sizeof(newer), 7, 0, 0};
	struct lk_error error = LK_ERROR_INIT;
	struct old_struct taken;

	(void)state;
	assert_int_equal(struct_take(&newer, &taken, sizeof(taken), sizeof(taken), "s", &error), LK_OK);
	assert_int_equal(taken.a, 7);
	newer.c = 1;
	assert_int_equal(struct_take(&newer, &taken, sizeof(taken), sizeof(taken), "s", &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "newer library"));
}

static void structs_without_their_size_are_refused(void **state)
{
	struct lk_options given = LK_OPTIONS_INIT;

	(void)state;
	given.struct_size = 0;
	refused(&given, "struct_size");
	given.struct_size = 1U << 20;
	refused(&given, "LK_..._INIT");
	given.struct_size = sizeof(given) - 1;
	refused(&given, "struct_size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_as_documented),
	    cmocka_unit_test(numbers_beyond_their_limits_are_refused),
	    cmocka_unit_test(endpoints_that_are_no_urls_are_refused),
	    cmocka_unit_test(texts_too_long_are_refused),
	    cmocka_unit_test(tls_needs_its_files),
	    cmocka_unit_test(older_structs_leave_new_fields_zero),
	    cmocka_unit_test(newer_structs_pass_unless_they_ask_for_more),
	    cmocka_unit_test(structs_without_their_size_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
