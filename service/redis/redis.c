/* The store on Redis: URL, embedded server, topology and the tick that drives it all.
 *
 * Threads. submit and state come from any thread; the ticker's thread dials and keeps timeouts; `ready` comes from link
 * events. Lock order: redis.lock, connection.lock, the link's own; redis.lock only pairs with its condition.
 *
 * Life. redis_close stops the tick first, so that nothing dials any more, then ends the connections, which answers what
 * is in flight, and the embedded server last, which saves what they have written. */

#include "redis/redis.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "redis/embedded.h"
#include "redis/node.h"
#include "redis/url.h"
#include "wire/ticker.h"

/* Response timeouts and pauses before dialing are kept to this. */
#define TICK_MS 10

struct redis {
	struct store store;
	enum redis_mode mode;
	embedded *server;
	node *node;
	wire_ticker *ticker;
	pthread_mutex_t lock;
	pthread_cond_t ready;
};

/* The topology: which node a command goes to. One server holds all slots. */
static node *node_of(const redis *r, const struct store_command *command)
{
	(void)command;
	return r->node;
}

static void submit(void *self, struct store_op *op)
{
	redis *r = self;
	uint64_t now_ms = clock_mono_ms();

	if (now_ms >= op->deadline_ms) {
		const struct store_result expired = {.outcome = STORE_EXPIRED};

		op->done(op, &expired);
		return;
	}
	node_submit(node_of(r, &op->command), op, now_ms);
}

static void state(void *self, struct store_state *ret)
{
	redis *r = self;

	_Static_assert(sizeof(ret->version) == REDIS_VERSION_BYTES, "a version fits");
	*ret = (struct store_state){.mode = redis_mode_name(r->mode)};
	ret->is_ready = node_is_ready(r->node, ret->version);
}

static const struct store_ops ops = {.submit = submit, .state = state};

static void on_ready(void *owner)
{
	redis *r = owner;

	pthread_mutex_lock(&r->lock);
	pthread_cond_broadcast(&r->ready);
	pthread_mutex_unlock(&r->lock);
}

static void on_tick(void *owner)
{
	redis *r = owner;

	node_tick(r->node, clock_mono_ms());
}

bool redis_wait_ready(redis *r, uint32_t timeout_ms)
{
	uint64_t until_ms = clock_mono_ms() + timeout_ms;
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
	char version[REDIS_VERSION_BYTES];
	bool is_ready;

	pthread_mutex_lock(&r->lock);
	while (!(is_ready = node_is_ready(r->node, version)))
		if (pthread_cond_timedwait(&r->ready, &r->lock, &until) != 0)
			break;
	pthread_mutex_unlock(&r->lock);
	return is_ready;
}

static redis *redis_new(void)
{
	redis *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;

	if (r == NULL)
		return NULL;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->ready, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r->store = (struct store){.ops = &ops, .self = r};
	return r;
}

static enum status_code check_options(const struct redis_options *o, const struct redis_url *url, struct status *st)
{
	assert(o->connections >= 1 && o->connections <= NODE_CONNECTIONS_MAX);
	assert(o->connect_timeout_ms > 0 && o->response_timeout_ms > 0 && o->commands_in_flight_max > 0);
	if (url->is_tls && o->tls == NULL)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "redis.url: rediss:// needs TLS settings: name the CA file in redis.tls_ca");
	if (url->mode == REDIS_EMBEDDED && url->folder[0] == '\0' && o->state_dir == NULL)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "redis.url: embedded: has no folder and there is no state folder: name one, such as "
				  "embedded:/var/lib/latchkey/redis");
	return STATUS_OK;
}

static enum status_code start_embedded(redis *r, const struct redis_options *o, const struct redis_url *url,
				       struct status *st)
{
	char folder[PATH_MAX];
	int len;

	if (url->folder[0] != '\0')
		len = snprintf(folder, sizeof(folder), "%s", url->folder);
	else
		len = snprintf(folder, sizeof(folder), "%s/redis", o->state_dir);
	if (len < 0 || (size_t)len >= sizeof(folder))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "the state folder's path is too long: use a shorter one");
	return embedded_start(
	    &(struct embedded_options){
		.folder = folder,
		.server_binary = o->server_binary,
		.events = o->events,
	    },
	    &r->server, st);
}

static const char *unless_empty(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

static enum status_code start_node(redis *r, const struct redis_options *o, const struct redis_url *url,
				   struct status *st)
{
	struct connection_options settings = {
	    .address = url->mode == REDIS_EMBEDDED ? embedded_address(r->server) : url->address,
	    .tls = o->tls,
	    .greeting.user = o->user != NULL ? o->user : unless_empty(url->user),
	    .greeting.password = o->password != NULL ? o->password : unless_empty(url->password),
	    .greeting.db = url->db,
	    .connect_timeout_ms = o->connect_timeout_ms,
	    .response_timeout_ms = o->response_timeout_ms,
	    .commands_in_flight_max = o->commands_in_flight_max,
	    .events = o->events,
	    .ready = on_ready,
	    .owner = r,
	};

	if (url->mode == REDIS_EMBEDDED) {
		/* Its socket is in a folder that only this user can enter: that is all the authentication there is. */
		settings.greeting.user = NULL;
		settings.greeting.password = NULL;
	}
	r->mode = url->mode;
	r->node = node_new(&settings, o->connections);
	if (r->node == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	node_tick(r->node, clock_mono_ms());
	r->ticker = wire_ticker_start(TICK_MS, on_tick, r);
	if (r->ticker == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	return STATUS_OK;
}

enum status_code redis_open(const struct redis_options *options, redis **ret, struct status *st)
{
	struct redis_url url;
	enum status_code code = redis_url_parse(options->url, &url, st);
	redis *r = NULL;

	if (code != STATUS_OK)
		return code;
	code = check_options(options, &url, st);
	if (code != STATUS_OK)
		goto out;
	r = redis_new();
	if (r == NULL) {
		code = status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
		goto out;
	}
	if (url.mode == REDIS_EMBEDDED)
		code = start_embedded(r, options, &url, st);
	if (code == STATUS_OK)
		code = start_node(r, options, &url, st);
	if (code == STATUS_OK) {
		*ret = r;
		r = NULL;
	}
out:
	redis_close(&r);
	redis_url_wipe(&url);
	return code;
}

const struct store *redis_store(redis *r)
{
	return &r->store;
}

void redis_close(redis **r)
{
	redis *old = *r;

	if (old == NULL)
		return;
	*r = NULL;
	wire_ticker_stop(&old->ticker);
	node_free(&old->node);
	embedded_stop(&old->server);
	pthread_mutex_destroy(&old->lock);
	pthread_cond_destroy(&old->ready);
	free(old);
}
