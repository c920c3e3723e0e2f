/* The store on a primary, two replicas and three Sentinels: all real. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "support/redis_sentinels.h"
#include "support/wait.h"
#include "writers.h"

enum { THREADS = 4, DEADLINE_MS = 20000 };

struct scene {
	struct redis_sentinels set;
	struct events events;
	struct redis_options options;
	redis *redis;
};

static int set_up_with(void **state, const struct redis_sentinels_options *options)
{
	static struct scene scene;

	scene = (struct scene){.events = EVENTS_INIT};
	redis_sentinels_open(&scene.set, options);
	scene.options = options_for_failover(scene.set.url, &scene.events);
	*state = &scene;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, NULL);
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	redis_close(&s->redis);
	redis_sentinels_close(&s->set);
	return 0;
}

static bool serves(struct scene *s, unsigned node)
{
	struct store_node nodes[32];
	size_t count = store_nodes(redis_store(s->redis), nodes, 32);
	char address[64];

	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", s->set.nodes[node].port);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(nodes[i].state, "serving") == 0)
			return strcmp(nodes[i].address, address) == 0;
	}
	return false;
}

static void finds_the_primary(void **state)
{
	struct scene *s = *state;
	struct store_node nodes[32];
	struct store_state st;
	unsigned sentinels = 0;
	unsigned replicas = 0;
	size_t count;

	s->redis = open_ready(&s->options);
	call_expect(s->redis, "SET k v", STORE_REPLIED, "OK");
	assert_true(serves(s, 0));
	store_get_state(redis_store(s->redis), &st);
	assert_string_equal(st.mode, "sentinel");
	/* The replicas are told a moment later. */
	assert_becomes(store_nodes(redis_store(s->redis), nodes, 32) == 6, BOUND_MS);
	count = store_nodes(redis_store(s->redis), nodes, 32);
	for (size_t i = 0; i < count; i++) {
		sentinels += strcmp(nodes[i].role, "sentinel") == 0;
		replicas += strcmp(nodes[i].role, "replica") == 0;
	}
	assert_int_equal(sentinels, 3);
	assert_int_equal(replicas, 2);
}

static void survives_a_killed_primary(void **state)
{
	struct scene *s = *state;
	struct writers_result result;
	struct writers *w;
	unsigned next;

	s->redis = open_ready(&s->options);
	w = writers_start(s->redis, THREADS, DEADLINE_MS);
	assert_becomes(writers_count(w) > 500, BOUND_MS);
	redis_sentinels_kill(&s->set, 0);
	next = redis_sentinels_wait_successor(&s->set, 0);
	assert_becomes(serves(s, next), BOUND_MS);
	/* It comes back as the primary that it was, until the Sentinels tell it otherwise. */
	redis_sentinels_start(&s->set, 0);
	redis_sentinels_wait_well(&s->set);
	assert_true(serves(s, next));
	writers_stop(w, &result);
	assert_int_equal(result.failed, 0);
	writers_check(&w);
}

/* The old primary goes on accepting writes for seconds, and loses them all. */
static void survives_planned_failovers(void **state)
{
	struct scene *s = *state;
	struct writers_result result;
	struct writers *w;

	s->redis = open_ready(&s->options);
	w = writers_start(s->redis, THREADS, DEADLINE_MS);
	for (int i = 0; i < 2; i++) {
		unsigned before = writers_count(w);
		unsigned next;

		assert_becomes(writers_count(w) > before + 500, BOUND_MS);
		next = redis_sentinels_failover(&s->set);
		assert_becomes(serves(s, next), BOUND_MS);
		redis_sentinels_wait_well(&s->set);
	}
	writers_stop(w, &result);
	assert_int_equal(result.failed, 0);
	writers_check(&w);
	assert_true(events_have(&s->events, "redis_primary_changed"));
	assert_true(metric_get(METRIC_REDIS_REPLAYED) > 0);
}

static void survives_a_frozen_primary(void **state)
{
	struct scene *s = *state;
	struct writers_result result;
	struct writers *w;
	unsigned next;

	s->redis = open_ready(&s->options);
	w = writers_start(s->redis, THREADS, DEADLINE_MS);
	assert_becomes(writers_count(w) > 500, BOUND_MS);
	redis_sentinels_freeze(&s->set, 0);
	next = redis_sentinels_wait_successor(&s->set, 0);
	redis_sentinels_thaw(&s->set, 0);
	assert_becomes(serves(s, next), BOUND_MS);
	redis_sentinels_wait_well(&s->set);
	writers_stop(w, &result);
	assert_int_equal(result.failed, 0);
	writers_check(&w);
}

static void needs_no_particular_sentinel(void **state)
{
	struct scene *s = *state;
	unsigned next;

	redis_sentinels_kill_sentinel(&s->set, 0);
	s->redis = open_ready(&s->options);
	call_expect(s->redis, "SET k v", STORE_REPLIED, "OK");
	next = redis_sentinels_failover(&s->set);
	assert_becomes(serves(s, next), BOUND_MS);
}

