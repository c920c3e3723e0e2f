/* What a transport can do when nothing is behind it: every message is sent back. `latchkey-peer-echo wire|nng PORT`. */

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/channel.h"
#include "wire/listener.h"

/* Messages are a few hundred bytes. */
#define MESSAGE_BYTES_MAX 65536
/* As many as the caller has in flight: with fewer, nng's socket would leave some waiting. */
#define CONTEXTS 64

static void on_message(void *owner, wire_channel *ch, const struct wire_route *route, const uint8_t *body, size_t len)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)body, .iov_len = len};

	(void)owner;
	wire_channel_send(ch, route, &part, 1);
}

static void on_closed(void *owner, wire_channel *ch, enum wire_error reason)
{
	(void)owner;
	(void)reason;
	wire_channel_release(&ch);
}

static const struct wire_channel_events *on_accepted(void *owner, wire_channel *ch, void **ret_owner)
{
	static const struct wire_channel_events events = {.message = on_message, .closed = on_closed};

	(void)owner;
	(void)ch;
	*ret_owner = NULL;
	return &events;
}

static const char *serve_wire(const char *url)
{
	static const struct wire_channel_listener_events events = {.accepted = on_accepted};
	const struct wire_listener_options options = {.url = url,
						      .limits = {.connect_timeout_ms = 10000,
								 .idle_timeout_ms = 600000,
								 .stall_timeout_ms = 10000,
								 .input_bytes_max = 1 << 20,
								 .output_bytes_max = 1 << 20}};
	static wire_channel_listener *listener;
	const enum wire_error err = wire_channel_listen(&options, MESSAGE_BYTES_MAX, &events, NULL, &listener);

	return err == WIRE_OK ? NULL : wire_error_text(err);
}

struct seat {
	nng_ctx ctx;
	nng_aio *aio;
	bool is_receiving;
};

static void on_step(void *arg)
{
	struct seat *seat = arg;

	if (nng_aio_result(seat->aio) != 0) {
		(void)fprintf(stderr, "%s\n", nng_strerror(nng_aio_result(seat->aio)));
		exit(1);
	}
	/* The message that was received is the one that is sent: it stays in the aio. */
	seat->is_receiving = !seat->is_receiving;
	if (seat->is_receiving)
		nng_ctx_recv(seat->ctx, seat->aio);
	else
		nng_ctx_send(seat->ctx, seat->aio);
}

static const char *serve_nng(const char *url)
{
	static struct seat seats[CONTEXTS];
	nng_socket socket;
	int rv = nng_rep0_open(&socket);

	if (rv == 0)
		rv = nng_listen(socket, url, NULL, 0);
	for (unsigned i = 0; rv == 0 && i < CONTEXTS; i++) {
		seats[i].is_receiving = true;
		rv = nng_ctx_open(&seats[i].ctx, socket);
		if (rv == 0)
			rv = nng_aio_alloc(&seats[i].aio, on_step, &seats[i]);
		if (rv == 0)
			nng_ctx_recv(seats[i].ctx, seats[i].aio);
	}
	return rv == 0 ? NULL : nng_strerror(rv);
}

int main(int argc, char **argv)
{
	const char *error;
	char url[64];

	if (argc != 3 || (strcmp(argv[1], "wire") != 0 && strcmp(argv[1], "nng") != 0)) {
		(void)fprintf(stderr, "usage: latchkey-peer-echo wire|nng PORT\n");
		return 2;
	}
	(void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%s", argv[2]);
	error = strcmp(argv[1], "wire") == 0 ? serve_wire(url) : serve_nng(url);
	if (error != NULL) {
		(void)fprintf(stderr, "latchkey-peer-echo: %s: %s\n", url, error);
		return 1;
	}
	/* Until it is killed. */
	for (;;)
		pause();
}
