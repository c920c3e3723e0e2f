/* A node's connections, and which of them a command takes.
 *
 * The calling thread decides: what one thread sends within one event goes to one connection, and so into one write.
 * Different threads tend to different connections. When that one cannot take it, the next does. */

#include "redis/node.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* A full pipeline of 16 k commands is worked off in about 30 ms at Redis's speed of 500 k/s. */
#define OVERLOADED_RETRY_MS 30U

struct node {
	struct connection_options options;
	char *address; /* this and the next two are what options points to */
	char *user;
	char *password;
	uint32_t count;
	connection *connections[NODE_CONNECTIONS_MAX];
};

static void wipe_free(char **text)
{
	if (*text == NULL)
		return;
	explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* False when memory is out. NULL stays NULL. */
static bool copy(const char *text, char **ret)
{
	if (text == NULL)
		return true;
	*ret = strdup(text);
	return *ret != NULL;
}

static bool copy_options(node *n, const struct connection_options *from)
{
	if (!copy(from->address, &n->address) || !copy(from->greeting.user, &n->user) ||
	    !copy(from->greeting.password, &n->password))
		return false;
	n->options = *from;
	n->options.address = n->address;
	n->options.greeting.user = n->user;
	n->options.greeting.password = n->password;
	return true;
}

node *node_new(const struct connection_options *options, uint32_t connections)
{
	node *n;

	assert(connections >= 1 && connections <= NODE_CONNECTIONS_MAX);
	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return NULL;
	if (!copy_options(n, options))
		goto fail;
	for (uint32_t i = 0; i < connections; i++) {
		n->connections[i] = connection_new(&n->options);
		if (n->connections[i] == NULL)
			goto fail;
		n->count++;
	}
	return n;
fail:
	node_free(&n);
	return NULL;
}

/* The address of a thread's descriptor, well mixed: differs between threads, costs no system call and no global. */
static uint32_t index_of_thread(uint32_t count)
{
	uint64_t self = (uint64_t)pthread_self();

	return (uint32_t)((self * 0x9e3779b97f4a7c15U >> 32) * count >> 32);
}

static uint32_t retry_after_ms(node *n, uint64_t now_ms)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < n->count; i++) {
		uint32_t wait_ms = connection_retry_after_ms(n->connections[i], now_ms);

		if (wait_ms < least)
			least = wait_ms;
	}
	return least;
}

void node_submit(node *n, struct store_op *op, uint64_t now_ms)
{
	struct store_result result = {.outcome = STORE_UNAVAILABLE};
	uint32_t start = index_of_thread(n->count);
	struct resp_request request;

	resp_encode(&op->command, RESP_BY_HASH, &request);
	for (uint32_t i = 0; i < n->count; i++) {
		connection *c = n->connections[(start + i) % n->count];
		enum connection_verdict verdict = connection_submit(c, op, &request, now_ms);

		if (verdict == CONNECTION_SENT)
			return;
		if (verdict == CONNECTION_FULL)
			result.outcome = STORE_OVERLOADED;
	}
	result.retry_after_ms = result.outcome == STORE_OVERLOADED ? OVERLOADED_RETRY_MS : retry_after_ms(n, now_ms);
	op->done(op, &result);
}

void node_tick(node *n, uint64_t now_ms)
{
	for (uint32_t i = 0; i < n->count; i++)
		connection_tick(n->connections[i], now_ms);
}

bool node_is_ready(node *n, char ret_version[static REDIS_VERSION_BYTES])
{
	bool is_ready = false;

	for (uint32_t i = 0; i < n->count && !is_ready; i++)
		is_ready = connection_is_ready(n->connections[i], ret_version);
	return is_ready;
}

void node_free(node **n)
{
	node *old = *n;

	if (old == NULL)
		return;
	*n = NULL;
	for (uint32_t i = 0; i < old->count; i++)
		connection_end(old->connections[i]);
	for (uint32_t i = 0; i < old->count; i++)
		connection_free(&old->connections[i]);
	wipe_free(&old->address);
	wipe_free(&old->user);
	wipe_free(&old->password);
	free(old);
}
