#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "call.h"
#include "support/port.h"
#include "support/redis_server.h"
#include "support/relay.h"
#include "support/wait.h"
#include "wire/link.h"

struct scene {
	struct redis_server server;
	struct events events;
	struct redis_options options;
	redis *redis;
};

static void start_scene(struct scene *s, const struct redis_server_options *server)
{
	*s = (struct scene){.events = EVENTS_INIT};
	redis_server_init(&s->server, server);
	redis_server_start(&s->server);
	s->options = options_for(s->server.url, &s->events);
}

static void end_scene(struct scene *s)
{
	redis_close(&s->redis);
	redis_server_remove(&s->server);
}

enum { THREADS = 8, COMMANDS = 12500, BATCH = 250 };

struct worker {
	pthread_t thread;
	redis *redis;
	unsigned number;
	unsigned matched;
	struct call calls[BATCH];
	char words[BATCH][32];
};

static void run_batch(struct worker *w, unsigned first)
{
	wire_cork();
	for (unsigned i = 0; i < BATCH; i++) {
		(void)snprintf(w->words[i], sizeof(w->words[i]), "ECHO %u.%u", w->number, first + i);
		call_init(&w->calls[i], w->words[i]);
		call_start(&w->calls[i], w->redis);
	}
	wire_uncork();
	for (unsigned i = 0; i < BATCH; i++) {
		(void)WAIT_FOR(atomic_load(&w->calls[i].done) == 1, BOUND_MS);
		w->matched += w->calls[i].outcome == STORE_REPLIED && strcmp(w->calls[i].text, w->words[i] + 5) == 0;
	}
}

static void *work(void *owner)
{
	struct worker *w = owner;

	for (unsigned first = 0; first < COMMANDS; first += BATCH)
		run_batch(w, first);
	return NULL;
}

static void matches_every_reply(void **state)
{
	static struct worker workers[THREADS];
	static struct scene s;

	(void)state;
	start_scene(&s, NULL);
	s.options.connections = 3;
	s.redis = open_ready(&s.options);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].redis = s.redis;
		workers[i].number = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		if (workers[i].matched != COMMANDS)
			fail_msg("%u of %u replies; %s", workers[i].matched, COMMANDS, s.events.texts);
	}
	end_scene(&s);
}

static void peek_nothing(redis *r)
{
	struct call c;

	call_init_script(&c, STORE_SCRIPT_SESSION_PEEK, 1, "lk1:s:{0}:nothing");
	call_run(&c, r);
	if (c.outcome != STORE_REPLIED)
		fail_msg("outcome %d: %s", c.outcome, c.text);
}

static void survives_script_flush(void **state)
{
	static struct scene s;
	struct store_node node;
	uint64_t reloads;

	(void)state;
	start_scene(&s, NULL);
	s.redis = open_ready(&s.options);
	for (int i = 0; i < 3; i++) {
		freeReplyObject(redis_server_command(&s.server, "SCRIPT FLUSH"));
		reloads = metric_get(METRIC_REDIS_SCRIPT_RELOADS);
		peek_nothing(s.redis);
		peek_nothing(s.redis);
		assert_int_equal(metric_get(METRIC_REDIS_SCRIPT_RELOADS), reloads + 1);
	}
	/* NOSCRIPT is none. */
	assert_int_equal(store_nodes(redis_store(s.redis), &node, 1), 1);
	assert_int_equal(node.errors, 0);
	end_scene(&s);
}

