/* The way of a command through a cluster of two primaries that the test plays. Keys: {a} is in slot 15495, {b} in 3300. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "call.h"
#include "redis/slot.h"
#include "support/wait.h"

enum { SLOT_OF_A = 15495, SLOT_OF_B = 3300, ANSWERS_MAX = 16 };

/* What a node says to the next commands with a key, one after the other; after that it answers +NAME. */
struct node_script {
	struct actor actor;
	struct scene *scene;
	const char *name;
	pthread_mutex_t lock;
	char answers[ANSWERS_MAX][128];
	unsigned count;
	unsigned next;
	char seen[4096]; /* all commands with a key */
};

struct scene {
	struct node_script nodes[2];
	pthread_mutex_t lock;
	char map[1024]; /* the reply to CLUSTER SLOTS of both */
	char state[128];
	struct events events;
	char url[128];
	struct redis_options options;
	redis *redis;
};

static void play(void *owner, struct actor *a, const char *words, char reply[ACTOR_REPLY_BYTES])
{
	struct node_script *n = owner;
	struct scene *s = n->scene;

	(void)a;
	pthread_mutex_lock(&s->lock);
	if (strcmp(words, "CLUSTER SLOTS") == 0) {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "%s", s->map);
	} else if (strcmp(words, "CLUSTER INFO") == 0) {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "$%zu\r\n%s\r\n", strlen(s->state), s->state);
	} else {
		(void)snprintf(n->seen + strlen(n->seen), sizeof(n->seen) - strlen(n->seen), "%s;", words);
		if (strcmp(words, "ASKING") == 0)
			(void)snprintf(reply, ACTOR_REPLY_BYTES, "+OK\r\n");
		else if (n->next < n->count)
			(void)snprintf(reply, ACTOR_REPLY_BYTES, "%s", n->answers[n->next++]);
		else
			(void)snprintf(reply, ACTOR_REPLY_BYTES, "+%s\r\n", n->name);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Slots 0..middle-1 are the first node's. */
static void set_map(struct scene *s, unsigned middle)
{
	size_t len = 0;
	const unsigned bounds[] = {0, middle, 16384};
	unsigned ranges = (middle > 0) + (middle < 16384);

	pthread_mutex_lock(&s->lock);
	len += (size_t)snprintf(s->map, sizeof(s->map), "*%u\r\n", ranges);
	for (int i = 0; i < 2; i++) {
		if (bounds[i] == bounds[i + 1])
			continue;
		len += (size_t)snprintf(s->map + len, sizeof(s->map) - len,
					"*3\r\n:%u\r\n:%u\r\n*3\r\n$9\r\n127.0.0.1\r\n:%u\r\n$1\r\nx\r\n", bounds[i],
					bounds[i + 1] - 1, s->nodes[i].actor.port);
	}
	pthread_mutex_unlock(&s->lock);
}

static void set_epoch(struct scene *s, unsigned epoch, const char *state)
{
	pthread_mutex_lock(&s->lock);
	(void)snprintf(s->state, sizeof(s->state), "cluster_state:%s\r\ncluster_current_epoch:%u\r\n", state, epoch);
	pthread_mutex_unlock(&s->lock);
}

/* %s stands for the other node's address. */
static void say(struct scene *s, int node, const char *answer)
{
	struct node_script *n = &s->nodes[node];

	pthread_mutex_lock(&s->lock);
	assert_true(n->count < ANSWERS_MAX);
	(void)snprintf(n->answers[n->count++], sizeof(n->answers[0]), answer, s->nodes[1 - node].actor.address);
	pthread_mutex_unlock(&s->lock);
}

static bool has_seen(struct scene *s, int node, const char *words)
{
	bool has;

	pthread_mutex_lock(&s->lock);
	has = strstr(s->nodes[node].seen, words) != NULL;
	pthread_mutex_unlock(&s->lock);
	return has;
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->events.lock, NULL);
	for (int i = 0; i < 2; i++) {
		s->nodes[i].scene = s;
		s->nodes[i].name = i == 0 ? "one" : "two";
		actor_open(&s->nodes[i].actor, play, &s->nodes[i]);
		atomic_store(&s->nodes[i].actor.run, (unsigned)i + 1);
	}
	set_map(s, 8192);
	set_epoch(s, 5, "ok");
	(void)snprintf(s->url, sizeof(s->url), "redis+cluster://%s,%s", s->nodes[0].actor.address,
		       s->nodes[1].actor.address);
	s->options = options_for(s->url, &s->events);
	s->options.failover_wait_ms = BOUND_MS;
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	redis_close(&s->redis);
	for (int i = 0; i < 2; i++)
		actor_close(&s->nodes[i].actor);
	free(s);
	return 0;
}

