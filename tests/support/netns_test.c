/* Hosts in network namespaces: who reaches whom. */

#include "support/netns.h"

#include <stdio.h>

#include "support/redis_cluster.h"
#include "support/redis_sentinels.h"
#include "support/wait.h"

/* From another host, as a program there would: nobody answers within a second, or somebody does at once. */
static bool reaches(const struct netns_host *from, const struct redis_server *to)
{
	static const char script[] = "exec 3<>/dev/tcp/$0/$1 && printf 'PING\\r\\n' >&3 && read -r answer <&3";
	char port[8];
	const char *const argv[] = {"timeout", "1", "bash", "-c", script, redis_server_address(to), port, NULL};
	struct process p;
	int status = -1;

	snprintf(port, sizeof(port), "%u", to->port);
	process_spawn(&p, &(struct process_spec){.argv = argv, .netns_fd = from->fd});
	assert_true(process_wait(&p, BOUND_MS, &status));
	return status == 0;
}

static void test_cut_part_heal(void **state)
{
	struct redis_server server;
	struct netns n;

	(void)state;
	if (!netns_is_possible())
		skip();
	netns_open(&n, 3);
	redis_server_init(&server, &(struct redis_server_options){.host = &n.hosts[0]});
	redis_server_start(&server);
	assert_null(redis_try_connect_tcp(server.port, NULL));
	assert_true(reaches(&n.hosts[0], &server));
	assert_true(reaches(&n.hosts[1], &server));

	netns_cut(&n.hosts[0]);
	assert_false(reaches(&n.hosts[1], &server));
	assert_true(reaches(&n.hosts[0], &server));
	netns_heal(&n.hosts[0]);
	assert_becomes(reaches(&n.hosts[1], &server), BOUND_MS);

	netns_part(&n.hosts[0]);
	netns_part(&n.hosts[1]);
	assert_becomes(reaches(&n.hosts[1], &server), BOUND_MS);
	assert_false(reaches(&n.hosts[2], &server));
	netns_heal(&n.hosts[0]);
	assert_becomes(reaches(&n.hosts[2], &server), BOUND_MS);
	assert_false(reaches(&n.hosts[1], &server));
	netns_heal(&n.hosts[1]);
	assert_becomes(reaches(&n.hosts[1], &server), BOUND_MS);

	redis_server_remove(&server);
	netns_close(&n);
}

/* The primary that is cut off still answers here, by its unix socket. */
static void test_cluster_loses_a_host(void **state)
{
	struct redis_cluster_options options = {0};
	struct redis_cluster c;
	struct netns n;

	(void)state;
	if (!netns_is_possible())
		skip();
	netns_open(&n, 6);
	for (unsigned i = 0; i < n.count; i++)
		options.hosts[i] = &n.hosts[i];
	redis_cluster_open(&c, &options);
	netns_cut(&n.hosts[1]);
	assert_int_equal(redis_cluster_wait_successor(&c, 1), 4);
	assert_true(redis_server_info_is(&c.nodes[1], "replication", "role", "master"));
	assert_int_equal(redis_cluster_primary_of_shard(&c, 1), 4);
	netns_heal(&n.hosts[1]);
	redis_cluster_wait_well(&c);
	assert_true(redis_server_info_is(&c.nodes[1], "replication", "role", "slave"));
	redis_cluster_close(&c);
	netns_close(&n);
}

/* A primary and a Sentinel on one side, the rest on the other. */
static void test_sentinels_on_two_sides(void **state)
{
	struct redis_sentinels_options options = {0};
	struct redis_sentinels s;
	struct netns n;

	(void)state;
	if (!netns_is_possible())
		skip();
	netns_open(&n, 3);
	for (unsigned i = 0; i < n.count; i++)
		options.hosts[i] = options.sentinel_hosts[i] = &n.hosts[i];
	redis_sentinels_open(&s, &options);
	netns_part(&n.hosts[0]);
	assert_int_not_equal(redis_sentinels_wait_successor(&s, 0), 0);
	assert_true(redis_server_info_is(&s.nodes[0], "replication", "role", "master"));
	netns_heal(&n.hosts[0]);
	assert_becomes(redis_server_info_is(&s.nodes[0], "replication", "role", "slave"), 2 * BOUND_MS);
	redis_sentinels_close(&s);
	netns_close(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut_part_heal),
	    cmocka_unit_test(test_cluster_loses_a_host),
	    cmocka_unit_test(test_sentinels_on_two_sides),
	};

	if (!netns_is_possible())
		fprintf(stderr, "skipped: network namespaces need root and `ip`\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
