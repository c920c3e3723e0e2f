/* The library over a session's whole life, against real services: rotation, many tokens, anonymous sessions, realms,
 * and events that go on when an instance goes. */

#include <latchkey/admin.h>
#include <latchkey/watch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scene.h"
#include "support/wait.h"

#define TOKEN_ROOM 3073

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    events: true\n"
			     "  - name: mall\n";

static struct scene scene;
static struct latchkeyd second;
static lk_client *client; /* of both instances */

static lk_client *open_client(const char *const *urls, size_t count)
{
	struct lk_options options = LK_OPTIONS_INIT;
	lk_client *opened = NULL;

	options.endpoints = urls;
	options.endpoint_count = count;
	options.call_timeout_ms = BOUND_MS;
	assert_int_equal(lk_client_open(&options, &opened, NULL), LK_OK);
	return opened;
}

static int open_scene(void **state)
{
	const char *urls[2];

	(void)state;
	scene_open(&scene, config, NULL);
	scene_add(&scene, config, scene.redis.url, &second);
	urls[0] = scene.service.url;
	urls[1] = second.url;
	client = open_client(urls, 2);
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	lk_client_close(&client);
	latchkeyd_end(&second);
	scene_close(&scene);
	return 0;
}

static void create_in(const char *realm, const char *user, char token[static TOKEN_ROOM])
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	lk_session *session = NULL;

	request.realm = realm;
	request.user = lk_text(user);
	assert_int_equal(lk_session_create(client, &request, &session, NULL), LK_OK);
	(void)snprintf(token, TOKEN_ROOM, "%s", lk_session_token(session));
	lk_session_free(&session);
}

static enum lk_verdict get(const char *token, lk_session **ret_session)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	enum lk_verdict verdict = LK_UNKNOWN;

	request.token = lk_text(token);
	assert_int_equal(lk_session_get(client, &request, &verdict, ret_session, NULL), LK_OK);
	return verdict;
}

static void test_many_tokens_keep_their_order(void **state)
{
	struct lk_session_get_many_request request = LK_SESSION_GET_MANY_REQUEST_INIT;
	static char text[64][TOKEN_ROOM];
	struct lk_bytes tokens[64];
	lk_sessions *sessions = NULL;
	char user[16];

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		(void)snprintf(user, sizeof(user), "many-%zu", i);
		if (i % 8 == 7)
			(void)snprintf(text[i], TOKEN_ROOM, "no-token-%zu", i);
		else
			create_in(NULL, user, text[i]);
		tokens[i] = lk_text(text[i]);
	}
	request.tokens = tokens;
	request.token_count = 64;
	assert_int_equal(lk_session_get_many(client, &request, &sessions, NULL), LK_OK);
	assert_int_equal(lk_sessions_count(sessions), 64);
	for (size_t i = 0; i < 64; i++) {
		const lk_session *session = lk_sessions_at(sessions, i);

		(void)snprintf(user, sizeof(user), "many-%zu", i);
		assert_int_equal(lk_session_verdict(session), i % 8 == 7 ? LK_INVALID : LK_VALID);
		if (i % 8 != 7)
			assert_string_equal(lk_session_user(session).data, user);
	}
	lk_sessions_free(&sessions);
	request.token_count = 0;
	assert_int_equal(lk_session_get_many(client, &request, &sessions, NULL), LK_E_INVALID_ARGUMENT);
}

