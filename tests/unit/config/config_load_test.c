/* What is loaded: defaults, the file, the environment over it; printing and loading again; comparing; passwords. */

#include "scratch.h"

#include <stdlib.h>
#include <unistd.h>

static void test_defaults(void **state)
{
	struct config *c = load_ok(NULL, plain_environment);

	(void)state;
	assert_null(c->file);
	assert_null(c->keyring);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_string_equal(c->redis.url, "embedded:");
	assert_null(c->redis.user);
	assert_int_equal(c->redis.connections, 2);
	assert_string_equal(c->redis.server_binary, "redis-server");
	assert_int_equal(c->calls.timeout_default_ms, 1000);
	assert_int_equal(c->calls.frames_in_flight_max, 16384);
	assert_int_equal(c->connections.max, 4096);
	assert_int_equal(c->connections.output_bytes_max, 4194304);
	assert_string_equal(c->admin.listen, "http://127.0.0.1:7374");
	assert_int_equal(c->admin.connections_max, 16);
	assert_int_equal(c->admin.timeout_ms, 5000);
	assert_int_equal(c->drain.timeout_ms, 10000);
	assert_int_equal(c->drain.delay_ms, 0);
	assert_int_equal(c->listener_count, 1);
	assert_string_equal(c->listeners[0].url, "tcp://127.0.0.1:7373");
	assert_int_equal(c->listeners[0].ipc_mode, 0600);
	assert_int_equal(c->realm_count, 1);
	assert_string_equal(c->realms[0].name, "default");
	assert_int_equal(c->realms[0].class_count, 1);
	assert_string_equal(c->realms[0].classes[0].name, "default");
	assert_int_equal(c->realms[0].classes[0].idle_timeout_s, 1800);
	assert_int_equal(c->realms[0].classes[0].absolute_timeout_s, 43200);
	assert_int_equal(c->realms[0].classes[0].sessions_max, 100);
	assert_int_equal(c->realms[0].classes[0].at_cap, CONFIG_EVICT_OLDEST);
	assert_int_equal(c->realms[0].classes[0].tombstone_s, 600);
	assert_int_equal(c->realms[0].classes[0].touch_interval_s, 0);
	assert_int_equal(c->realms[0].classes[0].grace_s, 10);
	assert_int_equal(c->realms[0].classes[0].privileged_s, 900);
	assert_int_equal(c->realms[0].events, 1);
	assert_int_equal(c->realms[0].hour_retention_h, 192);
	assert_int_equal(c->realms[0].day_retention_d, 400);
	assert_int_equal(c->realms[0].wait_replicas, 0);
	assert_int_equal(c->realms[0].wait_ms, 100);
	assert_int_equal(c->realms[0].profiles.jitter_percent, 10);
	assert_int_equal(c->realms[0].profiles.changes, 0);
	assert_int_equal(c->realms[0].profiles.changes_max, 100000);
	assert_int_equal(c->realms[0].profiles.tier_count, 1);
	assert_string_equal(c->realms[0].profiles.tiers[0].name, "default");
	assert_int_equal(c->realms[0].profiles.tiers[0].ttl_s, 2592000);
	config_free(&c);
	assert_null(c);
	config_free(&c);
}

