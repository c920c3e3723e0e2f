/* What callers see without asking the store for a session: refusals, Health, Server, limits of frames and connections. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "rpc/methods.h"
#include "support/check.h"
#include "support/fixture.h"

static int start(void **state)
{
	const struct rpc_options options = fixture_options();

	*state = fixture_start(&options);
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	fixture_stop(&f);
	return 0;
}

/* ---- Health ---- */

static Latchkey__V1__ServingStatus health_of(struct fixture *f, const char *method, const char *service)
{
	Latchkey__V1__HealthCheckRequest request = LATCHKEY__V1__HEALTH_CHECK_REQUEST__INIT;
	Latchkey__V1__HealthCheckResponse *response;
	Latchkey__V1__ServingStatus status;
	Latchkey__V1__ReplyFrame *frame;

	request.has_service = true;
	request.service = text(service);
	assert_int_equal(ask_one(f, method, &request.base, &frame), LATCHKEY__V1__CODE__OK);
	response = body_of(frame->replies[0], &latchkey__v1__health_check_response__descriptor);
	status = response->status;
	body_free(response);
	reply_free(&frame);
	return status;
}

static void set_ready(struct fixture *f, bool is_ready)
{
	(void)pthread_mutex_lock(&f->script.lock);
	f->script.is_ready = is_ready;
	(void)pthread_mutex_unlock(&f->script.lock);
}

static void test_health(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__HealthCheckRequest request = LATCHKEY__V1__HEALTH_CHECK_REQUEST__INIT;

	assert_int_equal(health_of(f, HEALTH, ""), LATCHKEY__V1__SERVING_STATUS__SERVING);
	assert_int_equal(health_of(f, "/grpc.health.v1.Health/Check", ""), LATCHKEY__V1__SERVING_STATUS__SERVING);
	set_ready(f, false);
	assert_int_equal(health_of(f, HEALTH, ""), LATCHKEY__V1__SERVING_STATUS__NOT_SERVING);
	assert_int_equal(health_of(f, HEALTH, "latchkey.v1.Sessions"), LATCHKEY__V1__SERVING_STATUS__NOT_SERVING);
	assert_int_equal(health_of(f, HEALTH, "latchkey.v1.Server"), LATCHKEY__V1__SERVING_STATUS__SERVING);
	set_ready(f, true);
	assert_int_equal(health_of(f, HEALTH, "latchkey.v1.Sessions"), LATCHKEY__V1__SERVING_STATUS__SERVING);
	rpc_server_set_draining(f->server);
	assert_int_equal(health_of(f, HEALTH, ""), LATCHKEY__V1__SERVING_STATUS__NOT_SERVING);
	assert_int_equal(health_of(f, HEALTH, "latchkey.v1.Server"), LATCHKEY__V1__SERVING_STATUS__NOT_SERVING);
	request.has_service = true;
	request.service = text("no.such.Service");
	assert_int_equal(code_of(f, HEALTH, &request.base), LATCHKEY__V1__CODE__NOT_FOUND);
}

/* ---- Server ---- */

static void test_info(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__ServerInfoResponse *info;
	Latchkey__V1__ReplyFrame *frame;

	assert_int_equal(ask_one(f, "/latchkey.v1.Server/Info", NULL, &frame), LATCHKEY__V1__CODE__OK);
	info = body_of(frame->replies[0], &latchkey__v1__server_info_response__descriptor);
	assert_int_equal(info->protocol, RPC_PROTOCOL);
	assert_int_equal(info->instance.len, 16);
	assert_true(info->started_at_ms > 1600000000000);
	assert_memory_equal(info->version.data, LK_VERSION, info->version.len);
	assert_memory_equal(info->store_mode.data, "standalone", info->store_mode.len);
	assert_memory_equal(info->store_version.data, "7.0.15", info->store_version.len);
	assert_true(info->store_ready && !info->draining);
	assert_int_equal(info->n_realms, 1);
	assert_memory_equal(info->realms[0].data, "default", 7);
	body_free(info);
	reply_free(&frame);
}

