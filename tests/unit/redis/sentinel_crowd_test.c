/* Sentinels that name more others than there is room for, or the same one twice: played by the test. */

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/sentinel.h"
#include "support/wait.h"
#include "wire/link.h"
#include "wire/ticker.h"

#define ID "$40\r\n0123456789012345678901234567890123456789\r\n"

enum { LISTENERS = 2, LINKS_MAX = 32 };

/* How far the clock is put forward: longer than any Sentinel that does not answer is kept. */
#define AHEAD_MS 60000

/* One thread serves all; every listener is the same Sentinel. */
struct crowd {
	pthread_t thread;
	atomic_bool is_over;
	int listeners[LISTENERS];
	uint16_t ports[LISTENERS];
	int links[LINKS_MAX];
	redisReader *readers[LINKS_MAX];
	size_t link_count;
	char peers[8192]; /* the answer to SENTINEL SENTINELS */
};

static void answer(struct crowd *c, int fd, const redisReply *command)
{
	const char *word = command->element[0]->str;
	const char *what = command->elements > 1 ? command->element[1]->str : "";
	const char *text = "+OK\r\n";

	if (strcmp(word, "PING") == 0)
		text = "+PONG\r\n";
	else if (strcmp(word, "SUBSCRIBE") == 0)
		text = "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n";
	else if (strcmp(what, "GET-MASTER-ADDR-BY-NAME") == 0)
		text = "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n";
	else if (strcmp(what, "MYID") == 0)
		text = ID;
	else if (strcmp(what, "SENTINELS") == 0)
		text = c->peers;
	else if (strcmp(what, "REPLICAS") == 0)
		text = "*0\r\n";
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static bool serve(struct crowd *c, size_t at)
{
	char bytes[4096];
	ssize_t len = read(c->links[at], bytes, sizeof(bytes));
	void *command = NULL;

	if (len <= 0)
		return false;
	if (redisReaderFeed(c->readers[at], bytes, (size_t)len) != REDIS_OK)
		return false;
	while (redisReaderGetReply(c->readers[at], &command) == REDIS_OK && command != NULL) {
		answer(c, c->links[at], command);
		freeReplyObject(command);
		command = NULL;
	}
	return true;
}

static void hang_up(struct crowd *c, size_t at)
{
	close(c->links[at]);
	redisReaderFree(c->readers[at]);
	c->link_count--;
	c->links[at] = c->links[c->link_count];
	c->readers[at] = c->readers[c->link_count];
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void *serve_all(void *owner)
{
	struct crowd *c = owner;

	while (!atomic_load(&c->is_over)) {
		for (size_t i = 0; i < LISTENERS; i++)
			if (c->link_count < LINKS_MAX && is_readable(c->listeners[i])) {
				c->links[c->link_count] = accept(c->listeners[i], NULL, NULL);
				c->readers[c->link_count++] = redisReaderCreate();
			}
		for (size_t i = c->link_count; i-- > 0;)
			if (is_readable(c->links[i]) && !serve(c, i))
				hang_up(c, i);
		nap_ms(1);
	}
	while (c->link_count > 0)
		hang_up(c, 0);
	return NULL;
}

static void open_crowd(struct crowd *c)
{
	*c = (struct crowd){.link_count = 0};
	for (size_t i = 0; i < LISTENERS; i++) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof(a);

		c->listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(c->listeners[i], (const struct sockaddr *)&a, len), 0);
		assert_int_equal(listen(c->listeners[i], 64), 0);
		assert_int_equal(getsockname(c->listeners[i], (struct sockaddr *)&a, &len), 0);
		c->ports[i] = ntohs(a.sin_port);
	}
}

static void start_crowd(struct crowd *c)
{
	assert_int_equal(pthread_create(&c->thread, NULL, serve_all, c), 0);
}

static void close_crowd(struct crowd *c)
{
	atomic_store(&c->is_over, true);
	pthread_join(c->thread, NULL);
	for (size_t i = 0; i < LISTENERS; i++)
		close(c->listeners[i]);
}

struct scene {
	struct crowd crowd;
	sentinel *sentinel;
	wire_ticker *ticker;
	atomic_uint ahead_ms; /* of the clock */
	atomic_uint learned;
	atomic_uint needed_room;
	atomic_uint doubles;
};

