/* Slots are moved as redis-cli's reshard does: importing there, migrating here, the keys, and then the new owner's name
 * everywhere, at the new owner first. Each step can be done again, which is what mends a move that was stopped. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster_view.h"
#include "support/redis_cluster.h"
#include "support/wait.h"

#define KEYS_A_BATCH_DEFAULT 16
#define MIGRATE_TIMEOUT_MS   "5000"
/* MIGRATE host port "" 0 timeout REPLACE AUTH2 user password KEYS */
#define MIGRATE_WORDS 11
#define KEYS_MAX      256

struct mover {
	struct redis_cluster *c;
	const struct redis_cluster_move *move;
	redisContext *nodes[REDIS_CLUSTER_NODES_MAX]; /* NULL: not live */
	struct cluster_view from;		      /* at the start, as the two see it */
	struct cluster_view to;
	bool is_primary[REDIS_CLUSTER_NODES_MAX];
	unsigned moved;
};

static redisReply *must(redisContext *c, redisReply *reply, const char *what)
{
	if (reply == NULL)
		fail_msg("%s: %s", what, c->errstr);
	if (reply->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", what, reply->str);
	return reply;
}

static void set_slot(struct mover *m, unsigned node, unsigned slot, const char *what, unsigned other)
{
	redisContext *c = m->nodes[node];

	freeReplyObject(must(c, redisCommand(c, "CLUSTER SETSLOT %u %s %s", slot, what, m->c->ids[other]), what));
}

static bool goes_on(const struct mover *m)
{
	return m->move->goes_on == NULL || m->move->goes_on(m->move->owner, m->moved);
}

static void migrate(struct mover *m, const redisReply *keys)
{
	const struct redis_server *target = &m->c->nodes[m->move->to];
	const struct redis_cluster_options *o = &m->c->options;
	const char *words[MIGRATE_WORDS + KEYS_MAX] = {"MIGRATE", redis_server_address(target), NULL,	  "",
						       "0",	  MIGRATE_TIMEOUT_MS,		"REPLACE"};
	size_t lengths[MIGRATE_WORDS + KEYS_MAX];
	redisContext *from = m->nodes[m->move->from];
	size_t count = 7;
	char port[8];

	snprintf(port, sizeof(port), "%u", redis_server_service_port(target));
	words[2] = port;
	if (o->password != NULL) {
		words[count++] = "AUTH2";
		words[count++] = o->user == NULL ? "default" : o->user;
		words[count++] = o->password;
	}
	words[count++] = "KEYS";
	for (size_t i = 0; i < count; i++)
		lengths[i] = strlen(words[i]);
	for (size_t i = 0; i < keys->elements; i++, count++) {
		words[count] = keys->element[i]->str;
		lengths[count] = keys->element[i]->len;
	}
	freeReplyObject(must(from, redisCommandArgv(from, (int)count, words, lengths), "MIGRATE"));
}

/* False: stopped. */
static bool move_keys(struct mover *m, unsigned slot)
{
	unsigned batch = m->move->keys_a_batch == 0 ? KEYS_A_BATCH_DEFAULT : m->move->keys_a_batch;
	redisContext *from = m->nodes[m->move->from];

	assert_true(batch <= KEYS_MAX);
	for (;;) {
		redisReply *keys = must(from, redisCommand(from, "CLUSTER GETKEYSINSLOT %u %u", slot, batch), "keys");
		size_t count = keys->elements;
		bool is_stopped = count > 0 && !goes_on(m);

		if (count > 0 && !is_stopped)
			migrate(m, keys);
		freeReplyObject(keys);
		if (count == 0 || is_stopped)
			return !is_stopped;
	}
}

static void name_owner(struct mover *m, unsigned slot)
{
	unsigned to = m->move->to;

	set_slot(m, to, slot, "NODE", to);
	set_slot(m, m->move->from, slot, "NODE", to);
	for (unsigned i = 0; i < m->c->count; i++)
		if (i != to && i != m->move->from && m->is_primary[i])
			set_slot(m, i, slot, "NODE", to);
}

static bool move_slot(struct mover *m, unsigned slot)
{
	unsigned from = m->move->from;
	unsigned to = m->move->to;
	bool is_there = m->to.owners[slot] == (int)to;

	if (!is_there && m->from.owners[slot] != (int)from)
		fail_msg("slot %u is node %d's, not node %u's", slot, m->from.owners[slot], from);
	/* Killed after the keys and before all were told: only the rest is left to do. */
	if (is_there && m->from.owners[slot] == (int)to)
		return true;
	if (!is_there) {
		set_slot(m, to, slot, "IMPORTING", from);
		set_slot(m, from, slot, "MIGRATING", to);
		if (!move_keys(m, slot))
			return false;
	}
	name_owner(m, slot);
	return true;
}

static void mover_open(struct mover *m, struct redis_cluster *c, const struct redis_cluster_move *move)
{
	*m = (struct mover){.c = c, .move = move};
	if (!cluster_view_get(c, move->from, &m->from) || !cluster_view_get(c, move->to, &m->to))
		fail_msg("node %u or %u does not answer", move->from, move->to);
	for (unsigned i = 0; i < c->count; i++) {
		if (!redis_server_is_live(&c->nodes[i]))
			continue;
		m->nodes[i] = redis_server_connect(&c->nodes[i]);
		m->is_primary[i] = m->to.members[i].is_primary;
	}
}

static void mover_close(struct mover *m)
{
	for (unsigned i = 0; i < m->c->count; i++)
		if (m->nodes[i] != NULL)
			redisFree(m->nodes[i]);
}

bool redis_cluster_move_slots(struct redis_cluster *c, const struct redis_cluster_move *move)
{
	struct mover m;
	bool is_done = true;

	assert_true(move->last < REDIS_CLUSTER_SLOTS);
	mover_open(&m, c, move);
	for (unsigned slot = move->first; slot <= move->last && is_done; slot++) {
		is_done = goes_on(&m) && move_slot(&m, slot);
		m.moved += is_done;
	}
	mover_close(&m);
	return is_done;
}
