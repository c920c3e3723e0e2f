/* Limits, locks and visitors over one server, Sentinels and a cluster, by the same tests, with two instances: what one
 * instance has granted the other knows, also when the primary has changed. */

#include <latchkey/limit.h>
#include <latchkey/lock.h>
#include <latchkey/visitors.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/deployment.h"
#include "support/wait.h"

#define INSTANCES 2
/* Longer than the test: nothing ends but what it ends. */
#define LONG_MS	   600000
#define COUNTERS   8
#define EACH	   20
#define ALGORITHMS 4

struct stage {
	struct deployment deployment;
	lk_client *clients[INSTANCES];
};

static lk_client *open_client(const char *url)
{
	const char *const endpoints[] = {url};
	struct lk_options options = LK_OPTIONS_INIT;
	lk_client *client;

	options.endpoints = endpoints;
	options.endpoint_count = 1;
	options.call_timeout_ms = BOUND_MS;
	assert_int_equal(lk_client_open(&options, &client, NULL), LK_OK);
	return client;
}

static int stage_open(void **state, enum deployment_mode mode)
{
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	deployment_open(&s->deployment, &(struct deployment_options){.mode = mode, .instances = INSTANCES});
	for (int i = 0; i < INSTANCES; i++)
		s->clients[i] = open_client(s->deployment.services[i].url);
	*state = s;
	return 0;
}

static int open_standalone(void **state)
{
	return stage_open(state, STANDALONE);
}

static int open_sentinels(void **state)
{
	return stage_open(state, SENTINELS);
}

static int open_cluster(void **state)
{
	return stage_open(state, CLUSTER);
}

static int stage_close(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < INSTANCES; i++)
		lk_client_close(&s->clients[i]);
	deployment_close(&s->deployment);
	free(s);
	return 0;
}

/* One that keeps nothing on disk, and has forgotten all; or a replica takes over. */
static void change_primary(struct deployment *d)
{
	deployment_fail_over(d);
	if (d->mode != STANDALONE)
		return;
	redis_server_kill(&d->single);
	redis_server_start(&d->single);
}

