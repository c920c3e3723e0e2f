/* Made by hand rather than by `redis-cli --cluster create`, which takes three times as long: slots, epochs and meetings
 * by command, while the servers wait out the 2 s that a primary refuses writes after its start.
 *
 * Everything is asked over unix sockets: TLS, relays and network namespaces do not come between. Nodes are told apart by
 * their ids, not by addresses. */

#include "support/redis_cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster_view.h"
#include "support/port.h"
#include "support/wait.h"

/* A machine that stands still for a moment makes nodes fail each other, and each verdict takes its time to be undone. */
#define WELL_BOUND_MS		(3 * BOUND_MS)
#define NODE_TIMEOUT_DEFAULT_MS 1000

static void fail_with_logs(const struct redis_cluster *c, const char *what) __attribute__((noreturn));
static void fail_with_logs(const struct redis_cluster *c, const char *what)
{
	for (unsigned i = 0; i < c->count; i++) {
		char *words = redis_server_last_words(&c->nodes[i]);

		fprintf(stderr, "--- node %u, port %u%s:\n%s\n", i, c->nodes[i].port,
			redis_server_is_live(&c->nodes[i]) ? "" : ", not live", words);
		free(words);
	}
	fail_msg("Redis Cluster: %s", what);
	abort();
}

/* Options of one server. */

static void add(struct redis_server_options *o, const char *option, const char *value)
{
	size_t i = 0;

	while (i < REDIS_ARGS_MAX && o->args[i] != NULL)
		i++;
	assert_true(i + 2 <= REDIS_ARGS_MAX);
	o->args[i] = option;
	o->args[i + 1] = value;
}

static void add_own(const struct redis_cluster *c, struct redis_server_options *o)
{
	size_t used = 0;

	while (used < REDIS_ARGS_MAX && o->args[used] != NULL)
		used++;
	for (size_t i = 0; i < REDIS_ARGS_MAX && c->options.args[i] != NULL; i++) {
		assert_true(used < REDIS_ARGS_MAX);
		o->args[used++] = c->options.args[i];
	}
}

static void init_node(struct redis_cluster *c, unsigned node)
{
	const struct redis_cluster_options *options = &c->options;
	struct redis_server_options o = {.password = options->password,
					 .user = options->user,
					 .tls = options->tls,
					 .is_mutual = options->is_mutual,
					 .host = options->hosts[node],
					 .may_load = true};

	add(&o, "--cluster-enabled", "yes");
	add(&o, "--cluster-node-timeout", c->node_timeout);
	add(&o, "--cluster-port", c->bus[node]);
	/* Shards keep their nodes, so that numbers mean something. */
	add(&o, "--cluster-allow-replica-migration", "no");
	add(&o, "--repl-diskless-sync-delay", "0");
	if (options->password != NULL)
		add(&o, "--masterauth", options->password);
	if (options->appendonly)
		add(&o, "--appendonly", "yes");
	if (options->tls != NULL) {
		add(&o, "--tls-cluster", "yes");
		add(&o, "--tls-replication", "yes");
	}
	if (options->has_relays) {
		add(&o, options->tls != NULL ? "--cluster-announce-tls-port" : "--cluster-announce-port",
		    c->announced[node]);
		add(&o, "--cluster-announce-bus-port", c->bus[node]);
	}
	add_own(c, &o);
	snprintf(c->bus[node], sizeof(c->bus[node]), "%u", port_free());
	redis_server_init(&c->nodes[node], &o);
}

static void init_door(struct redis_cluster *c, unsigned node)
{
	uint16_t port = redis_server_service_port(&c->nodes[node]);

	if (c->options.has_relays) {
		c->relays[node] = relay_open(port);
		port = relay_port(c->relays[node]);
	}
	snprintf(c->announced[node], sizeof(c->announced[node]), "%u", port);
}

static void write_url(struct redis_cluster *c)
{
	const struct redis_cluster_options *o = &c->options;
	int used = snprintf(c->url, sizeof(c->url), "%s+cluster://", o->tls != NULL ? "rediss" : "redis");

	if (o->password != NULL)
		used += snprintf(c->url + used, sizeof(c->url) - (size_t)used, "%s:%s@", o->user == NULL ? "" : o->user,
				 o->password);
	for (unsigned i = 0; i < c->count; i++) {
		used += snprintf(c->url + used, sizeof(c->url) - (size_t)used, "%s%s:%s", i == 0 ? "" : ",",
				 redis_server_address(&c->nodes[i]), c->announced[i]);
		assert_true((size_t)used < sizeof(c->url));
	}
}

