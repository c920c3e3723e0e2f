/* Listening: addresses, sockets in the file system, refusals, running out of descriptors. */

#include "support/wait.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/ends.h"
#include "support/peer.h"
#include "support/tmpdir.h"

struct stage {
	struct hall hall;
	struct tmpdir dir;
	char path[TMPDIR_FILE_BYTES];
	char url[TMPDIR_FILE_BYTES + 8];
};

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	tmpdir_make(&s->dir);
	tmpdir_file(&s->dir, "s", s->path);
	snprintf(s->url, sizeof(s->url), "ipc://%s", s->path);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	if (s->hall.listener != NULL)
		hall_close(&s->hall);
	tmpdir_remove(&s->dir);
	free(s);
	return 0;
}

static const struct wire_link_events *refuse(void *owner, wire_link *link, void **ret_owner)
{
	(void)owner;
	(void)link;
	(void)ret_owner;
	return NULL;
}

static const struct wire_listener_events refusing = {.accepted = refuse};

static enum wire_error try_listen(const char *url)
{
	struct wire_listener_options options = {.url = url, .limits = end_limits, .ipc_mode = 0600};
	wire_listener *l = NULL;
	enum wire_error err = wire_listener_open(&options, &refusing, NULL, &l);

	assert_true((l != NULL) == (err == WIRE_OK));
	wire_listener_close(&l);
	return err;
}

static void expect_echo(struct stage *s)
{
	char back[2];
	int fd = peer_connect(hall_url(&s->hall));

	peer_send(fd, "hi", 2);
	peer_receive(fd, back, 2);
	peer_close(fd);
}

static void port_0_becomes_a_real_port(void **state)
{
	struct stage *s = *state;
	const char *port;

	s->hall.input = end_echo;
	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	assert_int_equal(strncmp(hall_url(&s->hall), "tcp://127.0.0.1:", 16), 0);
	port = strrchr(hall_url(&s->hall), ':') + 1;
	assert_true(atoi(port) > 0);
	expect_echo(s);
	assert_int_equal(try_listen(hall_url(&s->hall)), WIRE_IN_USE);
}

static void names_can_be_listened_on(void **state)
{
	struct stage *s = *state;

	s->hall.input = end_echo;
	hall_open(&s->hall, "tcp://localhost:0", &end_limits, NULL);
	assert_int_equal(strncmp(hall_url(&s->hall), "tcp://localhost:", 16), 0);
}

static void bad_addresses_are_refused(void **state)
{
	(void)state;
	assert_int_equal(try_listen("tcp://127.0.0.1"), WIRE_BAD_URL);
	assert_int_equal(try_listen("nonsense"), WIRE_BAD_URL);
	assert_int_equal(try_listen("tcp://192.0.2.1:0"), WIRE_UNREACHABLE);
	assert_int_equal(try_listen("tcp://no-such-host.invalid:0"), WIRE_UNREACHABLE);
	assert_int_equal(try_listen("ipc:///no/such/folder/s"), WIRE_UNREACHABLE);
	assert_int_equal(try_listen("tls+tcp://127.0.0.1:0"), WIRE_TLS);
}

