/* One connection to one server: dialed, lost, dialed again after a pause that grows.
 *
 * Two endpoints share a server's URL. One of them is in use and the other spare, until the server asks for another
 * connection (going_away): then the spare one is dialed, takes over when it is ready, and the first is closed when it is
 * idle, and is spare. So there is always one that takes calls.
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

void endpoints_init(lk_client *client)
{
	const size_t count = client->options.endpoint_count;

	assert(count > 0);
	client->endpoint_count = 2 * count;
	for (size_t i = 0; i < client->endpoint_count; i++)
		client->endpoints[i] = (struct endpoint){
		    .client = client,
		    .url = client->options.endpoints[i % count],
		    .twin = &client->endpoints[(i + count) % client->endpoint_count],
		    .is_spare = i >= count,
		};
}

bool endpoint_is_open(const struct endpoint *endpoint)
{
	return endpoint->state == ENDPOINT_READY && !endpoint->is_leaving && !endpoint->is_given_up;
}

static bool is_better(const struct endpoint *a, const struct endpoint *b, const struct endpoint *avoid)
{
	if (b == NULL || a->is_going != b->is_going)
		return b == NULL || b->is_going;
	if (a == avoid || b == avoid)
		return b == avoid;
	return a->in_flight < b->in_flight;
}

struct endpoint *endpoint_pick(lk_client *client, const struct endpoint *avoid)
{
	struct endpoint *best = NULL;

	for (size_t i = 0; i < client->endpoint_count; i++) {
		struct endpoint *endpoint = &client->endpoints[i];

		if (endpoint_is_open(endpoint) && is_better(endpoint, best, avoid))
			best = endpoint;
	}
	return best;
}

bool endpoints_all_failed(const lk_client *client)
{
	for (size_t i = 0; i < client->endpoint_count; i++) {
		const struct endpoint *endpoint = &client->endpoints[i];

		if (!endpoint->is_spare && (endpoint->state != ENDPOINT_DOWN || endpoint->failures == 0))
			return false;
	}
	return true;
}

void endpoints_hurry(lk_client *client, uint64_t now_ms)
{
	if (endpoint_pick(client, NULL) != NULL)
		return;
	for (size_t i = 0; i < client->endpoint_count; i++) {
		struct endpoint *endpoint = &client->endpoints[i];
		uint64_t soon_ms = now_ms + redial_delay_ms(1, random_next(&client->random));

		if (endpoint->state == ENDPOINT_DOWN && soon_ms < endpoint->redial_at_ms)
			endpoint->redial_at_ms = soon_ms;
	}
}

bool endpoint_should_dial(struct endpoint *endpoint, uint64_t now_ms)
{
	if (endpoint->client->closing || endpoint->is_spare || endpoint->state != ENDPOINT_DOWN ||
	    now_ms < endpoint->redial_at_ms)
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
	endpoint->is_going = false;
}

static bool has_lived(const struct endpoint *endpoint, uint64_t now_ms, uint64_t for_ms)
{
	return endpoint->state == ENDPOINT_READY && now_ms - endpoint->ready_at_ms >= for_ms;
}

/* Who answers a new connection with the same request is shutting down: the pauses grow. */
void endpoint_give_way(struct endpoint *endpoint, uint64_t now_ms)
{
	struct endpoint *twin = endpoint->twin;
	uint64_t pause_ms;

	if (endpoint->state != ENDPOINT_READY || endpoint->is_going)
		return;
	endpoint->is_going = true;
	if (!twin->is_spare)
		return;
	assert(twin->state == ENDPOINT_DOWN);
	twin->is_spare = false;
	twin->reason = WIRE_OK;
	twin->failures = has_lived(endpoint, now_ms, CONNECTION_USED_MS) ? 0 : endpoint->failures + 1;
	pause_ms = redial_delay_ms(twin->failures + 1, random_next(&endpoint->client->random));
	twin->redial_at_ms = now_ms + pause_ms;
}

static bool is_successor_open(const struct endpoint *endpoint)
{
	return endpoint_is_open(endpoint->twin) && endpoint->twin->ready_at_ms >= endpoint->ready_at_ms;
}

/* Until then, who watches by this connection stays with its server. */
static bool is_successor_known(const struct endpoint *endpoint)
{
	const struct endpoint *twin = endpoint->twin;

	return twin->state == ENDPOINT_READY || (twin->state == ENDPOINT_DOWN && twin->reason != WIRE_OK);
}

bool endpoint_should_close(struct endpoint *endpoint)
{
	const struct endpoint *other;

	if (endpoint->state != ENDPOINT_READY || !endpoint->is_going || endpoint->is_given_up ||
	    endpoint->unanswered > 0 || !is_successor_known(endpoint))
		return false;
	other = endpoint_pick(endpoint->client, endpoint);
	if (other == NULL || other == endpoint)
		return false;
	/* The successor may have been asked already: then the older one goes, and is dialed again. */
	if (other->is_going && !is_successor_open(endpoint))
		return false;
	endpoint->is_given_up = true;
	return true;
}

void endpoint_set_down(struct endpoint *endpoint, enum wire_error reason, uint64_t now_ms)
{
	lk_client *client = endpoint->client;
	const struct endpoint *twin = endpoint->twin;
	bool settled = has_lived(endpoint, now_ms, CONNECTION_SETTLED_MS);

	endpoint_move(endpoint, ENDPOINT_DOWN);
	endpoint->channel = NULL;
	endpoint->reason = reason;
	/* Counted even after a good connection: it is down, and fail_fast wants to know. */
	endpoint->failures = settled ? 1 : endpoint->failures + 1;
	if (endpoint->is_going && twin->is_going && !has_lived(twin, now_ms, CONNECTION_USED_MS))
		endpoint->failures = twin->failures + 1;
	endpoint->redial_at_ms = now_ms + redial_delay_ms(endpoint->failures, random_next(&client->random));
	endpoint->is_spare = endpoint->is_going && !twin->is_spare && !twin->is_going;
	endpoint->is_going = false;
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
	const struct endpoint *first = &client->endpoints[0];
	const struct endpoint *endpoint = first->is_spare ? first->twin : first;
	const char *why = endpoint->reason != WIRE_OK ? wire_error_text(endpoint->reason) : "still connecting";

	if (client->options.endpoint_count == 1)
		(void)snprintf(to, bytes, "no connection to %s: %s", endpoint->url, why);
	else
		(void)snprintf(to, bytes, "no connection to any of %zu servers; %s: %s", client->options.endpoint_count,
			       endpoint->url, why);
}
