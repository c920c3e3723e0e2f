#include "rpc/address.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *after_prefix(const char *url, const char *prefix)
{
	const size_t len = strlen(prefix);

	return strncmp(url, prefix, len) == 0 ? url + len : NULL;
}

/* The host of "host:port" or "[host]:port", brackets left out; false when there is none or it is too long for any. */
static bool host_of(const char *authority, char ret_host[static INET6_ADDRSTRLEN])
{
	const bool is_bracketed = authority[0] == '[';
	const char *start = authority + (is_bracketed ? 1 : 0);
	const char *end = is_bracketed ? strchr(start, ']') : strrchr(start, ':');
	const size_t len = end == NULL ? strlen(start) : (size_t)(end - start);

	if (len == 0 || len >= INET6_ADDRSTRLEN)
		return false;
	(void)snprintf(ret_host, INET6_ADDRSTRLEN, "%.*s", (int)len, start);
	return true;
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
	/* RFC 6761 section 6.3: the name always means loopback. */
	return strcasecmp(host, "localhost") == 0;
}

enum address_scope address_scope_of(const char *url)
{
	char host[INET6_ADDRSTRLEN];
	const char *authority;

	if (after_prefix(url, "ipc://") != NULL)
		return ADDRESS_LOCAL;
	authority = after_prefix(url, "tcp://");
	if (authority == NULL)
		authority = after_prefix(url, "tls+tcp://");
	if (authority == NULL)
		return ADDRESS_BAD;
	return host_of(authority, host) && is_loopback(host) ? ADDRESS_LOCAL : ADDRESS_REMOTE;
}
