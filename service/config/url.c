#include "config/url.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "config/config.h"

/* No password is made of these, so a masked URL that comes back is recognized. */
#define MASK "********"

/* A host name has at most 253 characters; two brackets around an IPv6 address. */
#define HOST_BYTES 256

static bool starts_with(const char *text, const char *head)
{
	return strncmp(text, head, strlen(head)) == 0;
}

static bool is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcmp(host, "localhost") == 0;
}

static bool parse_port(const char *text, uint32_t *ret)
{
	uint32_t port = 0;

	if (*text == 0)
		return false;
	for (; *text != 0; text++) {
		if (*text < '0' || *text > '9')
			return false;
		port = port * 10 + (uint32_t)(*text - '0');
		if (port > 65535)
			return false;
	}
	*ret = port;
	return true;
}

/* host:port, [v6]:port, *:port */
static const char *check_authority(const char *text, struct listen_url *url)
{
	const char *colon = strrchr(text, ':');
	const bool has_brackets = text[0] == '[';
	const char *start = has_brackets ? text + 1 : text;
	char host[HOST_BYTES];
	size_t len;

	if (colon == NULL || !parse_port(colon + 1, &url->port))
		return "has no port, allowed: host:port with a port of 0..65535, such as tcp://127.0.0.1:7373";
	len = (size_t)(colon - start);
	if (has_brackets && (len == 0 || start[len - 1] != ']'))
		return "has an IPv6 address without its closing bracket, allowed: such as tcp://[::1]:7373";
	if (has_brackets)
		len--;
	if (len == 0 || len >= sizeof(host))
		return "has no host, allowed: an address, such as 127.0.0.1, or * for all";
	memcpy(host, start, len);
	host[len] = 0;
	if (strpbrk(host, "/@?#") != NULL || (!has_brackets && strchr(host, ':') != NULL))
		return "is no host:port, allowed: such as tcp://127.0.0.1:7373 or tcp://[::1]:7373";
	url->is_loopback = is_loopback(host);
	return NULL;
}

const char *listen_url_check(const char *url, struct listen_url *ret)
{
	struct listen_url out = {.is_loopback = true};
	const char *wrong = NULL;

	if (starts_with(url, "tcp://")) {
		out.scheme = LISTEN_TCP;
		wrong = check_authority(url + strlen("tcp://"), &out);
	} else if (starts_with(url, "tls+tcp://")) {
		out.scheme = LISTEN_TLS;
		wrong = check_authority(url + strlen("tls+tcp://"), &out);
	} else if (starts_with(url, "ipc://")) {
		out.scheme = LISTEN_IPC;
		if (url[strlen("ipc://")] != '/')
			wrong = "has no absolute path, allowed: such as ipc:///run/latchkey/latchkey.sock";
	} else {
		wrong = "has no scheme that is served, allowed: tcp://host:port, tls+tcp://host:port, ipc:///path";
	}
	if (wrong == NULL)
		*ret = out;
	return wrong;
}

const char *admin_url_check(const char *url)
{
	struct listen_url out;

	if (!starts_with(url, "http://"))
		return "has no scheme that is served, allowed: http://host:port, or nothing for no listener";
	return check_authority(url + strlen("http://"), &out) == NULL
		   ? NULL
		   : "is no address, allowed: http://host:port with a port of 0..65535, such as http://127.0.0.1:7374, "
		     "http://[::1]:7374 or http://*:7374";
}

bool redis_url_is_tls(const char *url)
{
	return starts_with(url, "rediss://") || starts_with(url, "rediss+sentinel://") ||
	       starts_with(url, "rediss+cluster://");
}

bool redis_url_is_sentinel(const char *url)
{
	return starts_with(url, "redis+sentinel://") || starts_with(url, "rediss+sentinel://");
}

bool redis_url_is_known(const char *url)
{
	return starts_with(url, "redis://") || starts_with(url, "redis+cluster://") || redis_url_is_sentinel(url) ||
	       redis_url_is_tls(url) || starts_with(url, "unix:///") || starts_with(url, "embedded:");
}

/* The user and password part: between :// and the last @. A password may hold, against the rules, anything, so what is
 * in doubt counts as part of it. NULL: there is none. */
static const char *find_userinfo(const char *url, const char **ret_end)
{
	const char *scheme_end = strstr(url, "://");
	const char *start = scheme_end == NULL ? url : scheme_end + strlen("://");
	const char *end = strrchr(start, '@');

	if (end == NULL || *start == '/' || starts_with(url, "embedded:"))
		return NULL;
	*ret_end = end;
	return start;
}

void config_mask_url(const char *url, char *out, size_t len)
{
	const char *end = NULL;
	const char *start = find_userinfo(url, &end);
	const char *colon = start == NULL ? NULL : memchr(start, ':', (size_t)(end - start));
	const char *secret = colon == NULL ? start : colon + 1;

	if (start == NULL || secret == end)
		snprintf(out, len, "%s", url);
	else
		snprintf(out, len, "%.*s" MASK "%s", (int)(secret - url), url, end);
}

bool url_is_masked(const char *url)
{
	return strstr(url, MASK "@") != NULL;
}