static bool both_serve(struct scene *s)
{
	struct store_node nodes[8];
	size_t count = store_nodes(redis_store(s->redis), nodes, 8);
	unsigned serving = 0;

	for (size_t i = 0; i < count && i < 8; i++)
		serving += strcmp(nodes[i].state, "serving") == 0;
	return serving == 2;
}

static void start(struct scene *s)
{
	s->redis = open_redis(&s->options);
	assert_becomes(both_serve(s), BOUND_MS);
}

static void sends_to_the_owner(void **state)
{
	struct scene *s = *state;

	assert_int_equal(slot_of_key(SPAN_LIT("{a}")), SLOT_OF_A);
	assert_int_equal(slot_of_key(SPAN_LIT("{b}")), SLOT_OF_B);
	start(s);
	call_expect(s->redis, "GET x{a}", STORE_REPLIED, "two");
	call_expect(s->redis, "GET x{b}", STORE_REPLIED, "one");
}

static void follows_moved(void **state)
{
	struct scene *s = *state;
	uint64_t moved = metric_get(METRIC_REDIS_MOVED);

	start(s);
	say(s, 1, "-MOVED 15495 %s\r\n");
	set_map(s, 16384);
	set_epoch(s, 6, "ok");
	call_expect(s->redis, "GET x{a}", STORE_REPLIED, "one");
	assert_int_equal(metric_get(METRIC_REDIS_MOVED), moved + 1);
	call_expect(s->redis, "GET y{a}", STORE_REPLIED, "one");
	assert_int_equal(metric_get(METRIC_REDIS_MOVED), moved + 1);
}

/* Two nodes that send the caller to one another are not followed for ever. */
static void gives_up_on_moved_in_circles(void **state)
{
	struct scene *s = *state;

	start(s);
	for (int i = 0; i < 6; i++) {
		say(s, 0, "-MOVED 15495 %s\r\n");
		say(s, 1, "-MOVED 15495 %s\r\n");
	}
	call_expect(s->redis, "GET x{a}", STORE_REFUSED, NULL);
}

static void follows_ask_behind_asking(void **state)
{
	struct scene *s = *state;

	start(s);
	say(s, 1, "-ASK 15495 %s\r\n");
	call_expect(s->redis, "GET x{a}", STORE_REPLIED, "one");
	assert_true(has_seen(s, 0, "ASKING;GET x{a};"));
	/* Only this once. */
	call_expect(s->redis, "GET x{a}", STORE_REPLIED, "two");
	assert_int_equal(s->nodes[0].next, 0);
}

/* A reply behind ASKING comes from a node that does not own the slot, and yet is not late. */
static void believes_a_write_behind_asking(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	say(s, 1, "-ASK 15495 %s\r\n");
	call_init_write(&c, "SET x{a} v");
	call_start(&c, s->redis);
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REPLIED);
	assert_false(c.is_late);
	assert_true(store_keep(redis_store(s->redis), &c.op, &c.op.command, 1000));
}

static void waits_out_what_passes(void **state)
{
	static const char *const passing[] = {
	    "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
	    "-LOADING Redis is loading the dataset in memory\r\n",
	    "-BUSY Redis is busy running a script\r\n",
	    "-MASTERDOWN Link with MASTER is down\r\n",
	    "-NOREPLICAS Not enough good replicas to write.\r\n",
	};
	struct scene *s = *state;
	struct call c;

	start(s);
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		say(s, 1, passing[i]);
		say(s, 1, passing[i]);
		call_init_write(&c, "SET x{a} v");
		call_start(&c, s->redis);
		call_await(&c);
		assert_int_equal(c.outcome, STORE_REPLIED);
		assert_string_equal(c.text, "two");
	}
	/* What only writes aside, sliding a time-out, is not worth waiting for that. */
	say(s, 1, "-NOREPLICAS Not enough good replicas to write.\r\n");
	call_expect(s->redis, "GETEX x{a}", STORE_REFUSED, NULL);
}

static void tells_the_last_error_in_time(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	for (int i = 0; i < ANSWERS_MAX; i++)
		say(s, 1, "-TRYAGAIN later\r\n");
	call_init(&c, "GET x{a}");
	c.op.deadline_ms = clock_mono_ms() + 200;
	call_start(&c, s->redis);
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REFUSED);
	assert_string_equal(c.text, "TRYAGAIN later");
}

static void never_waits_when_told_so(void **state)
{
	struct scene *s = *state;

	s->options.failover_wait_ms = 0;
	start(s);
	say(s, 1, "-TRYAGAIN later\r\n");
	call_expect(s->redis, "GET x{a}", STORE_REFUSED, "TRYAGAIN later");
	say(s, 1, "close");
	call_expect(s->redis, "GET x{a}", STORE_LOST, NULL);
}

