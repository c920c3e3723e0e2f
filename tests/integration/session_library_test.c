/* The library against the real service: every call, three-valued answers, times, pages, failures; and what only a raw
 * caller can do, such as sending one request twice. */

#include <latchkey/admin.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/port.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

static struct scene scene;
static lk_client *client;

static lk_client *open_client(const char *url, uint32_t call_timeout_ms)
{
	const char *const endpoints[] = {url};
	struct lk_options options = LK_OPTIONS_INIT;
	lk_client *opened = NULL;

	options.endpoints = endpoints;
	options.endpoint_count = 1;
	options.call_timeout_ms = call_timeout_ms;
	assert_int_equal(lk_client_open(&options, &opened, NULL), LK_OK);
	return opened;
}

static int open_scene(void **state)
{
	(void)state;
	scene_open(&scene, NULL, NULL);
	client = open_client(scene.service.url, BOUND_MS);
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	lk_client_close(&client);
	scene_close(&scene);
	return 0;
}

static lk_session *create(const char *user)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	lk_session *session = NULL;

	request.user = lk_text(user);
	assert_int_equal(lk_session_create(client, &request, &session, NULL), LK_OK);
	return session;
}

static enum lk_verdict get(const char *token, lk_session **ret_session)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	enum lk_verdict verdict = LK_UNKNOWN;

	request.token = lk_text(token);
	assert_int_equal(lk_session_get(client, &request, &verdict, ret_session, NULL), LK_OK);
	return verdict;
}

static void assert_bytes_equal(struct lk_bytes bytes, const char *text)
{
	assert_non_null(bytes.data);
	assert_int_equal(bytes.len, strlen(text));
	assert_memory_equal(bytes.data, text, bytes.len);
}

static void test_all_fields_come_back(void **state)
{
	static const char *const amr[] = {"pwd", "otp"};
	const struct lk_attribute attributes[] = {{lk_text("role"), lk_text("admin")},
						  {lk_text("empty"), lk_text("")},
						  {lk_text("zero"), lk_bytes_of("a\0b", 3)}};
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	uint64_t before_ms = now_wall_ms();
	lk_session *created = NULL;
	lk_session *got = NULL;

	(void)state;
	request.user = lk_bytes_of("ann\0x", 5);
	request.attributes = attributes;
	request.attribute_count = 3;
	request.user_agent = lk_text("Firefox");
	request.ip = lk_text("2001:db8::1");
	request.label = lk_text("phone");
	request.authenticated_at_ms = 1700000000123;
	request.aal = 2;
	request.amr = amr;
	request.amr_count = 2;
	assert_int_equal(lk_session_create(client, &request, &created, NULL), LK_OK);
	assert_int_equal(strlen(lk_session_token(created)), TOKEN_BYTES - 1);
	assert_int_equal(get(lk_session_token(created), &got), LK_VALID);
	assert_null(lk_session_token(got));
	assert_string_equal(lk_session_handle(got), lk_session_handle(created));
	assert_int_equal(lk_session_user(got).len, 5);
	assert_memory_equal(lk_session_user(got).data, "ann\0x", 5);
	assert_bytes_equal(lk_session_user_agent(got), "Firefox");
	assert_bytes_equal(lk_session_ip(got), "2001:db8::1");
	assert_bytes_equal(lk_session_label(got), "phone");
	assert_int_equal(lk_session_authenticated_at_ms(got), 1700000000123);
	assert_int_equal(lk_session_aal(got), 2);
	assert_int_equal(lk_session_amr_count(got), 2);
	assert_bytes_equal(lk_session_amr(got, 1), "otp");
	assert_int_equal(lk_session_version(got), 1);
	assert_in_range(lk_session_created_at_ms(got), before_ms - 1000, now_wall_ms());
	assert_true(lk_session_idle_expires_at_ms(got) <= lk_session_expires_at_ms(got));
	assert_int_equal(lk_session_attribute_count(got), 3);
	/* Sorted by key. */
	assert_bytes_equal(lk_session_attribute_at(got, 0).key, "empty");
	assert_bytes_equal(lk_session_attribute(got, "empty"), "");
	assert_int_equal(lk_session_attribute(got, "zero").len, 3);
	assert_null(lk_session_attribute(got, "none").data);
	lk_session_free(&created);
	lk_session_free(&got);
}

