/* How far behind. Clocks are not compared, nor is what Redis says of seconds: the primary is asked for its offset in the
 * stream of replication, and what it answers to a question of the moment T it had written by some moment after T. A
 * replica of the same stream that turns out to have applied as much has all that the primary had at T. From then on its
 * staleness at the moment t is at most t - T, until a later question shows better. Both are asked every POLL_MS.
 *
 * A replica's connection of this kind is opened with READONLY, and is used for nothing else: were it a primary's, a
 * demoted one would go on answering reads instead of saying MOVED.
 *
 * The topology's lock guards what is polled; commands only read atomics. */

#include "redis/replica.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "redis/op.h"
#include "redis/router.h"

#define POLL_MS 250U

struct replica {
	struct node *node;
	struct connection_options options;
	struct connection_hooks hooks;
	connection *reader;
	atomic_uint_fast64_t fresh_ms; /* when it was not behind; 0: not known */

	/* The topology's lock guards the rest. */
	uint64_t written_ms; /* as a primary: it had written `written` by some moment after that */
	uint64_t written;
	char stream[REDIS_RUN_ID_BYTES];
	struct store_op poll;
	bool is_polling;
	bool is_polled_as_replica;
	uint64_t polled_ms;
};

static void take_written_locked(struct replica *r, const struct info *info)
{
	r->written = info->offset;
	r->written_ms = r->polled_ms;
	memcpy(r->stream, info->replication, sizeof(r->stream));
}

static void take_applied_locked(struct replica *r, const struct info *info)
{
	const struct replica *primary = r->node->primary == NULL ? NULL : r->node->primary->replica;

	if (primary == NULL || primary->written_ms == 0 || info->role != ROLE_REPLICA)
		return;
	if (strcmp(primary->stream, info->replication) == 0 && info->offset >= primary->written)
		atomic_store(&r->fresh_ms, primary->written_ms);
}

static void poll_done(struct store_op *op, const struct store_result *result)
{
	struct replica *r = (struct replica *)(void *)((uint8_t *)op - offsetof(struct replica, poll));
	struct topology *t = r->node->topology;
	struct info info = {0};

	if (result->outcome == STORE_REPLIED && result->reply->type == STORE_STRING)
		info_read(result->reply->string, &info);
	topology_lock(t);
	r->is_polling = false;
	if (info.has_offset && r->is_polled_as_replica)
		take_applied_locked(r, &info);
	else if (info.has_offset && info.role == ROLE_PRIMARY)
		take_written_locked(r, &info);
	topology_unlock(t);
}

/* ---- The reader's hooks ---- */

static void on_greeted(void *owner, const struct greeting_result *greeted)
{
	(void)owner;
	(void)greeted;
}

static void on_changed(void *owner, bool is_ready)
{
	struct replica *r = owner;

	if (!is_ready)
		atomic_store(&r->fresh_ms, 0);
}

static void on_finished(void *owner, struct store_op *op, enum store_outcome outcome, const struct store_reply *reply,
			uint64_t now_ms)
{
	struct replica *r = owner;

	router_finished(r->node, op, outcome, reply, now_ms);
}

/* ---- Reading ---- */

static bool send(struct replica *r, struct store_op *op, uint64_t now_ms)
{
	struct resp_request request;

	op->node = r->node;
	op->tenure = atomic_load(&r->node->tenure);
	op->store_flags |= OP_OF_REPLICA;
	resp_encode(&op->command, RESP_BY_HASH_READ_ONLY, &request);
	return connection_submit(r->reader, op, &request, now_ms) == CONNECTION_SENT;
}

static bool is_fresh_enough(const struct replica *r, uint32_t staleness_ms, uint64_t now_ms)
{
	uint64_t lag_ms;

	return replica_lag(r, now_ms, &lag_ms) && lag_ms <= staleness_ms;
}

bool replica_submit(struct topology *t, struct store_op *op, uint64_t now_ms)
{
	const uint32_t most_ms = t->options->replica_lag_max_ms;
	const uint32_t staleness_ms = op->command.staleness_ms < most_ms ? op->command.staleness_ms : most_ms;
	struct node *owner = topology_owner(t, op->slot);
	uint32_t start;

	if (most_ms == 0 || op->command.is_write || owner == NULL || now_ms >= op->deadline_ms)
		return false;
	start = arc4random_uniform(NODE_REPLICAS_MAX);
	for (uint32_t i = 0; i < NODE_REPLICAS_MAX; i++) {
		struct node *n = atomic_load(&owner->replicas[(start + i) % NODE_REPLICAS_MAX]);

		if (n != NULL && is_fresh_enough(n->replica, staleness_ms, now_ms) && send(n->replica, op, now_ms))
			return true;
	}
	op->store_flags &= ~OP_OF_REPLICA;
	return false;
}

