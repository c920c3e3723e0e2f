/* A node's connections, and which of them a command takes.
 *
 * The calling thread decides: what one thread sends within one event goes to one connection, and so into one write.
 * Different threads tend to different connections. When that one cannot take it, the next does. The store's own commands
 * take the first that is ready. */

#include "redis/node.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis/lane.h"
#include "redis/op.h"
#include "redis/replica.h"
#include "redis/topology.h"

/* That a node which owns nothing can be reached is news only after a failure. */
static void report(void *owner, const struct redis_event *event)
{
	const struct node *n = owner;
	const struct redis_events *events = &n->topology->options->events;
	struct redis_event told = *event;

	told.is_probe = node_term(n) == TERM_IDLE;
	events->report(events->owner, &told);
}

static connection *make_connection(struct node *n)
{
	return connection_new(&n->options);
}

struct node *node_new(const struct node_settings *s)
{
	struct node *n = calloc(1, sizeof(*n));

	assert(s->connections >= 1 && s->connections <= NODE_CONNECTIONS_MAX);
	if (n == NULL)
		return NULL;
	n->topology = s->topology;
	n->options = *s->connection;
	n->options.address = n->url;
	n->options.owner = n;
	n->options.events = (struct redis_events){.report = report, .owner = n};
	breaker_init(&n->breaker, s->breaker_ms);
	for (uint32_t i = 0; i < s->connections; i++) {
		n->connections[i] = make_connection(n);
		if (n->connections[i] == NULL)
			goto fail;
		n->count++;
	}
	if (s->has_replicas && (n->replica = replica_new(n)) == NULL)
		goto fail;
	n->lane = lane_new(n);
	if (n->lane == NULL)
		goto fail;
	return n;
fail:
	node_free(&n);
	return NULL;
}

void node_set_url(struct node *n, const char *url)
{
	int len = snprintf(n->url, sizeof(n->url), "%s", url);

	assert(len > 0 && (size_t)len < sizeof(n->url));
}

/* The address of a thread's descriptor, well mixed: differs between threads, costs no system call and no global. */
static uint32_t index_of_thread(uint32_t count)
{
	uint64_t self = (uint64_t)pthread_self();

	return (uint32_t)((self * 0x9e3779b97f4a7c15U >> 32) * count >> 32);
}

static enum node_verdict send_from(struct node *n, uint32_t start, struct store_op *op, uint64_t now_ms)
{
	enum node_verdict result = NODE_NOT_READY;
	struct resp_request request;

	resp_encode(&op->command, RESP_BY_HASH, &request);
	for (uint32_t i = 0; i < n->count; i++) {
		connection *c = n->connections[(start + i) % n->count];
		enum connection_verdict verdict = connection_submit(c, op, &request, now_ms);

		if (verdict == CONNECTION_SENT)
			return NODE_SENT;
		if (verdict == CONNECTION_FULL)
			result = NODE_FULL;
	}
	return result;
}

enum node_verdict node_send(struct node *n, struct store_op *op, uint32_t tenure, uint64_t now_ms)
{
	op->node = n;
	op->tenure = tenure;
	return send_from(n, index_of_thread(n->count), op, now_ms);
}

void node_send_direct(struct node *n, struct store_op *op, uint64_t now_ms)
{
	struct store_result result = {.outcome = STORE_UNAVAILABLE};
	enum node_verdict verdict;

	op->store_flags = OP_DIRECT;
	op->node = n;
	verdict = send_from(n, 0, op, now_ms);
	if (verdict == NODE_SENT)
		return;
	if (verdict == NODE_FULL)
		result.outcome = STORE_OVERLOADED;
	op_finish(op, &result);
}

