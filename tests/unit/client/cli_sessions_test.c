/* What the command makes of answers about a session's later life: rotations, many at once, events, policies, keys. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli_util.h"
#include "latchkey/v1/server.pb-c.h"

#define HANDLE "A-PbSLoIlGM.LTja1wi3BNd_9Y3F"
#define OTHER  "A-PbSLoIlGM.YTja1wi3BNd_9Y3F"

static void expect_part(const char *out, const char *part)
{
	if (strstr(out, part) == NULL)
		fail_msg("no %s in:\n%s", part, out);
}

/* ---- rotate and get ---- */

static void a_rotation_prints_the_token_alone(void **state)
{
	Latchkey__V1__RotateSessionResponse response = LATCHKEY__V1__ROTATE_SESSION_RESPONSE__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	struct run_result r;

	(void)state;
	response.has_verdict = response.has_token = info.has_handle = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.token = bytes_of("lks1_next");
	response.info = &info;
	info.handle = bytes_of(HANDLE);
	ask(&response.base, CLI_DONE, &r, "session", "rotate", "lks1_x");
	assert_string_equal(r.out, "lks1_next\n");
	run_result_free(&r);
	response.verdict = LATCHKEY__V1__VERDICT__INVALID;
	response.has_reason = true;
	response.reason = LATCHKEY__V1__REASON__REUSE_DETECTED;
	ask(&response.base, CLI_INVALID, &r, "session", "rotate", "lks1_x");
	assert_int_equal(r.out_len, 0);
	expect_part(r.err, "used again");
	run_result_free(&r);
}

static void an_updated_anonymous_session_prints_its_token(void **state)
{
	Latchkey__V1__UpdateSessionResponse response = LATCHKEY__V1__UPDATE_SESSION_RESPONSE__INIT;
	struct fake_server server;
	struct run_result r;

	(void)state;
	response.has_verdict = response.has_token = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.token = bytes_of("lka1_next");
	fake_start(&server, "tcp://127.0.0.1:0", answer, &response);
	cli_expect(CLI_DONE, &r, fake_url(&server), "session", "update", "lka1_x", "a=1", NULL);
	assert_string_equal(r.out, "lka1_next\n");
	run_result_free(&r);
	cli_expect(CLI_DONE, &r, fake_url(&server), "session", "update", "lka1_x", "a=1", "--json", NULL);
	expect_part(r.out, "\"token\": \"lka1_next\"");
	assert_null(strstr(r.out, "version"));
	run_result_free(&r);
	fake_stop(&server);
}

static void a_session_shows_its_successor_and_privilege(void **state)
{
	Latchkey__V1__GetSessionResponse response = LATCHKEY__V1__GET_SESSION_RESPONSE__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	struct run_result r;

	(void)state;
	response.has_verdict = response.has_successor = true;
	response.verdict = LATCHKEY__V1__VERDICT__VALID;
	response.successor = bytes_of("lks1_next");
	response.info = &info;
	info.has_handle = info.has_privileged_until_ms = true;
	info.handle = bytes_of(HANDLE);
	info.privileged_until_ms = 1700000000123;
	ask(&response.base, CLI_DONE, &r, "session", "get", "lks1_x");
	expect_part(r.out, "\"successor\": \"lks1_next\"");
	expect_part(r.out, "\"privileged_until\": \"2023-11-14T22:13:20.123Z\"");
	expect_part(r.out, "\"handle\": \"" HANDLE "\"");
	run_result_free(&r);
	/* Of nobody: what it has not is not shown as empty. */
	info = (Latchkey__V1__SessionInfo)LATCHKEY__V1__SESSION_INFO__INIT;
	info.has_anonymous = true;
	info.anonymous = true;
	response.has_successor = false;
	ask(&response.base, CLI_DONE, &r, "session", "get", "lka1_x");
	expect_part(r.out, "\"anonymous\": true");
	assert_null(strstr(r.out, "handle"));
	assert_null(strstr(r.out, "user"));
	assert_null(strstr(r.out, "successor"));
	run_result_free(&r);
}

