#include "support/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/wait.h"

/* Tests open a few. */
#define DESCRIPTORS 256

static void give_up_late(int fd)
{
	struct timeval tv = {.tv_sec = BOUND_MS / 1000};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
}

int peer_listen(int backlog, char url[static PEER_URL_BYTES])
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	give_up_late(fd);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(url, PEER_URL_BYTES, "tcp://127.0.0.1:%u", (unsigned)ntohs(sa.sin_port));
	return fd;
}

int peer_accept(int listener)
{
	int fd = accept(listener, NULL, NULL);

	assert_true(fd >= 0);
	give_up_late(fd);
	return fd;
}

static int connect_ipc(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(strlen(path) < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int connect_tcp(const char *port, int receive_bytes)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (receive_bytes > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	sa.sin_port = htons((uint16_t)atoi(port));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int connect_to(const char *url, int receive_bytes)
{
	int fd;

	if (strncmp(url, "ipc://", 6) == 0)
		fd = connect_ipc(url + 6);
	else
		fd = connect_tcp(strrchr(url, ':') + 1, receive_bytes);
	give_up_late(fd);
	return fd;
}

int peer_connect(const char *url)
{
	return connect_to(url, 0);
}

int peer_connect_small(const char *url)
{
	return connect_to(url, 4096);
}

bool peer_try_connect(const char *url, int *ret_fd)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	assert_true(fd >= 0);
	sa.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
	*ret_fd = fd;
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 || poll(&p, 1, 50) == 1;
}

void peer_close(int fd)
{
	assert_int_equal(close(fd), 0);
}

bool peer_try_send(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

void peer_send(int fd, const void *data, size_t len)
{
	assert_true(peer_try_send(fd, data, len));
}

size_t peer_receive_some(int fd, void *data, size_t size)
{
	ssize_t n = recv(fd, data, size, 0);

	if (n <= 0)
		fail_msg("received %zd: %s", n, n < 0 ? strerror(errno) : "end of stream");
	return (size_t)n;
}

void peer_receive(int fd, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		size_t n = peer_receive_some(fd, p, len);

		p += n;
		len -= n;
	}
}

bool peer_is_closed(int fd, uint32_t bound_ms)
{
	uint64_t until = now_mono_ms() + bound_ms;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char drop[4096];

	while (now_mono_ms() < until) {
		if (poll(&p, 1, 10) == 1 && recv(fd, drop, sizeof(drop), 0) <= 0)
			return true;
	}
	return false;
}

struct peer_sockets peer_count_sockets(void)
{
	struct peer_sockets found = {0};

	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		struct sockaddr_storage far = {0};
		socklen_t far_len = sizeof(far);
		int nodelay = 0;
		socklen_t len = sizeof(nodelay);

		if (getpeername(fd, (struct sockaddr *)&far, &far_len) != 0 || far.ss_family == AF_UNIX ||
		    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len) != 0)
			continue;
		found.connected++;
		found.holding_back += nodelay == 0;
	}
	return found;
}
