/* The store on Redis: options, URL, embedded server, and the tick that drives it all. The way of a command is in
 * redis/router.c, what is known of the servers in redis/topology.c.
 *
 * Threads. Whatever the store offers may be called from any thread; the ticker's thread dials and keeps time.
 *
 * Life. redis_close stops the tick first, so that nothing dials any more; then what waits is answered; then the
 * connections end, which answers what is in flight and fails what is being replayed; and last the embedded server, which
 * saves what they have written. */

#include "redis/redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "redis/embedded.h"
#include "redis/op.h"
#include "redis/pending.h"
#include "redis/reporter.h"
#include "redis/router.h"
#include "redis/url.h"
#include "wire/ticker.h"

/* Response timeouts, pauses and what waits are kept to this. */
#define TICK_MS 10
/* Users and passwords. */
#define TEXTS_MAX 4

struct redis {
	struct store store;
	struct reporter reporter;
	struct redis_options options; /* with text of our own, in `texts` */
	char *texts[TEXTS_MAX];
	size_t text_count;
	embedded *server;
	journal *journal;
	struct pending *pending;
	struct router router;
	struct topology *topology;
	uint64_t dropped; /* by the journal, as counted so far */
	wire_ticker *ticker;
};

/* ---- What the store offers ---- */

static void submit(void *self, struct store_op *op)
{
	redis *r = self;

	router_submit(&r->router, op);
}

/* Put first, looked at after: a switch changes owner and tenure first and looks at the journal after. So either the
 * switch finds the command there, or the change is seen here; never neither. */
static bool keep(void *self, const struct store_op *op, const struct store_command *redo, uint64_t lifetime_ms)
{
	redis *r = self;
	const struct journal_origin origin = {.node = op->node, .tenure = op->tenure};
	bool is_kept;

	if (op_has(op, OP_LATE) || !router_is_current(&r->router, op))
		return false;
	is_kept = journal_put(r->journal, redo, op->slot, origin, lifetime_ms, clock_mono_ms());
	/* What finds no room is counted, like what has to make room later, and acknowledged all the same. */
	(void)is_kept;
	return router_is_current(&r->router, op);
}

static bool pend(void *self, const struct store_command *redo, uint64_t lifetime_ms)
{
	redis *r = self;

	return pending_add(r->pending, redo, lifetime_ms, clock_mono_ms());
}

static void announced(struct store_op *op, const struct store_result *result)
{
	(void)result;
	free(op);
}

/* The operation and the message behind it in one piece. */
static void announce(void *self, span message)
{
	redis *r = self;
	struct node *n = topology_any_serving(r->topology);
	struct store_op *op = n == NULL ? NULL : calloc(1, sizeof(*op) + message.len);
	uint8_t *bytes;

	if (op == NULL)
		return;
	bytes = (uint8_t *)(op + 1);
	if (message.len > 0)
		memcpy(bytes, message.ptr, message.len);
	op->done = announced;
	op->deadline_ms = UINT64_MAX;
	op->command.argc = 3;
	op->command.argv[0] = SPAN_LIT("PUBLISH");
	op->command.argv[1] = SPAN_LIT(STORE_CHANNEL);
	op->command.argv[2] = span_of(bytes, message.len);
	node_send_direct(n, op, clock_mono_ms());
}

static void state(void *self, struct store_state *ret)
{
	redis *r = self;

	struct journal_state kept;

	topology_get_state(r->topology, ret);
	journal_get_state(r->journal, &kept);
	ret->journal_entries = kept.entries;
	ret->journal_bytes = kept.bytes;
	ret->pending = pending_count(r->pending);
}

static size_t nodes(void *self, struct store_node *ret, size_t max)
{
	redis *r = self;

	return topology_nodes(r->topology, ret, max);
}

static const struct store_ops ops = {
    .submit = submit,
    .keep = keep,
    .pend = pend,
    .announce = announce,
    .state = state,
    .nodes = nodes,
};

/* ---- Time ---- */

/* What a primary acknowledged that is not heard of now, or that was left a moment ago, may yet be needed. */
static bool is_trusted(void *owner, struct journal_origin origin)
{
	const struct node *n = origin.node;
	const enum term term = node_term(n);

	(void)owner;
	return term == TERM_SERVING || term == TERM_IDLE;
}

static void count_dropped(redis *r)
{
	struct journal_state now;

	journal_get_state(r->journal, &now);
	metric_add(METRIC_REDIS_JOURNAL_DROPPED, now.dropped - r->dropped);
	r->dropped = now.dropped;
}

static void on_tick(void *owner)
{
	redis *r = owner;
	const uint64_t now_ms = clock_mono_ms();

	metric_add(METRIC_REDIS_TICKS, 1);
	topology_tick(r->topology, now_ms);
	journal_expire(r->journal, is_trusted, r, now_ms);
	journal_tick(r->journal, now_ms);
	count_dropped(r);
	pending_tick(r->pending, now_ms);
	router_tick(&r->router, now_ms);
}

