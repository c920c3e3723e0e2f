/* The command's tables, JSON and exit statuses for answers that no real server gives on demand. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli_util.h"
#include "latchkey/v1/server.pb-c.h"

/* ---- redis ---- */

struct cluster {
	Latchkey__V1__ServerRedisResponse response;
	Latchkey__V1__RedisNode nodes[3];
	Latchkey__V1__RedisNode *all[3];
};

static void name_node(Latchkey__V1__RedisNode *node, const char *address, const char *role, const char *state)
{
	latchkey__v1__redis_node__init(node);
	node->has_address = node->has_role = node->has_state = true;
	node->address = bytes_of(address);
	node->role = bytes_of(role);
	node->state = bytes_of(state);
}

static void set_slots(struct cluster *c, uint32_t serving, uint32_t slots_served)
{
	c->response.has_primaries_serving = c->response.has_slots_served = true;
	c->response.primaries_serving = serving;
	c->response.slots_served = slots_served;
}

static void make_cluster(struct cluster *c)
{
	Latchkey__V1__RedisNode *n = c->nodes;

	latchkey__v1__server_redis_response__init(&c->response);
	c->response.has_mode = c->response.has_slots = c->response.has_primaries = true;
	c->response.mode = bytes_of("cluster");
	c->response.slots = 16384;
	c->response.primaries = 2;
	c->response.n_nodes = 3;
	c->response.nodes = c->all;
	for (size_t i = 0; i < 3; i++)
		c->all[i] = &n[i];
	name_node(&n[0], "10.0.0.1:6379", "primary", "serving");
	n[0].has_slots = n[0].has_connections = n[0].has_connections_ready = n[0].has_in_flight = true;
	n[0].slots = 8192;
	n[0].connections = 2;
	n[0].connections_ready = 1;
	n[0].in_flight = 123456;
	n[0].has_version = n[0].has_breaker = n[0].has_errors = n[0].has_reconnects = true;
	n[0].version = bytes_of("7.0.15");
	n[0].breaker = bytes_of("half-open");
	n[0].errors = 7;
	n[0].reconnects = 18;
	name_node(&n[1], "redis-1.example:6379", "primary", "down");
	n[1].has_slots = true;
	n[1].slots = 8192;
	n[1].has_error = true;
	n[1].error = bytes_of("AUTH refused: WRONGPASS");
	name_node(&n[2], "10.0.0.3:6379", "replica", "idle");
	n[2].has_lag_ms = true;
	n[2].lag_ms = 12;
}

static void all_slots_served(void **state)
{
	struct run_result r;
	struct cluster c;

	(void)state;
	make_cluster(&c);
	set_slots(&c, 2, 16384);
	ask(&c.response.base, CLI_DONE, &r, "redis", NULL, NULL);
	expect_line(r.out, "cluster: 2 of 2 primaries serving, 16384 of 16384 slots covered");
	assert_int_equal(r.err_len, 0);
	assert_null(strstr(r.out, "revocations"));
	run_result_free(&r);
}

static void some_slots_not_served(void **state)
{
	struct run_result r;
	struct cluster c;

	(void)state;
	make_cluster(&c);
	set_slots(&c, 1, 8192);
	c.response.has_pending = true;
	c.response.pending = 2;
	ask(&c.response.base, 1, &r, "redis", NULL, NULL);
	expect_line(r.out, "cluster: 1 of 2 primaries serving, 8192 of 16384 slots covered");
	expect_line(r.out, "ADDRESS               ROLE     STATE    SLOTS  VERSION  CONNECTIONS  IN-FLIGHT  LAG    "
			   "BREAKER    ERRORS  RECONNECTS");
	expect_line(r.out, "10.0.0.1:6379         primary  serving  8192   7.0.15   1/2          123456     -      "
			   "half-open  7       18");
	expect_line(r.out, "redis-1.example:6379  primary  down     8192   -        -            0          -      "
			   "-          0       0");
	expect_line(r.out, "10.0.0.3:6379         replica  idle     0      -        -            0          12 ms  "
			   "-          0       0");
	expect_line(r.out, "redis-1.example:6379: AUTH refused: WRONGPASS");
	expect_line(r.out, "2 revocations are in force that Redis could not write yet");
	assert_non_null(strstr(r.err, "8192 of 16384 slots have no serving primary"));
	run_result_free(&r);
}

