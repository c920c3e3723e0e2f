/* TLS and mutual TLS on the running service: whom it serves, whom it does not, and what it is told when its files
 * change. */

#include <latchkey/latchkey.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/certificates.h"
#include "support/file.h"
#include "support/latchkeyd.h"
#include "support/raw.h"
#include "support/redis_server.h"
#include "support/wait.h"

#define CONFIG_BYTES 2048

static struct redis_server redis;
static struct latchkeyd service;
static struct tmpdir dir;
static struct tmpdir other_dir;
static struct certificates good;
static struct certificates other; /* of an authority that nobody trusts */
static char live_cert[TMPDIR_FILE_BYTES];
static char live_key[TMPDIR_FILE_BYTES];

static void copy_file(const char *from, const char *to)
{
	char *text = file_read(from, NULL);

	file_write(to, text);
	free(text);
}

static void use_server_files(const char *cert, const char *key)
{
	copy_file(cert, live_cert);
	copy_file(key, live_key);
}

static int open_service(void **state)
{
	char config[CONFIG_BYTES];

	(void)state;
	tmpdir_make(&dir);
	tmpdir_make(&other_dir);
	certificates_make(&good, &dir);
	certificates_make(&other, &other_dir);
	tmpdir_file(&dir, "live.pem", live_cert);
	tmpdir_file(&dir, "live.key", live_key);
	use_server_files(good.server, good.server_key);
	(void)snprintf(config, sizeof(config),
		       "listen:\n  - { url: \"tls+tcp://127.0.0.1:0\", tls: { cert: %s, key: %s, client_ca: %s } }\n",
		       live_cert, live_key, good.ca);
	redis_server_init(&redis, NULL);
	redis_server_start(&redis);
	latchkeyd_init(&service,
		       &(struct latchkeyd_options){.redis_url = redis.url, .config = config, .listen_url = ""});
	latchkeyd_start(&service);
	return 0;
}

static int close_service(void **state)
{
	(void)state;
	latchkeyd_end(&service);
	redis_server_remove(&redis);
	tmpdir_remove(&dir);
	tmpdir_remove(&other_dir);
	return 0;
}

/* Everybody who is refused differs from this one in one thing. */
static struct lk_options good_options(void)
{
	struct lk_options options = LK_OPTIONS_INIT;

	options.tls_ca_file = good.ca;
	options.tls_cert_file = good.client;
	options.tls_key_file = good.client_key;
	options.tls_server_name = CERTIFICATE_NAME;
	options.call_timeout_ms = BOUND_MS;
	options.connect_timeout_ms = BOUND_MS;
	options.fail_fast = true;
	return options;
}

static enum lk_err call_once_at(const struct lk_options *given, const char *url, struct lk_error *error)
{
	const char *const endpoints[] = {url};
	struct lk_options options = *given;
	struct lk_server_request request = LK_SERVER_REQUEST_INIT;
	enum lk_serving serving;
	lk_client *client = NULL;
	enum lk_err err;

	options.endpoints = endpoints;
	options.endpoint_count = 1;
	assert_int_equal(lk_client_open(&options, &client, error), LK_OK);
	err = lk_health(client, &request, &serving, error);
	lk_client_close(&client);
	return err;
}

static void expect_served(const struct lk_options *options)
{
	struct lk_error error = LK_ERROR_INIT;

	if (call_once_at(options, service.url, &error) != LK_OK)
		fail_msg("%s", error.message);
}

/* latchkey_calls_total, this call included. */
static uint64_t calls_carried_out(void)
{
	const char *const endpoints[] = {service.url};
	struct lk_options options = good_options();
	struct lk_server_request request = LK_SERVER_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client = NULL;
	lk_stats *stats = NULL;
	uint64_t calls = 0;

	options.endpoints = endpoints;
	options.endpoint_count = 1;
	assert_int_equal(lk_client_open(&options, &client, NULL), LK_OK);
	if (lk_server_stats(client, &request, &stats, &error) != LK_OK)
		fail_msg("%s", error.message);
	for (size_t i = 0; i < lk_stats_count(stats); i++)
		if (strcmp(lk_stats_name(stats, i), "latchkey_calls_total") == 0)
			calls = lk_stats_value(stats, i);
	lk_stats_free(&stats);
	lk_client_close(&client);
	return calls;
}