static void waits_while_the_cluster_is_down(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	set_epoch(s, 5, "fail");
	say(s, 1, "-CLUSTERDOWN The cluster is down\r\n");
	call_init(&c, "GET x{a}");
	call_start(&c, s->redis);
	assert_becomes(events_have(&s->events, "the cluster is down"), BOUND_MS);
	assert_int_equal(atomic_load(&c.done), 0);
	set_epoch(s, 5, "ok");
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REPLIED);
	assert_string_equal(c.text, "two");
}

static void sends_again_what_got_lost(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	say(s, 1, "close");
	say(s, 1, "close");
	call_init_write(&c, "SET x{a} v");
	call_start(&c, s->redis);
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REPLIED);
	assert_true(has_seen(s, 1, "SET x{a} v;SET x{a} v;SET x{a} v;"));
	/* No more than three times. */
	for (int i = 0; i < 3; i++)
		say(s, 1, "close");
	call_init_write(&c, "SET y{a} v");
	call_start(&c, s->redis);
	call_await(&c);
	assert_int_equal(c.outcome, STORE_LOST);
}

static void sends_once_what_must_not_be_repeated(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	say(s, 1, "close");
	call_init_write(&c, "INCR x{a}");
	c.op.command.is_repeatable = false;
	call_start(&c, s->redis);
	call_await(&c);
	assert_int_equal(c.outcome, STORE_LOST);
	assert_false(has_seen(s, 1, "INCR x{a};INCR x{a};"));
}

/* Of a write that may have been carried out nobody is told that it was not. */
static void a_lost_write_stays_in_doubt(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	say(s, 1, "close");
	say(s, 1, "-OOM command not allowed\r\n");
	call_init_write(&c, "SET x{a} v");
	call_start(&c, s->redis);
	call_await(&c);
	assert_int_equal(c.outcome, STORE_LOST);
}

static void a_restarted_primary_joins_again(void **state)
{
	struct scene *s = *state;
	struct store_command redo;
	struct call c;

	start(s);
	call_init_write(&c, "SET x{a} v");
	redo = c.op.command;
	call_start(&c, s->redis);
	call_await(&c);
	assert_true(store_keep(redis_store(s->redis), &c.op, &redo, 60000));
	atomic_store(&s->nodes[1].actor.run, 77);
	actor_drop(&s->nodes[1].actor);
	assert_becomes(events_have(&s->events, "redis_primary_restarted"), BOUND_MS);
	assert_true(has_seen(s, 1, "SET x{a} v;SET x{a} v;"));
	call_init(&c, "GET x{a}");
	call_start(&c, s->redis);
	call_await(&c);
	assert_true(c.is_unsettled);
	/* What it said before cannot be kept any more. */
	c.op.tenure--;
	assert_false(store_keep(redis_store(s->redis), &c.op, &redo, 60000));
}

static void a_late_write_is_flagged(void **state)
{
	struct scene *s = *state;
	struct call c;

	s->options.late_ms = 20;
	start(s);
	say(s, 1, "");
	call_init_write(&c, "SET x{a} v");
	call_start(&c, s->redis);
	assert_becomes(has_seen(s, 1, "SET x{a} v;"), BOUND_MS);
	nap_ms(40);
	/* The answer to the first, and its own. */
	say(s, 1, "+late\r\n+two\r\n");
	call_expect(s->redis, "GET y{a}", STORE_REPLIED, "two");
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REPLIED);
	assert_string_equal(c.text, "late");
	assert_true(c.is_late);
	assert_false(store_keep(redis_store(s->redis), &c.op, &c.op.command, 1000));
}

static void a_late_read_is_asked_again(void **state)
{
	struct scene *s = *state;
	struct call c;

	s->options.late_ms = 20;
	start(s);
	say(s, 1, "");
	call_init(&c, "GET x{a}");
	call_start(&c, s->redis);
	assert_becomes(has_seen(s, 1, "GET x{a};"), BOUND_MS);
	nap_ms(40);
	say(s, 1, "+late\r\n+two\r\n");
	call_expect(s->redis, "GET y{a}", STORE_REPLIED, "two");
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REPLIED);
	assert_string_equal(c.text, "two");
	assert_false(c.is_late);
}

/* A reply that comes after the slot has another owner. */
static void a_write_across_a_switch_cannot_be_kept(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	say(s, 1, "");
	call_init_write(&c, "SET x{a} v");
	call_start(&c, s->redis);
	assert_becomes(has_seen(s, 1, "SET x{a} v;"), BOUND_MS);
	set_map(s, 16384);
	set_epoch(s, 6, "ok");
	say(s, 1, "+old\r\n-MOVED 15495 %s\r\n");
	/* This one brings both replies, the first for the write; the second moves the slot. */
	call_expect(s->redis, "GET y{a}", STORE_REPLIED, "one");
	call_await(&c);
	assert_string_equal(c.text, "old");
	assert_false(c.is_late);
	assert_false(store_keep(redis_store(s->redis), &c.op, &c.op.command, 1000));
}

