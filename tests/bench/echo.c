/* What the transports alone can do: an echo of as many bytes as a Get has, over our end of SP and over nng's own sockets. */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peer.h"
#include "bench/rate.h"
#include "bench/sections.h"
#include "bench/stock.h"
#include "support/wait.h"
#include "wire/channel.h"

#define IN_FLIGHT 64
/* A frame with one Get. */
#define ECHO_BYTES 200

struct echoes {
	struct peer wire;
	struct peer nng;
	struct frames frames;
};

struct caller {
	wire_channel *channel;
	struct iovec body;
	_Atomic bool is_ready;
	_Atomic bool is_closed;
	_Atomic uint64_t done;
};

/* As the client library has them. */
static const struct wire_limits limits = {.connect_timeout_ms = 10000,
					  .idle_timeout_ms = 60000,
					  .stall_timeout_ms = 10000,
					  .input_bytes_max = 1 << 20,
					  .output_bytes_max = 1 << 20};

static void on_ready(void *owner, wire_channel *ch)
{
	(void)ch;
	atomic_store(&((struct caller *)owner)->is_ready, true);
}

static void on_message(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len)
{
	struct caller *c = owner;

	(void)body;
	if (len == ECHO_BYTES)
		atomic_fetch_add_explicit(&c->done, 1, memory_order_relaxed);
	wire_channel_send(ch, route, &c->body, 1);
}

static void on_closed(void *owner, wire_channel *ch, enum wire_error reason)
{
	(void)ch;
	(void)reason;
	atomic_store(&((struct caller *)owner)->is_closed, true);
}

static const struct wire_channel_events events = {.ready = on_ready, .message = on_message, .closed = on_closed};

static void start(struct caller *c)
{
	wire_cork();
	for (uint32_t i = 0; i < IN_FLIGHT; i++) {
		const struct wire_route route = wire_route_of_id(i | WIRE_ID_BIT);

		wire_channel_send(c->channel, &route, &c->body, 1);
	}
	wire_uncork();
}

static double over_wire(struct bench *b, void *arg)
{
	const struct echoes *e = arg;
	struct caller c = {.body = {.iov_base = e->frames.of[0].bytes, .iov_len = ECHO_BYTES}};
	char url[40];
	double rate;

	(void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", e->wire.port);
	if (wire_channel_dial(url, &limits, NULL, ECHO_BYTES, &events, &c, &c.channel) != WIRE_OK ||
	    !WAIT_FOR(atomic_load(&c.is_ready) || atomic_load(&c.is_closed), BOUND_MS) || atomic_load(&c.is_closed))
		bench_die("the echo cannot be connected to", NULL);
	start(&c);
	rate = rate_of(b, &c.done, 1, NULL);
	wire_channel_close(c.channel, WIRE_CLOSED, false);
	if (!WAIT_FOR(atomic_load(&c.is_closed), BOUND_MS))
		bench_die("a channel does not close", NULL);
	wire_channel_release(&c.channel);
	return rate;
}

static double over_nng(struct bench *b, void *arg)
{
	const struct echoes *e = arg;
	struct stock stock = {.contexts = IN_FLIGHT, .frames = &e->frames};
	char url[40];

	(void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", e->nng.port);
	stock.url = url;
	return stock_rate(b, &stock);
}

void bench_echo(struct bench *b)
{
	static uint8_t bytes[ECHO_BYTES];
	struct frame frame = {.bytes = bytes, .len = sizeof(bytes)};
	struct echoes e = {.frames = {.of = &frame, .count = 1, .calls = 1}};
	const char *missing = peer_open_echo(&e.wire, "wire");

	if (missing != NULL) {
		report_skipped(&b->report, "echo", "%s", missing);
		return;
	}
	(void)peer_open_echo(&e.nng, "nng");
	bench_in_turn(b, "echo", over_wire, over_nng, &e);
	peer_close(&e.wire);
	peer_close(&e.nng);
}
