/* Many callers rotate one session at once through two instances, and go on using its old token: there is one successor,
 * nobody is logged out, and who comes after the grace ends it for all. Threads note what they saw; the main thread
 * judges. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define RACERS	 200 /* half of them at each instance */
#define USERS	 4   /* of an old token, while it is rotated */
#define INVALID	 LATCHKEY__V1__VERDICT__INVALID
#define VALID	 LATCHKEY__V1__VERDICT__VALID
#define OK	 LATCHKEY__V1__CODE__OK
#define REUSED	 LATCHKEY__V1__REASON__REUSE_DETECTED
#define NO_GRACE 0

/* Nothing but the races is about time: a slow machine must not look like a theft. */
static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    events: true\n"
			     "    classes:\n"
			     "      - { name: default, grace_s: 300 }\n";

THE_SCENE_OF_TWO(config)

/* What a call said. */
struct said {
	Latchkey__V1__Code code;
	Latchkey__V1__Verdict verdict;
	Latchkey__V1__Reason reason;
	char token[TOKEN_BYTES]; /* the successor, if it told one */
	char handle[HANDLE_BYTES];
	uint32_t aal;
};

/* The response; NULL without one. */
static ProtobufCMessage *ask(struct raw *r, const char *method, const ProtobufCMessage *request, const char *key,
			     const ProtobufCMessageDescriptor *type, Latchkey__V1__Code *ret_code)
{
	const struct raw_call call = {
	    .method = method, .request = request, .timeout_ms = BOUND_MS, .idempotency_key = key};
	Latchkey__V1__ReplyFrame *frame = NULL;
	ProtobufCMessage *m = NULL;

	*ret_code = CODE_NO_REPLY;
	if (!raw_send_calls(r, 1, &call, 1) || !raw_receive(r, NULL, &frame, BOUND_MS))
		return NULL;
	if (frame->n_replies == 1) {
		*ret_code = frame->replies[0]->code;
		m = raw_unpack(frame->replies[0], type);
	}
	raw_free(frame);
	return m;
}

static void keep_text(ProtobufCBinaryData bytes, char *out, size_t out_size)
{
	(void)snprintf(out, out_size, "%.*s", (int)bytes.len, (const char *)bytes.data);
}

static void keep_info(const Latchkey__V1__SessionInfo *info, struct said *ret)
{
	if (info == NULL)
		return;
	keep_text(info->handle, ret->handle, sizeof(ret->handle));
	ret->aal = info->authentication == NULL ? 0 : info->authentication->aal;
}

/* aal 0: no step-up. grace_s < 0: the policy's. */
static struct said rotate(struct raw *r, const char *token, uint32_t aal, int grace_s, const char *key)
{
	Latchkey__V1__RotateSessionRequest req = LATCHKEY__V1__ROTATE_SESSION_REQUEST__INIT;
	Latchkey__V1__Authentication authentication = LATCHKEY__V1__AUTHENTICATION__INIT;
	Latchkey__V1__RotateSessionResponse *m;
	struct said said = {0};

	req.has_token = true;
	req.token = raw_text(token);
	req.has_grace_s = grace_s >= 0;
	req.grace_s = grace_s >= 0 ? (uint32_t)grace_s : 0;
	authentication.has_aal = true;
	authentication.aal = aal;
	req.authentication = aal > 0 ? &authentication : NULL;
	m = (void *)ask(r, "/latchkey.v1.Sessions/Rotate", &req.base, key,
			&latchkey__v1__rotate_session_response__descriptor, &said.code);
	if (m != NULL) {
		said.verdict = m->verdict;
		said.reason = m->reason;
		keep_text(m->token, said.token, sizeof(said.token));
		keep_info(m->info, &said);
	}
	raw_free(m);
	return said;
}

static struct said get(struct raw *r, const char *token)
{
	Latchkey__V1__GetSessionRequest req = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;
	Latchkey__V1__GetSessionResponse *m;
	struct said said = {0};

	req.has_token = true;
	req.token = raw_text(token);
	m = (void *)ask(r, "/latchkey.v1.Sessions/Get", &req.base, NULL,
			&latchkey__v1__get_session_response__descriptor, &said.code);
	if (m != NULL) {
		said.verdict = m->verdict;
		said.reason = m->reason;
		keep_text(m->successor, said.token, sizeof(said.token));
		keep_info(m->info, &said);
	}
	raw_free(m);
	return said;
}

static void create(const char *user, char ret_token[static TOKEN_BYTES])
{
	session_create(&scene.caller, &(struct session_wish){.user = user, .key = "k", .value = "v"}, ret_token);
}

static void expect_valid(const struct said *said)
{
	if (said->code != OK || said->verdict != VALID)
		fail_msg("code %d, verdict %d, reason %d", said->code, said->verdict, said->reason);
}

