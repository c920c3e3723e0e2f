/* Bad input over the wire. Each gets the precise answer, a well-behaved caller on another connection notices nothing,
 * and memory stays flat. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scene.h"
#include "support/sessions.h"
#include "support/wait.h"

#define CALLS_MAX	64
#define FRAME_BYTES_MAX 65536

/* Short enough to see peers thrown out, long enough for a slow machine's honest ones. ASan keeps what was freed in
 * quarantine: bounded, so that flat memory looks flat. */
static const char config[] = "log_level: info\n"
			     "connections: { handshake_timeout_ms: 1500, stall_timeout_ms: 1500 }\n";

static struct scene scene;
static char token[TOKEN_BYTES];

static int open_scene(void **state)
{
	(void)state;
	setenv("ASAN_OPTIONS", "detect_leaks=1 quarantine_size_mb=4 thread_local_quarantine_size_kb=64", 1);
	scene_open(&scene, config, NULL);
	session_create(&scene.caller, &(struct session_wish){.user = "good"}, token);
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	scene_close(&scene);
	return 0;
}

/* After each piece of malice. */
static void good_caller_is_served(void)
{
	session_must_be(&scene.caller, token, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
}

static bool mentions(ProtobufCBinaryData message, const char *what)
{
	return memmem(message.data, message.len, what, strlen(what)) != NULL;
}

/* The frame as a whole is refused with this code, and the message names the thing. */
static void expect_frame_refused(struct raw *r, Latchkey__V1__Code code, const char *named)
{
	Latchkey__V1__ReplyFrame *frame = NULL;

	if (!raw_receive(r, NULL, &frame, BOUND_MS))
		fail_msg("no reply, though one naming %s was due", named);
	if (frame->code != code || frame->n_replies != 0 || frame->message.len == 0 || !mentions(frame->message, named))
		fail_msg("code %d, not %d naming %s: %.*s", frame->code, code, named, (int)frame->message.len,
			 (const char *)frame->message.data);
	raw_free(frame);
}

/* One call is refused with this code, and the message names the thing. */
static void expect_call_refused(struct raw *r, const struct raw_call *call, Latchkey__V1__Code code, const char *named)
{
	Latchkey__V1__ReplyFrame *frame = raw_exchange(r, call, 1);

	assert_int_equal(frame->code, LATCHKEY__V1__CODE__OK);
	assert_int_equal(frame->n_replies, 1);
	if (frame->replies[0]->code != code || !mentions(frame->replies[0]->message, named))
		fail_msg("%s: code %d, not %d naming %s: %.*s", call->method, frame->replies[0]->code, code, named,
			 (int)frame->replies[0]->message.len, (const char *)frame->replies[0]->message.data);
	raw_free(frame);
}

static void fill_with_noise(uint8_t *bytes, size_t len, unsigned seed)
{
	unsigned next = seed;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(rand_r(&next) >> 7);
	/* Wire type 7 does not exist, so no such noise is a frame by chance. */
	if (seed % 2 == 0)
		bytes[0] = 0x07;
}

static void test_garbage_frame(void **state)
{
	uint8_t noise[300];
	struct raw r;

	(void)state;
	raw_connect(&r, scene.service.url);
	for (unsigned i = 0; i < 50; i++) {
		fill_with_noise(noise, sizeof(noise), i);
		assert_true(raw_send_body(&r, i, noise, 1 + i * 5));
		expect_frame_refused(&r, LATCHKEY__V1__CODE__INVALID_ARGUMENT, i % 2 == 0 ? "RequestFrame" : "");
	}
	/* The connection that sent it is as good as before. */
	session_must_be(&r, token, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
	good_caller_is_served();
	raw_close(&r);
}

static void test_empty_frame(void **state)
{
	struct raw r;

	(void)state;
	raw_connect(&r, scene.service.url);
	assert_true(raw_send_body(&r, 1, "", 0));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "0 calls");
	raw_close(&r);
}

static void announce_and_expect_close(uint64_t announced, const char *named)
{
	struct raw r;

	raw_connect(&r, scene.service.url);
	assert_true(raw_announce(&r, 5, announced));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED, named);
	assert_true(raw_is_closed(&r, BOUND_MS));
	raw_close(&r);
}

