/* A replier against peers that do not play by the rules, byte by byte over plain sockets. */

#include "support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "support/callers.h"
#include "support/peer.h"
#include "support/tmpdir.h"

static const uint8_t greeting[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
static const uint8_t their_greeting[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

struct stage {
	struct desk desk;
	struct wire_limits limits;
	int peers; /* connections made so far */
	struct tmpdir dir;
	char url[TMPDIR_URL_BYTES];
};

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	tmpdir_make(&s->dir);
	tmpdir_url(&s->dir, "s", s->url);
	s->limits = caller_limits;
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	desk_close(&s->desk);
	tmpdir_remove(&s->dir);
	free(s);
	return 0;
}

static void start_over(struct stage *s)
{
	desk_close(&s->desk);
	memset(&s->desk, 0, sizeof(s->desk));
	s->peers = 0;
}

static int join(struct stage *s)
{
	s->peers++;
	return peer_connect(desk_url(&s->desk));
}

static int greet(struct stage *s)
{
	uint8_t theirs[8];
	int fd = join(s);

	peer_send(fd, greeting, sizeof(greeting));
	peer_receive(fd, theirs, sizeof(theirs));
	assert_memory_equal(theirs, their_greeting, sizeof(theirs));
	return fd;
}

/* A whole message over tcp, its length as announced. */
static size_t compose(uint8_t *out, uint64_t announced, const void *rest, size_t len)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(announced >> (56 - 8 * i));
	memcpy(out + 8, rest, len);
	return 8 + len;
}

/* This peer's connection is closed, as all the others are. */
static void expect_closed(struct stage *s, int fd, enum wire_error reason)
{
	assert_true(peer_is_closed(fd, BOUND_MS));
	assert_becomes(atomic_load(&s->desk.closed) == s->peers, BOUND_MS);
	assert_int_equal(s->desk.reason, reason);
	peer_close(fd);
}

/* The service lives: one good request is answered. */
static void expect_service(struct stage *s)
{
	struct caller c;

	s->peers++;
	caller_init(&c);
	caller_dial(&c, desk_url(&s->desk), &caller_limits, NULL);
	assert_becomes(atomic_load(&c.ready) == 1, BOUND_MS);
	caller_ask(&c, 5, 50);
	assert_becomes(atomic_load(&c.replies) == 1, BOUND_MS);
	caller_finish(&c);
}

static void wrong_greetings_are_refused_at_the_first_wrong_byte(void **state)
{
	struct stage *s = *state;

	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	for (size_t i = 0; i < sizeof(greeting); i++) {
		uint8_t bytes[sizeof(greeting)];
		int fd = join(s);

		memcpy(bytes, greeting, sizeof(greeting));
		bytes[i] ^= 0x41;
		peer_send(fd, bytes, i + 1);
		expect_closed(s, fd, WIRE_PROTOCOL);
	}
	expect_service(s);
}

static void http_is_refused(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct stage *s = *state;
	int fd;

	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = join(s);
	peer_send(fd, request, sizeof(request) - 1);
	expect_closed(s, fd, WIRE_PROTOCOL);
	assert_int_equal(s->desk.ready, 0);
}

static void a_message_byte_by_byte_is_understood(void **state)
{
	struct stage *s = *state;
	uint8_t bytes[64];
	uint8_t back[64];
	size_t len;
	int fd;

	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = join(s);
	for (size_t i = 0; i < sizeof(greeting); i++)
		peer_send(fd, greeting + i, 1);
	peer_receive(fd, back, 8);
	len = compose(bytes, 4 + 5, "\x80\0\0\x09hello", 9);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < len; i++)
			peer_send(fd, bytes + i, 1);
		peer_receive(fd, back, len);
		assert_memory_equal(back, bytes, len);
	}
	peer_close(fd);
}

static void routes_of_every_length_come_back(void **state)
{
	struct stage *s = *state;
	uint8_t rest[4 * WIRE_HOPS_MAX + 3];
	uint8_t bytes[128];
	uint8_t back[128];
	size_t len;
	int fd;

	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = greet(s);
	for (unsigned words = 1; words <= WIRE_HOPS_MAX; words++) {
		for (unsigned i = 0; i < 4 * words; i++)
			rest[i] = (uint8_t)(i % 128);
		rest[4 * words - 4] |= 0x80;
		memcpy(rest + 4 * words, "abc", 3);
		len = compose(bytes, 4 * words + 3, rest, 4 * words + 3);
		peer_send(fd, bytes, len);
		peer_receive(fd, back, len);
		assert_memory_equal(back, bytes, len);
	}
	peer_close(fd);
}

