/* Redis by TCP and unix socket, with password and database; absent at the start, restarted, emptied of its scripts, full:
 * the service stays up, says so, never takes "cannot ask" for "logged out", and serves again by itself. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/file.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define PASSWORD "s3cret-of-redis"

#define VALID	  LATCHKEY__V1__VERDICT__VALID
#define INVALID	  LATCHKEY__V1__VERDICT__INVALID
#define NO_REASON LATCHKEY__V1__REASON__REASON_NONE

static long long database_size(const struct redis_server *s, int database)
{
	redisContext *c = redis_server_connect(s);
	redisReply *reply = redisCommand(c, "SELECT %d", database);
	long long size;

	freeReplyObject(reply);
	reply = redisCommand(c, "DBSIZE");
	assert_non_null(reply);
	size = reply->integer;
	freeReplyObject(reply);
	redisFree(c);
	return size;
}

/* Serves over this URL, and its keys are in this database and no other. */
static void expect_keys_in_database(struct redis_server *redis, const char *url, int database, const char *extra_config)
{
	char token[TOKEN_BYTES];
	struct latchkeyd service;
	struct raw r;

	freeReplyObject(redis_server_command(redis, "FLUSHALL"));
	latchkeyd_init(&service, &(struct latchkeyd_options){.redis_url = url, .config = extra_config});
	latchkeyd_start_serving(&service);
	raw_connect(&r, service.url);
	session_create(&r, &(struct session_wish){.user = "ann"}, token);
	session_must_be(&r, token, VALID, NO_REASON);
	assert_true(database_size(redis, database) > 0);
	for (int i = 0; i < 8; i++)
		assert_true(i == database || database_size(redis, i) == 0);
	assert_false(file_contains(service.log, PASSWORD, strlen(PASSWORD)));
	raw_close(&r);
	latchkeyd_end(&service);
}

static void test_url_forms(void **state)
{
	struct redis_server redis;
	char url[256];

	(void)state;
	redis_server_init(&redis, NULL);
	redis_server_start(&redis);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%u", redis.port);
	expect_keys_in_database(&redis, url, 0, NULL);
	snprintf(url, sizeof(url), "redis://localhost:%u/3", redis.port);
	expect_keys_in_database(&redis, url, 3, NULL);
	snprintf(url, sizeof(url), "unix://%s?db=2", redis.socket);
	expect_keys_in_database(&redis, url, 2, NULL);
	redis_server_remove(&redis);
}

static void test_password(void **state)
{
	char password_file[TMPDIR_FILE_BYTES];
	struct redis_server redis;
	char config[256];
	char url[256];

	(void)state;
	redis_server_init(&redis, &(struct redis_server_options){.password = PASSWORD});
	redis_server_start(&redis);
	snprintf(url, sizeof(url), "redis://:%s@127.0.0.1:%u/1", PASSWORD, redis.port);
	expect_keys_in_database(&redis, url, 1, NULL);
	tmpdir_file(&redis.dir, "password", password_file);
	file_write(password_file, PASSWORD "\n");
	snprintf(config, sizeof(config), "redis: { password_file: %s }\n", password_file);
	expect_keys_in_database(&redis, redis.url, 0, config);
	redis_server_remove(&redis);
}

static void test_wrong_password(void **state)
{
	struct redis_server redis;
	struct latchkeyd service;
	char url[256];

	(void)state;
	redis_server_init(&redis, &(struct redis_server_options){.password = PASSWORD});
	redis_server_start(&redis);
	snprintf(url, sizeof(url), "redis://:not-%s@127.0.0.1:%u", PASSWORD, redis.port);
	latchkeyd_init(&service, &(struct latchkeyd_options){.redis_url = url});
	latchkeyd_start(&service);
	assert_becomes(file_contains(service.log, "WRONGPASS", 9), BOUND_MS);
	assert_false(latchkeyd_is_serving(&service));
	assert_false(file_contains(service.log, PASSWORD, strlen(PASSWORD)));
	latchkeyd_end(&service);
	redis_server_remove(&redis);
}

static void expect_unknown(struct raw *r, const char *token)
{
	struct session_seen seen;
	uint64_t began = now_mono_ms();
	Latchkey__V1__Code code = session_get(r, NULL, token, 1000, &seen);

	assert_true(code == LATCHKEY__V1__CODE__UNAVAILABLE || code == LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);
	assert_in_range(now_mono_ms() - began, 0, 1000 + LATE_MS);
}

