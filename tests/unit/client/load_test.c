/* lk_auth_get_or_load against a scripted auth cache of one key: what it does with each answer, and how often it loads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_util.h"
#include "fake_cache.h"
#include "latchkey/auth.h"
#include "src/breaker.h"

#define THREADS	  32
#define A_LONG_MS 5000

/* ---- The loader, and whoever asks ---- */

struct source {
	atomic_uint loads;
	atomic_uint left_ms;
	const unsigned *until; /* it takes until this counter of the cache is so high */
	unsigned wanted;
	const char *answer; /* NULL: there is none */
	enum lk_err err;
	bool says_nothing;
};

static enum lk_err load(lk_auth_load *load, void *arg)
{
	struct source *source = arg;

	atomic_store(&source->left_ms, lk_auth_load_left_ms(load));
	atomic_fetch_add(&source->loads, 1);
	if (source->until != NULL)
		fake_cache_wait_for(source->until, source->wanted);
	if (source->err != LK_OK || source->says_nothing)
		return source->err;
	if (source->answer == NULL)
		return lk_auth_load_none(load);
	return lk_auth_load_found(load, lk_text(source->answer));
}

static struct lk_auth_get_request request_for(const char *key)
{
	struct lk_auth_get_request request = LK_AUTH_GET_REQUEST_INIT;

	request.subject = lk_text("ann");
	request.key = lk_text(key);
	request.lookup_ms = A_LONG_MS;
	return request;
}

static enum lk_auth_state get(struct source *source, const char *text, bool is_loaded)
{
	struct lk_auth_get_request request = request_for("may");
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer = NULL;
	enum lk_auth_state found;

	if (lk_auth_get_or_load(cache.client, &request, load, source, &answer, &error) != LK_OK) {
		fail_msg("%s: %s", lk_err_name(error.code), error.message);
		return LK_AUTH_UNKNOWN;
	}
	found = lk_auth_state_of(answer);
	assert_int_equal(lk_auth_answer_is_loaded(answer), is_loaded);
	if (text != NULL)
		assert_string_equal(lk_auth_answer_bytes(answer).data, text);
	else
		assert_null(lk_auth_answer_bytes(answer).data);
	lk_auth_answer_free(&answer);
	return found;
}

struct asker {
	pthread_t thread;
	struct source *source;
	enum lk_err err;
	lk_auth_answer *answer;
};

static void *ask(void *arg)
{
	struct lk_auth_get_request request = request_for("may");
	struct asker *asker = arg;

	asker->err = lk_auth_get_or_load(cache.client, &request, load, asker->source, &asker->answer, NULL);
	return NULL;
}

static void start(struct asker *askers, size_t count, struct source *source)
{
	for (size_t i = 0; i < count; i++) {
		askers[i] = (struct asker){.source = source};
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
	}
}

static void expect_all(struct asker *askers, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].err, LK_OK);
		assert_string_equal(lk_auth_answer_bytes(askers[i].answer).data, text);
		lk_auth_answer_free(&askers[i].answer);
	}
}

/* ---- What the server says ---- */

static void a_hit_and_a_negative_answer_load_nothing(void **state)
{
	struct source source = {.answer = "new"};

	(void)state;
	cache.state = STATE(HIT);
	strcpy(cache.answer, "kept");
	assert_int_equal(get(&source, "kept", false), LK_AUTH_HIT);
	/* An empty answer is one. */
	cache.answer[0] = '\0';
	assert_int_equal(get(&source, "", false), LK_AUTH_HIT);
	cache.state = STATE(NEGATIVE);
	assert_int_equal(get(&source, NULL, false), LK_AUTH_NEGATIVE);
	assert_int_equal(source.loads, 0);
	assert_int_equal(cache.fills, 0);
}

