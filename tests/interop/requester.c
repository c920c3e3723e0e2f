/* Events come from the library's threads: they count, and never judge by an assertion. A batch's description is written
 * before its first request is sent and read only when answers come. */

#include "interop/requester.h"

#include <stdlib.h>

#include "interop/payload.h"
#include "interop/replier.h"
#include "support/wait.h"

#define ANSWER_BYTES_MAX (2U << 20)

static void on_ready(void *owner, wire_channel *ch)
{
	struct requester *r = owner;

	(void)ch;
	atomic_store(&r->ready, true);
}

static void on_message(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len)
{
	struct requester *r = owner;
	uint32_t serial = wire_route_id(route) & ~WIRE_ID_BIT;
	uint32_t index = serial - r->first;
	bool is_right;

	(void)ch;
	is_right = route->len == 4 && index < r->count && !r->answered[index] &&
		   payload_is_answer(body, len, serial, r->answer_bytes);
	if (is_right)
		r->answered[index] = true;
	atomic_fetch_add(is_right ? &r->right : &r->wrong, 1);
}

static void on_closed(void *owner, wire_channel *ch, enum wire_error reason)
{
	struct requester *r = owner;

	(void)ch;
	atomic_store(&r->reason, (int)reason);
	atomic_store(&r->closed, true);
}

static const struct wire_channel_events events = {.ready = on_ready, .message = on_message, .closed = on_closed};

void requester_dial(struct requester *r, const char *url, wire_tls *tls)
{
	enum wire_error err;

	*r = (struct requester){.reason = -1};
	err = wire_channel_dial(url, &roomy_limits, tls, ANSWER_BYTES_MAX, &events, r, &r->channel);
	if (err != WIRE_OK)
		fail_msg("dial %s: %s", url, wire_error_name(err));
}

void requester_open(struct requester *r, const char *url, wire_tls *tls)
{
	requester_dial(r, url, tls);
	assert_becomes(atomic_load(&r->ready) || atomic_load(&r->closed), BOUND_MS);
	if (atomic_load(&r->closed))
		fail_msg("dial %s: %s", url, wire_error_name((enum wire_error)atomic_load(&r->reason)));
}

static void send_requests(struct requester *r, size_t request_bytes)
{
	struct iovec part = {.iov_base = malloc(request_bytes), .iov_len = request_bytes};

	assert_non_null(part.iov_base);
	wire_cork();
	for (unsigned i = 0; i < r->count; i++) {
		struct wire_route route = wire_route_of_id((r->first + i) | WIRE_ID_BIT);

		payload_fill_request(part.iov_base, request_bytes, r->first + i, r->answer_bytes);
		wire_channel_send(r->channel, &route, &part, 1);
	}
	wire_uncork();
	free(part.iov_base);
}

void requester_ask(struct requester *r, uint32_t first_serial, unsigned count, size_t request_bytes,
		   uint32_t answer_bytes)
{
	assert_true(count <= REQUESTER_BATCH_MAX);
	atomic_store(&r->right, 0);
	r->first = first_serial;
	r->count = count;
	r->answer_bytes = answer_bytes;
	for (unsigned i = 0; i < count; i++)
		r->answered[i] = false;
	send_requests(r, request_bytes);
	assert_becomes(atomic_load(&r->right) == count || atomic_load(&r->wrong) > 0 || atomic_load(&r->closed),
		       BOUND_MS);
	assert_int_equal(atomic_load(&r->wrong), 0);
	assert_int_equal(atomic_load(&r->right), count);
}

void requester_close(struct requester *r)
{
	wire_channel_close(r->channel, WIRE_CLOSED, false);
	assert_becomes(atomic_load(&r->closed), BOUND_MS);
	wire_channel_release(&r->channel);
	assert_true(wire_drain(BOUND_MS));
}