static void init(struct redis_cluster *c, const struct redis_cluster_options *options)
{
	const struct redis_cluster_options *o = &c->options;
	unsigned replicas;

	*c = (struct redis_cluster){0};
	if (options != NULL)
		c->options = *options;
	replicas = o->has_no_replicas ? 0 : o->replicas == 0 ? 1 : o->replicas;
	c->shards = o->shards == 0 ? 3 : o->shards;
	c->count = c->shards * (1 + replicas);
	assert_true(c->count <= REDIS_CLUSTER_NODES_MAX);
	snprintf(c->node_timeout, sizeof(c->node_timeout), "%u",
		 o->node_timeout_ms == 0 ? NODE_TIMEOUT_DEFAULT_MS : o->node_timeout_ms);
	for (unsigned i = 0; i < c->count; i++) {
		init_node(c, i);
		init_door(c, i);
	}
	write_url(c);
}

/* Making a cluster of servers that have just started. */

static void learn_id(struct redis_cluster *c, unsigned node)
{
	redisReply *reply = redis_server_command(&c->nodes[node], "CLUSTER MYID");

	snprintf(c->ids[node], sizeof(c->ids[node]), "%s", reply->str);
	freeReplyObject(reply);
}

static void give_slots(struct redis_cluster *c, unsigned shard)
{
	unsigned first = shard * REDIS_CLUSTER_SLOTS / c->shards;
	unsigned last = (shard + 1) * REDIS_CLUSTER_SLOTS / c->shards - 1;

	freeReplyObject(redis_server_command(&c->nodes[shard], "CLUSTER ADDSLOTSRANGE %u %u", first, last));
}

static void introduce(struct redis_cluster *c, unsigned node)
{
	/* Each to each: gossip would take its time. */
	for (unsigned other = 0; other < node; other++)
		freeReplyObject(redis_server_command(&c->nodes[node], "CLUSTER MEET %s %s %s",
						     redis_server_address(&c->nodes[other]), c->announced[other],
						     c->bus[other]));
}

static bool all_know_all(const struct redis_cluster *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct cluster_view view;

		if (!cluster_view_get(c, i, &view))
			return false;
		for (unsigned other = 0; other < c->count; other++)
			if (!view.members[other].is_known)
				return false;
	}
	return true;
}

static void form(struct redis_cluster *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		learn_id(c, i);
		freeReplyObject(redis_server_command(&c->nodes[i], "CLUSTER SET-CONFIG-EPOCH %u", i + 1));
	}
	for (unsigned shard = 0; shard < c->shards; shard++)
		give_slots(c, shard);
	for (unsigned i = 1; i < c->count; i++)
		introduce(c, i);
	if (!WAIT_FOR(all_know_all(c), WELL_BOUND_MS))
		fail_with_logs(c, "the nodes do not get to know each other");
	assert(c->shards > 0);
	for (unsigned i = c->shards; i < c->count; i++)
		freeReplyObject(redis_server_command(&c->nodes[i], "CLUSTER REPLICATE %s", c->ids[i % c->shards]));
}

static bool all_linked(const struct redis_cluster *c)
{
	for (unsigned i = c->shards; i < c->count; i++)
		if (!redis_server_info_is(&c->nodes[i], "replication", "master_link_status", "up"))
			return false;
	return true;
}

/* A replica is not named in CLUSTER SLOTS before its primary has sent it something: 10 s, if left alone. */
static void send_something(struct redis_cluster *c)
{
	if (!WAIT_FOR(all_linked(c), WELL_BOUND_MS))
		fail_with_logs(c, "replicas do not find their primaries");
	for (unsigned shard = 0; shard < c->shards; shard++)
		freeReplyObject(redis_server_command(&c->nodes[shard], "FLUSHALL"));
}

void redis_cluster_open(struct redis_cluster *c, const struct redis_cluster_options *options)
{
	init(c, options);
	for (unsigned i = 0; i < c->count; i++)
		redis_server_launch(&c->nodes[i]);
	for (unsigned i = 0; i < c->count; i++)
		redis_server_wait_up(&c->nodes[i]);
	form(c);
	send_something(c);
	redis_cluster_wait_well(c);
}

void redis_cluster_close(struct redis_cluster *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		relay_close(&c->relays[i]);
		redis_server_remove(&c->nodes[i]);
	}
	c->count = 0;
}

/* Observing. */

static bool is_live(const struct redis_cluster *c, unsigned node)
{
	return redis_server_is_live(&c->nodes[node]);
}