/* Of the user whose session has this handle. */
static long long index_size(const char *handle)
{
	redisReply *reply;
	long long size;
	char key[40];

	(void)snprintf(key, sizeof(key), "lk1:u:{%.11s}", handle);
	reply = redis_server_command(&scene.redis, "ZCARD %s", key);
	size = reply->integer;
	freeReplyObject(reply);
	return size;
}

static uint64_t counted(const char *name)
{
	return server_counter(&scene.caller, name) + server_counter(&second_caller, name);
}

/* ---- Racers ---- */

struct racer {
	pthread_t thread;
	const char *url;
	const char *token;
	char key[24];
	atomic_uint *ready;
	atomic_bool *go;
	struct said said;
};

static void *race(void *arg)
{
	struct racer *w = arg;
	struct raw r = {.fd = -1};
	const bool is_connected = raw_try_connect(&r, w->url);

	w->said.code = CODE_NO_REPLY;
	atomic_fetch_add(w->ready, 1);
	while (!atomic_load(w->go))
		nap_ms(1);
	if (is_connected)
		w->said = rotate(&r, w->token, 0, -1, w->key[0] == '\0' ? NULL : w->key);
	raw_close(&r);
	return NULL;
}

static void expect_one_successor(const char *old, const struct racer *racers)
{
	const char *successor = racers[0].said.token;
	struct said said;

	for (size_t i = 0; i < RACERS; i++) {
		expect_valid(&racers[i].said);
		assert_string_equal(racers[i].said.token, successor);
	}
	assert_string_not_equal(successor, old);
	said = get(&scene.caller, old);
	expect_valid(&said);
	assert_string_equal(said.token, successor);
	said = get(&second_caller, old);
	expect_valid(&said);
	assert_string_equal(said.token, successor);
	said = get(&second_caller, successor);
	expect_valid(&said);
	assert_string_equal(said.token, "");
	assert_int_equal(index_size(said.handle), 1);
}

static void test_all_racers_get_one_successor(void **state)
{
	static struct racer racers[RACERS];
	const uint64_t rotated = counted("latchkey_sessions_rotated_total");
	char token[TOKEN_BYTES];
	atomic_uint ready = 0;
	atomic_bool go = false;

	(void)state;
	create("racers", token);
	for (size_t i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){
		    .url = i % 2 == 0 ? scene.service.url : second.url, .token = token, .ready = &ready, .go = &go};
		if (i % 4 < 2)
			(void)snprintf(racers[i].key, sizeof(racers[i].key), "racer %zu", i);
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	assert_becomes(atomic_load(&ready) == RACERS, BOUND_MS);
	atomic_store(&go, true);
	for (size_t i = 0; i < RACERS; i++)
		pthread_join(racers[i].thread, NULL);
	expect_one_successor(token, racers);
	assert_int_equal(counted("latchkey_sessions_rotated_total"), rotated + 1);
	assert_int_equal(counted("latchkey_sessions_reuse_detected_total"), 0);
}

/* ---- Those who are on their way with the old token ---- */

struct user {
	pthread_t thread;
	const char *url;
	const char *token;
	atomic_bool *stop;
	atomic_uint calls;
	struct said wrong; /* the first that was; code OK and verdict VALID: none */
};

static bool is_right(const struct said *said)
{
	return said->code == OK && said->verdict == VALID;
}

static void *use(void *arg)
{
	struct user *u = arg;
	struct raw r = {.fd = -1};
	struct session_seen seen;

	u->wrong = (struct said){.code = CODE_NO_REPLY};
	if (!raw_try_connect(&r, u->url))
		return NULL;
	do {
		u->wrong = get(&r, u->token);
		if (is_right(&u->wrong)) {
			u->wrong.code = session_update(&r, u->token, "k", "w", &seen);
			u->wrong.verdict = seen.verdict;
			u->wrong.reason = seen.reason;
		}
		atomic_fetch_add(&u->calls, 1);
	} while (is_right(&u->wrong) && !atomic_load(u->stop));
	raw_close(&r);
	return NULL;
}

static void test_rotating_disturbs_nobody(void **state)
{
	struct user users[USERS] = {0};
	char token[TOKEN_BYTES];
	atomic_bool stop = false;
	struct said said = {0};

	(void)state;
	create("busy", token);
	memcpy(said.token, token, TOKEN_BYTES);
	for (size_t i = 0; i < USERS; i++) {
		users[i].url = i % 2 == 0 ? scene.service.url : second.url;
		users[i].token = token;
		users[i].stop = &stop;
		assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
	}
	/* The calls go on through each of the rotations. */
	for (unsigned i = 0; i < 10; i++) {
		const unsigned calls = atomic_load(&users[0].calls) + atomic_load(&users[1].calls);

		said = rotate(i % 2 == 0 ? &scene.caller : &second_caller, said.token, 0, -1, NULL);
		expect_valid(&said);
		assert_becomes(atomic_load(&users[0].calls) + atomic_load(&users[1].calls) > calls + 4, BOUND_MS);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < USERS; i++) {
		pthread_join(users[i].thread, NULL);
		expect_valid(&users[i].wrong);
	}
	assert_int_equal(index_size(said.handle), 1);
	assert_true(counted("latchkey_forwards_followed_total") > 0);
}