static void test_policy(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__ServerPolicyRequest request = LATCHKEY__V1__SERVER_POLICY_REQUEST__INIT;
	Latchkey__V1__ServerPolicyResponse *policy;
	Latchkey__V1__ReplyFrame *frame;

	request.has_session_class = true;
	request.session_class = text("remember-me");
	assert_int_equal(ask_one(f, "/latchkey.v1.Server/Policy", &request.base, &frame), LATCHKEY__V1__CODE__OK);
	policy = body_of(frame->replies[0], &latchkey__v1__server_policy_response__descriptor);
	assert_int_equal(policy->idle_timeout_s, 900);
	assert_int_equal(policy->absolute_timeout_s, 3600);
	assert_int_equal(policy->sessions_max, 10);
	assert_int_equal(policy->at_cap, LATCHKEY__V1__AT_CAP__REFUSE);
	assert_int_equal(policy->tombstone_s, 600);
	assert_true(policy->has_touch_interval_s && policy->touch_interval_s == 0);
	assert_int_equal(policy->grace_s, 20);
	assert_int_equal(policy->privileged_s, 300);
	assert_true(policy->has_events && !policy->events);
	assert_memory_equal(policy->realm.data, "default", 7);
	body_free(policy);
	reply_free(&frame);
	request.session_class = text("nope");
	assert_int_equal(code_of(f, "/latchkey.v1.Server/Policy", &request.base), LATCHKEY__V1__CODE__NOT_FOUND);
}

static void test_stats(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__ServerStatsResponse *stats;
	Latchkey__V1__ReplyFrame *frame;

	assert_int_equal(ask_one(f, "/latchkey.v1.Server/Stats", NULL, &frame), LATCHKEY__V1__CODE__OK);
	stats = body_of(frame->replies[0], &latchkey__v1__server_stats_response__descriptor);
	assert_int_equal(stats->n_counters, METRICS);
	assert_memory_equal(stats->counters[METRIC_CALLS]->name.data, "latchkey_calls_total", 20);
	assert_true(stats->counters[METRIC_CALLS]->value >= 1);
	body_free(stats);
	reply_free(&frame);
}

#define REDIS "/latchkey.v1.Server/Redis"

static Latchkey__V1__ServerRedisResponse *ask_redis(struct fixture *f, const struct store_node *nodes, size_t count)
{
	Latchkey__V1__ServerRedisResponse *redis;
	Latchkey__V1__ReplyFrame *frame;

	f->script.nodes = nodes;
	f->script.node_count = count;
	assert_int_equal(ask_one(f, REDIS, NULL, &frame), LATCHKEY__V1__CODE__OK);
	redis = body_of(frame->replies[0], &latchkey__v1__server_redis_response__descriptor);
	reply_free(&frame);
	return redis;
}

static void expect_text(ProtobufCBinaryData found, const char *wanted)
{
	assert_int_equal(found.len, strlen(wanted));
	assert_memory_equal(found.data, wanted, found.len);
}

static void expect_sum(const Latchkey__V1__ServerRedisResponse *redis, uint32_t primaries, uint32_t serving,
		       uint32_t slots_served)
{
	assert_int_equal(redis->primaries, primaries);
	assert_int_equal(redis->primaries_serving, serving);
	assert_int_equal(redis->slots, 16384);
	assert_int_equal(redis->slots_served, slots_served);
}

