/* Every mistake is told in one sentence that names file, line, column, key, what was found and what is allowed. */

#include "scratch.h"

#include <stdlib.h>

struct mistake {
	const char *yaml;
	const char *place;    /* behind the file's name; NULL: none can be named */
	const char *words[4]; /* each in the message */
};

static const struct mistake mistakes[] = {
    /* keys */
    {"log_level: info\nlog_levle: info\n", ":2:1: ", {"log_levle: unknown key", "did you mean log_level?"}},
    {"redis:\n  connections: 2\n  urll: x\n", ":3:3: ", {"redis.urll: unknown key", "did you mean redis.url?"}},
    {"redis:\n  password: hunter2\n", ":2:3: ", {"redis.password: unknown key", "redis.password_file"}},
    {"realms:\n  - name: a\n    clases: []\n", ":3:5: ", {"realms[0].clases: unknown key", "realms[].classes"}},
    {"realms:\n  - name: a\n    classes:\n      - name: b\n      - name: c\n        idle: 3\n",
     ":6:9: ",
     {"realms[0].classes[1].idle: unknown key"}},
    {"listen:\n  - url: tcp://127.0.0.1:1\n  - url: tcp://127.0.0.1:2\n    port: 3\n",
     ":4:5: ",
     {"listen[1].port: unknown key"}},
    {"no_such_thing_at_all: 1\n", ":1:1: ", {"unknown key", "--print-config"}},
    {"log_level: info\nlog_level: warn\n", ":2:1: ", {"log_level", "already set in line 1"}},
    {"redis:\n  url: a\ncalls: {}\nredis:\n  user: b\n", ":4:1: ", {"redis", "already set in line 1"}},
    {"redis: {user: a, user: b}\n", ":1:18: ", {"redis.user", "already set"}},
    {"? {a: b}\n: c\n", ":1:3: ", {"as a key", "allowed: a word"}},
    {"? [a]\n: c\n", ":1:3: ", {"as a key"}},
    /* shapes */
    {"redis:\n", ":1:1: ", {"redis: found a single value", "allowed: a mapping"}},
    {"redis: [a]\n", ":1:1: ", {"redis: found a sequence", "allowed: a mapping"}},
    {"redis:\n  url: {a: b}\n", ":2:3: ", {"redis.url: found a mapping", "allowed: a single value"}},
    {"listen: tcp://127.0.0.1:1\n", ":1:1: ", {"listen: found a single value", "allowed: a sequence"}},
    {"listen: [tcp://127.0.0.1:1]\n", ":1:10: ", {"listen[0]: found a single value", "allowed: a mapping"}},
    {"realms:\n  - name: a\n    wait_replicas: 9\n",
     ":3:5: ",
     {"realms[0].wait_replicas: found \"9\"", "0..8 replicas"}},
    {"realms:\n  - name: a\n    wait_m: 9\n", ":3:5: ", {"realms[0].wait_m: unknown key", "realms[].wait_ms"}},
    {"realms:\n  default: {}\n", ":1:1: ", {"realms: found a mapping", "allowed: a sequence"}},
    {"- a\n", ":1:1: ", {"found a sequence", "allowed: a mapping"}},
    {"just words\n", ":1:1: ", {"found a single value", "allowed: a mapping"}},
    {"redis: {url: [[[[[[[[[a]]]]]]]]]}\n", ":1:20: ", {"more than 8 levels"}},
    /* syntax */
    {"redis:\n  url: \"a\n", ":3:1: ", {"is no YAML", "quoted scalar"}},
    {"redis:\n\turl: a\n", ":2:1: ", {"is no YAML"}},
    {"redis: {url: a\nlog_level: info\n", ":2:10: ", {"is no YAML"}},
    {"log_level: \xff\xfe\n", NULL, {"is no YAML", "UTF-8"}},
    {"log_level: \"in\\0fo\"\n", ":1:12: ", {"NUL character"}},
    {"redis: &a {user: x}\ncalls: *a\n", ":2:8: ", {"calls", "alias", "write the value out"}},
    {"log_level: info\n---\nlog_level: info\n", ":2:1: ", {"second document"}},
    /* values */
    {"log_level: loud\n", ":1:1: ", {"log_level: found \"loud\"", "allowed: debug, info, warn or error"}},
    {"redis:\n  connections: 17\n", ":2:3: ", {"redis.connections: found \"17\"", "allowed: 1..16 connections"}},
    {"redis:\n  connections: 0\n", ":2:3: ", {"allowed: 1..16 connections"}},
    {"redis:\n  connections: -1\n", ":2:3: ", {"found \"-1\"", "allowed: 1..16"}},
    {"redis:\n  connections: 2.0\n", ":2:3: ", {"found \"2.0\""}},
    {"redis:\n  connections: \" 2\"\n", ":2:3: ", {"found \" 2\""}},
    {"redis:\n  connections: 0x2\n", ":2:3: ", {"found \"0x2\""}},
    {"redis:\n  connections: 4294967298\n", ":2:3: ", {"found \"4294967298\""}},
    {"redis:\n  connections: 18446744073709551618\n", ":2:3: ", {"found \"18446744073709551618\""}},
    {"redis:\n  connections:\n", ":2:3: ", {"found nothing", "allowed: 1..16"}},
    {"redis:\n  connections: ~\n", ":2:3: ", {"found \"~\""}},
    {"redis:\n  url: \"\"\n", ":2:3: ", {"redis.url: found nothing", "not empty"}},
    {"redis:\n  user: \"a\\nb\"\n", ":2:3: ", {"found \"a?b\"", "no control characters"}},
    {"calls: {timeout_max_ms: 10s}\n", ":1:9: ", {"found \"10s\"", "1..600000 ms"}},
    {"listen: [{url: ipc:///x, ipc_mode: \"0800\"}]\n", ":1:26: ", {"found \"0800\"", "octal 0000..0777"}},
    {"listen: [{url: ipc:///x, ipc_mode: \"1000\"}]\n", ":1:26: ", {"found \"1000\""}},
    /* addresses */
    {"listen: []\n", ":1:1: ", {"listen: found 0 entries", "1..16"}},
    {"listen: [{}]\n", ":1:10: ", {"listen[0].url: found nothing", "tcp://127.0.0.1:7373"}},
    {"listen: [{url: http://127.0.0.1:1}]\n", ":1:11: ", {"\"http://127.0.0.1:1\"", "tls+tcp://host:port"}},
    {"listen: [{url: tcp://127.0.0.1}]\n", ":1:11: ", {"has no port"}},
    {"listen: [{url: tcp://127.0.0.1:65536}]\n", ":1:11: ", {"has no port", "0..65535"}},
    {"listen: [{url: tcp://127.0.0.1:12x}]\n", ":1:11: ", {"has no port"}},
    {"listen: [{url: \"tcp://:1\"}]\n", ":1:11: ", {"has no host"}},
    {"listen: [{url: \"tcp://::1:1\"}]\n", ":1:11: ", {"is no host:port", "tcp://[::1]:7373"}},
    {"listen: [{url: \"tcp://[::1:1\"}]\n", ":1:11: ", {"closing bracket"}},
    {"listen: [{url: \"tcp://[]:1\"}]\n", ":1:11: ", {"has no host"}},
    {"listen: [{url: \"tcp://a/b:1\"}]\n", ":1:11: ", {"is no host:port"}},
    {"listen: [{url: ipc://x}]\n", ":1:11: ", {"absolute path"}},
    {"listen: [{url: tcp://0.0.0.0:1}]\n", ":1:11: ", {"reachable from other machines", "loopback"}},
    {"listen: [{url: \"tcp://*:1\"}]\n", ":1:11: ", {"reachable from other machines"}},
    {"listen: [{url: \"tcp://[::]:1\"}]\n", ":1:11: ", {"reachable from other machines"}},
    {"listen: [{url: \"tcp://127.0.0.1.evil.example:1\"}]\n", ":1:11: ", {"reachable from other machines"}},
    {"listen: [{url: tls+tcp://127.0.0.1:1}]\n", ":1:11: ", {"needs tls.cert and tls.key"}},
    {"listen: [{url: tls+tcp://127.0.0.1:1, tls: {cert: a}}]\n", ":1:11: ", {"needs tls.cert and tls.key"}},
    {"listen: [{url: tcp://127.0.0.1:1, tls: {cert: a, key: b}}]\n", ":1:11: ", {"is not tls+tcp://"}},
    {"listen:\n  - url: tcp://127.0.0.1:1\n    ipc_mode: \"0660\"\n", ":3:5: ", {"for ipc:// only"}},
    {"listen:\n  - url: tcp://127.0.0.1:1\n  - url: tcp://127.0.0.1:1\n", ":3:5: ", {"a second time"}},
    /* Redis */
    {"redis: {url: http://h}\n", ":1:9: ", {"redis.url: found \"http://h\"", "unix:///path"}},
    {"redis: {url: \"http://u:secret@h\"}\n", ":1:9: ", {"u:********@h"}},
    {"redis: {url: \"redis://u:secret\\n@h\"}\n", ":1:9: ", {"found \"redis://u:********@h\"", "control characters"}},
    {"redis: {url: \"redis://u:********@h\"}\n", ":1:9: ", {"masked", "redis.password_file"}},
    {"redis: {url: \"rediss://h\", tls_cert: a}\n", ":1:28: ", {"redis.tls_cert", "belong together"}},
    {"redis: {url: \"redis://h\", tls_ca: a}\n", ":1:27: ", {"redis.tls_ca", "not rediss://"}},
    {"redis: {url: \"redis+cluster://h\", tls_ca: a}\n", ":1:35: ", {"redis.tls_ca", "rediss+cluster://"}},
    {"redis: {url: \"redis+sentinel://h/m\", sentinel_user: a}\n",
     ":1:38: ",
     {"redis.sentinel_user", "redis.sentinel_password_file"}},
    {"redis: {url: \"redis+cluster://h\", sentinel_user: a}\n",
     ":1:35: ",
     {"redis.sentinel_user", "redis+sentinel://"}},
    {"redis:\n  password_file: a\n", ":2:3: ", {"redis.password_file", "embedded:, which has no accounts"}},
    /* what belongs together */
    {"state_dir: x\n", ":1:1: ", {"state_dir: found \"x\"", "absolute path"}},
    {"calls:\n  timeout_default_ms: 5000\n  timeout_max_ms: 4000\n",
     ":2:3: ",
     {"calls.timeout_default_ms: found 5000", "at most calls.timeout_max_ms, which is 4000"}},
    {"calls:\n  timeout_max_ms: 500\n", ":2:3: ", {"calls.timeout_max_ms: found 500", "which is 1000"}},
    {"calls:\n  frames_in_flight_max: 10\n", ":2:3: ", {"at least calls.frames_in_flight_per_connection_max"}},
    /* realms */
    {"realms: []\n", ":1:1: ", {"realms: found 0 entries", "1..1024"}},
    {"realms: [{}]\n", ":1:10: ", {"realms[0].name: found nothing"}},
    {"realms: [{name: \"\"}]\n", ":1:11: ", {"realms[0].name", "a-z 0-9 . _ -"}},
    {"realms: [{name: Shop}]\n", ":1:11: ", {"found \"Shop\"", "1..64 of a-z 0-9 . _ -"}},
    {"realms:\n  - name: a\n  - name: a\n", ":3:5: ", {"realms[1].name: realm \"a\" is already there"}},
    {"realms: [{name: a, classes: []}]\n", ":1:20: ", {"realms[0].classes: found 0 entries", "1..32"}},
    {"realms: [{name: a, classes: [{sessions_max: 1}]}]\n", ":1:30: ", {"classes[0].name: found nothing"}},
    {"realms:\n  - name: a\n    classes:\n      - name: b\n      - name: b\n",
     ":5:9: ",
     {"class \"b\" is already there in realm \"a\""}},
    {"realms:\n  - name: a\n    classes:\n      - name: b\n        idle_timeout_s: 50000\n",
     ":5:9: ",
     {"classes[0].idle_timeout_s: found 50000", "at most absolute_timeout_s, which is 43200"}},
    {"realms:\n  - name: a\n    classes:\n      - name: b\n        absolute_timeout_s: 60\n",
     ":5:9: ",
     {"absolute_timeout_s: found 60", "at least idle_timeout_s, which is 1800"}},
    {"realms: [{name: a, classes: [{name: b, at_cap: panic}]}]\n",
     ":1:40: ",
     {"allowed: evict_oldest, refuse or evict_least_recently_used"}},
    {"realms: [{name: a, classes: [{name: b, tombstone_s: 59}]}]\n", ":1:40: ", {"allowed: 60..86400 s"}},
    {"realms: [{name: a, classes: [{name: b, grace_s: 301}]}]\n", ":1:40: ", {"grace_s: found \"301\"", "0..300 s"}},
    {"realms: [{name: a, classes: [{name: b, privileged_s: 86401}]}]\n", ":1:40: ", {"allowed: 0..86400 s"}},
    {"realms: [{name: a, classes: [{name: b, touch_interval_s: 901}]}]\n",
     ":1:40: ",
     {"classes[0].touch_interval_s: found 901", "at most half of idle_timeout_s, which is 1800"}},
    {"realms: [{name: a, classes: [{name: b, touch_intervall: 1}]}]\n",
     ":1:40: ",
     {"did you mean realms[].classes[].touch_interval_s?"}},
    {"realms: [{name: a, profiles: {tiers: []}}]\n", ":1:31: ", {"profiles.tiers: found 0 entries", "1..8"}},
    {"realms: [{name: a, profiles: {tiers: [{ttl_s: 60}]}}]\n", ":1:39: ", {"profiles.tiers[0].name: found nothing"}},
    {"realms: [{name: a, profiles: {tiers: [{name: T}]}}]\n", ":1:40: ", {"found \"T\"", "1..32 of a-z 0-9 . _ -"}},
    {"realms: [{name: a, profiles: {tiers: [{name: t, ttl_s: 59}]}}]\n", ":1:49: ", {"allowed: 60..315360000 s"}},
    {"realms:\n  - name: a\n    profiles:\n      tiers:\n        - name: t\n        - name: t\n",
     ":6:11: ",
     {"tier \"t\" is already there in realm \"a\""}},
    {"realms: [{name: a, profiles: {jitter_percent: 51}}]\n", ":1:31: ", {"allowed: 0..50 percent"}},
    {"realms: [{name: a, profiles: {change: true}}]\n", ":1:31: ", {"did you mean realms[].profiles.changes?"}},
    {"realms: [{name: a, events: yes}]\n", ":1:20: ", {"realms[0].events: found \"yes\"", "allowed: false or true"}},
    {"realms: [{name: a, visitors: {day_retention_d: 0}}]\n",
     ":1:31: ",
     {"realms[0].visitors.day_retention_d: found \"0\"", "allowed: 1..3660 d"}},
    {"realms: [{name: a, visitors: {days: 3}}]\n", ":1:31: ", {"realms[0].visitors.days"}},
    {"realms: [{name: a, event: true}]\n", ":1:20: ", {"did you mean realms[].events?"}},
    {"realms: [{name: a, classes: [{name: b, sessions_max: 10001}]}]\n", ":1:40: ", {"allowed: 1..10000 sessions"}},
    {"realms:\n  - name: a\n    classes:\n      - name: b\n        sessions_max: 2501\n      - name: c\n        "
     "sessions_max: "
     "10000\n",
     ":7:9: ",
     {"classes[1].sessions_max: found 10000, which makes 12501", "realm \"a\", allowed: at most 12500 in sum"}},
};