/* Nobody can say any more whether it is still the primary. */
static void does_not_trust_an_unconfirmed_primary(void **state)
{
	struct scene *s = *state;

	s->options.unconfirmed_ms = 1000;
	s->options.failover_wait_ms = 500;
	s->redis = open_ready(&s->options);
	for (unsigned i = 0; i < 3; i++)
		redis_sentinels_freeze_sentinel(&s->set, i);
	assert_becomes(events_have(&s->events, "no Sentinel has confirmed"), BOUND_MS);
	assert_becomes(events_have(&s->events, "redis_primary_down"), BOUND_MS);
	call_expect(s->redis, "GET k", STORE_UNAVAILABLE, NULL);
	for (unsigned i = 0; i < 3; i++)
		redis_sentinels_thaw_sentinel(&s->set, i);
	assert_true(redis_wait_ready(s->redis, BOUND_MS));
	call_expect(s->redis, "SET k v", STORE_REPLIED, "OK");
}

static unsigned replicas_of_write(struct scene *s, uint32_t wait_ms)
{
	struct call c;

	call_init_write(&c, "SET k v");
	c.op.wait_replicas = 2;
	c.op.wait_ms = wait_ms;
	call_run(&c, s->redis);
	assert_int_equal(c.outcome, STORE_REPLIED);
	return c.replicas;
}

static void waits_for_replicas(void **state)
{
	struct scene *s = *state;

	s->redis = open_ready(&s->options);
	/* A busy machine may keep a replica from answering in time, now and then. */
	for (unsigned i = 0; i < 20; i++)
		assert_becomes(replicas_of_write(s, 500) == 2, BOUND_MS);
	redis_sentinels_freeze(&s->set, 1);
	assert_becomes(replicas_of_write(s, 100) == 1, BOUND_MS);
}

static unsigned long long gets_of(struct redis_server *server)
{
	redisContext *c = redis_server_connect(server);
	long long calls = redis_command_calls(c, "get");

	redisFree(c);
	return calls < 0 ? 0 : (unsigned long long)calls;
}

static void asks_replicas_for_what_may_be_stale(void **state)
{
	struct scene *s = *state;
	struct call c;

	s->options.replica_lag_max_ms = 5000;
	s->redis = open_ready(&s->options);
	call_expect(s->redis, "SET k v", STORE_REPLIED, "OK");
	assert_becomes(({
			       call_init(&c, "GET k");
			       c.op.command.staleness_ms = 5000;
			       call_run(&c, s->redis);
			       assert_int_equal(c.outcome, STORE_REPLIED);
			       gets_of(&s->set.nodes[1]) + gets_of(&s->set.nodes[2]) > 20;
		       }),
		       BOUND_MS);
	assert_string_equal(c.text, "v");
	/* Not what must be fresh, and not what is not there: it may have come just now. */
	call_expect(s->redis, "GET nothing", STORE_REPLIED, "");
	call_init(&c, "GET nothing");
	c.op.command.staleness_ms = 5000;
	call_run(&c, s->redis);
	assert_int_equal(c.type, STORE_NIL);
	assert_int_equal(gets_of(&s->set.nodes[0]) >= 2, 1);
}

struct ear {
	atomic_uint heard;
	atomic_uint missed;
};

static void on_heard(void *owner, uint64_t source, span message)
{
	(void)source;
	(void)message;
	(void)atomic_fetch_add(&((struct ear *)owner)->heard, 1);
}

static void on_missed(void *owner)
{
	(void)atomic_fetch_add(&((struct ear *)owner)->missed, 1);
}

/* What others announced there before this side listened to it was missed, which is told though no connection has ended. */
static void tells_that_it_may_have_missed_the_successor(void **state)
{
	struct scene *s = *state;
	static struct ear ear;
	unsigned missed, heard, next;

	s->options.heard = on_heard;
	s->options.missed = on_missed;
	s->options.heard_owner = &ear;
	s->redis = open_ready(&s->options);
	assert_becomes(atomic_load(&ear.missed) == 1, BOUND_MS);
	missed = atomic_load(&ear.missed);
	next = redis_sentinels_failover(&s->set);
	assert_becomes(serves(s, next), BOUND_MS);
	assert_becomes(atomic_load(&ear.missed) > missed, BOUND_MS);
	heard = atomic_load(&ear.heard);
	store_announce(redis_store(s->redis), SPAN_LIT("hello"));
	assert_becomes(atomic_load(&ear.heard) > heard, BOUND_MS);
}

#define SENTINEL_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    SENTINEL_TEST(finds_the_primary),
	    SENTINEL_TEST(survives_a_killed_primary),
	    SENTINEL_TEST(survives_planned_failovers),
	    SENTINEL_TEST(survives_a_frozen_primary),
	    SENTINEL_TEST(needs_no_particular_sentinel),
	    SENTINEL_TEST(does_not_trust_an_unconfirmed_primary),
	    SENTINEL_TEST(waits_for_replicas),
	    SENTINEL_TEST(tells_that_it_may_have_missed_the_successor),
	    SENTINEL_TEST(asks_replicas_for_what_may_be_stale),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
