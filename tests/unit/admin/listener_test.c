/* The HTTP listener, with peers that behave well and badly. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/metrics.h"
#include "stand_in.h"
#include "support/http.h"
#include "support/wait.h"

#define CONNECTIONS_MAX 4
/* Short enough for a test that waits for it, long enough for those that do not mean to. */
#define TIMEOUT_MS 1000

static struct stand_in service;
static admin *a;

static int open_admin(void **state)
{
	const struct admin_options options = {.url = "http://127.0.0.1:0",
					      .connections_max = CONNECTIONS_MAX,
					      .timeout_ms = TIMEOUT_MS,
					      .source = stand_in_source(&service)};
	struct status st;

	(void)state;
	service = stand_in_well;
	assert_int_equal(admin_open(&options, &a, &st), STATUS_OK);
	return 0;
}

static int close_admin(void **state)
{
	(void)state;
	admin_close(&a);
	assert_null(a);
	admin_close(&a);
	return 0;
}

static void assert_answer(const char *method, const char *path, int status, const char *part)
{
	struct http_reply r;

	http_ask(admin_url(a), method, path, &r);
	assert_int_equal(r.status, status);
	if (strstr(r.text, part) == NULL)
		fail_msg("%s %s: no \"%s\" in: %s", method, path, part, r.text);
	assert_non_null(strstr(r.text, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(r.text, "\r\nCache-Control: no-store\r\n"));
	http_reply_free(&r);
}

static void test_pages(void **state)
{
	(void)state;
	assert_answer("GET", "/", 200, "/metrics");
	assert_answer("GET", "/livez", 200, "ok\n");
	assert_answer("GET", "/livez?verbose=1", 200, "ok\n");
	assert_answer("GET", "/readyz", 200, "\r\nContent-Type: application/x-ndjson\r\n");
	assert_answer("GET", "/metrics", 200, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	assert_answer("GET", "/metrics", 200, "# TYPE latchkey_calls_total counter\nlatchkey_calls_total 0\n");
	service.view.is_draining = true;
	assert_answer("GET", "/readyz", 503, "{\"ready\":false,");
	assert_answer("GET", "/livez", 200, "ok\n");
}

static void test_what_is_not_there(void **state)
{
	(void)state;
	assert_answer("GET", "/nothing", 404, "/ lists");
	assert_answer("GET", "/metrics/", 404, "/ lists");
	assert_answer("GET", "/../etc/passwd", 404, "/ lists");
	assert_answer("POST", "/nothing", 404, "/ lists");
	assert_answer("POST", "/metrics", 405, "\r\nAllow: GET, HEAD\r\n");
	assert_answer("DELETE", "/", 405, "\r\nAllow: GET, HEAD\r\n");
	assert_answer("BREW", "/", 405, "\r\nAllow: GET, HEAD\r\n");
}

static void test_head(void **state)
{
	struct http_reply r;

	(void)state;
	http_ask(admin_url(a), "HEAD", "/metrics", &r);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body_len, 0);
	http_reply_free(&r);
}

static void test_a_body_is_not_read(void **state)
{
	static const char head[] = "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
	struct http_reply r;
	const int fd = http_connect(admin_url(a));

	(void)state;
	assert_true(http_send(fd, head, sizeof(head) - 1));
	assert_true(http_receive(fd, BOUND_MS, &r));
	assert_int_equal(r.status, 405);
	http_reply_free(&r);
}

/* Longer than what is kept of a request: refused or cut off, and the next one is served. */
static void test_a_long_head(void **state)
{
	static char filler[256 * 1024];
	struct http_reply r;
	int fd;

	(void)state;
	memset(filler, 'x', sizeof(filler));
	fd = http_connect(admin_url(a));
	if (http_send(fd, "GET /", 5))
		(void)http_send(fd, filler, sizeof(filler));
	assert_true(http_receive(fd, BOUND_MS, &r));
	assert_int_not_equal(r.status, 200);
	http_reply_free(&r);
	fd = http_connect(admin_url(a));
	if (http_send(fd, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 28))
		(void)http_send(fd, filler, sizeof(filler));
	assert_true(http_receive(fd, BOUND_MS, &r));
	assert_int_not_equal(r.status, 200);
	http_reply_free(&r);
	assert_answer("GET", "/livez", 200, "ok\n");
}

static void test_garbage(void **state)
{
	static const char *const garbage[] = {"\r\n\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
					      "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n"};
	struct http_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		const int fd = http_connect(admin_url(a));

		assert_true(http_send(fd, garbage[i], strlen(garbage[i])));
		assert_true(http_receive(fd, BOUND_MS, &r));
		assert_int_not_equal(r.status, 200);
		http_reply_free(&r);
	}
	assert_answer("GET", "/livez", 200, "ok\n");
}

