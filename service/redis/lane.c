/* Batches. While one is under way, its commands and the WAIT behind them, what comes meanwhile is collected; when WAIT
 * has been answered, all of the batch are told, and what was collected is the next. So however long WAIT takes, a write
 * waits for two of them at most.
 *
 * A command's own reply is copied and kept until WAIT's; its age counts up to its own. An error, or the connection's
 * end, is told at once. If only WAIT is not answered, the writes were made all the same, by 0 replicas as far as known;
 * so too with a script that Redis had forgotten, because its second sending comes behind the WAIT.
 *
 * `lock` guards the lists; it is held while a batch is sent, so that the next one cannot overtake it, and never when the
 * router is called. Lock order: lane, connection. */

#include "redis/lane.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "redis/op.h"
#include "redis/router.h"
#include "redis/topology.h"

/* Of those collected and those under way: what a WAIT of 1 ms and 1 M writes a second would make. */
#define LANE_OPS_MAX 1024U
/* An unused connection is closed after that. */
#define UNUSED_MS 60000U
/* WAIT must be over well before the connection is given up as silent: this part of response_timeout_ms. */
#define WAIT_PART_OF_TIMEOUT(ms) ((ms) / 4 * 3)
/* A number of 32 bits in digits. */
#define DIGITS 11
/* Replies of writes are short. */
#define REPLY_BYTES 512

struct held {
	struct held *next;
	struct store_op *op;
	const struct store_reply *reply;
	arena *memory; /* this too is in it */
	uint64_t replied_ms;
};

struct lane {
	struct node *node;
	struct connection_options options;
	struct connection_hooks hooks;
	connection *connection;
	_Atomic uint64_t used_ms;

	pthread_mutex_t lock;
	struct store_op *first; /* collected */
	struct store_op *last;
	uint32_t count; /* collected, and under way */
	struct held *held;
	struct held **held_end;
	bool is_busy;
	struct store_op wait;
	char replicas[DIGITS];
	char timeout[DIGITS];
};

/* ---- Keeping replies ---- */

static const struct store_reply *copy_reply(arena *a, const struct store_reply *from)
{
	struct store_reply *to = arena_alloc(a, sizeof(*to));
	const struct store_reply **elements;

	if (to == NULL)
		return NULL;
	*to = *from;
	if (from->string.len > 0 && !arena_copy(a, from->string, &to->string))
		return NULL;
	if (from->type != STORE_ARRAY)
		return to;
	elements = arena_array(a, from->count, sizeof(*elements));
	if (elements == NULL)
		return NULL;
	to->elements = elements;
	/* As deep as RESP_DEPTH_MAX. */
	for (size_t i = 0; i < from->count; i++) {
		elements[i] = copy_reply(a, from->elements[i]);
		if (elements[i] == NULL)
			return NULL;
	}
	return to;
}

static struct held *hold(struct store_op *op, const struct store_reply *reply, uint64_t now_ms)
{
	arena *a = arena_new(REPLY_BYTES, RESP_REPLY_BYTES_MAX);
	struct held *h = a == NULL ? NULL : arena_alloc(a, sizeof(*h));

	if (h != NULL)
		h->reply = copy_reply(a, reply);
	if (h == NULL || h->reply == NULL) {
		arena_free(&a);
		return NULL;
	}
	h->op = op;
	h->memory = a;
	h->replied_ms = now_ms;
	return h;
}

/* ---- A batch ---- */

static uint32_t wait_ms_of(const struct lane *l, const struct store_op *op, uint64_t now_ms)
{
	uint64_t ms = op->wait_ms;
	const uint64_t left_ms = op->deadline_ms > now_ms ? op->deadline_ms - now_ms : 1;
	const uint32_t most_ms = WAIT_PART_OF_TIMEOUT(l->options.response_timeout_ms);

	ms = ms < left_ms ? ms : left_ms;
	ms = ms < most_ms ? ms : most_ms;
	/* 0 would be for ever. */
	return ms == 0 ? 1 : (uint32_t)ms;
}

static void wait_done(struct store_op *op, const struct store_result *result);

