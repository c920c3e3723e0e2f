#include "redis/url.h"

#include <stdio.h>
#include <string.h>

#include "support/wait.h"

static struct redis_url parsed(const char *text)
{
	struct redis_url url;
	struct status st;

	if (redis_url_parse(text, &url, &st) != STATUS_OK)
		fail_msg("%s: %s", text, st.text);
	return url;
}

static void takes_what_is_right(void **state)
{
	static const struct {
		const char *text;
		enum redis_mode mode;
		uint32_t db;
		const char *address;
		const char *user;
		const char *password;
		const char *folder;
	} rows[] = {
	    {"redis://localhost", REDIS_STANDALONE, 0, "tcp://localhost:6379", "", "", ""},
	    {"redis://127.0.0.1:7000/", REDIS_STANDALONE, 0, "tcp://127.0.0.1:7000", "", "", ""},
	    {"redis://r_1.example-2.org:1/15", REDIS_STANDALONE, 15, "tcp://r_1.example-2.org:1", "", "", ""},
	    {"redis://[::1]:65535/3", REDIS_STANDALONE, 3, "tcp://[::1]:65535", "", "", ""},
	    {"redis://[fe80::1]", REDIS_STANDALONE, 0, "tcp://[fe80::1]:6379", "", "", ""},
	    {"redis://u:p@h:9", REDIS_STANDALONE, 0, "tcp://h:9", "u", "p", ""},
	    {"redis://:p%40%3a%2F%25@h", REDIS_STANDALONE, 0, "tcp://h:6379", "", "p@:/%", ""},
	    {"redis://u:a:b@h", REDIS_STANDALONE, 0, "tcp://h:6379", "u", "a:b", ""},
	    {"rediss://u:p@h/65535", REDIS_STANDALONE, 65535, "tls+tcp://h:6379", "u", "p", ""},
	    {"unix:///run/redis.sock", REDIS_UNIX, 0, "ipc:///run/redis.sock", "", "", ""},
	    {"unix:///a%20b?db=7", REDIS_UNIX, 7, "ipc:///a b", "", "", ""},
	    {"embedded:", REDIS_EMBEDDED, 0, "", "", "", ""},
	    {"embedded:/var/lib/x%20y", REDIS_EMBEDDED, 0, "", "", "", "/var/lib/x y"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_url url = parsed(rows[i].text);

		assert_int_equal(url.mode, rows[i].mode);
		assert_string_equal(url.address, rows[i].address);
		assert_string_equal(url.user, rows[i].user);
		assert_string_equal(url.password, rows[i].password);
		assert_string_equal(url.folder, rows[i].folder);
		assert_int_equal(url.db, rows[i].db);
		assert_int_equal(url.is_tls, strncmp(rows[i].text, "rediss", 6) == 0);
	}
}

static void refuses_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		const char *part; /* of the sentence */
	} rows[] = {
	    {"", "must be one of"},
	    {"localhost:6379", "must be one of"},
	    {"http://h", "must be one of"},
	    {"REDIS://h", "must be one of"},
	    {"redis:/h", "must be one of"},
	    {"redis+sentinels://a/m", "must be one of"},
	    {"redis+cluster:a", "must be one of"},
	    {"redis://a,b", "redis+cluster://"},
	    {"redis+cluster://", "no seed"},
	    {"redis+cluster:///0", "no seed"},
	    {"redis+cluster://u:sec@", "no seed"},
	    {"redis+cluster://a,b/1", "no other database"},
	    {"redis+cluster://a,b/00", "no other database"},
	    {"redis+cluster://a,b/0/", "no other database"},
	    {"redis+cluster://a,,b", "seed 2: the host is missing"},
	    {"redis+cluster://a,b,", "seed 3: the host is missing"},
	    {"redis+cluster://,a", "seed 1: the host is missing"},
	    {"redis+cluster://a, b", "seed 2: the host"},
	    {"redis+cluster://a,[::1", "seed 2: the IPv6"},
	    {"redis+cluster://a,b,c:0", "seed 3: the port"},
	    {"redis+cluster://a,b:7000:7001", "seed 2: the port"},
	    {"redis+cluster://secret@a", "user:password"},
	    {"redis+cluster://u:sec@a,u:sec@b", "more than one @"},
	    {"redis+cluster://a,b?x=1", "seed 2"},
	    {"redis+sentinel://", "no seed"},
	    {"redis+sentinel:///m", "no seed"},
	    {"redis+sentinel://a,b", "/NAME"},
	    {"redis+sentinel://a,b/", "/NAME"},
	    {"rediss+sentinel://a//0", "/NAME"},
	    {"redis+sentinel://a/m%00", "percent-encoded"},
	    {"redis+sentinel://a/m%20n", "space"},
	    {"redis+sentinel://a/m/x", "database after the name"},
	    {"redis+sentinel://a/m/65536", "database after the name"},
	    {"redis+sentinel://a/m/1/", "database after the name"},
	    {"redis+sentinel://u:sec@a,u:sec@b/m", "more than one @"},
	    {"redis://", "host is missing"},
	    {"redis://:6379", "host is missing"},
	    {"redis:///0", "host is missing"},
	    {"redis://a b", "host"},
	    {"redis://h?db=1", "host"},
	    {"redis://h#x", "host"},
	    {"redis://::1", "host"},
	    {"redis://[::1", "IPv6"},
	    {"redis://[::1]6379", "IPv6"},
	    {"redis://[host]", "host"},
	    {"redis://h:0", "1 to 65535"},
	    {"redis://h:65536", "1 to 65535"},
	    {"redis://h:", "1 to 65535"},
	    {"redis://h:+1", "1 to 65535"},
	    {"redis://h:0000001", "1 to 65535"},
	    {"redis://h/x", "database"},
	    {"redis://h/1/", "database"},
	    {"redis://h/65536", "database"},
	    {"redis://h/-1", "database"},
	    {"redis://secret@h", "user:password"},
	    {"redis://u:@h", "password is empty"},
	    {"redis://u:sec@ret@h", "more than one @"},
	    {"redis://u:sec%00ret@h", "percent-encoded"},
	    {"redis://u:secret%@h", "percent-encoded"},
	    {"redis://u:secret%2@h", "percent-encoded"},
	    {"redis://u:secret%zz@h", "percent-encoded"},
	    {"redis://u%0a:secret@h", "percent-encoded"},
	    {"unix://", "absolute path"},
	    {"unix:///", "absolute path"},
	    {"unix://run/x", "absolute path"},
	    {"unix:///x?", "db=N"},
	    {"unix:///x?db=", "db=N"},
	    {"unix:///x?db=a", "db=N"},
	    {"unix:///x?timeout=1", "db=N"},
	    {"unix:///x%00y", "percent-encoded"},
	    {"embedded:relative", "absolute folder"},
	    {"embedded:/a%0ab", "percent-encoded"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_url url;
		struct status st;

		if (redis_url_parse(rows[i].text, &url, &st) == STATUS_OK)
			fail_msg("taken: %s", rows[i].text);
		assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
		if (strstr(st.text, rows[i].part) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].text, st.text, rows[i].part);
		assert_null(strstr(st.text, "sec"));
		if (strlen(st.text) == STATUS_TEXT_BYTES - 1)
			fail_msg("cut: %s", st.text);
		assert_string_equal(url.password, "");
	}
}

