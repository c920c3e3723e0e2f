#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/wait.h"

void peer_open(struct peer *p)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*p = (struct peer){.fd = -1};
	tmpdir_make(&p->dir);
	tmpdir_file(&p->dir, "peer.sock", p->path);
	(void)snprintf(p->url, sizeof(p->url), "unix://%s", p->path);
	memcpy(address.sun_path, p->path, strlen(p->path) + 1);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(p->listener, 1024), 0);
}

void peer_hang_up(struct peer *p)
{
	if (p->fd >= 0)
		assert_int_equal(close(p->fd), 0);
	p->fd = -1;
}

void peer_close(struct peer *p)
{
	peer_hang_up(p);
	assert_int_equal(close(p->listener), 0);
	tmpdir_remove(&p->dir);
}

static void await_input(int fd, const char *what)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (poll(&poll_fd, 1, BOUND_MS) != 1)
		fail_msg("no %s within %d ms", what, BOUND_MS);
}

void peer_accept(struct peer *p)
{
	peer_hang_up(p);
	await_input(p->listener, "connection");
	p->fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(p->fd >= 0);
}

static bool read_exactly(struct peer *p, char *out, size_t len)
{
	while (len > 0) {
		ssize_t n;

		await_input(p->fd, "bytes");
		n = read(p->fd, out, len);
		if (n <= 0)
			return false;
		out += n;
		len -= (size_t)n;
	}
	return true;
}

/* "*3\r\n" or "$5\r\n". */
static bool read_number(struct peer *p, char type, size_t *ret)
{
	char line[32] = "";
	size_t len = 0;

	do {
		assert_true(len < sizeof(line) - 1);
		if (!read_exactly(p, line + len, 1))
			return false;
	} while (line[len++] != '\n');
	assert_int_equal(line[0], type);
	*ret = strtoul(line + 1, NULL, 10);
	return true;
}

bool peer_read(struct peer *p, char *words, size_t size)
{
	static char argument[65536];
	size_t count;
	size_t at = 0;

	words[0] = '\0';
	if (!read_number(p, '*', &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t len;

		if (!read_number(p, '$', &len) || !read_exactly(p, argument, len + 2))
			return false;
		assert_int_equal(argument[len], '\r');
		at += (size_t)snprintf(words + at, size - at, "%s%.*s", i > 0 ? " " : "", (int)len, argument);
		if (at >= size)
			at = size - 1;
	}
	return true;
}

void peer_expect(struct peer *p, const char *words)
{
	char found[512];

	assert_true(peer_read(p, found, sizeof(found)));
	assert_string_equal(found, words);
}

void peer_send(struct peer *p, const char *bytes)
{
	size_t len = strlen(bytes);

	/* The other end may have hung up for good reason: the test sees that elsewhere. */
	while (len > 0) {
		ssize_t n = send(p->fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

bool peer_is_closed(struct peer *p)
{
	char bytes[4096];
	ssize_t n;

	do {
		struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};

		if (poll(&poll_fd, 1, BOUND_MS) != 1)
			return false;
		n = read(p->fd, bytes, sizeof(bytes));
	} while (n > 0);
	return true;
}

void peer_greet_with(struct peer *p, const char *pong)
{
	char words[512];

	for (;;) {
		assert_true(peer_read(p, words, sizeof(words)));
		if (strncmp(words, "INFO", 4) == 0)
			peer_send(p, "$22\r\nredis_version:7.9.9\r\nx\r\n");
		else if (strcmp(words, "PING") != 0)
			peer_send(p, "+OK\r\n");
		else
			break;
	}
	peer_send(p, pong);
}

void peer_welcome(struct peer *p)
{
	peer_accept(p);
	peer_greet_with(p, "+PONG\r\n");
}