static void a_socket_gets_its_mode_and_goes_at_the_end(void **state)
{
	struct stage *s = *state;
	struct stat st;

	hall_open(&s->hall, s->url, &end_limits, NULL);
	assert_string_equal(hall_url(&s->hall), s->url);
	assert_int_equal(stat(s->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	hall_close(&s->hall);
	assert_int_not_equal(stat(s->path, &st), 0);
}

static void leave_stale_socket(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sa.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	peer_close(fd);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct stage *s = *state;

	leave_stale_socket(s->path);
	s->hall.input = end_echo;
	hall_open(&s->hall, s->url, &end_limits, NULL);
	expect_echo(s);
}

static void a_live_socket_is_left_alone(void **state)
{
	struct stage *s = *state;

	s->hall.input = end_echo;
	hall_open(&s->hall, s->url, &end_limits, NULL);
	assert_int_equal(try_listen(s->url), WIRE_IN_USE);
	expect_echo(s);
}

static void a_file_is_left_alone(void **state)
{
	struct stage *s = *state;
	struct stat st;
	int fd = open(s->path, O_CREAT | O_WRONLY, 0600);

	assert_int_equal(write(fd, "precious", 8), 8);
	peer_close(fd);
	assert_int_equal(try_listen(s->url), WIRE_IN_USE);
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_size, 8);
}

static void refused_links_are_closed_at_once(void **state)
{
	struct stage *s = *state;

	atomic_store(&s->hall.refuses, true);
	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	for (int i = 0; i < 100; i++) {
		int fd = peer_connect(hall_url(&s->hall));

		assert_true(peer_is_closed(fd, BOUND_MS));
		peer_close(fd);
	}
	assert_int_equal(s->hall.count, 100);
}

static const struct wire_link_events *close_at_once(void *owner, wire_link *link, void **ret_owner)
{
	struct end *e = owner;

	end_init(e);
	e->link = link;
	*ret_owner = e;
	end_send(e, "go away", 7);
	wire_link_close(link, WIRE_FAILED, true);
	return &end_events;
}

static void a_link_can_be_answered_and_closed_while_it_is_accepted(void **state)
{
	static const struct wire_listener_events closing = {.accepted = close_at_once};
	struct wire_listener_options options = {.url = "tcp://127.0.0.1:0", .limits = end_limits};
	wire_listener *l;
	struct end e;
	char text[7];
	int fd;

	(void)state;
	end_init(&e);
	assert_int_equal(wire_listener_open(&options, &closing, &e, &l), WIRE_OK);
	fd = peer_connect(wire_listener_url(l));
	peer_receive(fd, text, 7);
	assert_memory_equal(text, "go away", 7);
	assert_true(peer_is_closed(fd, BOUND_MS));
	wire_listener_close(&l);
	assert_becomes(atomic_load(&e.closed) == 1, BOUND_MS);
	assert_int_equal(e.reason, WIRE_FAILED);
	assert_int_equal(e.inputs, 0);
	end_finish(&e);
	peer_close(fd);
	assert_true(wire_drain(BOUND_MS));
}

static void links_outlive_their_listener(void **state)
{
	struct stage *s = *state;
	char back[2];
	int fd;

	s->hall.input = end_echo;
	hall_open(&s->hall, s->url, &end_limits, NULL);
	fd = peer_connect(s->url);
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	wire_listener_close(&s->hall.listener);
	peer_send(fd, "hi", 2);
	peer_receive(fd, back, 2);
	peer_close(fd);
	end_finish(&s->hall.ends[0]);
}

#define LOW_LIMIT 64

static void accepting_goes_on_after_descriptors_ran_out(void **state)
{
	struct stage *s = *state;
	struct rlimit before;
	struct rlimit low;
	int held[LOW_LIMIT] = {0};
	int count = 0;
	int fd;

	s->hall.input = end_echo;
	hall_open(&s->hall, "tcp://127.0.0.1:0", &end_limits, NULL);
	fd = peer_connect(hall_url(&s->hall));
	assert_becomes(atomic_load(&s->hall.count) == 1, BOUND_MS);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = LOW_LIMIT;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (count < LOW_LIMIT && (held[count] = dup(fd)) >= 0)
		count++;
	/* One descriptor for the peer's end, none for ours. */
	close(held[--count]);
	peer_close(peer_connect(hall_url(&s->hall)));
	held[count] = dup(fd);
	if (held[count] >= 0)
		count++;
	nap_ms(150);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	while (count > 0)
		close(held[--count]);
	expect_echo(s);
	peer_close(fd);
}

static void opening_and_closing_again_and_again(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < 200; i++)
		assert_int_equal(try_listen(i % 2 ? s->url : "tcp://127.0.0.1:0"), WIRE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    T(port_0_becomes_a_real_port),
	    T(names_can_be_listened_on),
	    T(bad_addresses_are_refused),
	    T(a_socket_gets_its_mode_and_goes_at_the_end),
	    T(a_stale_socket_is_replaced),
	    T(a_live_socket_is_left_alone),
	    T(a_file_is_left_alone),
	    T(refused_links_are_closed_at_once),
	    T(a_link_can_be_answered_and_closed_while_it_is_accepted),
	    T(links_outlive_their_listener),
	    T(accepting_goes_on_after_descriptors_ran_out),
	    T(opening_and_closing_again_and_again),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
