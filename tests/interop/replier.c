/* Events come from the library's threads: they count, and never judge by an assertion. `held` has a lock; what is held
 * keeps a reference to its channel. */

#include "interop/replier.h"

#include <stdlib.h>

#include "interop/payload.h"
#include "support/wait.h"
#include "wire/listener.h"

const struct wire_limits roomy_limits = {.connect_timeout_ms = BOUND_MS,
					 .idle_timeout_ms = 3 * BOUND_MS,
					 .stall_timeout_ms = BOUND_MS,
					 .input_bytes_max = 65536,
					 .output_bytes_max = 4U << 20};

/* In two parts, as a server with a head and a body would. */
static void send_answer(wire_channel *ch, const struct wire_route *route, uint8_t *answer, size_t len)
{
	size_t half = len / 2;
	const struct iovec parts[] = {{.iov_base = answer, .iov_len = half},
				      {.iov_base = answer + half, .iov_len = len - half}};

	wire_channel_send(ch, route, parts, 2);
	free(answer);
}

static bool hold_back(struct replier *r, wire_channel *ch, const struct wire_route *route, uint8_t *answer, size_t len)
{
	bool is_held;

	pthread_mutex_lock(&r->lock);
	is_held = r->held_count < r->hold;
	if (is_held) {
		wire_channel_retain(ch);
		r->held[r->held_count++] =
		    (struct replier_held){.channel = ch, .route = *route, .answer = answer, .len = len};
	}
	pthread_mutex_unlock(&r->lock);
	return is_held;
}

static void on_message(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len)
{
	struct replier *r = owner;
	unsigned longest = atomic_load(&r->route_bytes_max);
	uint8_t *answer;
	size_t answer_len;

	while (route->len > longest && !atomic_compare_exchange_weak(&r->route_bytes_max, &longest, route->len))
		continue;
	answer = payload_answer(body, len, &answer_len);
	if (!hold_back(r, ch, route, answer, answer_len))
		send_answer(ch, route, answer, answer_len);
	atomic_fetch_add(&r->requests, 1);
}

/* An answer of no bytes: no payload request of that size asks for one. */
static void on_too_large(void *owner, wire_channel *ch, const struct wire_route *route, uint64_t announced)
{
	struct replier *r = owner;

	(void)announced;
	atomic_fetch_add(&r->too_large, 1);
	wire_channel_send(ch, route, NULL, 0);
}

static void on_closed(void *owner, wire_channel *ch, enum wire_error reason)
{
	struct replier *r = owner;

	wire_channel_release(&ch);
	atomic_store(&r->last_reason, (int)reason);
	atomic_fetch_sub(&r->live, 1);
}

static const struct wire_channel_events channel_events = {
    .message = on_message,
    .too_large = on_too_large,
    .closed = on_closed,
};

static const struct wire_channel_events *on_accepted(void *owner, wire_channel *ch, void **ret_owner)
{
	struct replier *r = owner;

	(void)ch;
	atomic_fetch_add(&r->live, 1);
	atomic_fetch_add(&r->accepted, 1);
	*ret_owner = r;
	return &channel_events;
}

static const struct wire_channel_listener_events listener_events = {.accepted = on_accepted};

void replier_open(struct replier *r, const char *url, wire_tls *tls)
{
	const struct wire_listener_options options = {.url = url, .limits = roomy_limits, .tls = tls, .ipc_mode = 0600};
	enum wire_error err;

	*r = (struct replier){.last_reason = -1};
	pthread_mutex_init(&r->lock, NULL);
	err = wire_channel_listen(&options, REPLIER_REQUEST_BYTES_MAX, &listener_events, r, &r->listener);
	if (err != WIRE_OK)
		fail_msg("listen on %s: %s", url, wire_error_name(err));
}

const char *replier_url(const struct replier *r)
{
	return wire_channel_listener_url(r->listener);
}

void replier_hold(struct replier *r, unsigned count)
{
	assert_true(count <= REPLIER_HELD_MAX);
	pthread_mutex_lock(&r->lock);
	r->hold = count;
	pthread_mutex_unlock(&r->lock);
}

unsigned replier_held_count(struct replier *r)
{
	unsigned count;

	pthread_mutex_lock(&r->lock);
	count = r->held_count;
	pthread_mutex_unlock(&r->lock);
	return count;
}

void replier_answer_held(struct replier *r)
{
	pthread_mutex_lock(&r->lock);
	while (r->held_count > 0) {
		struct replier_held *last = &r->held[--r->held_count];

		send_answer(last->channel, &last->route, last->answer, last->len);
		wire_channel_release(&last->channel);
	}
	r->hold = 0;
	pthread_mutex_unlock(&r->lock);
}

void replier_close(struct replier *r)
{
	assert_becomes(atomic_load(&r->live) == 0, BOUND_MS);
	wire_channel_listener_close(&r->listener);
	/* What was accepted while the listener closed. */
	assert_becomes(atomic_load(&r->live) == 0, BOUND_MS);
	assert_true(wire_drain(BOUND_MS));
	pthread_mutex_destroy(&r->lock);
}
