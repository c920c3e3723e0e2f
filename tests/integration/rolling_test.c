/* What an operator does while callers call: instances replaced one after the other, certificates renewed. No call
 * fails. */

#include <latchkey/latchkey.h>
#include <latchkey/watch.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/certificates.h"
#include "support/file.h"
#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define THREADS	     4
#define RESTARTS     20
#define RENEWALS     10
#define REPLACEMENTS 3 /* of an old connection, at one of the instances */
#define CONFIG_BYTES 2048
#define TOKEN_BYTES  106
/* Between two disturbances: calls of every thread, so that each meets connections in use. */
#define CALLS_BETWEEN 200

/* Callers that never pause, on one client. */
struct load {
	lk_client *client;
	pthread_t threads[THREADS];
	atomic_bool is_over;
	atomic_uint calls;
	atomic_uint failures;
	pthread_mutex_t lock;
	struct lk_error first; /* failure */
};

static void note(struct load *l, enum lk_err err, const struct lk_error *error)
{
	atomic_fetch_add(&l->calls, 1);
	if (err == LK_OK)
		return;
	pthread_mutex_lock(&l->lock);
	if (atomic_fetch_add(&l->failures, 1) == 0)
		l->first = *error;
	pthread_mutex_unlock(&l->lock);
}

static void create(struct load *l, char ret_token[TOKEN_BYTES])
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session = NULL;
	enum lk_err err;

	request.user = lk_text("ann");
	err = lk_session_create(l->client, &request, &session, &error);
	note(l, err, &error);
	if (err == LK_OK)
		(void)snprintf(ret_token, TOKEN_BYTES, "%s", lk_session_token(session));
	lk_session_free(&session);
}

static void get(struct load *l, const char *token)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	enum lk_verdict verdict = LK_UNKNOWN;
	enum lk_err err;

	request.token = lk_text(token);
	err = lk_session_get(l->client, &request, &verdict, NULL, &error);
	note(l, err == LK_OK && verdict != LK_VALID ? LK_E_SESSION_INVALID : err, &error);
}

static void end_session(struct load *l, const char *token)
{
	struct lk_session_revoke_request request = LK_SESSION_REVOKE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;

	request.token = lk_text(token);
	note(l, lk_session_revoke(l->client, &request, NULL, &error), &error);
}

static void *call_on(void *arg)
{
	struct load *l = arg;

	while (!atomic_load(&l->is_over)) {
		char token[TOKEN_BYTES] = "";

		create(l, token);
		for (int i = 0; i < 8 && token[0] != '\0'; i++)
			get(l, token);
		if (token[0] != '\0')
			end_session(l, token);
	}
	return NULL;
}

static void load_start(struct load *l, lk_client *client)
{
	memset(l, 0, sizeof(*l));
	l->client = client;
	pthread_mutex_init(&l->lock, NULL);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&l->threads[i], NULL, call_on, l), 0);
}

static void load_await(struct load *l, unsigned more)
{
	const unsigned wanted = atomic_load(&l->calls) + more;

	assert_becomes(atomic_load(&l->calls) >= wanted, BOUND_MS);
}

static void load_end(struct load *l)
{
	atomic_store(&l->is_over, true);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(l->threads[i], NULL);
	if (l->failures > 0)
		fail_msg("%u of %u calls failed, the first: %s", l->failures, l->calls, l->first.message);
	print_message("%u calls, none failed\n", l->calls);
	pthread_mutex_destroy(&l->lock);
	lk_client_close(&l->client);
}

static lk_client *client_of(struct lk_options *options, const char *url, const char *other_url)
{
	const char *const endpoints[] = {url, other_url};
	lk_client *client = NULL;

	options->endpoints = endpoints;
	options->endpoint_count = other_url == NULL ? 1 : 2;
	options->call_timeout_ms = BOUND_MS;
	assert_int_equal(lk_client_open(options, &client, NULL), LK_OK);
	options->endpoints = NULL; /* the client has copied them */
	return client;
}

