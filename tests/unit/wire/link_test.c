/* Links: dialing, events, bytes, ends. */

#include "support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/ends.h"
#include "support/peer.h"
#include "support/tmpdir.h"

struct stage {
	struct hall hall;
	struct end end;
	struct tmpdir dir;
	char url[TMPDIR_URL_BYTES];
};

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	tmpdir_make(&s->dir);
	tmpdir_url(&s->dir, "s", s->url);
	end_init(&s->end);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	if (s->hall.listener != NULL)
		hall_close(&s->hall);
	assert_true(wire_drain(BOUND_MS));
	tmpdir_remove(&s->dir);
	free(s);
	return 0;
}

static void exchange(struct stage *s, const char *url)
{
	s->hall.input = end_echo;
	hall_open(&s->hall, url, &end_limits, NULL);
	end_dial(&s->end, hall_url(&s->hall), &end_limits);
	/* Sent while dialing: goes out when connected. */
	end_send(&s->end, "hello ", 6);
	assert_becomes(atomic_load(&s->end.opened) == 1, BOUND_MS);
	end_send(&s->end, "world", 5);
	assert_becomes(end_has(&s->end, "hello world", 11), BOUND_MS);
	assert_string_equal(wire_link_peer(s->end.link), hall_url(&s->hall));
	assert_true(end_has(&s->hall.ends[0], "hello world", 11));
	assert_int_equal(wire_link_output_bytes(s->end.link), 0);
	wire_link_close(s->end.link, WIRE_CLOSED, true);
	assert_becomes(atomic_load(&s->end.closed) == 1, BOUND_MS);
	assert_becomes(atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(s->end.reason, WIRE_CLOSED);
	assert_int_equal(s->hall.ends[0].reason, WIRE_PEER_CLOSED);
	end_finish(&s->end);
}

static void sends_are_not_held_back(void **state)
{
	struct stage *s = *state;
	struct peer_sockets sockets;

	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	end_dial(&s->end, hall_url(&s->hall), &end_limits);
	assert_becomes(atomic_load(&s->end.opened) == 1 && atomic_load(&s->hall.count) == 1, BOUND_MS);
	sockets = peer_count_sockets();
	assert_int_equal(sockets.connected, 2);
	assert_int_equal(sockets.holding_back, 0);
	end_finish(&s->end);
}

static void bytes_go_both_ways_over_tcp(void **state)
{
	struct stage *s = *state;

	exchange(s, "tcp://127.0.0.1:0");
	assert_int_equal(strncmp(wire_link_peer(s->hall.ends[0].link), "tcp:127.0.0.1:", 14), 0);
}

static void bytes_go_both_ways_over_tcp6(void **state)
{
	struct stage *s = *state;

	exchange(s, "tcp://[::1]:0");
	assert_int_equal(strncmp(wire_link_peer(s->hall.ends[0].link), "tcp:[::1]:", 10), 0);
}

static void bytes_go_both_ways_over_ipc(void **state)
{
	struct stage *s = *state;
	char expected[64];

	exchange(s, s->url);
	snprintf(expected, sizeof(expected), "ipc:pid=%d,uid=%d", (int)getpid(), (int)getuid());
	assert_string_equal(wire_link_peer(s->hall.ends[0].link), expected);
}

static void dialing_nobody_is_refused(void **state)
{
	struct stage *s = *state;
	char url[PEER_URL_BYTES];

	peer_close(peer_listen(1, url));
	end_dial(&s->end, url, &end_limits);
	assert_becomes(atomic_load(&s->end.closed) == 1, BOUND_MS);
	assert_int_equal(s->end.reason, WIRE_REFUSED);
	assert_int_equal(s->end.opened, 0);
	end_finish(&s->end);

	end_init(&s->end);
	end_dial(&s->end, s->url, &end_limits);
	assert_becomes(atomic_load(&s->end.closed) == 1, BOUND_MS);
	assert_int_equal(s->end.reason, WIRE_REFUSED);
	end_finish(&s->end);
}

static void a_bad_url_is_an_error_and_no_event(void **state)
{
	struct stage *s = *state;
	wire_link *untouched = (wire_link *)(void *)s;

	assert_int_equal(wire_dial("tcp://x", &end_limits, NULL, &end_events, &s->end, &untouched), WIRE_BAD_URL);
	assert_int_equal(wire_dial("tcp://127.0.0.1:0", &end_limits, NULL, &end_events, &s->end, &untouched),
			 WIRE_BAD_URL);
	assert_int_equal(wire_dial("tls+tcp://127.0.0.1:1", &end_limits, NULL, &end_events, &s->end, &untouched),
			 WIRE_TLS);
	assert_ptr_equal(untouched, s);
}

static void a_name_that_does_not_resolve_is_unreachable(void **state)
{
	struct stage *s = *state;

	end_dial(&s->end, "tcp://no-such-host.invalid:1", &end_limits);
	assert_becomes(atomic_load(&s->end.closed) == 1, BOUND_MS + BOUND_MS / 2);
	/* Without any name server the resolver may take longer than the dial. */
	assert_true(s->end.reason == WIRE_UNREACHABLE || s->end.reason == WIRE_TIMED_OUT);
	end_finish(&s->end);
}

/* An address that neither accepts nor refuses: its queue of connections is full. */
struct hanging {
	int listener;
	int fillers[8];
	char url[PEER_URL_BYTES];
};

static void hang(struct hanging *h)
{
	bool full = false;

	h->listener = peer_listen(0, h->url);
	for (int i = 0; i < 8; i++)
		full = !peer_try_connect(h->url, &h->fillers[i]);
	assert_true(full);
}

static void unhang(struct hanging *h)
{
	for (int i = 0; i < 8; i++)
		peer_close(h->fillers[i]);
	peer_close(h->listener);
}

static void dialing_times_out(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = end_limits;
	struct hanging h;

	limits.connect_timeout_ms = 100;
	hang(&h);
	end_dial(&s->end, h.url, &limits);
	assert_becomes(atomic_load(&s->end.closed) == 1, BOUND_MS);
	assert_int_equal(s->end.reason, WIRE_TIMED_OUT);
	assert_int_equal(s->end.opened, 0);
	end_finish(&s->end);
	unhang(&h);
}

static void dialing_can_be_given_up(void **state)
{
	struct end many[32];
	struct hanging h;

	(void)state;
	hang(&h);
	for (int i = 0; i < 32; i++) {
		end_init(&many[i]);
		end_dial(&many[i], h.url, &end_limits);
	}
	for (int i = 0; i < 32; i++)
		wire_link_close(many[i].link, WIRE_CLOSED, true);
	for (int i = 0; i < 32; i++) {
		assert_becomes(atomic_load(&many[i].closed) == 1, BOUND_MS / 2);
		assert_int_equal(many[i].reason, WIRE_CLOSED);
		assert_int_equal(many[i].opened, 0);
		end_finish(&many[i]);
	}
	unhang(&h);
}

static void close_in_opened(struct end *e)
{
	wire_link_close(e->link, WIRE_FAILED, true);
	wire_link_close(e->link, WIRE_CLOSED, false);
	end_send(e, "never", 5);
}

static void closing_within_opened_keeps_the_first_reason(void **state)
{
	struct stage *s = *state;

	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	s->end.opened_hook = close_in_opened;
	end_dial(&s->end, hall_url(&s->hall), &end_limits);
	assert_becomes(atomic_load(&s->end.closed) == 1, BOUND_MS);
	assert_int_equal(s->end.reason, WIRE_FAILED);
	assert_becomes(atomic_load(&s->hall.count) == 1 && atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(end_received(&s->hall.ends[0]), 0);
	end_finish(&s->end);
}

static ssize_t close_in_input(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	(void)e;
	(void)data;
	end_send(e, "bye", 3);
	wire_link_close(link, WIRE_FAILED, true);
	return (ssize_t)len;
}

static void closing_within_input_flushes(void **state)
{
	struct stage *s = *state;
	char answer[3];
	int fd;

	s->hall.input = close_in_input;
	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	fd = peer_connect(hall_url(&s->hall));
	peer_send(fd, "x", 1);
	peer_receive(fd, answer, 3);
	assert_memory_equal(answer, "bye", 3);
	assert_true(peer_is_closed(fd, BOUND_MS));
	assert_becomes(atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(s->hall.ends[0].reason, WIRE_FAILED);
	peer_close(fd);
}

static void unconsumed_input_comes_again(void **state)
{
	static const char text[] = "one\ntwo\nthree\n";
	struct stage *s = *state;
	char answer[sizeof(text) - 1];
	int fd;

	s->hall.input = end_echo_lines;
	hall_open(&s->hall, s->url, &end_limits, NULL);
	fd = peer_connect(s->url);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		peer_send(fd, text + i, 1);
	peer_receive(fd, answer, sizeof(answer));
	assert_memory_equal(answer, text, sizeof(answer));
	assert_true(end_has(&s->hall.ends[0], text, sizeof(text) - 1));
	peer_close(fd);
}

static ssize_t object(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	(void)e;
	(void)link;
	(void)data;
	(void)len;
	return -1;
}

static void objectionable_input_ends_the_link(void **state)
{
	struct stage *s = *state;
	int fd;

	s->hall.input = object;
	hall_open(&s->hall, s->url, &end_limits, NULL);
	fd = peer_connect(s->url);
	peer_send(fd, "x", 1);
	assert_true(peer_is_closed(fd, BOUND_MS));
	assert_becomes(atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(s->hall.ends[0].reason, WIRE_PROTOCOL);
	peer_close(fd);
}

static void the_last_bytes_before_a_close_arrive(void **state)
{
	struct stage *s = *state;
	int fd;

	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	fd = peer_connect(hall_url(&s->hall));
	peer_send(fd, "last words", 10);
	peer_close(fd);
	assert_becomes(atomic_load(&s->hall.count) == 1 && atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_true(end_has(&s->hall.ends[0], "last words", 10));
	assert_int_equal(s->hall.ends[0].reason, WIRE_PEER_CLOSED);
}

static void sending_to_a_closed_link_goes_nowhere(void **state)
{
	struct stage *s = *state;

	hall_open(&s->hall, s->url, &end_limits, NULL);
	end_dial(&s->end, s->url, &end_limits);
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	wire_link_close(s->end.link, WIRE_CLOSED, false);
	assert_becomes(atomic_load(&s->end.closed) == 1, BOUND_MS);
	end_send(&s->end, "x", 1);
	assert_int_equal(wire_link_output_bytes(s->end.link), 0);
	assert_becomes(atomic_load(&s->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(end_received(&s->hall.ends[0]), 0);
	end_finish(&s->end);
}

/* What is open is somebody's and goes on; what was closed is waited for. */
static void drain_waits_for_closed_links_only(void **state)
{
	struct stage *s = *state;

	assert_true(wire_drain(0));
	hall_open(&s->hall, s->url, &end_limits, NULL);
	assert_true(wire_drain(0));
	end_dial(&s->end, s->url, &end_limits);
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	assert_true(wire_drain(0));
	end_finish(&s->end);
	hall_close(&s->hall);
	assert_true(wire_drain(BOUND_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    T(bytes_go_both_ways_over_tcp),
	    T(bytes_go_both_ways_over_tcp6),
	    T(bytes_go_both_ways_over_ipc),
	    T(sends_are_not_held_back),
	    T(dialing_nobody_is_refused),
	    T(a_bad_url_is_an_error_and_no_event),
	    T(a_name_that_does_not_resolve_is_unreachable),
	    T(dialing_times_out),
	    T(dialing_can_be_given_up),
	    T(closing_within_opened_keeps_the_first_reason),
	    T(closing_within_input_flushes),
	    T(unconsumed_input_comes_again),
	    T(objectionable_input_ends_the_link),
	    T(the_last_bytes_before_a_close_arrive),
	    T(sending_to_a_closed_link_goes_nowhere),
	    T(drain_waits_for_closed_links_only),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