static void test_redis_tells_all_of_a_node(void **state)
{
	static const struct store_node nodes[] = {
	    {.address = "10.0.0.1:6379",
	     .role = "primary",
	     .state = "serving",
	     .breaker = "half-open",
	     .version = "7.0.15",
	     .slots = 16384,
	     .connections_ready = 1,
	     .connections = 2,
	     .in_flight = 3,
	     .commands = 4,
	     .errors = 5,
	     .timeouts = 6,
	     .breaker_opened = 7,
	     .reconnects = 8},
	    {.address = "10.0.0.2:6379", .role = "replica", .state = "idle", .has_lag = true, .lag_ms = 0},
	};
	Latchkey__V1__ServerRedisResponse *redis = ask_redis(*state, nodes, 2);
	const Latchkey__V1__RedisNode *node;

	expect_text(redis->mode, "standalone");
	assert_true(redis->ready);
	expect_sum(redis, 1, 1, 16384);
	assert_int_equal(redis->nodes_known, 2);
	assert_int_equal(redis->n_nodes, 2);
	node = redis->nodes[0];
	expect_text(node->address, "10.0.0.1:6379");
	expect_text(node->role, "primary");
	expect_text(node->state, "serving");
	expect_text(node->breaker, "half-open");
	expect_text(node->version, "7.0.15");
	assert_int_equal(node->slots, 16384);
	assert_int_equal(node->connections_ready, 1);
	assert_int_equal(node->connections, 2);
	assert_int_equal(node->in_flight, 3);
	assert_int_equal(node->commands, 4);
	assert_int_equal(node->errors, 5);
	assert_int_equal(node->timeouts, 6);
	assert_int_equal(node->breaker_opened, 7);
	assert_int_equal(node->reconnects, 8);
	assert_false(node->has_lag_ms);
	/* No lag is not the same as none known. */
	assert_true(redis->nodes[1]->has_lag_ms);
	assert_int_equal(redis->nodes[1]->lag_ms, 0);
	body_free(redis);
}

static void test_redis_sums_up(void **state)
{
	struct store_node nodes[] = {
	    {.address = "a", .role = "primary", .state = "serving", .slots = 5000},
	    {.address = "b", .role = "primary", .state = "suspect", .slots = 5461},
	    {.address = "c", .role = "primary", .state = "serving", .slots = 5923},
	    {.address = "d", .role = "primary", .state = "idle"},
	    {.address = "e", .role = "replica", .state = "serving"},
	    {.address = "f", .role = "sentinel", .state = ""},
	};
	Latchkey__V1__ServerRedisResponse *redis = ask_redis(*state, nodes, 6);

	expect_sum(redis, 3, 2, 5000 + 5923);
	body_free(redis);
	(void)strcpy(nodes[1].state, "serving");
	redis = ask_redis(*state, nodes, 6);
	expect_sum(redis, 3, 3, 16384);
	body_free(redis);
	redis = ask_redis(*state, nodes, 0);
	expect_sum(redis, 0, 0, 0);
	assert_int_equal(redis->n_nodes, 0);
	body_free(redis);
}

/* More than are told of, each as long as it can be: the reply still fits. */
static void test_redis_is_bounded(void **state)
{
	enum { KNOWN = 333, TOLD = 300 };
	struct store_node *nodes = calloc(KNOWN, sizeof(*nodes));
	Latchkey__V1__ServerRedisResponse *redis;

	check(nodes != NULL);
	for (size_t i = 0; i < KNOWN; i++) {
		memset(nodes[i].address, 'a', sizeof(nodes[i].address) - 1);
		memset(nodes[i].version, '7', sizeof(nodes[i].version) - 1);
		(void)strcpy(nodes[i].role, "replica");
		nodes[i].commands = UINT64_MAX - i;
	}
	redis = ask_redis(*state, nodes, KNOWN);
	assert_int_equal(redis->nodes_known, KNOWN);
	assert_int_equal(redis->n_nodes, TOLD);
	for (size_t i = 0; i < TOLD; i++) {
		assert_int_equal(redis->nodes[i]->commands, UINT64_MAX - i);
		assert_int_equal(redis->nodes[i]->address.len, sizeof(nodes[i].address) - 1);
	}
	body_free(redis);
	free(nodes);
}