/* What strangers made too long does not stop the others from being judged, and is judged as it would be alone. */
static void test_many_with_long_ones(void **state)
{
	enum { BYTES = 8000, MANY = 64, LIVING = 10, LONG_ANONYMOUS = 15 };
	struct lk_session_get_many_request request = LK_SESSION_GET_MANY_REQUEST_INIT;
	static char stored[BYTES];
	static char anonymous[BYTES];
	struct lk_bytes tokens[MANY];
	lk_sessions *sessions = NULL;
	char token[TOKEN_ROOM];

	(void)state;
	create_in(NULL, "among-long-ones", token);
	memset(stored, 'x', BYTES);
	memset(anonymous, 'A', BYTES);
	memcpy(stored, token, strlen(token));
	memcpy(anonymous, "lka1_", 5);
	for (size_t i = 0; i < MANY; i++)
		tokens[i] = lk_bytes_of(i < LIVING + LONG_ANONYMOUS ? anonymous : stored, BYTES);
	for (size_t i = 0; i < LIVING; i++)
		tokens[i] = lk_text(token);
	request.tokens = tokens;
	request.token_count = MANY;
	assert_int_equal(lk_session_get_many(client, &request, &sessions, NULL), LK_OK);
	for (size_t i = 0; i < MANY; i++) {
		const lk_session *session = lk_sessions_at(sessions, i);

		assert_int_equal(lk_session_verdict(session), i < LIVING ? LK_VALID : LK_INVALID);
		assert_int_equal(lk_session_reason(session), i < LIVING ? LK_REASON_NONE : LK_REASON_MALFORMED);
	}
	lk_sessions_free(&sessions);
}

static void test_verify_policy_and_keys(void **state)
{
	struct lk_session_verify_request verify = LK_SESSION_VERIFY_REQUEST_INIT;
	struct lk_verification found = LK_VERIFICATION_INIT;
	lk_policy *policy = NULL;
	char token[TOKEN_ROOM];
	struct lk_bytes tokens[1];
	lk_keys *keys = NULL;

	(void)state;
	create_in(NULL, "vic", token);
	tokens[0] = lk_text(token);
	verify.user = lk_text("vic");
	verify.tokens = tokens;
	verify.token_count = 1;
	assert_int_equal(lk_session_verify(client, &verify, &found, NULL), LK_OK);
	assert_int_equal(found.sessions, 1);
	assert_int_equal(found.missing, 0);
	assert_int_equal(lk_server_policy(client, NULL, &policy, NULL), LK_OK);
	assert_string_equal(lk_policy_realm(policy), "default");
	assert_true(lk_policy_events(policy));
	assert_true(lk_policy_grace_s(policy) > 0);
	lk_policy_free(&policy);
	assert_int_equal(lk_server_keys(client, NULL, &keys, NULL), LK_OK);
	assert_int_equal(lk_keys_count(keys), 1);
	assert_true(lk_key_is_first(lk_keys_at(keys, 0)));
	lk_keys_free(&keys);
}

static void test_rotation(void **state)
{
	struct lk_session_rotate_request rotate = LK_SESSION_ROTATE_REQUEST_INIT;
	lk_session *first = NULL, *again = NULL, *got = NULL;
	struct lk_error error = LK_ERROR_INIT;
	char token[TOKEN_ROOM];

	(void)state;
	create_in(NULL, "rae", token);
	rotate.token = lk_text(token);
	assert_int_equal(lk_session_rotate(client, &rotate, &first, NULL), LK_OK);
	assert_int_equal(lk_session_rotate(client, &rotate, &again, NULL), LK_OK);
	assert_string_equal(lk_session_token(first), lk_session_token(again));
	assert_string_equal(lk_session_user(first).data, "rae");
	assert_int_equal(get(token, &got), LK_VALID);
	assert_string_equal(lk_session_successor(got), lk_session_token(first));
	assert_string_equal(lk_session_handle(got), lk_session_handle(first));
	lk_session_free(&got);
	lk_session_free(&again);
	/* Without a grace period the old one is a thief's at once, and ends what came of it. */
	rotate.token = lk_text(lk_session_token(first));
	rotate.has_grace = true;
	assert_int_equal(lk_session_rotate(client, &rotate, &again, NULL), LK_OK);
	assert_int_equal(get(lk_session_token(first), &got), LK_INVALID);
	assert_int_equal(lk_session_reason(got), LK_REASON_REUSE_DETECTED);
	rotate.token = lk_text(lk_session_token(again));
	assert_int_equal(lk_session_rotate(client, &rotate, &(lk_session *){NULL}, &error), LK_E_SESSION_INVALID);
	assert_int_equal(error.reason, LK_REASON_REUSE_DETECTED);
	lk_session_free(&got);
	lk_session_free(&first);
	lk_session_free(&again);
}