static void comes_back_after_a_kill(void **state)
{
	static struct scene s;
	struct call calls[100];

	(void)state;
	start_scene(&s, NULL);
	s.options.connections = 2;
	s.redis = open_ready(&s.options);
	for (int round = 0; round < 3; round++) {
		call_expect(s.redis, "PING", STORE_REPLIED, "PONG");
		/* A command that holds the rest back, so that they are in flight when the server dies. */
		process_signal(&s.server.process, SIGSTOP);
		for (size_t i = 0; i < 100; i++) {
			call_init(&calls[i], "INCR n");
			call_start(&calls[i], s.redis);
		}
		redis_server_kill(&s.server);
		for (size_t i = 0; i < 100; i++) {
			call_await(&calls[i]);
			assert_int_equal(calls[i].outcome, STORE_LOST);
		}
		/* The other connection may need a moment longer to notice. */
		assert_becomes(!is_ready(s.redis), BOUND_MS);
		call_expect(s.redis, "PING", STORE_UNAVAILABLE, NULL);
		redis_server_start(&s.server);
		assert_true(redis_wait_ready(s.redis, BOUND_MS));
	}
	end_scene(&s);
}

static void logs_in_and_selects(void **state)
{
	static struct scene s;
	const struct redis_server_options guarded = {.password = "p@ss:/ word"};
	char url[200];
	redisContext *c;
	redisReply *reply;

	(void)state;
	start_scene(&s, &guarded);
	(void)snprintf(url, sizeof(url), "redis://:p%%40ss%%3a%%2f%%20word@127.0.0.1:%u/3", s.server.port);
	s.options.url = url;
	s.redis = open_ready(&s.options);
	call_expect(s.redis, "SET where here", STORE_REPLIED, "OK");
	c = redis_server_connect(&s.server);
	freeReplyObject(redisCommand(c, "SELECT 3"));
	reply = redisCommand(c, "GET where");
	assert_string_equal(reply->str, "here");
	freeReplyObject(reply);
	redisFree(c);
	redis_close(&s.redis);

	s.options.url = s.server.url;
	s.options.password = "wrong";
	s.redis = open_redis(&s.options);
	assert_becomes(events_have(&s.events, "AUTH refused"), BOUND_MS);
	assert_false(is_ready(s.redis));
	assert_false(events_have(&s.events, "wrong"));
	assert_false(events_have(&s.events, "p@ss"));
	end_scene(&s);
}

static void sends_nothing_after_the_deadline(void **state)
{
	static struct scene s;
	redisContext *c;
	struct call call;

	(void)state;
	start_scene(&s, NULL);
	s.redis = open_ready(&s.options);
	for (int i = 0; i < 100; i++) {
		call_init(&call, "GET late");
		call.op.deadline_ms = clock_mono_ms() - (uint64_t)(i % 2);
		call_run(&call, s.redis);
		assert_int_equal(call.outcome, STORE_EXPIRED);
	}
	call_expect(s.redis, "GET intime", STORE_REPLIED, NULL);
	c = redis_server_connect(&s.server);
	assert_int_equal(redis_command_calls(c, "get"), 1);
	redisFree(c);
	end_scene(&s);
}

static void tells_the_mode_and_version(void **state)
{
	static struct scene s;
	struct store_state st;
	char url[200];

	(void)state;
	start_scene(&s, NULL);
	(void)snprintf(url, sizeof(url), "redis://localhost:%u", s.server.port);
	s.options.url = url;
	s.redis = open_ready(&s.options);
	store_get_state(redis_store(s.redis), &st);
	assert_true(st.is_ready);
	assert_string_equal(st.mode, "standalone");
	assert_true(strtoul(st.version, NULL, 10) >= 7);
	end_scene(&s);
}

/* Redis's limits on a client's output are no limit on what a page of a list may be. */
static void takes_large_replies(void **state)
{
	static struct scene s;
	struct call calls[20];

	(void)state;
	start_scene(&s, NULL);
	s.redis = open_ready(&s.options);
	freeReplyObject(redis_server_command(&s.server, "SETRANGE big 3999999 x"));
	for (size_t i = 0; i < 20; i++) {
		call_init(&calls[i], i % 2 == 0 ? "GET big" : "STRLEN big");
		call_start(&calls[i], s.redis);
	}
	for (size_t i = 0; i < 20; i++) {
		call_await(&calls[i]);
		assert_int_equal(calls[i].outcome, STORE_REPLIED);
		assert_int_equal(calls[i].integer, i % 2 == 0 ? 0 : 4000000);
	}
	/* And no more than that. */
	freeReplyObject(redis_server_command(&s.server, "SETRANGE big 16000000 x"));
	call_expect(s.redis, "GET big", STORE_LOST, NULL);
	assert_true(redis_wait_ready(s.redis, BOUND_MS));
	end_scene(&s);
}

