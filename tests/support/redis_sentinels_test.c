/* The Sentinel bench itself: what the fault tests stand on. */

#include <stdio.h>
#include <string.h>

#include "support/redis_sentinels.h"
#include "support/wait.h"

static void set(const struct redis_sentinels *s, unsigned node, const char *value)
{
	freeReplyObject(redis_server_command(&s->nodes[node], "SET k %s", value));
}

static bool has(const struct redis_sentinels *s, unsigned node, const char *value)
{
	redisReply *reply = redis_server_try(&s->nodes[node], "GET k");
	bool is_so = reply != NULL && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, value) == 0;

	freeReplyObject(reply);
	return is_so;
}

static void test_kill_and_return(void **state)
{
	struct redis_sentinels s;
	unsigned successor;

	(void)state;
	/* More than the 1 s after which a Sentinel connects again: no second failover. */
	redis_sentinels_open(&s, &(struct redis_sentinels_options){.down_after_ms = 2000});
	assert_int_equal(s.count, 3);
	assert_int_equal(redis_sentinels_primary(&s), 0);
	assert_int_equal(strncmp(s.url, "redis+sentinel://127.0.0.1:", 27), 0);
	set(&s, 0, "one");
	assert_becomes(has(&s, 1, "one") && has(&s, 2, "one"), BOUND_MS);

	redis_sentinels_kill(&s, 0);
	successor = redis_sentinels_wait_successor(&s, 0);
	assert_int_not_equal(successor, 0);
	set(&s, successor, "two");
	redis_sentinels_start(&s, 0);
	redis_sentinels_wait_well(&s);
	assert_becomes(has(&s, 0, "two"), BOUND_MS);
	assert_int_equal(redis_sentinels_primary(&s), successor);

	/* Its file says by now whose replica it is. */
	redis_sentinels_stop(&s, 0);
	redis_sentinels_start(&s, 0);
	assert_true(redis_server_info_is(&s.nodes[0], "replication", "role", "slave"));
	redis_sentinels_close(&s);
}

static void test_planned_failover_and_lost_sentinels(void **state)
{
	struct redis_sentinels s;
	unsigned successor;

	(void)state;
	redis_sentinels_open(&s, &(struct redis_sentinels_options){.appendonly = true});
	redis_sentinels_kill_sentinel(&s, 0);
	successor = redis_sentinels_failover(&s);
	assert_int_not_equal(successor, 0);
	redis_sentinels_freeze_sentinel(&s, 1);
	redis_sentinels_start_sentinel(&s, 0);
	assert_becomes(redis_sentinels_primary(&s) > 0, BOUND_MS);
	redis_sentinels_thaw_sentinel(&s, 1);
	redis_sentinels_close(&s);
}

static void test_frozen_primary_with_passwords(void **state)
{
	struct redis_sentinels_options options = {.user = "svc",
						  .password = "secret",
						  .sentinel_user = "watcher",
						  .sentinel_password = "hidden",
						  .down_after_ms = 500};
	struct redis_sentinels s;
	redisContext *stranger;
	redisReply *reply;

	(void)state;
	redis_sentinels_open(&s, &options);
	stranger = redis_try_connect(s.sentinels[0].socket, NULL);
	reply = redisCommand(stranger, "AUTH watcher hidden");
	assert_int_equal(reply->type, REDIS_REPLY_STATUS);
	freeReplyObject(reply);
	redisFree(stranger);
	redis_sentinels_freeze(&s, 0);
	assert_int_not_equal(redis_sentinels_wait_successor(&s, 0), 0);
	redis_sentinels_thaw(&s, 0);
	redis_sentinels_close(&s);
}

static void test_tls(void **state)
{
	struct redis_sentinels_options options = {.password = "secret", .is_mutual = true};
	struct certificates certificates;
	struct redis_sentinels s;
	struct tmpdir dir;

	(void)state;
	tmpdir_make(&dir);
	certificates_make(&certificates, &dir);
	options.tls = &certificates;
	redis_sentinels_open(&s, &options);
	assert_int_equal(strncmp(s.url, "rediss+sentinel://:secret@", 26), 0);
	assert_null(redis_try_connect_tcp(s.sentinels[0].tls_port, "x"));
	redis_sentinels_kill(&s, 0);
	redis_sentinels_wait_successor(&s, 0);
	redis_sentinels_close(&s);
	tmpdir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kill_and_return),
	    cmocka_unit_test(test_planned_failover_and_lost_sentinels),
	    cmocka_unit_test(test_frozen_primary_with_passwords),
	    cmocka_unit_test(test_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
