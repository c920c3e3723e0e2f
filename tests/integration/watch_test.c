/* Watch, through two instances on one Redis: what happens through the one is seen at the other, once and in order, and
 * what may have been missed is owned up to. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/redis_cluster.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define OK LATCHKEY__V1__CODE__OK

#define CREATED LATCHKEY__V1__EVENT_KIND__EVENT_CREATED
#define UPDATED LATCHKEY__V1__EVENT_KIND__EVENT_UPDATED
#define REVOKED LATCHKEY__V1__EVENT_KIND__EVENT_REVOKED
#define EVICTED LATCHKEY__V1__EVENT_KIND__EVENT_EVICTED

#define TAG_CHARS  11
#define EVENTS_MAX 512

static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: default }\n"
			     "      - { name: tight, sessions_max: 1 }\n"
			     "  - name: quiet\n"
			     "    events: false\n"
			     "    classes:\n"
			     "      - { name: default }\n";

THE_SCENE_OF_TWO(config)

/* ---- Watchers ---- */

struct seen_event {
	Latchkey__V1__EventKind kind;
	Latchkey__V1__Reason reason;
	char handle[HANDLE_BYTES];
};

struct watcher {
	struct raw raw;
	const char *realm; /* NULL: "default" */
	char cursor[65];   /* empty: none yet */
	bool is_gap;	   /* in the last answer */
	size_t count;	   /* of all answers */
	struct seen_event seen[EVENTS_MAX];
	char *bytes; /* of all bodies */
	size_t bytes_len;
};

static void note_event(struct watcher *w, const Latchkey__V1__SessionEvent *e)
{
	struct seen_event *seen = &w->seen[w->count++];

	assert_true(w->count < EVENTS_MAX);
	assert_int_equal(e->handle.len, HANDLE_BYTES - 1);
	assert_int_equal(e->user_tag.len, TAG_CHARS);
	assert_memory_equal(e->handle.data, e->user_tag.data, TAG_CHARS);
	*seen = (struct seen_event){.kind = e->kind, .reason = e->reason};
	memcpy(seen->handle, e->handle.data, HANDLE_BYTES - 1);
}

static void note_answer(struct watcher *w, const Latchkey__V1__Reply *reply)
{
	Latchkey__V1__WatchSessionsResponse *m;

	assert_int_equal(reply->code, OK);
	m = (Latchkey__V1__WatchSessionsResponse *)raw_unpack(reply,
							      &latchkey__v1__watch_sessions_response__descriptor);
	assert_non_null(m);
	w->is_gap = m->gap;
	for (size_t i = 0; i < m->n_events; i++)
		note_event(w, m->events[i]);
	assert_in_range(m->cursor.len, 1, 64);
	(void)snprintf(w->cursor, sizeof(w->cursor), "%.*s", (int)m->cursor.len, (const char *)m->cursor.data);
	raw_free(m);
	w->bytes = realloc(w->bytes, w->bytes_len + reply->body.len);
	assert_non_null(w->bytes);
	memcpy(w->bytes + w->bytes_len, reply->body.data, reply->body.len);
	w->bytes_len += reply->body.len;
}

static void ask(struct watcher *w, uint32_t timeout_ms)
{
	Latchkey__V1__WatchSessionsRequest req = LATCHKEY__V1__WATCH_SESSIONS_REQUEST__INIT;
	const struct raw_call call = {
	    .method = "/latchkey.v1.Sessions/Watch", .request = &req.base, .timeout_ms = timeout_ms};

	req.has_cursor = w->cursor[0] != '\0';
	req.cursor = raw_text(w->cursor);
	req.has_realm = w->realm != NULL;
	if (w->realm != NULL)
		req.realm = raw_text(w->realm);
	assert_true(raw_send_calls(&w->raw, 1, &call, 1));
}