static void a_miss_is_loaded_and_kept(void **state)
{
	struct source source = {.answer = "new"};

	(void)state;
	assert_int_equal(get(&source, "new", true), LK_AUTH_HIT);
	assert_int_equal(get(&source, "new", false), LK_AUTH_HIT);
	assert_int_equal(source.loads, 1);
	assert_int_equal(cache.fills, 1);
	assert_int_equal(cache.lease_ms, LK_AUTH_LEASE_MS);
	assert_true(cache.load_ms > 0);
	assert_in_range(source.left_ms, 1, LK_AUTH_LEASE_MS);
}

static void none_is_an_answer(void **state)
{
	struct source source = {.answer = NULL};

	(void)state;
	assert_int_equal(get(&source, NULL, true), LK_AUTH_NEGATIVE);
	assert_true(cache.filled_negative);
	assert_int_equal(get(&source, NULL, false), LK_AUTH_NEGATIVE);
	assert_int_equal(source.loads, 1);
}

static void a_stale_answer_is_served_while_one_loads(void **state)
{
	struct source source = {.answer = "new"};
	struct asker asker;

	(void)state;
	cache.state = STATE(STALE);
	strcpy(cache.answer, "old");
	source.until = &cache.lookups;
	source.wanted = 2;
	start(&asker, 1, &source);
	fake_cache_wait_for(&cache.lookups, 1);
	/* The other has the lease, and loads until this one has its answer. */
	assert_int_equal(get(&source, "old", false), LK_AUTH_STALE);
	expect_all(&asker, 1, "new");
	assert_int_equal(source.loads, 1);
	assert_int_equal(get(&source, "new", false), LK_AUTH_HIT);
}

static void a_stale_answer_stands_in_for_a_loader_that_fails(void **state)
{
	struct source source = {.err = LK_E_UNAVAILABLE};

	(void)state;
	cache.state = STATE(STALE);
	strcpy(cache.answer, "old");
	assert_int_equal(get(&source, "old", false), LK_AUTH_STALE);
	assert_int_equal(source.loads, 1);
	/* Its lease must not be given back: to forget the key would forget the answer too. */
	assert_int_equal(cache.forgets, 0);
}

static void a_refused_fill_still_answers_whoever_loaded(void **state)
{
	struct source source = {.answer = "new"};

	(void)state;
	cache.refuses = true;
	assert_int_equal(get(&source, "new", true), LK_AUTH_HIT);
	assert_int_equal(cache.fills, 1);
}

/* ---- Many at once ---- */

static void many_threads_load_once(void **state)
{
	struct source source = {.answer = "new", .until = &cache.waits, .wanted = 1};
	struct asker askers[THREADS];

	(void)state;
	/* Another process could do no more than these: they wait at the server, one of them for all. */
	cache.leases = false;
	cache.state = STATE(WAIT);
	start(askers, THREADS, &source);
	fake_cache_wait_for(&cache.waits, 1);
	pthread_mutex_lock(&cache.lock);
	cache.state = STATE(MISS);
	cache.leases = true;
	fake_cache_answer_held();
	pthread_mutex_unlock(&cache.lock);
	expect_all(askers, THREADS, "new");
	assert_int_equal(source.loads, 1);
	assert_int_equal(cache.fills, 1);
}

static void a_cold_key_is_loaded_once(void **state)
{
	struct source source = {.answer = "new"};
	struct asker askers[THREADS];

	(void)state;
	start(askers, THREADS, &source);
	expect_all(askers, THREADS, "new");
	assert_int_equal(source.loads, 1);
}

static void an_answer_of_another_is_waited_for(void **state)
{
	struct source source = {.answer = "mine"};
	struct asker asker;

	(void)state;
	cache.state = STATE(WAIT);
	start(&asker, 1, &source);
	fake_cache_wait_for(&cache.waits, 1);
	pthread_mutex_lock(&cache.lock);
	cache.state = STATE(HIT);
	strcpy(cache.answer, "theirs");
	fake_cache_answer_held();
	pthread_mutex_unlock(&cache.lock);
	expect_all(&asker, 1, "theirs");
	assert_int_equal(source.loads, 0);
}

