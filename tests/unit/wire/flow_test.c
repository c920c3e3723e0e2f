/* Much data: large inputs, slow readers, output bounds, many writers. */

#include "support/wait.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/ends.h"
#include "support/peer.h"

struct stage {
	struct hall hall;
	struct end end;
};

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	end_init(&s->end);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	end_finish(&s->end);
	if (s->hall.listener != NULL)
		hall_close(&s->hall);
	free(s);
	return 0;
}

static uint8_t *pattern(size_t len)
{
	uint8_t *bytes = malloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 256);
	return bytes;
}

#define LARGE (8U * 1024U * 1024U)

static ssize_t take_when_whole(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	(void)e;
	(void)link;
	(void)data;
	return len < LARGE ? 0 : LARGE;
}

static void a_large_message_is_gathered(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = end_limits;
	uint8_t *bytes = pattern(LARGE);

	limits.input_bytes_max = LARGE;
	s->hall.input = take_when_whole;
	hall_open(&s->hall, "tcp://127.0.0.1:0", &limits, NULL);
	end_dial(&s->end, hall_url(&s->hall), &end_limits);
	end_send(&s->end, bytes, LARGE);
	assert_becomes(atomic_load(&s->hall.count) == 1 && end_has(&s->hall.ends[0], bytes, LARGE), BOUND_MS);
	free(bytes);
}

static ssize_t take_nothing(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	(void)e;
	(void)link;
	(void)data;
	(void)len;
	return 0;
}