static void many_have_the_worst_status(void **state)
{
	Latchkey__V1__GetSessionResponse rows[2] = {LATCHKEY__V1__GET_SESSION_RESPONSE__INIT,
						    LATCHKEY__V1__GET_SESSION_RESPONSE__INIT};
	Latchkey__V1__GetSessionResponse *all[] = {&rows[0], &rows[1]};
	Latchkey__V1__GetManySessionsResponse response = LATCHKEY__V1__GET_MANY_SESSIONS_RESPONSE__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	struct fake_server server;
	struct run_result r;

	(void)state;
	response.n_sessions = 2;
	response.sessions = all;
	rows[0].has_verdict = rows[1].has_verdict = rows[0].has_reason = true;
	rows[0].verdict = LATCHKEY__V1__VERDICT__INVALID;
	rows[0].reason = LATCHKEY__V1__REASON__LOGOUT;
	rows[1].verdict = LATCHKEY__V1__VERDICT__VALID;
	rows[1].info = &info;
	fake_start(&server, "tcp://127.0.0.1:0", answer, &response);
	cli_expect(CLI_INVALID, &r, fake_url(&server), "session", "get-many", "one", "two", NULL);
	assert_true(strstr(r.out, "\"reason\": \"LOGOUT\"") < strstr(r.out, "\"verdict\": \"VALID\""));
	run_result_free(&r);
	cli_run_with_input(&r, fake_url(&server), "one\ntwo\n", "session", "get-many", "-", NULL);
	assert_int_equal(r.status, CLI_INVALID);
	run_result_free(&r);
	rows[1].verdict = LATCHKEY__V1__VERDICT__UNKNOWN;
	cli_expect(CLI_UNAVAILABLE, &r, fake_url(&server), "session", "get-many", "one", "two", NULL);
	expect_part(r.out, "\"verdict\": \"UNKNOWN\"");
	run_result_free(&r);
	/* The answer to two tokens is none to one. */
	cli_expect(CLI_UNAVAILABLE, &r, fake_url(&server), "session", "get-many", "one", NULL);
	expect_part(r.out, "\"verdict\": \"UNKNOWN\"");
	assert_null(strstr(r.out, "INVALID"));
	run_result_free(&r);
	fake_stop(&server);
}

/* ---- watch ---- */

static void put_events(const struct fake_call *call, const char *cursor, bool gap, Latchkey__V1__SessionEvent *event,
		       size_t count)
{
	Latchkey__V1__WatchSessionsResponse response = LATCHKEY__V1__WATCH_SESSIONS_RESPONSE__INIT;
	Latchkey__V1__SessionEvent *all[2] = {event, event};

	response.has_cursor = response.has_gap = true;
	response.cursor = bytes_of(cursor);
	response.gap = gap;
	response.n_events = count;
	response.events = all;
	fake_reply(call->channel, call->route, OK, NULL, &response.base, 0);
}

static void expect_cursor(const struct fake_call *call, const char *wanted, uint32_t events_max)
{
	Latchkey__V1__WatchSessionsRequest *request =
	    latchkey__v1__watch_sessions_request__unpack(NULL, call->call->body.len, call->call->body.data);

	if (request == NULL || request->cursor.len != strlen(wanted) ||
	    (request->cursor.len > 0 && memcmp(request->cursor.data, wanted, request->cursor.len) != 0) ||
	    request->events_max != events_max)
		abort();
	latchkey__v1__watch_sessions_request__free_unpacked(request, NULL);
}

/* Nothing; a gap and two events; a failure; another event. */
static void tell_in_turn(const struct fake_call *call)
{
	Latchkey__V1__SessionEvent event = LATCHKEY__V1__SESSION_EVENT__INIT;

	event.has_kind = event.has_handle = event.has_user_tag = event.has_reason = event.has_at_ms = true;
	event.kind = LATCHKEY__V1__EVENT_KIND__EVENT_REVOKED;
	event.handle = bytes_of(HANDLE);
	event.user_tag = bytes_of("03e3db48ba089463");
	event.reason = LATCHKEY__V1__REASON__LOGOUT;
	event.at_ms = 1700000000123;
	switch (call->nth) {
	case 1:
		expect_cursor(call, "", 3);
		put_events(call, "c1", false, NULL, 0);
		break;
	case 2:
		expect_cursor(call, "c1", 3);
		put_events(call, "c2", true, &event, 2);
		break;
	case 3:
		expect_cursor(call, "c2", 1);
		fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__UNAVAILABLE, "not now", NULL, 0);
		break;
	default:
		expect_cursor(call, "c2", 1);
		event.kind = LATCHKEY__V1__EVENT_KIND__EVENT_ROTATED;
		event.has_successor = true;
		event.successor = bytes_of(OTHER);
		event.reason = LATCHKEY__V1__REASON__REASON_NONE;
		put_events(call, "c3", false, &event, 1);
	}
}