static bool send_wait_locked(struct lane *l, uint32_t replicas, uint32_t wait_ms, uint64_t now_ms)
{
	struct resp_request request;

	(void)snprintf(l->replicas, sizeof(l->replicas), "%u", replicas);
	(void)snprintf(l->timeout, sizeof(l->timeout), "%u", wait_ms);
	l->wait = (struct store_op){.done = wait_done, .deadline_ms = UINT64_MAX, .store_flags = OP_DIRECT};
	l->wait.command.argc = 3;
	l->wait.command.argv[0] = SPAN_LIT("WAIT");
	l->wait.command.argv[1] = span_str(l->replicas);
	l->wait.command.argv[2] = span_str(l->timeout);
	resp_encode(&l->wait.command, RESP_BY_HASH, &request);
	return connection_submit(l->connection, &l->wait, &request, now_ms) == CONNECTION_SENT;
}

static bool send_one_locked(struct lane *l, struct store_op *op, uint64_t now_ms)
{
	struct resp_request request;

	if (now_ms >= op->deadline_ms)
		return false;
	resp_encode(&op->command, RESP_BY_HASH, &request);
	return connection_submit(l->connection, op, &request, now_ms) == CONNECTION_SENT;
}

/* Sends what was collected. Returns what was not sent, linked. */
static struct store_op *send_batch_locked(struct lane *l, uint64_t now_ms)
{
	struct store_op *unsent = NULL;
	struct store_op **end = &unsent;
	struct store_op *next;
	uint32_t replicas = 0;
	uint32_t wait_ms = 1;

	for (struct store_op *op = l->first; op != NULL; op = next) {
		const uint32_t ms = wait_ms_of(l, op, now_ms);
		const uint32_t wanted = op->wait_replicas;

		/* Once it is sent, its reply may end it. */
		next = op->next;
		if (send_one_locked(l, op, now_ms)) {
			replicas = wanted > replicas ? wanted : replicas;
			wait_ms = ms > wait_ms ? ms : wait_ms;
			continue;
		}
		op->next = NULL;
		*end = op;
		end = &op->next;
	}
	l->first = NULL;
	l->last = NULL;
	l->is_busy = replicas > 0 && send_wait_locked(l, replicas, wait_ms, now_ms);
	return unsent;
}

static void give_back(struct lane *l, struct store_op *op, uint64_t now_ms)
{
	while (op != NULL) {
		struct store_op *next = op->next;

		pthread_mutex_lock(&l->lock);
		l->count--;
		pthread_mutex_unlock(&l->lock);
		router_finished(l->node, op, STORE_UNAVAILABLE, NULL, now_ms);
		op = next;
	}
}

static struct held *take_held_locked(struct lane *l)
{
	struct held *first = l->held;

	l->held = NULL;
	l->held_end = &l->held;
	for (struct held *h = first; h != NULL; h = h->next)
		l->count--;
	return first;
}

static void tell_held(struct lane *l, struct held *h, uint32_t replicas)
{
	while (h != NULL) {
		struct held *next = h->next;
		arena *memory = h->memory;

		router_replicated(l->node, h->op, h->reply, h->replied_ms, replicas);
		arena_free(&memory);
		h = next;
	}
}

static void wait_done(struct store_op *op, const struct store_result *result)
{
	struct lane *l = (struct lane *)(void *)((uint8_t *)op - offsetof(struct lane, wait));
	const bool is_answered = result->outcome == STORE_REPLIED && result->reply->type == STORE_INTEGER;
	const uint32_t replicas = is_answered && result->reply->integer > 0 ? (uint32_t)result->reply->integer : 0;
	const uint64_t now_ms = clock_mono_ms();
	struct store_op *unsent;
	struct held *held;

	pthread_mutex_lock(&l->lock);
	held = take_held_locked(l);
	l->is_busy = false;
	unsent = send_batch_locked(l, now_ms);
	pthread_mutex_unlock(&l->lock);
	tell_held(l, held, replicas);
	give_back(l, unsent, now_ms);
}

enum node_verdict lane_submit(struct lane *l, struct store_op *op, uint32_t tenure, uint64_t now_ms)
{
	enum node_verdict verdict = NODE_SENT;
	struct store_op *unsent = NULL;