static void test_methods(void **state)
{
	struct fixture *f = *state;
	Latchkey__V1__ServerMethodsResponse *methods;
	Latchkey__V1__ReplyFrame *frame;

	assert_int_equal(ask_one(f, "/latchkey.v1.Server/Methods", NULL, &frame), LATCHKEY__V1__CODE__OK);
	methods = body_of(frame->replies[0], &latchkey__v1__server_methods_response__descriptor);
	assert_int_equal(methods->n_methods, method_count());
	for (size_t i = 0; i < methods->n_methods; i++) {
		const ProtobufCBinaryData path = methods->methods[i]->path;

		assert_true(span_eq(span_of(path.data, path.len), method_at(i)->path));
		assert_int_equal(methods->methods[i]->served, method_at(i)->plan != NULL);
	}
	body_free(methods);
	reply_free(&frame);
}

/* ---- Calls refused one by one ---- */

static void expect(const Latchkey__V1__Reply *reply, Latchkey__V1__Code code, const char *part)
{
	assert_int_equal(reply->code, code);
	if (!message_has(reply->message, part))
		fail_msg("\"%.*s\" does not say \"%s\"", (int)reply->message.len, (const char *)reply->message.data,
			 part);
	assert_false(reply->has_body);
}

/* Each call of a frame stands for itself: good ones are carried out beside bad ones. */
static void test_refused_calls(void **state)
{
	struct fixture *f = *state;
	char long_method[FRAME_METHOD_BYTES_MAX + 2];
	char long_key[66];
	Latchkey__V1__GetSessionRequest elsewhere = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;
	Latchkey__V1__CreateSessionRequest anonymous = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	const struct sent_call calls[] = {
	    {.method = "/latchkey.v1.Sessions/Fr\nob"},
	    {.method = "/latchkey.v1.Health/Watch"},
	    {.method = long_method},
	    {.method = HEALTH, .idempotency_key = long_key},
	    {.method = HEALTH, .idempotency_key = ""},
	    {.method = GET, .body = &elsewhere.base},
	    {.method = CREATE, .body = &anonymous.base},
	    {.method = GET_MANY},
	    {.method = HEALTH},
	};
	Latchkey__V1__ReplyFrame *frame;

	memset(long_method, 'm', sizeof(long_method));
	long_method[sizeof(long_method) - 1] = '\0';
	memset(long_key, 'k', sizeof(long_key));
	long_key[sizeof(long_key) - 1] = '\0';
	elsewhere.has_realm = true;
	elsewhere.realm = text("no\x01where");
	anonymous.has_anonymous = true;
	anonymous.anonymous = true;
	anonymous.has_user = true;
	anonymous.user = text("ann");
	frame = caller_ask(f->caller, frame_of(calls, sizeof(calls) / sizeof(calls[0])));
	assert_int_equal(frame->code, LATCHKEY__V1__CODE__OK);
	assert_int_equal(frame->n_replies, 9);
	expect(frame->replies[0], LATCHKEY__V1__CODE__UNIMPLEMENTED, "no method /latchkey.v1.Sessions/Fr?ob");
	expect(frame->replies[1], LATCHKEY__V1__CODE__UNIMPLEMENTED, "Watch is not served by this version");
	expect(frame->replies[2], LATCHKEY__V1__CODE__INVALID_ARGUMENT, "method has 129 bytes: 1 to 128");
	expect(frame->replies[3], LATCHKEY__V1__CODE__INVALID_ARGUMENT, "idempotency_key has 65 bytes: 1 to 64");
	expect(frame->replies[4], LATCHKEY__V1__CODE__INVALID_ARGUMENT, "idempotency_key has 0 bytes");
	expect(frame->replies[5], LATCHKEY__V1__CODE__NOT_FOUND, "no realm \"no?where\"");
	expect(frame->replies[6], LATCHKEY__V1__CODE__INVALID_ARGUMENT, "user: an anonymous session has none");
	expect(frame->replies[7], LATCHKEY__V1__CODE__INVALID_ARGUMENT, "1 to 64");
	assert_int_equal(frame->replies[8]->code, LATCHKEY__V1__CODE__OK);
	reply_free(&frame);
	assert_int_equal(scripted_count(&f->script), 0);
}