static void test_two_instances_restarted_in_turn(void **state)
{
	static const char config[] = "drain: { delay_ms: 100 }\n";
	struct lk_options options = LK_OPTIONS_INIT;
	struct latchkeyd second; /* which drains without a delay */
	struct scene scene;
	struct load load;

	(void)state;
	scene_open(&scene, config, NULL);
	scene_add(&scene, NULL, scene.redis.url, &second);
	load_start(&load, client_of(&options, scene.service.url, second.url));
	load_await(&load, CALLS_BETWEEN);
	for (int i = 0; i < RESTARTS; i++) {
		struct latchkeyd *next = i % 2 == 0 ? &scene.service : &second;

		latchkeyd_stop(next);
		latchkeyd_start_serving(next);
		load_await(&load, CALLS_BETWEEN);
	}
	load_end(&load);
	latchkeyd_end(&second);
	scene_close(&scene);
}

/* Somebody who watches all the while. */
struct watcher {
	lk_client *client;
	pthread_t thread;
	atomic_bool is_over;
	atomic_uint events;
	atomic_uint answers;
	atomic_uint gaps;
	atomic_uint failures;
};

static void *watch_on(void *arg)
{
	struct watcher *w = arg;
	struct lk_session_watch_request request = LK_SESSION_WATCH_REQUEST_INIT;
	lk_events *events = NULL;

	request.timeout_ms = BOUND_MS;
	request.events_max = 500;
	while (!atomic_load(&w->is_over)) {
		lk_events *next = NULL;

		if (lk_session_watch(w->client, &request, &next, NULL) != LK_OK) {
			atomic_fetch_add(&w->failures, 1);
			continue;
		}
		lk_events_free(&events);
		events = next;
		request.cursor = lk_events_cursor(events);
		atomic_fetch_add(&w->gaps, lk_events_gap(events));
		atomic_fetch_add(&w->events, (unsigned)lk_events_count(events));
		atomic_fetch_add(&w->answers, 1);
	}
	lk_events_free(&events);
	return NULL;
}

static void watcher_start(struct watcher *w, lk_client *client)
{
	memset(w, 0, sizeof(*w));
	w->client = client;
	assert_int_equal(pthread_create(&w->thread, NULL, watch_on, w), 0);
}

/* While events still come. */
static void watcher_end(struct watcher *w)
{
	atomic_store(&w->is_over, true);
	pthread_join(w->thread, NULL);
	assert_int_equal(w->failures, 0);
	assert_int_equal(w->gaps, 0);
	assert_int_not_equal(w->events, 0);
	print_message("%u events in %u answers, no gap\n", w->events, w->answers);
}

/* By a connection that is young. */
static uint64_t accepted(struct scene *scene)
{
	scene_reconnect(scene);
	return server_counter(&scene->caller, "latchkey_connections_accepted_total");
}

/* Connections that are old are replaced all the time, and each by one to the same instance: who watches misses
 * nothing. */
static void test_connections_age(void **state)
{
	static const char config[] = "connections: { age_max_ms: 2000 }\n";
	struct lk_options options = LK_OPTIONS_INIT;
	struct latchkeyd second;
	struct watcher watcher;
	struct scene scene;
	struct load load;
	uint64_t before;
	unsigned own = 0; /* those of this test itself */

	(void)state;
	scene_open(&scene, config, NULL);
	scene_add(&scene, config, scene.redis.url, &second);
	before = accepted(&scene);
	load_start(&load, client_of(&options, scene.service.url, second.url));
	watcher_start(&watcher, load.client);
	assert_becomes(accepted(&scene) >= before + ++own + REPLACEMENTS, 2 * BOUND_MS);
	watcher_end(&watcher);
	load_end(&load);
	latchkeyd_end(&second);
	scene_close(&scene);
}

/* An instance over mutual TLS, the files of its certificate, and callers. */
struct secure {
	struct redis_server redis;
	struct latchkeyd service;
	struct tmpdir dir;
	struct certificates files;
	struct lk_options options;
};