static void test_two_gib_announced(void **state)
{
	uint64_t before_kib = process_rss_kib(scene.service.process.pid);

	(void)state;
	for (int i = 0; i < 3; i++)
		announce_and_expect_close(2ULL << 30, "65536");
	announce_and_expect_close(FRAME_BYTES_MAX + 1, "65536");
	announce_and_expect_close(1ULL << 62, "65536");
	assert_in_range(process_rss_kib(scene.service.process.pid), 0, before_kib + 65536);
	good_caller_is_served();
}

static void expect_closed_after(const void *bytes, size_t len)
{
	struct raw r;

	raw_connect(&r, scene.service.url);
	assert_true(raw_send_bytes(&r, bytes, len));
	assert_true(raw_is_closed(&r, BOUND_MS));
	raw_close(&r);
}

static void test_impossible_framing(void **state)
{
	static const uint8_t too_short[8] = {0, 0, 0, 0, 0, 0, 0, 3};
	uint8_t endless_route[8 + 4 * 20] = {0, 0, 0, 0, 0, 0, 0, 80};

	(void)state;
	expect_closed_after(too_short, sizeof(too_short));
	expect_closed_after(endless_route, sizeof(endless_route));
	good_caller_is_served();
}

static void test_wrong_greetings(void **state)
{
	static const char *const greetings[] = {"GET / HTTP/1.1\r\n\r\n", "\0SP\0\0\x31\0\0", "\0SP\1\0\x30\0\0",
						"\x16\x03\x01\x02\0\x01\0\x01"};
	struct raw r;

	(void)state;
	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		assert_true(raw_connect_silent(&r, scene.service.url));
		assert_true(raw_send_bytes(&r, greetings[i], 8));
		assert_true(raw_is_closed(&r, BOUND_MS));
		raw_close(&r);
	}
	good_caller_is_served();
}

#define SILENT_PEERS 100

static void test_silent_and_stalling_peers(void **state)
{
	static const uint8_t half_message[10] = {0, 0, 0, 0, 0, 0, 0, 100, 0x80, 0};
	struct raw peers[SILENT_PEERS];

	(void)state;
	for (size_t i = 0; i < SILENT_PEERS; i++) {
		assert_true(raw_connect_silent(&peers[i], scene.service.url));
		if (i % 2 == 0)
			continue;
		assert_true(raw_greet(&peers[i]));
		assert_true(raw_send_bytes(&peers[i], half_message, sizeof(half_message)));
	}
	good_caller_is_served();
	for (size_t i = 0; i < SILENT_PEERS; i++) {
		if (!raw_is_closed(&peers[i], BOUND_MS))
			fail_msg("peer %zu (%s) stays", i, i % 2 == 0 ? "silent" : "half a message");
		raw_close(&peers[i]);
	}
	good_caller_is_served();
}

/* Requests and requests, and no reply is ever read: its kernel buffers fill, then the service's bound. */
static void test_peer_that_never_reads(void **state)
{
	Latchkey__V1__ServerMethodsRequest req = LATCHKEY__V1__SERVER_METHODS_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Server/Methods", .request = &req.base};
	uint64_t before_kib = process_rss_kib(scene.service.process.pid);
	struct raw_call calls[CALLS_MAX];
	struct raw r;

	(void)state;
	for (size_t i = 0; i < CALLS_MAX; i++)
		calls[i] = call;
	raw_connect(&r, scene.service.url);
	raw_set_send_bound(&r, 3000);
	for (uint32_t i = 0; i < 2000 && raw_send_calls(&r, i, calls, CALLS_MAX); i++)
		continue;
	good_caller_is_served();
	assert_in_range(process_rss_kib(scene.service.process.pid), 0, before_kib + 131072);
	raw_close(&r);
	good_caller_is_served();
}