/* ---- After the grace ---- */

static void test_a_reused_token_ends_the_lineage_everywhere(void **state)
{
	const uint64_t detected = counted("latchkey_sessions_reuse_detected_total");
	struct said successor;
	char token[TOKEN_BYTES];
	char other[TOKEN_BYTES];

	(void)state;
	create("robbed", token);
	create("robbed", other);
	successor = rotate(&scene.caller, token, 0, NO_GRACE, NULL);
	expect_valid(&successor);
	session_must_be(&second_caller, token, INVALID, REUSED);
	session_must_be(&scene.caller, successor.token, INVALID, REUSED);
	session_must_be(&second_caller, successor.token, INVALID, REUSED);
	session_must_be(&second_caller, other, VALID, LATCHKEY__V1__REASON__REASON_NONE);
	assert_int_equal(counted("latchkey_sessions_reuse_detected_total"), detected + 1);
}

static void test_a_grace_ends(void **state)
{
	struct said successor;
	struct said said;
	char token[TOKEN_BYTES];

	(void)state;
	create("slow", token);
	successor = rotate(&scene.caller, token, 0, 1, NULL);
	expect_valid(&successor);
	assert_becomes((said = get(&second_caller, token)).verdict == INVALID, BOUND_MS);
	assert_int_equal(said.reason, REUSED);
	session_must_be(&scene.caller, successor.token, INVALID, REUSED);
}

static void test_a_repeated_rotation_is_no_reuse(void **state)
{
	struct said first;
	struct said again;
	char token[TOKEN_BYTES];

	(void)state;
	create("unlucky", token);
	first = rotate(&scene.caller, token, 0, NO_GRACE, "the same key");
	expect_valid(&first);
	again = rotate(&second_caller, token, 0, NO_GRACE, "the same key");
	expect_valid(&again);
	assert_string_equal(again.token, first.token);
}

/* What those who watch at the second instance are told; *cursor is moved on. */
static Latchkey__V1__WatchSessionsResponse *watch(char *cursor, size_t cursor_size, uint32_t timeout_ms)
{
	Latchkey__V1__WatchSessionsRequest req = LATCHKEY__V1__WATCH_SESSIONS_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Sessions/Watch", .request = &req.base, .timeout_ms = timeout_ms};
	Latchkey__V1__WatchSessionsResponse *m;

	req.has_cursor = cursor[0] != '\0';
	req.cursor = raw_text(cursor);
	m = (void *)raw_call_expect(&second_caller, OK, &call, &latchkey__v1__watch_sessions_response__descriptor);
	assert_non_null(m);
	keep_text(m->cursor, cursor, cursor_size);
	return m;
}

/* Watches until there is an event of this kind that has to do with the session. */
static void expect_event(char *cursor, size_t cursor_size, Latchkey__V1__EventKind kind, const char *handle,
			 const char *successor)
{
	for (bool is_found = false; !is_found;) {
		Latchkey__V1__WatchSessionsResponse *m = watch(cursor, cursor_size, BOUND_MS);

		if (m->n_events == 0)
			fail_msg("no event of kind %d", kind);
		for (size_t i = 0; i < m->n_events; i++) {
			const Latchkey__V1__SessionEvent *e = m->events[i];

			if (e->kind != kind || memcmp(e->handle.data, handle, HANDLE_BYTES - 1) != 0)
				continue;
			is_found = true;
			assert_int_equal(e->successor.len, successor == NULL ? 0 : HANDLE_BYTES - 1);
			if (successor != NULL)
				assert_memory_equal(e->successor.data, successor, HANDLE_BYTES - 1);
		}
		raw_free(m);
	}
}

static void test_those_who_watch_are_told(void **state)
{
	char cursor[65] = "";
	char again[65];
	struct said first;
	struct said successor;
	char token[TOKEN_BYTES];

	(void)state;
	assert_becomes(server_counter(&second_caller, "latchkey_event_gaps_total") > 0, BOUND_MS);
	raw_free(watch(cursor, sizeof(cursor), 1));
	memcpy(again, cursor, sizeof(again));
	create("watched", token);
	first = get(&scene.caller, token);
	successor = rotate(&scene.caller, token, 0, NO_GRACE, NULL);
	expect_valid(&successor);
	expect_event(cursor, sizeof(cursor), LATCHKEY__V1__EVENT_KIND__EVENT_ROTATED, first.handle, successor.handle);
	session_must_be(&scene.caller, token, INVALID, REUSED);
	expect_event(cursor, sizeof(cursor), LATCHKEY__V1__EVENT_KIND__EVENT_REUSE_DETECTED, first.handle, NULL);
	/* Of each of its ids. */
	expect_event(again, sizeof(again), LATCHKEY__V1__EVENT_KIND__EVENT_REUSE_DETECTED, successor.handle, NULL);
}

