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

/* -1: errno says why. */
static int listen_at(const struct addrinfo *at)
{
	const int on = 1;
	const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = errno;
	(void)close(fd);
	errno = err;
	return -1;
}

static bool real_port(int fd, unsigned *ret)
{
	struct sockaddr_storage at = {0};
	socklen_t len = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return false;
	*ret = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&at)->sin6_port
					      : ((struct sockaddr_in *)(void *)&at)->sin_port);
	return true;
}

enum status_code bind_url(const char *url, int *ret_fd, char ret_url[static BIND_URL_BYTES], struct status *st)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct authority where = {0};
	struct addrinfo *found = NULL;
	unsigned port = 0;
	int err;
	int fd;

	if (!parse(url, &where))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s is no address for the admin listener: use http://host:port", url);
	err = getaddrinfo(strcmp(where.host, "*") == 0 ? NULL : where.host, where.port, &hints, &found);
	if (err != 0)
		return status_set(st, STATUS_FAILED_PRECONDITION, "cannot listen on %s: %s", url, gai_strerror(err));
	fd = listen_at(found);
	freeaddrinfo(found);
	if (fd < 0 || !real_port(fd, &port)) {
		(void)status_set(st, STATUS_FAILED_PRECONDITION,
				 "cannot listen on %s: %s; admin.listen names another address, or none", url,
				 strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return st->code;
	}
	(void)snprintf(ret_url, BIND_URL_BYTES, SCHEME "%s%s%s:%u", where.has_brackets ? "[" : "", where.host,
		       where.has_brackets ? "]" : "", port);
	*ret_fd = fd;
	return STATUS_OK;
}
