/* The cluster bench itself: what the fault tests stand on. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/redis_cluster.h"
#include "support/wait.h"

/* A key in each shard: its own name is its value. */
static void write_keys(const struct redis_cluster *c, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		freeReplyObject(redis_cluster_command(c, key, "SET %s %s", key, key));
	}
}

static void check_keys(const struct redis_cluster *c, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		redisReply *reply;
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		reply = redis_cluster_command(c, key, "GET %s", key);
		assert_int_equal(reply->type, REDIS_REPLY_STRING);
		assert_string_equal(reply->str, key);
		freeReplyObject(reply);
	}
}

static void wait_replicated(const struct redis_cluster *c, unsigned primary)
{
	assert_becomes(redis_server_info_is(&c->nodes[primary], "replication", "connected_slaves", "1"), BOUND_MS);
}

static void test_failover_kill_and_return(void **state)
{
	struct redis_cluster c;
	unsigned successor;

	(void)state;
	redis_cluster_open(&c, NULL);
	assert_int_equal(c.count, 6);
	assert_true(redis_cluster_is_well(&c));
	assert_int_equal(redis_cluster_primary_of_slot(&c, 0), 0);
	assert_int_equal(redis_cluster_primary_of_slot(&c, REDIS_CLUSTER_SLOTS - 1), 2);
	write_keys(&c, 30);

	assert_int_equal(redis_cluster_failover(&c, 0), 3);
	assert_int_equal(redis_cluster_primary_of_slot(&c, 0), 3);
	check_keys(&c, 30);
	redis_cluster_wait_well(&c);

	redis_cluster_kill(&c, 1);
	assert_false(redis_cluster_is_well(&c));
	successor = redis_cluster_wait_successor(&c, 1);
	assert_int_equal(successor, 4);
	check_keys(&c, 30);
	redis_cluster_wait_well(&c);
	redis_cluster_start(&c, 1);
	redis_cluster_wait_well(&c);
	assert_int_equal(redis_cluster_primary_of_shard(&c, 1), 4);
	wait_replicated(&c, 4);
	redis_cluster_close(&c);
}

static void test_frozen_primary_is_replaced(void **state)
{
	struct redis_cluster c;

	(void)state;
	redis_cluster_open(&c, &(struct redis_cluster_options){.node_timeout_ms = 500, .appendonly = true});
	redis_cluster_freeze(&c, 2);
	assert_int_equal(redis_cluster_wait_successor(&c, 2), 5);
	redis_cluster_thaw(&c, 2);
	redis_cluster_wait_well(&c);
	assert_int_equal(redis_cluster_primary_of_shard(&c, 2), 5);
	redis_cluster_stop(&c, 5);
	assert_int_equal(redis_cluster_wait_successor(&c, 5), 2);
	redis_cluster_close(&c);
}

struct stop {
	unsigned calls_left;
};

static bool until_stopped(void *owner, unsigned slots_moved)
{
	struct stop *s = owner;

	(void)slots_moved;
	return s->calls_left != 0 && s->calls_left-- > 0;
}

static unsigned keys_at(const struct redis_cluster *c, unsigned node, unsigned slot)
{
	redisReply *reply = redis_server_command(&c->nodes[node], "CLUSTER COUNTKEYSINSLOT %u", slot);
	unsigned keys = (unsigned)reply->integer;

	freeReplyObject(reply);
	return keys;
}