/* What a URL with several seeds means, in a line. */
static void print(const struct redis_url *url, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "%s%s %s:%s@", redis_mode_name(url->mode), url->is_tls ? " tls" : "",
				     url->user, url->password);

	for (size_t i = 0; i < url->seed_count; i++) {
		char text[ADDRESS_TEXT_BYTES];

		address_print(&url->seeds[i], text);
		at += (size_t)snprintf(out + at, size - at, "%s%s", i == 0 ? "" : ",", text);
	}
	(void)snprintf(out + at, size - at, "/%s/%u", url->primary_name, url->db);
}

static void takes_several_seeds(void **state)
{
	static const struct {
		const char *text;
		const char *meaning;
	} rows[] = {
	    {"redis://h", "standalone :@h:6379//0"},
	    {"rediss://[::1]:7000/2", "standalone tls :@[::1]:7000//2"},
	    {"redis+cluster://a", "cluster :@a:6379//0"},
	    {"redis+cluster://a/", "cluster :@a:6379//0"},
	    {"redis+cluster://u:p%2c@a,b:7001,[::1],[::2]:9/0", "cluster u:p,@a:6379,b:7001,[::1]:6379,[::2]:9//0"},
	    {"rediss+cluster://:p,q@a,b", "cluster tls :p,q@a:6379,b:6379//0"},
	    {"redis+cluster://a,A:6379,a:6380,a", "cluster :@a:6379,a:6380//0"},
	    {"redis+sentinel://a,b,c:5/mymaster", "sentinel :@a:26379,b:26379,c:5/mymaster/0"},
	    {"redis+sentinel://u:p@a/my.master-1_x/", "sentinel u:p@a:26379/my.master-1_x/0"},
	    {"rediss+sentinel://:p@[::1],b/m%2Fn/15", "sentinel tls :p@[::1]:26379,b:26379/m/n/15"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_url url = parsed(rows[i].text);
		char text[1024];

		print(&url, text, sizeof(text));
		assert_string_equal(text, rows[i].meaning);
		assert_int_equal(url.address[0] == '\0', url.mode != REDIS_STANDALONE);
	}
}

static void bounds_the_seeds(void **state)
{
	char text[512] = "redis+cluster://h:0001,";
	struct redis_url url;
	struct status st;

	(void)state;
	for (unsigned i = 1; i < URL_SEEDS_MAX; i++)
		(void)sprintf(text + strlen(text), "h%u,", i);
	(void)strcat(text, "h:1");
	assert_int_equal(redis_url_parse(text, &url, &st), STATUS_OK);
	assert_int_equal(url.seed_count, URL_SEEDS_MAX);
	(void)strcat(text, ",h:2");
	assert_int_equal(redis_url_parse(text, &url, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "more than 16 seeds"));
}

static void repeat(char *text, const char *head, char c, size_t n, const char *tail)
{
	char *at = stpcpy(text, head);

	memset(at, c, n);
	(void)stpcpy(at + n, tail);
}

static void knows_the_lengths(void **state)
{
	static const struct {
		const char *head;
		size_t max;
		const char *tail;
	} rows[] = {
	    {"redis://", URL_HOST_BYTES_MAX, ""},
	    {"redis://", URL_USER_BYTES_MAX, ":p@h"},
	    {"redis://u:", URL_PASSWORD_BYTES_MAX, "@h"},
	    {"redis+cluster://a,", URL_HOST_BYTES_MAX, ",b"},
	    {"redis+sentinel://a/", SENTINEL_NAME_BYTES_MAX, "/0"},
	    {"unix:///", URL_SOCKET_BYTES_MAX - 1, ""},
	    {"embedded:/", PATH_MAX - 2, ""},
	};
	char text[PATH_MAX + 32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_url url;
		struct status st;

		repeat(text, rows[i].head, 'a', rows[i].max, rows[i].tail);
		assert_int_equal(redis_url_parse(text, &url, &st), STATUS_OK);
		repeat(text, rows[i].head, 'a', rows[i].max + 1, rows[i].tail);
		assert_int_equal(redis_url_parse(text, &url, &st), STATUS_INVALID_ARGUMENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_what_is_right), cmocka_unit_test(takes_several_seeds),
	    cmocka_unit_test(bounds_the_seeds),	   cmocka_unit_test(refuses_what_is_wrong),
	    cmocka_unit_test(knows_the_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
