#include "rpc/server.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/metrics.h"
#include "rpc/address.h"
#include "rpc/connection.h"
#include "rpc/core.h"
#include "rpc/methods.h"
#include "wire/channel.h"
#include "wire/ticker.h"

/* Design notes.
 *
 * Threads. A connection's events come one at a time from the wire's threads; replies come from the store's connections,
 * which are wire links too, or from within store_submit; the sweep, the look at parked calls, and the questions about
 * realms (realm_poll.c), come from a ticker; everything in this file that the header declares comes from the program's
 * main thread.
 *
 * Locks, in order; each is held for a few microseconds and none while a callback, a submit or a send runs:
 *   exchange.lock    the calls of one frame and their arena (exchange.c)
 *   connection.lock  one connection's state and unanswered exchanges (connection.c); never with exchange.lock held
 *   registry.lock    the slots of connections (registry.c); a leaf
 *   core.keys_lock   which keyring is in force (core.c); a leaf, taken with exchange.lock held by Server/Keys only
 *   watchers.lock    the slots of parked calls (watchers.c); a leaf
 *   sleepers.lock    the list of tasks that pause (sleepers.c); a leaf, taken with none held
 * Under exchange.lock the store may be asked for its state, the memory of recent revocations be read and added to, and
 * the log of events be read: their own locks come after.
 *
 * Ownership. server -> listeners, ticker, core; connection -> core, channel; exchange -> connection, arena. All but the
 * first are counted references, so that a store operation that outlives the server finds all it touches. */

/* How late a call may be answered after its deadline, and how often 32 KiB of due moments are read. */
#define SWEEP_PERIOD_MS 5
/* How often a drain looks whether all is answered, and a start whether the realms are known: nothing on the way signals
 * it. */
#define DRAIN_POLL_MS 1
/* For the last replies to reach the kernel, and the connections to end: a peer that reads needs a few milliseconds. */
#define DRAIN_FLUSH_MS 1000

struct rpc_server {
	struct core *core;
	wire_ticker *ticker;
	size_t listener_count;
	wire_channel_listener **listeners;
	bool is_drained;
};

static void sweep_one(struct connection *c, void *arg)
{
	(void)connection_sweep(c, arg);
}

static void poll_one(struct exchange *x, void *arg)
{
	(void)exchange_cut_off(x, arg);
}

static void note_ready(struct core *core, uint64_t now_ms)
{
	if (!atomic_load_explicit(&core->has_been_ready, memory_order_relaxed) &&
	    realm_polls_know_all(core->realm_polls, now_ms))
		atomic_store(&core->has_been_ready, true);
}

static void on_tick(void *owner)
{
	struct core *core = owner;
	struct exchange_cutoff cutoff = {.now_ms = wire_now_ms()};

	metric_add(METRIC_RPC_TICKS, 1);
	note_ready(core, cutoff.now_ms);
	registry_visit_due(core->connections, cutoff.now_ms, sweep_one, &cutoff);
	realm_polls_tick(core->realm_polls, core, cutoff.now_ms);
	cutoff.is_parked_only = true;
	watchers_visit(core->watchers, cutoff.now_ms, poll_one, &cutoff);
	sleepers_wake(core->sleepers, core->options.auth_news, cutoff.now_ms, exchange_wake);
}

enum status_code rpc_server_new(const struct rpc_options *options, rpc_server **ret, struct status *st)
{
	rpc_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "no memory for a server");
	if (core_new(options, &s->core, st) != STATUS_OK) {
		free(s);
		return st->code;
	}
	/* The first questions are submitted before any call can be. */
	realm_polls_tick(s->core->realm_polls, s->core, wire_now_ms());
	s->ticker = wire_ticker_start(SWEEP_PERIOD_MS, on_tick, s->core);
	if (s->ticker == NULL) {
		core_release(&s->core);
		free(s);
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "no memory for a timer");
	}
	*ret = s;
	return STATUS_OK;
}

