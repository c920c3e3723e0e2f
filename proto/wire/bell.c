/* nng takes a TLS listener's settings when an accept is submitted, so the one that waits would serve the next
 * caller with old ones. It can be neither canceled (what nng 1.10 cancels may never complete) nor replaced, but it
 * can be used up. A listener bound to all addresses is called at loopback. */

#include "wire/bell.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel greets loopback connections within the system call that begins them; only a full queue makes it wait. */
#define RING_MS 100

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} sa;
	socklen_t len;
};

static void from_nng(const nng_sockaddr *from, struct address *to)
{
	memset(to, 0, sizeof(*to));
	if (from->s_family == NNG_AF_INET6) {
		to->len = sizeof(to->sa.in6);
		to->sa.in6.sin6_family = AF_INET6;
		to->sa.in6.sin6_port = from->s_in6.sa_port;
		to->sa.in6.sin6_scope_id = from->s_in6.sa_scope;
		memcpy(&to->sa.in6.sin6_addr, from->s_in6.sa_addr, sizeof(to->sa.in6.sin6_addr));
		if (IN6_IS_ADDR_UNSPECIFIED(&to->sa.in6.sin6_addr))
			to->sa.in6.sin6_addr = in6addr_loopback;
		return;
	}
	to->len = sizeof(to->sa.in);
	to->sa.in.sin_family = AF_INET;
	to->sa.in.sin_port = from->s_in.sa_port;
	to->sa.in.sin_addr.s_addr = from->s_in.sa_addr;
	if (to->sa.in.sin_addr.s_addr == htonl(INADDR_ANY))
		to->sa.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static void to_nng(const struct address *from, nng_sockaddr *to)
{
	memset(to, 0, sizeof(*to));
	if (from->sa.any.sa_family == AF_INET6) {
		to->s_in6.sa_family = NNG_AF_INET6;
		to->s_in6.sa_port = from->sa.in6.sin6_port;
		to->s_in6.sa_scope = from->sa.in6.sin6_scope_id;
		memcpy(to->s_in6.sa_addr, &from->sa.in6.sin6_addr, sizeof(to->s_in6.sa_addr));
		return;
	}
	to->s_in.sa_family = NNG_AF_INET;
	to->s_in.sa_port = from->sa.in.sin_port;
	to->s_in.sa_addr = from->sa.in.sin_addr.s_addr;
}

static void set_port(struct address *a, in_port_t port)
{
	if (a->sa.any.sa_family == AF_INET6)
		a->sa.in6.sin6_port = port;
	else
		a->sa.in.sin_port = port;
}

bool bell_open(const nng_sockaddr *bound, struct bell *ret)
{
	struct address here;
	int fd;

	if (bound->s_family != NNG_AF_INET && bound->s_family != NNG_AF_INET6)
		return false;
	from_nng(bound, &here);
	fd = socket(here.sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	to_nng(&here, &ret->to);
	set_port(&here, 0);
	if (bind(fd, &here.sa.any, here.len) != 0 || getsockname(fd, &here.sa.any, &here.len) != 0) {
		close(fd);
		return false;
	}
	to_nng(&here, &ret->from);
	ret->fd = fd;
	return true;
}

void bell_ring(struct bell *b)
{
	struct pollfd wait = {.fd = b->fd, .events = POLLOUT};
	struct address there;

	from_nng(&b->to, &there);
	if (connect(b->fd, &there.sa.any, there.len) != 0)
		(void)poll(&wait, 1, RING_MS);
	close(b->fd);
	b->fd = -1;
}