/* Nothing of what such a caller asks is carried out. */
static void expect_refused(const struct lk_options *options, const char *url)
{
	const uint64_t before = calls_carried_out();
	struct lk_error error = LK_ERROR_INIT;

	assert_int_equal(call_once_at(options, url, &error), LK_E_UNAVAILABLE);
	if (strstr(error.message, "TLS") == NULL && strstr(error.message, "closed by the peer") == NULL)
		fail_msg("\"%s\" says neither TLS nor that the peer closed", error.message);
	assert_int_equal(calls_carried_out(), before + 1);
}

static unsigned logged_by(const struct latchkeyd *d, const char *what)
{
	char *log = latchkeyd_log(d);
	unsigned count = 0;

	for (const char *at = log; (at = strstr(at, what)) != NULL; at++)
		count++;
	free(log);
	return count;
}

static unsigned logged(const char *what)
{
	return logged_by(&service, what);
}

/* SIGHUP, and one more line that says this. */
static void reload_by(const struct latchkeyd *d, const char *event)
{
	const unsigned before = logged_by(d, event);

	process_signal(&d->process, SIGHUP);
	assert_becomes(logged_by(d, event) == before + 1, BOUND_MS);
}

static void reload(const char *event)
{
	reload_by(&service, event);
}

static void test_a_good_caller_is_served(void **state)
{
	const struct lk_options options = good_options();

	(void)state;
	expect_served(&options);
}

static void test_a_server_of_another_authority_is_not_trusted(void **state)
{
	struct lk_options options = good_options();

	(void)state;
	options.tls_ca_file = other.ca;
	expect_refused(&options, service.url);
}

static void test_a_server_of_another_name_is_not_trusted(void **state)
{
	struct lk_options options = good_options();

	(void)state;
	options.tls_server_name = "elsewhere.test";
	expect_refused(&options, service.url);
}

static void test_an_expired_server_is_not_trusted(void **state)
{
	const struct lk_options options = good_options();
	char cert[TMPDIR_FILE_BYTES];
	char key[TMPDIR_FILE_BYTES];
	struct lk_error error = LK_ERROR_INIT;

	(void)state;
	tmpdir_file(&dir, "expired.pem", cert);
	tmpdir_file(&dir, "expired.key", key);
	certificates_sign_expired(&good, cert, key);
	use_server_files(cert, key);
	reload("certificates_reloaded");
	assert_int_equal(call_once_at(&options, service.url, &error), LK_E_UNAVAILABLE);
	if (strstr(error.message, "TLS") == NULL)
		fail_msg("\"%s\" does not say TLS", error.message);
	use_server_files(good.server, good.server_key);
	reload("certificates_reloaded");
	expect_served(&options);
}

static void test_a_caller_without_certificate_is_refused(void **state)
{
	struct lk_options options = good_options();

	(void)state;
	options.tls_cert_file = NULL;
	options.tls_key_file = NULL;
	expect_refused(&options, service.url);
}

static void test_a_caller_of_another_authority_is_refused(void **state)
{
	struct lk_options options = good_options();

	(void)state;
	options.tls_cert_file = other.client;
	options.tls_key_file = other.client_key;
	expect_refused(&options, service.url);
	assert_int_not_equal(logged("tls_failed"), 0);
}