static void take(struct watcher *w)
{
	Latchkey__V1__ReplyFrame *frame = NULL;

	if (!raw_receive(&w->raw, NULL, &frame, BOUND_MS))
		fail_msg("no answer to Watch");
	assert_int_equal(frame->code, OK);
	assert_int_equal(frame->n_replies, 1);
	note_answer(w, frame->replies[0]);
	raw_free(frame);
}

static void look(struct watcher *w, uint32_t timeout_ms)
{
	ask(w, timeout_ms);
	take(w);
}

static bool hears(struct raw *r)
{
	return server_counter(r, "latchkey_event_gaps_total") > 0;
}

/* From now on: its instance hears what is announced, and there is a cursor. */
static void watcher_open(struct watcher *w, const struct latchkeyd *d, const char *realm)
{
	*w = (struct watcher){.realm = realm};
	raw_connect(&w->raw, d->url);
	assert_becomes(hears(&w->raw), BOUND_MS);
	look(w, 1);
}

static void watcher_close(struct watcher *w)
{
	raw_close(&w->raw);
	free(w->bytes);
}

/* Until so many events have been seen, and no more come in a while. */
static void watch_until(struct watcher *w, size_t count)
{
	const uint64_t until_ms = now_mono_ms() + BOUND_MS;

	while (w->count < count && now_mono_ms() < until_ms) {
		look(w, 1000);
		assert_false(w->is_gap);
	}
	look(w, 300);
	if (w->count != count)
		fail_msg("%zu events, not %zu", w->count, count);
}

static void expect_event(const struct watcher *w, size_t i, Latchkey__V1__EventKind kind, const char *handle,
			 Latchkey__V1__Reason reason)
{
	const struct seen_event *e = &w->seen[i];

	if (e->kind != kind || e->reason != reason || strcmp(e->handle, handle) != 0)
		fail_msg("event %zu: kind %d, reason %d, %s; not %d, %d, %s", i, (int)e->kind, (int)e->reason,
			 e->handle, (int)kind, (int)reason, handle);
}

static void expect_nowhere(const struct watcher *w, const char *text)
{
	assert_null(memmem(w->bytes, w->bytes_len, text, strlen(text)));
}

/* ---- Sessions ---- */

struct session {
	char token[TOKEN_BYTES];
	char handle[HANDLE_BYTES];
};

static void create(struct raw *r, const char *realm, const char *user, const char *session_class, struct session *ret)
{
	struct session_seen seen;

	session_create(r,
		       &(struct session_wish){.realm = realm,
					      .user = user,
					      .session_class = session_class,
					      .key = "secret",
					      .value = "an attribute's value"},
		       ret->token);
	assert_int_equal(session_get(r, realm, ret->token, 0, &seen), OK);
	memcpy(ret->handle, seen.handle, sizeof(ret->handle));
}

static void test_once_and_in_order(void **state)
{
	struct raw *r = &scene.caller;
	struct watcher watchers[2];
	struct session first, evicted, last;
	struct session_seen seen;
	uint32_t revoked = 0;
	bool was_alive = false;

	(void)state;
	watcher_open(&watchers[0], &scene.service, NULL);
	watcher_open(&watchers[1], &second, NULL);
	create(r, NULL, "ann", NULL, &first);
	assert_int_equal(session_update(r, first.token, "theme", "dark", &seen), OK);
	assert_int_equal(session_update(r, first.token, "theme", "light", &seen), OK);
	assert_int_equal(session_revoke(r, first.token, &was_alive), OK);
	create(r, NULL, "bob", "tight", &evicted);
	create(r, NULL, "bob", "tight", &last);
	assert_int_equal(session_revoke_user(r, "bob", &revoked), OK);
	/* What changes nothing is no event. */
	assert_int_equal(session_revoke(r, first.token, &was_alive), OK);
	for (size_t i = 0; i < 2; i++) {
		struct watcher *w = &watchers[i];

		watch_until(w, 8);
		expect_event(w, 0, CREATED, first.handle, LATCHKEY__V1__REASON__REASON_NONE);
		expect_event(w, 1, UPDATED, first.handle, LATCHKEY__V1__REASON__REASON_NONE);
		expect_event(w, 2, UPDATED, first.handle, LATCHKEY__V1__REASON__REASON_NONE);
		expect_event(w, 3, REVOKED, first.handle, LATCHKEY__V1__REASON__LOGOUT);
		expect_event(w, 4, CREATED, evicted.handle, LATCHKEY__V1__REASON__REASON_NONE);
		expect_event(w, 5, EVICTED, evicted.handle, LATCHKEY__V1__REASON__EVICTED);
		expect_event(w, 6, CREATED, last.handle, LATCHKEY__V1__REASON__REASON_NONE);
		expect_event(w, 7, REVOKED, last.handle, LATCHKEY__V1__REASON__LOGOUT_EVERYWHERE);
		expect_nowhere(w, "lks1_");
		expect_nowhere(w, first.token + 5);
		expect_nowhere(w, last.token + 5);
		expect_nowhere(w, "bob");
		expect_nowhere(w, "attribute");
		watcher_close(w);
	}
}