static void a_route_without_an_end_is_refused(void **state)
{
	struct stage *s = *state;
	uint8_t rest[4 * (WIRE_HOPS_MAX + 1)] = {0};
	uint8_t bytes[128];
	size_t len;
	int fd;

	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = greet(s);
	rest[4 * WIRE_HOPS_MAX] = 0x80;
	len = compose(bytes, sizeof(rest), rest, sizeof(rest));
	peer_send(fd, bytes, len);
	expect_closed(s, fd, WIRE_PROTOCOL);
	assert_int_equal(s->desk.messages, 0);
}

static void a_message_too_short_for_its_route_is_refused(void **state)
{
	struct stage *s = *state;
	uint8_t bytes[64];

	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	for (uint64_t announced = 0; announced < 8; announced++) {
		/* One word without the end bit, and one with it: needs 8. */
		size_t len = compose(bytes, announced, "\0\0\0\1\x80\0\0\1", 8);
		int fd = greet(s);

		peer_send(fd, bytes, len);
		expect_closed(s, fd, WIRE_PROTOCOL);
	}
	expect_service(s);
	assert_int_equal(s->desk.messages, 1);
}

static void ipc_messages_begin_with_a_one(void **state)
{
	struct stage *s = *state;
	uint8_t bytes[64] = {1};
	uint8_t back[64];
	size_t len;
	int fd;

	desk_open(&s->desk, s->url, &s->limits, NULL);
	fd = greet(s);
	len = 1 + compose(bytes + 1, 4 + 2, "\x80\0\0\1hi", 6);
	peer_send(fd, bytes, len);
	peer_receive(fd, back, len);
	assert_memory_equal(back, bytes, len);
	bytes[0] = 2;
	peer_send(fd, bytes, 1);
	expect_closed(s, fd, WIRE_PROTOCOL);
}

static void an_announcement_of_gigabytes_costs_nothing(void **state)
{
	static const uint64_t sizes[] = {CALLER_MESSAGE_MAX + 5, 1ULL << 31, 1ULL << 40, 1ULL << 63, UINT64_MAX};
	struct stage *s = *state;
	struct rusage before;
	struct rusage after;
	uint8_t bytes[64];
	uint8_t back[64];

	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	expect_service(s);
	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t len = compose(bytes, sizes[i], "\x80\0\0\x07", 4);
		int fd = greet(s);

		peer_send(fd, bytes, len);
		/* The refusal can still be told. */
		peer_receive(fd, back, 8 + 4 + 9);
		assert_memory_equal(back, "\0\0\0\0\0\0\0\x0d\x80\0\0\x07too large", 21);
		assert_int_equal(s->desk.announced, sizes[i] - 4);
		expect_closed(s, fd, WIRE_TOO_LARGE);
	}
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
	assert_int_equal(s->desk.too_large, sizeof(sizes) / sizeof(sizes[0]));
	expect_service(s);
}

static void the_largest_message_is_taken(void **state)
{
	struct stage *s = *state;
	size_t len = 8 + 4 + CALLER_MESSAGE_MAX;
	uint8_t *bytes = calloc(1, len);
	uint8_t *back = calloc(1, len);
	int fd;

	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = greet(s);
	(void)compose(bytes, 4 + CALLER_MESSAGE_MAX, "\x80\0\0\1", 4);
	peer_send(fd, bytes, len);
	peer_receive(fd, back, len);
	assert_memory_equal(back, bytes, len);
	peer_close(fd);
	free(bytes);
	free(back);
}

/* It does not read before it has written all. The link must take that and throw it away, for the answer to arrive. */
static void a_peer_in_the_middle_of_a_large_message_gets_its_answer(void **state)
{
	struct stage *s = *state;
	size_t len = 8U << 20;
	uint8_t *bytes = calloc(1, len);
	uint8_t back[21];

	for (int ipc = 0; ipc < 2; ipc++) {
		int fd;
		uint8_t *p = bytes;

		desk_open(&s->desk, ipc ? s->url : "tcp://127.0.0.1:0", &s->limits, NULL);
		fd = greet(s);
		*p = 1;
		(void)compose(p + ipc, len - 8, "\x80\0\0\x07", 4);
		peer_send(fd, bytes, len);
		if (ipc)
			peer_receive(fd, back, 1);
		peer_receive(fd, back, sizeof(back));
		assert_memory_equal(back + 8, "\x80\0\0\x07too large", 13);
		expect_closed(s, fd, WIRE_TOO_LARGE);
		if (!ipc)
			start_over(s);
	}
	free(bytes);
}