static void events_are_lines(void **state)
{
	struct fake_server server;
	struct run_result r;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", tell_in_turn, NULL);
	cli_expect(CLI_DONE, &r, fake_url(&server), "session", "watch", "--count", "3", NULL);
	assert_string_equal(r.out, "GAP: events were missed; read again what you keep\n"
				   "2023-11-14T22:13:20.123Z REVOKED        " HANDLE " LOGOUT\n"
				   "2023-11-14T22:13:20.123Z REVOKED        " HANDLE " LOGOUT\n"
				   "2023-11-14T22:13:20.123Z ROTATED        " HANDLE " -> " OTHER "\n");
	expect_part(r.err, "not now");
	expect_part(r.err, "trying again");
	run_result_free(&r);
	fake_stop(&server);
}

/* Each object's cursor misses nothing that was not printed: that of an answer belongs to its last. */
static void events_are_objects(void **state)
{
#define EVENT(kind, rest)                                                                                              \
	"{\"kind\":\"" kind "\",\"at\":\"2023-11-14T22:13:20.123Z\",\"handle\":\"" HANDLE                              \
	"\",\"user_tag\":\"03e3db48ba089463\"," rest "}\n"
	struct fake_server server;
	struct run_result r;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", tell_in_turn, NULL);
	cli_expect(CLI_DONE, &r, fake_url(&server), "session", "watch", "--count", "3", "--json", NULL);
	assert_string_equal(
	    r.out, "{\"kind\":\"GAP\",\"cursor\":\"c1\"}\n" EVENT("REVOKED", "\"reason\":\"LOGOUT\",\"cursor\":\"c1\"")
		       EVENT("REVOKED", "\"reason\":\"LOGOUT\",\"cursor\":\"c2\"")
			   EVENT("ROTATED", "\"reason\":\"NONE\",\"successor\":\"" OTHER "\",\"cursor\":\"c3\""));
	run_result_free(&r);
	fake_stop(&server);
}

static void tell_from_the_cursor(const struct fake_call *call)
{
	Latchkey__V1__SessionEvent event = LATCHKEY__V1__SESSION_EVENT__INIT;

	expect_cursor(call, "c7", 1);
	event.has_kind = event.has_handle = true;
	event.kind = (Latchkey__V1__EventKind)99;
	event.handle = bytes_of("\x1b[2J");
	put_events(call, "c8", false, &event, 1);
}

/* From where a caller was before; and nothing that a server sends moves a cursor of another kind. */
static void a_watch_goes_on_from_a_cursor(void **state)
{
	struct fake_server server;
	struct run_result r;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", tell_from_the_cursor, NULL);
	cli_expect(CLI_DONE, &r, fake_url(&server), "session", "watch", "--count", "1", "--cursor", "c7", NULL);
	expect_part(r.out, " UNKNOWN        ?[2J\n");
	run_result_free(&r);
	fake_stop(&server);
}

static void unimplemented(const struct fake_call *call)
{
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__UNIMPLEMENTED, "not served by this version", NULL,
		   0);
}

/* An older server: each of the verbs says so, and does not try for ever. */
static void older_servers_do_not_know(void **state)
{
	static const char *const lines[][4] = {
	    {"session", "rotate", "lks1_x"},
	    {"session", "get-many", "lks1_x"},
	    {"session", "verify", "ann"},
	    {"session", "watch", "--json"},
	    {"policy"},
	    {"keys"},
	    {"session", "revoke-realm", "--realm", "shop"},
	};
	struct fake_server server;
	struct run_result r;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", unimplemented, NULL);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *const *l = lines[i];

		/* UNKNOWN is the word on tokens, whatever it comes of. */
		cli_expect(i == 1 ? CLI_UNAVAILABLE : 4, &r, fake_url(&server), l[0], l[1], l[2], l[3], NULL);
		expect_part(r.err, "not served by this version (LK_E_UNIMPLEMENTED)");
		run_result_free(&r);
	}
	fake_stop(&server);
}

/* ---- the server ---- */