/* One that is behind. */
static void doubts_an_older_map(void **state)
{
	struct scene *s = *state;
	uint64_t doubted = metric_get(METRIC_REDIS_MAPS_DOUBTED);

	start(s);
	set_map(s, 0);
	set_epoch(s, 4, "ok");
	/* Whatever makes it ask. */
	say(s, 1, "-UNBLOCKED force unblock from blocking operation\r\n");
	call_expect(s->redis, "GET x{a}", STORE_REPLIED, "two");
	assert_becomes(metric_get(METRIC_REDIS_MAPS_DOUBTED) > doubted, BOUND_MS);
	call_expect(s->redis, "GET x{b}", STORE_REPLIED, "one");
}

/* What is sent to it after the breaker has opened waits, and is sent when it answers again. */
static void a_frozen_shard_leaves_the_other_alone(void **state)
{
	struct scene *s = *state;
	struct call frozen[100];

	s->options.breaker_ms = 50;
	start(s);
	actor_freeze(&s->nodes[1].actor);
	for (int i = 0; i < 100; i++) {
		call_init(&frozen[i], "GET x{a}");
		call_start(&frozen[i], s->redis);
		if (i == 49)
			assert_becomes(events_have(&s->events, "redis_breaker_opened"), BOUND_MS);
	}
	for (int i = 0; i < 100; i++)
		call_expect(s->redis, "GET x{b}", STORE_REPLIED, "one");
	assert_int_equal(atomic_load(&frozen[99].done), 0);
	actor_thaw(&s->nodes[1].actor);
	for (int i = 0; i < 100; i++) {
		call_await(&frozen[i]);
		assert_string_equal(frozen[i].text, "two");
	}
}

static void ends_what_waits_when_closed(void **state)
{
	struct scene *s = *state;
	struct call calls[50];

	start(s);
	set_epoch(s, 5, "fail");
	say(s, 1, "-CLUSTERDOWN The cluster is down\r\n");
	for (int i = 0; i < 50; i++) {
		call_init_write(&calls[i], "SET x{a} v");
		call_start(&calls[i], s->redis);
	}
	assert_becomes(events_have(&s->events, "the cluster is down"), BOUND_MS);
	redis_close(&s->redis);
	for (int i = 0; i < 50; i++)
		call_await(&calls[i]);
	assert_int_equal(calls[0].outcome, STORE_UNAVAILABLE);
}

static void refuses_at_once_when_down(void **state)
{
	struct scene *s = *state;
	struct call c;

	s->options.failover_wait_ms = 200;
	start(s);
	actor_close(&s->nodes[1].actor);
	assert_becomes(events_have(&s->events, "redis_primary_down"), BOUND_MS);
	call_init(&c, "GET x{a}");
	call_start(&c, s->redis);
	assert_int_equal(atomic_load(&c.done), 1);
	assert_int_equal(c.outcome, STORE_UNAVAILABLE);
	assert_true(c.retry_after_ms > 0);
	call_expect(s->redis, "GET x{b}", STORE_REPLIED, "one");
	redis_close(&s->redis);
	actor_open(&s->nodes[1].actor, play, &s->nodes[1]);
}

#define ROUTER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    ROUTER_TEST(sends_to_the_owner),
	    ROUTER_TEST(follows_moved),
	    ROUTER_TEST(gives_up_on_moved_in_circles),
	    ROUTER_TEST(follows_ask_behind_asking),
	    ROUTER_TEST(believes_a_write_behind_asking),
	    ROUTER_TEST(waits_out_what_passes),
	    ROUTER_TEST(tells_the_last_error_in_time),
	    ROUTER_TEST(never_waits_when_told_so),
	    ROUTER_TEST(waits_while_the_cluster_is_down),
	    ROUTER_TEST(sends_again_what_got_lost),
	    ROUTER_TEST(sends_once_what_must_not_be_repeated),
	    ROUTER_TEST(a_lost_write_stays_in_doubt),
	    ROUTER_TEST(a_restarted_primary_joins_again),
	    ROUTER_TEST(a_late_write_is_flagged),
	    ROUTER_TEST(a_late_read_is_asked_again),
	    ROUTER_TEST(a_write_across_a_switch_cannot_be_kept),
	    ROUTER_TEST(doubts_an_older_map),
	    ROUTER_TEST(a_frozen_shard_leaves_the_other_alone),
	    ROUTER_TEST(ends_what_waits_when_closed),
	    ROUTER_TEST(refuses_at_once_when_down),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