static bool says_ok(const struct redis_cluster *c, unsigned node)
{
	redisReply *reply = redis_server_try(&c->nodes[node], "CLUSTER INFO");
	bool is_ok = reply != NULL && reply->type == REDIS_REPLY_STRING &&
		     strncmp(reply->str, "cluster_state:ok", strlen("cluster_state:ok")) == 0;

	freeReplyObject(reply);
	return is_ok;
}

static bool has_id(const redisReply *range, const char *id)
{
	for (size_t i = 2; i < range->elements; i++) {
		const redisReply *node = range->element[i];

		if (node->elements >= 3 && strcmp(node->element[2]->str, id) == 0)
			return true;
	}
	return false;
}

/* CLUSTER SLOTS of the node names it, as primary or replica. */
static bool names(const redisReply *ranges, const char *id)
{
	for (size_t i = 0; i < ranges->elements; i++)
		if (has_id(ranges->element[i], id))
			return true;
	return false;
}

/* Those without slots, and their replicas, are not named. */
static bool names_all(const struct redis_cluster *c, unsigned node, const struct cluster_view *view)
{
	redisReply *ranges = redis_server_try(&c->nodes[node], "CLUSTER SLOTS");
	bool is_so = ranges != NULL && ranges->type == REDIS_REPLY_ARRAY;

	for (unsigned i = 0; is_so && i < c->count; i++) {
		int primary = redis_cluster_primary_of_shard(c, redis_cluster_shard_of(c, i));

		if (is_live(c, i) && primary >= 0 && view->members[primary].slots > 0)
			is_so = names(ranges, c->ids[i]);
	}
	freeReplyObject(ranges);
	return is_so;
}

static bool is_linked(const struct redis_cluster *c, unsigned node)
{
	const struct redis_server *s = &c->nodes[node];

	return redis_server_info_is(s, "replication", "role", "master") ||
	       redis_server_info_is(s, "replication", "master_link_status", "up");
}

static bool sees_health(const struct redis_cluster *c, const struct cluster_view *view)
{
	for (unsigned i = 0; i < c->count; i++)
		if (is_live(c, i) && !view->members[i].is_healthy)
			return false;
	for (unsigned slot = 0; slot < REDIS_CLUSTER_SLOTS; slot++)
		if (view->owners[slot] < 0 || !is_live(c, (unsigned)view->owners[slot]))
			return false;
	return true;
}

/* first: the view to agree with; filled when it is this node's. */
static bool node_is_well(const struct redis_cluster *c, unsigned node, struct cluster_view *first, bool *has_first)
{
	struct cluster_view view;

	if (!says_ok(c, node) || !is_linked(c, node) || !cluster_view_get(c, node, &view) || !sees_health(c, &view))
		return false;
	if (!*has_first)
		*first = view;
	*has_first = true;
	return memcmp(first->owners, view.owners, sizeof(view.owners)) == 0 && names_all(c, node, &view);
}

bool redis_cluster_is_well(const struct redis_cluster *c)
{
	struct cluster_view first;
	bool has_first = false;

	for (unsigned i = 0; i < c->count; i++)
		if (is_live(c, i) && !node_is_well(c, i, &first, &has_first))
			return false;
	return has_first;
}

void redis_cluster_wait_well(const struct redis_cluster *c)
{
	if (!WAIT_FOR(redis_cluster_is_well(c), WELL_BOUND_MS))
		fail_with_logs(c, "not well");
}

unsigned redis_cluster_shard_of(const struct redis_cluster *c, unsigned node)
{
	return node % c->shards;
}

/* Which live nodes call themselves primaries, and where: slot -1 asks for any. Of two the one with the higher epoch. */
static int primary_of(const struct redis_cluster *c, int slot, int shard)
{
	long long epoch = -1;
	int found = -1;

	for (unsigned i = 0; i < c->count; i++) {
		const struct cluster_member *self;
		struct cluster_view view;

		if (shard >= 0 && redis_cluster_shard_of(c, i) != (unsigned)shard)
			continue;
		if (!is_live(c, i) || !cluster_view_get(c, i, &view))
			continue;
		self = &view.members[i];
		if (!self->is_primary || self->epoch <= epoch || (slot >= 0 && view.owners[slot] != (int)i))
			continue;
		epoch = self->epoch;
		found = (int)i;
	}
	return found;
}

int redis_cluster_primary_of_slot(const struct redis_cluster *c, unsigned slot)
{
	assert_true(slot < REDIS_CLUSTER_SLOTS);
	return primary_of(c, (int)slot, -1);
}

