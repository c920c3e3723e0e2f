/* What is said when something is configured wrongly: each message names what to change. */

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "call.h"
#include "support/redis_sentinels.h"
#include "support/wait.h"
#include "wire/tls.h"

struct scene {
	struct tmpdir dir;
	struct certificates certificates;
	struct redis_server server;
	struct events events;
	struct redis_options options;
	wire_tls *tls;
	char url[128];
	redis *redis;
};

static void start_server(struct scene *s, const struct redis_server_options *options)
{
	*s = (struct scene){.events = EVENTS_INIT};
	tmpdir_make(&s->dir);
	certificates_make(&s->certificates, &s->dir);
	redis_server_init(&s->server, options);
	redis_server_start(&s->server);
}

static void open_at(struct scene *s, const char *format, unsigned port)
{
	(void)snprintf(s->url, sizeof(s->url), format, port);
	s->options = options_for(s->url, &s->events);
	s->options.connect_timeout_ms = 1000;
	s->options.tls = s->tls;
	s->redis = open_redis(&s->options);
}

static void end_scene(struct scene *s)
{
	redis_close(&s->redis);
	redis_server_remove(&s->server);
	wire_tls_release(&s->tls);
	tmpdir_remove(&s->dir);
}

static void use_tls(struct scene *s, const char *ca, const char *server_name)
{
	const struct wire_tls_options options = {.ca_file = ca, .server_name = server_name};

	assert_int_equal(wire_tls_new(&options, &s->tls), WIRE_OK);
}

static void expect_remedy(struct scene *s, const char *const *parts, size_t count)
{
	assert_becomes(events_have(&s->events, "redis_connect_failed"), BOUND_MS);
	for (size_t i = 0; i < count; i++) {
		if (!WAIT_FOR(events_have(&s->events, parts[i]), 3000))
			fail_msg("\"%s\" is not in: %s", parts[i], s->events.texts);
	}
	assert_false(is_ready(s->redis));
}