/* What was acknowledged in the last moments is there again after a restart without data, before anything else is asked. */
static void brings_back_what_a_restart_lost(void **state)
{
	static struct scene s;
	static struct call calls[500];
	static char words[500][32];
	struct store_state st;

	(void)state;
	start_scene(&s, NULL);
	s.options.connections = 2;
	s.options.failover_wait_ms = BOUND_MS;
	s.redis = open_ready(&s.options);
	for (size_t i = 0; i < 500; i++) {
		(void)snprintf(words[i], sizeof(words[i]), "SET k%zu v%zu", i, i);
		call_init_write(&calls[i], words[i]);
		call_start(&calls[i], s.redis);
	}
	for (size_t i = 0; i < 500; i++) {
		call_await(&calls[i]);
		assert_true(store_keep(redis_store(s.redis), &calls[i].op, &calls[i].op.command, 60000));
	}
	store_get_state(redis_store(s.redis), &st);
	assert_int_equal(st.journal_entries, 500);
	assert_true(st.journal_bytes > 0);
	redis_server_kill(&s.server);
	redis_server_start(&s.server);
	for (size_t i = 0; i < 500; i++) {
		words[i][0] = 'G';
		words[i][2] = 'T';
		*strrchr(words[i], ' ') = '\0';
		call_init(&calls[i], words[i]);
		call_start(&calls[i], s.redis);
	}
	for (size_t i = 0; i < 500; i++) {
		call_await(&calls[i]);
		assert_int_equal(calls[i].outcome, STORE_REPLIED);
		assert_true(calls[i].type == STORE_STRING);
		assert_true(calls[i].is_unsettled);
	}
	end_scene(&s);
}

static void uses_no_server_of_another_kind(void **state)
{
	char bus[8];
	const struct redis_server_options clustered = {.args = {"--cluster-enabled", "yes", "--cluster-port", bus}};
	static struct scene s;

	(void)state;
	(void)snprintf(bus, sizeof(bus), "%u", port_free());
	start_scene(&s, &clustered);
	s.redis = open_redis(&s.options);
	assert_becomes(events_have(&s.events, "it is in a cluster: redis.url must be redis+cluster://"), BOUND_MS);
	assert_false(is_ready(s.redis));
	end_scene(&s);
}

/* Of a replica nothing can be had; when it becomes a primary it is used. */
static void waits_until_a_replica_is_promoted(void **state)
{
	static struct scene s;

	(void)state;
	start_scene(&s, NULL);
	freeReplyObject(redis_server_command(&s.server, "REPLICAOF 127.0.0.1 1"));
	s.redis = open_redis(&s.options);
	assert_becomes(events_have(&s.events, "it is a replica"), BOUND_MS);
	assert_false(is_ready(s.redis));
	freeReplyObject(redis_server_command(&s.server, "REPLICAOF NO ONE"));
	assert_becomes(is_ready(s.redis), BOUND_MS);
	end_scene(&s);
}

/* One of our connections that carry commands. */
static void kill_one_connection(const struct redis_server *server)
{
	redisReply *list = redis_server_command(server, "CLIENT LIST TYPE normal");
	const char *name = strstr(list->str, " name=latchkeyd ");
	const char *line;

	assert_non_null(name);
	for (line = name; line > list->str && line[-1] != '\n'; line--)
		;
	freeReplyObject(redis_server_command(server, "CLIENT KILL ID %llu", strtoull(line + strlen("id="), NULL, 10)));
	freeReplyObject(list);
}

struct ear {
	pthread_mutex_t lock;
	char words[256];
	unsigned missed;
	unsigned missed_before; /* the words came */
};