static void assert_message(const struct mistake *m, const char *file, const char *text)
{
	char place[160];

	snprintf(place, sizeof(place), "%s%s", file, m->place == NULL ? ": " : m->place);
	if (strncmp(text, place, strlen(place)) != 0)
		fail_msg("expected %s at the beginning of: %s\nof:\n%s", place, text, m->yaml);
	for (size_t i = 0; i < 4 && m->words[i] != NULL; i++)
		if (strstr(text, m->words[i]) == NULL)
			fail_msg("expected \"%s\" in: %s\nof:\n%s", m->words[i], text, m->yaml);
	if (strstr(text, "secret") != NULL || strstr(text, "hunter2") != NULL)
		fail_msg("a secret in: %s", text);
}

static void test_mistakes_in_the_file(void **state)
{
	struct config *const untouched = (struct config *)state;

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct config *c = untouched;
		struct config_error error = {"(nothing)"};
		struct scratch s;

		scratch_make(&s);
		scratch_write(&s, mistakes[i].yaml, strlen(mistakes[i].yaml));
		if (config_load(s.file, plain_environment, &c, &error))
			fail_msg("accepted:\n%s", mistakes[i].yaml);
		assert_ptr_equal(c, untouched);
		assert_message(&mistakes[i], s.file, error.text);
		scratch_remove(&s);
	}
}