static void test_state_dir(void **state)
{
	char home[] = "HOME=/home/u";
	char xdg[] = "XDG_STATE_HOME=/home/u/.state";
	char relative[] = "XDG_STATE_HOME=state";
	char set[] = "LATCHKEY_STATE_DIR=/srv/lk";
	char *by_home[] = {home, NULL};
	char *by_xdg[] = {xdg, home, NULL};
	char *by_relative[] = {relative, home, NULL};
	char *by_variable[] = {set, home, NULL};
	const bool is_root = geteuid() == 0;
	const struct {
		char **environment;
		const char *dir;
	} cases[] = {{by_home, is_root ? "/var/lib/latchkey" : "/home/u/.local/state/latchkey"},
		     {by_xdg, is_root ? "/var/lib/latchkey" : "/home/u/.state/latchkey"},
		     {by_relative, is_root ? "/var/lib/latchkey" : "/home/u/.local/state/latchkey"},
		     {by_variable, "/srv/lk"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c = load_ok(NULL, cases[i].environment);

		assert_string_equal(c->state_dir, cases[i].dir);
		config_free(&c);
	}
}

static const char full[] =
    "# a comment\n"
    "listen:\n"
    "  - url: tcp://127.0.0.1:0\n"
    "  - { url: \"tls+tcp://[::1]:7374\", tls: { cert: c.pem, key: k.pem, client_ca: ca.pem } }\n"
    "  - { url: \"ipc:///run/a \\\"b\\\"\\\\.sock\", ipc_mode: 0660 }\n"
    "state_dir: /srv/latchkey\n"
    "keyring: /etc/latchkey/keyring\n"
    "log_level: debug\n"
    "redis:\n"
    "  url: rediss://cache.example:6380/1\n"
    "  user: latchkey\n"
    "  password_file: /etc/latchkey/redis.password\n"
    "  connections: 4\n"
    "  tls_ca: /etc/ca.pem\n"
    "  tls_cert: /etc/c.pem\n"
    "  tls_key: /etc/k.pem\n"
    "  tls_server_name: redis.example\n"
    "calls: { timeout_default_ms: 250 }\n"
    "connections: { max: 10 }\n"
    "admin: { listen: 'http://[::1]:0', connections_max: 4, timeout_ms: 100 }\n"
    "drain: { timeout_ms: 0, delay_ms: 5000 }\n"
    "realms:\n"
    "  - name: shop\n"
    "    wait_replicas: 2\n"
    "    wait_ms: 70\n"
    "    classes:\n"
    "      - { name: web, idle_timeout_s: 60, absolute_timeout_s: 60 }\n"
    "      - { name: remember-me, absolute_timeout_s: 2592000, sessions_max: 5, at_cap: refuse }\n"
    "      - { name: sudo, idle_timeout_s: 120, absolute_timeout_s: 600, at_cap: evict_least_recently_used,\n"
    "          touch_interval_s: 60, grace_s: 0, privileged_s: 60 }\n"
    "  - name: staff\n"
    "    events: false\n"
    "    visitors: { hour_retention_h: 0, day_retention_d: 7 }\n";

static void assert_full(const struct config *c)
{
	assert_int_equal(c->listener_count, 3);
	assert_string_equal(c->listeners[1].url, "tls+tcp://[::1]:7374");
	assert_string_equal(c->listeners[1].tls.cert, "c.pem");
	assert_string_equal(c->listeners[1].tls.key, "k.pem");
	assert_string_equal(c->listeners[1].tls.client_ca, "ca.pem");
	assert_string_equal(c->listeners[2].url, "ipc:///run/a \"b\"\\.sock");
	assert_int_equal(c->listeners[2].ipc_mode, 0660);
	assert_string_equal(c->state_dir, "/srv/latchkey");
	assert_string_equal(c->keyring, "/etc/latchkey/keyring");
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_string_equal(c->redis.url, "rediss://cache.example:6380/1");
	assert_string_equal(c->redis.password_file, "/etc/latchkey/redis.password");
	assert_int_equal(c->redis.connections, 4);
	assert_string_equal(c->redis.tls_server_name, "redis.example");
	assert_int_equal(c->calls.timeout_default_ms, 250);
	assert_int_equal(c->calls.timeout_max_ms, 30000);
	assert_string_equal(c->admin.listen, "http://[::1]:0");
	assert_int_equal(c->admin.connections_max, 4);
	assert_int_equal(c->admin.timeout_ms, 100);
	assert_int_equal(c->drain.timeout_ms, 0);
	assert_int_equal(c->drain.delay_ms, 5000);
	assert_int_equal(c->realm_count, 2);
	assert_string_equal(c->realms[0].name, "shop");
	assert_int_equal(c->realms[0].wait_replicas, 2);
	assert_int_equal(c->realms[0].wait_ms, 70);
	assert_int_equal(c->realms[1].wait_replicas, 0);
	assert_int_equal(c->realms[1].wait_ms, 100);
	assert_int_equal(c->realms[0].classes[0].idle_timeout_s, 60);
	assert_string_equal(c->realms[0].classes[1].name, "remember-me");
	assert_int_equal(c->realms[0].classes[1].idle_timeout_s, 1800);
	assert_int_equal(c->realms[0].classes[1].sessions_max, 5);
	assert_int_equal(c->realms[0].classes[1].at_cap, CONFIG_REFUSE);
	assert_int_equal(c->realms[0].class_count, 3);
	assert_int_equal(c->realms[0].classes[2].at_cap, CONFIG_EVICT_LRU);
	assert_int_equal(c->realms[0].classes[2].touch_interval_s, 60);
	assert_int_equal(c->realms[0].classes[2].grace_s, 0);
	assert_int_equal(c->realms[0].classes[2].privileged_s, 60);
	assert_int_equal(c->realms[0].events, 1);
	assert_int_equal(c->realms[1].events, 0);
	assert_int_equal(c->realms[0].day_retention_d, 400);
	assert_int_equal(c->realms[1].hour_retention_h, 0);
	assert_int_equal(c->realms[1].day_retention_d, 7);
	assert_string_equal(c->realms[1].name, "staff");
	assert_int_equal(c->realms[1].class_count, 1);
	assert_string_equal(c->realms[1].classes[0].name, "default");
}

static void test_file(void **state)
{
	struct config *c = load_ok(full, plain_environment);

	(void)state;
	assert_non_null(strstr(c->file, "latchkeyd.yaml"));
	assert_full(c);
	config_free(&c);
}

static void test_files_without_content(void **state)
{
	static const char *const files[] = {"",	    "\n",	   "# nothing\n",      "---\n...\n", "---\n# nothing\n",
					    "{}\n", "redis: {}\n", "redis: {user: }\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct config *c = load_ok(files[i], plain_environment);

		assert_null(c->redis.user);
		assert_int_equal(c->redis.connections, 2);
		assert_int_equal(c->realm_count, 1);
		config_free(&c);
	}
}

static void test_environment_wins(void **state)
{
	char connections[] = "LATCHKEY_REDIS_CONNECTIONS=7";
	char timeout[] = "LATCHKEY_CALLS_TIMEOUT_DEFAULT_MS=123";
	char level[] = "LATCHKEY_LOG_LEVEL=error";
	char user[] = "LATCHKEY_REDIS_USER=";
	char listen[] = "LATCHKEY_LISTEN=tcp://127.0.0.1:0,ipc:///run/x.sock,tcp://localhost:0";
	char *environment[] = {connections, timeout, level, user, listen, NULL};
	struct config *c = load_ok(full, environment);

	(void)state;
	assert_int_equal(c->redis.connections, 7);
	assert_int_equal(c->calls.timeout_default_ms, 123);
	assert_int_equal(c->log_level, LOG_ERROR);
	assert_null(c->redis.user);
	assert_int_equal(c->listener_count, 3);
	assert_string_equal(c->listeners[0].url, "tcp://127.0.0.1:0");
	assert_null(c->listeners[1].tls.cert);
	assert_string_equal(c->listeners[1].url, "ipc:///run/x.sock");
	assert_int_equal(c->listeners[1].ipc_mode, 0600);
	assert_int_equal(c->realm_count, 2);
	config_free(&c);
}

/* The command's variables, and what Kubernetes sets for neighbours of a Service called latchkey or latchkey-redis. */
static void test_foreign_variables_are_left_alone(void **state)
{
	static const char *const names[] = {"LATCHKEY_SERVER",
					    "LATCHKEY_REALM",
					    "LATCHKEY_CREDENTIAL_FILE",
					    "LATCHKEY_TIMEOUT",
					    "LATCHKEY_CA",
					    "LATCHKEY_CERT",
					    "LATCHKEY_KEY",
					    "LATCHKEY_SERVER_NAME",
					    "LATCHKEY_CONFIG",
					    "LATCHKEY_BIN",
					    "LATCHKEY_WELCOME",
					    "LATCHKEY_SERVICE_HOST",
					    "LATCHKEY_SERVICE_PORT",
					    "LATCHKEY_SERVICE_PORT_SP",
					    "LATCHKEY_PORT",
					    "LATCHKEY_PORT_7373_TCP",
					    "LATCHKEY_PORT_7373_TCP_ADDR",
					    "LATCHKEY_REDIS_SERVICE_HOST",
					    "LATCHKEY_REDIS_PORT",
					    "LATCHKEY_REDIS_PORT_6379_TCP_PROTO",
					    "LATCHKEYD",
					    "XLATCHKEY_NONSENSE"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char variable[96];
		char *environment[] = {plain_environment[0], variable, NULL};
		struct config *c;

		snprintf(variable, sizeof(variable), "%s=tcp://10.0.0.1:1", names[i]);
		c = load_ok(NULL, environment);
		config_free(&c);
	}
}

#define NOTES_BYTES 1024

static void note_change(void *owner, const char *path, bool is_reloadable)
{
	char *notes = owner;
	const size_t len = strlen(notes);

	snprintf(notes + len, NOTES_BYTES - len, "%s%s", path, is_reloadable ? "! " : " ");
}

static void assert_round_trip(const char *yaml)
{
	struct config *a = load_ok(yaml, plain_environment);
	char *text = printed(a);
	struct config *b = load_ok(text, plain_environment);
	char *again = printed(b);
	char notes[NOTES_BYTES] = "";

	config_compare(a, b, note_change, notes);
	assert_string_equal(notes, "");
	/* But for the first line, which names the file. */
	assert_string_equal(strchr(text, '\n'), strchr(again, '\n'));
	free(text);
	free(again);
	config_free(&a);
	config_free(&b);
}

static void test_print_loads_to_the_same(void **state)
{
	(void)state;
	assert_round_trip(NULL);
	assert_round_trip(full);
}

static void test_compare(void **state)
{
	struct config *a = load_ok(full, plain_environment);
	struct config *b = load_ok("log_level: debug\nstate_dir: /srv/latchkey\n", plain_environment);
	char notes[NOTES_BYTES] = "";

	(void)state;
	config_compare(a, b, note_change, notes);
	assert_string_equal(notes, "redis.url redis.user redis.password_file redis.connections redis.tls_ca "
				   "redis.tls_cert redis.tls_key redis.tls_server_name calls.timeout_default_ms "
				   "connections.max admin.listen admin.connections_max admin.timeout_ms "
				   "drain.timeout_ms drain.delay_ms keyring listen realms ");
	config_free(&b);
	b = load_ok("log_level: warn\nrealms: [{name: default, classes: [{name: default, tombstone_s: 601}]}]\n",
		    plain_environment);
	config_free(&a);
	a = load_ok(NULL, plain_environment);
	notes[0] = 0;
	config_compare(a, b, note_change, notes);
	assert_string_equal(notes, "log_level! realms ");
	config_free(&a);
	config_free(&b);
}

static void test_passwords_are_masked(void **state)
{
	static const struct {
		const char *url;
		const char *shown;
	} cases[] = {{"redis://user:pass@h:1/2", "redis://user:********@h:1/2"},
		     {"rediss://:pass@h", "rediss://:********@h"},
		     {"redis://pass@h", "redis://********@h"},
		     {"redis://u:p@ss/w@rd@h", "redis://u:********@h"},
		     {"redis://u:@h", "redis://u:@h"},
		     {"redis://h:6379", "redis://h:6379"},
		     {"unix:///run/a@b.sock", "unix:///run/a@b.sock"},
		     {"embedded:/srv/a@b", "embedded:/srv/a@b"},
		     {"embedded:", "embedded:"},
		     {"user:pass@h", "user:********@h"},
		     {"", ""}};
	char out[64];
	struct config *c = load_ok("redis: {url: \"redis://u:hunter2@h\"}\n", plain_environment);
	char *text = printed(c);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config_mask_url(cases[i].url, out, sizeof(out));
		assert_string_equal(out, cases[i].shown);
	}
	assert_string_equal(c->redis.url, "redis://u:hunter2@h");
	assert_null(strstr(text, "hunter2"));
	assert_non_null(strstr(text, "  url: \"redis://u:********@h\"\n"));
	free(text);
	config_free(&c);
}

