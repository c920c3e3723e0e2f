#include "redis/address.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_ipv6(const char *host)
{
	return strchr(host, ':') != NULL;
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

bool address_make(span host, int64_t port, struct address *ret)
{
	bool has_colon = host.len > 0 && memchr(host.ptr, ':', host.len) != NULL;

	if (host.len == 0 || host.len > ADDRESS_HOST_BYTES_MAX || port < 1 || port > UINT16_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.ptr[i];
		bool fits = has_colon ? is_hex(c) || c == ':' || c == '.'
				      : is_hex(c) || is_letter(c) || c == '-' || c == '.' || c == '_';

		if (!fits)
			return false;
	}
	*ret = (struct address){.port = (uint16_t)port};
	memcpy(ret->host, host.ptr, host.len);
	return true;
}

bool address_eq(const struct address *a, const struct address *b)
{
	/* Names and IPv6 digits are the same in upper and lower case. */
	return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

void address_print(const struct address *a, char ret[static ADDRESS_TEXT_BYTES])
{
	(void)snprintf(ret, ADDRESS_TEXT_BYTES, is_ipv6(a->host) ? "[%s]:%u" : "%s:%u", a->host, a->port);
}

void address_url(const struct address *a, bool is_tls, char ret[static ADDRESS_URL_BYTES])
{
	char text[ADDRESS_TEXT_BYTES];

	address_print(a, text);
	(void)snprintf(ret, ADDRESS_URL_BYTES, "%s://%s", is_tls ? "tls+tcp" : "tcp", text);
}

const char *address_in_url(const char *url)
{
	const char *at = strstr(url, "://");

	return at == NULL ? url : at + 3;
}