/* Ten keys in one slot, stopped after two batches of three. */
static void test_slots_move_with_their_keys(void **state)
{
	struct redis_cluster_options options = {.has_no_replicas = true, .user = "svc", .password = "secret"};
	struct stop stop = {.calls_left = 3};
	struct redis_cluster_move move;
	struct redis_cluster c;
	unsigned slot;

	(void)state;
	redis_cluster_open(&c, &options);
	assert_int_equal(c.count, 3);
	slot = redis_cluster_slot_of_key(&c, "{t}");
	for (unsigned i = 0; i < 10; i++)
		freeReplyObject(redis_cluster_command(&c, "{t}", "SET {t}%u %u", i, i));
	write_keys(&c, 30);
	move = (struct redis_cluster_move){.first = slot, .last = slot, .keys_a_batch = 3};
	move.from = (unsigned)redis_cluster_primary_of_slot(&c, slot);
	move.to = (move.from + 1) % 3;
	move.goes_on = until_stopped;
	move.owner = &stop;

	assert_false(redis_cluster_move_slots(&c, &move));
	assert_int_equal(keys_at(&c, move.from, slot), 4);
	assert_int_equal(keys_at(&c, move.to, slot), 6);
	move.goes_on = NULL;
	assert_true(redis_cluster_move_slots(&c, &move));
	assert_int_equal(keys_at(&c, move.to, slot), 10);
	redis_cluster_wait_well(&c);
	assert_int_equal(redis_cluster_primary_of_slot(&c, slot), move.to);
	assert_true(redis_cluster_move_slots(&c, &move));

	/* Many, mostly empty. */
	move = (struct redis_cluster_move){.from = 0, .to = 2, .last = 999};
	if (redis_cluster_first_slot(&c, 0) == 0 && slot > 999)
		assert_true(redis_cluster_move_slots(&c, &move));
	redis_cluster_wait_well(&c);
	check_keys(&c, 30);
	redis_cluster_close(&c);
}

static void test_tls_and_mutual(void **state)
{
	struct redis_cluster_options options = {.user = "svc", .password = "secret", .is_mutual = true};
	struct certificates certificates;
	struct redis_cluster c;
	struct tmpdir dir;
	redisReply *reply;
	redisContext *tcp;

	(void)state;
	tmpdir_make(&dir);
	certificates_make(&certificates, &dir);
	options.tls = &certificates;
	redis_cluster_open(&c, &options);
	assert_int_equal(strncmp(c.url, "rediss+cluster://svc:secret@127.0.0.1:", 38), 0);
	assert_null(redis_try_connect_tcp(c.nodes[0].tls_port, "secret"));
	assert_null(redis_try_connect_tcp(c.nodes[0].port, "wrong"));
	tcp = redis_try_connect_tcp(c.nodes[0].port, "secret");
	assert_non_null(tcp);
	reply = redisCommand(tcp, "AUTH svc secret");
	assert_int_equal(reply->type, REDIS_REPLY_STATUS);
	freeReplyObject(reply);
	redisFree(tcp);
	write_keys(&c, 10);
	assert_true(redis_cluster_move_slots(&c, &(struct redis_cluster_move){.from = 0, .to = 1, .last = 100}));
	redis_cluster_failover(&c, 2);
	redis_cluster_wait_well(&c);
	check_keys(&c, 10);
	redis_cluster_close(&c);
	tmpdir_remove(&dir);
}

/* Clients are told the relays' ports. */
static void test_relays_stand_before_nodes(void **state)
{
	struct redis_cluster c;
	redisReply *ranges;

	(void)state;
	redis_cluster_open(&c, &(struct redis_cluster_options){.has_relays = true});
	ranges = redis_server_command(&c.nodes[0], "CLUSTER SLOTS");
	for (size_t i = 0; i < ranges->elements; i++) {
		const redisReply *primary = ranges->element[i]->element[2];
		const char *id = primary->element[2]->str;

		for (unsigned node = 0; node < c.count; node++)
			if (strcmp(id, c.ids[node]) == 0)
				assert_int_equal(primary->element[1]->integer, relay_port(c.relays[node]));
	}
	freeReplyObject(ranges);
	redis_cluster_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_failover_kill_and_return),   cmocka_unit_test(test_frozen_primary_is_replaced),
	    cmocka_unit_test(test_slots_move_with_their_keys), cmocka_unit_test(test_tls_and_mutual),
	    cmocka_unit_test(test_relays_stand_before_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