static void test_anonymous_sessions(void **state)
{
	const struct lk_attribute cart = {lk_text("cart"), lk_text("3")}, more = {lk_text("cart"), lk_text("4")};
	struct lk_session_create_request create = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_session_update_request update = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session = NULL, *renewed = NULL, *got = NULL;

	(void)state;
	create.anonymous = true;
	create.attributes = &cart;
	create.attribute_count = 1;
	assert_int_equal(lk_session_create(client, &create, &session, NULL), LK_OK);
	assert_true(lk_session_is_anonymous(session));
	assert_null(lk_session_handle(session));
	update.token = lk_text(lk_session_token(session));
	update.set = &more;
	update.set_count = 1;
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "ret_session"));
	update.ret_session = &renewed;
	assert_int_equal(lk_session_update(client, &update, NULL, NULL, NULL), LK_OK);
	assert_int_equal(get(lk_session_token(renewed), &got), LK_VALID);
	assert_string_equal(lk_session_attribute(got, "cart").data, "4");
	lk_session_free(&got);
	assert_int_equal(get(lk_session_token(session), &got), LK_VALID);
	assert_string_equal(lk_session_attribute(got, "cart").data, "3");
	lk_session_free(&got);
	lk_session_free(&session);
	create = (struct lk_session_create_request)LK_SESSION_CREATE_REQUEST_INIT;
	create.user = lk_text("pam");
	create.promote = lk_text(lk_session_token(renewed));
	assert_int_equal(lk_session_create(client, &create, &session, NULL), LK_OK);
	assert_int_equal(get(lk_session_token(session), &got), LK_VALID);
	assert_string_equal(lk_session_user(got).data, "pam");
	assert_string_equal(lk_session_attribute(got, "cart").data, "4");
	assert_false(lk_session_is_anonymous(got));
	lk_session_free(&got);
	lk_session_free(&session);
	lk_session_free(&renewed);
}

static bool is_revoked(const char *realm, const char *token)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	enum lk_verdict verdict;
	lk_session *session = NULL;
	bool revoked;

	request.realm = realm;
	request.token = lk_text(token);
	assert_int_equal(lk_session_get(client, &request, &verdict, &session, NULL), LK_OK);
	revoked = verdict == LK_INVALID && lk_session_reason(session) == LK_REASON_REALM_REVOKED;
	assert_true(revoked || verdict == LK_VALID);
	lk_session_free(&session);
	return revoked;
}

static void test_a_realm_is_revoked(void **state)
{
	struct lk_session_revoke_realm_request request = LK_SESSION_REVOKE_REALM_REQUEST_INIT;
	uint64_t before_ms = now_wall_ms(), not_before_ms = 0;
	char token[TOKEN_ROOM], here[TOKEN_ROOM];

	(void)state;
	create_in("mall", "mo", token);
	create_in(NULL, "mo", here);
	/* So much is not ended by leaving something out. */
	assert_int_equal(lk_session_revoke_realm(client, &request, NULL, NULL), LK_E_INVALID_ARGUMENT);
	request.realm = "mall";
	assert_int_equal(lk_session_revoke_realm(client, &request, &not_before_ms, NULL), LK_OK);
	assert_int_equal(not_before_ms % 1000, 0);
	assert_in_range(not_before_ms, before_ms, now_wall_ms() + 2000);
	/* Of two instances that are asked in turn, the other hears of it soon. */
	assert_becomes(is_revoked("mall", token), BOUND_MS);
	assert_int_equal(get(here, NULL), LK_VALID);
}

/* The cursor of now: a first answer, with nothing in it. */
static lk_events *first_cursor(lk_client *watcher)
{
	struct lk_session_watch_request request = LK_SESSION_WATCH_REQUEST_INIT;
	lk_events *events = NULL;

	request.timeout_ms = 500;
	assert_int_equal(lk_session_watch(watcher, &request, &events, NULL), LK_OK);
	assert_false(lk_events_gap(events));
	return events;
}

