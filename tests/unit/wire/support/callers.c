#include "support/callers.h"

#include <stdlib.h>
#include <string.h>

#include "support/wait.h"

const struct wire_limits caller_limits = {
    .connect_timeout_ms = BOUND_MS,
    .idle_timeout_ms = 3 * BOUND_MS,
    .stall_timeout_ms = BOUND_MS,
    .input_bytes_max = 4096,
    .output_bytes_max = 1024 * 1024,
};

static void desk_ready(void *owner, wire_channel *ch)
{
	struct desk *d = owner;

	(void)ch;
	atomic_fetch_add(&d->ready, 1);
}

void desk_echo(struct desk *d, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)body, .iov_len = len};

	(void)d;
	wire_channel_send(ch, route, &part, 1);
}

static void desk_message(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len)
{
	struct desk *d = owner;

	atomic_fetch_add(&d->messages, 1);
	(d->answer != NULL ? d->answer : desk_echo)(d, ch, route, body, len);
}

static void desk_too_large(void *owner, wire_channel *ch, const struct wire_route *route, uint64_t announced)
{
	struct desk *d = owner;
	struct iovec part = {.iov_base = (void *)(uintptr_t) "too large", .iov_len = 9};

	atomic_store(&d->announced, announced);
	atomic_fetch_add(&d->too_large, 1);
	wire_channel_send(ch, route, &part, 1);
}

static bool desk_idle(void *owner, wire_channel *ch)
{
	struct desk *d = owner;

	(void)ch;
	return d->stays;
}

static void desk_closed(void *owner, wire_channel *ch, enum wire_error reason)
{
	struct desk *d = owner;

	atomic_store(&d->reason, (int)reason);
	wire_channel_release(&ch);
	atomic_fetch_add(&d->closed, 1);
}

static const struct wire_channel_events desk_events = {
    .ready = desk_ready,
    .message = desk_message,
    .too_large = desk_too_large,
    .idle = desk_idle,
    .closed = desk_closed,
};

static const struct wire_channel_events *desk_accepted(void *owner, wire_channel *ch, void **ret_owner)
{
	struct desk *d = owner;

	pthread_mutex_lock(&d->lock);
	wire_channel_release(&d->last);
	wire_channel_retain(ch);
	d->last = ch;
	pthread_mutex_unlock(&d->lock);
	*ret_owner = d;
	atomic_fetch_add(&d->accepted, 1);
	return &desk_events;
}

static const struct wire_channel_listener_events desk_listener_events = {.accepted = desk_accepted};

void desk_open(struct desk *d, const char *url, const struct wire_limits *limits, wire_tls *tls)
{
	struct wire_listener_options options = {.url = url, .limits = *limits, .tls = tls, .ipc_mode = 0600};

	pthread_mutex_init(&d->lock, NULL);
	assert_int_equal(wire_channel_listen(&options, CALLER_MESSAGE_MAX, &desk_listener_events, d, &d->listener),
			 WIRE_OK);
}

const char *desk_url(const struct desk *d)
{
	return wire_channel_listener_url(d->listener);
}

void desk_close(struct desk *d)
{
	wire_channel_listener_close(&d->listener);
	wire_channel_release(&d->last);
	assert_becomes(atomic_load(&d->closed) == atomic_load(&d->accepted), BOUND_MS);
	assert_true(wire_drain(BOUND_MS));
	pthread_mutex_destroy(&d->lock);
}

static uint8_t byte_of(uint32_t id, size_t i)
{
	return (uint8_t)((id >> (i % 4 * 8)) + i / 4);
}

static void enter(struct caller *c)
{
	if (atomic_fetch_add(&c->running, 1) != 0 || atomic_load(&c->closed) != 0)
		abort();
}

static void leave(struct caller *c)
{
	atomic_fetch_sub(&c->running, 1);
}

static void caller_ready(void *owner, wire_channel *ch)
{
	struct caller *c = owner;

	enter(c);
	if (ch != c->ch)
		abort();
	atomic_fetch_add(&c->ready, 1);
	leave(c);
}

static void caller_message(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body,
			   size_t len)
{
	struct caller *c = owner;
	bool wrong = route->len != 4;

	(void)ch;
	enter(c);
	for (size_t i = 0; i < len && !wrong; i++)
		wrong = body[i] != byte_of(wire_route_id(route), i);
	if (wrong)
		atomic_fetch_add(&c->wrong, 1);
	atomic_fetch_add(&c->replies, 1);
	leave(c);
}

static void caller_too_large(void *owner, wire_channel *ch, const struct wire_route *route, uint64_t announced)
{
	struct caller *c = owner;

	(void)ch;
	(void)route;
	(void)announced;
	enter(c);
	atomic_fetch_add(&c->too_large, 1);
	leave(c);
}

static void caller_closed(void *owner, wire_channel *ch, enum wire_error reason)
{
	struct caller *c = owner;

	(void)ch;
	enter(c);
	atomic_store(&c->reason, (int)reason);
	leave(c);
	atomic_fetch_add(&c->closed, 1);
}

static const struct wire_channel_events caller_events = {
    .ready = caller_ready,
    .message = caller_message,
    .too_large = caller_too_large,
    .closed = caller_closed,
};

void caller_init(struct caller *c)
{
	memset(c, 0, sizeof(*c));
}

void caller_dial(struct caller *c, const char *url, const struct wire_limits *limits, wire_tls *tls)
{
	assert_int_equal(wire_channel_dial(url, limits, tls, CALLER_MESSAGE_MAX, &caller_events, c, &c->ch), WIRE_OK);
}

void caller_ask(struct caller *c, uint32_t id, size_t len)
{
	struct wire_route route = wire_route_of_id(id | WIRE_ID_BIT);
	uint8_t *body = malloc(len + 1);
	struct iovec parts[2];

	for (size_t i = 0; i < len; i++)
		body[i] = byte_of(id | WIRE_ID_BIT, i);
	parts[0] = (struct iovec){.iov_base = body, .iov_len = len / 2};
	parts[1] = (struct iovec){.iov_base = body + len / 2, .iov_len = len - len / 2};
	wire_channel_send(c->ch, &route, parts, 2);
	free(body);
}

void caller_finish(struct caller *c)
{
	if (c->ch == NULL)
		return;
	wire_channel_close(c->ch, WIRE_CLOSED, false);
	assert_becomes(atomic_load(&c->closed) == 1, BOUND_MS);
	wire_channel_release(&c->ch);
}