static void secure_open(struct secure *s)
{
	char config[CONFIG_BYTES];

	memset(s, 0, sizeof(*s));
	tmpdir_make(&s->dir);
	certificates_make(&s->files, &s->dir);
	(void)snprintf(config, sizeof(config),
		       "listen:\n  - { url: \"tls+tcp://127.0.0.1:0\", tls: { cert: %s, key: %s, client_ca: %s } }\n",
		       s->files.server, s->files.server_key, s->files.ca);
	redis_server_init(&s->redis, NULL);
	redis_server_start(&s->redis);
	latchkeyd_init(&s->service,
		       &(struct latchkeyd_options){.redis_url = s->redis.url, .config = config, .listen_url = ""});
	latchkeyd_start(&s->service);
	s->options = (struct lk_options)LK_OPTIONS_INIT;
	s->options.tls_ca_file = s->files.ca;
	s->options.tls_cert_file = s->files.client;
	s->options.tls_key_file = s->files.client_key;
	s->options.tls_server_name = CERTIFICATE_NAME;
}

static void secure_close(struct secure *s)
{
	latchkeyd_end(&s->service);
	redis_server_remove(&s->redis);
	tmpdir_remove(&s->dir);
}

static unsigned reloads_logged(const struct secure *s)
{
	char *log = latchkeyd_log(&s->service);
	unsigned count = 0;

	for (const char *at = log; (at = strstr(at, "certificates_reloaded")) != NULL; at++)
		count++;
	free(log);
	return count;
}

/* Whether whoever connects now is shown the certificate that is in the file. */
static bool shows_its_file(const struct secure *s)
{
	const char *const argv[] = {
	    "openssl", "s_client",	"-connect", strstr(s->service.url, "127."),
	    "-cert",   s->files.client, "-key",	    s->files.client_key,
	    "-CAfile", s->files.ca,	NULL,
	};
	char *file = file_read(s->files.server, NULL);
	struct run_result result;
	bool is_it;

	run_capture(argv, NULL, "", BOUND_MS, &result);
	is_it = strstr(result.out, file) != NULL;
	run_result_free(&result);
	free(file);
	return is_it;
}

/* Clients that come, ask once and go: each a handshake, whatever certificate is in force at that moment. */
struct guests {
	const struct secure *secure;
	pthread_t thread;
	struct load load; /* what it counts in */
};

static void *come_and_go(void *arg)
{
	struct guests *g = arg;

	while (!atomic_load(&g->load.is_over)) {
		struct lk_options options = g->secure->options;
		struct lk_server_request request = LK_SERVER_REQUEST_INIT;
		struct lk_error error = LK_ERROR_INIT;
		lk_client *client = client_of(&options, g->secure->service.url, NULL);
		enum lk_serving serving;

		note(&g->load, lk_health(client, &request, &serving, &error), &error);
		lk_client_close(&client);
	}
	return NULL;
}

static void guests_start(struct guests *g, const struct secure *s)
{
	memset(g, 0, sizeof(*g));
	g->secure = s;
	pthread_mutex_init(&g->load.lock, NULL);
	assert_int_equal(pthread_create(&g->thread, NULL, come_and_go, g), 0);
}

static void guests_end(struct guests *g)
{
	atomic_store(&g->load.is_over, true);
	pthread_join(g->thread, NULL);
	if (g->load.failures > 0)
		fail_msg("%u of %u new clients failed, the first: %s", g->load.failures, g->load.calls,
			 g->load.first.message);
	print_message("%u new clients, none failed\n", g->load.calls);
	pthread_mutex_destroy(&g->load.lock);
}

static void test_certificates_renewed(void **state)
{
	struct guests guests;
	struct secure s;
	struct load load;

	(void)state;
	secure_open(&s);
	load_start(&load, client_of(&s.options, s.service.url, NULL));
	guests_start(&guests, &s);
	for (unsigned i = 1; i <= RENEWALS; i++) {
		load_await(&load, CALLS_BETWEEN);
		load_await(&guests.load, 2);
		certificates_sign(&s.files, s.files.server, s.files.server_key);
		process_signal(&s.service.process, SIGHUP);
		assert_becomes(reloads_logged(&s) == i, BOUND_MS);
		assert_true(shows_its_file(&s));
	}
	guests_end(&guests);
	load_end(&load);
	secure_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_two_instances_restarted_in_turn),
	    cmocka_unit_test(test_connections_age),
	    cmocka_unit_test(test_certificates_renewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