void node_tick(struct node *n, enum node_want want, uint64_t now_ms)
{
	static const enum connection_want wants[] = {
	    [NODE_CLOSED] = CONNECTION_CLOSED,	  [NODE_INQUIRED] = CONNECTION_OPEN,
	    [NODE_DRAINED] = CONNECTION_DRAINED,  [NODE_OPEN] = CONNECTION_OPEN,
	    [NODE_URGENT] = CONNECTION_OPEN_SOON,
	};
	const bool is_there = node_ready_count(n) > 0;

	for (uint32_t i = 0; i < n->count; i++) {
		enum connection_want one = wants[want];

		/* While none is open the first finds out whether there is anybody; the others would only be refused as
		 * well. */
		if (i > 0 && (want == NODE_INQUIRED || (!is_there && one >= CONNECTION_OPEN)))
			one = want == NODE_INQUIRED ? CONNECTION_CLOSED : CONNECTION_DRAINED;
		connection_tick(n->connections[i], one, now_ms);
	}
}

uint32_t node_ready_count(const struct node *n)
{
	uint32_t ready = 0;

	for (uint32_t i = 0; i < n->count; i++)
		ready += connection_is_ready(n->connections[i]);
	return ready;
}

static void add_view(struct connection_view *sum, connection *c, uint64_t now_ms)
{
	struct connection_view view;

	connection_look(c, now_ms, &view);
	sum->is_ready |= view.is_ready;
	sum->is_settled &= view.is_settled;
	sum->answers += view.answers;
	sum->in_flight += view.in_flight;
	sum->failures = view.failures < sum->failures ? view.failures : sum->failures;
	sum->oldest_ms = view.oldest_ms > sum->oldest_ms ? view.oldest_ms : sum->oldest_ms;
	sum->commands += view.commands;
	sum->errors += view.errors;
	sum->timeouts += view.timeouts;
	sum->connects += view.connects;
}

void node_look(const struct node *n, uint64_t now_ms, struct connection_view *ret)
{
	*ret = (struct connection_view){.is_settled = true, .failures = UINT32_MAX};
	for (uint32_t i = 0; i < n->count; i++)
		add_view(ret, n->connections[i], now_ms);
}

uint32_t node_retry_after_ms(const struct node *n, uint64_t now_ms)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < n->count; i++) {
		uint32_t wait_ms = connection_retry_after_ms(n->connections[i], now_ms);

		if (wait_ms < least)
			least = wait_ms;
	}
	return least;
}

bool node_last_failure(const struct node *n, struct connection_failure *ret)
{
	for (uint32_t i = 0; i < n->count; i++) {
		if (connection_last_failure(n->connections[i], ret))
			return true;
	}
	return false;
}

static void drop_side_ways(struct node *n)
{
	if (n->lane != NULL)
		lane_drop(n->lane);
	atomic_store(&n->is_elsewhere, true);
}

void node_drop(struct node *n)
{
	for (uint32_t i = 0; i < n->count; i++)
		connection_drop(n->connections[i]);
	drop_side_ways(n);
}

void node_leave_former_run(struct node *n)
{
	for (uint32_t i = 0; i < n->count; i++)
		if (connection_is_ready(n->connections[i]))
			connection_drop(n->connections[i]);
	drop_side_ways(n);
}

void node_end(struct node *n)
{
	for (uint32_t i = 0; i < n->count; i++)
		connection_end(n->connections[i]);
	if (n->replica != NULL)
		replica_end(n->replica);
	if (n->lane != NULL)
		lane_end(n->lane);
}

void node_join(struct node *n)
{
	for (uint32_t i = 0; i < n->count; i++)
		connection_join(n->connections[i]);
	if (n->replica != NULL)
		replica_join(n->replica);
	if (n->lane != NULL)
		lane_join(n->lane);
	subscription_free(&n->subscription);
}

void node_free(struct node **n)
{
	struct node *old = *n;

	if (old == NULL)
		return;
	*n = NULL;
	for (uint32_t i = 0; i < old->count; i++)
		connection_free(&old->connections[i]);
	replica_free(&old->replica);
	lane_free(&old->lane);
	free(old);
}