static void test_large_attributes(void **state)
{
	struct lk_session_update_request update = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_attribute attribute = {.key = lk_text("big")};
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session = create("big");
	lk_session *got = NULL;
	static char value[16384];
	unsigned seed = 1;

	(void)state;
	/* Noise, so that compression cannot make it small. */
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)(rand_r(&seed) >> 7);
	attribute.value = lk_bytes_of(value, sizeof(value));
	update.token = lk_text(lk_session_token(session));
	update.set = &attribute;
	update.set_count = 1;
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, NULL), LK_OK);
	assert_int_equal(get(lk_session_token(session), &got), LK_VALID);
	assert_int_equal(lk_session_attribute(got, "big").len, sizeof(value));
	assert_memory_equal(lk_session_attribute(got, "big").data, value, sizeof(value));
	lk_session_free(&got);
	/* A second one is more than a record holds: refused by name of the limit, and nothing is changed. */
	attribute.key = lk_text("bigger");
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, &error), LK_E_LIMIT);
	assert_non_null(strstr(error.message, "32768"));
	assert_int_equal(get(lk_session_token(session), &got), LK_VALID);
	assert_int_equal(lk_session_version(got), 2);
	assert_int_equal(lk_session_attribute_count(got), 1);
	lk_session_free(&got);
	lk_session_free(&session);
}

/* Far more updates than a record has room for changes: all of them, merged in order. */
static void test_many_updates_merge(void **state)
{
	struct lk_session_update_request update = LK_SESSION_UPDATE_REQUEST_INIT;
	lk_session *session = create("merge");
	struct lk_attribute attribute;
	lk_session *got = NULL;
	uint64_t version = 0;
	char value[16];
	char key[16];

	(void)state;
	update.token = lk_text(lk_session_token(session));
	update.set = &attribute;
	update.set_count = 1;
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%d", i % 7);
		snprintf(value, sizeof(value), "%d", i);
		attribute = (struct lk_attribute){lk_text(key), lk_text(value)};
		update.expected_version = i % 2 == 0 ? 0 : version;
		assert_int_equal(lk_session_update(client, &update, &version, NULL, NULL), LK_OK);
		assert_int_equal(version, 2 + i);
	}
	assert_int_equal(get(lk_session_token(session), &got), LK_VALID);
	assert_int_equal(lk_session_attribute_count(got), 7);
	assert_bytes_equal(lk_session_attribute(got, "k1"), "99");
	assert_bytes_equal(lk_session_attribute(got, "k2"), "93");
	lk_session_free(&got);
	lk_session_free(&session);
}

static void test_conflict_tells_the_version(void **state)
{
	struct lk_session_update_request update = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_attribute attribute = {lk_text("k"), lk_text("v")};
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session = create("conflict");

	(void)state;
	update.token = lk_text(lk_session_token(session));
	update.set = &attribute;
	update.set_count = 1;
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, NULL), LK_OK);
	update.expected_version = 1;
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, &error), LK_E_CONFLICT);
	assert_int_equal(error.version, 2);
	lk_session_free(&session);
}

static void test_pages_of_a_list(void **state)
{
	struct lk_session_list_request request = LK_SESSION_LIST_REQUEST_INIT;
	char handles[25][HANDLE_BYTES];
	char page_token[256] = "";
	size_t found = 0;
	size_t pages = 0;

	(void)state;
	for (size_t i = 0; i < 25; i++) {
		lk_session *session = create("pages");

		snprintf(handles[i], HANDLE_BYTES, "%s", lk_session_handle(session));
		lk_session_free(&session);
	}
	request.user = lk_text("pages");
	request.page_size = 10;
	do {
		lk_sessions *page = NULL;

		request.page_token = lk_text(page_token);
		assert_int_equal(lk_session_list(client, &request, &page, NULL), LK_OK);
		for (size_t i = 0; i < lk_sessions_count(page); i++) {
			for (size_t k = 0; k < 25; k++) {
				if (strcmp(handles[k], lk_session_handle(lk_sessions_at(page, i))) != 0)
					continue;
				handles[k][0] = '\0';
				found++;
			}
		}
		snprintf(page_token, sizeof(page_token), "%.*s", (int)lk_sessions_next_page(page).len,
			 lk_sessions_next_page(page).data == NULL ? "" : lk_sessions_next_page(page).data);
		lk_sessions_free(&page);
	} while (page_token[0] != '\0' && ++pages < 10);
	assert_int_equal(found, 25);
}

