/* Clients: opened, counted, closed.
 *
 * Closing runs in four steps: `closing` keeps new calls out and makes the next tick end those in flight; when the last
 * callback has returned, the ticker stops, so that nothing is dialed any more; the connections are closed, and when the
 * last has gone the handle's reference goes. Call objects that are still about keep the memory, nothing else. */

#include "client.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "call.h"
#include "error.h"
#include "flow.h"

/* Closed links are gone within a few ms; this only bounds a wait that leak checkers and clean exits like. */
#define DRAIN_TIMEOUT_MS 1000

lk_client *client_retain(lk_client *client)
{
	(void)atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
	return client;
}

static void destroy(lk_client *client)
{
	assert(client->busy == 0 && client->channels == 0 && client->ticker == NULL);
	wire_tls_release(&client->tls);
	slots_clear(&client->slots);
	options_clear(&client->options);
	(void)pthread_cond_destroy(&client->settled);
	(void)pthread_mutex_destroy(&client->lock);
	flights_clear(&client->flights);
	(void)pthread_mutex_destroy(&client->breaker_lock);
	holds_clear(&client->holds);
	free(client);
}

void client_release(lk_client **client)
{
	lk_client *own = *client;

	*client = NULL;
	if (own != NULL && atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) == 1)
		destroy(own);
}

static void tick(void *owner)
{
	flow_tick(owner);
	holds_tick(&((lk_client *)owner)->holds);
}

static enum lk_err load_tls(const struct lk_options *given, wire_tls **ret, struct lk_error *error)
{
	const struct wire_tls_options options = {
	    .ca_file = given->tls_ca_file,
	    .cert_file = given->tls_cert_file,
	    .key_file = given->tls_key_file,
	    .server_name = given->tls_server_name,
	};
	enum wire_error err = wire_tls_new(&options, ret);

	if (err == WIRE_NO_MEMORY)
		return error_set(error, LK_E_NO_MEMORY, "out of memory");
	if (err != WIRE_OK)
		return error_set(error, LK_E_TLS,
				 "cannot use tls_ca_file %.60s, tls_cert_file %.40s, tls_key_file %.40s",
				 given->tls_ca_file, given->tls_cert_file != NULL ? given->tls_cert_file : "(none)",
				 given->tls_key_file != NULL ? given->tls_key_file : "(none)");
	return LK_OK;
}

/* Takes the options over. NULL when memory is out. */
static lk_client *client_new(struct options *options, wire_tls *tls)
{
	lk_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	if (!slots_init(&client->slots, options->in_flight_max)) {
		free(client);
		return NULL;
	}
	atomic_init(&client->refs, 1);
	client->options = *options;
	explicit_bzero(options, sizeof(*options));
	client->tls = tls;
	client->due_ms = UINT64_MAX;
	/* Delays are spread by it, nothing more: were it to fail, the clock would do. */
	if (getrandom(&client->random, sizeof(client->random), 0) != (ssize_t)sizeof(client->random))
		client->random = wire_now_ms();
	retry_budget_init(&client->budget, client->options.retry_budget_percent, wire_now_ms());
	/* With the default attributes none of these can fail. */
	(void)pthread_mutex_init(&client->lock, NULL);
	(void)pthread_cond_init(&client->settled, NULL);
	flights_init(&client->flights);
	(void)pthread_mutex_init(&client->breaker_lock, NULL);
	holds_init(&client->holds);
	endpoints_init(client);
	return client;
}

static enum lk_err start(lk_client *client, struct lk_error *error)
{
	client->ticker = wire_ticker_start(TICK_MS, tick, client);
	if (client->ticker == NULL)
		return error_set(error, LK_E_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < client->endpoint_count; i++) {
		struct endpoint *endpoint = &client->endpoints[i];
		bool dial;

		pthread_mutex_lock(&client->lock);
		dial = endpoint_should_dial(endpoint, wire_now_ms());
		pthread_mutex_unlock(&client->lock);
		if (dial && endpoint_dial(endpoint) == WIRE_BAD_URL)
			return error_set(error, LK_E_INVALID_ARGUMENT, "endpoint \"%.120s\" is %s", endpoint->url,
					 wire_error_text(WIRE_BAD_URL));
	}
	return LK_OK;
}

static enum lk_err open_client(const struct lk_options *given, lk_client **ret_client, struct lk_error *error)
{
	struct options options = {0};
	struct lk_options known;
	wire_tls *tls = NULL;
	lk_client *client;
	enum lk_err err = options_take(given, &known, &options, error);

	if (err == LK_OK && options.needs_tls)
		err = load_tls(&known, &tls, error);
	if (err != LK_OK) {
		options_clear(&options);
		return err;
	}
	client = client_new(&options, tls);
	if (client == NULL) {
		wire_tls_release(&tls);
		options_clear(&options);
		return error_set(error, LK_E_NO_MEMORY, "out of memory");
	}
	err = start(client, error);
	if (err != LK_OK)
		lk_client_close(&client);
	else
		*ret_client = client;
	return err;
}

enum lk_err lk_client_open(const struct lk_options *options, lk_client **ret_client, struct lk_error *error)
{
	struct lk_error own = LK_ERROR_INIT;
	enum lk_err err;

	assert(ret_client != NULL);
	err = open_client(options, ret_client, &own);
	error_copy(&own, error);
	return err;
}

/* Under the lock: until neither calls nor, when asked for, channels are left. */
static void wait_settled(lk_client *client, bool channels_too)
{
	pthread_mutex_lock(&client->lock);
	while (client->busy > 0 || (channels_too && client->channels > 0))
		(void)pthread_cond_wait(&client->settled, &client->lock);
	pthread_mutex_unlock(&client->lock);
}

void lk_client_close(lk_client **client)
{
	lk_client *own = *client;

	*client = NULL;
	if (own == NULL)
		return;
	assert(!call_in_callback() && "a client cannot be closed within a callback, which it waits for");
	pthread_mutex_lock(&own->lock);
	own->closing = true;
	own->due_ms = 0;
	for (uint32_t i = 0; i < own->slots.used_end; i++)
		own->slots.rows[i].due_ms = 0;
	pthread_mutex_unlock(&own->lock);
	wait_settled(own, false);
	wire_ticker_stop(&own->ticker);
	for (size_t i = 0; i < own->endpoint_count; i++)
		endpoint_close(&own->endpoints[i]);
	wait_settled(own, true);
	client_release(&own);
	(void)wire_drain(DRAIN_TIMEOUT_MS);
}
