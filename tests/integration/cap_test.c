/* Many callers log the same user in at once through two instances: the cap holds at any moment, and whoever has to go is
 * reported once, to one of them. Threads note what they saw; the main thread watches the index, then judges. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define CAP	5
#define CALLERS 8 /* half of them at each instance */
#define CREATES 40

#define OK	LATCHKEY__V1__CODE__OK
#define FULL	LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED
#define VALID	LATCHKEY__V1__VERDICT__VALID
#define INVALID LATCHKEY__V1__VERDICT__INVALID

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: oldest, sessions_max: 5, at_cap: evict_oldest }\n"
			     "      - { name: lru, sessions_max: 5, at_cap: evict_least_recently_used }\n"
			     "      - { name: refusing, sessions_max: 5, at_cap: refuse }\n";

THE_SCENE_OF_TWO(config)

/* What one create brought. */
struct made {
	Latchkey__V1__Code code;
	char token[TOKEN_BYTES];
	char handle[HANDLE_BYTES];
	size_t evicted_count;
	char evicted[CAP][HANDLE_BYTES];
};

struct caller {
	pthread_t thread;
	const char *url;
	const char *user;
	const char *session_class;
	atomic_uint *running;
	atomic_uint *looks; /* at the index, so far */
	struct made made[CREATES];
};

static void note(const Latchkey__V1__CreateSessionResponse *m, struct made *ret)
{
	if (m == NULL || m->info == NULL || m->token.len != TOKEN_BYTES - 1 ||
	    m->info->handle.len != HANDLE_BYTES - 1 || m->n_evicted > CAP) {
		ret->code = LATCHKEY__V1__CODE__INTERNAL;
		return;
	}
	memcpy(ret->token, m->token.data, TOKEN_BYTES - 1);
	memcpy(ret->handle, m->info->handle.data, HANDLE_BYTES - 1);
	ret->evicted_count = m->n_evicted;
	for (size_t i = 0; i < m->n_evicted; i++)
		memcpy(ret->evicted[i], m->evicted[i].data, HANDLE_BYTES - 1);
}

static void create(struct raw *r, const char *user, const char *session_class, struct made *ret)
{
	Latchkey__V1__CreateSessionRequest req = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Sessions/Create", .request = &req.base, .timeout_ms = BOUND_MS};
	Latchkey__V1__ReplyFrame *frame = NULL;
	ProtobufCMessage *m = NULL;

	req.has_user = req.has_session_class = true;
	req.user = raw_text(user);
	req.session_class = raw_text(session_class);
	ret->code = CODE_NO_REPLY;
	if (!raw_send_calls(r, 1, &call, 1) || !raw_receive(r, NULL, &frame, BOUND_MS))
		return;
	if (frame->n_replies == 1) {
		ret->code = frame->replies[0]->code;
		m = raw_unpack(frame->replies[0], &latchkey__v1__create_session_response__descriptor);
	}
	if (ret->code == OK)
		note((const Latchkey__V1__CreateSessionResponse *)m, ret);
	raw_free(m);
	raw_free(frame);
}

static void *create_many(void *arg)
{
	struct caller *c = arg;
	struct raw r = {.fd = -1};
	bool is_connected = raw_try_connect(&r, c->url);

	for (unsigned i = 0; i < CREATES; i++) {
		/* All of it is to be watched, however slow the watcher is. */
		if (is_connected && WAIT_FOR(atomic_load(c->looks) >= i, BOUND_MS))
			create(&r, c->user, c->session_class, &c->made[i]);
		else
			c->made[i].code = CODE_NO_REPLY;
	}
	raw_close(&r);
	atomic_fetch_sub(c->running, 1);
	return NULL;
}

static long long index_size(redisContext *c, const char *tag)
{
	redisReply *reply = redisCommand(c, "ZCARD lk1:u:{%b}", tag, (size_t)11);
	long long size;

	assert_non_null(reply);
	assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
	size = reply->integer;
	freeReplyObject(reply);
	return size;
}