static void a_policy_is_a_table(void **state)
{
	Latchkey__V1__ServerPolicyResponse response = LATCHKEY__V1__SERVER_POLICY_RESPONSE__INIT;
	Latchkey__V1__ProfileTier tier = LATCHKEY__V1__PROFILE_TIER__INIT;
	Latchkey__V1__ProfileTier *tiers[] = {&tier};
	struct run_result r;

	(void)state;
	response.has_realm = response.has_session_class = response.has_at_cap = response.has_grace_s = true;
	response.realm = bytes_of("shop");
	response.session_class = bytes_of("sudo");
	response.at_cap = LATCHKEY__V1__AT_CAP__EVICT_LEAST_RECENTLY_USED;
	response.grace_s = 10;
	response.has_auth_stale_s = response.has_profile_changes = true;
	response.auth_stale_s = 31;
	response.profile_changes = true;
	response.n_profile_tiers = 1;
	response.profile_tiers = tiers;
	tier.has_name = tier.has_ttl_s = true;
	tier.name = bytes_of("guest");
	tier.ttl_s = 600;
	ask(&response.base, CLI_DONE, &r, "policy", "--class", "sudo");
	expect_line(r.out, "realm               shop");
	expect_line(r.out, "grace s             10");
	expect_line(r.out, "at the cap          EVICT_LEAST_RECENTLY_USED");
	expect_line(r.out, "events              no");
	expect_line(r.out, "profile tier s      600  guest");
	expect_line(r.out, "profile changes     yes");
	expect_line(r.out, "auth stale s        31");
	run_result_free(&r);
	ask(&response.base, CLI_DONE, &r, "policy", "--json", NULL);
	expect_part(r.out, "\"at_cap\": \"EVICT_LEAST_RECENTLY_USED\"");
	expect_part(r.out, "\"events\": false");
	expect_part(r.out, "\"name\": \"guest\"");
	expect_part(r.out, "\"stale_s\": 31");
	run_result_free(&r);
}

static void keys_are_a_table(void **state)
{
	Latchkey__V1__ServerKeysResponse response = LATCHKEY__V1__SERVER_KEYS_RESPONSE__INIT;
	Latchkey__V1__KeyInfo rows[2] = {LATCHKEY__V1__KEY_INFO__INIT, LATCHKEY__V1__KEY_INFO__INIT};
	Latchkey__V1__KeyInfo *all[] = {&rows[0], &rows[1]};
	struct run_result r;

	(void)state;
	response.n_keys = 2;
	response.keys = all;
	response.has_loaded_at_ms = true;
	response.loaded_at_ms = 1700000000000;
	rows[0].has_id = rows[0].has_first = rows[0].has_tokens = true;
	rows[0].id = 2;
	rows[0].first = true;
	rows[0].tokens = 17;
	rows[1].has_id = rows[1].has_last_used_at_ms = true;
	rows[1].id = 1;
	rows[1].has_retired = rows[1].retired = true;
	rows[1].last_used_at_ms = 1700000000123;
	ask(&response.base, CLI_DONE, &r, "keys", NULL, NULL);
	expect_line(r.out, "loaded 2023-11-14T22:13:20.000Z");
	expect_line(r.out, "2       yes      17          0           -                         -");
	expect_line(r.out, "1       retired  0           0           2023-11-14T22:13:20.123Z  -");
	run_result_free(&r);
	ask(&response.base, CLI_DONE, &r, "keys", "--json", NULL);
	expect_part(r.out, "\"first\": true");
	expect_part(r.out, "\"retired\": true");
	expect_part(r.out, "\"last_used_at\": null");
	run_result_free(&r);
}

static void a_realm_and_an_index_are_told(void **state)
{
	Latchkey__V1__RevokeRealmResponse realm = LATCHKEY__V1__REVOKE_REALM_RESPONSE__INIT;
	Latchkey__V1__VerifySessionsResponse verify = LATCHKEY__V1__VERIFY_SESSIONS_RESPONSE__INIT;
	struct fake_server server;
	struct run_result r;

	(void)state;
	realm.has_not_before_ms = true;
	realm.not_before_ms = 1700000001000;
	fake_start(&server, "tcp://127.0.0.1:0", answer, &realm);
	cli_expect(CLI_DONE, &r, fake_url(&server), "session", "revoke-realm", "--realm", "shop", NULL);
	assert_string_equal(r.out, "revoked all sessions of the realm shop created before 2023-11-14T22:13:21.000Z\n");
	run_result_free(&r);
	fake_stop(&server);
	verify.has_sessions = verify.has_missing = true;
	verify.sessions = 3;
	verify.missing = 1;
	ask(&verify.base, CLI_DONE, &r, "session", "verify", "ann");
	expect_line(r.out, "sessions     3");
	expect_line(r.out, "missing      1");
	run_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rotation_prints_the_token_alone),
	    cmocka_unit_test(an_updated_anonymous_session_prints_its_token),
	    cmocka_unit_test(a_session_shows_its_successor_and_privilege),
	    cmocka_unit_test(many_have_the_worst_status),
	    cmocka_unit_test(events_are_lines),
	    cmocka_unit_test(events_are_objects),
	    cmocka_unit_test(a_watch_goes_on_from_a_cursor),
	    cmocka_unit_test(older_servers_do_not_know),
	    cmocka_unit_test(a_policy_is_a_table),
	    cmocka_unit_test(keys_are_a_table),
	    cmocka_unit_test(a_realm_and_an_index_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
