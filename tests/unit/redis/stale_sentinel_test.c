/* Failovers one after the other, of servers and Sentinels that the test plays. All servers call themselves primaries, as
 * they do for a while after a failover: only what the Sentinels say tells them apart. */

#include <stdio.h>
#include <string.h>

#include "actor.h"
#include "call.h"
#include "support/wait.h"

enum { SERVERS = 3, SENTINELS = 3, POLLS = 5 };

struct played_sentinel {
	struct actor actor;
	struct scene *scene;
	atomic_uint names; /* a server */
	atomic_uint polls;
};

struct scene {
	struct actor servers[SERVERS];
	struct played_sentinel sentinels[SENTINELS];
	struct events events;
	char url[160];
	struct redis_options options;
	redis *redis;
};

static void play_server(void *owner, struct actor *a, const char *words, char reply[ACTOR_REPLY_BYTES])
{
	(void)owner;
	(void)words;
	(void)snprintf(reply, ACTOR_REPLY_BYTES, "+%u\r\n", a->port);
}

static void play_sentinel(void *owner, struct actor *a, const char *words, char reply[ACTOR_REPLY_BYTES])
{
	struct played_sentinel *p = owner;
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", p->scene->servers[atomic_load(&p->names)].port);
	if (strncmp(words, "SENTINEL GET-MASTER-ADDR", 24) == 0) {
		atomic_fetch_add(&p->polls, 1);
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(port), port);
	} else if (strcmp(words, "SENTINEL MYID") == 0) {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "$40\r\n%040u\r\n", a->port);
	} else if (strncmp(words, "SENTINEL", 8) == 0) {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "*0\r\n");
	} else {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n");
	}
}

static void name(struct scene *s, unsigned sentinel, unsigned server)
{
	atomic_store(&s->sentinels[sentinel].names, server);
}

static bool is_served_by(struct scene *s, unsigned server)
{
	struct store_node nodes[16];
	const size_t count = store_nodes(redis_store(s->redis), nodes, 16);

	for (size_t i = 0; i < count && i < 16; i++) {
		if (strcmp(nodes[i].state, "serving") == 0)
			return strcmp(nodes[i].address, s->servers[server].address) == 0;
	}
	return false;
}

static int set_up(void **state)
{
	static struct scene s;

	s = (struct scene){.events = EVENTS_INIT};
	for (unsigned i = 0; i < SERVERS; i++) {
		actor_open(&s.servers[i], play_server, &s);
		atomic_store(&s.servers[i].run, i + 1);
	}
	for (unsigned i = 0; i < SENTINELS; i++) {
		s.sentinels[i].scene = &s;
		actor_open(&s.sentinels[i].actor, play_sentinel, &s.sentinels[i]);
	}
	(void)snprintf(s.url, sizeof(s.url), "redis+sentinel://%s,%s,%s/m", s.sentinels[0].actor.address,
		       s.sentinels[1].actor.address, s.sentinels[2].actor.address);
	s.options = options_for(s.url, &s.events);
	s.options.failover_wait_ms = BOUND_MS;
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	redis_close(&s->redis);
	for (unsigned i = 0; i < SERVERS; i++)
		actor_close(&s->servers[i]);
	for (unsigned i = 0; i < SENTINELS; i++)
		actor_close(&s->sentinels[i].actor);
	return 0;
}

static void fail_over_to(struct scene *s, unsigned server)
{
	for (unsigned i = 0; i < SENTINELS; i++)
		name(s, i, server);
	assert_becomes(is_served_by(s, server), BOUND_MS);
}

/* It was cut off, and has heard neither of the second primary nor of the third. */
static void a_sentinel_that_names_the_first_of_three_is_not_followed(void **state)
{
	struct scene *s = *state;
	unsigned before;

	s->redis = open_ready(&s->options);
	assert_true(is_served_by(s, 0));
	fail_over_to(s, 1);
	fail_over_to(s, 2);
	name(s, 0, 0);
	before = atomic_load(&s->sentinels[0].polls);
	while (atomic_load(&s->sentinels[0].polls) < before + POLLS) {
		assert_true(is_served_by(s, 2));
		nap_ms(5);
	}
	/* Nor is one that names the second. */
	name(s, 0, 1);
	before = atomic_load(&s->sentinels[0].polls);
	while (atomic_load(&s->sentinels[0].polls) < before + POLLS) {
		assert_true(is_served_by(s, 2));
		nap_ms(5);
	}
	/* When most do it is true. */
	name(s, 1, 1);
	assert_becomes(is_served_by(s, 1), BOUND_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_sentinel_that_names_the_first_of_three_is_not_followed, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
