/* The store on a real Redis Cluster. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "support/redis_cluster.h"
#include "support/wait.h"
#include "wire/tls.h"
#include "writers.h"

enum { THREADS = 4, DEADLINE_MS = 20000 };

struct scene {
	struct redis_cluster cluster;
	struct events events;
	struct redis_options options;
	redis *redis;
};

static int set_up(void **state)
{
	static struct scene scene;

	scene = (struct scene){.events = EVENTS_INIT};
	redis_cluster_open(&scene.cluster, NULL);
	scene.options = options_for_failover(scene.cluster.url, &scene.events);
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	redis_close(&s->redis);
	redis_cluster_close(&s->cluster);
	return 0;
}

static unsigned serving(struct scene *s, struct store_node *nodes, size_t max)
{
	size_t count = store_nodes(redis_store(s->redis), nodes, max);
	unsigned found = 0;

	for (size_t i = 0; i < count && i < max; i++)
		found += strcmp(nodes[i].state, "serving") == 0;
	return found;
}

/* All three shards are served. */
static void open_whole(struct scene *s)
{
	struct store_node nodes[32];

	s->redis = open_ready(&s->options);
	assert_becomes(serving(s, nodes, 32) == 3, BOUND_MS);
}

static void finds_every_slot(void **state)
{
	struct scene *s = *state;
	struct store_node nodes[32];
	struct store_state st;
	size_t count;
	uint32_t slots = 0;
	unsigned replicas = 0;

	open_whole(s);
	for (int i = 0; i < 300; i++) {
		char words[64];
		redisReply *reply;

		(void)snprintf(words, sizeof(words), "SET k%d v%d", i, i);
		call_expect(s->redis, words, STORE_REPLIED, "OK");
		(void)snprintf(words, sizeof(words), "k%d", i);
		reply = redis_cluster_command(&s->cluster, words, "GET %s", words);
		assert_int_equal(atoi(reply->str + 1), i);
		freeReplyObject(reply);
	}
	store_get_state(redis_store(s->redis), &st);
	assert_true(st.is_ready);
	assert_string_equal(st.mode, "cluster");
	count = store_nodes(redis_store(s->redis), nodes, 32);
	for (size_t i = 0; i < count; i++) {
		slots += nodes[i].slots;
		replicas += strcmp(nodes[i].role, "replica") == 0;
	}
	assert_int_equal(slots, 16384);
	assert_int_equal(replicas, 3);
	assert_int_equal(count, 6);
	/* Each primary, and its replica behind it, to which no connection is wanted. */
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(nodes[i].role, i % 2 == 0 ? "primary" : "replica");
		assert_int_equal(nodes[i].slots > 0, i % 2 == 0);
	}
	assert_becomes(store_nodes(redis_store(s->redis), nodes, 32) == 6 && nodes[1].connections == 0 &&
			   nodes[3].connections == 0 && nodes[5].connections == 0,
		       BOUND_MS);
	assert_int_equal(nodes[0].connections, s->options.connections);
}

static void survives_a_killed_primary(void **state)
{
	struct scene *s = *state;
	struct writers_result result;
	struct writers *w;
	struct store_node nodes[32];

	open_whole(s);
	w = writers_start(s->redis, THREADS, DEADLINE_MS);
	assert_becomes(writers_count(w) > 500, BOUND_MS);
	redis_cluster_kill(&s->cluster, 0);
	(void)redis_cluster_wait_successor(&s->cluster, 0);
	assert_becomes(serving(s, nodes, 32) == 3, BOUND_MS);
	redis_cluster_start(&s->cluster, 0);
	redis_cluster_wait_well(&s->cluster);
	writers_stop(w, &result);
	assert_int_equal(result.failed, 0);
	writers_check(&w);
	assert_true(events_have(&s->events, "redis_primary_changed"));
}

static void survives_planned_failovers(void **state)
{
	struct scene *s = *state;
	struct writers_result result;
	struct writers *w;

	open_whole(s);
	w = writers_start(s->redis, THREADS, DEADLINE_MS);
	for (unsigned i = 0; i < 6; i++) {
		unsigned before = writers_count(w);

		assert_becomes(writers_count(w) > before + 200, BOUND_MS);
		(void)redis_cluster_failover(&s->cluster, i % 3);
		redis_cluster_wait_well(&s->cluster);
	}
	writers_stop(w, &result);
	assert_int_equal(result.failed, 0);
	writers_check(&w);
}

