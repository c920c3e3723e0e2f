/* A realm revoked through one of two instances: the other refuses as well, told or not; whoever logs in again is in; and
 * neither a restart of the service nor one of a Redis that has forgotten everything brings anybody back. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latchkey/v1/auth_cache.pb-c.h"
#include "support/latchkeyd.h"
#include "support/raw.h"
#include "support/redis_server.h"
#include "support/sessions.h"
#include "support/wait.h"

#define OK	LATCHKEY__V1__CODE__OK
#define VALID	LATCHKEY__V1__VERDICT__VALID
#define INVALID LATCHKEY__V1__VERDICT__INVALID
#define REVOKED LATCHKEY__V1__REASON__REALM_REVOKED

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "  - name: elsewhere\n";

static struct redis_server redis;
static struct latchkeyd service[2];
static struct raw caller[2];
static struct tmpdir dir;

static void start_services(void)
{
	static char keyring[TMPDIR_FILE_BYTES + 24];
	char path[TMPDIR_FILE_BYTES];
	const char *const args[] = {"--new-keyring", path, NULL};
	struct run_result run;

	tmpdir_make(&dir);
	tmpdir_file(&dir, "keyring", path);
	latchkeyd_run(args, NULL, &run);
	assert_int_equal(run.status, 0);
	run_result_free(&run);
	snprintf(keyring, sizeof(keyring), "LATCHKEY_KEYRING=%s", path);
	for (int i = 0; i < 2; i++) {
		latchkeyd_init(&service[i],
			       &(struct latchkeyd_options){.redis_url = redis.url, .config = config, .env = {keyring}});
		latchkeyd_start_serving(&service[i]);
		raw_connect(&caller[i], service[i].url);
	}
}

static int open_all(void **state)
{
	(void)state;
	redis_server_init(&redis, NULL);
	redis_server_start(&redis);
	start_services();
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		raw_close(&caller[i]);
		latchkeyd_stop(&service[i]);
		latchkeyd_remove(&service[i]);
	}
	redis_server_remove(&redis);
	tmpdir_remove(&dir);
	return 0;
}

static bool is(struct raw *r, const char *token, Latchkey__V1__Verdict verdict, Latchkey__V1__Reason reason)
{
	struct session_seen seen;

	return session_get(r, NULL, token, 0, &seen) == OK && seen.verdict == verdict && seen.reason == reason;
}

static void revoke_through(int instance)
{
	uint64_t not_before_ms = 0;

	assert_int_equal(session_revoke_realm(&caller[instance], "default", &not_before_ms), OK);
	assert_in_range(not_before_ms, now_wall_ms() - BOUND_MS, now_wall_ms() + BOUND_MS);
	assert_int_equal(not_before_ms % 1000, 0);
}

/* Through both, and valid through both. */
static void expect_new_logins(void)
{
	for (int i = 0; i < 2; i++) {
		char token[TOKEN_BYTES];

		session_create(&caller[i], &(struct session_wish){.user = "ann"}, token);
		for (int k = 0; k < 2; k++)
			session_must_be(&caller[k], token, VALID, LATCHKEY__V1__REASON__REASON_NONE);
	}
}

static void test_the_other_instance_is_told(void **state)
{
	char elsewhere[TOKEN_BYTES];
	char token[TOKEN_BYTES];
	struct session_seen seen;

	(void)state;
	session_create(&caller[0], &(struct session_wish){.user = "ann"}, token);
	session_create(&caller[0], &(struct session_wish){.realm = "elsewhere", .user = "ann"}, elsewhere);
	session_must_be(&caller[1], token, VALID, LATCHKEY__V1__REASON__REASON_NONE);
	revoke_through(0);
	session_must_be(&caller[0], token, INVALID, REVOKED);
	assert_becomes(is(&caller[1], token, INVALID, REVOKED), BOUND_MS);
	expect_new_logins();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(session_get(&caller[i], "elsewhere", elsewhere, 0, &seen), OK);
		assert_int_equal(seen.verdict, VALID);
	}
	assert_true(server_counter(&caller[1], "latchkey_sessions_realm_revoked_total") > 0);
}

/* ---- The auth cache's answers ---- */

static Latchkey__V1__LookupAuthResponse *look_up(struct raw *r, bool no_lease)
{
	Latchkey__V1__LookupAuthRequest req = LATCHKEY__V1__LOOKUP_AUTH_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.AuthCache/Lookup", .request = &req.base};

	req.has_subject = req.has_key = req.has_no_lease = true;
	req.subject = raw_text("ann");
	req.key = raw_text("may");
	req.no_lease = no_lease;
	return (Latchkey__V1__LookupAuthResponse *)raw_call_expect(r, OK, &call,
								   &latchkey__v1__lookup_auth_response__descriptor);
}

