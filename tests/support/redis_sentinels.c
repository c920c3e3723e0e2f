/* The Sentinels start with files that name one another and the replicas, as files do that a Sentinel has rewritten: so
 * they need not wait for each other's greetings, which go out every 2 s.
 *
 * Everything is asked over unix sockets: TLS and network namespaces do not come between. */

#include "support/redis_sentinels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/file.h"
#include "support/wait.h"

#define DOWN_AFTER_DEFAULT_MS	    1000
#define FAILOVER_TIMEOUT_DEFAULT_MS 5000
/* A failover that came to nothing is tried again after twice its timeout. */
/* Sentinels that see the clock jump, as when the machine stood still, do nothing for 30 s (TILT). */
#define WELL_BOUND_MS (2 * BOUND_MS + 30000)
/* Six lines, and one for each node and Sentinel, of at most 1.2 KiB with the longest password. */
#define FILE_BYTES 8192

static void print_log(const struct redis_server *s, const char *what, unsigned number)
{
	char *words = redis_server_last_words(s);

	fprintf(stderr, "--- %s %u, port %u%s:\n%s\n", what, number, s->port,
		redis_server_is_live(s) ? "" : ", not live", words);
	free(words);
}

static void fail_with_logs(const struct redis_sentinels *s, const char *what) __attribute__((noreturn));
static void fail_with_logs(const struct redis_sentinels *s, const char *what)
{
	for (unsigned i = 0; i < s->count; i++)
		print_log(&s->nodes[i], "node", i);
	for (unsigned i = 0; i < s->sentinel_count; i++)
		print_log(&s->sentinels[i], "Sentinel", i);
	fail_msg("Sentinels: %s", what);
	abort();
}

/* Options of one server. */

static void add(struct redis_server_options *o, const char *word)
{
	size_t i = 0;

	while (i < REDIS_ARGS_MAX && o->args[i] != NULL)
		i++;
	assert_true(i < REDIS_ARGS_MAX);
	o->args[i] = word;
}

static void add_pair(struct redis_server_options *o, const char *option, const char *value)
{
	add(o, option);
	add(o, value);
}

static void init_node(struct redis_sentinels *s, unsigned node)
{
	const struct redis_sentinels_options *options = &s->options;
	struct redis_server_options o = {.password = options->password,
					 .user = options->user,
					 .tls = options->tls,
					 .is_mutual = options->is_mutual,
					 .host = options->hosts[node],
					 .may_load = true};

	add_pair(&o, "--repl-diskless-sync-delay", "0");
	if (options->password != NULL)
		add_pair(&o, "--masterauth", options->password);
	if (options->appendonly)
		add_pair(&o, "--appendonly", "yes");
	if (options->tls != NULL)
		add_pair(&o, "--tls-replication", "yes");
	for (size_t i = 0; i < REDIS_ARGS_MAX && options->args[i] != NULL; i++)
		add(&o, options->args[i]);
	redis_server_init(&s->nodes[node], &o);
}

/* The role and the like as it was last set by command: a node comes back as what it was. Written at the first start by
 * hand, kept by CONFIG REWRITE, which Sentinels ask for. */
static void init_node_file(struct redis_sentinels *s, unsigned node)
{
	struct redis_server *server = &s->nodes[node];
	char text[128] = "";

	tmpdir_file(&server->dir, "redis.conf", s->node_files[node]);
	server->options.file = s->node_files[node];
	if (node > 0)
		snprintf(text, sizeof(text), "replicaof %s %u\n", redis_server_address(&s->nodes[0]),
			 redis_server_service_port(&s->nodes[0]));
	file_write(s->node_files[node], text);
}

static void init_sentinel(struct redis_sentinels *s, unsigned sentinel)
{
	const struct redis_sentinels_options *options = &s->options;
	struct redis_server *server = &s->sentinels[sentinel];
	struct redis_server_options o = {.password = options->sentinel_password,
					 .tls = options->tls,
					 .is_mutual = options->is_mutual,
					 .host = options->sentinel_hosts[sentinel]};

	add(&o, "--sentinel");
	redis_server_init(server, &o);
	tmpdir_file(&server->dir, "sentinel.conf", s->sentinel_files[sentinel]);
	server->options.file = s->sentinel_files[sentinel];
}

/* A Sentinel's id: 40 hexadecimal digits. */
static void sentinel_id(unsigned sentinel, char out[static 41])
{
	snprintf(out, 41, "5e471e1%033x", sentinel + 1);
}

struct text {
	char bytes[FILE_BYTES];
	size_t used;
};