static const struct {
	const char *variable;
	const char *words[3];
} bad_variables[] = {
    {"LATCHKEY_REDIS_CONNECTIONS=99", {"LATCHKEY_REDIS_CONNECTIONS in the environment", "found \"99\"", "1..16"}},
    {"LATCHKEY_REDIS_CONNECTIONS=", {"LATCHKEY_REDIS_CONNECTIONS", "found nothing"}},
    {"LATCHKEY_REDIS_URL=ftp://u:secret@h", {"LATCHKEY_REDIS_URL in the environment", "u:********@h", "redis://host"}},
    {"LATCHKEY_REDIS_URI=redis://h", {"LATCHKEY_REDIS_URI", "no such setting", "did you mean LATCHKEY_REDIS_URL?"}},
    {"LATCHKEY_REALMS=a", {"LATCHKEY_REALMS", "no such setting"}},
    {"LATCHKEY_SOMETHING_ELSE=a", {"LATCHKEY_SOMETHING_ELSE", "--print-config"}},
    {"LATCHKEY_LISTEN=", {"LATCHKEY_LISTEN in the environment", "found nothing"}},
    {"LATCHKEY_LISTEN=tcp://127.0.0.1:1,", {"LATCHKEY_LISTEN in the environment", "found nothing"}},
    {"LATCHKEY_LISTEN=tcp://127.0.0.1:1,tcp://8.8.8.8:1", {"LATCHKEY_LISTEN in the environment", "other machines"}},
    {"LATCHKEY_LISTEN=tls+tcp://127.0.0.1:1", {"LATCHKEY_LISTEN in the environment", "needs tls.cert"}},
    {"LATCHKEY_LISTEN=,,,,,,,,,,,,,,,,,,", {"LATCHKEY_LISTEN in the environment"}},
    {"LATCHKEY_ADMIN_LISTEN=tcp://127.0.0.1:1",
     {"LATCHKEY_ADMIN_LISTEN in the environment", "found \"tcp://", "http://host:port"}},
    {"LATCHKEY_ADMIN_LISTEN=http://127.0.0.1", {"LATCHKEY_ADMIN_LISTEN", "http://127.0.0.1:7374"}},
    {"LATCHKEY_ADMIN_LISTEN=http://127.0.0.1:7374/metrics", {"LATCHKEY_ADMIN_LISTEN", "http://127.0.0.1:7374"}},
    {"LATCHKEY_ADMIN_LISTEN=http://:7374", {"LATCHKEY_ADMIN_LISTEN", "http://127.0.0.1:7374"}},
    {"LATCHKEY_CALLS_TIMEOUT_MAX_MS=10", {"LATCHKEY_CALLS_TIMEOUT_MAX_MS in the environment", "found 10", "1000"}},
};

