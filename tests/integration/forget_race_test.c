/* Threads of two clients get or load one key while the truth changes and the key is forgotten: whoever asks after a
 * forgetting was acknowledged never sees what was true before it. Threads note what they saw; the main thread judges. */

#include <latchkey/auth.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "support/scene.h"
#include "support/wait.h"

#define CLIENTS 2
#define READERS 16
#define ROUNDS	400

static struct scene scene;
static struct latchkeyd other;
static lk_client *clients[CLIENTS];

/* The truth, and what of it was forgotten and acknowledged: readers that come later must see at least that. */
static atomic_ulong truth;
static atomic_ulong acknowledged;
static atomic_bool is_over;
static atomic_ulong loads;

static int open_all(void **state)
{
	(void)state;
	scene_open(&scene, NULL, NULL);
	scene_add(&scene, NULL, scene.redis.url, &other);
	for (size_t i = 0; i < CLIENTS; i++) {
		const char *const endpoints[] = {i == 0 ? scene.service.url : other.url};
		struct lk_options options = LK_OPTIONS_INIT;

		options.endpoints = endpoints;
		options.endpoint_count = 1;
		options.call_timeout_ms = BOUND_MS;
		assert_int_equal(lk_client_open(&options, &clients[i], NULL), LK_OK);
	}
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < CLIENTS; i++)
		lk_client_close(&clients[i]);
	latchkeyd_end(&other);
	scene_close(&scene);
	return 0;
}

/* Reads first and takes its time: the more often it is overtaken, the better. */
static enum lk_err load(lk_auth_load *load, void *arg)
{
	unsigned *seed = arg;
	char text[24];

	snprintf(text, sizeof(text), "%lu", atomic_load(&truth));
	atomic_fetch_add(&loads, 1);
	nanosleep(&(struct timespec){.tv_nsec = rand_r(seed) % 2000000}, NULL);
	return lk_auth_load_found(load, lk_text(text));
}

struct reader {
	pthread_t thread;
	lk_client *client;
	unsigned seed;
	unsigned long reads;
	unsigned long wanted; /* of the first that was too old: at least this was to be seen, */
	unsigned long seen;   /* and this was */
	enum lk_err err;
	bool is_wrong;
};

static void read_once(struct reader *r)
{
	struct lk_auth_get_request get = LK_AUTH_GET_REQUEST_INIT;
	unsigned long wanted = atomic_load(&acknowledged);
	lk_auth_answer *answer = NULL;
	unsigned long seen;

	get.subject = lk_text("ann");
	get.key = lk_text("role");
	get.timeout_ms = BOUND_MS;
	get.lookup_ms = BOUND_MS / 2;
	r->err = lk_auth_get_or_load(r->client, &get, load, &r->seed, &answer, NULL);
	if (r->err != LK_OK)
		return;
	seen = strtoul(lk_auth_answer_bytes(answer).data, NULL, 10);
	lk_auth_answer_free(&answer);
	r->reads++;
	r->is_wrong = seen < wanted;
	r->wanted = wanted;
	r->seen = seen;
}

static void *read_on(void *arg)
{
	struct reader *r = arg;

	while (!atomic_load(&is_over) && r->err == LK_OK && !r->is_wrong)
		read_once(r);
	return NULL;
}

static enum lk_err change_and_forget(struct lk_error *error)
{
	struct lk_auth_forget_request forget = LK_AUTH_FORGET_REQUEST_INIT;
	unsigned long now = atomic_fetch_add(&truth, 1) + 1;
	enum lk_err err;

	forget.subject = lk_text("ann");
	/* By key, and by subject. */
	forget.key = lk_text(now % 3 == 0 ? NULL : "role");
	err = lk_auth_forget(clients[now % CLIENTS], &forget, NULL, error);
	if (err == LK_OK)
		atomic_store(&acknowledged, now);
	return err;
}

static void nobody_sees_what_was_forgotten(void **state)
{
	struct reader readers[READERS] = {0};
	struct lk_error error = LK_ERROR_INIT;
	enum lk_err err = LK_OK;
	unsigned long reads = 0;

	(void)state;
	for (unsigned i = 0; i < READERS; i++) {
		readers[i].client = clients[i % CLIENTS];
		readers[i].seed = i;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	}
	for (unsigned i = 0; i < ROUNDS && err == LK_OK; i++) {
		err = change_and_forget(&error);
		nap_ms(i % 5);
	}
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	if (err != LK_OK)
		fail_msg("forget: %s", error.message);
	for (unsigned i = 0; i < READERS; i++) {
		if (readers[i].err != LK_OK)
			fail_msg("reader %u: %s", i, lk_err_name(readers[i].err));
		if (readers[i].is_wrong)
			fail_msg("reader %u saw %lu after %lu was acknowledged", i, readers[i].seen, readers[i].wanted);
		reads += readers[i].reads;
	}
	print_message("%lu reads and %lu loads over %d changes\n", reads, atomic_load(&loads), ROUNDS);
	/* It was a race, or it proved nothing: answers were kept, and were forgotten. */
	assert_true(atomic_load(&loads) > ROUNDS / 10 && reads > 2 * atomic_load(&loads));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_sees_what_was_forgotten)};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
