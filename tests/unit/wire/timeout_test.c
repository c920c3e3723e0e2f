/* What time does to a link: idle, stalled, silent peers. Short limits; the bounds on waiting are the generous ones. */

#include "support/wait.h"

#include <stdlib.h>
#include <string.h>

#include "support/ends.h"
#include "support/peer.h"
#include "wire/ticker.h"

#define SHORT_MS 100U

struct stage {
	struct hall hall;
	struct end end;
	struct wire_limits limits;
	uint64_t began_ms;
};

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	end_init(&s->end);
	s->limits = end_limits;
	s->began_ms = wire_now_ms();
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

static int connect_one(struct stage *s)
{
	int fd;

	hall_open(&s->hall, "tcp://127.0.0.1:0", &s->limits, NULL);
	fd = peer_connect(hall_url(&s->hall));
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	return fd;
}

static void expect_end(struct stage *s, int fd, enum wire_error reason)
{
	assert_becomes(atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(s->hall.ends[0].reason, reason);
	/* Never before its time. */
	assert_true(wire_now_ms() - s->began_ms >= SHORT_MS);
	assert_true(peer_is_closed(fd, BOUND_MS));
	peer_close(fd);
}

static void a_silent_peer_is_idle(void **state)
{
	struct stage *s = *state;
	int fd;

	s->limits.idle_timeout_ms = SHORT_MS;
	fd = connect_one(s);
	expect_end(s, fd, WIRE_IDLE);
	assert_int_equal(s->hall.ends[0].idles, 1);
}

static void the_owner_can_let_an_idle_peer_stay(void **state)
{
	struct stage *s = *state;
	int fd;

	s->limits.idle_timeout_ms = SHORT_MS;
	s->hall.stays = true;
	fd = connect_one(s);
	assert_becomes(atomic_load(&s->hall.ends[0].idles) >= 3, BOUND_MS);
	assert_true(wire_now_ms() - s->began_ms >= 3 * SHORT_MS);
	assert_int_equal(s->hall.ends[0].closed, 0);
	peer_send(fd, "still here", 10);
	assert_becomes(end_received(&s->hall.ends[0]) == 10, BOUND_MS);
	peer_close(fd);
}

static void a_talking_peer_is_not_idle(void **state)
{
	struct stage *s = *state;
	int fd;

	s->limits.idle_timeout_ms = 10 * SHORT_MS;
	fd = connect_one(s);
	while (wire_now_ms() - s->began_ms < 20 * SHORT_MS) {
		peer_send(fd, "x", 1);
		nap_ms(20);
	}
	assert_int_equal(s->hall.ends[0].idles, 0);
	assert_int_equal(s->hall.ends[0].closed, 0);
	peer_close(fd);
}

static void half_a_message_stalls(void **state)
{
	struct stage *s = *state;
	int fd;

	s->limits.stall_timeout_ms = SHORT_MS;
	s->hall.input = end_echo_lines;
	fd = connect_one(s);
	peer_send(fd, "a line\nand a ha", 15);
	expect_end(s, fd, WIRE_STALLED);
	assert_true(end_has(&s->hall.ends[0], "a line\n", 7));
}

static void a_trickle_stalls_too(void **state)
{
	struct stage *s = *state;
	int fd;

	s->limits.stall_timeout_ms = 5 * SHORT_MS;
	s->hall.input = end_echo_lines;
	fd = connect_one(s);
	while (peer_try_send(fd, "x", 1) && atomic_load(&s->hall.ends[0].closed) == 0 &&
	       wire_now_ms() - s->began_ms < BOUND_MS)
		nap_ms(10);
	expect_end(s, fd, WIRE_STALLED);
}

static void whole_messages_now_and_then_do_not_stall(void **state)
{
	struct stage *s = *state;
	char back[2];
	int fd;

	s->limits.stall_timeout_ms = 5 * SHORT_MS;
	s->hall.input = end_echo_lines;
	fd = connect_one(s);
	/* There is always half a message waiting, never the same. */
	peer_send(fd, "x", 1);
	while (wire_now_ms() - s->began_ms < 15 * SHORT_MS) {
		peer_send(fd, "\nx", 2);
		peer_receive(fd, back, 2);
		nap_ms(20);
	}
	assert_int_equal(s->hall.ends[0].closed, 0);
	peer_close(fd);
}

static void output_that_nobody_reads_stalls(void **state)
{
	struct stage *s = *state;
	uint8_t *bytes = calloc(1, 16U << 20);
	int fd;

	s->limits.stall_timeout_ms = SHORT_MS;
	fd = connect_one(s);
	end_send(&s->hall.ends[0], bytes, 16U << 20);
	expect_end(s, fd, WIRE_STALLED);
	free(bytes);
}

static void a_flush_that_nobody_reads_ends_in_time(void **state)
{
	struct stage *s = *state;
	uint8_t *bytes = calloc(1, 16U << 20);
	int fd;

	s->limits.stall_timeout_ms = SHORT_MS;
	fd = connect_one(s);
	end_send(&s->hall.ends[0], bytes, 16U << 20);
	wire_link_close(s->hall.ends[0].link, WIRE_FAILED, true);
	expect_end(s, fd, WIRE_FAILED);
	free(bytes);
}

static void every_time_out_holds_for_dialed_links(void **state)
{
	struct stage *s = *state;
	char url[PEER_URL_BYTES];
	int listener = peer_listen(4, url);
	int fd;

	s->limits.idle_timeout_ms = SHORT_MS;
	end_dial(&s->end, url, &s->limits);
	fd = peer_accept(listener);
	assert_becomes(atomic_load(&s->end.closed) == 1, BOUND_MS);
	assert_int_equal(s->end.reason, WIRE_IDLE);
	peer_close(fd);
	peer_close(listener);
}

static void many_quiet_links_are_all_watched(void **state)
{
	struct stage *s = *state;
	struct end *ends = calloc(400, sizeof(*ends));
	char url[PEER_URL_BYTES];
	int listener = peer_listen(400, url);

	s->limits.idle_timeout_ms = 2 * SHORT_MS;
	for (int i = 0; i < 400; i++) {
		end_init(&ends[i]);
		end_dial(&ends[i], url, &s->limits);
	}
	for (int i = 0; i < 400; i++) {
		assert_becomes(atomic_load(&ends[i].closed) == 1, BOUND_MS);
		assert_int_equal(ends[i].reason, WIRE_IDLE);
		end_finish(&ends[i]);
	}
	assert_true(wire_drain(BOUND_MS));
	peer_close(listener);
	free(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    T(a_silent_peer_is_idle),
	    T(the_owner_can_let_an_idle_peer_stay),
	    T(a_talking_peer_is_not_idle),
	    T(half_a_message_stalls),
	    T(a_trickle_stalls_too),
	    T(whole_messages_now_and_then_do_not_stall),
	    T(output_that_nobody_reads_stalls),
	    T(a_flush_that_nobody_reads_ends_in_time),
	    T(every_time_out_holds_for_dialed_links),
	    T(many_quiet_links_are_all_watched),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