static void test_ten_thousand_calls(void **state)
{
	uint8_t empty_calls[20003] = {0x08, 0x01};
	struct raw r;

	(void)state;
	/* protocol = 1, then 10,000 times field 3 of length 0: within the frame's size, over its number of calls. */
	for (size_t i = 0; i < 10000; i++)
		empty_calls[2 + 2 * i] = 0x1a;
	raw_connect(&r, scene.service.url);
	assert_true(raw_send_body(&r, 1, empty_calls, 20002));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "64");
	session_must_be(&r, token, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
	raw_close(&r);
	good_caller_is_served();
}

static void test_sixty_five_calls(void **state)
{
	Latchkey__V1__HealthCheckRequest check = LATCHKEY__V1__HEALTH_CHECK_REQUEST__INIT;
	struct raw_call calls[CALLS_MAX + 1];
	Latchkey__V1__ReplyFrame *frame;
	struct raw r;

	(void)state;
	for (size_t i = 0; i <= CALLS_MAX; i++)
		calls[i] = (struct raw_call){.method = "/latchkey.v1.Health/Check", .request = &check.base};
	raw_connect(&r, scene.service.url);
	frame = raw_exchange(&r, calls, CALLS_MAX);
	assert_int_equal(frame->n_replies, CALLS_MAX);
	raw_free(frame);
	assert_true(raw_send_calls(&r, 1, calls, CALLS_MAX + 1));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "64");
	assert_true(raw_send_calls(&r, 2, calls, 0));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "1");
	raw_close(&r);
}

/* Fields that the message does not know cost memory each: a flood of them is refused. */
/* Calls of a few bytes that each stand for many: a frame may ask for 256 sessions, not for 4,096. */
static void test_frame_of_many_questions(void **state)
{
	Latchkey__V1__GetManySessionsRequest many = LATCHKEY__V1__GET_MANY_SESSIONS_REQUEST__INIT;
	ProtobufCBinaryData tokens[64];
	struct raw_call calls[CALLS_MAX];
	Latchkey__V1__ReplyFrame *frame;
	struct raw r;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		tokens[i] = raw_text("x");
	many.n_tokens = 64;
	many.tokens = tokens;
	for (size_t i = 0; i < CALLS_MAX; i++)
		calls[i] = (struct raw_call){
		    .method = "/latchkey.v1.Sessions/GetMany", .request = &many.base, .timeout_ms = 0};
	raw_connect(&r, scene.service.url);
	frame = raw_exchange(&r, calls, CALLS_MAX);
	assert_int_equal(frame->n_replies, CALLS_MAX);
	for (size_t i = 0; i < CALLS_MAX; i++)
		assert_int_equal(frame->replies[i]->code,
				 i < 4 ? LATCHKEY__V1__CODE__OK : LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED);
	assert_true(mentions(frame->replies[4]->message, "fewer calls"));
	raw_free(frame);
	raw_close(&r);
	good_caller_is_served();
}

static void test_unknown_fields_flood(void **state)
{
	uint8_t flood[60000];
	struct raw r;

	(void)state;
	for (size_t i = 0; i < sizeof(flood); i += 2) {
		flood[i] = 0x78;
		flood[i + 1] = 0;
	}
	raw_connect(&r, scene.service.url);
	assert_true(raw_send_body(&r, 1, flood, sizeof(flood)));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "");
	raw_close(&r);
	good_caller_is_served();
}

static void test_unknown_and_unserved_methods(void **state)
{
	Latchkey__V1__GetSessionRequest req = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;
	const Latchkey__V1__Code code = LATCHKEY__V1__CODE__UNIMPLEMENTED;
	struct raw_call call = {.request = &req.base};
	char long_name[200];

	(void)state;
	call.method = "/latchkey.v1.Sessions/Frobnicate";
	expect_call_refused(&scene.caller, &call, code, "Frobnicate");
	call.method = "/latchkey.v1.Sessions/Get/";
	expect_call_refused(&scene.caller, &call, code, "");
	call.method = "";
	expect_call_refused(&scene.caller, &call, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "method");
	call.method = "/latchkey.v1.Health/Watch";
	expect_call_refused(&scene.caller, &call, code, "not served");
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	call.method = long_name;
	expect_call_refused(&scene.caller, &call, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "128");
}