/* Creations by both instances at once: each watcher sees all of them. */
static void test_both_instances_create(void **state)
{
	enum { EACH = 100 };
	struct raw other = {.fd = -1};
	struct watcher watchers[2];
	struct session made[2 * EACH];

	(void)state;
	raw_connect(&other, second.url);
	watcher_open(&watchers[0], &scene.service, NULL);
	watcher_open(&watchers[1], &second, NULL);
	for (size_t i = 0; i < 2 * EACH; i++) {
		char user[32];

		(void)snprintf(user, sizeof(user), "many-%zu", i);
		create(i % 2 == 0 ? &scene.caller : &other, NULL, user, NULL, &made[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		watch_until(&watchers[i], 2 * EACH);
		for (size_t k = 0; k < 2 * EACH; k++)
			expect_event(&watchers[i], k, CREATED, made[k].handle, LATCHKEY__V1__REASON__REASON_NONE);
		watcher_close(&watchers[i]);
	}
	raw_close(&other);
}

static void test_a_quiet_realm_tells_of_ends_only(void **state)
{
	Latchkey__V1__RevokeSessionRequest req = LATCHKEY__V1__REVOKE_SESSION_REQUEST__INIT;
	const struct raw_call revoke = {.method = "/latchkey.v1.Sessions/Revoke", .request = &req.base};
	struct watcher quiet, usual;
	struct session s;

	(void)state;
	watcher_open(&quiet, &second, "quiet");
	watcher_open(&usual, &second, NULL);
	create(&scene.caller, "quiet", "cid", NULL, &s);
	req.has_realm = req.has_handle = true;
	req.realm = raw_text("quiet");
	req.handle = raw_text(s.handle);
	raw_free(raw_call_expect(&scene.caller, OK, &revoke, NULL));
	watch_until(&quiet, 1);
	expect_event(&quiet, 0, REVOKED, s.handle, LATCHKEY__V1__REASON__LOGOUT);
	watch_until(&usual, 0);
	watcher_close(&quiet);
	watcher_close(&usual);
}

/* ---- Gaps ---- */

static Latchkey__V1__Code try_create(struct raw *r)
{
	char token[TOKEN_BYTES];

	return session_try_create(r, &(struct session_wish){.user = "after"}, token);
}

static void test_redis_restarted(void **state)
{
	const uint64_t until_ms = now_mono_ms() + BOUND_MS;
	struct watcher w;

	(void)state;
	watcher_open(&w, &second, NULL);
	ask(&w, BOUND_MS);
	redis_server_kill(&scene.redis);
	/* At once, for from now on events may be missed; */
	take(&w);
	assert_true(w.is_gap);
	assert_int_equal(w.count, 0);
	redis_server_start(&scene.redis);
	assert_becomes(try_create(&scene.caller) == OK, BOUND_MS);
	/* and when that is over, for they may have been. */
	do
		look(&w, 1000);
	while (!w.is_gap && now_mono_ms() < until_ms);
	assert_true(w.is_gap);
	while (w.count == 0 && now_mono_ms() < until_ms) {
		assert_int_equal(try_create(&scene.caller), OK);
		look(&w, 1000);
	}
	assert_true(w.count > 0);
	watcher_close(&w);
}

/* Who waits is answered before the end, and told by the next run that his cursor is of another. */
static void test_instance_restarted(void **state)
{
	struct watcher w;
	char cursor[65];

	(void)state;
	watcher_open(&w, &second, NULL);
	memcpy(cursor, w.cursor, sizeof(cursor));
	ask(&w, BOUND_MS);
	latchkeyd_stop(&second);
	take(&w);
	assert_int_equal(w.count, 0);
	assert_false(w.is_gap);
	watcher_close(&w);

	latchkeyd_start_serving(&second);
	watcher_open(&w, &second, NULL);
	memcpy(w.cursor, cursor, sizeof(cursor));
	look(&w, BOUND_MS);
	assert_true(w.is_gap);
	assert_int_equal(w.count, 0);
	/* Of the other instance: the same. */
	memcpy(cursor, w.cursor, sizeof(cursor));
	watcher_close(&w);
	watcher_open(&w, &scene.service, NULL);
	memcpy(w.cursor, cursor, sizeof(cursor));
	look(&w, BOUND_MS);
	assert_true(w.is_gap);
	watcher_close(&w);
}

/* ---- A cluster: every node passes on what any of them was told ---- */

/* Among the first events. */
static size_t count_of(const struct watcher *w, const char *handle, size_t first)
{
	size_t count = 0;

	for (size_t i = 0; i < first; i++)
		count += strcmp(w->seen[i].handle, handle) == 0;
	return count;
}

/* In order for each session; nodes do not wait for one another. */
static void test_once_in_a_cluster(void **state)
{
	enum { USERS = 40 };
	static struct redis_cluster cluster;
	struct latchkeyd service;
	struct watcher w;
	struct raw r;
	struct session_seen seen;

	(void)state;
	redis_cluster_open(&cluster, &(struct redis_cluster_options){.has_no_replicas = true});
	latchkeyd_init(&service, &(struct latchkeyd_options){.redis_url = cluster.url, .config = config});
	latchkeyd_start_serving(&service);
	raw_connect(&r, service.url);
	/* All three nodes are listened to. */
	assert_becomes(server_counter(&r, "latchkey_event_gaps_total") >= 3, BOUND_MS);
	watcher_open(&w, &service, NULL);
	for (unsigned i = 0; i < USERS; i++) {
		struct session s;
		char user[32];

		(void)snprintf(user, sizeof(user), "user-%u", i);
		create(&r, NULL, user, NULL, &s);
		assert_int_equal(session_update(&r, s.token, "theme", "dark", &seen), OK);
		assert_int_equal(session_update(&r, s.token, "theme", "light", &seen), OK);
	}
	watch_until(&w, 3UL * USERS);
	for (size_t i = 0; i < w.count; i++) {
		const size_t before = count_of(&w, w.seen[i].handle, i);

		assert_in_range(before, 0, 2);
		assert_int_equal(w.seen[i].kind, before == 0 ? CREATED : UPDATED);
	}
	assert_int_equal(server_counter(&r, "latchkey_events_heard_total"), 3 * USERS);
	assert_becomes(server_counter(&r, "latchkey_events_duplicate_total") == 2UL * 3 * USERS, BOUND_MS);
	watcher_close(&w);
	raw_close(&r);
	latchkeyd_end(&service);
	redis_cluster_close(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_once_and_in_order),
	    cmocka_unit_test(test_both_instances_create),
	    cmocka_unit_test(test_a_quiet_realm_tells_of_ends_only),
	    cmocka_unit_test(test_redis_restarted),
	    cmocka_unit_test(test_instance_restarted),
	    cmocka_unit_test(test_once_in_a_cluster),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
