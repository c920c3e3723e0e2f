/* Probes of the real service, from its start without a Redis to its end; and its metrics, read by promtool. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/http.h"
#include "support/latchkeyd.h"
#include "support/redis_server.h"
#include "support/sessions.h"
#include "support/wait.h"

static bool readyz_says(const struct latchkeyd *d, int status, const char *part)
{
	struct http_reply r;
	bool says;

	http_ask(d->admin_url, "GET", "/readyz", &r);
	says = r.status == status && strstr(r.body, part) != NULL;
	http_reply_free(&r);
	return says;
}

static void test_from_start_to_end(void **state)
{
	struct redis_server redis;
	struct latchkeyd d;

	(void)state;
	redis_server_init(&redis, NULL);
	latchkeyd_init(&d, &(struct latchkeyd_options){
			       .redis_url = redis.url, .has_admin = true, .env = {"LATCHKEY_DRAIN_DELAY_MS=60000"}});
	latchkeyd_start(&d);
	assert_int_equal(http_status(d.admin_url, "/livez"), 200);
	assert_true(readyz_says(&d, 503, "{\"check\":\"store\",\"result\":\"fail\""));
	assert_true(readyz_says(&d, 503, "{\"check\":\"listening\",\"result\":\"pass\""));
	redis_server_start(&redis);
	assert_becomes(readyz_says(&d, 200, "{\"ready\":true,\"degraded\":false}"), BOUND_MS);
	redis_server_kill(&redis);
	assert_becomes(readyz_says(&d, 200, "{\"ready\":true,\"degraded\":true}"), BOUND_MS);
	assert_int_equal(http_status(d.admin_url, "/livez"), 200);
	redis_server_start(&redis);
	assert_becomes(readyz_says(&d, 200, "{\"ready\":true,\"degraded\":false}"), BOUND_MS);
	process_signal(&d.process, SIGTERM);
	assert_becomes(readyz_says(&d, 503, "{\"check\":\"draining\",\"result\":\"fail\""), BOUND_MS);
	assert_int_equal(http_status(d.admin_url, "/livez"), 200);
	assert_int_equal(http_status(d.admin_url, "/metrics"), 200);
	latchkeyd_remove(&d);
	redis_server_remove(&redis);
}

/* Waiting for a Redis that is away takes the start a while; who asks meanwhile is told that it is not ready. */
static void test_a_frozen_redis(void **state)
{
	struct redis_server redis;
	struct latchkeyd d;

	(void)state;
	redis_server_init(&redis, NULL);
	redis_server_start(&redis);
	latchkeyd_init(&d, &(struct latchkeyd_options){.redis_url = redis.url, .has_admin = true});
	latchkeyd_start_serving(&d);
	redis_server_freeze(&redis);
	/* Answered at once, however long Redis takes. */
	assert_int_equal(http_status(d.admin_url, "/livez"), 200);
	assert_becomes(readyz_says(&d, 200, "{\"ready\":true,\"degraded\":true}"), BOUND_MS);
	redis_server_thaw(&redis);
	assert_becomes(readyz_says(&d, 200, "{\"ready\":true,\"degraded\":false}"), BOUND_MS);
	latchkeyd_end(&d);
	redis_server_remove(&redis);
}

static void test_promtool_takes_it(void **state)
{
	const char *const argv[] = {"promtool", "check", "metrics", NULL};
	char token[TOKEN_BYTES];
	struct http_reply page;
	struct run_result r;
	struct latchkeyd d;
	struct raw caller;

	(void)state;
	if (system("command -v promtool >/dev/null") != 0) {
		print_message("skipped: no promtool here (apt-get install prometheus)\n");
		skip();
	}
	latchkeyd_init(&d, &(struct latchkeyd_options){.has_admin = true});
	latchkeyd_start_serving(&d);
	raw_connect(&caller, d.url);
	session_create(&caller, &(struct session_wish){.user = "alice"}, token);
	http_ask(d.admin_url, "GET", "/metrics", &page);
	assert_null(strstr(page.body, "alice"));
	run_capture(argv, NULL, page.body, BOUND_MS, &r);
	if (r.status != 0 || r.out_len > 0 || r.err_len > 0)
		fail_msg("promtool: %d\n%s%s", r.status, r.out, r.err);
	run_result_free(&r);
	http_reply_free(&page);
	raw_close(&caller);
	latchkeyd_end(&d);
}

static void test_an_address_in_use(void **state)
{
	char listen[128];
	char state_dir[TMPDIR_FILE_BYTES + 32];
	const char *const args[] = {NULL};
	const char *const env[] = {"LATCHKEY_LISTEN=tcp://127.0.0.1:0", state_dir, listen,
				   "LATCHKEY_REDIS_URL=redis://127.0.0.1:1", NULL};
	struct latchkeyd d;
	struct tmpdir other;
	struct run_result r;

	(void)state;
	latchkeyd_init(&d, &(struct latchkeyd_options){.has_admin = true});
	latchkeyd_start(&d);
	tmpdir_make(&other);
	snprintf(listen, sizeof(listen), "LATCHKEY_ADMIN_LISTEN=%s", d.admin_url);
	snprintf(state_dir, sizeof(state_dir), "LATCHKEY_STATE_DIR=%s", other.path);
	latchkeyd_run(args, env, &r);
	assert_int_equal(r.status, 1);
	assert_non_null(strstr(r.err, d.admin_url));
	assert_non_null(strstr(r.err, "admin.listen"));
	run_result_free(&r);
	tmpdir_remove(&other);
	latchkeyd_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_from_start_to_end),
	    cmocka_unit_test(test_a_frozen_redis),
	    cmocka_unit_test(test_promtool_takes_it),
	    cmocka_unit_test(test_an_address_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
