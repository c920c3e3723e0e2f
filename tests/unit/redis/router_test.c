/* The way of a command through a cluster of two primaries that the test plays. Keys: {a} is in slot 15495, {b} in 3300. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "support/wait.h"
#include "troupe.h"

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
	const uint64_t asks = metric_get(METRIC_REDIS_ASK);
	struct scene *s = *state;

	start(s);
	say(s, 1, "-ASK 15495 %s\r\n");
	call_expect(s->redis, "GET x{a}", STORE_REPLIED, "one");
	assert_int_equal(metric_get(METRIC_REDIS_ASK), asks + 1);
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
	call_run(&c, s->redis);
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
		call_run(&c, s->redis);
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
	call_run(&c, s->redis);
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
	call_run(&c, s->redis);
	assert_int_equal(c.outcome, STORE_REPLIED);
	assert_true(has_seen(s, 1, "SET x{a} v;SET x{a} v;SET x{a} v;"));
	/* No more than three times. */
	for (int i = 0; i < 3; i++)
		say(s, 1, "close");
	call_init_write(&c, "SET y{a} v");
	call_run(&c, s->redis);
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
	call_run(&c, s->redis);
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
	call_run(&c, s->redis);
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
	call_run(&c, s->redis);
	assert_true(store_keep(redis_store(s->redis), &c.op, &redo, 60000));
	atomic_store(&s->nodes[1].actor.run, 77);
	actor_drop(&s->nodes[1].actor);
	assert_becomes(events_have(&s->events, "redis_primary_restarted"), BOUND_MS);
	assert_true(has_seen(s, 1, "SET x{a} v;SET x{a} v;"));
	call_init(&c, "GET x{a}");
	call_run(&c, s->redis);
	assert_true(c.is_unsettled);
	/* What it said before cannot be kept any more. */
	c.op.tenure--;
	assert_false(store_keep(redis_store(s->redis), &c.op, &redo, 60000));
}

static void restart_second(struct scene *s)
{
	atomic_store(&s->nodes[1].actor.run, 77);
	actor_drop(&s->nodes[1].actor);
	assert_becomes(events_have(&s->events, "redis_primary_restarted"), BOUND_MS);
}

static void what_must_be_settled_waits_alone(void **state)
{
	struct scene *s = *state;
	struct call calls[2];
	uint64_t began_ms;

	start(s);
	/* The first primaries that are found hold nothing up, whatever is demanded. */
	call_init(&calls[0], "GET first{a}");
	calls[0].op.command.settling_ms = 10 * BOUND_MS;
	call_run(&calls[0], s->redis);
	assert_int_equal(calls[0].outcome, STORE_REPLIED);
	began_ms = clock_mono_ms();
	restart_second(s);
	call_init(&calls[0], "GET x{a}");
	call_init_write(&calls[1], "SET x{a} v");
	for (int i = 0; i < 2; i++) {
		calls[i].op.command.settling_ms = 1000;
		call_start(&calls[i], s->redis);
	}
	call_expect(s->redis, "GET y{a}", STORE_REPLIED, "two");
	call_expect(s->redis, "GET y{b}", STORE_REPLIED, "one");
	for (int i = 0; i < 2; i++) {
		call_await(&calls[i]);
		assert_int_equal(calls[i].outcome, STORE_REPLIED);
	}
	assert_true(clock_mono_ms() >= began_ms + 1000);
	assert_true(has_seen(s, 1, "GET y{a};GET x{a};SET x{a} v;"));
}

static void who_cannot_wait_for_settling_is_told_when(void **state)
{
	struct scene *s = *state;
	struct call c;

	start(s);
	restart_second(s);
	call_init_write(&c, "SET x{a} v");
	c.op.command.settling_ms = 10 * BOUND_MS;
	call_start(&c, s->redis);
	assert_int_equal(atomic_load(&c.done), 1);
	assert_int_equal(c.outcome, STORE_UNAVAILABLE);
	assert_true(c.retry_after_ms > 0 && c.retry_after_ms <= 10 * BOUND_MS);
	assert_false(has_seen(s, 1, "SET x{a} v;"));
}