static void test_demands_on_the_login(void **state)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_session_get_request get_request = LK_SESSION_GET_REQUEST_INIT;
	enum lk_verdict verdict;
	lk_session *created = NULL;
	lk_session *got = NULL;

	(void)state;
	request.user = lk_text("aal");
	request.aal = 1;
	request.authenticated_at_ms = now_wall_ms() - 3600000;
	assert_int_equal(lk_session_create(client, &request, &created, NULL), LK_OK);
	get_request.token = lk_text(lk_session_token(created));
	get_request.minimum_aal = 2;
	assert_int_equal(lk_session_get(client, &get_request, &verdict, &got, NULL), LK_OK);
	assert_int_equal(verdict, LK_INVALID);
	assert_int_equal(lk_session_reason(got), LK_REASON_ASSURANCE_TOO_LOW);
	lk_session_free(&got);
	get_request.minimum_aal = 1;
	get_request.authenticated_within_s = 60;
	assert_int_equal(lk_session_get(client, &get_request, &verdict, NULL, NULL), LK_OK);
	assert_int_equal(verdict, LK_INVALID);
	get_request.authenticated_within_s = 7200;
	assert_int_equal(lk_session_get(client, &get_request, &verdict, NULL, NULL), LK_OK);
	assert_int_equal(verdict, LK_VALID);
	lk_session_free(&created);
}

static void test_nobody_there_is_unknown(void **state)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	enum lk_verdict verdict = LK_VALID;
	uint64_t began = now_mono_ms();
	lk_client *lonely;
	enum lk_err err;
	char url[64];

	(void)state;
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", port_free());
	lonely = open_client(url, 300);
	request.token = lk_text("lks1_x");
	err = lk_session_get(lonely, &request, &verdict, NULL, &error);
	assert_true(err == LK_E_UNAVAILABLE || err == LK_E_TIMED_OUT);
	assert_int_equal(verdict, LK_UNKNOWN);
	assert_true(strlen(error.message) > 0);
	assert_in_range(now_mono_ms() - began, 0, 300 + LATE_MS);
	lk_client_close(&lonely);
}

/* The service restarts under a client: calls fail as UNKNOWN or succeed, never INVALID, and then go on. */
static void test_service_restarts_under_a_client(void **state)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	lk_session *session = create("restart");
	enum lk_verdict verdict;
	uint64_t until_ms;

	(void)state;
	request.token = lk_text(lk_session_token(session));
	request.timeout_ms = 200;
	raw_close(&scene.caller);
	latchkeyd_stop(&scene.service);
	(void)!lk_session_get(client, &request, &verdict, NULL, NULL);
	assert_int_equal(verdict, LK_UNKNOWN);
	latchkeyd_start_serving(&scene.service);
	until_ms = now_mono_ms() + BOUND_MS;
	do {
		(void)!lk_session_get(client, &request, &verdict, NULL, NULL);
		assert_int_not_equal(verdict, LK_INVALID);
	} while (verdict != LK_VALID && now_mono_ms() < until_ms);
	assert_int_equal(verdict, LK_VALID);
	raw_connect(&scene.caller, scene.service.url);
	lk_session_free(&session);
}

static atomic_uint answered;

static void count_valid(lk_call *call, enum lk_err err, void *arg)
{
	(void)arg;
	if (err == LK_OK && lk_call_verdict(call) == LK_VALID)
		atomic_fetch_add(&answered, 1);
}

static void test_many_calls_in_flight(void **state)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	lk_session *session = create("async");
	static lk_call *calls[1000];

	(void)state;
	request.token = lk_text(lk_session_token(session));
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(lk_call_new(client, count_valid, NULL, &calls[i]), LK_OK);
		assert_int_equal(lk_session_get_async(calls[i], &request), LK_OK);
	}
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(lk_call_wait(calls[i]), LK_OK);
		lk_call_free(&calls[i]);
	}
	assert_int_equal(atomic_load(&answered), 1000);
	lk_session_free(&session);
}

static void test_health_info_stats(void **state)
{
	enum lk_serving serving;
	lk_stats *stats = NULL;
	lk_info *info = NULL;
	lk_redis_status *redis = NULL;

	(void)state;
	assert_int_equal(lk_health(client, NULL, &serving, NULL), LK_OK);
	assert_int_equal(serving, LK_SERVING);
	assert_int_equal(lk_server_info(client, NULL, &info, NULL), LK_OK);
	assert_string_equal(lk_info_version(info), lk_version());
	assert_string_equal(lk_info_store_mode(info), "unix");
	assert_true(lk_info_store_ready(info));
	assert_true(strlen(lk_info_store_version(info)) > 0);
	assert_string_equal(lk_info_realm(info, 0), "default");
	lk_info_free(&info);
	assert_int_equal(lk_server_stats(client, NULL, &stats, NULL), LK_OK);
	assert_true(lk_stats_count(stats) > 10);
	lk_stats_free(&stats);
	assert_int_equal(lk_server_redis(client, NULL, &redis, NULL), LK_OK);
	assert_string_equal(lk_redis_status_mode(redis), "unix");
	assert_int_equal(lk_redis_status_slots_served(redis), lk_redis_status_slots(redis));
	assert_int_equal(lk_redis_status_node_count(redis), 1);
	lk_redis_status_free(&redis);
}