/* Starts them, watches the index until all are through; *ret_first is a login made before. */
static void storm(struct caller *callers, const char *user, const char *session_class, struct made *ret_first)
{
	redisContext *c = redis_server_connect(&scene.redis);
	atomic_uint running = CALLERS;
	atomic_uint looks = 0;
	unsigned at_cap = 0;

	create(&scene.caller, user, session_class, ret_first);
	assert_int_equal(ret_first->code, OK);
	for (size_t i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){.url = i % 2 == 0 ? scene.service.url : second.url,
					     .user = user,
					     .session_class = session_class,
					     .running = &running,
					     .looks = &looks};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, create_many, &callers[i]), 0);
	}
	do {
		const long long size = index_size(c, ret_first->handle);

		if (size > CAP)
			fail_msg("%lld sessions at once", size);
		atomic_fetch_add(&looks, 1);
		at_cap += size == CAP;
	} while (atomic_load(&running) > 0);
	for (size_t i = 0; i < CALLERS; i++)
		pthread_join(callers[i].thread, NULL);
	assert_true(at_cap > 0);
	assert_int_equal(index_size(c, ret_first->handle), CAP);
	redisFree(c);
}

static unsigned count_reports(const struct caller *callers, const char *handle)
{
	unsigned reports = 0;

	for (size_t i = 0; i < CALLERS; i++)
		for (size_t k = 0; k < CREATES; k++)
			for (size_t e = 0; e < callers[i].made[k].evicted_count; e++)
				reports += strcmp(callers[i].made[k].evicted[e], handle) == 0;
	return reports;
}

/* Alive and never reported, or dead and reported once. True: alive. */
static bool judge(const struct caller *callers, const struct made *made)
{
	const unsigned reports = count_reports(callers, made->handle);
	struct session_seen seen;

	assert_int_equal(session_peek(&scene.caller, NULL, made->token, &seen), OK);
	if (seen.verdict == VALID) {
		assert_int_equal(reports, 0);
		return true;
	}
	assert_int_equal(seen.verdict, INVALID);
	assert_int_equal(seen.reason, LATCHKEY__V1__REASON__EVICTED);
	if (reports != 1)
		fail_msg("%s was reported %u times", made->handle, reports);
	return false;
}

static void expect_evictions(const char *user, const char *session_class)
{
	struct caller *callers = calloc(CALLERS, sizeof(*callers));
	struct made first = {0};
	unsigned alive = 0;
	size_t reported = 0;

	storm(callers, user, session_class, &first);
	alive += judge(callers, &first);
	for (size_t i = 0; i < CALLERS; i++)
		for (size_t k = 0; k < CREATES; k++) {
			assert_int_equal(callers[i].made[k].code, OK);
			reported += callers[i].made[k].evicted_count;
			alive += judge(callers, &callers[i].made[k]);
		}
	assert_int_equal(alive, CAP);
	assert_int_equal(reported, CALLERS * CREATES + 1 - CAP);
	free(callers);
}

static void test_the_oldest_go(void **state)
{
	(void)state;
	expect_evictions("ann", "oldest");
}

static void test_the_least_recently_used_go(void **state)
{
	(void)state;
	expect_evictions("bob", "lru");
}

static void test_the_rest_is_refused(void **state)
{
	struct caller *callers = calloc(CALLERS, sizeof(*callers));
	struct made first = {0};
	unsigned made = 1;

	(void)state;
	storm(callers, "eve", "refusing", &first);
	assert_true(judge(callers, &first));
	for (size_t i = 0; i < CALLERS; i++)
		for (size_t k = 0; k < CREATES; k++) {
			if (callers[i].made[k].code != OK) {
				assert_int_equal(callers[i].made[k].code, FULL);
				continue;
			}
			made++;
			assert_true(judge(callers, &callers[i].made[k]));
		}
	assert_int_equal(made, CAP);
	free(callers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_oldest_go),
	    cmocka_unit_test(test_the_least_recently_used_go),
	    cmocka_unit_test(test_the_rest_is_refused),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
