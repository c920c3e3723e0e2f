#include "redis/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/port.h"
#include "support/redis_server.h"
#include "support/wait.h"

static struct verdict read_error(const char *text, size_t len)
{
	/* Exactly as many bytes as there are: a reader that goes beyond them is found out. */
	uint8_t *bytes = malloc(len == 0 ? 1 : len);
	struct store_reply error = {.type = STORE_ERROR, .string = span_of(bytes, len)};
	struct verdict verdict;

	assert_non_null(bytes);
	memcpy(bytes, text, len);
	verdict = verdict_of(&error);
	free(bytes);
	return verdict;
}

static enum verdict_action action_of(const char *text)
{
	return read_error(text, strlen(text)).action;
}

static void knows_the_words(void **state)
{
	static const struct {
		const char *text;
		enum verdict_action action;
	} errors[] = {
	    {"TRYAGAIN Multiple keys request during rehashing of slot", VERDICT_WAIT},
	    {"LOADING Redis is loading the dataset in memory", VERDICT_WAIT},
	    {"LOADING", VERDICT_WAIT},
	    {"BUSY Redis is busy running a script.", VERDICT_WAIT},
	    {"NOREPLICAS Not enough good replicas to write.", VERDICT_WAIT},
	    {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", VERDICT_WAIT},
	    {"CLUSTERDOWN Hash slot not served", VERDICT_REFRESH},
	    {"READONLY You can't write against a read only replica. script: 913b, on @user_script:1.", VERDICT_REFRESH},
	    {"UNBLOCKED force unblock from blocking operation", VERDICT_REFRESH},
	    {"ERR Script attempted to access a non local key in a cluster node script: 5b73, on @user_script:3.",
	     VERDICT_WAIT},
	    {"ERR Script attempted to access a non local key in a cluster node", VERDICT_WAIT},
	    {"ERR Unable to execute command 'mget' in script because undeclared keys were accessed during rehashing of "
	     "the slot",
	     VERDICT_WAIT},
	    {"ERR Script attempted to access keys that do not hash to the same slot", VERDICT_FINAL},
	    {"ERR unknown command", VERDICT_FINAL},
	    {"OOM command not allowed when used memory > 'maxmemory'.", VERDICT_FINAL},
	    {"MISCONF Redis is configured to save RDB snapshots", VERDICT_FINAL},
	    {"NOAUTH Authentication required.", VERDICT_FINAL},
	    {"CROSSSLOT Keys in request don't hash to the same slot", VERDICT_FINAL},
	    {"BUSYGROUP Consumer Group name already exists", VERDICT_FINAL},
	    {"LOADINGS", VERDICT_FINAL},
	    {"readonly", VERDICT_FINAL},
	    {" READONLY", VERDICT_FINAL},
	    {"ERR READONLY", VERDICT_FINAL},
	    {"", VERDICT_FINAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (action_of(errors[i].text) != errors[i].action)
			fail_msg("%s: %d", errors[i].text, action_of(errors[i].text));
}

static void reads_redirections(void **state)
{
	static const struct {
		const char *rest;
		uint16_t slot;
		const char *host;
		uint16_t port;
	} good[] = {
	    {"3999 127.0.0.1:6381", 3999, "127.0.0.1", 6381},
	    {"0 redis-0.redis.svc.cluster.local:1", 0, "redis-0.redis.svc.cluster.local", 1},
	    {"16383 2001:db8::7:65535", 16383, "2001:db8::7", 65535},
	    {"12 ::1:6379", 12, "::1", 6379},
	    {"12 :6379", 12, "", 6379},
	};
	static const struct {
		const char *word;
		enum verdict_action action;
	} words[] = {{"MOVED", VERDICT_MOVED}, {"ASK", VERDICT_ASK}};
	char text[400];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(good) / sizeof(good[0]); i++) {
		size_t n = i / 2;
		struct verdict v;

		(void)snprintf(text, sizeof(text), "%s %s", words[i % 2].word, good[n].rest);
		v = read_error(text, strlen(text));
		assert_int_equal(v.action, words[i % 2].action);
		assert_int_equal(v.slot, good[n].slot);
		assert_string_equal(v.address.host, good[n].host);
		assert_int_equal(v.address.port, good[n].port);
	}
}

static void takes_no_wrong_redirection(void **state)
{
	static const char *const wrong[] = {
	    "MOVED",
	    "MOVED ",
	    "MOVED 1",
	    "MOVED 1 ",
	    "MOVED 1  127.0.0.1:1",
	    "MOVED  1 127.0.0.1:1",
	    "MOVED 16384 127.0.0.1:1",
	    "MOVED -1 127.0.0.1:1",
	    "MOVED 1x 127.0.0.1:1",
	    "MOVED 4294967297 127.0.0.1:1",
	    "MOVED 1 127.0.0.1",
	    "MOVED 1 127.0.0.1:",
	    "MOVED 1 127.0.0.1:0",
	    "MOVED 1 127.0.0.1:65536",
	    "MOVED 1 127.0.0.1:+1",
	    "MOVED 1 127.0.0.1:1 and more",
	    "MOVED 1 127.0.0.1 or so:1",
	    "MOVED 1 :",
	    "MOVED 1 :0",
	    "ASK 1 host",
	    "ASK :1",
	};
	static const char with_nul[] = "MOVED 1 127.0\0.0.1:1";
	char text[600] = "MOVED 1 ";

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (action_of(wrong[i]) != VERDICT_FINAL)
			fail_msg("%s: %d", wrong[i], action_of(wrong[i]));
	assert_int_equal(read_error(with_nul, sizeof(with_nul) - 1).action, VERDICT_FINAL);
	memset(text + strlen(text), 'a', ADDRESS_HOST_BYTES_MAX + 1);
	assert_int_equal(action_of(strcat(text, ":6379")), VERDICT_FINAL);
	assert_int_equal(action_of("MOVED 1 ?:6379"), VERDICT_REFRESH);
	assert_int_equal(action_of("ASK 1 ?:6379"), VERDICT_REFRESH);
}

/* As Redis itself says it: a server's error reply to a command. */
static struct verdict ask(const struct redis_server *s, const char *format, ...)
{
	redisContext *c = redis_server_connect(s);
	struct verdict verdict;
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = redisvCommand(c, format, args);
	va_end(args);
	assert_non_null(reply);
	if (reply->type != REDIS_REPLY_ERROR)
		fail_msg("no error: %s", format);
	verdict = read_error(reply->str, reply->len);
	freeReplyObject(reply);
	redisFree(c);
	return verdict;
}

static const char writing[] = "#!lua\nreturn redis.call('SET', KEYS[1], 'x')";
static const char reading[] = "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])";

static void understands_a_replica(void **state)
{
	static struct redis_server s;

	(void)state;
	redis_server_init(&s, NULL);
	redis_server_start(&s);
	freeReplyObject(redis_server_command(&s, "CONFIG SET min-replicas-to-write 1"));
	assert_int_equal(ask(&s, "EVAL %s 1 k", writing).action, VERDICT_WAIT);
	assert_int_equal(ask(&s, "EVAL %s 1 k", writing + strlen("#!lua\n")).action, VERDICT_WAIT);
	freeReplyObject(redis_server_command(&s, "CONFIG SET min-replicas-to-write 0"));
	freeReplyObject(redis_server_command(&s, "CONFIG SET maxmemory 1"));
	assert_int_equal(ask(&s, "EVAL %s 1 k", writing).action, VERDICT_FINAL);
	freeReplyObject(redis_server_command(&s, "CONFIG SET maxmemory 0"));
	/* Of nobody: its link stays down. */
	freeReplyObject(redis_server_command(&s, "REPLICAOF 127.0.0.1 1"));
	assert_int_equal(ask(&s, "SET k v").action, VERDICT_REFRESH);
	assert_int_equal(ask(&s, "EVAL %s 1 k", writing).action, VERDICT_REFRESH);
	assert_int_equal(ask(&s, "EVAL %s 1 k", writing + strlen("#!lua\n")).action, VERDICT_REFRESH);
	freeReplyObject(redis_server_command(&s, "CONFIG SET replica-serve-stale-data no"));
	assert_int_equal(ask(&s, "GET k").action, VERDICT_WAIT);
	assert_int_equal(ask(&s, "EVAL %s 1 k", reading).action, VERDICT_WAIT);
	redis_server_remove(&s);
}

/* bus: its port, which would else be 10000 above the other and may be another test's. Must live as long. */
static void start_node(struct redis_server *s, char bus[static 8])
{
	const struct redis_server_options options = {
	    .args = {"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", bus}};

	(void)snprintf(bus, 8, "%u", port_free());
	redis_server_init(s, &options);
	redis_server_start(s);
}

static void tell_id(const struct redis_server *s, char ret_id[static 41])
{
	redisReply *reply = redis_server_command(s, "CLUSTER MYID");

	assert_int_equal(reply->len, 40);
	memcpy(ret_id, reply->str, 41);
	freeReplyObject(reply);
}

static bool is_ok(const struct redis_server *s)
{
	redisReply *reply = redis_server_command(s, "CLUSTER INFO");
	bool is_so = strstr(reply->str, "cluster_state:ok") != NULL && strstr(reply->str, "cluster_size:1") != NULL;

	freeReplyObject(reply);
	return is_so;
}

static bool knows(const struct redis_server *s, const char *id)
{
	redisReply *reply = redis_server_command(s, "CLUSTER NODES");
	bool is_so = strstr(reply->str, id) != NULL;

	freeReplyObject(reply);
	return is_so;
}

static void assert_leads_to(const struct verdict *v, enum verdict_action action, const struct redis_server *s)
{
	assert_int_equal(v->action, action);
	assert_int_equal(v->slot, 11826);
	assert_string_equal(v->address.host, "127.0.0.1");
	assert_int_equal(v->address.port, s->port);
}

static void understands_a_cluster(void **state)
{
	static const char reaching_out[] = "#!lua\nreturn redis.call('GET', '{u}absent')";
	static struct redis_server s[2];
	struct verdict v;
	static char buses[2][8];
	char ids[2][41];

	(void)state;
	for (int i = 0; i < 2; i++) {
		start_node(&s[i], buses[i]);
		tell_id(&s[i], ids[i]);
	}
	assert_int_equal(ask(&s[0], "GET {u}here").action, VERDICT_REFRESH);
	freeReplyObject(redis_server_command(&s[0], "CLUSTER ADDSLOTSRANGE 0 16383"));
	freeReplyObject(redis_server_command(&s[0], "CLUSTER MEET 127.0.0.1 %u %s", s[1].port, buses[1]));
	assert_becomes(is_ok(&s[0]) && is_ok(&s[1]) && knows(&s[0], ids[1]) && knows(&s[1], ids[0]), BOUND_MS);
	freeReplyObject(redis_server_command(&s[0], "SET {u}here 1"));
	v = ask(&s[1], "GET {u}here");
	assert_leads_to(&v, VERDICT_MOVED, &s[0]);
	freeReplyObject(redis_server_command(&s[1], "CLUSTER SETSLOT 11826 IMPORTING %s", ids[0]));
	freeReplyObject(redis_server_command(&s[0], "CLUSTER SETSLOT 11826 MIGRATING %s", ids[1]));
	v = ask(&s[0], "EVAL %s 1 {u}absent", writing);
	assert_leads_to(&v, VERDICT_ASK, &s[1]);
	assert_int_equal(ask(&s[0], "EVAL %s 2 {u}here {u}absent", writing).action, VERDICT_WAIT);
	assert_int_equal(ask(&s[0], "EVAL %s 1 {u}here", reaching_out).action, VERDICT_WAIT);
	redis_server_remove(&s[0]);
	redis_server_remove(&s[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(knows_the_words),
	    cmocka_unit_test(reads_redirections),
	    cmocka_unit_test(takes_no_wrong_redirection),
	    cmocka_unit_test(understands_a_replica),
	    cmocka_unit_test(understands_a_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
