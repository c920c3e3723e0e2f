/* Many threads on one session, one user, one client: no increment is lost, nothing dead comes back, the cap holds, one
 * idempotency key makes one session. As many threads work in the service as nng has. Threads note what they saw; the main
 * thread judges. */

#include <latchkey/latchkey.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scene.h"
#include "support/wait.h"

#define THREADS	    64
#define INCREMENTS  12 /* a thread */
#define TOKEN_BYTES 106
#define CAP	    5

static const char config[] = "calls: { threads: 64 }\n"
			     "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: default, sessions_max: 10000 }\n"
			     "      - { name: evicting, sessions_max: 5, at_cap: evict_oldest }\n"
			     "      - { name: refusing, sessions_max: 5, at_cap: refuse }\n";

static struct scene scene;
static lk_client *client;

static int open_scene(void **state)
{
	const char *const endpoints[] = {scene.service.url};
	struct lk_options options = LK_OPTIONS_INIT;

	(void)state;
	scene_open(&scene, config, NULL);
	options.endpoints = endpoints;
	options.endpoint_count = 1;
	/* Nothing here is about time: a slow machine must not look like a lost update. */
	options.call_timeout_ms = 30000;
	assert_int_equal(lk_client_open(&options, &client, NULL), LK_OK);
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	lk_client_close(&client);
	scene_close(&scene);
	return 0;
}

static enum lk_err create(const char *user, const char *session_class, const char *key, char ret_token[TOKEN_BYTES])
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	lk_session *session = NULL;
	enum lk_err err;

	request.user = lk_text(user);
	request.session_class = session_class;
	request.idempotency_key = lk_text(key);
	err = lk_session_create(client, &request, &session, NULL);
	if (err == LK_OK)
		snprintf(ret_token, TOKEN_BYTES, "%s", lk_session_token(session));
	lk_session_free(&session);
	return err;
}

/* ret_session may be NULL. */
static enum lk_verdict get(const char *token, lk_session **ret_session)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	enum lk_verdict verdict;

	request.token = lk_text(token);
	(void)!lk_session_get(client, &request, &verdict, ret_session, NULL);
	return verdict;
}

static void must_be_dead(const char *token, enum lk_reason reason)
{
	lk_session *session = NULL;

	assert_int_equal(get(token, &session), LK_INVALID);
	assert_int_equal(lk_session_reason(session), reason);
	lk_session_free(&session);
}

static enum lk_err set_number(const char *token, unsigned long number, uint64_t expected_version)
{
	struct lk_session_update_request request = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_attribute attribute = {.key = lk_text("n")};
	char digits[24];

	snprintf(digits, sizeof(digits), "%lu", number);
	attribute.value = lk_text(digits);
	request.token = lk_text(token);
	request.set = &attribute;
	request.set_count = 1;
	request.expected_version = expected_version;
	return lk_session_update(client, &request, NULL, NULL, NULL);
}

/* One thread of a test: what it works on and what it saw. */
struct worker {
	pthread_t thread;
	const char *token;
	const char *user;
	const char *session_class;
	atomic_bool *go;
	atomic_bool *revoked; /* set once the revocation is acknowledged */
	char made[TOKEN_BYTES];
	unsigned long conflicts;
	unsigned long written;
	enum lk_err err; /* the first surprise */
};

static void run_workers(struct worker *workers, size_t count, void *(*body)(void *), void (*meanwhile)(struct worker *))
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, body, &workers[i]), 0);
	if (meanwhile != NULL)
		meanwhile(workers);
	for (size_t i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
}

/* Read, add one, write if nobody wrote in between. */
static enum lk_err increment_once(const char *token)
{
	lk_session *session = NULL;
	unsigned long number;
	uint64_t version;

	if (get(token, &session) != LK_VALID)
		return LK_E_SESSION_INVALID;
	number = strtoul(lk_session_attribute(session, "n").data, NULL, 10);
	version = lk_session_version(session);
	lk_session_free(&session);
	return set_number(token, number + 1, version);
}

