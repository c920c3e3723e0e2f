/* Reads from a replica, of a primary and a replica that the test plays. */

#include <stdio.h>
#include <string.h>

#include "actor.h"
#include "call.h"
#include "support/wait.h"

/* The replica's first, then two of the primary's. */
enum { LOSSES_ALL = 3 };

struct scene {
	struct actor primary;
	struct actor replica;
	pthread_mutex_t lock;
	unsigned losses; /* connections that are to end instead of the next answers; LOSSES_ALL: see play */
	struct events events;
	char url[64];
	struct redis_options options;
	redis *redis;
};

static void tell_map(const struct scene *s, char reply[ACTOR_REPLY_BYTES])
{
	(void)snprintf(reply, ACTOR_REPLY_BYTES,
		       "*1\r\n*4\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:%u\r\n$1\r\nx\r\n"
		       "*3\r\n$9\r\n127.0.0.1\r\n:%u\r\n$1\r\ny\r\n",
		       s->primary.port, s->replica.port);
}

static void play(void *owner, struct actor *a, const char *words, char reply[ACTOR_REPLY_BYTES])
{
	static const char state[] = "cluster_state:ok\r\ncluster_current_epoch:5\r\n";
	struct scene *s = owner;
	const bool is_primary = a == &s->primary;

	if (strcmp(words, "CLUSTER SLOTS") == 0) {
		tell_map(s, reply);
		return;
	}
	if (strcmp(words, "CLUSTER INFO") == 0) {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "$%zu\r\n%s\r\n", strlen(state), state);
		return;
	}
	(void)snprintf(reply, ACTOR_REPLY_BYTES, "%s", is_primary ? "$7\r\nprimary\r\n" : "$7\r\nreplica\r\n");
	pthread_mutex_lock(&s->lock);
	if (s->losses > 0 && is_primary == (s->losses < LOSSES_ALL)) {
		s->losses--;
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "close");
	}
	pthread_mutex_unlock(&s->lock);
}

static int set_up(void **state)
{
	static struct scene s;

	s = (struct scene){.events = EVENTS_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};
	actor_open(&s.primary, play, &s);
	actor_open(&s.replica, play, &s);
	s.replica.role = "slave";
	atomic_store(&s.primary.run, 1);
	atomic_store(&s.replica.run, 2);
	atomic_store(&s.primary.offset, 100);
	atomic_store(&s.replica.offset, 100);
	(void)snprintf(s.url, sizeof(s.url), "redis+cluster://%s", s.primary.address);
	s.options = options_for(s.url, &s.events);
	s.options.failover_wait_ms = BOUND_MS;
	s.options.replica_lag_max_ms = BOUND_MS;
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	redis_close(&s->redis);
	actor_close(&s->primary);
	actor_close(&s->replica);
	return 0;
}

/* Who answers a read that may be so stale; 0: that must be fresh. */
static bool is_read_from(struct scene *s, const char *who, uint32_t staleness_ms)
{
	struct call c;

	call_init(&c, "GET k");
	c.op.command.staleness_ms = staleness_ms;
	call_run(&c, s->redis);
	assert_int_equal(c.outcome, STORE_REPLIED);
	return strcmp(c.text, who) == 0;
}

static void only_what_may_be_stale_is_read_from_a_replica(void **state)
{
	struct scene *s = *state;
	struct call write;

	s->redis = open_ready(&s->options);
	assert_becomes(is_read_from(s, "replica", BOUND_MS), BOUND_MS);
	for (int i = 0; i < 50; i++) {
		assert_true(is_read_from(s, "primary", 0));
		call_init_write(&write, "SET k v");
		write.op.command.staleness_ms = BOUND_MS;
		call_run(&write, s->redis);
		assert_string_equal(write.text, "primary");
	}
}

/* It has never had all that the primary had written. */
static void a_replica_that_is_behind_is_not_read_from(void **state)
{
	struct scene *s = *state;

	atomic_store(&s->replica.offset, 99);
	s->redis = open_ready(&s->options);
	assert_becomes(({
			       struct store_node nodes[4];
			       size_t count = store_nodes(redis_store(s->redis), nodes, 4);
			       count == 2 && nodes[1].connections_ready > 0;
		       }),
		       BOUND_MS);
	for (int i = 0; i < 100; i++) {
		assert_true(is_read_from(s, "primary", BOUND_MS));
		nap_ms(10);
	}
	atomic_store(&s->replica.offset, 100);
	assert_becomes(is_read_from(s, "replica", BOUND_MS), BOUND_MS);
}

/* The primary goes on and the replica does not: what it has is older with each moment. */
static void a_replica_that_falls_behind_is_left(void **state)
{
	struct scene *s = *state;

	s->redis = open_ready(&s->options);
	assert_becomes(is_read_from(s, "replica", 5000), BOUND_MS);
	atomic_store(&s->primary.offset, 200);
	assert_becomes(is_read_from(s, "primary", 600), BOUND_MS);
	assert_true(is_read_from(s, "primary", 600));
	/* The bound is the caller's. */
	assert_true(is_read_from(s, "replica", BOUND_MS));
}

static void the_options_bound_what_callers_allow(void **state)
{
	struct scene *s = *state;

	s->options.replica_lag_max_ms = 600;
	s->redis = open_ready(&s->options);
	assert_becomes(is_read_from(s, "replica", BOUND_MS), BOUND_MS);
	atomic_store(&s->primary.offset, 200);
	assert_becomes(is_read_from(s, "primary", 10 * BOUND_MS), BOUND_MS);
	assert_true(is_read_from(s, "primary", 10 * BOUND_MS));
}

/* Of the primary's three tries none is used up: the first two of those are lost as well. */
static void a_lost_replica_is_no_try(void **state)
{
	struct scene *s = *state;

	s->redis = open_ready(&s->options);
	assert_becomes(is_read_from(s, "replica", BOUND_MS), BOUND_MS);
	pthread_mutex_lock(&s->lock);
	s->losses = LOSSES_ALL;
	pthread_mutex_unlock(&s->lock);
	assert_true(is_read_from(s, "primary", BOUND_MS));
	pthread_mutex_lock(&s->lock);
	assert_int_equal(s->losses, 0);
	pthread_mutex_unlock(&s->lock);
}

#define REPLICA_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    REPLICA_TEST(only_what_may_be_stale_is_read_from_a_replica),
	    REPLICA_TEST(a_replica_that_is_behind_is_not_read_from),
	    REPLICA_TEST(a_replica_that_falls_behind_is_left),
	    REPLICA_TEST(the_options_bound_what_callers_allow),
	    REPLICA_TEST(a_lost_replica_is_no_try),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