static void test_wrong_body(void **state)
{
	/* Field 2, the token, says 100 bytes and has 1; then a field number 0, which cannot be; then text. */
	static const char *const bodies[] = {"\x12\x64x", "\x01\x01", "{\"token\": \"x\"}"};
	struct raw_call call = {.method = "/latchkey.v1.Sessions/Get"};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		call.body = raw_text(bodies[i]);
		expect_call_refused(&scene.caller, &call, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "GetSessionRequest");
	}
	good_caller_is_served();
}

static void test_wrong_protocol_version(void **state)
{
	Latchkey__V1__HealthCheckRequest check = LATCHKEY__V1__HEALTH_CHECK_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Health/Check", .request = &check.base};
	size_t len;
	uint8_t *packed = raw_pack_calls(2, &call, 1, &len);
	struct raw r;

	(void)state;
	raw_connect(&r, scene.service.url);
	assert_true(raw_send_body(&r, 1, packed, len));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__FAILED_PRECONDITION, "1");
	free(packed);
	raw_close(&r);
}

static void test_unknown_realm_and_class(void **state)
{
	Latchkey__V1__CreateSessionRequest req = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/Create", .request = &req.base};

	(void)state;
	req.has_user = req.has_realm = true;
	req.user = raw_text("good");
	req.realm = raw_text("atlantis");
	expect_call_refused(&scene.caller, &call, LATCHKEY__V1__CODE__NOT_FOUND, "atlantis");
	req.has_realm = false;
	req.has_session_class = true;
	req.session_class = raw_text("first-class");
	expect_call_refused(&scene.caller, &call, LATCHKEY__V1__CODE__NOT_FOUND, "session_class");
}

