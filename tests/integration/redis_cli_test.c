/* `latchkey redis` before real servers: what it tells while Redis is there, gone, and back. */

#include <string.h>

#include "support/cli.h"
#include "support/json.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinels.h"
#include "support/scene.h"
#include "support/wait.h"

/* Some slots have no serving primary. */
#define CLI_UNSERVED 1

THE_SCENE(NULL)

#define expect(status, result, ...) cli_expect((status), (result), scene.service.url, __VA_ARGS__, NULL)

/* Whether the command ends with this exit status now. */
static bool redis_is_at(const char *url, int status)
{
	struct run_result r;
	bool is;

	cli_run(&r, url, "redis", NULL);
	is = r.status == status;
	/* Nothing but these two, whatever Redis does: the service is there and knows. */
	assert_in_range(r.status, CLI_DONE, CLI_UNSERVED);
	run_result_free(&r);
	return is;
}

static bool redis_is(int status)
{
	return redis_is_at(scene.service.url, status);
}

static json_t *redis_json_at(const char *url, int status)
{
	struct run_result r;
	json_t *json;

	cli_expect(status, &r, url, "redis", "--json", NULL);
	json = json_read(r.out);
	run_result_free(&r);
	return json;
}

static json_t *redis_json(int status)
{
	return redis_json_at(scene.service.url, status);
}

static void expect_word(const json_t *object, const char *key, const char *wanted)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL || strcmp(text, wanted) != 0)
		fail_msg("\"%s\" is %s, not %s", key, text != NULL ? text : "no text", wanted);
}

static void test_table(void **state)
{
	struct run_result r;

	(void)state;
	assert_becomes(redis_is(CLI_DONE), BOUND_MS);
	expect(CLI_DONE, &r, "redis");
	assert_non_null(strstr(r.out, "unix: 1 of 1 primaries serving, 16384 of 16384 slots covered\n"));
	assert_non_null(strstr(r.out, "\nADDRESS "));
	assert_non_null(strstr(r.out, scene.redis.socket));
	assert_non_null(strstr(r.out, "  serving  16384  "));
	assert_int_equal(r.err_len, 0);
	run_result_free(&r);
}

static void test_json(void **state)
{
	json_t *json;
	json_t *node;

	(void)state;
	assert_becomes(redis_is(CLI_DONE), BOUND_MS);
	json = redis_json(CLI_DONE);
	expect_word(json, "mode", "unix");
	assert_true(json_is_true(json_object_get(json, "ready")));
	assert_int_equal(json_number(json, "slots_served"), 16384);
	assert_int_equal(json_number(json, "nodes_known"), 1);
	assert_int_equal(json_array_size(json_object_get(json, "nodes")), 1);
	node = json_array_get(json_object_get(json, "nodes"), 0);
	expect_word(node, "role", "primary");
	expect_word(node, "state", "serving");
	expect_word(node, "breaker", "closed");
	assert_true(json_number(node, "connections_ready") >= 1);
	assert_true(json_number(node, "connections") >= json_number(node, "connections_ready"));
	assert_true(json_is_null(json_object_get(node, "lag_ms")));
	json_decref(json);
}

/* While Redis is gone the answer comes all the same, and says so. */
static void test_redis_gone_and_back(void **state)
{
	json_t *json;

	(void)state;
	redis_server_kill(&scene.redis);
	assert_becomes(redis_is(CLI_UNSERVED), BOUND_MS);
	json = redis_json(CLI_UNSERVED);
	assert_int_equal(json_number(json, "slots_served"), 0);
	assert_int_equal(json_number(json, "primaries_serving"), 0);
	assert_false(json_is_true(json_object_get(json, "ready")));
	assert_int_equal(json_array_size(json_object_get(json, "nodes")), 1);
	json_decref(json);
	redis_server_start(&scene.redis);
	assert_becomes(redis_is(CLI_DONE), BOUND_MS);
	json = redis_json(CLI_DONE);
	assert_true(json_number(json_array_get(json_object_get(json, "nodes"), 0), "reconnects") >= 1);
	json_decref(json);
}

static void test_no_service(void **state)
{
	struct run_result r;

	(void)state;
	latchkeyd_stop(&scene.service);
	expect(CLI_UNAVAILABLE, &r, "redis");
	assert_int_equal(r.out_len, 0);
	run_result_free(&r);
	latchkeyd_start_serving(&scene.service);
}