static void follows_slots_that_move(void **state)
{
	struct scene *s = *state;
	struct writers_result result;
	struct writers *w;
	const int first = redis_cluster_first_slot(&s->cluster, 0);
	struct redis_cluster_move move = {.from = 0, .to = 1, .first = (unsigned)first, .last = (unsigned)first + 500};

	open_whole(s);
	w = writers_start(s->redis, THREADS, DEADLINE_MS);
	assert_becomes(writers_count(w) > 5000, BOUND_MS);
	assert_true(redis_cluster_move_slots(&s->cluster, &move));
	move.from = 1;
	move.to = 2;
	assert_true(redis_cluster_move_slots(&s->cluster, &move));
	writers_stop(w, &result);
	assert_int_equal(result.failed, 0);
	assert_true(metric_get(METRIC_REDIS_MOVED) > 0);
	writers_check(&w);
}

/* The other shards do not notice; what waits for the frozen one is served by its successor. */
static void survives_a_frozen_primary(void **state)
{
	struct scene *s = *state;
	struct writers_result result;
	struct writers *w;

	open_whole(s);
	w = writers_start(s->redis, THREADS, DEADLINE_MS);
	assert_becomes(writers_count(w) > 500, BOUND_MS);
	redis_cluster_freeze(&s->cluster, 1);
	(void)redis_cluster_wait_successor(&s->cluster, 1);
	redis_cluster_thaw(&s->cluster, 1);
	redis_cluster_wait_well(&s->cluster);
	writers_stop(w, &result);
	assert_int_equal(result.failed, 0);
	writers_check(&w);
	assert_true(events_have(&s->events, "redis_breaker_opened"));
}

static void survives_a_restart_of_every_node(void **state)
{
	struct scene *s = *state;
	struct writers_result result;
	struct writers *w;

	open_whole(s);
	w = writers_start(s->redis, THREADS, DEADLINE_MS);
	for (unsigned i = 0; i < s->cluster.count; i++) {
		unsigned before = writers_count(w);

		assert_becomes(writers_count(w) > before + 100, BOUND_MS);
		redis_cluster_stop(&s->cluster, i);
		if (i < 3)
			(void)redis_cluster_wait_successor(&s->cluster, i);
		redis_cluster_start(&s->cluster, i);
		redis_cluster_wait_well(&s->cluster);
	}
	writers_stop(w, &result);
	assert_int_equal(result.failed, 0);
	writers_check(&w);
}

static void waits_for_replicas(void **state)
{
	struct scene *s = *state;
	struct call calls[50];
	char words[50][32];

	open_whole(s);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(words[i], sizeof(words[i]), "SET r%d v", i);
		call_init_write(&calls[i], words[i]);
		calls[i].op.wait_replicas = 1;
		calls[i].op.wait_ms = 500;
		call_start(&calls[i], s->redis);
	}
	for (int i = 0; i < 50; i++) {
		call_await(&calls[i]);
		assert_int_equal(calls[i].outcome, STORE_REPLIED);
		assert_string_equal(calls[i].text, "OK");
		assert_int_equal(calls[i].replicas, 1);
	}
}

static void speaks_tls_with_a_user(void **state)
{
	static struct scene s;
	struct certificates certificates;
	struct tmpdir dir;
	wire_tls *tls = NULL;

	(void)state;
	s = (struct scene){.events = EVENTS_INIT};
	tmpdir_make(&dir);
	certificates_make(&certificates, &dir);
	redis_cluster_open(
	    &s.cluster, &(struct redis_cluster_options){.tls = &certificates, .user = "keeper", .password = "s3cret"});
	assert_int_equal(
	    wire_tls_new(&(struct wire_tls_options){.ca_file = certificates.ca, .server_name = CERTIFICATE_NAME}, &tls),
	    WIRE_OK);
	s.options = options_for(s.cluster.url, &s.events);
	s.options.failover_wait_ms = BOUND_MS;
	s.options.tls = tls;
	open_whole(&s);
	for (int i = 0; i < 30; i++) {
		char words[32];

		(void)snprintf(words, sizeof(words), "SET k%d v", i);
		call_expect(s.redis, words, STORE_REPLIED, "OK");
	}
	assert_false(events_have(&s.events, "s3cret"));
	redis_close(&s.redis);
	redis_cluster_close(&s.cluster);
	wire_tls_release(&tls);
	tmpdir_remove(&dir);
}

#define CLUSTER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    CLUSTER_TEST(finds_every_slot),	      CLUSTER_TEST(survives_a_killed_primary),
	    CLUSTER_TEST(survives_planned_failovers), CLUSTER_TEST(follows_slots_that_move),
	    CLUSTER_TEST(survives_a_frozen_primary),  CLUSTER_TEST(survives_a_restart_of_every_node),
	    CLUSTER_TEST(waits_for_replicas),	      cmocka_unit_test(speaks_tls_with_a_user),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