static void silent_and_half_greeted_peers_are_timed_out(void **state)
{
	struct stage *s = *state;
	int fds[2];

	s->limits.connect_timeout_ms = 200;
	s->desk.stays = true;
	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fds[0] = join(s);
	fds[1] = join(s);
	peer_send(fds[1], greeting, 7);
	for (int i = 0; i < 2; i++)
		assert_true(peer_is_closed(fds[i], BOUND_MS));
	assert_becomes(atomic_load(&s->desk.closed) == 2, BOUND_MS);
	assert_int_equal(s->desk.reason, WIRE_TIMED_OUT);
	for (int i = 0; i < 2; i++)
		peer_close(fds[i]);
}

static void a_greeted_peer_is_not_bound_to_the_greeting_time(void **state)
{
	struct stage *s = *state;
	uint8_t bytes[64];
	uint8_t back[64];
	size_t len = compose(bytes, 4 + 2, "\x80\0\0\1hi", 6);
	int fd;

	s->limits.connect_timeout_ms = 100;
	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = greet(s);
	nap_ms(400);
	peer_send(fd, bytes, len);
	peer_receive(fd, back, len);
	peer_close(fd);
}

static void half_a_message_stalls(void **state)
{
	struct stage *s = *state;
	uint8_t bytes[64];
	size_t len = compose(bytes, 4 + 20, "\x80\0\0\1hello", 9);
	int fd;

	s->limits.stall_timeout_ms = 200;
	s->desk.stays = true;
	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = greet(s);
	peer_send(fd, bytes, len);
	expect_closed(s, fd, WIRE_STALLED);
}

static void a_peer_that_never_reads_stalls_alone(void **state)
{
	struct stage *s = *state;
	uint8_t *bytes = calloc(1, 8 + 4 + 60000);
	size_t len;
	int fd;

	s->limits.stall_timeout_ms = 400;
	s->limits.output_bytes_max = 256 * 1024;
	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = peer_connect_small(desk_url(&s->desk));
	peer_send(fd, greeting, sizeof(greeting));
	len = compose(bytes, 4 + 60000, "\x80\0\0\1", 4) + 60000;
	while (atomic_load(&s->desk.closed) == 0 && peer_try_send(fd, bytes, len))
		expect_service(s);
	assert_becomes(atomic_load(&s->desk.closed) > 0, BOUND_MS);
	expect_service(s);
	peer_close(fd);
	free(bytes);
}

static void connects_and_closes_by_the_thousand(void **state)
{
	struct stage *s = *state;

	for (int ipc = 0; ipc < 2; ipc++) {
		desk_open(&s->desk, ipc ? s->url : "tcp://127.0.0.1:0", &s->limits, NULL);
		for (int i = 0; i < 2000; i++) {
			int fd = join(s);

			if (i % 3 == 1)
				peer_send(fd, greeting, (size_t)(i % 9));
			if (i % 3 == 2)
				peer_send(fd, "\xff\xff", 2);
			peer_close(fd);
			/* The queue of tcp connections holds 128, and one that does not fit waits a second. */
			assert_becomes(s->peers - atomic_load(&s->desk.accepted) < 64, BOUND_MS);
		}
		expect_service(s);
		if (!ipc)
			start_over(s);
	}
}

static void random_bytes_never_become_a_message_too_many(void **state)
{
	struct stage *s = *state;
	uint8_t bytes[256];

	srand(7);
	desk_open(&s->desk, "tcp://127.0.0.1:0", &s->limits, NULL);
	for (int round = 0; round < 300; round++) {
		int fd = greet(s);

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rand();
		/* Small lengths are the interesting ones. */
		memset(bytes, 0, 6);
		bytes[6] &= 3;
		(void)peer_try_send(fd, bytes, sizeof(bytes));
		peer_close(fd);
	}
	expect_service(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    T(wrong_greetings_are_refused_at_the_first_wrong_byte),
	    T(http_is_refused),
	    T(a_message_byte_by_byte_is_understood),
	    T(routes_of_every_length_come_back),
	    T(a_route_without_an_end_is_refused),
	    T(a_message_too_short_for_its_route_is_refused),
	    T(ipc_messages_begin_with_a_one),
	    T(an_announcement_of_gigabytes_costs_nothing),
	    T(the_largest_message_is_taken),
	    T(a_peer_in_the_middle_of_a_large_message_gets_its_answer),
	    T(silent_and_half_greeted_peers_are_timed_out),
	    T(a_greeted_peer_is_not_bound_to_the_greeting_time),
	    T(half_a_message_stalls),
	    T(a_peer_that_never_reads_stalls_alone),
	    T(connects_and_closes_by_the_thousand),
	    T(random_bytes_never_become_a_message_too_many),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