#define EXPECT_REMEDY(s, ...)                                                                                          \
	expect_remedy(s, (const char *const[]){__VA_ARGS__},                                                           \
		      sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* What is made of it depends on the TLS library's version; the remedy does not. */
static void plain_on_a_tls_port(void **state)
{
	static struct scene s;
	struct redis_server_options options = {.tls = &s.certificates};

	(void)state;
	start_server(&s, NULL);
	redis_server_remove(&s.server);
	redis_server_init(&s.server, &options);
	redis_server_start(&s.server);
	open_at(&s, "redis://127.0.0.1:%u", s.server.tls_port);
	EXPECT_REMEDY(&s, "redis.url must begin with rediss");
	end_scene(&s);
}

static void tls_on_a_plain_port(void **state)
{
	static struct scene s;

	(void)state;
	start_server(&s, NULL);
	use_tls(&s, s.certificates.ca, CERTIFICATE_NAME);
	open_at(&s, "rediss://127.0.0.1:%u", s.server.port);
	EXPECT_REMEDY(&s, "begin with redis, not rediss");
	end_scene(&s);
}

static void tls_with_the_wrong_authority(void **state)
{
	static struct scene s;
	static struct certificates others;
	struct redis_server_options options = {.tls = &s.certificates};
	struct tmpdir other;

	(void)state;
	start_server(&s, NULL);
	redis_server_remove(&s.server);
	redis_server_init(&s.server, &options);
	redis_server_start(&s.server);
	tmpdir_make(&other);
	certificates_make(&others, &other);
	use_tls(&s, others.ca, CERTIFICATE_NAME);
	open_at(&s, "rediss://127.0.0.1:%u", s.server.tls_port);
	EXPECT_REMEDY(&s, "redis.tls_ca", "redis.tls_server_name", "redis.tls_cert");
	end_scene(&s);
	tmpdir_remove(&other);
}

static void tls_without_the_certificate_demanded(void **state)
{
	static struct scene s;
	struct redis_server_options options = {.tls = &s.certificates, .is_mutual = true};

	(void)state;
	start_server(&s, NULL);
	redis_server_remove(&s.server);
	redis_server_init(&s.server, &options);
	redis_server_start(&s.server);
	use_tls(&s, s.certificates.ca, CERTIFICATE_NAME);
	open_at(&s, "rediss://127.0.0.1:%u", s.server.tls_port);
	EXPECT_REMEDY(&s, "redis.tls_cert");
	end_scene(&s);
}

static void a_password_is_missing(void **state)
{
	static struct scene s;
	struct redis_server_options options = {.password = "s3cret"};

	(void)state;
	start_server(&s, &options);
	open_at(&s, "redis://127.0.0.1:%u", s.server.port);
	EXPECT_REMEDY(&s, "NOAUTH", "set redis.user and redis.password_file");
	end_scene(&s);
}

/* The last error is what the primary is down for. */
static void a_primary_that_is_down_says_why(void **state)
{
	static struct scene s;
	struct store_node nodes[2];

	(void)state;
	start_server(&s, NULL);
	redis_server_kill(&s.server);
	open_at(&s, "redis://127.0.0.1:%u", s.server.port);
	assert_becomes(events_have(&s.events, "redis_primary_down"), BOUND_MS);
	assert_false(events_have(&s.events, "no connection"));
	assert_true(events_have(&s.events, "error=connection refused"));
	assert_int_equal(store_nodes(redis_store(s.redis), nodes, 2), 1);
	assert_string_equal(nodes[0].error, "connection refused");
	end_scene(&s);
}

static void a_cluster_url_names_a_lone_server(void **state)
{
	static struct scene s;
	struct store_node nodes[2];

	(void)state;
	start_server(&s, NULL);
	open_at(&s, "redis+cluster://127.0.0.1:%u", s.server.port);
	assert_becomes(events_have(&s.events, "it is in no cluster"), BOUND_MS);
	assert_int_equal(store_nodes(redis_store(s.redis), nodes, 2), 1);
	assert_string_equal(nodes[0].error, "it is in no cluster: redis.url must be redis://host");
	end_scene(&s);
}

/* Who ends loses nothing: nobody is to be woken by it. */
static void an_end_is_no_loss(void **state)
{
	static struct scene s;

	(void)state;
	start_server(&s, NULL);
	open_at(&s, "redis://127.0.0.1:%u", s.server.port);
	assert_true(redis_wait_ready(s.redis, BOUND_MS));
	redis_close(&s.redis);
	assert_false(events_have(&s.events, "redis_primary_lost"));
	end_scene(&s);
}

static void an_acl_hides_the_role(void **state)
{
	static struct scene s;

	(void)state;
	start_server(&s, NULL);
	freeReplyObject(redis_server_command(&s.server, "ACL SETUSER default -info"));
	open_at(&s, "redis://127.0.0.1:%u", s.server.port);
	assert_becomes(events_have(&s.events, "redis_role_untold"), BOUND_MS);
	assert_true(events_have(&s.events, "give redis.user +info"));
	/* Alone it is taken for what the URL says. */
	assert_true(redis_wait_ready(s.redis, BOUND_MS));
	end_scene(&s);
}

static void a_sentinel_url_names_a_server(void **state)
{
	static struct scene s;

	(void)state;
	start_server(&s, NULL);
	open_at(&s, "redis+sentinel://127.0.0.1:%u/mymaster", s.server.port);
	assert_becomes(events_have(&s.events, "it is a Redis server, not a Sentinel"), BOUND_MS);
	end_scene(&s);
}

static void a_server_url_names_a_sentinel(void **state)
{
	static const char *const urls[] = {"redis://127.0.0.1:%u", "redis+cluster://127.0.0.1:%u"};
	static struct redis_sentinels set;

	(void)state;
	redis_sentinels_open(&set, &(struct redis_sentinels_options){.replicas = 1, .sentinels = 1});
	for (size_t i = 0; i < 2; i++) {
		static struct scene s;

		start_server(&s, NULL);
		open_at(&s, urls[i], set.sentinels[0].port);
		if (!WAIT_FOR(events_have(&s.events, "it is a Sentinel"), BOUND_MS))
			fail_msg("%s: %s", urls[i], s.events.texts);
		assert_false(is_ready(s.redis));
		end_scene(&s);
	}
	redis_sentinels_close(&set);
}

/* With Sentinels nobody is a primary who does not say so himself. */
static void an_acl_hides_every_role_from_sentinel_mode(void **state)
{
	static struct redis_sentinels set;
	static struct events events;
	struct redis_options options;
	redis *r;

	(void)state;
	events = (struct events)EVENTS_INIT;
	redis_sentinels_open(&set, &(struct redis_sentinels_options){.replicas = 1, .sentinels = 1});
	freeReplyObject(redis_server_command(&set.nodes[0], "ACL SETUSER blind on nopass ~* &* +@all -info"));
	options = options_for(set.url, &events);
	options.user = "blind";
	options.password = "any";
	r = open_redis(&options);
	assert_becomes(events_have(&events, "redis_role_untold"), BOUND_MS);
	assert_false(is_ready(r));
	redis_close(&r);
	redis_sentinels_close(&set);
}

static long long connections_made(redisContext *observer)
{
	return redis_info_number(observer, "stats", "total_connections_received");
}

/* Nobody lets us in: after the n-th failure the pause is at least half of what redis/backoff.h says,
 * whatever the machine is busy with. */
enum { ATTEMPTS = 8, PAUSES_MS = 25 + 50 + 100 + 200 + 400 + 800 + 1000 };

static void a_seed_that_hangs_up_is_left_alone(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const uint64_t began_ms = clock_mono_ms();
	static struct scene s;

	(void)state;
	s = (struct scene){.events = EVENTS_INIT};
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, ATTEMPTS), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	open_at(&s, "redis+cluster://127.0.0.1:%u", ntohs(address.sin_port));
	for (int i = 0; i < ATTEMPTS; i++) {
		struct pollfd polled = {.fd = listener, .events = POLLIN};

		assert_int_equal(poll(&polled, 1, BOUND_MS), 1);
		assert_int_equal(close(accept4(listener, NULL, NULL, SOCK_CLOEXEC)), 0);
	}
	assert_true(clock_mono_ms() - began_ms >= PAUSES_MS);
	redis_close(&s.redis);
	assert_int_equal(close(listener), 0);
}

