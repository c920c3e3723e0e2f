#include "redis/url.h"

#include <assert.h>
#include <stdio.h>

#include "base/span.h"

#define FORMS "redis://[user:password@]host[:port][/db], rediss://, unix:///path[?db=N], embedded: or embedded:/folder"

static enum status_code bad(struct status *st, const char *what)
{
	return status_set(st, STATUS_INVALID_ARGUMENT, "redis.url: %s", what);
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: too long for the buffer, half an escape, or an octet that a C string or a command line cannot hold. */
static bool decode(span s, char *ret, size_t size)
{
	size_t out = 0;

	for (size_t i = 0; i < s.len; i++) {
		int c = s.ptr[i];

		if (c == '%') {
			if (s.len - i < 3 || hex_value(s.ptr[i + 1]) < 0 || hex_value(s.ptr[i + 2]) < 0)
				return false;
			c = hex_value(s.ptr[i + 1]) << 4 | hex_value(s.ptr[i + 2]);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f || out + 1 >= size)
			return false;
		ret[out++] = (char)c;
	}
	ret[out] = '\0';
	return true;
}

static bool parse_number(span s, uint32_t max, uint32_t *ret)
{
	uint32_t n = 0;

	/* Six digits hold every limit here and cannot overflow. */
	if (s.len == 0 || s.len > 6)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(s.ptr[i] - '0');
	}
	if (n > max)
		return false;
	*ret = n;
	return true;
}

/* Cuts *s at the first `mark`: what precedes it is returned, *ret_rest is what follows. Without one, all is before. */
static span cut(span s, uint8_t mark, bool *ret_found, span *ret_rest)
{
	const uint8_t *at = s.len == 0 ? NULL : memchr(s.ptr, mark, s.len);

	*ret_found = at != NULL;
	*ret_rest = at == NULL ? SPAN_EMPTY : span_of(at + 1, (size_t)(s.ptr + s.len - at - 1));
	return at == NULL ? s : span_of(s.ptr, (size_t)(at - s.ptr));
}

static enum status_code parse_userinfo(span info, struct redis_url *ret, struct status *st)
{
	bool has_password;
	span password;
	span user = cut(info, ':', &has_password, &password);

	if (!has_password)
		return bad(st, "in front of @ there must be user:password or :password");
	if (!decode(user, ret->user, sizeof(ret->user)))
		return bad(st, "the user is longer than 255 bytes or wrongly percent-encoded");
	if (password.len == 0 || !decode(password, ret->password, sizeof(ret->password)))
		return bad(st, "the password is empty, longer than 1023 bytes or wrongly percent-encoded");
	return STATUS_OK;
}

static bool is_host(span host, bool is_ipv6)
{
	if (host.len == 0 || host.len > URL_HOST_BYTES_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.ptr[i];
		bool fits = is_ipv6 ? hex_value(c) >= 0 || c == ':' || c == '.'
				    : hex_value(c) >= 0 || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') ||
					  c == '-' || c == '.' || c == '_';

		if (!fits)
			return false;
	}
	return true;
}

static enum status_code parse_host(span text, struct redis_url *ret, struct status *st)
{
	bool is_ipv6 = text.len > 0 && text.ptr[0] == '[';
	bool has_port;
	span host;
	span rest;
	uint32_t port = URL_PORT_DEFAULT;

	if (is_ipv6) {
		host = cut(span_of(text.ptr + 1, text.len - 1), ']', &has_port, &rest);
		if (!has_port || (rest.len > 0 && rest.ptr[0] != ':'))
			return bad(st, "the IPv6 address in [ ] is not followed by its end or by :port");
		has_port = rest.len > 0;
		if (has_port)
			rest = span_of(rest.ptr + 1, rest.len - 1);
	} else {
		host = cut(text, ':', &has_port, &rest);
	}
	if (!is_host(host, is_ipv6))
		return bad(st, "the host is missing or is no name or address (percent-encode @ : / ? # in user and "
			       "password; write IPv6 addresses in [ ])");
	if (has_port && (!parse_number(rest, 65535, &port) || port == 0))
		return bad(st, "the port must be a number from 1 to 65535");
	(void)snprintf(ret->address, sizeof(ret->address), "%s://%s%.*s%s:%u", ret->is_tls ? "tls+tcp" : "tcp",
		       is_ipv6 ? "[" : "", SPAN_FMT(host), is_ipv6 ? "]" : "", port);
	return STATUS_OK;
}

static enum status_code parse_standalone(span rest, struct redis_url *ret, struct status *st)
{
	bool has_db;
	bool has_user;
	span db;
	span host;
	span authority = cut(rest, '/', &has_db, &db);
	span info = cut(authority, '@', &has_user, &host);

