#include "redis/url.h"

#include <assert.h>
#include <stdio.h>

#include "base/span.h"

#define FORMS                                                                                                          \
	"redis://[user:password@]host[:port][/db], redis+sentinel://host,.../name[/db], redis+cluster://host,..., "    \
	"these with rediss, unix:///path[?db=N], embedded:[/folder]"

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

/* The host's place in the list; 0: it is the only one there may be. */
static enum status_code bad_host(struct status *st, size_t position, const char *what)
{
	if (position == 0)
		return bad(st, what);
	return status_set(st, STATUS_INVALID_ARGUMENT, "redis.url: seed %zu: %s", position, what);
}

/* Cuts host[:port]. False: an IPv6 address whose brackets are wrong. */
static bool cut_port(span text, span *ret_host, bool *ret_has_port, span *ret_port)
{
	bool is_closed;
	span rest;

	if (text.len == 0 || text.ptr[0] != '[') {
		*ret_host = cut(text, ':', ret_has_port, ret_port);
		return true;
	}
	*ret_host = cut(span_of(text.ptr + 1, text.len - 1), ']', &is_closed, &rest);
	if (!is_closed || (rest.len > 0 && rest.ptr[0] != ':'))
		return false;
	*ret_has_port = rest.len > 0;
	*ret_port = rest.len > 0 ? span_of(rest.ptr + 1, rest.len - 1) : SPAN_EMPTY;
	return true;
}

static enum status_code parse_host(span text, size_t position, uint32_t default_port, struct address *ret,
				   struct status *st)
{
	bool has_brackets = text.len > 0 && text.ptr[0] == '[';
	bool has_port;
	span host;
	span number;
	uint32_t port = default_port;

	if (!cut_port(text, &host, &has_port, &number))
		return bad_host(st, position, "the IPv6 address in [ ] is not followed by its end or by :port");
	if (!address_make(host, port, ret) || has_brackets != (strchr(ret->host, ':') != NULL))
		return bad_host(st, position,
				"the host is missing or is no name or address (percent-encode @ : / ? # in user and "
				"password; write IPv6 addresses in [ ])");
	if (has_port && (!parse_number(number, 65535, &port) || port == 0))
		return bad_host(st, position, "the port must be a number from 1 to 65535");
	ret->port = (uint16_t)port;
	return STATUS_OK;
}

/* What is left of user:password@ is *ret_hosts. */
static enum status_code parse_login(span authority, struct redis_url *ret, span *ret_hosts, struct status *st)
{
	bool has_user;
	span hosts;
	span info = cut(authority, '@', &has_user, &hosts);

	if (has_user && parse_userinfo(info, ret, st) != STATUS_OK)
		return st->code;
	if (has_user && hosts.len > 0 && memchr(hosts.ptr, '@', hosts.len) != NULL)
		return bad(
		    st,
		    "more than one @: user and password stand once, in front of all hosts, and an @ in them is %40");
	*ret_hosts = has_user ? hosts : authority;
	return STATUS_OK;
}

static enum status_code parse_standalone(span rest, struct redis_url *ret, struct status *st)
{
	bool has_db;
	span db;
	span host = SPAN_EMPTY;
	span authority = cut(rest, '/', &has_db, &db);

	_Static_assert(sizeof(ret->address) >= ADDRESS_URL_BYTES, "every address fits");
	ret->mode = REDIS_STANDALONE;
	if (parse_login(authority, ret, &host, st) != STATUS_OK)
		return st->code;
	if (host.len > 0 && memchr(host.ptr, ',', host.len) != NULL)
		return bad(st, "several hosts need redis+cluster:// or redis+sentinel:// in front");
	if (parse_host(host, 0, URL_PORT_DEFAULT, &ret->seeds[0], st) != STATUS_OK)
		return st->code;
	if (has_db && db.len > 0 && !parse_number(db, URL_DB_MAX, &ret->db))
		return bad(st, "the database after / must be a number from 0 to 65535, with nothing behind it");
	ret->seed_count = 1;
	address_url(&ret->seeds[0], ret->is_tls, ret->address);
	return STATUS_OK;
}

