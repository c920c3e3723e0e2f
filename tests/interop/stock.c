#include "interop/stock.h"

#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interop/payload.h"
#include "support/wait.h"

#define CONTEXTS_MAX 64

static void must(int rv, const char *what)
{
	if (rv != 0)
		fail_msg("%s: %s", what, nng_strerror(rv));
}

static int try_dial(nng_socket socket, const char *url, const struct certificates *certificates, bool is_mutual)
{
	nng_tls_config *tls;
	nng_dialer dialer;

	must(nng_dialer_create(&dialer, socket, url), url);
	if (certificates != NULL) {
		tls = certificates_for_nng(certificates, false, is_mutual);
		must(nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, tls), "TLS of the dialer");
		nng_tls_config_free(tls);
	}
	return nng_dialer_start(dialer, 0);
}

int stock_try_req(const char *url, const struct certificates *certificates, bool is_mutual, nng_socket *ret)
{
	nng_socket socket;
	int rv;

	must(nng_req0_open(&socket), "nng_req0_open");
	rv = try_dial(socket, url, certificates, is_mutual);
	if (rv != 0) {
		nng_close(socket);
		return rv;
	}
	*ret = socket;
	return 0;
}

nng_socket stock_req(const char *url, const struct certificates *certificates)
{
	nng_socket socket = NNG_SOCKET_INITIALIZER;

	must(stock_try_req(url, certificates, false, &socket), url);
	return socket;
}

void stock_close(nng_socket socket)
{
	must(nng_close(socket), "nng_close");
}

static int send_on(nng_ctx ctx, nng_aio *aio, const void *body, size_t len)
{
	nng_msg *msg;
	int rv = nng_msg_alloc(&msg, 0);

	if (rv == 0 && len > 0)
		rv = nng_msg_append(msg, body, len);
	if (rv != 0)
		return rv;
	nng_aio_set_msg(aio, msg);
	nng_ctx_send(ctx, aio);
	nng_aio_wait(aio);
	rv = nng_aio_result(aio);
	if (rv != 0)
		nng_msg_free(nng_aio_get_msg(aio));
	return rv;
}

static int receive_on(nng_ctx ctx, nng_aio *aio, nng_msg **ret)
{
	nng_ctx_recv(ctx, aio);
	nng_aio_wait(aio);
	if (nng_aio_result(aio) != 0)
		return nng_aio_result(aio);
	*ret = nng_aio_get_msg(aio);
	return 0;
}

int stock_exchange(nng_ctx ctx, const void *body, size_t len, nng_msg **ret_answer)
{
	nng_aio *aio;
	int rv = nng_aio_alloc(&aio, NULL, NULL);

	if (rv != 0)
		return rv;
	nng_aio_set_timeout(aio, BOUND_MS);
	rv = send_on(ctx, aio, body, len);
	if (rv == 0)
		rv = receive_on(ctx, aio, ret_answer);
	nng_aio_free(aio);
	return rv;
}

bool stock_ask(nng_ctx ctx, uint32_t serial, size_t request_bytes, uint32_t answer_bytes)
{
	uint8_t *request = malloc(request_bytes);
	nng_msg *answer = NULL;
	bool is_right = false;

	if (request == NULL)
		abort();
	payload_fill_request(request, request_bytes, serial, answer_bytes);
	if (stock_exchange(ctx, request, request_bytes, &answer) == 0) {
		is_right = payload_is_answer(nng_msg_body(answer), nng_msg_len(answer), serial, answer_bytes);
		nng_msg_free(answer);
	}
	free(request);
	return is_right;
}

struct worker {
	pthread_t thread;
	nng_ctx ctx;
	unsigned index;
	stock_work *work;
	void *arg;
	bool succeeded;
	char complaint[COMPLAINT_BYTES];
};

static void *run_worker(void *arg)
{
	struct worker *w = arg;

	w->succeeded = w->work(w->ctx, w->index, w->arg, w->complaint);
	return NULL;
}

void stock_in_parallel(nng_socket socket, unsigned contexts, stock_work *work, void *arg)
{
	struct worker *workers = calloc(contexts, sizeof(*workers));
	char complaint[COMPLAINT_BYTES] = "";

	assert_non_null(workers);
	for (unsigned i = 0; i < contexts; i++) {
		workers[i] = (struct worker){.index = i, .work = work, .arg = arg};
		must(nng_ctx_open(&workers[i].ctx, socket), "nng_ctx_open");
	}
	for (unsigned i = 0; i < contexts; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]), 0);
	for (unsigned i = 0; i < contexts; i++) {
		pthread_join(workers[i].thread, NULL);
		if (!workers[i].succeeded)
			memcpy(complaint, workers[i].complaint, sizeof(complaint));
		nng_ctx_close(workers[i].ctx);
	}
	free(workers);
	if (complaint[0] != '\0')
		fail_msg("%s", complaint);
}