static void on_event(void *owner, const struct redis_event *event)
{
	struct scene *s = owner;

	atomic_fetch_add(&s->learned, strcmp(event->name, "redis_sentinel_learned") == 0);
	if (strcmp(event->name, "redis_sentinel_forgotten") != 0)
		return;
	atomic_fetch_add(strstr(event->text, "another address") != NULL ? &s->doubles : &s->needed_room, 1);
}

static void on_report(void *owner, const struct sentinel_report *report)
{
	(void)owner;
	(void)report;
}

static void on_replicas(void *owner, const struct address *replicas, size_t count)
{
	(void)owner;
	(void)replicas;
	(void)count;
}

static void on_tick(void *owner)
{
	struct scene *s = owner;

	sentinel_tick(s->sentinel, wire_now_ms() + atomic_load(&s->ahead_ms), true);
}

static void watch(struct scene *s)
{
	struct address seed;

	start_crowd(&s->crowd);
	assert_true(address_make(SPAN_LIT("127.0.0.1"), s->crowd.ports[0], &seed));
	s->sentinel = sentinel_new(&(struct sentinel_options){
	    .name = "m",
	    .seeds = &seed,
	    .seed_count = 1,
	    .connect_timeout_ms = 10 * AHEAD_MS,
	    .answer_timeout_ms = 10 * AHEAD_MS,
	    .events = {.report = on_event, .owner = s},
	    .report = on_report,
	    .replicas = on_replicas,
	    .owner = s,
	});
	assert_non_null(s->sentinel);
	s->ticker = wire_ticker_start(5, on_tick, s);
}

static void close_scene(struct scene *s)
{
	wire_ticker_stop(&s->ticker);
	sentinel_free(&s->sentinel);
	assert_true(wire_drain(BOUND_MS));
	close_crowd(&s->crowd);
}

static size_t members(struct scene *s, bool *ret_has_seed)
{
	struct sentinel_member found[SENTINEL_MEMBERS_MAX];
	size_t count = sentinel_members(s->sentinel, found, SENTINEL_MEMBERS_MAX);

	*ret_has_seed = false;
	for (size_t i = 0; i < count; i++)
		*ret_has_seed = *ret_has_seed || (found[i].is_seed && found[i].is_connected);
	return count;
}

static void add_peer(struct crowd *c, unsigned port)
{
	char number[8];
	int len = snprintf(number, sizeof(number), "%u", port);

	(void)sprintf(
	    c->peers + strlen(c->peers),
	    "*6\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$%d\r\n%s\r\n$5\r\nflags\r\n$8\r\nsentinel\r\n", len,
	    number);
}

static void has_room_for_so_many(void **state)
{
	enum { PEERS = 40 };
	static struct scene s;
	bool has_seed;

	(void)state;
	open_crowd(&s.crowd);
	(void)sprintf(s.crowd.peers, "*%d\r\n", PEERS);
	/* Nobody listens there. */
	for (unsigned i = 0; i < PEERS; i++)
		add_peer(&s.crowd, 1 + i);
	watch(&s);
	assert_becomes(members(&s, &has_seed) == SENTINEL_MEMBERS_MAX && has_seed, BOUND_MS);
	assert_int_equal(atomic_load(&s.learned), SENTINEL_MEMBERS_MAX - 1);
	assert_int_equal(atomic_load(&s.needed_room), 0);
	/* None of them has ever answered: in the long run they give way to others, the seed never does. */
	atomic_store(&s.ahead_ms, AHEAD_MS);
	assert_becomes(atomic_load(&s.needed_room) >= 1, BOUND_MS);
	assert_becomes(atomic_load(&s.learned) >= SENTINEL_MEMBERS_MAX, BOUND_MS);
	assert_true(members(&s, &has_seed) <= SENTINEL_MEMBERS_MAX);
	assert_true(has_seed);
	close_scene(&s);
}

static void knows_a_double_by_its_id(void **state)
{
	static struct scene s;
	bool has_seed;

	(void)state;
	open_crowd(&s.crowd);
	(void)strcpy(s.crowd.peers, "*1\r\n");
	/* Without its id in the list, only asking it can tell. */
	add_peer(&s.crowd, s.crowd.ports[1]);
	watch(&s);
	assert_becomes(atomic_load(&s.learned) >= 1, BOUND_MS);
	assert_becomes(atomic_load(&s.doubles) >= 1, BOUND_MS);
	assert_becomes(members(&s, &has_seed) == 1 && has_seed, BOUND_MS);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has_room_for_so_many),
	    cmocka_unit_test(knows_a_double_by_its_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
