#include "rpc/connection.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "rpc/frame.h"

/* Design notes.
 *
 * Life. OPEN from the listener's `accepted` to the channel's `closed`; LINGERING while exchanges are still unanswered
 * then; GONE once there are none, and out of the registry. So a caller that sends and hangs up, again and again, still
 * counts against connections_max, and the sweep still ends its calls; parked ones end at once, those that pause when they
 * would go on. References: one for OPEN
 * and LINGERING together, one for each exchange until its memory goes, one for each visit. The core and the channel are
 * held to the last.
 *
 * Lock. `lock` covers the state, the list of unanswered exchanges, and the writing of this connection's due moment in
 * the registry. Nothing is called with it held but the registry's accessors.
 *
 * Due moment. It is never later than the earliest deadline in the list. An exchange that begins lowers it if need be;
 * one that is answered leaves it, and the sweep that it causes in vain sets it right: one scan per connection and
 * timeout, and nothing at all per call.
 *
 * Age. Callers that came while others were away stay where they are, so a connection that has lived for its time says so
 * with each reply (going_away), and whoever understands it moves. Whoever does not is let go after a grace, when nothing
 * of his is under way; and if that never is, his frames are refused after another, until it is. Nothing is ever cut
 * off, and a connection without calls, which carries no load, is left to the idle timeout. */

/* A program with a wrong credential is told so by each of its calls, and tries a few. With a secret of 256 bits there is
 * nothing to be guessed by more. */
#define STRANGE_FRAMES_MAX 64

/* Lives differ by a tenth to either side: those of all who came at one moment, when an instance was replaced, do not end
 * at one. A tenth is the grace as well. */
#define AGE_PARTS 10

#define NEVER UINT64_MAX

/* Exchanges cut off without taking the lock again. */
#define SWEEP_BATCH 64

enum connection_state { CONNECTION_OPEN, CONNECTION_LINGERING, CONNECTION_GONE };

struct connection {
	struct core *core;
	wire_channel *channel;
	size_t slot;
	_Atomic uint32_t refs;
	_Atomic uint32_t frames_held;
	_Atomic uint32_t strange_frames;
	uint64_t old_at_ms;		  /* NEVER: it may get as old as it likes */
	_Atomic uint64_t sent_away_at_ms; /* for its age, with a reply; 0: not yet */
	pthread_mutex_t lock;
	enum connection_state state;
	struct exchange *first;
};

void connection_retain(struct connection *c)
{
	const uint32_t before = atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);

	assert(before > 0);
}

void connection_release(struct connection **c)
{
	struct connection *old = *c;

	*c = NULL;
	if (old == NULL || atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) > 1)
		return;
	assert(old->state == CONNECTION_GONE && old->first == NULL);
	wire_channel_release(&old->channel);
	core_release(&old->core);
	(void)pthread_mutex_destroy(&old->lock);
	free(old);
}

struct core *connection_core(struct connection *c)
{
	return c->core;
}

/* Called with the lock held. True when the connection has just gone: the caller then takes it out of the registry. */
static bool set_state(struct connection *c, enum connection_state state)
{
	switch (state) {
	case CONNECTION_LINGERING:
		assert(c->state == CONNECTION_OPEN && c->first != NULL);
		break;
	case CONNECTION_GONE:
		assert(c->state != CONNECTION_GONE && c->first == NULL);
		break;
	case CONNECTION_OPEN:
		assert(false);
	}
	c->state = state;
	return state == CONNECTION_GONE;
}

static void leave_registry(struct connection *c)
{
	registry_remove(c->core->connections, c->slot);
	connection_release(&c);
}

void connection_begin(struct connection *c, struct exchange *x)
{
	struct exchange_link *link = exchange_link_of(x);
	registry *r = c->core->connections;

	(void)pthread_mutex_lock(&c->lock);
	link->next = c->first;
	link->previous = NULL;
	if (c->first != NULL)
		exchange_link_of(c->first)->previous = x;
	c->first = x;
	if (exchange_due(x) < registry_due(r, c->slot))
		registry_set_due(r, c->slot, exchange_due(x));
	(void)pthread_mutex_unlock(&c->lock);
}

