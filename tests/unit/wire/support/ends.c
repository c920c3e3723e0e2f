#include "support/ends.h"

#include <stdlib.h>
#include <string.h>

#include "support/wait.h"

const struct wire_limits end_limits = {
    .connect_timeout_ms = BOUND_MS,
    .idle_timeout_ms = 3 * BOUND_MS,
    .stall_timeout_ms = BOUND_MS,
    .input_bytes_max = 64 * 1024,
    .output_bytes_max = 1024 * 1024,
};

static void enter(struct end *e)
{
	/* Not cmocka's assertions: events run on threads that it cannot leave. */
	if (atomic_fetch_add(&e->running, 1) != 0 || atomic_load(&e->closed) != 0)
		abort();
}

static void leave(struct end *e)
{
	atomic_fetch_sub(&e->running, 1);
}

static void record(struct end *e, const uint8_t *data, size_t len)
{
	pthread_mutex_lock(&e->lock);
	e->bytes = realloc(e->bytes, e->len + len + 1);
	memcpy(e->bytes + e->len, data, len);
	e->len += len;
	pthread_mutex_unlock(&e->lock);
}

static void on_opened(void *owner, wire_link *link)
{
	struct end *e = owner;

	enter(e);
	if (link != e->link)
		abort();
	if (e->opened_hook != NULL)
		e->opened_hook(e);
	atomic_fetch_add(&e->opened, 1);
	leave(e);
}

static ssize_t on_input(void *owner, wire_link *link, const uint8_t *data, size_t len)
{
	struct end *e = owner;
	ssize_t used;

	enter(e);
	atomic_fetch_add(&e->inputs, 1);
	used = e->input != NULL ? e->input(e, link, data, len) : (ssize_t)len;
	if (used > 0)
		record(e, data, (size_t)used);
	leave(e);
	return used;
}

static bool on_idle(void *owner, wire_link *link)
{
	struct end *e = owner;

	(void)link;
	enter(e);
	atomic_fetch_add(&e->idles, 1);
	leave(e);
	return e->stays;
}

static void on_closed(void *owner, wire_link *link, enum wire_error reason)
{
	struct end *e = owner;

	(void)link;
	enter(e);
	atomic_store(&e->reason, (int)reason);
	leave(e);
	atomic_fetch_add(&e->closed, 1);
}

const struct wire_link_events end_events = {
    .opened = on_opened,
    .input = on_input,
    .idle = on_idle,
    .closed = on_closed,
};

void end_init(struct end *e)
{
	memset(e, 0, sizeof(*e));
	pthread_mutex_init(&e->lock, NULL);
}

void end_finish(struct end *e)
{
	if (e->link != NULL) {
		wire_link_close(e->link, WIRE_CLOSED, false);
		assert_becomes(atomic_load(&e->closed) == 1, BOUND_MS);
		wire_link_release(&e->link);
	}
	pthread_mutex_destroy(&e->lock);
	free(e->bytes);
	e->bytes = NULL;
}

void end_dial(struct end *e, const char *url, const struct wire_limits *limits)
{
	assert_int_equal(wire_dial(url, limits, NULL, &end_events, e, &e->link), WIRE_OK);
}

void end_send(struct end *e, const void *data, size_t len)
{
	char *copy = malloc(len);
	struct iovec part = {.iov_base = copy, .iov_len = len};

	memcpy(copy, data, len);
	wire_link_send(e->link, &part, 1);
	/* Gone at once: the link has copied. */
	memset(copy, 0, len);
	free(copy);
}

size_t end_received(struct end *e)
{
	size_t len;

	pthread_mutex_lock(&e->lock);
	len = e->len;
	pthread_mutex_unlock(&e->lock);
	return len;
}

bool end_has(struct end *e, const void *data, size_t len)
{
	bool same;

	pthread_mutex_lock(&e->lock);
	same = e->len == len && memcmp(e->bytes, data, len) == 0;
	pthread_mutex_unlock(&e->lock);
	return same;
}

static void send_copy(wire_link *link, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);
	struct iovec part = {.iov_base = copy, .iov_len = len};

	memcpy(copy, data, len);
	wire_link_send(link, &part, 1);
	free(copy);
}

ssize_t end_echo(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	(void)e;
	send_copy(link, data, len);
	return (ssize_t)len;
}

ssize_t end_echo_lines(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	size_t used = 0;
	const uint8_t *newline;

	(void)e;
	while ((newline = memchr(data + used, '\n', len - used)) != NULL) {
		size_t line = (size_t)(newline - (data + used)) + 1;

		send_copy(link, data + used, line);
		used += line;
	}
	return (ssize_t)used;
}

static const struct wire_link_events *on_accepted(void *owner, wire_link *link, void **ret_owner)
{
	struct hall *h = owner;
	int i = atomic_load(&h->count);
	struct end *e = &h->ends[i % HALL_ENDS_MAX];

	if (atomic_load(&h->refuses)) {
		atomic_fetch_add(&h->count, 1);
		return NULL;
	}
	if (i >= HALL_ENDS_MAX)
		abort();
	end_init(e);
	e->link = link;
	e->input = h->input;
	e->stays = h->stays;
	*ret_owner = e;
	atomic_fetch_add(&h->count, 1);
	return &end_events;
}

static const struct wire_listener_events hall_events = {.accepted = on_accepted};

void hall_open(struct hall *h, const char *url, const struct wire_limits *limits, wire_tls *tls)
{
	struct wire_listener_options options = {.url = url, .limits = *limits, .tls = tls, .ipc_mode = 0600};

	assert_int_equal(wire_listener_open(&options, &hall_events, h, &h->listener), WIRE_OK);
}

const char *hall_url(const struct hall *h)
{
	return wire_listener_url(h->listener);
}

void hall_close(struct hall *h)
{
	wire_listener_close(&h->listener);
	assert_null(h->listener);
	if (!atomic_load(&h->refuses)) {
		for (int i = 0; i < atomic_load(&h->count); i++)
			end_finish(&h->ends[i]);
	}
	assert_true(wire_drain(BOUND_MS));
}