/* ---- The calls that go by tokens ---- */

static void test_a_step_up_is_the_successors(void **state)
{
	struct said successor;
	struct said old;
	char token[TOKEN_BYTES];

	(void)state;
	create("careful", token);
	successor = rotate(&scene.caller, token, 2, -1, NULL);
	expect_valid(&successor);
	assert_int_equal(successor.aal, 2);
	old = get(&second_caller, token);
	expect_valid(&old);
	assert_int_equal(old.aal, 0);
	assert_string_equal(old.handle, successor.handle);
}

static void test_get_many_follows_each(void **state)
{
	Latchkey__V1__GetManySessionsRequest req = LATCHKEY__V1__GET_MANY_SESSIONS_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/GetMany", .request = &req.base};
	Latchkey__V1__GetManySessionsResponse *m;
	struct said rotated;
	struct said reused;
	char tokens[3][TOKEN_BYTES];
	ProtobufCBinaryData texts[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		create("many", tokens[i]);
		texts[i] = raw_text(tokens[i]);
	}
	rotated = rotate(&scene.caller, tokens[1], 0, -1, NULL);
	reused = rotate(&scene.caller, tokens[2], 0, NO_GRACE, NULL);
	expect_valid(&reused);
	req.n_tokens = 3;
	req.tokens = texts;
	m = (void *)raw_call_expect(&second_caller, OK, &call, &latchkey__v1__get_many_sessions_response__descriptor);
	assert_non_null(m);
	assert_int_equal(m->n_sessions, 3);
	assert_int_equal(m->sessions[0]->verdict, VALID);
	assert_false(m->sessions[0]->has_successor);
	assert_int_equal(m->sessions[1]->verdict, VALID);
	assert_int_equal(m->sessions[1]->successor.len, strlen(rotated.token));
	assert_memory_equal(m->sessions[1]->successor.data, rotated.token, strlen(rotated.token));
	assert_int_equal(m->sessions[2]->verdict, INVALID);
	assert_int_equal(m->sessions[2]->reason, REUSED);
	raw_free(m);
}

static void test_revoking_the_old_token_ends_the_successor(void **state)
{
	struct said successor;
	char token[TOKEN_BYTES];
	bool was_alive = false;

	(void)state;
	create("gone", token);
	successor = rotate(&scene.caller, token, 0, -1, NULL);
	expect_valid(&successor);
	assert_int_equal(session_revoke(&second_caller, token, &was_alive), OK);
	assert_true(was_alive);
	session_must_be(&scene.caller, successor.token, INVALID, LATCHKEY__V1__REASON__LOGOUT);
	session_must_be(&scene.caller, token, INVALID, LATCHKEY__V1__REASON__LOGOUT);
}

/* Nothing but NAMEs tells in Redis what came of what. */
static void test_no_token_is_in_redis(void **state)
{
	struct said successor;
	char token[TOKEN_BYTES];
	char key[80];
	redisReply *reply;
	struct said seen;

	(void)state;
	create("discreet", token);
	seen = get(&scene.caller, token);
	(void)snprintf(key, sizeof(key), "lk1:s:{%.11s}:%s", seen.handle, seen.handle + 12);
	successor = rotate(&scene.caller, token, 0, -1, NULL);
	expect_valid(&successor);
	reply = redis_server_command(&scene.redis, "GET %s", key);
	assert_int_equal(reply->type, REDIS_REPLY_STRING);
	assert_int_equal(reply->str[0], 3);
	/* All that is text in a token's middle: its random id. */
	assert_null(memmem(reply->str, reply->len, successor.token + 45, 40));
	assert_non_null(memmem(reply->str, reply->len, successor.handle + 12, 16));
	freeReplyObject(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_racers_get_one_successor),
	    cmocka_unit_test(test_rotating_disturbs_nobody),
	    cmocka_unit_test(test_a_reused_token_ends_the_lineage_everywhere),
	    cmocka_unit_test(test_a_grace_ends),
	    cmocka_unit_test(test_a_repeated_rotation_is_no_reuse),
	    cmocka_unit_test(test_those_who_watch_are_told),
	    cmocka_unit_test(test_a_step_up_is_the_successors),
	    cmocka_unit_test(test_get_many_follows_each),
	    cmocka_unit_test(test_revoking_the_old_token_ends_the_successor),
	    cmocka_unit_test(test_no_token_is_in_redis),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