/* A byte from time to time begins no new time. */
static void test_a_slow_peer_is_cut_off(void **state)
{
	const uint64_t cut_off = metric_get(METRIC_ADMIN_CUT_OFF);
	const int fd = http_connect(admin_url(a));
	struct http_reply r;

	(void)state;
	assert_true(http_send(fd, "GET / HTTP/1.1\r\nX: ", 19));
	assert_becomes(!http_send(fd, "x", 1) || metric_get(METRIC_ADMIN_CUT_OFF) > cut_off, BOUND_MS);
	assert_true(http_receive(fd, BOUND_MS, &r));
	http_reply_free(&r);
	assert_becomes(metric_get(METRIC_ADMIN_CUT_OFF) == cut_off + 1, BOUND_MS);
}

/* Silent peers, more than there may be connections; whoever asks is served all the same, when their time is over. */
static void test_peers_that_sit_on_it(void **state)
{
	int silent[3 * CONNECTIONS_MAX];
	struct http_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		silent[i] = http_connect(admin_url(a));
	assert_becomes(({
			       const int fd = http_connect(admin_url(a));
			       bool is_served = false;

			       if (fd >= 0 && http_send(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 32) &&
				   http_receive(fd, BOUND_MS, &r)) {
				       is_served = r.status == 200;
				       http_reply_free(&r);
			       }
			       is_served;
		       }),
		       BOUND_MS);
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		if (silent[i] >= 0)
			close(silent[i]);
}

static void test_close_with_peers(void **state)
{
	const int fd = http_connect(admin_url(a));

	assert_true(fd >= 0);
	assert_int_equal(close_admin(state), 0);
	close(fd);
	assert_int_equal(open_admin(state), 0);
}

static void test_bad_addresses(void **state)
{
	static const char *const bad[] = {
	    "tcp://127.0.0.1:1",       "http://",    "http://127.0.0.1", "http://127.0.0.1:x",
	    "http://127.0.0.1:123456", "http://:80", "http://[]:80"};
	struct admin_options options = {
	    .connections_max = CONNECTIONS_MAX, .timeout_ms = TIMEOUT_MS, .source = stand_in_source(&service)};
	admin *none = NULL;
	struct status st;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.url = bad[i];
		assert_int_equal(admin_open(&options, &none, &st), STATUS_INVALID_ARGUMENT);
		assert_non_null(strstr(st.text, bad[i]));
	}
	options.url = admin_url(a);
	assert_int_equal(admin_open(&options, &none, &st), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.text, "Address already in use"));
	assert_non_null(strstr(st.text, "admin.listen"));
	assert_null(none);
}

static void test_ipv6(void **state)
{
	const struct admin_options options = {.url = "http://[::1]:0",
					      .connections_max = CONNECTIONS_MAX,
					      .timeout_ms = TIMEOUT_MS,
					      .source = stand_in_source(&service)};
	admin *six = NULL;
	struct status st;

	(void)state;
	if (admin_open(&options, &six, &st) != STATUS_OK) {
		print_message("no IPv6 here: %s\n", st.text);
		skip();
	}
	assert_int_equal(strncmp(admin_url(six), "http://[::1]:", 13), 0);
	admin_close(&six);
}

/* By IPv4, too, where there is IPv6. */
static void test_all_addresses(void **state)
{
	const struct admin_options options = {.url = "http://*:0",
					      .connections_max = CONNECTIONS_MAX,
					      .timeout_ms = TIMEOUT_MS,
					      .source = stand_in_source(&service)};
	admin *all = NULL;
	struct status st;

	(void)state;
	assert_int_equal(admin_open(&options, &all, &st), STATUS_OK);
	assert_int_equal(http_status(admin_url(all), "/livez"), 200);
	admin_close(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_pages, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_what_is_not_there, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_head, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_a_body_is_not_read, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_a_long_head, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_garbage, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_a_slow_peer_is_cut_off, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_peers_that_sit_on_it, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_close_with_peers, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_bad_addresses, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_ipv6, open_admin, close_admin),
	    cmocka_unit_test_setup_teardown(test_all_addresses, open_admin, close_admin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