/* ---- What the wire says, without the library ---- */

static void test_one_key_twice_is_one_session(void **state)
{
	struct session_wish wish = {.user = "idem", .key = "k", .value = "v", .idempotency_key = "0123456789abcdef"};
	char first[TOKEN_BYTES];
	char again[TOKEN_BYTES];

	(void)state;
	session_create(&scene.caller, &wish, first);
	session_create(&scene.caller, &wish, again);
	assert_string_equal(first, again);
	wish.value = "w";
	assert_int_equal(session_try_create(&scene.caller, &wish, again), LATCHKEY__V1__CODE__ALREADY_EXISTS);
	wish.idempotency_key = "another";
	session_create(&scene.caller, &wish, again);
	assert_string_not_equal(first, again);
}

static void test_peek_does_not_slide(void **state)
{
	struct session_seen first;
	struct session_seen later;
	char token[TOKEN_BYTES];
	uint64_t seen_ms;

	(void)state;
	session_create(&scene.caller, &(struct session_wish){.user = "peek", .idle_s = 600}, token);
	assert_int_equal(session_peek(&scene.caller, NULL, token, &first), LATCHKEY__V1__CODE__OK);
	seen_ms = now_wall_ms();
	assert_becomes(now_wall_ms() > seen_ms + 100, BOUND_MS);
	assert_int_equal(session_peek(&scene.caller, NULL, token, &later), LATCHKEY__V1__CODE__OK);
	/* What is left is told in ms by one clock, and added to another's now. */
	assert_in_range(later.idle_expires_at_ms, first.idle_expires_at_ms - 20, first.idle_expires_at_ms + 20);
	assert_int_equal(session_get(&scene.caller, NULL, token, 0, &later), LATCHKEY__V1__CODE__OK);
	assert_true(later.idle_expires_at_ms >= first.idle_expires_at_ms + 80);
	assert_int_equal(later.expires_at_ms, first.expires_at_ms);
}

static void test_sliding_keeps_alive(void **state)
{
	uint64_t began = now_mono_ms();
	uint64_t last = began;
	char token[TOKEN_BYTES];
	struct session_seen seen;

	(void)state;
	session_create(&scene.caller, &(struct session_wish){.user = "slide", .idle_s = 2, .max_s = 60}, token);
	while (now_mono_ms() < began + 4500) {
		uint64_t now = now_mono_ms();

		/* A machine that sleeps for two seconds proves nothing either way. */
		if (now - last > 1000)
			skip();
		assert_int_equal(session_get(&scene.caller, NULL, token, 0, &seen), LATCHKEY__V1__CODE__OK);
		assert_int_equal(seen.verdict, LATCHKEY__V1__VERDICT__VALID);
		last = now;
		nap_ms(50);
	}
}

/* A timeout that is longer than the policy's is cut or refused, never granted. */
static void test_no_longer_than_the_policy(void **state)
{
	struct session_wish wish = {.user = "greedy", .idle_s = 4000000, .max_s = 4000000};
	struct session_seen seen = {0};
	char token[TOKEN_BYTES];
	Latchkey__V1__Code code = session_try_create(&scene.caller, &wish, token);

	(void)state;
	if (code == LATCHKEY__V1__CODE__INVALID_ARGUMENT)
		return;
	assert_int_equal(code, LATCHKEY__V1__CODE__OK);
	assert_int_equal(session_get(&scene.caller, NULL, token, 0, &seen), LATCHKEY__V1__CODE__OK);
	assert_true(seen.expires_at_ms <= now_wall_ms() + 43200000);
	assert_true(seen.idle_expires_at_ms <= now_wall_ms() + 1800000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_fields_come_back),
	    cmocka_unit_test(test_large_attributes),
	    cmocka_unit_test(test_many_updates_merge),
	    cmocka_unit_test(test_conflict_tells_the_version),
	    cmocka_unit_test(test_pages_of_a_list),
	    cmocka_unit_test(test_demands_on_the_login),
	    cmocka_unit_test(test_nobody_there_is_unknown),
	    cmocka_unit_test(test_service_restarts_under_a_client),
	    cmocka_unit_test(test_many_calls_in_flight),
	    cmocka_unit_test(test_health_info_stats),
	    cmocka_unit_test(test_one_key_twice_is_one_session),
	    cmocka_unit_test(test_peek_does_not_slide),
	    cmocka_unit_test(test_sliding_keeps_alive),
	    cmocka_unit_test(test_no_longer_than_the_policy),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