static void on_heard(void *owner, uint64_t source, span message)
{
	struct ear *e = owner;

	(void)source;
	pthread_mutex_lock(&e->lock);
	(void)snprintf(e->words, sizeof(e->words), "%.*s", SPAN_FMT(message));
	e->missed_before = e->missed;
	pthread_mutex_unlock(&e->lock);
}

static bool has_heard(struct ear *e, const char *words)
{
	bool has;

	pthread_mutex_lock(&e->lock);
	has = strcmp(e->words, words) == 0;
	pthread_mutex_unlock(&e->lock);
	return has;
}

/* Over the connection that WAITs. There are no replicas, so that nobody is waited for. */
static void write_with_replicas(redis *r, const char *words)
{
	struct call c;

	call_init_write(&c, words);
	c.op.wait_replicas = 1;
	c.op.wait_ms = 1;
	call_run(&c, r);
	assert_int_equal(c.outcome, STORE_REPLIED);
}

/* A name or a virtual address moves to another server while connections to the one before live on. One connection that
 * is made anew tells; then all of them go, and the new one gets what was acknowledged before it gets anything else. */
static void leaves_a_server_whose_address_moved(void **state)
{
	struct ear ear = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct redis_server other;
	struct relay *relay;
	static struct scene s;
	struct call write;
	char url[64];

	(void)state;
	start_scene(&s, NULL);
	redis_server_init(&other, NULL);
	redis_server_start(&other);
	relay = relay_open(s.server.port);
	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", relay_port(relay));
	s.options.url = url;
	s.options.connections = 2;
	s.options.failover_wait_ms = BOUND_MS;
	s.options.heard = on_heard;
	s.options.heard_owner = &ear;
	s.redis = open_ready(&s.options);
	write_with_replicas(s.redis, "SET laned 1");
	call_init_write(&write, "SET kept 1");
	call_run(&write, s.redis);
	assert_true(store_keep(redis_store(s.redis), &write.op, &write.op.command, 60000));
	relay_set_target(relay, other.port);
	kill_one_connection(&s.server);
	assert_true(WAIT_FOR(events_have(&s.events, "redis_primary_restarted"), BOUND_MS));
	for (int i = 0; i < 20; i++) {
		call_init_write(&write, "INCR counted");
		call_run(&write, s.redis);
		assert_int_equal(write.outcome, STORE_REPLIED);
	}
	call_expect(s.redis, "GET kept", STORE_REPLIED, "1");
	call_expect(s.redis, "GET counted", STORE_REPLIED, "20");
	/* So with the connections aside: the one that waits for replicas, and the one that listens. */
	write_with_replicas(s.redis, "SET laned 2");
	call_expect(s.redis, "GET laned", STORE_REPLIED, "2");
	assert_becomes(({
			       freeReplyObject(redis_server_command(&other, "PUBLISH " STORE_CHANNEL " other"));
			       has_heard(&ear, "other");
		       }),
		       BOUND_MS);
	redis_close(&s.redis);
	relay_close(&relay);
	redis_server_remove(&other);
	end_scene(&s);
}

static void waits_for_a_restart(void **state)
{
	static struct scene s;
	static struct call calls[200];

	(void)state;
	start_scene(&s, NULL);
	s.options.failover_wait_ms = BOUND_MS;
	s.redis = open_ready(&s.options);
	redis_server_kill(&s.server);
	for (size_t i = 0; i < 200; i++) {
		call_init_write(&calls[i], "SET k v");
		call_start(&calls[i], s.redis);
	}
	redis_server_start(&s.server);
	for (size_t i = 0; i < 200; i++) {
		call_await(&calls[i]);
		assert_int_equal(calls[i].outcome, STORE_REPLIED);
	}
	end_scene(&s);
}