static void test_mistakes_in_the_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_variables) / sizeof(bad_variables[0]); i++) {
		char variable[128];
		char *environment[] = {variable, plain_environment[0], NULL};
		struct config *c = NULL;
		struct config_error error = {"(nothing)"};

		snprintf(variable, sizeof(variable), "%s", bad_variables[i].variable);
		if (config_load(NULL, environment, &c, &error))
			fail_msg("accepted: %s", variable);
		for (size_t w = 0; w < 3 && bad_variables[i].words[w] != NULL; w++)
			if (strstr(error.text, bad_variables[i].words[w]) == NULL)
				fail_msg("expected \"%s\" in: %s", bad_variables[i].words[w], error.text);
		assert_null(strstr(error.text, "secret"));
	}
}

/* The mistake is the file's even where a variable hides the value. */
static void test_file_is_checked_under_an_override(void **state)
{
	char variable[] = "LATCHKEY_REDIS_CONNECTIONS=3";
	char *environment[] = {variable, plain_environment[0], NULL};
	const char *yaml = "redis: {connections: 99}\n";
	struct config *c = NULL;
	struct config_error error;
	struct scratch s;

	(void)state;
	scratch_make(&s);
	scratch_write(&s, yaml, strlen(yaml));
	assert_false(config_load(s.file, environment, &c, &error));
	assert_non_null(strstr(error.text, "latchkeyd.yaml:1:9: redis.connections"));
	scratch_remove(&s);
}

