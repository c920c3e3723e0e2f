/* What a server says of its Redis, as a result: one block, as in result.c. Nothing in it is secret. */

#include "latchkey/admin.h"

#include <stdlib.h>

#include "blob.h"
#include "result.h"

struct lk_redis_node {
	const char *address;
	const char *role;
	const char *state;
	const char *version;
	uint32_t slots;
	uint32_t connections;
	uint32_t connections_ready;
	uint32_t in_flight;
	bool has_lag;
	uint64_t lag_ms;
	const char *breaker;
	uint64_t breaker_opened;
	uint64_t commands;
	uint64_t errors;
	uint64_t timeouts;
	uint64_t reconnects;
	const char *error;
};

struct lk_redis_status {
	const char *mode;
	bool ready;
	uint32_t primaries;
	uint32_t primaries_serving;
	uint32_t slots;
	uint32_t slots_served;
	uint32_t nodes_known;
	uint64_t pending;
	size_t node_count;
	struct lk_redis_node *nodes;
};

static void fill_node(struct blob *blob, const Latchkey__V1__RedisNode *from, struct lk_redis_node *to)
{
	to->address = blob_text(blob, from->address);
	to->role = blob_text(blob, from->role);
	to->state = blob_text(blob, from->state);
	to->version = blob_text(blob, from->version);
	to->slots = from->slots;
	to->connections = from->connections;
	to->connections_ready = from->connections_ready;
	to->in_flight = from->in_flight;
	to->has_lag = from->has_lag_ms;
	to->lag_ms = from->lag_ms;
	to->breaker = blob_text(blob, from->breaker);
	to->breaker_opened = from->breaker_opened;
	to->commands = from->commands;
	to->errors = from->errors;
	to->timeouts = from->timeouts;
	to->reconnects = from->reconnects;
	to->error = blob_text(blob, from->error);
}

static void fill(struct blob *blob, const void *response, void *status)
{
	const Latchkey__V1__ServerRedisResponse *from = response;
	struct lk_redis_status *to = status;

	to->mode = blob_text(blob, from->mode);
	to->ready = from->ready;
	to->primaries = from->primaries;
	to->primaries_serving = from->primaries_serving;
	to->slots = from->slots;
	to->slots_served = from->slots_served;
	to->nodes_known = from->nodes_known;
	to->pending = from->pending;
	to->node_count = from->n_nodes;
	to->nodes = blob_room(blob, from->n_nodes * sizeof(*to->nodes));
	for (size_t i = 0; i < from->n_nodes; i++) {
		struct lk_redis_node dummy;

		fill_node(blob, from->nodes[i], to->nodes != NULL ? &to->nodes[i] : &dummy);
	}
}

lk_redis_status *redis_status_new(const Latchkey__V1__ServerRedisResponse *response)
{
	return blob_build(sizeof(struct lk_redis_status), fill, response, NULL);
}

void lk_redis_status_free(lk_redis_status **status)
{
	free(*status);
	*status = NULL;
}

const char *lk_redis_status_mode(const lk_redis_status *status)
{
	return status->mode;
}

bool lk_redis_status_ready(const lk_redis_status *status)
{
	return status->ready;
}

uint32_t lk_redis_status_primaries(const lk_redis_status *status)
{
	return status->primaries;
}

uint32_t lk_redis_status_primaries_serving(const lk_redis_status *status)
{
	return status->primaries_serving;
}

uint32_t lk_redis_status_slots(const lk_redis_status *status)
{
	return status->slots;
}

uint32_t lk_redis_status_slots_served(const lk_redis_status *status)
{
	return status->slots_served;
}

uint32_t lk_redis_status_nodes_known(const lk_redis_status *status)
{
	return status->nodes_known;
}

uint64_t lk_redis_status_pending(const lk_redis_status *status)
{
	return status->pending;
}

size_t lk_redis_status_node_count(const lk_redis_status *status)
{
	return status->node_count;
}

const lk_redis_node *lk_redis_status_node(const lk_redis_status *status, size_t index)
{
	return index < status->node_count ? &status->nodes[index] : NULL;
}

const char *lk_redis_node_address(const lk_redis_node *node)
{
	return node->address;
}

const char *lk_redis_node_role(const lk_redis_node *node)
{
	return node->role;
}

const char *lk_redis_node_state(const lk_redis_node *node)
{
	return node->state;
}

const char *lk_redis_node_version(const lk_redis_node *node)
{
	return node->version;
}

uint32_t lk_redis_node_slots(const lk_redis_node *node)
{
	return node->slots;
}

uint32_t lk_redis_node_connections(const lk_redis_node *node)
{
	return node->connections;
}

uint32_t lk_redis_node_connections_ready(const lk_redis_node *node)
{
	return node->connections_ready;
}

uint32_t lk_redis_node_in_flight(const lk_redis_node *node)
{
	return node->in_flight;
}

bool lk_redis_node_lag_ms(const lk_redis_node *node, uint64_t *ret_lag_ms)
{
	if (node->has_lag)
		*ret_lag_ms = node->lag_ms;
	return node->has_lag;
}

const char *lk_redis_node_breaker(const lk_redis_node *node)
{
	return node->breaker;
}

uint64_t lk_redis_node_breaker_opened(const lk_redis_node *node)
{
	return node->breaker_opened;
}

uint64_t lk_redis_node_commands(const lk_redis_node *node)
{
	return node->commands;
}

uint64_t lk_redis_node_errors(const lk_redis_node *node)
{
	return node->errors;
}

uint64_t lk_redis_node_timeouts(const lk_redis_node *node)
{
	return node->timeouts;
}

uint64_t lk_redis_node_reconnects(const lk_redis_node *node)
{
	return node->reconnects;
}

const char *lk_redis_node_error(const lk_redis_node *node)
{
	return node->error;
}