static void test_password_file(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *password; /* NULL: refused */
	} cases[] = {{"s3cret\n", 7, "s3cret"}, {"s3cret", 6, "s3cret"}, {"s3cret\r\n", 8, "s3cret"},
		     {" a b \n", 6, " a b "},	{"", 0, NULL},		 {"\n", 1, NULL},
		     {"a\nb\n", 4, NULL},	{"a\0b\n", 4, NULL}};
	char password[CONFIG_PASSWORD_BYTES_MAX + 1];
	struct config_error error;
	const char *file = NULL;
	struct scratch s;
	char longest[CONFIG_PASSWORD_BYTES_MAX + 2];

	(void)state;
	assert_true(config_read_password("redis.password_file", file, password, &error));
	assert_string_equal(password, "");
	scratch_make(&s);
	file = s.file;
	assert_false(config_read_password("redis.password_file", file, password, &error));
	assert_non_null(strstr(error.text, "No such file"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scratch_write(&s, cases[i].text, cases[i].len);
		assert_int_equal(config_read_password("redis.password_file", file, password, &error),
				 cases[i].password != NULL);
		if (cases[i].password != NULL)
			assert_string_equal(password, cases[i].password);
	}
	memset(longest, 'x', sizeof(longest));
	scratch_write(&s, longest, CONFIG_PASSWORD_BYTES_MAX);
	assert_true(config_read_password("redis.password_file", file, password, &error));
	assert_int_equal(strlen(password), CONFIG_PASSWORD_BYTES_MAX);
	scratch_write(&s, longest, CONFIG_PASSWORD_BYTES_MAX + 1);
	assert_false(config_read_password("redis.password_file", file, password, &error));
	assert_null(strstr(error.text, "xxx"));
	scratch_remove(&s);
}

static void test_find_file(void **state)
{
	char named[] = "LATCHKEY_CONFIG=/x/y.yaml";
	char *environment[] = {named, NULL};

	(void)state;
	assert_string_equal(config_find_file(environment), "/x/y.yaml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_state_dir),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_files_without_content),
	    cmocka_unit_test(test_environment_wins),
	    cmocka_unit_test(test_foreign_variables_are_left_alone),
	    cmocka_unit_test(test_print_loads_to_the_same),
	    cmocka_unit_test(test_compare),
	    cmocka_unit_test(test_passwords_are_masked),
	    cmocka_unit_test(test_password_file),
	    cmocka_unit_test(test_find_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