/* A token's tag needs no store: forged stays forged. */
static void expect_forged(struct raw *r, const char *token)
{
	char forged[TOKEN_BYTES];

	memcpy(forged, token, TOKEN_BYTES);
	forged[60] = forged[60] == 'A' ? 'B' : 'A';
	session_must_be(r, forged, INVALID, LATCHKEY__V1__REASON__FORGED);
}

static void test_redis_down_at_start(void **state)
{
	Latchkey__V1__Code code;
	char token[TOKEN_BYTES];
	char other[TOKEN_BYTES];
	struct scene s;

	(void)state;
	scene_open(&s, NULL,
		   &(struct redis_server_options){.args = {"--appendonly", "yes", "--appendfsync", "always"}});
	session_create(&s.caller, &(struct session_wish){.user = "ann"}, token);
	latchkeyd_stop(&s.service);
	redis_server_stop(&s.redis);

	latchkeyd_start(&s.service);
	scene_reconnect(&s);
	assert_false(latchkeyd_is_serving(&s.service));
	expect_unknown(&s.caller, token);
	expect_forged(&s.caller, token);
	code = session_try_create(&s.caller, &(struct session_wish){.user = "ann"}, other);
	assert_true(code == LATCHKEY__V1__CODE__UNAVAILABLE || code == LATCHKEY__V1__CODE__DEADLINE_EXCEEDED);

	redis_server_start(&s.redis);
	assert_becomes(latchkeyd_is_serving(&s.service), BOUND_MS);
	session_must_be(&s.caller, token, VALID, NO_REASON);
	scene_close(&s);
}

static void test_redis_restarts(void **state)
{
	char token[TOKEN_BYTES];
	struct session_seen seen;
	struct scene s;

	(void)state;
	scene_open(&s, NULL,
		   &(struct redis_server_options){.args = {"--appendonly", "yes", "--appendfsync", "always"}});
	session_create(&s.caller, &(struct session_wish){.user = "ann"}, token);
	for (int i = 0; i < 3; i++) {
		redis_server_kill(&s.redis);
		expect_unknown(&s.caller, token);
		assert_becomes(!latchkeyd_is_serving(&s.service), BOUND_MS);
		redis_server_start(&s.redis);
		/* UNKNOWN as long as it lasts, then VALID: nothing else in between. */
		while (session_get(&s.caller, NULL, token, 0, &seen) != LATCHKEY__V1__CODE__OK)
			nap_ms(10);
		assert_int_equal(seen.verdict, VALID);
		/* A script, on a server that has forgotten all of them. */
		assert_int_equal(session_update(&s.caller, token, "k", "v", &seen), LATCHKEY__V1__CODE__OK);
		assert_int_equal(seen.verdict, VALID);
	}
	scene_close(&s);
}

static void test_scripts_flushed(void **state)
{
	char token[TOKEN_BYTES];
	struct session_seen seen;
	uint32_t revoked = 0;
	struct scene s;
	bool was_alive;

	(void)state;
	scene_open(&s, NULL, NULL);
	for (int i = 0; i < 3; i++) {
		freeReplyObject(redis_server_command(&s.redis, "SCRIPT FLUSH"));
		session_create(&s.caller, &(struct session_wish){.user = "ann"}, token);
		freeReplyObject(redis_server_command(&s.redis, "SCRIPT FLUSH"));
		assert_int_equal(session_update(&s.caller, token, "k", "v", &seen), LATCHKEY__V1__CODE__OK);
		freeReplyObject(redis_server_command(&s.redis, "SCRIPT FLUSH"));
		assert_int_equal(session_peek(&s.caller, NULL, token, &seen), LATCHKEY__V1__CODE__OK);
		assert_string_equal(seen.value, "v");
		freeReplyObject(redis_server_command(&s.redis, "SCRIPT FLUSH"));
		assert_int_equal(session_revoke(&s.caller, token, &was_alive), LATCHKEY__V1__CODE__OK);
		assert_true(was_alive);
		freeReplyObject(redis_server_command(&s.redis, "SCRIPT FLUSH"));
		assert_int_equal(session_revoke_user(&s.caller, "ann", &revoked), LATCHKEY__V1__CODE__OK);
		assert_int_equal(revoked, 0);
	}
	assert_true(server_counter(&s.caller, "latchkey_redis_script_reloads_total") >= 15);
	scene_close(&s);
}