	atomic_store(&l->used_ms, now_ms);
	if (!connection_is_ready(l->connection))
		return NODE_NOT_READY;
	pthread_mutex_lock(&l->lock);
	if (l->count >= LANE_OPS_MAX) {
		verdict = NODE_FULL;
	} else {
		op->node = l->node;
		op->tenure = tenure;
		op->next = NULL;
		if (l->last == NULL)
			l->first = op;
		else
			l->last->next = op;
		l->last = op;
		l->count++;
		if (!l->is_busy)
			unsent = send_batch_locked(l, now_ms);
	}
	pthread_mutex_unlock(&l->lock);
	give_back(l, unsent, now_ms);
	return verdict;
}

/* ---- The connection's hooks ---- */

static void on_greeted(void *owner, const struct greeting_result *greeted)
{
	topology_greeted(((struct lane *)owner)->node, greeted);
}

static void on_changed(void *owner, bool is_ready)
{
	struct lane *l = owner;
	struct store_op *unsent = NULL;
	const uint64_t now_ms = clock_mono_ms();

	/* What is under way is told as LOST after this, WAIT last. What was only collected goes back to the router. */
	if (!is_ready) {
		pthread_mutex_lock(&l->lock);
		unsent = l->first;
		l->first = NULL;
		l->last = NULL;
		pthread_mutex_unlock(&l->lock);
	}
	give_back(l, unsent, now_ms);
	/* WAIT takes long for good reason, so the breaker does not look here. */
	if (!is_ready)
		topology_doubted(l->node);
}

static void on_finished(void *owner, struct store_op *op, enum store_outcome outcome, const struct store_reply *reply,
			uint64_t now_ms)
{
	struct lane *l = owner;
	struct held *h = outcome == STORE_REPLIED ? hold(op, reply, now_ms) : NULL;

	pthread_mutex_lock(&l->lock);
	if (h != NULL && l->is_busy) {
		*l->held_end = h;
		l->held_end = &h->next;
		pthread_mutex_unlock(&l->lock);
		return;
	}
	l->count--;
	pthread_mutex_unlock(&l->lock);
	if (h != NULL)
		arena_free(&(arena *){h->memory});
	if (outcome == STORE_REPLIED)
		router_replicated(l->node, op, reply, now_ms, 0);
	else
		router_finished(l->node, op, outcome, reply, now_ms);
}

/* ---- Life ---- */

struct lane *lane_new(struct node *n)
{
	struct lane *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->node = n;
	l->held_end = &l->held;
	pthread_mutex_init(&l->lock, NULL);
	l->hooks = (struct connection_hooks){.greeted = on_greeted, .changed = on_changed, .finished = on_finished};
	l->options = n->options;
	l->options.hooks = &l->hooks;
	l->options.owner = l;
	l->connection = connection_new(&l->options);
	if (l->connection == NULL)
		lane_free(&l);
	return l;
}

void lane_tick(struct lane *l, enum node_want want, uint64_t now_ms)
{
	static const enum connection_want wants[] = {
	    [NODE_CLOSED] = CONNECTION_CLOSED,	  [NODE_INQUIRED] = CONNECTION_CLOSED,
	    [NODE_DRAINED] = CONNECTION_DRAINED,  [NODE_OPEN] = CONNECTION_OPEN,
	    [NODE_URGENT] = CONNECTION_OPEN_SOON,
	};
	const uint64_t used_ms = atomic_load(&l->used_ms);
	const bool is_used = used_ms != 0 && now_ms < used_ms + UNUSED_MS;

	connection_tick(l->connection, is_used ? wants[want] : CONNECTION_DRAINED, now_ms);
}

void lane_drop(struct lane *l)
{
	connection_drop(l->connection);
}

void lane_end(struct lane *l)
{
	connection_end(l->connection);
}

void lane_join(struct lane *l)
{
	connection_join(l->connection);
}

void lane_free(struct lane **l)
{
	struct lane *old = *l;

	if (old == NULL)
		return;
	*l = NULL;
	if (old->connection != NULL)
		connection_free(&old->connection);
	assert(old->first == NULL && old->held == NULL);
	pthread_mutex_destroy(&old->lock);
	free(old);
}
