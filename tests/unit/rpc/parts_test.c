/* The small parts: addresses, quoting, the log gate, what a caller is told for each of the store's outcomes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/address.h"
#include "rpc/gate.h"
#include "rpc/outcome.h"
#include "rpc/text.h"

static void test_addresses(void **state)
{
	static const struct {
		const char *url;
		enum address_scope scope;
	} rows[] = {
	    {"ipc:///run/latchkey.sock", ADDRESS_LOCAL},
	    {"tcp://127.0.0.1:7373", ADDRESS_LOCAL},
	    {"tcp://127.255.0.9:7373", ADDRESS_LOCAL},
	    {"tcp://localhost:7373", ADDRESS_LOCAL},
	    {"tcp://[::1]:7373", ADDRESS_LOCAL},
	    {"tls+tcp://127.0.0.1:0", ADDRESS_LOCAL},
	    {"tcp://0.0.0.0:7373", ADDRESS_REMOTE},
	    {"tcp://[::]:7373", ADDRESS_REMOTE},
	    {"tcp://[fe80::1]:7373", ADDRESS_REMOTE},
	    {"tcp://[::ffff:10.0.0.1]:7373", ADDRESS_REMOTE},
	    {"tcp://10.0.0.1:7373", ADDRESS_REMOTE},
	    {"tcp://:7373", ADDRESS_REMOTE},
	    {"tcp://*:7373", ADDRESS_REMOTE},
	    {"tcp://", ADDRESS_REMOTE},
	    {"tcp://127.0.0.1.example.com:7373", ADDRESS_REMOTE},
	    {"tcp://localhost.example.com:7373", ADDRESS_REMOTE},
	    {"tcp://128.0.0.1:7373", ADDRESS_REMOTE},
	    {"tls+tcp://10.0.0.1:7373", ADDRESS_REMOTE},
	    {"tcp4://127.0.0.1:7373", ADDRESS_BAD},
	    {"ws://127.0.0.1:7373", ADDRESS_BAD},
	    {"127.0.0.1:7373", ADDRESS_BAD},
	    {"", ADDRESS_BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (address_scope_of(rows[i].url) != rows[i].scope)
			fail_msg("%s", rows[i].url);
}

static void test_quote(void **state)
{
	char longer[TEXT_QUOTED_BYTES_MAX + 10];

	(void)state;
	assert_string_equal(text_quote(SPAN_EMPTY).chars, "");
	assert_string_equal(text_quote(SPAN_LIT("plain")).chars, "plain");
	assert_string_equal(text_quote(span_of("a\0b\n\x7f\xff", 6)).chars, "a?b???");
	memset(longer, 'x', sizeof(longer));
	assert_int_equal(strlen(text_quote(span_of(longer, sizeof(longer))).chars), TEXT_QUOTED_BYTES_MAX);
}

static void test_gate(void **state)
{
	struct gate g = {0};
	uint64_t held_back;

	(void)state;
	assert_true(gate_pass(&g, 5000, &held_back));
	assert_int_equal(held_back, 0);
	assert_false(gate_pass(&g, 5000, &held_back));
	assert_false(gate_pass(&g, 5000 + GATE_PERIOD_MS - 1, &held_back));
	assert_true(gate_pass(&g, 5000 + GATE_PERIOD_MS, &held_back));
	assert_int_equal(held_back, 2);
}

static struct status told(enum store_outcome outcome, const char *error, bool is_write)
{
	const struct store_reply reply = {.type = STORE_ERROR, .string = span_str(error)};
	const struct store_command command = {.is_write = is_write};
	const struct store_result result = {.outcome = outcome, .reply = error == NULL ? NULL : &reply};
	struct status st;
	const enum status_code code = outcome_status(&command, &result, &st);

	assert_int_equal(code, st.code);
	return st;
}

static void test_refusals(void **state)
{
	static const struct {
		const char *error;
		enum status_code code;
		bool has_advice;
		const char *part;
	} rows[] = {
	    {"OOM command not allowed when used memory > 'maxmemory'.", STATUS_RESOURCE_EXHAUSTED, true, "maxmemory"},
	    {"MISCONF Redis is configured to save RDB snapshots", STATUS_UNAVAILABLE, true, "disk"},
	    {"READONLY You can't write against a read only replica.", STATUS_UNAVAILABLE, true, "replica"},
	    {"LOADING Redis is loading the dataset in memory", STATUS_UNAVAILABLE, true, "loading"},
	    {"MASTERDOWN Link with MASTER is down", STATUS_UNAVAILABLE, true, "primary"},
	    {"CLUSTERDOWN The cluster is down", STATUS_UNAVAILABLE, true, "cluster"},
	    {"NOREPLICAS Not enough good replicas to write.", STATUS_UNAVAILABLE, true, "replicas"},
	    {"BUSY Redis is busy running a script.", STATUS_UNAVAILABLE, true, "script"},
	    {"TRYAGAIN Multiple keys request during rehashing of slot", STATUS_UNAVAILABLE, true, "slot"},
	    {"NOAUTH Authentication required.", STATUS_INTERNAL, false, "password"},
	    {"WRONGPASS invalid username-password pair", STATUS_INTERNAL, false, "password"},
	    {"NOPERM this user has no permissions", STATUS_INTERNAL, false, "ACL"},
	    /* Within a script: Redis 7.0, 7.2 and later. */
	    {"ERR The user executing the script can't run this command or subcommand script: 2597, on @user_script:1.",
	     STATUS_INTERNAL, false, "ACL"},
	    {"ERR The user executing the script can't access at least one of the keys mentioned", STATUS_INTERNAL,
	     false, "ACL"},
	    {"ERR ACL failure in script: User u has no permissions to run the 'set' command", STATUS_INTERNAL, false,
	     "ACL"},
	    {"MOVED 3999 127.0.0.1:6381", STATUS_UNAVAILABLE, true, "slot map keeps changing"},
	    {"ERR unknown command 'GETEX', with args beginning with: 'secret'", STATUS_INTERNAL, false, "(ERR)"},
	    {"WRONGTYPE Operation against a key", STATUS_INTERNAL, false, "(WRONGTYPE)"},
	    {"OOMPH", STATUS_INTERNAL, false, "(OOMPH)"},
	    {"", STATUS_INTERNAL, false, "no reason given"},
	    {NULL, STATUS_INTERNAL, false, "no reason given"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct status st = told(STORE_REFUSED, rows[i].error, true);

		assert_int_equal(st.code, rows[i].code);
		assert_int_equal(st.retry_after_ms > 0, rows[i].has_advice);
		if (strstr(st.text, rows[i].part) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", st.text, rows[i].part);
		assert_null(strstr(st.text, "secret"));
	}
}