static enum status_code add_seed(const struct address *seed, struct redis_url *ret, struct status *st)
{
	_Static_assert(URL_SEEDS_MAX == 16, "the sentence says so");
	for (size_t i = 0; i < ret->seed_count; i++)
		if (address_eq(&ret->seeds[i], seed))
			return STATUS_OK;
	if (ret->seed_count == URL_SEEDS_MAX)
		return bad(st, "more than 16 seeds: name some, the others are found by themselves");
	ret->seeds[ret->seed_count++] = *seed;
	return STATUS_OK;
}

static enum status_code parse_seeds(span hosts, uint32_t default_port, struct redis_url *ret, struct status *st)
{
	bool has_more = true;

	if (hosts.len == 0)
		return bad(st, "no seed: name one server at least, better three, with commas between them");
	for (size_t position = 1; has_more; position++) {
		span host = cut(hosts, ',', &has_more, &hosts);
		struct address seed;

		if (parse_host(host, position, default_port, &seed, st) != STATUS_OK ||
		    add_seed(&seed, ret, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

static enum status_code parse_cluster(span rest, struct redis_url *ret, struct status *st)
{
	bool has_db;
	span db;
	span hosts = SPAN_EMPTY;
	span authority = cut(rest, '/', &has_db, &db);

	ret->mode = REDIS_CLUSTER;
	if (parse_login(authority, ret, &hosts, st) != STATUS_OK ||
	    parse_seeds(hosts, URL_PORT_DEFAULT, ret, st) != STATUS_OK)
		return st->code;
	if (has_db && db.len > 0 && !span_eq(db, SPAN_LIT("0")))
		return bad(st, "a cluster has no other database than 0: end the URL behind the last host");
	return STATUS_OK;
}

static enum status_code parse_sentinel(span rest, struct redis_url *ret, struct status *st)
{
	bool has_name;
	bool has_db;
	span path;
	span db;
	span hosts = SPAN_EMPTY;
	span name;
	span authority = cut(rest, '/', &has_name, &path);

	ret->mode = REDIS_SENTINEL;
	if (parse_login(authority, ret, &hosts, st) != STATUS_OK ||
	    parse_seeds(hosts, URL_PORT_SENTINEL, ret, st) != STATUS_OK)
		return st->code;
	name = cut(path, '/', &has_db, &db);
	if (name.len == 0)
		return bad(st, "behind the Sentinels there must be /NAME, the primary's as in their line `sentinel "
			       "monitor NAME ...`, such as /mymaster");
	if (!decode(name, ret->primary_name, sizeof(ret->primary_name)) || strchr(ret->primary_name, ' ') != NULL)
		return bad(st, "the primary's name is longer than 127 bytes, has a space or is wrongly "
			       "percent-encoded");
	if (has_db && db.len > 0 && !parse_number(db, URL_DB_MAX, &ret->db))
		return bad(st, "the database after the name and / must be a number from 0 to 65535, with nothing "
			       "behind it");
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

#define SCHEME(name, over_tls, function)                                                                               \
	{                                                                                                              \
		{(const uint8_t *)(name), sizeof(name) - 1}, over_tls, function                                        \
	}

static const struct {
	span prefix;
	bool is_tls;
	enum status_code (*parse)(span rest, struct redis_url *ret, struct status *st);
} schemes[] = {
    SCHEME("redis://", false, parse_standalone),
    SCHEME("rediss://", true, parse_standalone),
    SCHEME("unix://", false, parse_unix),
    SCHEME("embedded:", false, parse_embedded),
    SCHEME("redis+cluster://", false, parse_cluster),
    SCHEME("rediss+cluster://", true, parse_cluster),
    SCHEME("redis+sentinel://", false, parse_sentinel),
    SCHEME("rediss+sentinel://", true, parse_sentinel),
};

static enum status_code parse(span text, struct redis_url *ret, struct status *st)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		span prefix = schemes[i].prefix;

		if (!span_starts_with(text, prefix))
			continue;
		ret->is_tls = schemes[i].is_tls;
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
	    [REDIS_STANDALONE] = "standalone", [REDIS_UNIX] = "unix",	    [REDIS_EMBEDDED] = "embedded",
	    [REDIS_SENTINEL] = "sentinel",     [REDIS_CLUSTER] = "cluster",
	};

	assert(mode <= REDIS_CLUSTER);
	return names[mode];
}

void redis_url_wipe(struct redis_url *url)
{
	explicit_bzero(url, sizeof(*url));
}
