/* One write for what one event sends. A unix socket gives a reader at once what one write put in, and no more than
 * that while the reader waits: so a single recv shows how the bytes were written. */

#include "support/wait.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/ends.h"
#include "support/peer.h"
#include "support/tmpdir.h"

struct stage {
	struct hall hall;
	struct tmpdir dir;
	char url[TMPDIR_URL_BYTES];
};

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	tmpdir_make(&s->dir);
	tmpdir_url(&s->dir, "s", s->url);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	hall_close(&s->hall);
	tmpdir_remove(&s->dir);
	free(s);
	return 0;
}

#define LINES WIRE_CORK_SENDS_MAX

static void the_replies_of_one_read_go_out_in_one_write(void **state)
{
	struct stage *s = *state;
	char lines[4 * LINES];
	char back[sizeof(lines) + 1];
	int fd;

	for (int i = 0; i < LINES; i++)
		memcpy(lines + (ptrdiff_t)4 * i, (char[]){'0' + i / 100 % 10, '0' + i / 10 % 10, '0' + i % 10, '\n'},
		       4);
	s->hall.input = end_echo_lines;
	hall_open(&s->hall, s->url, &end_limits, NULL);
	fd = peer_connect(s->url);
	for (int round = 0; round < 50; round++) {
		peer_send(fd, lines, sizeof(lines));
		assert_int_equal(peer_receive_some(fd, back, sizeof(back)), sizeof(lines));
		assert_memory_equal(back, lines, sizeof(lines));
	}
	peer_close(fd);
}

static void a_loop_outside_events_can_cork(void **state)
{
	struct stage *s = *state;
	char back[LINES + 1];
	int fd;

	hall_open(&s->hall, s->url, &end_limits, NULL);
	fd = peer_connect(s->url);
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	wire_cork();
	for (int i = 0; i < LINES - 1; i++) {
		/* Inner pairs change nothing. */
		wire_cork();
		end_send(&s->hall.ends[0], "x", 1);
		wire_uncork();
	}
	assert_int_equal(wire_link_output_bytes(s->hall.ends[0].link), LINES - 1);
	wire_uncork();
	assert_int_equal(peer_receive_some(fd, back, sizeof(back)), LINES - 1);
	end_send(&s->hall.ends[0], "y", 1);
	assert_int_equal(peer_receive_some(fd, back, sizeof(back)), 1);
	peer_close(fd);
}

static void what_is_much_does_not_wait_for_the_end(void **state)
{
	struct stage *s = *state;
	char back[2 * LINES];
	int fd;

	hall_open(&s->hall, s->url, &end_limits, NULL);
	fd = peer_connect(s->url);
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	wire_cork();
	for (int i = 0; i < LINES - 1; i++)
		end_send(&s->hall.ends[0], "x", 1);
	wire_cork_relieve();
	assert_int_equal(wire_link_output_bytes(s->hall.ends[0].link), LINES - 1);
	end_send(&s->hall.ends[0], "x", 1);
	wire_cork_relieve();
	assert_int_equal(peer_receive_some(fd, back, sizeof(back)), LINES);
	end_send(&s->hall.ends[0], "x", 1);
	wire_cork_relieve();
	assert_int_equal(wire_link_output_bytes(s->hall.ends[0].link), 1);
	wire_uncork();
	assert_int_equal(peer_receive_some(fd, back, sizeof(back)), 1);
	peer_close(fd);
}

/* Several times what a socket holds. */
#define FLOOD_BYTES ((size_t)4 << 20)

static void what_the_socket_does_not_hold_follows(void **state)
{
	struct stage *s = *state;
	uint8_t *flood = malloc(FLOOD_BYTES);
	uint8_t *back = malloc(FLOOD_BYTES);
	int fd;

	assert_true(flood != NULL && back != NULL);
	for (size_t i = 0; i < FLOOD_BYTES; i++)
		flood[i] = (uint8_t)(i * 7919 >> 8);
	hall_open(&s->hall, s->url, &end_limits, NULL);
	fd = peer_connect(s->url);
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	for (int round = 0; round < 3; round++) {
		end_send(&s->hall.ends[0], flood, FLOOD_BYTES);
		assert_true(wire_link_output_bytes(s->hall.ends[0].link) > 0);
		peer_receive(fd, back, FLOOD_BYTES);
		assert_memory_equal(back, flood, FLOOD_BYTES);
		assert_becomes(wire_link_output_bytes(s->hall.ends[0].link) == 0, BOUND_MS);
	}
	peer_close(fd);
	free(flood);
	free(back);
}

static void *send_one(void *arg)
{
	end_send(arg, "z", 1);
	return NULL;
}

static void another_thread_is_not_corked(void **state)
{
	struct stage *s = *state;
	pthread_t thread;
	char back[8];
	int fd;

	hall_open(&s->hall, s->url, &end_limits, NULL);
	fd = peer_connect(s->url);
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	wire_cork();
	pthread_create(&thread, NULL, send_one, &s->hall.ends[0]);
	pthread_join(thread, NULL);
	assert_int_equal(peer_receive_some(fd, back, sizeof(back)), 1);
	wire_uncork();
	peer_close(fd);
}

/* More links than a cork lists. */
#define MANY 150

static void more_links_than_the_list_holds_are_all_written(void **state)
{
	struct stage *s = *state;
	struct end *ends = calloc(MANY, sizeof(*ends));
	char url[PEER_URL_BYTES];
	int listener = peer_listen(MANY, url);
	int fds[MANY];
	char back[8];

	hall_open(&s->hall, s->url, &end_limits, NULL);
	for (int i = 0; i < MANY; i++) {
		end_init(&ends[i]);
		end_dial(&ends[i], url, &end_limits);
		fds[i] = peer_accept(listener);
		assert_becomes(atomic_load(&ends[i].opened) == 1, BOUND_MS);
	}
	wire_cork();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			end_send(&ends[i], "ab", 2);
	}
	/* A link that goes while it is corked. */
	wire_link_close(ends[MANY - 1].link, WIRE_CLOSED, false);
	wire_uncork();
	for (int i = 0; i < MANY - 1; i++) {
		peer_receive(fds[i], back, 6);
		assert_memory_equal(back, "ababab", 6);
	}
	for (int i = 0; i < MANY; i++) {
		end_finish(&ends[i]);
		peer_close(fds[i]);
	}
	peer_close(listener);
	free(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    T(the_replies_of_one_read_go_out_in_one_write),
	    T(a_loop_outside_events_can_cork),
	    T(what_is_much_does_not_wait_for_the_end),
	    T(what_the_socket_does_not_hold_follows),
	    T(another_thread_is_not_corked),
	    T(more_links_than_the_list_holds_are_all_written),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