static void say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *format, ...)
{
	size_t room = sizeof(t->bytes) - t->used;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(t->bytes + t->used, room, format, args);
	va_end(args);
	assert_true(len >= 0 && (size_t)len < room);
	t->used += (size_t)len;
}

static void say_credentials(struct text *t, const struct redis_sentinels_options *o)
{
	if (o->password != NULL)
		say(t, "sentinel auth-pass " REDIS_SENTINEL_NAME " %s\n", o->password);
	if (o->sentinel_password != NULL)
		say(t, "sentinel sentinel-pass %s\n", o->sentinel_password);
	if (o->sentinel_user != NULL)
		say(t, "user %s on %s%s ~* &* +@all\n", o->sentinel_user, o->sentinel_password == NULL ? "nopass" : ">",
		    o->sentinel_password == NULL ? "" : o->sentinel_password);
	if (o->tls != NULL)
		say(t, "tls-replication yes\n");
}

static void write_sentinel_file(struct redis_sentinels *s, unsigned sentinel)
{
	const struct redis_sentinels_options *o = &s->options;
	struct text t = {.used = 0};
	char id[41];

	sentinel_id(sentinel, id);
	say(&t, "sentinel myid %s\n", id);
	say(&t, "sentinel monitor " REDIS_SENTINEL_NAME " %s %u %u\n", redis_server_address(&s->nodes[0]),
	    redis_server_service_port(&s->nodes[0]), s->sentinel_count / 2 + 1);
	say(&t, "sentinel down-after-milliseconds " REDIS_SENTINEL_NAME " %u\n",
	    o->down_after_ms == 0 ? DOWN_AFTER_DEFAULT_MS : o->down_after_ms);
	say(&t, "sentinel failover-timeout " REDIS_SENTINEL_NAME " %u\n",
	    o->failover_timeout_ms == 0 ? FAILOVER_TIMEOUT_DEFAULT_MS : o->failover_timeout_ms);
	say_credentials(&t, o);
	for (unsigned i = 1; i < s->count; i++)
		say(&t, "sentinel known-replica " REDIS_SENTINEL_NAME " %s %u\n", redis_server_address(&s->nodes[i]),
		    redis_server_service_port(&s->nodes[i]));
	for (unsigned i = 0; i < s->sentinel_count; i++) {
		sentinel_id(i, id);
		if (i != sentinel)
			say(&t, "sentinel known-sentinel " REDIS_SENTINEL_NAME " %s %u %s\n",
			    redis_server_address(&s->sentinels[i]), redis_server_service_port(&s->sentinels[i]), id);
	}
	file_write(s->sentinel_files[sentinel], t.bytes);
}

static void write_url(struct redis_sentinels *s)
{
	const struct redis_sentinels_options *o = &s->options;
	struct text t = {.used = 0};

	say(&t, "%s+sentinel://", o->tls != NULL ? "rediss" : "redis");
	if (o->password != NULL)
		say(&t, "%s:%s@", o->user == NULL ? "" : o->user, o->password);
	for (unsigned i = 0; i < s->sentinel_count; i++)
		say(&t, "%s%s:%u", i == 0 ? "" : ",", redis_server_address(&s->sentinels[i]),
		    redis_server_service_port(&s->sentinels[i]));
	say(&t, "/" REDIS_SENTINEL_NAME);
	assert_true(t.used < sizeof(s->url));
	memcpy(s->url, t.bytes, t.used + 1);
}

static void init(struct redis_sentinels *s, const struct redis_sentinels_options *options)
{
	const struct redis_sentinels_options *o = &s->options;

	*s = (struct redis_sentinels){0};
	if (options != NULL)
		s->options = *options;
	s->count = 1 + (o->replicas == 0 ? 2 : o->replicas);
	s->sentinel_count = o->sentinels == 0 ? 3 : o->sentinels;
	assert_true(s->count <= REDIS_SENTINEL_NODES_MAX && s->sentinel_count <= REDIS_SENTINELS_MAX);
	for (unsigned i = 0; i < s->count; i++) {
		init_node(s, i);
		init_node_file(s, i);
	}
	for (unsigned i = 0; i < s->sentinel_count; i++)
		init_sentinel(s, i);
	for (unsigned i = 0; i < s->sentinel_count; i++)
		write_sentinel_file(s, i);
	write_url(s);
}

static bool all_linked(const struct redis_sentinels *s)
{
	for (unsigned i = 1; i < s->count; i++)
		if (!redis_server_info_is(&s->nodes[i], "replication", "master_link_status", "up"))
			return false;
	return true;
}