/* It owns slots, and commands wait for it: yet no haste makes a password right. */
static void a_primary_that_locks_us_out_is_left_alone(void **state)
{
	static struct scene s;
	redisContext *observer;
	uint64_t began_ms;
	long long before;

	(void)state;
	start_server(&s, NULL);
	observer = redis_server_connect(&s.server);
	s.options = options_for_failover(s.server.url, &s.events);
	s.redis = open_ready(&s.options);
	freeReplyObject(redisCommand(observer, "CONFIG SET requirepass s3cret"));
	before = connections_made(observer);
	began_ms = clock_mono_ms();
	freeReplyObject(redisCommand(observer, "CLIENT KILL TYPE normal"));
	assert_becomes(connections_made(observer) >= before + ATTEMPTS, BOUND_MS);
	assert_true(clock_mono_ms() - began_ms >= PAUSES_MS);
	assert_true(events_have(&s.events, "redis_primary_lost"));
	freeReplyObject(redisCommand(observer, "CONFIG SET requirepass %s", ""));
	assert_true(redis_wait_ready(s.redis, BOUND_MS));
	redisFree(observer);
	end_scene(&s);
}

static void a_seed_that_refuses_is_left_alone(void **state)
{
	static struct scene s;
	struct redis_server_options options = {.password = "s3cret"};
	redisContext *observer;
	uint64_t began_ms;
	long long before;

	(void)state;
	start_server(&s, &options);
	observer = redis_server_connect(&s.server);
	before = connections_made(observer);
	began_ms = clock_mono_ms();
	open_at(&s, "redis+cluster://:wrong@127.0.0.1:%u", s.server.port);
	assert_becomes(connections_made(observer) >= before + ATTEMPTS, BOUND_MS);
	assert_true(clock_mono_ms() - began_ms >= PAUSES_MS);
	assert_true(events_have(&s.events, "check redis.user and redis.password_file"));
	redisFree(observer);
	end_scene(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_on_a_tls_port),
	    cmocka_unit_test(tls_on_a_plain_port),
	    cmocka_unit_test(tls_with_the_wrong_authority),
	    cmocka_unit_test(tls_without_the_certificate_demanded),
	    cmocka_unit_test(a_password_is_missing),
	    cmocka_unit_test(a_primary_that_is_down_says_why),
	    cmocka_unit_test(a_cluster_url_names_a_lone_server),
	    cmocka_unit_test(an_end_is_no_loss),
	    cmocka_unit_test(an_acl_hides_the_role),
	    cmocka_unit_test(a_sentinel_url_names_a_server),
	    cmocka_unit_test(a_server_url_names_a_sentinel),
	    cmocka_unit_test(an_acl_hides_every_role_from_sentinel_mode),
	    cmocka_unit_test(a_seed_that_refuses_is_left_alone),
	    cmocka_unit_test(a_seed_that_hangs_up_is_left_alone),
	    cmocka_unit_test(a_primary_that_locks_us_out_is_left_alone),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