bool rpc_server_wait_realms(rpc_server *s, uint32_t timeout_ms)
{
	const struct timespec pause = {.tv_nsec = DRAIN_POLL_MS * 1000000L};
	const uint64_t until_ms = wire_now_ms() + timeout_ms;

	while (!realm_polls_know_all(s->core->realm_polls, wire_now_ms())) {
		if (wire_now_ms() >= until_ms)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

static const struct wire_channel_events *on_accepted(void *owner, wire_channel *ch, void **ret_owner)
{
	return connection_accept(owner, ch, ret_owner);
}

static const struct wire_channel_listener_events listener_events = {.accepted = on_accepted};

static enum status_code check_address(const rpc_server *s, const char *url, struct status *st)
{
	switch (address_scope_of(url)) {
	case ADDRESS_LOCAL:
		return STATUS_OK;
	case ADDRESS_REMOTE:
		if (s->core->callers != NULL)
			return STATUS_OK;
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s is not a loopback address, and callers are not told apart: name a file "
				  "of their credentials, or listen on 127.0.0.1, [::1] or ipc:///path",
				  url);
	case ADDRESS_BAD:
		break;
	}
	return status_set(st, STATUS_INVALID_ARGUMENT,
			  "%s is no listener's URL: use tcp://host:port, tls+tcp://host:port or ipc:///path", url);
}

static enum status_code listen_failed(const char *url, enum wire_error err, struct status *st)
{
	enum status_code code = STATUS_FAILED_PRECONDITION;

	if (err == WIRE_BAD_URL || err == WIRE_TLS)
		code = STATUS_INVALID_ARGUMENT;
	else if (err == WIRE_NO_MEMORY)
		code = STATUS_RESOURCE_EXHAUSTED;
	return status_set(st, code, "cannot listen on %s: %s", url, wire_error_text(err));
}

enum status_code rpc_server_listen(rpc_server *s, const char *url, wire_tls *tls, uint32_t ipc_mode, struct status *st)
{
	const struct wire_listener_options options = {
	    .url = url,
	    .limits = s->core->options.limits,
	    .tls = tls,
	    .ipc_mode = ipc_mode,
	};
	wire_channel_listener **grown;
	enum wire_error err;

	assert(!s->is_drained);
	if (check_address(s, url, st) != STATUS_OK)
		return st->code;
	grown = reallocarray(s->listeners, s->listener_count + 1, sizeof(wire_channel_listener *));
	if (grown == NULL)
		return listen_failed(url, WIRE_NO_MEMORY, st);
	s->listeners = grown;
	err = wire_channel_listen(&options, RPC_FRAME_BYTES_MAX, &listener_events, s->core,
				  &s->listeners[s->listener_count]);
	if (err != WIRE_OK)
		return listen_failed(url, err, st);
	s->listener_count++;
	return STATUS_OK;
}

enum status_code rpc_server_renew(rpc_server *s, size_t i, wire_tls *tls, struct status *st)
{
	enum wire_error err;

	assert(i < s->listener_count);
	err = wire_channel_listener_renew(s->listeners[i], tls);
	return err == WIRE_OK ? STATUS_OK : listen_failed(rpc_server_url(s, i), err, st);
}

const char *rpc_server_url(const rpc_server *s, size_t i)
{
	return i < s->listener_count ? wire_channel_listener_url(s->listeners[i]) : NULL;
}

void rpc_server_use_keys(rpc_server *s, keyring *keys)
{
	core_use_keys(s->core, keys);
}

void rpc_server_use_callers(rpc_server *s, callers *who)
{
	core_use_callers(s->core, who);
}

void rpc_server_look(rpc_server *s, struct rpc_state *ret)
{
	struct core *core = s->core;

	*ret = (struct rpc_state){
	    .is_draining = atomic_load(&core->is_draining),
	    .has_been_ready = atomic_load(&core->has_been_ready),
	    .knows_realms = realm_polls_know_most(core->realm_polls, wire_now_ms()),
	    .frames_held = atomic_load_explicit(&core->frames_held, memory_order_relaxed),
	    .bytes_held = atomic_load_explicit(&core->bytes_held, memory_order_relaxed),
	    .watchers = watchers_count(core->watchers),
	    .started_at_ms = core->started_at_ms,
	};
}

keyring *rpc_server_keys(rpc_server *s)
{
	return core_keys(s->core);
}

span rpc_method_path(size_t place)
{
	const struct method *m = place == 0 ? NULL : method_at(place - 1);

	if (place == 0)
		return SPAN_LIT("none");
	return m == NULL ? SPAN_EMPTY : m->path;
}

void rpc_server_set_draining(rpc_server *s)
{
	atomic_store(&s->core->is_draining, true);
}

static void wait_answered(struct core *core, uint32_t timeout_ms)
{
	const struct timespec pause = {.tv_nsec = DRAIN_POLL_MS * 1000000L};
	const uint64_t until_ms = wire_now_ms() + timeout_ms;

	while (atomic_load(&core->frames_unanswered) > 0 && wire_now_ms() < until_ms)
		(void)nanosleep(&pause, NULL);
}

struct cut_off {
	struct exchange_cutoff cutoff;
	size_t calls;
};

static void cut_off_one(struct connection *c, void *arg)
{
	struct cut_off *cut = arg;

	cut->calls += connection_sweep(c, &cut->cutoff);
}

static void close_one(struct connection *c, void *arg)
{
	(void)arg;
	connection_close(c);
}

bool rpc_server_drain(rpc_server *s, uint32_t timeout_ms)
{
	struct cut_off cut = {.cutoff = {.now_ms = UINT64_MAX, .is_stopping = true}};
	struct exchange_cutoff parked = {.now_ms = UINT64_MAX, .is_parked_only = true};
	struct core *core = s->core;
	bool is_empty;

	assert(!s->is_drained);
	s->is_drained = true;
	atomic_store(&core->is_draining, true);
	for (size_t i = 0; i < s->listener_count; i++)
		wire_channel_listener_close(&s->listeners[i]);
	s->listener_count = 0;
	atomic_store(&core->is_stopping, true);
	watchers_visit(core->watchers, UINT64_MAX, poll_one, &parked);
	sleepers_wake(core->sleepers, core->options.auth_news, UINT64_MAX, exchange_wake);
	wait_answered(core, timeout_ms);
	registry_visit_due(core->connections, UINT64_MAX, cut_off_one, &cut);
	/* Answers that other threads are just sending; then frames that they had just begun. */
	wait_answered(core, DRAIN_FLUSH_MS);
	registry_visit_due(core->connections, UINT64_MAX, cut_off_one, &cut);
	wait_answered(core, DRAIN_FLUSH_MS);
	registry_visit_due(core->connections, UINT64_MAX, close_one, NULL);
	is_empty = registry_wait_empty(core->connections, DRAIN_FLUSH_MS);
	return is_empty && cut.calls == 0;
}

void rpc_server_free(rpc_server **s)
{
	rpc_server *old = *s;

	if (old == NULL)
		return;
	*s = NULL;
	if (!old->is_drained)
		(void)rpc_server_drain(old, 0);
	wire_ticker_stop(&old->ticker);
	/* All calls are answered: only their references are given back. */
	sleepers_wake(old->core->sleepers, NULL, UINT64_MAX, exchange_wake);
	core_release(&old->core);
	free(old->listeners);
	free(old);
}