	ret->mode = REDIS_STANDALONE;
	if (has_user && parse_userinfo(info, ret, st) != STATUS_OK)
		return st->code;
	if (has_user && host.len > 0 && memchr(host.ptr, '@', host.len) != NULL)
		return bad(st, "more than one @: percent-encode it in user and password (%40)");
	if (parse_host(has_user ? host : authority, ret, st) != STATUS_OK)
		return st->code;
	if (has_db && db.len > 0 && !parse_number(db, URL_DB_MAX, &ret->db))
		return bad(st, "the database after / must be a number from 0 to 65535, with nothing behind it");
	return STATUS_OK;
}

static enum status_code parse_unix(span rest, struct redis_url *ret, struct status *st)
{
	const span db_is = SPAN_LIT("db=");
	char path[URL_SOCKET_BYTES_MAX + 1];
	bool has_query;
	span query;
	span text = cut(rest, '?', &has_query, &query);

	ret->mode = REDIS_UNIX;
	if (text.len < 2 || text.ptr[0] != '/')
		return bad(st, "unix:// needs an absolute path, such as unix:///run/redis/redis.sock; user and "
			       "password are settings of their own");
	if (!decode(text, path, sizeof(path)))
		return bad(st, "the socket's path is longer than 107 bytes (all that a socket address holds: use a "
			       "shorter one) or wrongly percent-encoded");
	if (has_query && (!span_starts_with(query, db_is) ||
			  !parse_number(span_of(query.ptr + db_is.len, query.len - db_is.len), URL_DB_MAX, &ret->db)))
		return bad(st, "after ? only db=N is known, N from 0 to 65535");
	(void)snprintf(ret->address, sizeof(ret->address), "ipc://%s", path);
	return STATUS_OK;
}

static enum status_code parse_embedded(span rest, struct redis_url *ret, struct status *st)
{
	ret->mode = REDIS_EMBEDDED;
	if (rest.len > 0 && rest.ptr[0] != '/')
		return bad(st, "embedded: is followed by nothing or by an absolute folder, such as embedded:/var/lib/"
			       "latchkey/redis");
	if (!decode(rest, ret->folder, sizeof(ret->folder)))
		return bad(st, "the folder's path is longer than 4095 bytes or wrongly percent-encoded");
	return STATUS_OK;
}

static enum status_code parse_tls(span rest, struct redis_url *ret, struct status *st)
{
	ret->is_tls = true;
	return parse_standalone(rest, ret, st);
}

static enum status_code refuse_topology(span rest, struct redis_url *ret, struct status *st)
{
	(void)rest;
	(void)ret;
	return bad(st, "Cluster and Sentinel are not served by this version: name one server by redis:// or rediss://");
}

static const struct {
	span prefix;
	enum status_code (*parse)(span rest, struct redis_url *ret, struct status *st);
} schemes[] = {
    {{(const uint8_t *)"redis://", 8}, parse_standalone},
    {{(const uint8_t *)"rediss://", 9}, parse_tls},
    {{(const uint8_t *)"unix://", 7}, parse_unix},
    {{(const uint8_t *)"embedded:", 9}, parse_embedded},
    {{(const uint8_t *)"redis+cluster://", 16}, refuse_topology},
    {{(const uint8_t *)"rediss+cluster://", 17}, refuse_topology},
    {{(const uint8_t *)"redis+sentinel://", 17}, refuse_topology},
    {{(const uint8_t *)"rediss+sentinel://", 18}, refuse_topology},
};

static enum status_code parse(span text, struct redis_url *ret, struct status *st)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		span prefix = schemes[i].prefix;

		if (span_starts_with(text, prefix))
			return schemes[i].parse(span_of(text.ptr + prefix.len, text.len - prefix.len), ret, st);
	}
	return bad(st, "must be one of " FORMS);
}

enum status_code redis_url_parse(const char *text, struct redis_url *ret, struct status *st)
{
	assert(text != NULL);
	*ret = (struct redis_url){0};
	if (parse(span_str(text), ret, st) == STATUS_OK)
		return STATUS_OK;
	redis_url_wipe(ret);
	return st->code;
}

const char *redis_mode_name(enum redis_mode mode)
{
	static const char *const names[] = {
	    [REDIS_STANDALONE] = "standalone",
	    [REDIS_UNIX] = "unix",
	    [REDIS_EMBEDDED] = "embedded",
	};

	assert(mode <= REDIS_EMBEDDED);
	return names[mode];
}

void redis_url_wipe(struct redis_url *url)
{
	explicit_bzero(url, sizeof(*url));
}
