#include "wire/url.h"

#include <string.h>

static const struct {
	const char *prefix;
	enum wire_scheme scheme;
} schemes[] = {
    {"tcp://", WIRE_TCP},
    {"ipc://", WIRE_IPC},
    {"tls+tcp://", WIRE_TLS_TCP},
};

static bool parse_port(const char *text, uint16_t *ret)
{
	uint32_t port = 0;
	size_t n = strlen(text);

	if (n == 0 || n > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		port = port * 10 + (uint32_t)(*text - '0');
	}
	if (port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool plain(const char *text, size_t len, const char *forbidden)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f || strchr(forbidden, text[i]) != NULL)
			return false;
	}
	return true;
}

/* host:port or [v6]:port */
static bool parse_authority(const char *text, struct wire_url *url)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL || !parse_port(colon + 1, &url->port))
		return false;
	len = (size_t)(colon - text);
	url->authority_len = len;
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL) {
		return false;
	}
	if (len == 0 || len > WIRE_HOST_MAX || !plain(text, len, "/?#@[]"))
		return false;
	memcpy(url->host, text, len);
	return true;
}

static bool parse_path(const char *text, struct wire_url *url)
{
	size_t len = strlen(text);

	/* nng decodes %xx and cuts at ? and #: paths that it would change are refused. */
	if (len < 2 || len > WIRE_IPC_PATH_MAX || text[0] != '/' || !plain(text, len, "%?#"))
		return false;
	memcpy(url->path, text, len);
	return true;
}

enum wire_error wire_url_parse(const char *text, bool listens, struct wire_url *ret)
{
	struct wire_url url = {0};

	if (text == NULL || strlen(text) >= WIRE_URL_MAX)
		return WIRE_BAD_URL;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i].prefix);

		if (strncmp(text, schemes[i].prefix, n) != 0)
			continue;
		url.scheme = schemes[i].scheme;
		if (url.scheme == WIRE_IPC ? !parse_path(text + n, &url) : !parse_authority(text + n, &url))
			return WIRE_BAD_URL;
		if (url.scheme != WIRE_IPC && url.port == 0 && !listens)
			return WIRE_BAD_URL;
		url.authority_len += n;
		*ret = url;
		return WIRE_OK;
	}
	return WIRE_BAD_URL;
}