static void test_an_expired_caller_is_refused(void **state)
{
	struct lk_options options = good_options();
	char cert[TMPDIR_FILE_BYTES];
	char key[TMPDIR_FILE_BYTES];

	(void)state;
	tmpdir_file(&dir, "old-client.pem", cert);
	tmpdir_file(&dir, "old-client.key", key);
	certificates_sign_expired(&good, cert, key);
	options.tls_cert_file = cert;
	options.tls_key_file = key;
	expect_refused(&options, service.url);
}

static void test_plaintext_is_refused(void **state)
{
	struct lk_options options = good_options();
	struct raw r;

	(void)state;
	/* "tls+tcp://" less its "tls+". */
	expect_refused(&options, service.url + strlen("tls+"));
	assert_true(raw_connect_silent(&r, service.url + strlen("tls+")));
	assert_false(raw_greet(&r));
	raw_close(&r);
}

static void test_bad_files_are_refused_and_change_nothing(void **state)
{
	const struct lk_options options = good_options();
	const char *const bad[][2] = {
	    {good.client, good.server_key}, /* a key that is another certificate's */
	    {good.server_key, good.server_key},
	    {"/dev/null", good.server_key},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		use_server_files(bad[i][0], bad[i][1]);
		reload("certificates_refused");
		expect_served(&options);
	}
	assert_int_equal(remove(live_cert), 0);
	reload("certificates_refused");
	assert_int_not_equal(logged("No such file"), 0);
	expect_served(&options);
	use_server_files(good.server, good.server_key);
	reload("certificates_unchanged");
	expect_served(&options);
}

static void cut_off(const struct redis_server *r)
{
	freeReplyObject(redis_server_command(r, "CLIENT KILL TYPE normal SKIPME yes"));
	freeReplyObject(redis_server_command(r, "CLIENT KILL TYPE pubsub"));
}

/* The authority in the file decides about connections that are opened from then on. */
static void test_files_for_redis_are_read_again(void **state)
{
	struct redis_server_options secure = {.tls = &good};
	struct latchkeyd d;
	struct redis_server r;
	char config[CONFIG_BYTES];
	char ca[TMPDIR_FILE_BYTES];
	char url[64];

	(void)state;
	tmpdir_file(&dir, "redis-ca.pem", ca);
	copy_file(good.ca, ca);
	redis_server_init(&r, &secure);
	redis_server_start(&r);
	(void)snprintf(url, sizeof(url), "rediss://127.0.0.1:%u", r.tls_port);
	(void)snprintf(config, sizeof(config), "redis: { tls_ca: %s, tls_server_name: %s }\n", ca, CERTIFICATE_NAME);
	latchkeyd_init(&d, &(struct latchkeyd_options){.redis_url = url, .config = config});
	latchkeyd_start_serving(&d);
	copy_file(other.ca, ca);
	reload_by(&d, "certificates_reloaded");
	assert_true(latchkeyd_is_serving(&d));
	cut_off(&r);
	assert_becomes(!latchkeyd_is_serving(&d), BOUND_MS);
	copy_file(good.ca, ca);
	reload_by(&d, "certificates_reloaded");
	assert_becomes(latchkeyd_is_serving(&d), BOUND_MS);
	latchkeyd_end(&d);
	redis_server_remove(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_good_caller_is_served),
	    cmocka_unit_test(test_a_server_of_another_authority_is_not_trusted),
	    cmocka_unit_test(test_a_server_of_another_name_is_not_trusted),
	    cmocka_unit_test(test_an_expired_server_is_not_trusted),
	    cmocka_unit_test(test_a_caller_without_certificate_is_refused),
	    cmocka_unit_test(test_a_caller_of_another_authority_is_refused),
	    cmocka_unit_test(test_an_expired_caller_is_refused),
	    cmocka_unit_test(test_plaintext_is_refused),
	    cmocka_unit_test(test_bad_files_are_refused_and_change_nothing),
	    cmocka_unit_test(test_files_for_redis_are_read_again),
	};

	return cmocka_run_group_tests(tests, open_service, close_service);
}