static void redis_as_json(void **state)
{
	static const char *const parts[] = {
	    "\"mode\": \"cluster\"",
	    "\"ready\": false",
	    "\"primaries\": 2",
	    "\"slots_served\": 8192",
	    "\"in_flight\": 123456",
	    "\"connections_ready\": 1",
	    "\"lag_ms\": null",
	    "\"lag_ms\": 12",
	    "\"breaker\": \"half-open\"",
	    "\"state\": \"down\"",
	    "\"version\": \"\"",
	    "\"reconnects\": 18",
	    "\"error\": \"AUTH refused: WRONGPASS\"",
	    "\"pending\": 0",
	};
	struct run_result r;
	struct cluster c;

	(void)state;
	make_cluster(&c);
	set_slots(&c, 1, 8192);
	ask(&c.response.base, 1, &r, "redis", "--json", NULL);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(r.out, parts[i]) == NULL)
			fail_msg("no %s in %s", parts[i], r.out);
	assert_non_null(strstr(r.err, "no serving primary"));
	run_result_free(&r);
}

static void no_node_is_no_table(void **state)
{
	Latchkey__V1__ServerRedisResponse response = LATCHKEY__V1__SERVER_REDIS_RESPONSE__INIT;
	struct run_result r;

	(void)state;
	ask(&response.base, 1, &r, "redis", NULL, NULL);
	assert_null(strstr(r.out, "ADDRESS"));
	run_result_free(&r);
}

/* Nothing that a server sends moves a cursor or breaks the JSON, and no length of it breaks the table. */
static void a_hostile_server_prints_text(void **state)
{
	static char longest[2000];
	struct run_result r;
	struct cluster c;

	(void)state;
	make_cluster(&c);
	set_slots(&c, 9, 99999);
	memset(longest, 'x', sizeof(longest) - 1);
	c.response.mode = bytes_of("\x1b[2J\xff");
	c.nodes[0].address = bytes_of("\x1b[31m\xc2\x9b");
	c.nodes[1].address = bytes_of(longest);
	c.nodes[1].error = bytes_of("\x1b[2J\xff");
	ask(&c.response.base, CLI_DONE, &r, "redis", NULL, NULL);
	assert_null(strpbrk(r.out, "\x1b\xff\x9b"));
	expect_line(r.out, "?[2J?: 9 of 2 primaries serving, 99999 of 16384 slots covered");
	run_result_free(&r);
	ask(&c.response.base, CLI_DONE, &r, "redis", "--json", NULL);
	assert_non_null(strstr(r.out, "\"mode\": \"?[2J?\""));
	run_result_free(&r);
}

static void unimplemented(const struct fake_call *call)
{
	fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__UNIMPLEMENTED, "no such method", NULL, 0);
}

static void an_older_server_does_not_know(void **state)
{
	struct fake_server server;
	struct run_result r;

	(void)state;
	fake_start(&server, "tcp://127.0.0.1:0", unimplemented, NULL);
	cli_expect(4, &r, fake_url(&server), "redis", NULL);
	assert_non_null(strstr(r.err, "LK_E_UNIMPLEMENTED"));
	assert_int_equal(r.out_len, 0);
	run_result_free(&r);
	fake_stop(&server);
}

/* ---- session list ---- */

static void times_that_are_not_known(void **state)
{
	Latchkey__V1__ListSessionsResponse list = LATCHKEY__V1__LIST_SESSIONS_RESPONSE__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	Latchkey__V1__SessionInfo *all[] = {&info};
	struct run_result r;

	(void)state;
	info.has_handle = info.has_session_class = info.has_last_seen_at_ms = true;
	info.handle = bytes_of("A-PbSLoIlGM.LTja1wi3BNd_9Y3F");
	info.session_class = bytes_of("default");
	info.last_seen_at_ms = 1700000000123;
	list.n_sessions = 1;
	list.sessions = all;
	ask(&list.base, CLI_DONE, &r, "session", "list", "ann");
	expect_line(r.out, "HANDLE                        CREATED               LAST SEEN             "
			   "ENDS                  CLASS       DEVICE");
	expect_line(r.out, "A-PbSLoIlGM.LTja1wi3BNd_9Y3F  -                     2023-11-14T22:13:20Z  "
			   "-                     default     ");
	run_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_slots_served),
	    cmocka_unit_test(some_slots_not_served),
	    cmocka_unit_test(redis_as_json),
	    cmocka_unit_test(no_node_is_no_table),
	    cmocka_unit_test(a_hostile_server_prints_text),
	    cmocka_unit_test(an_older_server_does_not_know),
	    cmocka_unit_test(times_that_are_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