static void unlink_exchange(struct connection *c, struct exchange *x)
{
	const struct exchange_link *link = exchange_link_of(x);

	if (link->next != NULL)
		exchange_link_of(link->next)->previous = link->previous;
	if (link->previous != NULL)
		exchange_link_of(link->previous)->next = link->next;
	else
		c->first = link->next;
}

bool connection_sends_away(struct connection *c, uint64_t arrived_ms)
{
	uint64_t never = 0;

	if (arrived_ms < c->old_at_ms)
		return atomic_load(&c->core->is_draining);
	(void)atomic_compare_exchange_strong(&c->sent_away_at_ms, &never, arrived_ms);
	return true;
}

/* Whether so many graces have passed since the caller was told to move on. */
static bool has_stayed(struct connection *c, uint32_t graces)
{
	const uint64_t since_ms = atomic_load_explicit(&c->sent_away_at_ms, memory_order_relaxed);
	const uint32_t grace_ms = c->core->options.connection_age_max_ms / AGE_PARTS;

	return since_ms != 0 && clock_mono_ms() >= since_ms + (uint64_t)graces * grace_ms;
}

void connection_answer(struct connection *c, struct exchange *x, span body)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)body.ptr, .iov_len = body.len};
	bool is_gone = false;
	bool is_quiet;

	if (body.len > 0)
		wire_channel_send(c->channel, exchange_route(x), &part, 1);
	else
		wire_channel_close(c->channel, WIRE_NO_MEMORY, true);
	(void)pthread_mutex_lock(&c->lock);
	unlink_exchange(c, x);
	is_quiet = c->first == NULL;
	if (c->state == CONNECTION_LINGERING && is_quiet)
		is_gone = set_state(c, CONNECTION_GONE);
	(void)pthread_mutex_unlock(&c->lock);
	if (is_quiet && !is_gone && has_stayed(c, 1))
		wire_channel_close(c->channel, WIRE_CLOSED, true);
	atomic_fetch_sub(&c->core->frames_unanswered, 1);
	if (is_gone)
		leave_registry(c);
}

void connection_unhold(struct connection *c)
{
	atomic_fetch_sub_explicit(&c->frames_held, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&c->core->frames_held, 1, memory_order_relaxed);
}

/* With is_parked_only whoever has been swept is not met again, for it is parked no more. */
static bool is_to_be_swept(const struct exchange *x, const struct exchange_cutoff *cutoff)
{
	return cutoff->is_parked_only ? exchange_is_parked(x) : exchange_due(x) <= cutoff->now_ms;
}

static size_t take_due(struct connection *c, const struct exchange_cutoff *cutoff,
		       struct exchange *due[static SWEEP_BATCH])
{
	size_t count = 0;

