/* One connection to one server: dialed, lost, dialed again after a pause that grows.
 *
 * Threads. Dialing is done by the thread that opens the client, later by the tick; `ready`, `message` and `closed` come
 * from wire, one after the other. `dialed` is written by the dialing thread before the first event and released by the
 * last event; `channel` is the same, under the client's lock, while messages may be sent. A channel holds a reference
 * to the client, so that the events of a connection find it whatever its user does. */

#include "endpoint.h"

#include <assert.h>
#include <stdio.h>

#include "client.h"
#include "flow.h"

/* A reply with its envelope; see REPLY_BYTES_MAX. */
#define MESSAGE_BYTES_MAX (REPLY_BYTES_MAX + 65536U)
/* A server that takes nothing for so long has stopped. */
#define STALL_TIMEOUT_MS 10000
/* Only how often it is asked whether to stay, which is always. */
#define IDLE_TIMEOUT_MS 60000
/* What in_flight_max calls of the largest kind would need is more than a socket takes in a moment: beyond this, reading
 * waits for the server to read. */
#define OUTPUT_BYTES_MAX (4U * 1024 * 1024)

static void endpoint_move(struct endpoint *endpoint, enum endpoint_state to)
{
	static const bool allowed[ENDPOINT_STATES][ENDPOINT_STATES] = {
	    [ENDPOINT_DOWN] = {[ENDPOINT_DIALING] = true},
	    [ENDPOINT_DIALING] = {[ENDPOINT_READY] = true, [ENDPOINT_DOWN] = true},
	    [ENDPOINT_READY] = {[ENDPOINT_DOWN] = true},
	};

	assert(allowed[endpoint->state][to]);
	endpoint->state = to;
}

bool endpoint_is_open(const struct endpoint *endpoint)
{
	return endpoint->state == ENDPOINT_READY && !endpoint->is_leaving;
}

struct endpoint *endpoint_pick(lk_client *client, const struct endpoint *avoid)
{
	struct endpoint *best = NULL;

	for (size_t i = 0; i < client->options.endpoint_count; i++) {
		struct endpoint *endpoint = &client->endpoints[i];

		if (!endpoint_is_open(endpoint))
			continue;
		if (best == NULL || best == avoid || (endpoint != avoid && endpoint->in_flight < best->in_flight))
			best = endpoint;
	}
	return best;
}

bool endpoints_all_failed(const lk_client *client)
{
	for (size_t i = 0; i < client->options.endpoint_count; i++)
		if (client->endpoints[i].state != ENDPOINT_DOWN || client->endpoints[i].failures == 0)
			return false;
	return true;
}

void endpoints_hurry(lk_client *client, uint64_t now_ms)
{
	if (endpoint_pick(client, NULL) != NULL)
		return;
	for (size_t i = 0; i < client->options.endpoint_count; i++) {
		struct endpoint *endpoint = &client->endpoints[i];
		uint64_t soon_ms = now_ms + redial_delay_ms(1, random_next(&client->random));

		if (endpoint->state == ENDPOINT_DOWN && soon_ms < endpoint->redial_at_ms)
			endpoint->redial_at_ms = soon_ms;
	}
}

bool endpoint_should_dial(struct endpoint *endpoint, uint64_t now_ms)
{
	if (endpoint->client->closing || endpoint->state != ENDPOINT_DOWN || now_ms < endpoint->redial_at_ms)
		return false;
	endpoint_move(endpoint, ENDPOINT_DIALING);
	endpoint->client->channels++;
	return true;
}

void endpoint_set_ready(struct endpoint *endpoint, wire_channel *channel, uint64_t now_ms)
{
	endpoint_move(endpoint, ENDPOINT_READY);
	endpoint->channel = channel;
	endpoint->ready_at_ms = now_ms;
	endpoint->heard_at_ms = now_ms;
	endpoint->silent = 0;
	endpoint->is_given_up = false;
	endpoint->is_leaving = false;
}