static void a_server_without_room_to_wait_is_not_pressed(void **state)
{
	struct source source = {.answer = "mine"};
	struct asker asker;

	(void)state;
	cache.state = STATE(WAIT);
	cache.parks = false;
	start(&asker, 1, &source);
	fake_cache_wait_for(&cache.waits, 3);
	pthread_mutex_lock(&cache.lock);
	cache.state = STATE(HIT);
	strcpy(cache.answer, "theirs");
	pthread_mutex_unlock(&cache.lock);
	expect_all(&asker, 1, "theirs");
	assert_int_equal(source.loads, 0);
}

static void the_deadline_ends_it(void **state)
{
	struct lk_auth_get_request request = request_for("may");
	struct source source = {.answer = "mine"};
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer = NULL;

	(void)state;
	cache.state = STATE(WAIT);
	cache.parks = false;
	request.timeout_ms = 100;
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load, &source, &answer, &error), LK_E_TIMED_OUT);
	assert_int_equal(error.code, LK_E_TIMED_OUT);
	assert_non_null(strstr(error.message, "100 ms"));
	assert_null(answer);
	assert_int_equal(source.loads, 0);
}

/* ---- Failures ---- */

static void a_loader_that_fails_gives_its_lease_back(void **state)
{
	struct lk_auth_get_request request = request_for("may");
	struct source source = {.err = LK_E_NOT_FOUND};
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer = NULL;

	(void)state;
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load, &source, &answer, &error), LK_E_NOT_FOUND);
	assert_non_null(strstr(error.message, "LK_E_NOT_FOUND"));
	assert_int_equal(cache.forgets, 1);
	assert_int_equal(cache.fills, 0);
	/* So the next one need not wait for its end. */
	source.err = LK_OK;
	source.answer = "new";
	assert_int_equal(get(&source, "new", true), LK_AUTH_HIT);
	assert_int_equal(cache.waits, 0);
}

static void a_loader_that_says_nothing_is_a_defect(void **state)
{
	struct lk_auth_get_request request = request_for("may");
	struct source source = {.says_nothing = true};
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer = NULL;

	(void)state;
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load, &source, &answer, &error), LK_E_MISUSE);
	assert_non_null(strstr(error.message, "lk_auth_load_found"));
}

static void the_loader_stands_in_for_a_server_that_is_away(void **state)
{
	struct lk_auth_get_request request = request_for("may");
	struct source source = {.answer = "new"};
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer = NULL;

	(void)state;
	cache.is_away = true;
	for (unsigned i = 0; i < 2 * BREAKER_FAILURES_MAX; i++)
		assert_int_equal(get(&source, "new", true), LK_AUTH_HIT);
	assert_int_equal(source.loads, 2 * BREAKER_FAILURES_MAX);
	assert_int_equal(cache.fills, 0);
	/* The breaker: one for each second at most, and this does not take that long. */
	assert_in_range(cache.lookups, BREAKER_FAILURES_MAX, 2 * BREAKER_FAILURES_MAX - 1);
	request.no_fallback = true;
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load, &source, &answer, &error), LK_E_UNAVAILABLE);
	assert_int_equal(source.loads, 2 * BREAKER_FAILURES_MAX);
	/* When it is back it is asked again. */
	cache.is_away = false;
	cache.state = STATE(HIT);
	strcpy(cache.answer, "kept");
	while (lk_auth_get_or_load(cache.client, &request, load, &source, &answer, NULL) != LK_OK)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	assert_string_equal(lk_auth_answer_bytes(answer).data, "kept");
	lk_auth_answer_free(&answer);
}

static void threads_without_a_server_load_one_at_a_time(void **state)
{
	struct source source = {.answer = "new"};
	struct asker askers[THREADS];

	(void)state;
	cache.is_away = true;
	start(askers, THREADS, &source);
	expect_all(askers, THREADS, "new");
	assert_in_range(source.loads, 1, THREADS);
	assert_int_equal(cache.fills, 0);
}

