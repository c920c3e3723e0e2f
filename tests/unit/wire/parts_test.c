/* The pure parts: URLs, the buffer, error names. */

#include "support/wait.h"

#include <string.h>

#include "wire/buffer.h"
#include "wire/url.h"

static void good_urls_are_taken_apart(void **state)
{
	struct wire_url url;

	(void)state;
	assert_int_equal(wire_url_parse("tcp://127.0.0.1:7373", false, &url), WIRE_OK);
	assert_int_equal(url.scheme, WIRE_TCP);
	assert_string_equal(url.host, "127.0.0.1");
	assert_int_equal(url.port, 7373);
	assert_int_equal(url.authority_len, strlen("tcp://127.0.0.1"));

	assert_int_equal(wire_url_parse("tls+tcp://[::1]:443", false, &url), WIRE_OK);
	assert_int_equal(url.scheme, WIRE_TLS_TCP);
	assert_string_equal(url.host, "::1");

	assert_int_equal(wire_url_parse("ipc:///run/latchkey/x.sock", false, &url), WIRE_OK);
	assert_int_equal(url.scheme, WIRE_IPC);
	assert_string_equal(url.path, "/run/latchkey/x.sock");

	assert_int_equal(wire_url_parse("tcp://h:0", true, &url), WIRE_OK);
	assert_int_equal(url.port, 0);
}

static void bad_urls_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "tcp",
	    "tcp://",
	    "tcp://:1",
	    "tcp://host",
	    "tcp://host:",
	    "tcp://host:x",
	    "tcp://host:-1",
	    "tcp://host:+1",
	    "tcp://host: 1",
	    "tcp://host:65536",
	    "tcp://host:000001",
	    "tcp://host:1/",
	    "tcp://host:1/path",
	    "tcp://user@host:1",
	    "tcp://ho st:1",
	    "tcp://ho\nst:1",
	    "tcp://::1:1",
	    "tcp://[::1:1",
	    "tcp://[]:1",
	    "TCP://host:1",
	    "http://host:1",
	    "ws://host:1",
	    "inproc://x",
	    "ipc://",
	    "ipc:///",
	    "ipc://relative",
	    "ipc:///a%2fb",
	    "ipc:///a?b",
	    "ipc:///a\001b",
	};
	struct wire_url url = {.port = 99};
	char long_path[2 * WIRE_IPC_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (wire_url_parse(bad[i], true, &url) != WIRE_BAD_URL)
			fail_msg("taken: %s", bad[i]);
	}
	memset(long_path, 'p', sizeof(long_path));
	memcpy(long_path, "ipc:///", 7);
	long_path[7 - 1 + WIRE_IPC_PATH_MAX + 1] = '\0';
	assert_int_equal(wire_url_parse(long_path, true, &url), WIRE_BAD_URL);
	assert_int_equal(wire_url_parse(NULL, true, &url), WIRE_BAD_URL);
	assert_int_equal(wire_url_parse("tcp://host:0", false, &url), WIRE_BAD_URL);
	assert_int_equal(url.port, 99);
}

static void a_host_of_any_length_is_safe(void **state)
{
	char text[600];
	struct wire_url url;

	(void)state;
	for (size_t n = 1; n < 500; n++) {
		memset(text, 'h', n);
		memcpy(text, "tcp://", 6);
		strcpy(text + 6 + n, ":1");
		memset(text + 6, 'h', n);
		assert_int_equal(wire_url_parse(text, true, &url), n <= WIRE_HOST_MAX ? WIRE_OK : WIRE_BAD_URL);
	}
}

static void a_buffer_keeps_its_content(void **state)
{
	struct wire_buffer b = {0};
	uint8_t next_in = 0;
	uint8_t next_out = 0;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		size_t put = round * 37 % 611;
		size_t take;

		assert_true(wire_buffer_reserve(&b, put));
		for (size_t i = 0; i < put; i++) {
			wire_buffer_put(&b, &next_in, 1);
			next_in++;
		}
		take = wire_buffer_len(&b) * (round % 5) / 5;
		for (size_t i = 0; i < take; i++)
			assert_int_equal(b.data[b.start + i], (uint8_t)(next_out + i));
		next_out = (uint8_t)(next_out + take);
		wire_buffer_consume(&b, take);
	}
	assert_true(b.cap <= 8192);
	wire_buffer_drop(&b);
	assert_int_equal(wire_buffer_len(&b), 0);
}

static void a_buffer_shrinks_around_its_content(void **state)
{
	struct wire_buffer b = {0};

	(void)state;
	assert_true(wire_buffer_reserve(&b, 100000));
	wire_buffer_put(&b, "0123456789", 10);
	wire_buffer_consume(&b, 4);
	wire_buffer_shrink(&b, 6);
	assert_int_equal(b.cap, 6);
	assert_int_equal(wire_buffer_len(&b), 6);
	assert_memory_equal(b.data + b.start, "456789", 6);
	wire_buffer_drop(&b);
}

static void a_buffer_refuses_what_cannot_be(void **state)
{
	struct wire_buffer b = {0};

	(void)state;
	assert_true(wire_buffer_reserve(&b, 3));
	wire_buffer_put(&b, "abc", 3);
	assert_false(wire_buffer_reserve(&b, SIZE_MAX - 1));
	assert_memory_equal(b.data + b.start, "abc", 3);
	wire_buffer_drop(&b);
}

static void errors_have_names(void **state)
{
	(void)state;
	assert_string_equal(wire_error_name(WIRE_OK), "OK");
	assert_string_equal(wire_error_name(WIRE_PEER_CLOSED), "PEER_CLOSED");
	for (int i = 0; i < WIRE_ERRORS; i++) {
		assert_true(strlen(wire_error_name((enum wire_error)i)) > 0);
		assert_true(strlen(wire_error_text((enum wire_error)i)) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_urls_are_taken_apart),
	    cmocka_unit_test(bad_urls_are_refused),
	    cmocka_unit_test(a_host_of_any_length_is_safe),
	    cmocka_unit_test(a_buffer_keeps_its_content),
	    cmocka_unit_test(a_buffer_refuses_what_cannot_be),
	    cmocka_unit_test(a_buffer_shrinks_around_its_content),
	    cmocka_unit_test(errors_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