#define CALL(function, ...)                                                                                            \
	do {                                                                                                           \
		struct lk_error error_ = LK_ERROR_INIT;                                                                \
                                                                                                                       \
		if (function(__VA_ARGS__, &error_) != LK_OK)                                                           \
			fail_msg("%s: %s: %s", #function, lk_err_name(error_.code), error_.message);                   \
	} while (0)

/* ---- Limits ---- */

static struct lk_limit_state check(struct stage *s, int instance, int name, uint32_t cost)
{
	struct lk_limit_check_request request = LK_LIMIT_CHECK_REQUEST_INIT;
	struct lk_limit_state state = LK_LIMIT_STATE_INIT;
	char text[32];

	snprintf(text, sizeof(text), "limit %d", name);
	request.name = lk_text(text);
	request.algorithm = (enum lk_limit_algorithm)(name % ALGORITHMS);
	request.limit = 5;
	request.per_ms = LONG_MS;
	request.cost = cost;
	request.peek = cost == 0;
	CALL(lk_limit_check, s->clients[instance], &request, &state);
	return state;
}

/* Several of each algorithm: of all shards. */
static void test_limits_are_shared(void **state)
{
	struct stage *s = *state;

	for (int name = 0; name < 3 * ALGORITHMS; name++) {
		assert_int_equal(check(s, 0, name, 3).remaining, 2);
		assert_false(check(s, 1, name, 3).allowed);
		assert_int_equal(check(s, 1, name, 0).remaining, 2);
		assert_int_equal(check(s, 1, name, 2).remaining, 0);
		assert_false(check(s, 0, name, 1).allowed);
		assert_in_range(check(s, 0, name, 1).retry_after_ms, 1, LONG_MS);
	}
}

static void test_limits_are_reset(void **state)
{
	struct lk_limit_reset_request request = LK_LIMIT_RESET_REQUEST_INIT;
	struct stage *s = *state;
	bool existed;

	while (check(s, 0, 0, 1).allowed)
		;
	request.name = lk_text("limit 0");
	CALL(lk_limit_reset, s->clients[1], &request, &existed);
	assert_true(existed);
	assert_int_equal(check(s, 0, 0, 1).remaining, 4);
}

/* ---- Locks ---- */

static struct lk_lock_state acquire(struct stage *s, int instance, const char *name, uint32_t ttl_ms, uint32_t wait_ms)
{
	struct lk_lock_acquire_request request = LK_LOCK_ACQUIRE_REQUEST_INIT;
	struct lk_lock_state state = LK_LOCK_STATE_INIT;

	request.name = lk_text(name);
	request.ttl_ms = ttl_ms;
	request.lock_wait_ms = wait_ms;
	CALL(lk_lock_acquire, s->clients[instance], &request, &state);
	return state;
}

/* As whoever has it now. */
static struct lk_lock_state extend(struct stage *s, int instance, const char *name, const struct lk_lock_state *held)
{
	struct lk_lock_extend_request request = LK_LOCK_EXTEND_REQUEST_INIT;
	struct lk_lock_state state = LK_LOCK_STATE_INIT;

	request.name = lk_text(name);
	request.owner = lk_lock_owner(held);
	request.ttl_ms = LONG_MS;
	CALL(lk_lock_extend, s->clients[instance], &request, &state);
	return state;
}

/* "No", or for a while after the service has found its primary, that it cannot tell. */
static void expect_lost(struct stage *s, int instance, const char *name, const struct lk_lock_state *held)
{
	struct lk_lock_extend_request request = LK_LOCK_EXTEND_REQUEST_INIT;
	struct lk_lock_state state = LK_LOCK_STATE_INIT;
	enum lk_err err;

	request.name = lk_text(name);
	request.owner = lk_lock_owner(held);
	request.ttl_ms = LONG_MS;
	err = lk_lock_extend(s->clients[instance], &request, &state, NULL);
	assert_true(err == LK_OK || err == LK_E_UNAVAILABLE);
	assert_false(state.held);
}

static bool release(struct stage *s, int instance, const char *name, const struct lk_lock_state *held)
{
	struct lk_lock_release_request request = LK_LOCK_RELEASE_REQUEST_INIT;
	bool released = false;

	request.name = lk_text(name);
	request.owner = lk_lock_owner(held);
	CALL(lk_lock_release, s->clients[instance], &request, &released);
	return released;
}

static void test_a_lock_has_one_holder(void **state)
{
	struct stage *s = *state;
	struct lk_lock_state first = acquire(s, 0, "a", LONG_MS, 0), second;

	assert_true(first.held);
	assert_false(acquire(s, 1, "a", LONG_MS, 0).held);
	assert_true(extend(s, 1, "a", &first).fencing_token == first.fencing_token);
	assert_true(release(s, 1, "a", &first));
	second = acquire(s, 1, "a", LONG_MS, 0);
	assert_true(second.held && second.fencing_token > first.fencing_token);
	expect_lost(s, 0, "a", &first);
	assert_false(acquire(s, 0, "a", LONG_MS, 0).held);
	assert_true(release(s, 0, "a", &second));
}

static void test_who_waits_gets_it_when_it_ends(void **state)
{
	struct stage *s = *state;
	const struct lk_lock_state first = acquire(s, 0, "b", 200, 0);
	const struct lk_lock_state second = acquire(s, 1, "b", LONG_MS, BOUND_MS);

	assert_true(first.held && second.held);
	assert_true(second.fencing_token > first.fencing_token);
}

/* ---- Visitors ---- */

static void record(struct stage *s, int instance, int counter)
{
	struct lk_visitors_record_request request = LK_VISITORS_RECORD_REQUEST_INIT;
	struct lk_bytes ids[EACH];
	char text[EACH][24];
	char name[24];

	/* Half of a counter's come to the next one too. */
	for (int i = 0; i < EACH; i++) {
		snprintf(text[i], sizeof(text[i]), "visitor %d", counter * EACH / 2 + i);
		ids[i] = lk_text(text[i]);
	}
	snprintf(name, sizeof(name), "page/%d", counter);
	request.counter = name;
	request.ids = ids;
	request.id_count = EACH;
	CALL(lk_visitors_record, s->clients[instance], &request, NULL);
}

/* Of the first so many counters, today and yesterday: it may have become midnight. */
static uint64_t count(struct stage *s, int instance, size_t counters)
{
	struct lk_visitors_count_request request = LK_VISITORS_COUNT_REQUEST_INIT;
	const char *names[COUNTERS];
	char text[COUNTERS][32];
	uint64_t visitors = 0;

	for (size_t i = 0; i < counters; i++) {
		snprintf(text[i], sizeof(text[i]), "page/%zu", i);
		names[i] = text[i];
	}
	request.counters = names;
	request.counter_count = counters;
	request.from_ms = now_wall_ms() - 86400000;
	CALL(lk_visitors_count, s->clients[instance], &request, &visitors, NULL);
	return visitors;
}

/* Of so few nearly each has a register of its own, but ids are hashed under a key that is random. */
static void expect_count(uint64_t visitors, uint64_t wanted)
{
	assert_in_range(visitors, wanted - 3, wanted + 3);
}

static void test_visitors_are_counted_over_shards(void **state)
{
	struct stage *s = *state;

	for (int counter = 0; counter < COUNTERS; counter++)
		record(s, counter % INSTANCES, counter);
	for (int instance = 0; instance < INSTANCES; instance++) {
		expect_count(count(s, instance, 1), EACH);
		expect_count(count(s, instance, COUNTERS), (COUNTERS + 1) * EACH / 2);
	}
}

/* ---- Another primary ---- */

/* The last: what the others need of the servers is as it was. */
static void test_what_was_acknowledged_is_there_after_a_failover(void **state)
{
	struct stage *s = *state;
	struct lk_lock_state held[6], later;
	char name[24];

	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "held %d", i);
		held[i] = acquire(s, i % INSTANCES, name, LONG_MS, 0);
		assert_true(held[i].held);
	}
	for (int counter = 0; counter < COUNTERS; counter++)
		record(s, counter % INSTANCES, counter);
	change_primary(&s->deployment);
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "held %d", i);
		assert_false(acquire(s, (i + 1) % INSTANCES, name, LONG_MS, 0).held);
		assert_true(extend(s, (i + 1) % INSTANCES, name, &held[i]).fencing_token == held[i].fencing_token);
		assert_true(release(s, i % INSTANCES, name, &held[i]));
		later = acquire(s, (i + 1) % INSTANCES, name, LONG_MS, 0);
		assert_true(later.held && later.fencing_token > held[i].fencing_token);
	}
	expect_count(count(s, 0, COUNTERS), (COUNTERS + 1) * EACH / 2);
	/* A limit may have forgotten what was taken; it answers, and refuses what is over it. */
	for (int i = 0; i < 6; i++)
		(void)check(s, i % INSTANCES, 100, 1);
	assert_false(check(s, 0, 100, 1).allowed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_limits_are_shared),
	    cmocka_unit_test(test_limits_are_reset),
	    cmocka_unit_test(test_a_lock_has_one_holder),
	    cmocka_unit_test(test_who_waits_gets_it_when_it_ends),
	    cmocka_unit_test(test_visitors_are_counted_over_shards),
	    cmocka_unit_test(test_what_was_acknowledged_is_there_after_a_failover),
	};

	return cmocka_run_group_tests_name("standalone", tests, open_standalone, stage_close) +
	       cmocka_run_group_tests_name("sentinels", tests, open_sentinels, stage_close) +
	       cmocka_run_group_tests_name("cluster", tests, open_cluster, stage_close);
}