static bool is_found(struct raw *r)
{
	Latchkey__V1__LookupAuthResponse *m = look_up(r, true);
	const bool is_hit = m->state == LATCHKEY__V1__AUTH_STATE__HIT;

	raw_free(m);
	return is_hit;
}

/* With the lease of a miss. */
static bool fill(struct raw *r, ProtobufCBinaryData lease)
{
	Latchkey__V1__FillAuthRequest req = LATCHKEY__V1__FILL_AUTH_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.AuthCache/Fill", .request = &req.base};
	Latchkey__V1__FillAuthResponse *m;
	bool is_stored;

	req.has_subject = req.has_key = req.has_lease = req.has_answer = true;
	req.subject = raw_text("ann");
	req.key = raw_text("may");
	req.lease = lease;
	req.answer = raw_text("yes");
	m = (Latchkey__V1__FillAuthResponse *)raw_call_expect(r, OK, &call,
							      &latchkey__v1__fill_auth_response__descriptor);
	is_stored = m->stored;
	raw_free(m);
	return is_stored;
}

static void test_the_answers_are_forgotten(void **state)
{
	Latchkey__V1__LookupAuthResponse *m = look_up(&caller[0], false);

	(void)state;
	assert_true(m->has_lease && fill(&caller[0], m->lease));
	raw_free(m);
	assert_true(is_found(&caller[0]) && is_found(&caller[1]));
	revoke_through(0);
	assert_false(is_found(&caller[0]));
	assert_becomes(!is_found(&caller[1]), BOUND_MS);
	/* One whose loading began before. */
	m = look_up(&caller[0], false);
	assert_true(m->has_lease);
	revoke_through(0);
	assert_false(fill(&caller[0], m->lease));
	raw_free(m);
	/* And one since. */
	m = look_up(&caller[0], false);
	assert_true(m->has_lease && fill(&caller[0], m->lease));
	raw_free(m);
	assert_true(is_found(&caller[0]));
	assert_becomes(is_found(&caller[1]), BOUND_MS);
}

static void set_channels(const char *rule)
{
	redisReply *reply = redis_server_command(&redis, "ACL SETUSER default %s", rule);

	freeReplyObject(reply);
}

/* Each asks for each realm, often at first and then once a second: by now at that pace. */
static void let_them_ask(void)
{
	redisContext *c = redis_server_connect(&redis);
	const long long before = redis_command_calls(c, "get");

	assert_becomes(redis_command_calls(c, "get") >= before + 3L * 2 * 2, BOUND_MS);
	redisFree(c);
}

/* No script can PUBLISH, and nobody is subscribed. */
static void test_one_that_is_not_told_learns_by_asking(void **state)
{
	char token[TOKEN_BYTES];

	(void)state;
	set_channels("resetchannels");
	let_them_ask();
	session_create(&caller[0], &(struct session_wish){.user = "bea"}, token);
	session_must_be(&caller[1], token, VALID, LATCHKEY__V1__REASON__REASON_NONE);
	revoke_through(0);
	session_must_be(&caller[0], token, INVALID, REVOKED);
	assert_becomes(is(&caller[1], token, INVALID, REVOKED), BOUND_MS);
	expect_new_logins();
	set_channels("allchannels");
}

static void restart(int instance)
{
	raw_close(&caller[instance]);
	latchkeyd_stop(&service[instance]);
	latchkeyd_start_serving(&service[instance]);
	raw_connect(&caller[instance], service[instance].url);
}

static void test_a_restarted_instance_still_refuses(void **state)
{
	char token[TOKEN_BYTES];

	(void)state;
	session_create(&caller[0], &(struct session_wish){.user = "cleo"}, token);
	revoke_through(0);
	restart(1);
	session_must_be(&caller[1], token, INVALID, REVOKED);
	expect_new_logins();
}

static bool has_realm_key(void)
{
	redisReply *reply = redis_server_try(&redis, "KEYS lk1:n:*");
	const bool has = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1;

	if (reply != NULL)
		freeReplyObject(reply);
	return has;
}

/* The Redis of this test keeps nothing on disk. */
static void test_a_redis_that_forgot_is_reminded(void **state)
{
	char token[TOKEN_BYTES];

	(void)state;
	session_create(&caller[0], &(struct session_wish){.user = "dot"}, token);
	revoke_through(0);
	redis_server_kill(&redis);
	redis_server_start(&redis);
	assert_becomes(has_realm_key(), BOUND_MS);
	restart(1);
	session_must_be(&caller[1], token, INVALID, REVOKED);
	assert_becomes(is(&caller[0], token, INVALID, REVOKED), BOUND_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_other_instance_is_told),
	    cmocka_unit_test(test_the_answers_are_forgotten),
	    cmocka_unit_test(test_one_that_is_not_told_learns_by_asking),
	    cmocka_unit_test(test_a_restarted_instance_still_refuses),
	    cmocka_unit_test(test_a_redis_that_forgot_is_reminded),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