static void what_is_not_allowed_is_not_loaded(void **state)
{
	struct lk_auth_get_request request = request_for("may");
	struct source source = {.answer = "new"};
	lk_auth_answer *answer = NULL;

	(void)state;
	cache.is_denied = true;
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load, &source, &answer, NULL), LK_E_DENIED);
	assert_int_equal(source.loads, 0);
}

static void requests_have_limits(void **state)
{
	struct lk_auth_get_request request = request_for("may");
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer = NULL;

	(void)state;
	request.lease_ms = 9;
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load, NULL, &answer, &error),
			 LK_E_INVALID_ARGUMENT);
	assert_string_equal(error.message, "lease_ms is 9, not 10 to 60000");
	request = request_for("");
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load, NULL, &answer, &error),
			 LK_E_INVALID_ARGUMENT);
	request = request_for("may");
	request.struct_size = 8;
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load, NULL, &answer, &error),
			 LK_E_INVALID_ARGUMENT);
	assert_int_equal(cache.lookups, 0);
}

static enum lk_err load_too_much(lk_auth_load *load, void *arg)
{
	static char much[32769];

	assert_int_equal(lk_auth_load_found(load, lk_bytes_of(much, sizeof(much))), LK_E_INVALID_ARGUMENT);
	assert_int_equal(lk_auth_load_none(load), LK_OK);
	/* The last one counts. */
	assert_int_equal(lk_auth_load_found(load, lk_text("small")), LK_OK);
	assert_string_equal(lk_auth_load_subject(load).data, "ann");
	assert_string_equal(lk_auth_load_key(load).data, arg);
	return LK_OK;
}

static void answers_have_a_limit(void **state)
{
	struct lk_auth_get_request request = request_for("may");
	char expected[] = "may";
	lk_auth_answer *answer = NULL;

	(void)state;
	assert_int_equal(lk_auth_get_or_load(cache.client, &request, load_too_much, expected, &answer, NULL), LK_OK);
	assert_string_equal(lk_auth_answer_bytes(answer).data, "small");
	lk_auth_answer_free(&answer);
}

static void within_callback(lk_call *call, enum lk_err err, void *arg)
{
	struct lk_auth_get_request request = request_for("may");
	lk_auth_answer *answer = NULL;

	(void)call;
	(void)err;
	tally_add(arg, lk_auth_get_or_load(cache.client, &request, load, NULL, &answer, NULL));
}

static void a_callback_must_not_wait(void **state)
{
	struct lk_server_request request = LK_SERVER_REQUEST_INIT;
	struct tally tally;
	lk_call *call;

	(void)state;
	tally_init(&tally);
	assert_int_equal(lk_call_new(cache.client, within_callback, &tally, &call), LK_OK);
	assert_int_equal(lk_health_async(call, &request), LK_OK);
	tally_wait(&tally, 1);
	assert_int_equal(tally.by_err[LK_E_MISUSE], 1);
	lk_call_free(&call);
	tally_clear(&tally);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, fake_cache_open, fake_cache_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE(a_hit_and_a_negative_answer_load_nothing),
	    SCENE(a_miss_is_loaded_and_kept),
	    SCENE(none_is_an_answer),
	    SCENE(a_stale_answer_is_served_while_one_loads),
	    SCENE(a_stale_answer_stands_in_for_a_loader_that_fails),
	    SCENE(a_refused_fill_still_answers_whoever_loaded),
	    SCENE(many_threads_load_once),
	    SCENE(a_cold_key_is_loaded_once),
	    SCENE(an_answer_of_another_is_waited_for),
	    SCENE(a_server_without_room_to_wait_is_not_pressed),
	    SCENE(the_deadline_ends_it),
	    SCENE(a_loader_that_fails_gives_its_lease_back),
	    SCENE(a_loader_that_says_nothing_is_a_defect),
	    SCENE(the_loader_stands_in_for_a_server_that_is_away),
	    SCENE(threads_without_a_server_load_one_at_a_time),
	    SCENE(what_is_not_allowed_is_not_loaded),
	    SCENE(requests_have_limits),
	    SCENE(answers_have_a_limit),
	    SCENE(a_callback_must_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