static Latchkey__V1__Code code_of_body(struct fixture *f, const char *method, const void *body, size_t len,
				       const char *part)
{
	Latchkey__V1__RequestFrame request = LATCHKEY__V1__REQUEST_FRAME__INIT;
	Latchkey__V1__Call call = LATCHKEY__V1__CALL__INIT;
	Latchkey__V1__Call *calls = &call;
	Latchkey__V1__ReplyFrame *frame;
	Latchkey__V1__Code code;

	call.has_method = true;
	call.method = text(method);
	call.has_body = true;
	call.body = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)body};
	request.has_protocol = true;
	request.protocol = RPC_PROTOCOL;
	request.n_calls = 1;
	request.calls = &calls;
	frame = caller_ask(f->caller, frame_packed(&request));
	assert_int_equal(frame->n_replies, 1);
	expect(frame->replies[0], frame->replies[0]->code, part);
	code = frame->replies[0]->code;
	reply_free(&frame);
	return code;
}

static void test_wrong_bodies(void **state)
{
	struct fixture *f = *state;
	static uint8_t fields[60000];

	for (size_t i = 0; i < sizeof(fields); i += 2)
		memcpy(fields + i, "\x22\x00", 2);
	assert_int_equal(code_of_body(f, GET, "\xff\xff\xff", 3, "no serialized latchkey.v1.GetSessionRequest"),
			 LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	assert_int_equal(code_of_body(f, GET, "\x12\x05", 2, "no serialized"), LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	assert_int_equal(
	    code_of_body(f, CREATE, fields, sizeof(fields), "attributes has 30000 entries: send at most 64"),
	    LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	assert_int_equal(code_of_body(f, CREATE, fields, 130, "attributes has 65 entries: send at most 64"),
			 LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	/* user "u", authentication with nine amr */
	assert_int_equal(code_of_body(f, CREATE,
				      "\x12\x01u\x42\x12\x1a\0\x1a\0\x1a\0\x1a\0\x1a\0\x1a\0\x1a\0\x1a\0\x1a\0", 23,
				      "amr has 9 entries: send at most 8"),
			 LATCHKEY__V1__CODE__INVALID_ARGUMENT);
	assert_int_equal(scripted_count(&f->script), 0);
}

/* ---- Frames refused as a whole ---- */

static void refused_frame(struct fixture *f, struct bytes frame, Latchkey__V1__Code code, const char *part)
{
	Latchkey__V1__ReplyFrame *reply = caller_ask(f->caller, frame);

	assert_int_equal(reply->code, code);
	assert_int_equal(reply->n_replies, 0);
	if (!message_has(reply->message, part))
		fail_msg("\"%.*s\" does not say \"%s\"", (int)reply->message.len, (const char *)reply->message.data,
			 part);
	reply_free(&reply);
}

static void test_refused_frames(void **state)
{
	struct fixture *f = *state;
	const uint64_t before = metric_get(METRIC_FRAMES_REFUSED);
	struct bytes many = bytes_of(NULL, 0);

	many.data = realloc(many.data, 20002);
	assert_non_null(many.data);
	memcpy(many.data, "\x08\x01", 2);
	for (size_t i = 2; i < 20002; i += 2)
		memcpy(many.data + i, "\x1a\x00", 2);
	many.len = 20002;
	refused_frame(f, bytes_of("garbage", 7), LATCHKEY__V1__CODE__INVALID_ARGUMENT, "RequestFrame");
	refused_frame(f, bytes_of(NULL, 0), LATCHKEY__V1__CODE__INVALID_ARGUMENT, "0 calls");
	refused_frame(f, bytes_of("\x08\x07\x1a\x00", 4), LATCHKEY__V1__CODE__FAILED_PRECONDITION, "protocol 7");
	refused_frame(f, many, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "10000 calls");
	assert_int_equal(metric_get(METRIC_FRAMES_REFUSED), before + 4);
	/* The connection is as good as before. */
	assert_int_equal(health_of(f, HEALTH, ""), LATCHKEY__V1__SERVING_STATUS__SERVING);
}

static void test_too_large(void **state)
{
	struct fixture *f = *state;
	struct bytes huge = bytes_of(NULL, 0);

	free(huge.data);
	huge.len = RPC_FRAME_BYTES_MAX + 1;
	huge.data = calloc(1, huge.len);
	assert_non_null(huge.data);
	refused_frame(f, huge, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED, "at most 65536 are read");
	(void)caller_wait_closed(f->caller);
}

/* ---- Connections ---- */

static void test_connections_max(void **state)
{
	const uint64_t before = metric_get(METRIC_CONNECTIONS_REFUSED);
	struct rpc_options options = fixture_options();
	struct caller *second;
	struct fixture *f;

	(void)state;
	options.connections_max = 2;
	f = fixture_start(&options);
	second = caller_open(f->url);
	assert_false(caller_try(f->url));
	assert_int_equal(metric_get(METRIC_CONNECTIONS_REFUSED), before + 1);
	assert_int_equal(health_of(f, HEALTH, ""), LATCHKEY__V1__SERVING_STATUS__SERVING);
	caller_close(&second);
	/* The server hears of the end a moment later. */
	for (int tries = 0; !caller_try(f->url); tries++)
		assert_true(tries < 100000);
	fixture_stop(&f);
}

/* A thousand connections one after the other leave nothing behind. */
static void test_slots_are_reused(void **state)
{
	struct rpc_options options = fixture_options();
	struct fixture *f;
	int opened = 0;

	(void)state;
	options.connections_max = 4;
	f = fixture_start(&options);
	for (int i = 0; i < 1000; i++)
		opened += caller_try(f->url) ? 1 : 0;
	assert_true(opened > 0);
	assert_int_equal(health_of(f, HEALTH, ""), LATCHKEY__V1__SERVING_STATUS__SERVING);
	fixture_stop(&f);
}

static void listen_refused(struct fixture *f, const char *url, enum status_code code, const char *part)
{
	struct status st = {0};

	assert_int_equal(rpc_server_listen(f->server, url, NULL, 0600, &st), code);
	if (strstr(st.text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", st.text, part);
}

static void test_listeners(void **state)
{
	struct fixture *f = *state;
	struct caller *c;
	struct status st;

	assert_string_equal(rpc_server_url(f->server, 0), f->url);
	assert_null(rpc_server_url(f->server, 1));
	listen_refused(f, "tcp://0.0.0.0:0", STATUS_INVALID_ARGUMENT, "callers are not told apart");
	listen_refused(f, "http://127.0.0.1:0", STATUS_INVALID_ARGUMENT, "tcp://host:port");
	listen_refused(f, f->url, STATUS_FAILED_PRECONDITION, "in use");
	assert_int_equal(rpc_server_listen(f->server, "tcp://127.0.0.1:0", NULL, 0, &st), STATUS_OK);
	c = caller_open(rpc_server_url(f->server, 1));
	caller_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_health, start, stop),
	    cmocka_unit_test_setup_teardown(test_info, start, stop),
	    cmocka_unit_test_setup_teardown(test_policy, start, stop),
	    cmocka_unit_test_setup_teardown(test_stats, start, stop),
	    cmocka_unit_test_setup_teardown(test_redis_tells_all_of_a_node, start, stop),
	    cmocka_unit_test_setup_teardown(test_redis_sums_up, start, stop),
	    cmocka_unit_test_setup_teardown(test_redis_is_bounded, start, stop),
	    cmocka_unit_test_setup_teardown(test_methods, start, stop),
	    cmocka_unit_test_setup_teardown(test_refused_calls, start, stop),
	    cmocka_unit_test_setup_teardown(test_wrong_bodies, start, stop),
	    cmocka_unit_test_setup_teardown(test_refused_frames, start, stop),
	    cmocka_unit_test_setup_teardown(test_too_large, start, stop),
	    cmocka_unit_test(test_connections_max),
	    cmocka_unit_test(test_slots_are_reused),
	    cmocka_unit_test_setup_teardown(test_listeners, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