static void assert_refused(const struct scratch *s, const char *words)
{
	struct config *c = NULL;
	struct config_error error = {"(nothing)"};

	assert_false(config_load(s->file, plain_environment, &c, &error));
	if (strstr(error.text, words) == NULL)
		fail_msg("expected \"%s\" in: %s", words, error.text);
}

static void test_size_is_bounded(void **state)
{
	const size_t len = CONFIG_FILE_BYTES_MAX + 1;
	char *text = malloc(len);
	struct config *c = NULL;
	struct config_error error;
	struct scratch s;

	(void)state;
	assert_non_null(text);
	memset(text, '#', len);
	scratch_make(&s);
	scratch_write(&s, text, len);
	assert_refused(&s, "more than 1 MiB");
	scratch_write(&s, text, len - 1);
	assert_true(config_load(s.file, plain_environment, &c, &error));
	config_free(&c);
	for (size_t i = 0; i < len; i++)
		text[i] = "- a\n"[i % 4];
	scratch_write(&s, text, len - 1);
	assert_refused(&s, "allowed: a mapping");
	memset(text, '[', len);
	scratch_write(&s, text, 4096);
	assert_refused(&s, "more than 8 levels");
	free(text);
	scratch_remove(&s);
}

static void test_more_than_64_keys(void **state)
{
	char text[2048];
	size_t n = 0;
	struct scratch s;

	(void)state;
	for (int i = 0; i < 65; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "key_%d: 1\n", i);
	scratch_make(&s);
	scratch_write(&s, text, n);
	assert_refused(&s, ":65:1: key_64: found more than 64 keys");
	scratch_remove(&s);
}

