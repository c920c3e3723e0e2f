/* Whether a private key belongs to its certificate: nng takes any two, and every handshake fails then. So one handshake
 * is made, over loopback, with a client that looks at the signature only. */

#include "wire/trial.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>

/* A handshake takes a few ms. */
#define TRIAL_MS 5000

struct trial {
	nng_stream_listener *listener;
	nng_stream_dialer *dialer;
	nng_tls_config *client;
	nng_aio *server_aio;
	nng_aio *client_aio;
	nng_stream *server_end;
	nng_stream *client_end;
	uint8_t byte;
};

static int prepare_server(struct trial *t, nng_tls_config *config)
{
	int rv = nng_stream_listener_alloc(&t->listener, "tls+tcp://127.0.0.1:0");

	if (rv == 0)
		rv = nng_stream_listener_set_ptr(t->listener, NNG_OPT_TLS_CONFIG, config);
	return rv == 0 ? nng_stream_listener_listen(t->listener) : rv;
}

static int prepare_client(struct trial *t)
{
	char url[sizeof("tls+tcp://127.0.0.1:65535")];
	int port;
	int rv = nng_stream_listener_get_int(t->listener, NNG_OPT_TCP_BOUND_PORT, &port);

	if (rv == 0)
		rv = nng_tls_config_alloc(&t->client, NNG_TLS_MODE_CLIENT);
	if (rv == 0)
		rv = nng_tls_config_auth_mode(t->client, NNG_TLS_AUTH_MODE_NONE);
	/* Some of mbed TLS 3 verify over TLS 1.3 all the same. */
	if (rv == 0)
		rv = nng_tls_config_version(t->client, NNG_TLS_1_2, NNG_TLS_1_2);
	if (rv != 0)
		return rv;
	(void)snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%u", (unsigned)port & 0xffffU);
	rv = nng_stream_dialer_alloc(&t->dialer, url);
	return rv == 0 ? nng_stream_dialer_set_ptr(t->dialer, NNG_OPT_TLS_CONFIG, t->client) : rv;
}

static int connect_ends(struct trial *t)
{
	nng_stream_listener_accept(t->listener, t->server_aio);
	nng_stream_dialer_dial(t->dialer, t->client_aio);
	nng_aio_wait(t->client_aio);
	/* So that the accept ends when nobody called. */
	if (nng_aio_result(t->client_aio) != 0)
		nng_stream_listener_close(t->listener);
	nng_aio_wait(t->server_aio);
	if (nng_aio_result(t->client_aio) == 0)
		t->client_end = nng_aio_get_output(t->client_aio, 0);
	if (nng_aio_result(t->server_aio) == 0)
		t->server_end = nng_aio_get_output(t->server_aio, 0);
	return t->client_end != NULL && t->server_end != NULL ? 0 : NNG_ECONNREFUSED;
}

static int prepare(struct trial *t, nng_tls_config *config)
{
	int rv = prepare_server(t, config);

	if (rv == 0)
		rv = prepare_client(t);
	if (rv == 0)
		rv = nng_aio_alloc(&t->server_aio, NULL, NULL);
	if (rv == 0)
		rv = nng_aio_alloc(&t->client_aio, NULL, NULL);
	if (rv != 0)
		return rv;
	nng_aio_set_timeout(t->server_aio, TRIAL_MS);
	nng_aio_set_timeout(t->client_aio, TRIAL_MS);
	return connect_ends(t);
}

/* A byte that arrives has passed two finished handshakes. */
static bool carries_a_byte(struct trial *t)
{
	nng_iov iov = {.iov_buf = &t->byte, .iov_len = 1};
	bool has_arrived;

	if (nng_aio_set_iov(t->server_aio, 1, &iov) != 0 || nng_aio_set_iov(t->client_aio, 1, &iov) != 0)
		return true;
	nng_stream_recv(t->server_end, t->server_aio);
	nng_stream_send(t->client_end, t->client_aio);
	nng_aio_wait(t->server_aio);
	has_arrived = nng_aio_result(t->server_aio) == 0;
	nng_stream_close(t->client_end);
	nng_aio_wait(t->client_aio);
	return has_arrived;
}

static void clear(struct trial *t)
{
	if (t->client_end != NULL)
		nng_stream_close(t->client_end);
	if (t->server_end != NULL)
		nng_stream_close(t->server_end);
	nng_stream_free(t->client_end);
	nng_stream_free(t->server_end);
	nng_stream_dialer_free(t->dialer);
	nng_stream_listener_free(t->listener);
	nng_aio_free(t->client_aio);
	nng_aio_free(t->server_aio);
	if (t->client != NULL)
		nng_tls_config_free(t->client);
}

bool trial_passes(nng_tls_config *config)
{
	struct trial t = {0};
	const bool passes = prepare(&t, config) != 0 || carries_a_byte(&t);

	clear(&t);
	return passes;
}