	(void)pthread_mutex_lock(&c->lock);
	for (struct exchange *x = c->first; x != NULL && count < SWEEP_BATCH; x = exchange_link_of(x)->next) {
		if (!is_to_be_swept(x, cutoff))
			continue;
		exchange_retain(x);
		due[count++] = x;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return count;
}

static void refresh_due(struct connection *c)
{
	uint64_t due_ms = REGISTRY_NEVER;

	(void)pthread_mutex_lock(&c->lock);
	for (struct exchange *x = c->first; x != NULL; x = exchange_link_of(x)->next)
		if (exchange_due(x) < due_ms)
			due_ms = exchange_due(x);
	if (c->state != CONNECTION_GONE)
		registry_set_due(c->core->connections, c->slot, due_ms);
	(void)pthread_mutex_unlock(&c->lock);
}

size_t connection_sweep(struct connection *c, const struct exchange_cutoff *cutoff)
{
	struct exchange *due[SWEEP_BATCH];
	size_t answered = 0;
	size_t count;

	do {
		count = take_due(c, cutoff, due);
		for (size_t i = 0; i < count; i++) {
			answered += exchange_cut_off(due[i], cutoff);
			exchange_release(&due[i]);
		}
	} while (count == SWEEP_BATCH);
	refresh_due(c);
	return answered;
}

void connection_note_stranger(struct connection *c)
{
	const uint32_t frames = atomic_fetch_add_explicit(&c->strange_frames, 1, memory_order_relaxed) + 1;
	uint64_t held_back;

	if (gate_pass(&c->core->refused_callers, clock_mono_ms(), &held_back))
		log_event(LOG_WARN, "caller_unknown", LOG_STR("peer", wire_link_peer(wire_channel_link(c->channel))),
			  LOG_UINT("frames", frames), LOG_UINT("not_logged", held_back));
	if (frames == STRANGE_FRAMES_MAX)
		wire_channel_close(c->channel, WIRE_CLOSED, true);
}

void connection_close(struct connection *c)
{
	wire_channel_close(c->channel, WIRE_CLOSED, true);
}

bool connection_is_closed(struct connection *c)
{
	bool is_closed;

	(void)pthread_mutex_lock(&c->lock);
	is_closed = c->state != CONNECTION_OPEN;
	(void)pthread_mutex_unlock(&c->lock);
	return is_closed;
}

/* ---- What the channel says ---- */

static void refuse(wire_channel *ch, const struct wire_route *route, const struct status *st)
{
	uint8_t bytes[FRAME_REFUSAL_BYTES_MAX];
	struct iovec part = {.iov_base = bytes, .iov_len = frame_encode_refusal(st, bytes)};

	metric_add(METRIC_FRAMES_REFUSED, 1);
	wire_channel_send(ch, route, &part, 1);
}

static enum status_code refuse_overload(struct status *st, uint32_t limit, const char *where)
{
	metric_add(METRIC_CALLS_OVERLOADED, 1);
	(void)status_set(st, STATUS_RESOURCE_EXHAUSTED,
			 "%u frames are in flight %s, which is the limit: wait for answers", limit, where);
	st->retry_after_ms = CORE_RETRY_AFTER_OVERLOAD_MS;
	return st->code;
}

static bool hold_one(_Atomic uint32_t *held, uint32_t limit)
{
	if (atomic_fetch_add_explicit(held, 1, memory_order_relaxed) < limit)
		return true;
	atomic_fetch_sub_explicit(held, 1, memory_order_relaxed);
	return false;
}

/* Once this is OK, connection_unhold must follow. */
static enum status_code hold(struct connection *c, struct status *st)
{
	const struct rpc_options *o = &c->core->options;