void redis_sentinels_open(struct redis_sentinels *s, const struct redis_sentinels_options *options)
{
	init(s, options);
	for (unsigned i = 0; i < s->count; i++)
		redis_server_launch(&s->nodes[i]);
	for (unsigned i = 0; i < s->count; i++)
		redis_server_wait_up(&s->nodes[i]);
	/* First, so that no Sentinel learns of replicas that are not ready, and asks again only 10 s later. */
	if (!WAIT_FOR(all_linked(s), BOUND_MS))
		fail_with_logs(s, "replicas do not find their primary");
	for (unsigned i = 0; i < s->sentinel_count; i++)
		redis_server_launch(&s->sentinels[i]);
	for (unsigned i = 0; i < s->sentinel_count; i++)
		redis_server_wait_up(&s->sentinels[i]);
	redis_sentinels_wait_well(s);
}

void redis_sentinels_close(struct redis_sentinels *s)
{
	for (unsigned i = 0; i < s->sentinel_count; i++)
		redis_server_remove(&s->sentinels[i]);
	for (unsigned i = 0; i < s->count; i++)
		redis_server_remove(&s->nodes[i]);
	s->count = 0;
	s->sentinel_count = 0;
}

/* Observing. */

/* The value of a field in a flat array of names and values; NULL: not there. */
static const char *field(const redisReply *pairs, const char *name)
{
	for (size_t i = 0; i + 1 < pairs->elements; i += 2)
		if (strcmp(pairs->element[i]->str, name) == 0)
			return pairs->element[i + 1]->str;
	return NULL;
}

static bool field_is(const redisReply *pairs, const char *name, const char *value)
{
	const char *is = field(pairs, name);

	return is != NULL && strcmp(is, value) == 0;
}

static bool is_at(const redisReply *pairs, const struct redis_server *server)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", redis_server_service_port(server));
	return field_is(pairs, "ip", redis_server_address(server)) && field_is(pairs, "port", port);
}

/* The entry about the server in a list of them; NULL: none. */
static const redisReply *entry_of(const redisReply *list, const struct redis_server *server)
{
	for (size_t i = 0; list != NULL && list->type == REDIS_REPLY_ARRAY && i < list->elements; i++)
		if (is_at(list->element[i], server))
			return list->element[i];
	return NULL;
}

struct opinion {
	int primary; /* node number; -1: none of ours */
	long long epoch;
	bool is_healthy;
};

static bool get_opinion(const struct redis_sentinels *s, unsigned sentinel, struct opinion *ret)
{
	redisReply *master = redis_server_try(&s->sentinels[sentinel], "SENTINEL MASTER " REDIS_SENTINEL_NAME);
	const char *epoch = NULL;

	if (master != NULL && master->type == REDIS_REPLY_ARRAY)
		epoch = field(master, "config-epoch");
	if (epoch == NULL) {
		freeReplyObject(master);
		return false;
	}
	*ret = (struct opinion){
	    .primary = -1, .epoch = strtoll(epoch, NULL, 10), .is_healthy = field_is(master, "flags", "master")};
	for (unsigned i = 0; i < s->count; i++)
		if (is_at(master, &s->nodes[i]))
			ret->primary = (int)i;
	freeReplyObject(master);
	return true;
}

static bool sees_replicas(const struct redis_sentinels *s, unsigned sentinel, int primary)
{
	redisReply *list = redis_server_try(&s->sentinels[sentinel], "SENTINEL REPLICAS " REDIS_SENTINEL_NAME);
	bool is_so = list != NULL;

	for (unsigned i = 0; is_so && i < s->count; i++) {
		const redisReply *entry = entry_of(list, &s->nodes[i]);

		if ((int)i == primary || !redis_server_is_live(&s->nodes[i]))
			continue;
		is_so = entry != NULL && field_is(entry, "flags", "slave") &&
			redis_server_info_is(&s->nodes[i], "replication", "master_link_status", "up");
	}
	freeReplyObject(list);
	return is_so;
}

static bool sees_sentinels(const struct redis_sentinels *s, unsigned sentinel)
{
	redisReply *list = redis_server_try(&s->sentinels[sentinel], "SENTINEL SENTINELS " REDIS_SENTINEL_NAME);
	bool is_so = list != NULL;

	for (unsigned i = 0; is_so && i < s->sentinel_count; i++) {
		const redisReply *entry = entry_of(list, &s->sentinels[i]);

		if (i != sentinel && redis_server_is_live(&s->sentinels[i]))
			is_so = entry != NULL && field_is(entry, "flags", "sentinel");
	}
	freeReplyObject(list);
	return is_so;
}