void endpoint_set_down(struct endpoint *endpoint, enum wire_error reason, uint64_t now_ms)
{
	lk_client *client = endpoint->client;
	bool settled = endpoint->state == ENDPOINT_READY && now_ms - endpoint->ready_at_ms >= CONNECTION_SETTLED_MS;

	endpoint_move(endpoint, ENDPOINT_DOWN);
	endpoint->channel = NULL;
	endpoint->reason = reason;
	/* Counted even after a good connection: it is down, and fail_fast wants to know. */
	endpoint->failures = settled ? 1 : endpoint->failures + 1;
	endpoint->redial_at_ms = now_ms + redial_delay_ms(endpoint->failures, random_next(&client->random));
}

static void on_ready(void *owner, wire_channel *channel)
{
	flow_ready(owner, channel);
}

static void on_message(void *owner, wire_channel *channel, const struct wire_route *route, const uint8_t *body,
		       size_t len)
{
	(void)channel;
	flow_reply(owner, wire_route_id(route), body, len);
}

static bool on_idle(void *owner, wire_channel *channel)
{
	(void)owner;
	(void)channel;
	return true;
}

/* The last of a channel, or of a dial that gave none. */
static void channel_gone(struct endpoint *endpoint)
{
	lk_client *client = endpoint->client;

	pthread_mutex_lock(&client->lock);
	if (--client->channels == 0)
		(void)pthread_cond_broadcast(&client->settled);
	pthread_mutex_unlock(&client->lock);
	client_release(&client);
}

static void on_closed(void *owner, wire_channel *channel, enum wire_error reason)
{
	struct endpoint *endpoint = owner;
	wire_channel *own;

	/* Before the endpoint is DOWN: from then on it may be dialed again. */
	pthread_mutex_lock(&endpoint->client->lock);
	own = endpoint->dialed;
	endpoint->dialed = NULL;
	pthread_mutex_unlock(&endpoint->client->lock);
	assert(own == channel);
	flow_lost(endpoint, reason);
	wire_channel_release(&own);
	channel_gone(endpoint);
}

static const struct wire_channel_events channel_events = {
    .ready = on_ready,
    .message = on_message,
    .idle = on_idle,
    .closed = on_closed,
};

enum wire_error endpoint_dial(struct endpoint *endpoint)
{
	lk_client *client = client_retain(endpoint->client);
	const struct wire_limits limits = {
	    .connect_timeout_ms = client->options.connect_timeout_ms,
	    .idle_timeout_ms = IDLE_TIMEOUT_MS,
	    .stall_timeout_ms = STALL_TIMEOUT_MS,
	    .input_bytes_max = MESSAGE_BYTES_MAX,
	    .output_bytes_max = OUTPUT_BYTES_MAX,
	};
	enum wire_error err = wire_channel_dial(endpoint->url, &limits, client->tls, MESSAGE_BYTES_MAX, &channel_events,
						endpoint, &endpoint->dialed);

	if (err != WIRE_OK) {
		flow_lost(endpoint, err);
		channel_gone(endpoint);
	}
	return err;
}

void endpoint_close(struct endpoint *endpoint)
{
	wire_channel *channel;

	pthread_mutex_lock(&endpoint->client->lock);
	channel = endpoint->dialed;
	if (channel != NULL)
		wire_channel_retain(channel);
	pthread_mutex_unlock(&endpoint->client->lock);
	if (channel == NULL)
		return;
	wire_channel_close(channel, WIRE_CLOSED, false);
	wire_channel_release(&channel);
}

void endpoints_describe(const lk_client *client, char *to, size_t bytes)
{
	const struct endpoint *endpoint = &client->endpoints[0];
	const char *why = endpoint->reason != WIRE_OK ? wire_error_text(endpoint->reason) : "still connecting";

	if (client->options.endpoint_count == 1)
		(void)snprintf(to, bytes, "no connection to %s: %s", endpoint->url, why);
	else
		(void)snprintf(to, bytes, "no connection to any of %zu servers; %s: %s", client->options.endpoint_count,
			       endpoint->url, why);
}