	if (atomic_load(&c->core->is_stopping))
		return status_set(st, STATUS_UNAVAILABLE, "this instance is shutting down: call another one");
	if (has_stayed(c, 2))
		return status_set(st, STATUS_UNAVAILABLE,
				  "this connection is older than connections.age_max_ms: open another one");
	if (!hold_one(&c->frames_held, o->frames_in_flight_per_connection_max))
		return refuse_overload(st, o->frames_in_flight_per_connection_max, "on this connection");
	if (hold_one(&c->core->frames_held, o->frames_in_flight_max))
		return STATUS_OK;
	atomic_fetch_sub_explicit(&c->frames_held, 1, memory_order_relaxed);
	return refuse_overload(st, o->frames_in_flight_max, "in this server");
}

static enum status_code take(struct connection *c, const struct wire_route *route, span frame, struct status *st)
{
	if (hold(c, st) != STATUS_OK)
		return st->code;
	if (exchange_start(c, route, frame, st) == STATUS_OK)
		return STATUS_OK;
	connection_unhold(c);
	return st->code;
}

static bool is_quiet(struct connection *c)
{
	bool is_it;

	(void)pthread_mutex_lock(&c->lock);
	is_it = c->first == NULL;
	(void)pthread_mutex_unlock(&c->lock);
	return is_it;
}

static void on_message(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len)
{
	struct connection *c = owner;
	struct status st;

	metric_add(METRIC_FRAMES, 1);
	/* Counted before is_stopping is looked at: a drain that sees none unanswered has missed none. */
	atomic_fetch_add(&c->core->frames_unanswered, 1);
	if (take(c, route, span_of(body, len), &st) == STATUS_OK)
		return;
	refuse(ch, route, &st);
	atomic_fetch_sub(&c->core->frames_unanswered, 1);
	if (has_stayed(c, 2) && is_quiet(c))
		wire_channel_close(ch, WIRE_CLOSED, true);
}

static void on_too_large(void *owner, wire_channel *ch, const struct wire_route *route, uint64_t announced)
{
	struct status st;

	(void)owner;
	metric_add(METRIC_FRAMES, 1);
	(void)status_set(&st, STATUS_RESOURCE_EXHAUSTED,
			 "a frame of %llu bytes was announced, at most %d are read: send fewer calls in a frame",
			 (unsigned long long)announced, RPC_FRAME_BYTES_MAX);
	refuse(ch, route, &st);
}

static bool on_idle(void *owner, wire_channel *ch)
{
	(void)ch;
	return !is_quiet(owner);
}

/* Most often a caller whose certificate is not ours to trust, or one who does not trust ours. */
static void report_tls(struct connection *c)
{
	uint64_t held_back;

	if (gate_pass(&c->core->failed_handshakes, clock_mono_ms(), &held_back))
		log_event(LOG_WARN, "tls_failed", LOG_STR("peer", wire_link_peer(wire_channel_link(c->channel))),
			  LOG_STR("text", wire_error_text(WIRE_TLS)), LOG_UINT("not_logged", held_back));
}

static void on_closed(void *owner, wire_channel *ch, enum wire_error reason)
{
	const struct exchange_cutoff parked = {.now_ms = UINT64_MAX, .is_parked_only = true};
	struct connection *c = owner;
	bool is_gone;

	metric_add(METRIC_CONNECTIONS_CLOSED, 1);
	if (reason == WIRE_TLS)
		report_tls(c);
	log_event(LOG_DEBUG, "connection_closed", LOG_STR("peer", wire_link_peer(wire_channel_link(ch))),
		  LOG_STR("reason", wire_error_name(reason)));
	(void)pthread_mutex_lock(&c->lock);
	is_gone = set_state(c, c->first == NULL ? CONNECTION_GONE : CONNECTION_LINGERING);
	if (!is_gone)
		connection_retain(c);
	(void)pthread_mutex_unlock(&c->lock);
	if (is_gone) {
		leave_registry(c);
		return;
	}
	(void)connection_sweep(c, &parked);
	connection_release(&c);
}

static const struct wire_channel_events channel_events = {
    .message = on_message,
    .too_large = on_too_large,
    .idle = on_idle,
    .closed = on_closed,
};

static void report_refusal(struct core *core, wire_channel *ch)
{
	uint64_t held_back;

	metric_add(METRIC_CONNECTIONS_REFUSED, 1);
	if (gate_pass(&core->refused_connections, clock_mono_ms(), &held_back))
		log_event(LOG_WARN, "connection_refused", LOG_STR("peer", wire_link_peer(wire_channel_link(ch))),
			  LOG_UINT("connections_max", core->options.connections_max),
			  LOG_UINT("not_logged", held_back));
}

static uint64_t old_at(const struct core *core)
{
	const uint32_t age_ms = core->options.connection_age_max_ms;
	const uint32_t margin_ms = age_ms / AGE_PARTS;
	uint32_t random = 0;

	if (age_ms == 0)
		return NEVER;
	/* Without random numbers all lives are short, which is no harm. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = 0;
	return clock_mono_ms() + age_ms - margin_ms + random % (2 * margin_ms + 1);
}

/* Whole before it is in the registry: a visit may come at once. */
static struct connection *connection_new(struct core *core, wire_channel *ch)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->core = core;
	c->channel = ch;
	c->old_at_ms = old_at(core);
	atomic_init(&c->refs, 1);
	(void)pthread_mutex_init(&c->lock, NULL);
	if (registry_add(core->connections, c, &c->slot)) {
		core_retain(core);
		return c;
	}
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

const struct wire_channel_events *connection_accept(struct core *core, wire_channel *ch, void **ret_owner)
{
	struct connection *c = connection_new(core, ch);

	if (c == NULL) {
		report_refusal(core, ch);
		return NULL;
	}
	metric_add(METRIC_CONNECTIONS_ACCEPTED, 1);
	log_event(LOG_DEBUG, "connection_accepted", LOG_STR("peer", wire_link_peer(wire_channel_link(ch))));
	*ret_owner = c;
	return &channel_events;
}