void stock_alone(nng_socket socket, stock_work *work, void *arg)
{
	char complaint[COMPLAINT_BYTES] = "";
	bool succeeded;
	nng_ctx ctx;

	must(nng_ctx_open(&ctx, socket), "nng_ctx_open");
	succeeded = work(ctx, 0, arg, complaint);
	nng_ctx_close(ctx);
	if (!succeeded)
		fail_msg("%s", complaint);
}

static bool answer_one(nng_ctx ctx, nng_aio *aio)
{
	nng_msg *request = NULL;
	uint8_t *answer;
	size_t len;
	int rv;

	if (receive_on(ctx, aio, &request) != 0)
		return false;
	answer = payload_answer(nng_msg_body(request), nng_msg_len(request), &len);
	nng_msg_free(request);
	rv = send_on(ctx, aio, answer, len);
	free(answer);
	return rv == 0;
}

/* Until the socket is closed. */
static void *run_answers(void *arg)
{
	nng_ctx *ctx = arg;
	nng_aio *aio;

	if (nng_aio_alloc(&aio, NULL, NULL) != 0)
		abort();
	while (answer_one(*ctx, aio))
		continue;
	nng_aio_free(aio);
	return NULL;
}

/* The address with the port that was bound. */
static void learn_url(nng_listener listener, const char *url, char out[static URL_BYTES])
{
	int port = 0;

	snprintf(out, URL_BYTES, "%s", url);
	if (strncmp(url, "ipc:", 4) == 0 || strncmp(url, "inproc:", 7) == 0)
		return;
	must(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port), NNG_OPT_TCP_BOUND_PORT);
	snprintf(strrchr(out, ':'), URL_BYTES - (size_t)(strrchr(out, ':') - out), ":%d", port);
}

static void listen_on(nng_socket socket, const char *url, const struct certificates *certificates,
		      char ret_url[static URL_BYTES])
{
	nng_listener listener;
	nng_tls_config *tls;

	must(nng_listener_create(&listener, socket, url), url);
	if (certificates != NULL) {
		tls = certificates_for_nng(certificates, true, false);
		must(nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, tls), "TLS of the listener");
		nng_tls_config_free(tls);
	}
	must(nng_listener_start(listener, 0), url);
	learn_url(listener, url, ret_url);
}

void stock_rep_open(struct stock_rep *s, const char *url, const struct certificates *certificates)
{
	*s = (struct stock_rep){0};
	must(nng_rep0_open(&s->socket), "nng_rep0_open");
	for (unsigned i = 0; i < STOCK_REP_CONTEXTS; i++) {
		must(nng_ctx_open(&s->contexts[i], s->socket), "nng_ctx_open");
		assert_int_equal(pthread_create(&s->threads[i], NULL, run_answers, &s->contexts[i]), 0);
	}
	listen_on(s->socket, url, certificates, s->url);
}

void stock_rep_close(struct stock_rep *s)
{
	stock_close(s->socket);
	for (unsigned i = 0; i < STOCK_REP_CONTEXTS; i++)
		pthread_join(s->threads[i], NULL);
}

/* Forwards until one of its sockets is closed. */
static void *run_device(void *arg)
{
	struct stock_device *d = arg;

	(void)nng_device(d->front, d->back);
	return NULL;
}

void stock_device_open(struct stock_device *d, const char *front, const char *back, int hops)
{
	*d = (struct stock_device){0};
	must(nng_rep0_open_raw(&d->front), "nng_rep0_open_raw");
	must(nng_req0_open_raw(&d->back), "nng_req0_open_raw");
	if (hops != 0)
		must(nng_socket_set_int(d->front, NNG_OPT_MAXTTL, hops), NNG_OPT_MAXTTL);
	listen_on(d->front, front, NULL, d->url);
	must(try_dial(d->back, back, NULL, false), back);
	assert_int_equal(pthread_create(&d->thread, NULL, run_device, d), 0);
}

void stock_device_close(struct stock_device *d)
{
	stock_close(d->front);
	nng_close(d->back);
	pthread_join(d->thread, NULL);
}