static void *increment_many(void *arg)
{
	struct worker *w = arg;

	while (w->written < INCREMENTS && w->err == LK_OK) {
		enum lk_err err = increment_once(w->token);

		if (err == LK_OK)
			w->written++;
		else if (err == LK_E_CONFLICT)
			w->conflicts++;
		else
			w->err = err;
	}
	return NULL;
}

static void test_every_increment_is_there(void **state)
{
	struct worker workers[THREADS] = {0};
	unsigned long conflicts = 0;
	lk_session *session = NULL;
	char token[TOKEN_BYTES];

	(void)state;
	assert_int_equal(create("counter", NULL, NULL, token), LK_OK);
	assert_int_equal(set_number(token, 0, 0), LK_OK);
	for (size_t i = 0; i < THREADS; i++)
		workers[i].token = token;
	run_workers(workers, THREADS, increment_many, NULL);
	for (size_t i = 0; i < THREADS; i++) {
		if (workers[i].err != LK_OK)
			fail_msg("thread %zu: %s", i, lk_err_name(workers[i].err));
		conflicts += workers[i].conflicts;
	}
	assert_int_equal(get(token, &session), LK_VALID);
	assert_int_equal(strtoul(lk_session_attribute(session, "n").data, NULL, 10), THREADS * INCREMENTS);
	/* Created with 1, set once, then one for each increment. */
	assert_int_equal(lk_session_version(session), 2 + THREADS * INCREMENTS);
	/* It was a race, or it proved nothing. */
	assert_true(conflicts > 0);
	lk_session_free(&session);
}

/* ---- An update racing a revocation ---- */

#define RACE_ROUNDS 150
#define RACERS	    4

static void *update_until_dead(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		bool was_revoked = atomic_load(w->revoked);
		enum lk_err err = set_number(w->token, w->written, 0);

		if (err == LK_OK && was_revoked)
			w->err = LK_E_INTERNAL; /* written after the revocation was acknowledged */
		if (err == LK_E_SESSION_INVALID || w->err != LK_OK)
			return NULL;
		if (err != LK_OK)
			w->err = err;
		w->written++;
		atomic_store(w->go, true);
	}
}

static void revoke_meanwhile(struct worker *workers)
{
	struct lk_session_revoke_request request = LK_SESSION_REVOKE_REQUEST_INIT;
	bool was_alive = false;

	assert_becomes(atomic_load(workers[0].go), BOUND_MS);
	request.token = lk_text(workers[0].token);
	assert_int_equal(lk_session_revoke(client, &request, &was_alive, NULL), LK_OK);
	atomic_store(workers[0].revoked, true);
	assert_true(was_alive);
	must_be_dead(workers[0].token, LK_REASON_LOGOUT);
}

static void test_update_never_revives(void **state)
{
	(void)state;
	for (int round = 0; round < RACE_ROUNDS; round++) {
		struct worker workers[RACERS] = {0};
		atomic_bool revoked = false;
		atomic_bool go = false;
		char token[TOKEN_BYTES];

		assert_int_equal(create("racer", NULL, NULL, token), LK_OK);
		for (size_t i = 0; i < RACERS; i++)
			workers[i] = (struct worker){.token = token, .go = &go, .revoked = &revoked};
		run_workers(workers, RACERS, update_until_dead, revoke_meanwhile);
		for (size_t i = 0; i < RACERS; i++) {
			if (workers[i].err != LK_OK)
				fail_msg("round %d: %s", round, lk_err_name(workers[i].err));
		}
		must_be_dead(token, LK_REASON_LOGOUT);
	}
}

/* ---- Creating while the user is logged out everywhere ---- */

static void *create_until_revoked(void *arg)
{
	struct worker *w = arg;
	char token[TOKEN_BYTES];

	while (!atomic_load(w->revoked) && w->err == LK_OK) {
		w->err = create(w->user, NULL, NULL, token);
		/* Whoever has not yet been asked to stop was acknowledged before the revocation began. */
		if (w->err == LK_OK && !atomic_load(w->revoked))
			memcpy(w->made, token, TOKEN_BYTES);
		w->written++;
		atomic_store(w->go, true);
	}
	return NULL;
}

