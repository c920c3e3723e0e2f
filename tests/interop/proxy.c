/* One thread, which polls; the test's thread only sets `to_lose` and, once that has gone down, reads `lost`. */

#include "interop/proxy.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/raw.h"
#include "support/wait.h"

#define GREETING_BYTES 8
#define LENGTH_BYTES   8

struct relay {
	struct raw caller;
	struct raw server;
	size_t from_server; /* bytes so far */
};

static bool pass(const struct raw *from, struct raw *to)
{
	uint8_t bytes[16384];
	ssize_t got = recv(from->fd, bytes, sizeof(bytes), 0);

	return got > 0 && raw_send_bytes(to, bytes, (size_t)got);
}

static bool is_whole(const struct proxy *p)
{
	uint64_t length;

	if (p->lost_len < LENGTH_BYTES)
		return false;
	memcpy(&length, p->lost, sizeof(length));
	return p->lost_len >= LENGTH_BYTES + be64toh(length);
}

/* The greeting goes through, what follows is kept. False once that is a whole reply. */
static bool lose(struct proxy *p, struct relay *r)
{
	uint8_t bytes[4096];
	size_t greeting = GREETING_BYTES - (r->from_server < GREETING_BYTES ? r->from_server : GREETING_BYTES);
	ssize_t got = recv(r->server.fd, bytes, sizeof(bytes), 0);
	size_t kept;

	if (got <= 0)
		return false;
	if (greeting > (size_t)got)
		greeting = (size_t)got;
	if (greeting > 0 && !raw_send_bytes(&r->caller, bytes, greeting))
		return false;
	r->from_server += (size_t)got;
	kept = (size_t)got - greeting;
	if (kept > sizeof(p->lost) - p->lost_len)
		return false;
	memcpy(p->lost + p->lost_len, bytes + greeting, kept);
	p->lost_len += kept;
	if (!is_whole(p))
		return true;
	atomic_fetch_sub(&p->to_lose, 1);
	return false;
}

/* Until one side ends, a reply is lost, or the relay is to end. */
static void relay(struct proxy *p, struct relay *r)
{
	const bool loses = atomic_load(&p->to_lose) > 0;
	struct pollfd ready[] = {{.fd = r->caller.fd, .events = POLLIN},
				 {.fd = r->server.fd, .events = POLLIN},
				 {.fd = p->stop[0], .events = POLLIN}};
	bool goes_on = true;

	if (loses)
		p->lost_len = 0;
	while (goes_on && poll(ready, 3, -1) > 0 && ready[2].revents == 0) {
		if (ready[0].revents != 0)
			goes_on = pass(&r->caller, &r->server);
		if (goes_on && ready[1].revents != 0)
			goes_on = loses ? lose(p, r) : pass(&r->server, &r->caller);
	}
}

static void *run(void *arg)
{
	struct proxy *p = arg;
	struct pollfd ready[] = {{.fd = p->listener, .events = POLLIN}, {.fd = p->stop[0], .events = POLLIN}};

	while (poll(ready, 2, -1) > 0 && ready[1].revents == 0) {
		struct relay r = {.caller.fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)};

		atomic_fetch_add(&p->connections, 1);
		if (raw_connect_silent(&r.server, p->upstream))
			relay(p, &r);
		raw_close(&r.server);
		raw_close(&r.caller);
	}
	return NULL;
}

void proxy_open(struct proxy *p, const char *upstream)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	*p = (struct proxy){.upstream = upstream};
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->listener >= 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(listen(p->listener, 16), 0);
	snprintf(p->url, sizeof(p->url), "tcp://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
	assert_int_equal(pipe(p->stop), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

void proxy_close(struct proxy *p)
{
	close(p->stop[1]);
	pthread_join(p->thread, NULL);
	close(p->stop[0]);
	close(p->listener);
}
