#include "redis/address.h"

#include "support/wait.h"

static void takes_hosts_and_ports(void **state)
{
	static const struct {
		const char *host;
		int64_t port;
		const char *text; /* NULL: refused */
		const char *url;
	} rows[] = {
	    {"127.0.0.1", 6379, "127.0.0.1:6379", "tls+tcp://127.0.0.1:6379"},
	    {"r-1.example_2.org", 1, "r-1.example_2.org:1", "tls+tcp://r-1.example_2.org:1"},
	    {"::1", 65535, "[::1]:65535", "tls+tcp://[::1]:65535"},
	    {"::ffff:10.0.0.1", 7, "[::ffff:10.0.0.1]:7", "tls+tcp://[::ffff:10.0.0.1]:7"},
	    {"", 6379, NULL, NULL},
	    {"?", 6379, NULL, NULL},
	    {"a b", 6379, NULL, NULL},
	    {"a/b", 6379, NULL, NULL},
	    {"user@h", 6379, NULL, NULL},
	    {"host:name", 6379, NULL, NULL},
	    {"h\n", 6379, NULL, NULL},
	    {"h", 0, NULL, NULL},
	    {"h", -1, NULL, NULL},
	    {"h", 65536, NULL, NULL},
	    {"h", INT64_MAX, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		char text[ADDRESS_TEXT_BYTES];
		char url[ADDRESS_URL_BYTES];
		bool taken = address_make(span_str(rows[i].host), rows[i].port, &a);

		if (taken != (rows[i].text != NULL))
			fail_msg("%s:%lld: %s", rows[i].host, (long long)rows[i].port, taken ? "taken" : "refused");
		if (!taken)
			continue;
		address_print(&a, text);
		assert_string_equal(text, rows[i].text);
		address_url(&a, true, url);
		assert_string_equal(url, rows[i].url);
		address_url(&a, false, url);
		assert_string_equal(url, rows[i].url + 4);
	}
	assert_false(address_make(SPAN_LIT("a\0b"), 1, &(struct address){.port = 0}));
}

static void holds_the_longest(void **state)
{
	char host[ADDRESS_HOST_BYTES_MAX + 1];
	char url[ADDRESS_URL_BYTES];
	struct address a;

	(void)state;
	memset(host, 'a', sizeof(host));
	assert_false(address_make(span_of(host, sizeof(host)), 65535, &a));
	host[0] = ':';
	assert_true(address_make(span_of(host, sizeof(host) - 1), 65535, &a));
	address_url(&a, true, url);
	assert_int_equal(strlen(url), sizeof(url) - 1);
	assert_string_equal(url + sizeof(url) - 8, "]:65535");
}

static struct address of(const char *host, int64_t port)
{
	struct address a;

	assert_true(address_make(span_str(host), port, &a));
	return a;
}

static void compares(void **state)
{
	struct address a = of("Redis-0.Example", 6379), b = of("redis-0.example", 6379);

	(void)state;
	assert_true(address_eq(&a, &b));
	b = of("redis-0.example", 6380);
	assert_false(address_eq(&a, &b));
	b = of("redis-1.example", 6379);
	assert_false(address_eq(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_hosts_and_ports),
	    cmocka_unit_test(holds_the_longest),
	    cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