static void revoke_user_meanwhile(struct worker *workers)
{
	struct lk_session_revoke_user_request request = LK_SESSION_REVOKE_USER_REQUEST_INIT;
	uint32_t revoked = 0;

	assert_becomes(atomic_load(workers[0].go), BOUND_MS);
	atomic_store(workers[0].revoked, true);
	request.user = lk_text(workers[0].user);
	assert_int_equal(lk_session_revoke_user(client, &request, &revoked, NULL), LK_OK);
	assert_true(revoked > 0);
}

static void test_logout_everywhere_misses_nobody(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct worker workers[RACERS] = {0};
		atomic_bool revoked = false;
		atomic_bool go = false;
		char user[32];

		snprintf(user, sizeof(user), "everywhere-%d", round);
		for (size_t i = 0; i < RACERS; i++)
			workers[i] = (struct worker){.user = user, .go = &go, .revoked = &revoked};
		run_workers(workers, RACERS, create_until_revoked, revoke_user_meanwhile);
		for (size_t i = 0; i < RACERS; i++) {
			assert_int_equal(workers[i].err, LK_OK);
			if (workers[i].made[0] != '\0')
				must_be_dead(workers[i].made, LK_REASON_LOGOUT_EVERYWHERE);
		}
	}
}

/* ---- The cap, and idempotency ---- */

static void *create_one(void *arg)
{
	struct worker *w = arg;

	w->err = create(w->user, w->session_class, NULL, w->made);
	return NULL;
}

static size_t count_alive(const struct worker *workers)
{
	size_t alive = 0;

	for (size_t i = 0; i < THREADS; i++) {
		if (workers[i].err == LK_OK && get(workers[i].made, NULL) == LK_VALID)
			alive++;
	}
	return alive;
}

static void test_cap_is_atomic(void **state)
{
	struct worker workers[THREADS] = {0};
	size_t made = 0;

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		workers[i] = (struct worker){.user = "evicted", .session_class = "evicting"};
	run_workers(workers, THREADS, create_one, NULL);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(workers[i].err, LK_OK);
	assert_int_equal(count_alive(workers), CAP);

	for (size_t i = 0; i < THREADS; i++)
		workers[i] = (struct worker){.user = "refused", .session_class = "refusing"};
	run_workers(workers, THREADS, create_one, NULL);
	for (size_t i = 0; i < THREADS; i++) {
		made += workers[i].err == LK_OK;
		assert_true(workers[i].err == LK_OK || workers[i].err == LK_E_LIMIT);
	}
	assert_int_equal(made, CAP);
	assert_int_equal(count_alive(workers), CAP);
}

static void *create_the_same(void *arg)
{
	struct worker *w = arg;

	w->err = create("once", NULL, "the same idempotency key", w->made);
	return NULL;
}

static void test_one_key_makes_one_session(void **state)
{
	struct lk_session_list_request request = LK_SESSION_LIST_REQUEST_INIT;
	struct worker workers[THREADS] = {0};
	lk_sessions *sessions = NULL;

	(void)state;
	run_workers(workers, THREADS, create_the_same, NULL);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(workers[i].err, LK_OK);
		assert_string_equal(workers[i].made, workers[0].made);
	}
	request.user = lk_text("once");
	assert_int_equal(lk_session_list(client, &request, &sessions, NULL), LK_OK);
	assert_int_equal(lk_sessions_count(sessions), 1);
	lk_sessions_free(&sessions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_increment_is_there),	    cmocka_unit_test(test_update_never_revives),
	    cmocka_unit_test(test_logout_everywhere_misses_nobody), cmocka_unit_test(test_cap_is_atomic),
	    cmocka_unit_test(test_one_key_makes_one_session),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