int redis_cluster_primary_of_shard(const struct redis_cluster *c, unsigned shard)
{
	assert_true(shard < c->shards);
	return primary_of(c, -1, (int)shard);
}

unsigned redis_cluster_slot_of_key(const struct redis_cluster *c, const char *key)
{
	unsigned node = 0;
	redisReply *reply;
	unsigned slot;

	while (node + 1 < c->count && !is_live(c, node))
		node++;
	reply = redis_server_command(&c->nodes[node], "CLUSTER KEYSLOT %s", key);
	slot = (unsigned)reply->integer;
	freeReplyObject(reply);
	return slot;
}

int redis_cluster_first_slot(const struct redis_cluster *c, unsigned node)
{
	struct cluster_view view;

	if (!cluster_view_get(c, node, &view))
		return -1;
	for (int slot = 0; slot < REDIS_CLUSTER_SLOTS; slot++)
		if (view.owners[slot] == (int)node)
			return slot;
	return -1;
}

redisReply *redis_cluster_command(const struct redis_cluster *c, const char *key, const char *format, ...)
{
	int node = redis_cluster_primary_of_slot(c, redis_cluster_slot_of_key(c, key));
	redisReply *reply;
	redisContext *to;
	va_list args;

	if (node < 0)
		fail_with_logs(c, "a slot has no primary");
	to = redis_server_connect(&c->nodes[node]);
	va_start(args, format);
	reply = redisvCommand(to, format, args);
	va_end(args);
	if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
		fail_msg("%s at node %d: %s", format, node, reply == NULL ? to->errstr : reply->str);
	redisFree(to);
	return reply;
}

/* Faults. */

REDIS_SERVER_FORWARD(redis_cluster, kill, , nodes)
REDIS_SERVER_FORWARD(redis_cluster, stop, , nodes)
REDIS_SERVER_FORWARD(redis_cluster, start, , nodes)
REDIS_SERVER_FORWARD(redis_cluster, freeze, , nodes)
REDIS_SERVER_FORWARD(redis_cluster, thaw, , nodes)

/* Those that the new primary cannot reach, cut off with the old one, are not waited for. */
static bool all_know_primary(const struct redis_cluster *c, unsigned primary)
{
	struct cluster_view seen;

	if (!cluster_view_get(c, primary, &seen) || !says_ok(c, primary))
		return false;
	for (unsigned i = 0; i < c->count; i++) {
		struct cluster_view view;

		if (!is_live(c, i) || !seen.members[i].is_healthy)
			continue;
		if (!cluster_view_get(c, i, &view) || !view.members[primary].is_primary || !says_ok(c, i))
			return false;
	}
	return true;
}

static int successor_of(const struct redis_cluster *c, unsigned old_primary)
{
	int now = redis_cluster_primary_of_shard(c, redis_cluster_shard_of(c, old_primary));

	return now >= 0 && (unsigned)now != old_primary && all_know_primary(c, (unsigned)now) ? now : -1;
}

unsigned redis_cluster_wait_successor(const struct redis_cluster *c, unsigned old_primary)
{
	int successor;

	if (!WAIT_FOR((successor = successor_of(c, old_primary)) >= 0, WELL_BOUND_MS))
		fail_with_logs(c, "nobody took over from a lost primary");
	return (unsigned)successor;
}

static int linked_replica(const struct redis_cluster *c, unsigned shard)
{
	for (unsigned i = shard; i < c->count; i += c->shards)
		if (is_live(c, i) && redis_server_info_is(&c->nodes[i], "replication", "master_link_status", "up"))
			return (int)i;
	return -1;
}

/* A failover that meets another election, or a primary that does not pause in time, comes to nothing: asked again. */
static bool fails_over(struct redis_cluster *c, unsigned shard, unsigned old_primary)
{
	int replica = linked_replica(c, shard);

	if (replica < 0)
		return false;
	freeReplyObject(redis_server_try(&c->nodes[replica], "CLUSTER FAILOVER"));
	return WAIT_FOR(redis_cluster_primary_of_shard(c, shard) != (int)old_primary, 6000);
}

unsigned redis_cluster_failover(struct redis_cluster *c, unsigned shard)
{
	int old_primary = redis_cluster_primary_of_shard(c, shard);

	if (old_primary < 0)
		fail_with_logs(c, "a shard without a primary cannot be failed over in good order");
	if (!WAIT_FOR(fails_over(c, shard, (unsigned)old_primary), WELL_BOUND_MS))
		fail_with_logs(c, "CLUSTER FAILOVER came to nothing");
	return redis_cluster_wait_successor(c, (unsigned)old_primary);
}