static void test_bad_users(void **state)
{
	Latchkey__V1__CreateSessionRequest req = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/Create", .request = &req.base};
	const Latchkey__V1__Code code = LATCHKEY__V1__CODE__INVALID_ARGUMENT;
	char user[258];

	(void)state;
	expect_call_refused(&scene.caller, &call, code, "user");
	req.has_user = true;
	req.user = raw_text("");
	expect_call_refused(&scene.caller, &call, code, "user");
	memset(user, 'u', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	req.user = raw_text(user);
	expect_call_refused(&scene.caller, &call, code, "256");
	user[256] = '\0';
	req.user = raw_text(user);
	raw_free(raw_call_expect(&scene.caller, LATCHKEY__V1__CODE__OK, &call, NULL));
}

static void test_bad_attributes(void **state)
{
	Latchkey__V1__UpdateSessionRequest req = LATCHKEY__V1__UPDATE_SESSION_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Sessions/Update", .request = &req.base};
	const Latchkey__V1__Code code = LATCHKEY__V1__CODE__INVALID_ARGUMENT;
	Latchkey__V1__Attribute attribute = LATCHKEY__V1__ATTRIBUTE__INIT;
	Latchkey__V1__Attribute *set[65];
	static char big[16386];

	(void)state;
	for (size_t i = 0; i < 65; i++)
		set[i] = &attribute;
	req.has_token = attribute.has_key = attribute.has_value = true;
	req.token = raw_text(token);
	req.set = set;
	req.n_set = 1;
	attribute.key = raw_text("");
	expect_call_refused(&scene.caller, &call, code, "key");
	memset(big, 'k', sizeof(big) - 1);
	attribute.key = (ProtobufCBinaryData){.len = 65, .data = (uint8_t *)big};
	expect_call_refused(&scene.caller, &call, code, "64");
	attribute.key = raw_text("k");
	attribute.value = raw_text(big);
	expect_call_refused(&scene.caller, &call, code, "16384");
	attribute.value = raw_text("v");
	req.n_set = 65;
	expect_call_refused(&scene.caller, &call, code, "64");
	good_caller_is_served();
}

#define CONNECTIONS_MAX 8

/* Beyond the bound on connections a new one is closed at once; those that are there are served on, and when one of them
 * goes there is room again. */
static void test_too_many_connections(void **state)
{
	struct raw peers[CONNECTIONS_MAX];
	struct latchkeyd service;
	struct raw extra;

	(void)state;
	latchkeyd_init(
	    &service, &(struct latchkeyd_options){.redis_url = scene.redis.url, .config = "connections: { max: 8 }\n"});
	latchkeyd_start(&service);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		raw_connect(&peers[i], service.url);
	assert_false(raw_try_connect(&extra, service.url));
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		assert_true(server_counter(&peers[i], "latchkey_connections_refused_total") >= 1);
	raw_close(&peers[0]);
	assert_becomes(raw_try_connect(&extra, service.url), BOUND_MS);
	raw_close(&extra);
	for (size_t i = 1; i < CONNECTIONS_MAX; i++)
		raw_close(&peers[i]);
	latchkeyd_end(&service);
}

static void one_round_of_malice(unsigned seed)
{
	uint8_t noise[4000];
	struct raw r;

	fill_with_noise(noise, sizeof(noise), seed);
	raw_connect(&r, scene.service.url);
	assert_true(raw_send_body(&r, 1, noise, 1 + seed % sizeof(noise)));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__INVALID_ARGUMENT, "");
	assert_true(raw_announce(&r, 2, (2ULL << 30) + seed));
	expect_frame_refused(&r, LATCHKEY__V1__CODE__RESOURCE_EXHAUSTED, "");
	raw_close(&r);
	assert_true(raw_connect_silent(&r, scene.service.url));
	raw_close(&r);
	raw_connect(&r, scene.service.url);
	assert_true(raw_announce(&r, 3, 60000));
	raw_close(&r);
}

#define MALICE_ROUNDS 1500

static void test_memory_stays_flat(void **state)
{
	uint64_t warm_kib;
	uint64_t last_kib;

	(void)state;
	for (unsigned i = 0; i < MALICE_ROUNDS / 3; i++)
		one_round_of_malice(i);
	warm_kib = process_rss_kib(scene.service.process.pid);
	for (unsigned i = 0; i < MALICE_ROUNDS; i++)
		one_round_of_malice(i);
	last_kib = process_rss_kib(scene.service.process.pid);
	/* A leak of only 4 KiB a connection would be 18 MiB by now. */
	if (last_kib > warm_kib + 8192)
		fail_msg("from %llu KiB to %llu KiB", (unsigned long long)warm_kib, (unsigned long long)last_kib);
	good_caller_is_served();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_garbage_frame),
	    cmocka_unit_test(test_empty_frame),
	    cmocka_unit_test(test_two_gib_announced),
	    cmocka_unit_test(test_impossible_framing),
	    cmocka_unit_test(test_wrong_greetings),
	    cmocka_unit_test(test_silent_and_stalling_peers),
	    cmocka_unit_test(test_peer_that_never_reads),
	    cmocka_unit_test(test_ten_thousand_calls),
	    cmocka_unit_test(test_sixty_five_calls),
	    cmocka_unit_test(test_frame_of_many_questions),
	    cmocka_unit_test(test_unknown_fields_flood),
	    cmocka_unit_test(test_unknown_and_unserved_methods),
	    cmocka_unit_test(test_wrong_body),
	    cmocka_unit_test(test_wrong_protocol_version),
	    cmocka_unit_test(test_unknown_realm_and_class),
	    cmocka_unit_test(test_bad_users),
	    cmocka_unit_test(test_bad_attributes),
	    cmocka_unit_test(test_too_many_connections),
	    cmocka_unit_test(test_memory_stays_flat),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