bool replica_lag(const struct replica *r, uint64_t now_ms, uint64_t *ret_ms)
{
	const uint64_t fresh_ms = atomic_load(&r->fresh_ms);

	if (fresh_ms == 0 || now_ms < fresh_ms)
		return false;
	*ret_ms = now_ms - fresh_ms;
	return true;
}

/* ---- Upkeep ---- */

static bool is_replica_locked(const struct node *n)
{
	return node_term(n) == TERM_IDLE && n->primary != NULL && node_term(n->primary) == TERM_SERVING;
}

static void list_replicas_locked(struct node *n)
{
	const struct topology *t = n->topology;
	size_t listed = 0;

	for (size_t i = 0; i < t->count && listed < NODE_REPLICAS_MAX; i++) {
		if (t->nodes[i]->primary == n && is_replica_locked(t->nodes[i]))
			atomic_store(&n->replicas[listed++], t->nodes[i]);
	}
	while (listed < NODE_REPLICAS_MAX)
		atomic_store(&n->replicas[listed++], NULL);
}

static bool is_poll_due_locked(struct replica *r, uint64_t now_ms)
{
	struct node *n = r->node;
	const bool is_primary = node_term(n) == TERM_SERVING;

	if (now_ms < r->polled_ms + POLL_MS)
		return false;
	if (is_primary || n->slots == 0)
		list_replicas_locked(n);
	if (r->is_polling || (!is_primary && !is_replica_locked(n)))
		return false;
	r->is_polling = true;
	r->is_polled_as_replica = !is_primary;
	r->polled_ms = now_ms;
	return true;
}

static void poll(struct replica *r, uint64_t now_ms)
{
	struct resp_request request;

	r->poll = (struct store_op){.done = poll_done, .deadline_ms = UINT64_MAX, .store_flags = OP_DIRECT};
	r->poll.command.argc = 2;
	r->poll.command.argv[0] = SPAN_LIT("INFO");
	r->poll.command.argv[1] = SPAN_LIT("replication");
	if (!r->is_polled_as_replica) {
		node_send_direct(r->node, &r->poll, now_ms);
		return;
	}
	resp_encode(&r->poll.command, RESP_BY_HASH, &request);
	if (connection_submit(r->reader, &r->poll, &request, now_ms) != CONNECTION_SENT)
		op_finish(&r->poll, &(struct store_result){.outcome = STORE_UNAVAILABLE});
}

void replica_tick(struct replica *r, uint64_t now_ms)
{
	struct topology *t = r->node->topology;
	bool is_replica;
	bool is_due;

	topology_lock(t);
	is_replica = is_replica_locked(r->node);
	is_due = is_poll_due_locked(r, now_ms);
	if (!is_replica)
		atomic_store(&r->fresh_ms, 0);
	topology_unlock(t);
	connection_tick(r->reader, is_replica ? CONNECTION_OPEN : CONNECTION_CLOSED, now_ms);
	if (is_due)
		poll(r, now_ms);
}

struct replica *replica_new(struct node *n)
{
	struct replica *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->node = n;
	r->hooks = (struct connection_hooks){.greeted = on_greeted, .changed = on_changed, .finished = on_finished};
	r->options = n->options;
	r->options.greeting.is_readonly = true;
	r->options.hooks = &r->hooks;
	r->options.owner = r;
	r->reader = connection_new(&r->options);
	if (r->reader == NULL)
		replica_free(&r);
	return r;
}

connection *replica_reader(struct replica *r)
{
	return r->reader;
}

void replica_end(struct replica *r)
{
	connection_end(r->reader);
}

void replica_join(struct replica *r)
{
	connection_join(r->reader);
}

void replica_free(struct replica **r)
{
	struct replica *old = *r;

	if (old == NULL)
		return;
	*r = NULL;
	if (old->reader != NULL)
		connection_free(&old->reader);
	free(old);
}