/* For the log: all but what Redis repeats of our arguments. */
static void test_words_of_errors(void **state)
{
	static const char *const rows[][2] = {
	    {"ERR unknown command 'GETEX', with args beginning with: 'lk1:s:x' 'secret'",
	     "ERR unknown command 'GETEX'"},
	    {"ERR ACL failure in script", "ERR ACL failure in script"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct store_reply reply = {.type = STORE_ERROR, .string = span_str(rows[i][0])};
		const struct store_result result = {.outcome = STORE_REFUSED, .reply = &reply};

		assert_true(span_eq(outcome_error_words(&result), span_str(rows[i][1])));
	}
	assert_int_equal(outcome_error_words(&(struct store_result){.outcome = STORE_REFUSED}).len, 0);
}

static void test_outcomes(void **state)
{
	struct status st;

	(void)state;
	st = told(STORE_UNAVAILABLE, NULL, true);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_true(st.retry_after_ms > 0);
	st = told(STORE_OVERLOADED, NULL, false);
	assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
	assert_true(st.retry_after_ms > 0);
	assert_int_equal(told(STORE_EXPIRED, NULL, true).code, STATUS_DEADLINE_EXCEEDED);
	st = told(STORE_LOST, NULL, true);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(st.text, "idempotency key"));
	st = told(STORE_LOST, NULL, false);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_null(strstr(st.text, "idempotency key"));
}

static void test_advice_of_the_store(void **state)
{
	const struct store_command command = {0};
	const struct store_result result = {.outcome = STORE_UNAVAILABLE, .retry_after_ms = 777};
	struct status st;

	(void)state;
	assert_int_equal(outcome_status(&command, &result, &st), STATUS_UNAVAILABLE);
	assert_int_equal(st.retry_after_ms, 777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_quote),
	    cmocka_unit_test(test_gate),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_outcomes),
	    cmocka_unit_test(test_words_of_errors),
	    cmocka_unit_test(test_advice_of_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