static void on_moved_on(void *owner)
{
	router_pump(owner);
}

bool redis_wait_ready(redis *r, uint32_t timeout_ms)
{
	return topology_wait_ready(r->topology, timeout_ms);
}

/* ---- Life ---- */

static enum status_code check_options(const struct redis_options *o, const struct redis_url *url, struct status *st)
{
	assert(o->connections >= 1 && o->connections <= NODE_CONNECTIONS_MAX);
	assert(o->connect_timeout_ms > 0 && o->response_timeout_ms > 0 && o->commands_in_flight_max > 0);
	assert(o->breaker_ms > 0 && o->late_ms > 0);
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
		.events = r->options.events,
	    },
	    &r->server, st);
}

/* A copy that lives as long as r. NULL stays NULL; false when memory is out. */
static bool keep_text(redis *r, const char *text, const char **ret)
{
	char *copy;

	*ret = NULL;
	if (text == NULL || text[0] == '\0')
		return true;
	copy = strdup(text);
	if (copy == NULL)
		return false;
	assert(r->text_count < TEXTS_MAX);
	r->texts[r->text_count++] = copy;
	*ret = copy;
	return true;
}

static void forget_texts(redis *r)
{
	while (r->text_count > 0) {
		char *text = r->texts[--r->text_count];

		explicit_bzero(text, strlen(text));
		free(text);
	}
}

static bool keep_options(redis *r, const struct redis_options *o, const struct redis_url *url)
{
	/* The embedded server's socket is in a folder that only this user can enter: that is all the authentication
	 * there is. */
	const bool has_user = url->mode != REDIS_EMBEDDED;
	const char *user = o->user != NULL ? o->user : url->user;
	const char *password = o->password != NULL ? o->password : url->password;

	r->options = *o;
	reporter_init(&r->reporter, &o->events);
	r->options.events = (struct redis_events){.report = reporter_report, .owner = &r->reporter};
	r->options.url = NULL;
	r->options.state_dir = NULL;
	r->options.server_binary = NULL;
	return keep_text(r, has_user ? user : NULL, &r->options.user) &&
	       keep_text(r, has_user ? password : NULL, &r->options.password) &&
	       keep_text(r, o->sentinel_user, &r->options.sentinel_user) &&
	       keep_text(r, o->sentinel_password, &r->options.sentinel_password);
}

static bool start_parts(redis *r, const struct redis_url *url)
{
	r->journal = journal_new(r->options.replay_window_ms, r->options.replay_bytes_max);
	r->pending = pending_new(&r->store);
	if (r->journal == NULL || r->pending == NULL)
		return false;
	r->topology = topology_new(&(struct topology_settings){
	    .options = &r->options,
	    .url = url,
	    .address = url->mode == REDIS_EMBEDDED ? embedded_address(r->server) : url->address,
	    .user = r->options.user,
	    .password = r->options.password,
	    .router = &r->router,
	    .finished = router_finished,
	    .hooks.moved_on = on_moved_on,
	    .journal = r->journal,
	});
	if (r->topology == NULL)
		return false;
	r->router.topology = r->topology;
	topology_tick(r->topology, clock_mono_ms());
	r->ticker = wire_ticker_start(TICK_MS, on_tick, r);
	return r->ticker != NULL;
}

static enum status_code start(redis *r, const struct redis_options *o, const struct redis_url *url, struct status *st)
{
	r->store = (struct store){.ops = &ops, .self = r};
	router_init(&r->router, &r->options, url->mode == REDIS_CLUSTER);
	if (!keep_options(r, o, url))
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (url->mode == REDIS_EMBEDDED) {
		enum status_code code = start_embedded(r, o, url, st);

		if (code != STATUS_OK)
			return code;
	}
	if (!start_parts(r, url))
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
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		code = status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
		goto out;
	}
	code = start(r, options, &url, st);
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

/* A replay that pauses goes on by the tick's hand; with the connections gone each of its commands fails. */
static void end_topology(redis *r)
{
	if (r->topology == NULL)
		return;
	topology_end(r->topology);
	while (topology_is_replaying(r->topology)) {
		journal_tick(r->journal, clock_mono_ms());
		usleep(TICK_MS * 1000);
	}
	topology_free(&r->topology);
}

void redis_close(redis **r)
{
	redis *old = *r;

	if (old == NULL)
		return;
	*r = NULL;
	wire_ticker_stop(&old->ticker);
	router_end(&old->router);
	end_topology(old);
	router_destroy(&old->router);
	pending_free(&old->pending);
	journal_free(&old->journal);
	embedded_stop(&old->server);
	forget_texts(old);
	reporter_destroy(&old->reporter);
	free(old);
}