/* Full: what exists is still served, what is new is refused with the reason, and nobody is logged out. */
static void test_redis_full(void **state)
{
	char token[TOKEN_BYTES];
	char other[TOKEN_BYTES];
	struct scene s;

	(void)state;
	scene_open(&s, NULL, &(struct redis_server_options){.args = {"--maxmemory-policy", "noeviction"}});
	session_create(&s.caller, &(struct session_wish){.user = "ann"}, token);
	freeReplyObject(redis_server_command(&s.redis, "CONFIG SET maxmemory 1"));
	assert_int_equal(session_try_create(&s.caller, &(struct session_wish){.user = "bob"}, other),
			 LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	session_must_be(&s.caller, token, VALID, NO_REASON);
	freeReplyObject(redis_server_command(&s.redis, "CONFIG SET maxmemory 0"));
	session_create(&s.caller, &(struct session_wish){.user = "bob"}, other);
	scene_close(&s);
}

/* A Redis that is still reading its data in: connected, but no store yet. Not serving until it is done. */
static void test_redis_loading(void **state)
{
	char token[TOKEN_BYTES];
	struct session_seen seen;
	redisContext *observer;
	unsigned asked = 0;
	struct scene s;

	(void)state;
	scene_open(&s, NULL, NULL);
	for (int i = 0; i < 50; i++)
		session_create(&s.caller, &(struct session_wish){.user = "ann"}, token);
	freeReplyObject(redis_server_command(&s.redis, "SAVE"));
	redis_server_kill(&s.redis);
	/* 40 ms a key make two seconds, with answers in between. */
	s.redis.options = (struct redis_server_options){
	    .may_load = true, .args = {"--key-load-delay", "40000", "--loading-process-events-interval-bytes", "1024"}};
	redis_server_start(&s.redis);
	observer = redis_server_connect(&s.redis);
	while (redis_info_number(observer, "persistence", "loading") == 1) {
		Latchkey__V1__Code code = session_get(&s.caller, NULL, token, 200, &seen);

		assert_true(code != LATCHKEY__V1__CODE__OK || seen.verdict == VALID);
		if (redis_info_number(observer, "persistence", "loading") != 1)
			continue;
		asked++;
		assert_int_not_equal(code, LATCHKEY__V1__CODE__OK);
		assert_false(latchkeyd_is_serving(&s.service));
	}
	/* It was loading, or this proved nothing. */
	assert_true(asked > 0);
	assert_becomes(latchkeyd_is_serving(&s.service), BOUND_MS);
	session_must_be(&s.caller, token, VALID, NO_REASON);
	redisFree(observer);
	scene_close(&s);
}

/* A Redis that hangs: every call is answered by its deadline, and none says INVALID. */
static void test_redis_hangs(void **state)
{
	char token[TOKEN_BYTES];
	struct scene s;

	(void)state;
	scene_open(&s, NULL, NULL);
	session_create(&s.caller, &(struct session_wish){.user = "ann"}, token);
	process_signal(&s.redis.process, SIGSTOP);
	for (int i = 0; i < 4; i++)
		expect_unknown(&s.caller, token);
	expect_forged(&s.caller, token);
	process_signal(&s.redis.process, SIGCONT);
	assert_becomes(latchkeyd_is_serving(&s.service), BOUND_MS);
	session_must_be(&s.caller, token, VALID, NO_REASON);
	scene_close(&s);
}

/* Over an ipc listener, the same. */
static void test_ipc_listener(void **state)
{
	char url[TMPDIR_URL_BYTES];
	char token[TOKEN_BYTES];
	struct redis_server redis;
	struct latchkeyd service;
	struct raw r;

	(void)state;
	redis_server_init(&redis, NULL);
	redis_server_start(&redis);
	tmpdir_url(&redis.dir, "latchkey.sock", url);
	latchkeyd_init(&service, &(struct latchkeyd_options){.redis_url = redis.url, .listen_url = url});
	latchkeyd_start_serving(&service);
	raw_connect(&r, url);
	session_create(&r, &(struct session_wish){.user = "ann"}, token);
	session_must_be(&r, token, VALID, NO_REASON);
	raw_close(&r);
	latchkeyd_end(&service);
	redis_server_remove(&redis);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_url_forms),	   cmocka_unit_test(test_password),
	    cmocka_unit_test(test_wrong_password), cmocka_unit_test(test_redis_down_at_start),
	    cmocka_unit_test(test_redis_restarts), cmocka_unit_test(test_scripts_flushed),
	    cmocka_unit_test(test_redis_loading),  cmocka_unit_test(test_redis_full),
	    cmocka_unit_test(test_redis_hangs),	   cmocka_unit_test(test_ipc_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
