/* A lock of the library that is held for longer than its ttl, by the real service: extended, lost, handed on. */

#include <latchkey/lock.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/scene.h"
#include "support/wait.h"

#define TTL_MS 1000

static struct scene scene;
static lk_client *client;
static atomic_uint lost;

static void open_client(const char *url)
{
	const char *const endpoints[] = {url};
	struct lk_options options = LK_OPTIONS_INIT;

	options.endpoints = endpoints;
	options.endpoint_count = 1;
	options.call_timeout_ms = BOUND_MS;
	assert_int_equal(lk_client_open(&options, &client, NULL), LK_OK);
}

static int open_all(void **state)
{
	(void)state;
	scene_open(&scene, NULL, NULL);
	open_client(scene.service.url);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	lk_client_close(&client);
	scene_close(&scene);
	return 0;
}

static void note_lost(lk_lock *lock, void *arg)
{
	(void)lock;
	(void)arg;
	atomic_fetch_add(&lost, 1);
}

static lk_lock *hold(const char *name, uint32_t ttl_ms, uint32_t wait_ms)
{
	struct lk_lock_acquire_request request = LK_LOCK_ACQUIRE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_lock *lock = NULL;

	request.name = lk_text(name);
	request.ttl_ms = ttl_ms;
	request.lock_wait_ms = wait_ms;
	if (lk_lock_hold(client, &request, note_lost, NULL, &lock, &error) != LK_OK)
		fail_msg("%s: %s", lk_err_name(error.code), error.message);
	return lock;
}

static void it_is_held_past_its_ttl(void **state)
{
	lk_lock *first = hold("report", TTL_MS, 0), *second;
	uint64_t until_ms = now_mono_ms() + 3 * TTL_MS;
	uint64_t token;

	(void)state;
	assert_non_null(first);
	token = lk_lock_fencing_token(first);
	/* Nobody gets it meanwhile; unless this machine stood still for a second, and then its holder knows. */
	while (now_mono_ms() < until_ms && lk_lock_is_held(first)) {
		second = hold("report", TTL_MS, 0);
		assert_true(second == NULL || !lk_lock_is_held(first));
		lk_lock_drop(&second);
		nap_ms(20);
	}
	lk_lock_drop(&first);
	second = hold("report", TTL_MS, BOUND_MS / 2);
	assert_non_null(second);
	assert_true(lk_lock_fencing_token(second) > token);
	lk_lock_drop(&second);
}

static void its_holder_learns_that_it_is_lost(void **state)
{
	lk_lock *lock = hold("upload", TTL_MS, 0);

	(void)state;
	assert_non_null(lock);
	atomic_store(&lost, 0);
	/* Whoever deletes keys in Redis ends locks. */
	freeReplyObject(redis_server_command(&scene.redis, "FLUSHALL"));
	assert_becomes(atomic_load(&lost) == 1, BOUND_MS);
	assert_false(lk_lock_is_held(lock));
	lk_lock_drop(&lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_held_past_its_ttl),
					   cmocka_unit_test(its_holder_learns_that_it_is_lost)};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