/* Nodes whose `key` is this word. */
static size_t count_nodes(const json_t *json, const char *key, const char *word)
{
	size_t count = 0;
	size_t i;
	const json_t *node;

	json_array_foreach(json_object_get(json, "nodes"), i, node)
	{
		const char *text = json_string_value(json_object_get(node, key));

		count += text != NULL && strcmp(text, word) == 0;
	}
	return count;
}

/* Whether it ends with this status now, and so many nodes have this word. */
static bool nodes_are(const char *url, int status, const char *key, const char *word, size_t wanted)
{
	struct run_result r;
	json_t *json;
	bool are;

	cli_run(&r, url, "redis", "--json", NULL);
	json = json_read(r.out);
	are = r.status == status && count_nodes(json, key, word) == wanted;
	json_decref(json);
	run_result_free(&r);
	return are;
}

/* One shard of three gone for good: the others serve on, and the table says which is missing. */
static void test_cluster(void **state)
{
	static struct redis_cluster cluster;
	struct latchkeyd service;
	json_t *json;

	(void)state;
	redis_cluster_open(&cluster, &(struct redis_cluster_options){
					 .has_no_replicas = true,
					 .args = {"--cluster-require-full-coverage", "no"},
				     });
	latchkeyd_init(&service, &(struct latchkeyd_options){.redis_url = cluster.url});
	latchkeyd_start_serving(&service);
	assert_becomes(redis_is_at(service.url, CLI_DONE), BOUND_MS);
	json = redis_json_at(service.url, CLI_DONE);
	expect_word(json, "mode", "cluster");
	assert_int_equal(json_number(json, "primaries"), 3);
	assert_int_equal(json_number(json, "primaries_serving"), 3);
	assert_int_equal(json_number(json, "slots_served"), 16384);
	assert_int_equal(count_nodes(json, "role", "primary"), 3);
	json_decref(json);

	redis_cluster_kill(&cluster, 1);
	assert_becomes(nodes_are(service.url, CLI_UNSERVED, "state", "serving", 2), BOUND_MS);
	json = redis_json_at(service.url, CLI_UNSERVED);
	assert_int_equal(json_number(json, "primaries"), 3);
	assert_int_equal(json_number(json, "primaries_serving"), 2);
	assert_in_range(json_number(json, "slots_served"), 16384 / 2, 16384 - 1);
	assert_true(json_is_true(json_object_get(json, "ready")));
	json_decref(json);

	redis_cluster_start(&cluster, 1);
	assert_becomes(redis_is_at(service.url, CLI_DONE), BOUND_MS);
	latchkeyd_end(&service);
	redis_cluster_close(&cluster);
}

static bool says_that_no_sentinel_answers(const char *url)
{
	struct run_result r;
	bool says;

	cli_run(&r, url, "redis", NULL);
	says = r.status == CLI_UNSERVED && strstr(r.err, "none of the 3 Sentinels answers") != NULL;
	run_result_free(&r);
	return says;
}

static void test_sentinels(void **state)
{
	static struct redis_sentinels sentinels;
	struct latchkeyd service;
	json_t *json;

	(void)state;
	redis_sentinels_open(&sentinels, NULL);
	latchkeyd_init(&service, &(struct latchkeyd_options){.redis_url = sentinels.url});
	latchkeyd_start_serving(&service);
	/* Those that the URL does not name are learned. */
	assert_becomes(nodes_are(service.url, CLI_DONE, "role", "sentinel", sentinels.sentinel_count), BOUND_MS);
	json = redis_json_at(service.url, CLI_DONE);
	expect_word(json, "mode", "sentinel");
	assert_int_equal(json_number(json, "primaries"), 1);
	assert_int_equal(json_number(json, "slots_served"), 16384);
	json_decref(json);
	/* None is left to say who the primary is. */
	for (unsigned i = 0; i < sentinels.sentinel_count; i++)
		redis_sentinels_kill_sentinel(&sentinels, i);
	assert_becomes(says_that_no_sentinel_answers(service.url), BOUND_MS);
	latchkeyd_end(&service);
	redis_sentinels_close(&sentinels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_redis_gone_and_back),
	    cmocka_unit_test(test_no_service),
	    cmocka_unit_test(test_cluster),
	    cmocka_unit_test(test_sentinels),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