/* Makes an event, and waits for it, or for a gap. */
static lk_events *next_events(lk_client *watcher, struct lk_bytes cursor)
{
	struct lk_session_watch_request request = LK_SESSION_WATCH_REQUEST_INIT;
	lk_events *events = NULL;
	char token[TOKEN_ROOM];
	lk_call *call;

	request.cursor = cursor;
	request.timeout_ms = BOUND_MS;
	assert_int_equal(lk_call_new(watcher, NULL, NULL, &call), LK_OK);
	assert_int_equal(lk_session_watch_async(call, &request), LK_OK);
	create_in(NULL, "wes", token);
	assert_int_equal(lk_call_wait(call), LK_OK);
	events = lk_call_take_events(call);
	assert_non_null(events);
	lk_call_free(&call);
	return events;
}

static void test_events(void **state)
{
	const char *const urls[] = {scene.service.url};
	struct lk_session_watch_request request = LK_SESSION_WATCH_REQUEST_INIT;
	lk_client *watcher = open_client(urls, 1);
	lk_events *events, *none;

	(void)state;
	none = first_cursor(watcher);
	events = next_events(watcher, lk_events_cursor(none));
	assert_false(lk_events_gap(events));
	assert_true(lk_events_count(events) >= 1);
	assert_int_equal(lk_event_kind_of(lk_events_at(events, 0)), LK_EVENT_CREATED);
	assert_int_equal(strlen(lk_event_user_tag(lk_events_at(events, 0))), 11);
	assert_true(lk_event_at_ms(lk_events_at(events, 0)) > now_wall_ms() - 10 * BOUND_MS);
	/* The same cursor again tells the same again, at once. */
	request.cursor = lk_events_cursor(none);
	lk_events_free(&events);
	assert_int_equal(lk_session_watch(watcher, &request, &events, NULL), LK_OK);
	assert_int_equal(lk_event_kind_of(lk_events_at(events, 0)), LK_EVENT_CREATED);
	lk_events_free(&events);
	lk_events_free(&none);
	request.cursor = lk_text("no cursor");
	assert_int_equal(lk_session_watch(watcher, &request, &events, NULL), LK_E_INVALID_ARGUMENT);
	lk_client_close(&watcher);
}

/* The instance whose cursor this is. */
static struct latchkeyd *instance_of(const lk_events *events)
{
	const char *const urls[] = {second.url};
	lk_client *to_second = open_client(urls, 1);
	struct latchkeyd *found = &scene.service;
	lk_info *info = NULL;

	assert_int_equal(lk_server_info(to_second, NULL, &info, NULL), LK_OK);
	if (strncmp(lk_events_cursor(events).data, lk_info_instance(info), strlen(lk_info_instance(info))) == 0)
		found = &second;
	lk_info_free(&info);
	lk_client_close(&to_second);
	return found;
}

/* Two instances: a watch stays with one while calls go to both. That one goes: the other answers, and tells of the gap. */
static void test_a_watch_survives_its_instance(void **state)
{
	const char *const urls[] = {second.url, scene.service.url};
	lk_client *watcher = open_client(urls, 2);
	lk_events *events = first_cursor(watcher), *next;
	struct latchkeyd *watched = instance_of(events);
	unsigned gaps = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		next = next_events(watcher, lk_events_cursor(events));
		assert_false(lk_events_gap(next));
		lk_events_free(&events);
		events = next;
	}
	latchkeyd_stop(watched);
	for (int i = 0; i < 20; i++) {
		next = next_events(watcher, lk_events_cursor(events));
		gaps += lk_events_gap(next);
		lk_events_free(&events);
		events = next;
	}
	assert_int_equal(gaps, 1);
	lk_events_free(&events);
	lk_client_close(&watcher);
	latchkeyd_start_serving(watched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_many_with_long_ones),
	    cmocka_unit_test(test_many_tokens_keep_their_order),
	    cmocka_unit_test(test_verify_policy_and_keys),
	    cmocka_unit_test(test_rotation),
	    cmocka_unit_test(test_anonymous_sessions),
	    cmocka_unit_test(test_a_realm_is_revoked),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_a_watch_survives_its_instance),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