bool redis_sentinels_are_well(const struct redis_sentinels *s)
{
	int primary = redis_sentinels_primary(s);

	if (primary < 0)
		return false;
	for (unsigned i = 0; i < s->sentinel_count; i++) {
		struct opinion opinion;

		if (!redis_server_is_live(&s->sentinels[i]))
			continue;
		if (!get_opinion(s, i, &opinion) || !opinion.is_healthy || opinion.primary != primary)
			return false;
		if (!sees_sentinels(s, i) || !sees_replicas(s, i, primary))
			return false;
	}
	return true;
}

void redis_sentinels_wait_well(const struct redis_sentinels *s)
{
	if (!WAIT_FOR(redis_sentinels_are_well(s), WELL_BOUND_MS))
		fail_with_logs(s, "not well");
}

int redis_sentinels_primary(const struct redis_sentinels *s)
{
	struct opinion newest = {.primary = -1, .epoch = -1};

	for (unsigned i = 0; i < s->sentinel_count; i++) {
		struct opinion opinion;

		if (redis_server_is_live(&s->sentinels[i]) && get_opinion(s, i, &opinion) &&
		    opinion.epoch > newest.epoch)
			newest = opinion;
	}
	if (newest.primary < 0 || !redis_server_is_live(&s->nodes[newest.primary]))
		return -1;
	return redis_server_info_is(&s->nodes[newest.primary], "replication", "role", "master") ? newest.primary : -1;
}

/* A Sentinel that the others cannot reach, cut off with the old primary, does not count: more than half must. */
static bool most_name(const struct redis_sentinels *s, int primary)
{
	unsigned naming = 0;
	unsigned live = 0;

	for (unsigned i = 0; i < s->sentinel_count; i++) {
		struct opinion opinion;

		if (!redis_server_is_live(&s->sentinels[i]))
			continue;
		live++;
		naming += get_opinion(s, i, &opinion) && opinion.primary == primary;
	}
	return naming > live / 2;
}

static int successor_of(const struct redis_sentinels *s, unsigned old_primary)
{
	int now = redis_sentinels_primary(s);

	return now >= 0 && (unsigned)now != old_primary && most_name(s, now) ? now : -1;
}

unsigned redis_sentinels_wait_successor(const struct redis_sentinels *s, unsigned old_primary)
{
	int successor;

	if (!WAIT_FOR((successor = successor_of(s, old_primary)) >= 0, WELL_BOUND_MS))
		fail_with_logs(s, "nobody took over from a lost primary");
	return (unsigned)successor;
}

/* Refused with INPROG while an earlier failover is not over, and with NOGOODSLAVE until replicas have been looked at. */
static bool begins_failover(struct redis_sentinels *s)
{
	unsigned sentinel = 0;
	redisReply *reply;
	bool has_begun;

	while (sentinel + 1 < s->sentinel_count && !redis_server_is_live(&s->sentinels[sentinel]))
		sentinel++;
	reply = redis_server_try(&s->sentinels[sentinel], "SENTINEL FAILOVER " REDIS_SENTINEL_NAME);
	has_begun = reply != NULL && reply->type == REDIS_REPLY_STATUS;
	freeReplyObject(reply);
	return has_begun;
}

unsigned redis_sentinels_failover(struct redis_sentinels *s)
{
	int old_primary = redis_sentinels_primary(s);

	if (old_primary < 0)
		fail_with_logs(s, "without a primary there is no failover in good order");
	if (!WAIT_FOR(begins_failover(s), WELL_BOUND_MS))
		fail_with_logs(s, "SENTINEL FAILOVER is refused");
	return redis_sentinels_wait_successor(s, (unsigned)old_primary);
}

/* Faults. */

REDIS_SERVER_FORWARD(redis_sentinels, kill, , nodes)
REDIS_SERVER_FORWARD(redis_sentinels, stop, , nodes)
REDIS_SERVER_FORWARD(redis_sentinels, start, , nodes)
REDIS_SERVER_FORWARD(redis_sentinels, freeze, , nodes)
REDIS_SERVER_FORWARD(redis_sentinels, thaw, , nodes)
REDIS_SERVER_FORWARD(redis_sentinels, kill, _sentinel, sentinels)
REDIS_SERVER_FORWARD(redis_sentinels, start, _sentinel, sentinels)
REDIS_SERVER_FORWARD(redis_sentinels, freeze, _sentinel, sentinels)
REDIS_SERVER_FORWARD(redis_sentinels, thaw, _sentinel, sentinels)
