#ifndef LK_TEST_CLIENT_UTIL_H
#define LK_TEST_CLIENT_UTIL_H

/* Short forms for the tests of calls and connections. Include after cmocka. */

#include <pthread.h>
#include <time.h>

#include "fake_server.h"
#include "latchkey/latchkey.h"

/* Long enough for a machine under sanitizers and other load, short enough to fail a test that hangs. */
#define LONG_MS 20000

static inline lk_client *open_to(const struct lk_options *extra, const char *url, const char *other_url)
{
	struct lk_options options = extra != NULL ? *extra : (struct lk_options)LK_OPTIONS_INIT;
	const char *urls[] = {url, other_url};
	lk_client *client = NULL;

	options.endpoints = urls;
	options.endpoint_count = other_url != NULL ? 2 : 1;
	if (options.call_timeout_ms == 0)
		options.call_timeout_ms = LONG_MS;
	assert_int_equal(lk_client_open(&options, &client, NULL), LK_OK);
	return client;
}

static inline enum lk_err health(lk_client *client, uint32_t timeout_ms, struct lk_error *error)
{
	struct lk_server_request request = LK_SERVER_REQUEST_INIT;
	enum lk_serving serving = LK_SERVING_UNKNOWN;
	enum lk_err err;

	request.timeout_ms = timeout_ms;
	err = lk_health(client, &request, &serving, error);
	assert_int_equal(serving == LK_SERVING, err == LK_OK);
	return err;
}

static inline uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Counts what callbacks bring, for tests to wait on. */
struct tally {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned ended;
	unsigned by_err[LK_E_TLS + 1];
};

static inline void tally_init(struct tally *tally)
{
	*tally = (struct tally){0};
	pthread_mutex_init(&tally->lock, NULL);
	pthread_cond_init(&tally->changed, NULL);
}

static inline void tally_add(struct tally *tally, enum lk_err err)
{
	pthread_mutex_lock(&tally->lock);
	tally->ended++;
	tally->by_err[err]++;
	pthread_cond_broadcast(&tally->changed);
	pthread_mutex_unlock(&tally->lock);
}

static inline void tally_callback(lk_call *call, enum lk_err err, void *arg)
{
	(void)call;
	tally_add(arg, err);
}

static inline void tally_wait(struct tally *tally, unsigned ended)
{
	struct timespec until;
	int waited = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LONG_MS / 1000;
	pthread_mutex_lock(&tally->lock);
	while (waited == 0 && tally->ended < ended)
		waited = pthread_cond_timedwait(&tally->changed, &tally->lock, &until);
	pthread_mutex_unlock(&tally->lock);
	assert_int_equal(waited, 0);
}

static inline void tally_clear(struct tally *tally)
{
	pthread_cond_destroy(&tally->changed);
	pthread_mutex_destroy(&tally->lock);
}

#endif
