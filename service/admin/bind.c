#include "admin/bind.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#define SCHEME "http://"
/* A host name has at most 253 characters, a port five. */
#define HOST_BYTES 256
#define PORT_BYTES 6
/* Connections that wait while those there may be are served. */
#define BACKLOG 16

struct authority {
	char host[HOST_BYTES];
	char port[PORT_BYTES];
	bool has_brackets;
};

static bool parse(const char *url, struct authority *ret)
{
	const char *start = url + strlen(SCHEME);
	const char *colon = strrchr(url, ':');
	size_t len;

	if (strncmp(url, SCHEME, strlen(SCHEME)) != 0 || colon < start || strlen(colon + 1) >= PORT_BYTES)
		return false;
	len = (size_t)(colon - start);
	ret->has_brackets = len >= 2 && start[0] == '[' && start[len - 1] == ']';
	if (ret->has_brackets) {
		start++;
		len -= 2;
	}
	if (len == 0 || len >= HOST_BYTES || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	(void)snprintf(ret->host, sizeof(ret->host), "%.*s", (int)len, start);
	(void)snprintf(ret->port, sizeof(ret->port), "%s", colon + 1);
	return true;
}

static bool is_any(const struct authority *where)
{
	return strcmp(where->host, "*") == 0;
}

/* -1: errno says why. An IPv6 socket takes IPv4 as well, which matters where it listens on all addresses. */
static int listen_at(const struct addrinfo *at)
{
	const int on = 1;
	const int off = 0;
	const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (at->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0) &&
	    bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = errno;
	(void)close(fd);
	errno = err;
	return -1;
}

/* NULL, or why not. */
static const char *listen_on(const struct authority *where, int family, int *ret_fd)
{
	const struct addrinfo hints = {
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	const int err = getaddrinfo(is_any(where) ? NULL : where->host, where->port, &hints, &found);

	if (err != 0)
		return gai_strerror(err);
	*ret_fd = listen_at(found);
	freeaddrinfo(found);
	return *ret_fd < 0 ? strerror(errno) : NULL;
}

static bool real_port(int fd, unsigned *ret)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} at = {.six = {0}};
	socklen_t len = sizeof(at);

	if (getsockname(fd, &at.any, &len) != 0)
		return false;
	*ret = ntohs(at.any.sa_family == AF_INET6 ? at.six.sin6_port : at.four.sin_port);
	return true;
}

enum status_code bind_url(const char *url, int *ret_fd, char ret_url[static BIND_URL_BYTES], struct status *st)
{
	struct authority where = {0};
	const char *why;
	unsigned port = 0;
	int fd = -1;

	if (!parse(url, &where))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s is no address for the admin listener: use http://host:port", url);
	why = listen_on(&where, is_any(&where) ? AF_INET6 : AF_UNSPEC, &fd);
	/* There are machines without IPv6. */
	if (why != NULL && is_any(&where))
		why = listen_on(&where, AF_INET, &fd);
	if (why == NULL && !real_port(fd, &port)) {
		why = strerror(errno);
		(void)close(fd);
	}
	if (why != NULL)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "cannot listen on %s: %s; admin.listen names another address, or none", url, why);
	(void)snprintf(ret_url, BIND_URL_BYTES, SCHEME "%s%s%s:%u", where.has_brackets ? "[" : "", where.host,
		       where.has_brackets ? "]" : "", port);
	*ret_fd = fd;
	return STATUS_OK;
}