/* Redis takes no writes now, and is alive: what has to be written is, as soon as that has passed. */
static void carries_out_what_is_pending(void **state)
{
	static struct scene s;
	struct store_state st;
	struct call c;

	(void)state;
	start_scene(&s, NULL);
	s.redis = open_ready(&s.options);
	freeReplyObject(redis_server_command(&s.server, "CONFIG SET maxmemory 1"));
	call_init_write(&c, "SET k v");
	store_pend(redis_store(s.redis), &c.op.command, 60000);
	store_get_state(redis_store(s.redis), &st);
	assert_int_equal(st.pending, 1);
	call_expect(s.redis, "SET other v", STORE_REFUSED, NULL);
	freeReplyObject(redis_server_command(&s.server, "CONFIG SET maxmemory 0"));
	assert_becomes(({
			       call_init(&c, "GET k");
			       call_run(&c, s.redis);
			       c.type == STORE_STRING;
		       }),
		       BOUND_MS);
	end_scene(&s);
}

static void hears_what_is_announced(void **state)
{
	static struct scene s;
	struct ear ear = {.lock = PTHREAD_MUTEX_INITIALIZER};

	(void)state;
	start_scene(&s, NULL);
	s.options.heard = on_heard;
	s.options.heard_owner = &ear;
	s.redis = open_ready(&s.options);
	assert_becomes(({
			       store_announce(redis_store(s.redis), SPAN_LIT("hello"));
			       has_heard(&ear, "hello");
		       }),
		       BOUND_MS);
	end_scene(&s);
}

static void on_missed(void *owner)
{
	struct ear *e = owner;

	pthread_mutex_lock(&e->lock);
	e->missed++;
	pthread_mutex_unlock(&e->lock);
}

static unsigned count_in(struct ear *e, const unsigned *counter)
{
	unsigned count;

	pthread_mutex_lock(&e->lock);
	count = *counter;
	pthread_mutex_unlock(&e->lock);
	return count;
}

/* When it begins to hear; when it hears no more; when it hears again. */
static void tells_when_it_may_have_missed_something(void **state)
{
	static struct scene s;
	struct ear ear = {.lock = PTHREAD_MUTEX_INITIALIZER};

	(void)state;
	start_scene(&s, NULL);
	s.options.heard = on_heard;
	s.options.missed = on_missed;
	s.options.heard_owner = &ear;
	s.redis = open_ready(&s.options);
	assert_becomes(count_in(&ear, &ear.missed) > 0, BOUND_MS);
	store_announce(redis_store(s.redis), SPAN_LIT("hello"));
	assert_becomes(has_heard(&ear, "hello"), BOUND_MS);
	assert_int_equal(count_in(&ear, &ear.missed), 1);
	redis_server_kill(&s.server);
	assert_becomes(count_in(&ear, &ear.missed) > 1, BOUND_MS);
	redis_server_start(&s.server);
	assert_true(redis_wait_ready(s.redis, BOUND_MS));
	assert_becomes(({
			       store_announce(redis_store(s.redis), SPAN_LIT("again"));
			       has_heard(&ear, "again");
		       }),
		       BOUND_MS);
	assert_true(count_in(&ear, &ear.missed_before) > 2);
	end_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matches_every_reply),
	    cmocka_unit_test(survives_script_flush),
	    cmocka_unit_test(comes_back_after_a_kill),
	    cmocka_unit_test(logs_in_and_selects),
	    cmocka_unit_test(tells_the_mode_and_version),
	    cmocka_unit_test(sends_nothing_after_the_deadline),
	    cmocka_unit_test(takes_large_replies),
	    cmocka_unit_test(brings_back_what_a_restart_lost),
	    cmocka_unit_test(uses_no_server_of_another_kind),
	    cmocka_unit_test(waits_until_a_replica_is_promoted),
	    cmocka_unit_test(leaves_a_server_whose_address_moved),
	    cmocka_unit_test(waits_for_a_restart),
	    cmocka_unit_test(carries_out_what_is_pending),
	    cmocka_unit_test(hears_what_is_announced),
	    cmocka_unit_test(tells_when_it_may_have_missed_something),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