/* Sent to one run and lost, then to the next. */
static void what_is_sent_again_must_be_settled_too(void **state)
{
	struct scene *s = *state;
	struct call c;
	uint64_t began_ms;

	start(s);
	say(s, 1, "");
	call_init_write(&c, "SET x{a} v");
	c.op.command.settling_ms = 1000;
	call_start(&c, s->redis);
	assert_becomes(has_seen(s, 1, "SET x{a} v;"), BOUND_MS);
	began_ms = clock_mono_ms();
	restart_second(s);
	call_expect(s->redis, "GET y{a}", STORE_REPLIED, "two");
	call_await(&c);
	assert_int_equal(c.outcome, STORE_REPLIED);
	assert_true(clock_mono_ms() >= began_ms + 1000);
	assert_true(has_seen(s, 1, "SET x{a} v;GET y{a};SET x{a} v;"));
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

/* What one slot lacks says nothing about its neighbours. */
static void one_slot_without_an_owner_stops_no_other(void **state)
{
	struct scene *s = *state;

	start(s);
	say(s, 1, "-CLUSTERDOWN Hash slot not served\r\n");
	say(s, 1, "-CLUSTERDOWN Hash slot not served\r\n");
	call_expect(s->redis, "GET x{a}", STORE_REPLIED, "two");
	assert_true(has_seen(s, 1, "GET x{a};GET x{a};GET x{a};"));
	assert_false(events_have(&s->events, "redis_primary_lost"));
	assert_false(events_have(&s->events, "the cluster is down"));
}

/* One that is cut off says so for ever, and knows nothing new: the others do. */
static void a_node_that_is_down_keeps_no_other_from_being_asked(void **state)
{
	struct scene *s = *state;

	start(s);
	keep_opinion(s, 0, "fail");
	set_map(s, 0);
	set_epoch(s, 6, "ok");
	say(s, 0, "-CLUSTERDOWN The cluster is down\r\n");
	call_expect(s->redis, "GET x{b}", STORE_REPLIED, "two");
}

/* What the heir has begun to carry out again lacks what it gains meanwhile. */
static void an_heir_that_gains_slots_while_it_joins_starts_again(void **state)
{
	struct scene *s = *state;
	struct store_node two;
	struct call calls[2];

	start(s);
	call_init_write(&calls[0], "SET x{a} v");
	call_init_write(&calls[1], "SET x{b} v");
	for (int i = 0; i < 2; i++) {
		call_run(&calls[i], s->redis);
		assert_true(store_keep(redis_store(s->redis), &calls[i].op, &calls[i].op.command, 60000));
	}
	say(s, 1, "block");
	atomic_store(&s->nodes[1].actor.run, 77);
	actor_drop(&s->nodes[1].actor);
	assert_becomes(has_seen(s, 1, "SET x{a} v;SET x{a} v;"), BOUND_MS);
	set_map(s, 0);
	set_epoch(s, 6, "ok");
	assert_becomes(({
			       state_of_node(s, s->nodes[1].actor.address, &two);
			       two.slots == 16384;
		       }),
		       BOUND_MS);
	assert_string_equal(two.state, "joining");
	atomic_store(&s->is_open, true);
	call_expect(s->redis, "GET x{b}", STORE_REPLIED, "two");
	assert_true(has_seen(s, 1, "SET x{b} v;"));
}

/* The same server at another port: the map says so, and what waits goes there. */
static void a_node_that_moved_to_another_port_is_found(void **state)
{
	struct scene *s = *state;
	struct store_node one;
	struct call c;
	char old[32];

	start(s);
	call_init_write(&c, "SET x{a} v");
	call_run(&c, s->redis);
	assert_true(store_keep(redis_store(s->redis), &c.op, &c.op.command, 60000));
	(void)snprintf(old, sizeof(old), "%s", s->nodes[1].actor.address);
	actor_close(&s->nodes[1].actor);
	call_init(&c, "GET x{a}");
	call_start(&c, s->redis);
	actor_open(&s->nodes[1].actor, play, &s->nodes[1]);
	atomic_store(&s->nodes[1].actor.run, 78);
	assert_string_not_equal(old, s->nodes[1].actor.address);
	set_map(s, 8192);
	set_epoch(s, 6, "ok");
	call_await(&c);
	assert_string_equal(c.text, "two");
	assert_true(has_seen(s, 1, "SET x{a} v;SET x{a} v;GET x{a};"));
	state_of_node(s, s->nodes[1].actor.address, &one);
	assert_string_equal(one.state, "serving");
	state_of_node(s, old, &one);
	assert_int_equal(one.slots, 0);
	assert_string_equal(one.role, "unknown");
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
	    ROUTER_TEST(what_must_be_settled_waits_alone),
	    ROUTER_TEST(who_cannot_wait_for_settling_is_told_when),
	    ROUTER_TEST(what_is_sent_again_must_be_settled_too),
	    ROUTER_TEST(a_late_write_is_flagged),
	    ROUTER_TEST(a_late_read_is_asked_again),
	    ROUTER_TEST(a_write_across_a_switch_cannot_be_kept),
	    ROUTER_TEST(doubts_an_older_map),
	    ROUTER_TEST(a_frozen_shard_leaves_the_other_alone),
	    ROUTER_TEST(ends_what_waits_when_closed),
	    ROUTER_TEST(refuses_at_once_when_down),
	    ROUTER_TEST(one_slot_without_an_owner_stops_no_other),
	    ROUTER_TEST(a_node_that_is_down_keeps_no_other_from_being_asked),
	    ROUTER_TEST(an_heir_that_gains_slots_while_it_joins_starts_again),
	    ROUTER_TEST(a_node_that_moved_to_another_port_is_found),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