static void input_that_nobody_takes_ends_the_link(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = end_limits;
	uint8_t *bytes = pattern(LARGE);
	int fd;

	limits.input_bytes_max = 100 * 1000;
	s->hall.input = take_nothing;
	hall_open(&s->hall, "tcp://127.0.0.1:0", &limits, NULL);
	fd = peer_connect(hall_url(&s->hall));
	peer_send(fd, bytes, 100 * 1000);
	assert_becomes(atomic_load(&s->hall.count) == 1 && atomic_load(&s->hall.ends[0].inputs) > 0, BOUND_MS);
	assert_int_equal(s->hall.ends[0].closed, 0);
	peer_send(fd, bytes, 1);
	assert_becomes(atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(s->hall.ends[0].reason, WIRE_TOO_LARGE);
	peer_close(fd);
	free(bytes);
}

struct pump {
	int fd;
	const uint8_t *bytes;
	size_t len;
};

static void *pump_bytes(void *arg)
{
	struct pump *p = arg;

	(void)peer_try_send(p->fd, p->bytes, p->len);
	return NULL;
}

static void an_unread_echo_pauses_reading_and_loses_nothing(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = end_limits;
	struct pump pump = {.bytes = pattern(2 * LARGE), .len = 2 * LARGE};
	uint8_t *back = malloc(2 * LARGE);
	size_t largest = 0;
	size_t before;
	pthread_t thread;

	limits.output_bytes_max = 64 * 1024;
	s->hall.input = end_echo;
	hall_open(&s->hall, "tcp://127.0.0.1:0", &limits, NULL);
	pump.fd = peer_connect_small(hall_url(&s->hall));
	pthread_create(&thread, NULL, pump_bytes, &pump);
	/* Until reading has stopped: output over the bound, and no more input for a while. */
	assert_becomes(atomic_load(&s->hall.count) == 1 &&
			   wire_link_output_bytes(s->hall.ends[0].link) > limits.output_bytes_max,
		       BOUND_MS);
	do {
		before = end_received(&s->hall.ends[0]);
		nap_ms(100);
	} while (end_received(&s->hall.ends[0]) != before);
	largest = wire_link_output_bytes(s->hall.ends[0].link);
	/* The bound, and what one more read can bring. */
	assert_true(largest <= limits.output_bytes_max + 256 * 1024);
	assert_true(before < pump.len);

	peer_receive(pump.fd, back, pump.len);
	assert_memory_equal(back, pump.bytes, pump.len);
	pthread_join(thread, NULL);
	peer_close(pump.fd);
	free(back);
	free((void *)(uintptr_t)pump.bytes);
}

static void closing_flushes_to_a_slow_reader(void **state)
{
	struct stage *s = *state;
	uint8_t *bytes = pattern(LARGE);
	uint8_t *back = malloc(LARGE);
	int fd;

	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	fd = peer_connect_small(hall_url(&s->hall));
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	/* More than output_bytes_max in one piece is still taken. */
	end_send(&s->hall.ends[0], bytes, LARGE);
	wire_link_close(s->hall.ends[0].link, WIRE_CLOSED, true);
	end_send(&s->hall.ends[0], "never", 5);
	assert_int_equal(s->hall.ends[0].closed, 0);
	peer_receive(fd, back, LARGE);
	assert_memory_equal(back, bytes, LARGE);
	assert_true(peer_is_closed(fd, BOUND_MS));
	assert_becomes(atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(s->hall.ends[0].reason, WIRE_CLOSED);
	peer_close(fd);
	free(back);
	free(bytes);
}

static void closing_without_flush_drops(void **state)
{
	struct stage *s = *state;
	uint8_t *bytes = pattern(LARGE);
	int fd;

	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	fd = peer_connect_small(hall_url(&s->hall));
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	end_send(&s->hall.ends[0], bytes, LARGE);
	wire_link_close(s->hall.ends[0].link, WIRE_CLOSED, false);
	assert_becomes(atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(wire_link_output_bytes(s->hall.ends[0].link), 0);
	assert_true(peer_is_closed(fd, BOUND_MS));
	peer_close(fd);
	free(bytes);
}

#define WRITERS 8
#define RECORDS 2000

struct writer {
	struct end *end;
	uint8_t number;
};

/* A record: writer, length, and that many bytes of the writer's number, given in three parts. */
static void *write_records(void *arg)
{
	struct writer *w = arg;
	uint8_t fill[255];

	memset(fill, w->number, sizeof(fill));
	for (unsigned i = 0; i < RECORDS; i++) {
		uint8_t len = (uint8_t)(i % 255);
		struct iovec parts[] = {{&w->number, 1}, {&len, 1}, {fill, len}};

		wire_link_send(w->end->link, parts, 3);
	}
	return NULL;
}

static size_t whole_records(const uint8_t *bytes, size_t len)
{
	size_t count = 0;
	size_t at = 0;

	while (at < len) {
		uint8_t writer = bytes[at];
		uint8_t n = bytes[at + 1];

		assert_true(writer < WRITERS);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(bytes[at + 2 + i], writer);
		at += 2U + n;
		count++;
	}
	assert_int_equal(at, len);
	return count;
}

static void what_many_threads_send_stays_whole(void **state)
{
	struct stage *s = *state;
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct end *far = &s->hall.ends[0];

	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	end_dial(&s->end, hall_url(&s->hall), &end_limits);
	assert_becomes(atomic_load(&s->end.opened) == 1, BOUND_MS);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.end = &s->end, .number = (uint8_t)i};
		pthread_create(&threads[i], NULL, write_records, &writers[i]);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	wire_link_close(s->end.link, WIRE_CLOSED, true);
	assert_becomes(atomic_load(&s->hall.count) == 1 && atomic_load(&far->closed) == 1, BOUND_MS);
	assert_int_equal(whole_records(far->bytes, far->len), WRITERS * RECORDS);
}

static void a_peer_that_leaves_its_last_words_is_heard_when_writing_fails(void **state)
{
	struct stage *s = *state;
	struct end *e = &s->end;
	char url[PEER_URL_BYTES];
	int listener = peer_listen(4, url);
	uint8_t *bytes = pattern(LARGE);
	int fd;

	end_dial(e, url, &end_limits);
	fd = peer_accept(listener);
	assert_becomes(atomic_load(&e->opened) == 1, BOUND_MS);
	peer_send(fd, "too many clients", 16);
	assert_becomes(end_received(e) == 16, BOUND_MS);
	peer_close(fd);
	/* The first makes the peer's system answer with a reset, the second finds it. */
	end_send(e, bytes, LARGE);
	assert_becomes(atomic_load(&e->closed) == 1, BOUND_MS);
	assert_int_equal(e->reason, WIRE_PEER_CLOSED);
	assert_true(end_has(e, "too many clients", 16));
	peer_close(listener);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    T(a_large_message_is_gathered),
	    T(input_that_nobody_takes_ends_the_link),
	    T(an_unread_echo_pauses_reading_and_loses_nothing),
	    T(closing_flushes_to_a_slow_reader),
	    T(closing_without_flush_drops),
	    T(what_many_threads_send_stays_whole),
	    T(a_peer_that_leaves_its_last_words_is_heard_when_writing_fails),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