static void test_lists_are_bounded(void **state)
{
	const size_t room = 65536;
	char *text = malloc(room);
	size_t n = (size_t)snprintf(text, room, "realms:\n");
	struct scratch s;

	(void)state;
	for (int i = 0; i <= CONFIG_REALMS_MAX; i++)
		n += (size_t)snprintf(text + n, room - n, "  - name: r%d\n", i);
	scratch_make(&s);
	scratch_write(&s, text, n);
	assert_refused(&s, ":1:1: realms: found 1025 entries, allowed: 1..1024");
	free(text);
	scratch_remove(&s);
}

static void test_file_that_cannot_be_read(void **state)
{
	struct config *c = NULL;
	struct config_error error;

	(void)state;
	assert_false(config_load("/nonexistent/latchkeyd.yaml", plain_environment, &c, &error));
	assert_string_equal(error.text, "/nonexistent/latchkeyd.yaml: cannot be opened: No such file or directory");
	assert_false(config_load("/", plain_environment, &c, &error));
	assert_string_equal(error.text, "/: cannot be read: Is a directory");
}

/* Whatever bytes a file holds: refused or taken, never a crash, never a leak. */
static void test_mutated_files(void **state)
{
	static const char seed[] = "listen: [{url: \"ipc:///x\", ipc_mode: \"0600\"}]\nredis:\n  url: \"embedded:\"\n"
				   "realms:\n  - name: a\n    classes:\n      - {name: b, at_cap: refuse}\n";
	static const char alphabet[] = " \n\t:-[]{},\"'&*?|>#%@!\\a0\x7f\xc3\xff";
	unsigned random = 12345;
	unsigned refused = 0;
	struct scratch s;

	(void)state;
	scratch_make(&s);
	for (int round = 0; round < 3000; round++) {
		char text[sizeof(seed)];
		struct config *c = NULL;
		struct config_error error = {""};

		memcpy(text, seed, sizeof(seed));
		for (int k = 0; k <= round % 3; k++) {
			random = random * 1103515245 + 12345;
			text[(random >> 8) % (sizeof(seed) - 1)] = alphabet[(random >> 20) % (sizeof(alphabet) - 1)];
		}
		scratch_write(&s, text, sizeof(seed) - 1);
		if (!config_load(s.file, plain_environment, &c, &error)) {
			refused++;
			assert_int_equal(strncmp(error.text, s.file, strlen(s.file)), 0);
		}
		config_free(&c);
	}
	assert_true(refused > 1000);
	scratch_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mistakes_in_the_file),
	    cmocka_unit_test(test_mistakes_in_the_environment),
	    cmocka_unit_test(test_file_is_checked_under_an_override),
	    cmocka_unit_test(test_size_is_bounded),
	    cmocka_unit_test(test_more_than_64_keys),
	    cmocka_unit_test(test_lists_are_bounded),
	    cmocka_unit_test(test_file_that_cannot_be_read),
	    cmocka_unit_test(test_mutated_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
