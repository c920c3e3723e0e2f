/* Stock REQ sockets against our replier. */

#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdio.h>
#include <stdlib.h>

#include "interop/payload.h"
#include "interop/replier.h"
#include "interop/stock.h"
#include "support/wait.h"

#define MIB (1U << 20)

THE_TRANSPORTS

static struct replier replier;

static void open_replier(enum transport over)
{
	char url[URL_BYTES];

	transports_url(&transports, over, url);
	replier_open(&replier, url, transports_server(&transports, over));
}

static nng_socket caller(enum transport over)
{
	return stock_req(replier_url(&replier), transports_certificates(&transports, over));
}

/* Around what one read, one write and one TLS record hold. */
static const size_t sizes[] = {PAYLOAD_HEAD, 100, 4083, 4096, 16384, 16385, 65536, 262144, MIB};

static bool work_sizes(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES])
{
	(void)index;
	(void)arg;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (stock_ask(ctx, 2 * i, sizes[i], 16) && stock_ask(ctx, 2 * i + 1, 16, (uint32_t)sizes[i]))
			continue;
		snprintf(complaint, COMPLAINT_BYTES, "%zu bytes: no answer or a wrong one", sizes[i]);
		return false;
	}
	return true;
}

static bool work_empty(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES])
{
	nng_msg *answer = NULL;
	int rv = stock_exchange(ctx, NULL, 0, &answer);
	bool is_empty = rv == 0 && nng_msg_len(answer) == 0;

	(void)index;
	(void)arg;
	nng_msg_free(answer);
	if (!is_empty)
		snprintf(complaint, COMPLAINT_BYTES, "an empty request: error %d or bytes", rv);
	return is_empty;
}

static void test_sizes(void **state)
{
	enum transport over = *(enum transport *)*state;
	nng_socket socket;

	open_replier(over);
	socket = caller(over);
	stock_alone(socket, work_sizes, NULL);
	stock_alone(socket, work_empty, NULL);
	assert_int_equal(atomic_load(&replier.route_bytes_max), 4);
	assert_int_equal(atomic_load(&replier.accepted), 1);
	stock_close(socket);
	replier_close(&replier);
	assert_int_equal(atomic_load(&replier.last_reason), WIRE_PEER_CLOSED);
}

struct batch {
	unsigned calls;
	size_t request_bytes;
	uint32_t answer_bytes;
};

static bool work_batch(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES])
{
	const struct batch *b = arg;

	for (unsigned i = 0; i < b->calls; i++) {
		if (stock_ask(ctx, index << 16 | i, b->request_bytes, b->answer_bytes))
			continue;
		snprintf(complaint, COMPLAINT_BYTES, "context %u, call %u: no answer or a wrong one", index, i);
		return false;
	}
	return true;
}

static void test_contexts(void **state)
{
	enum transport over = *(enum transport *)*state;
	struct batch small = {.calls = 200, .request_bytes = 64, .answer_bytes = 200};
	struct batch large = {.calls = 6, .request_bytes = 64, .answer_bytes = MIB};
	struct batch both = {.calls = 3, .request_bytes = MIB, .answer_bytes = MIB};
	nng_socket socket;

	open_replier(over);
	socket = caller(over);
	stock_in_parallel(socket, 16, work_batch, &small);
	stock_in_parallel(socket, 8, work_batch, &large);
	stock_in_parallel(socket, 4, work_batch, &both);
	assert_int_equal(atomic_load(&replier.requests), 16 * 200 + 8 * 6 + 4 * 3);
	assert_int_equal(atomic_load(&replier.accepted), 1);
	stock_close(socket);
	replier_close(&replier);
}

#define SOCKETS 8

struct crowd_member {
	pthread_t thread;
	nng_socket socket;
	struct batch batch;
	bool succeeded;
};

static void *run_member(void *arg)
{
	struct crowd_member *m = arg;
	char complaint[COMPLAINT_BYTES];
	nng_ctx ctx;

	m->succeeded = nng_ctx_open(&ctx, m->socket) == 0 && work_batch(ctx, m->batch.calls, &m->batch, complaint);
	nng_ctx_close(ctx);
	return NULL;
}

static void test_several_sockets(void **state)
{
	enum transport over = *(enum transport *)*state;
	struct crowd_member crowd[SOCKETS];

	open_replier(over);
	for (unsigned i = 0; i < SOCKETS; i++)
		crowd[i] = (struct crowd_member){.socket = caller(over), .batch = {50 + i, 64, 1000}};
	for (unsigned i = 0; i < SOCKETS; i++)
		assert_int_equal(pthread_create(&crowd[i].thread, NULL, run_member, &crowd[i]), 0);
	for (unsigned i = 0; i < SOCKETS; i++) {
		pthread_join(crowd[i].thread, NULL);
		assert_true(crowd[i].succeeded);
		stock_close(crowd[i].socket);
	}
	assert_int_equal(atomic_load(&replier.accepted), SOCKETS);
	replier_close(&replier);
}

#define HELD 16

static void *answer_when_all_are_there(void *arg)
{
	(void)arg;
	if (WAIT_FOR(replier_held_count(&replier) == HELD, BOUND_MS))
		replier_answer_held(&replier);
	return NULL;
}

/* Each context gets its own answer, whatever the order. */
static void test_answers_in_opposite_order(void **state)
{
	enum transport over = *(enum transport *)*state;
	struct batch one = {.calls = 1, .request_bytes = 64, .answer_bytes = 3000};
	nng_socket socket;
	pthread_t thread;

	open_replier(over);
	replier_hold(&replier, HELD);
	socket = caller(over);
	assert_int_equal(pthread_create(&thread, NULL, answer_when_all_are_there, NULL), 0);
	stock_in_parallel(socket, HELD, work_batch, &one);
	pthread_join(thread, NULL);
	stock_close(socket);
	replier_close(&replier);
}

static bool work_too_large(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES])
{
	const size_t len = 2 * (size_t)REPLIER_REQUEST_BYTES_MAX;
	uint8_t *request = calloc(1, len);
	nng_msg *answer = NULL;
	int rv = request == NULL ? NNG_ENOMEM : stock_exchange(ctx, request, len, &answer);
	bool is_refused = rv == 0 && nng_msg_len(answer) == 0;

	(void)index;
	(void)arg;
	free(request);
	nng_msg_free(answer);
	if (!is_refused)
		snprintf(complaint, COMPLAINT_BYTES, "error %d, or not the answer to requests that are too large", rv);
	return is_refused;
}

/* The answer that says so comes through at the first try, although the request is still being sent, and the socket,
 * which connects anew by itself, works on. */
static void test_too_large(void **state)
{
	enum transport over = *(enum transport *)*state;
	struct batch small = {.calls = 10, .request_bytes = 64, .answer_bytes = 64};
	nng_socket socket;

	open_replier(over);
	socket = caller(over);
	stock_alone(socket, work_too_large, NULL);
	assert_int_equal(atomic_load(&replier.too_large), 1);
	assert_becomes(atomic_load(&replier.last_reason) == WIRE_TOO_LARGE, BOUND_MS);
	stock_in_parallel(socket, 4, work_batch, &small);
	assert_true(atomic_load(&replier.accepted) >= 2);
	stock_close(socket);
	replier_close(&replier);
}

/* A caller that goes while its requests are being worked on: late answers go nowhere, and the next is served. */
static void test_caller_gone(void **state)
{
	enum transport over = *(enum transport *)*state;
	struct batch small = {.calls = 10, .request_bytes = 64, .answer_bytes = 64};
	uint8_t request[64];
	nng_socket socket;
	nng_msg *msg;

	open_replier(over);
	replier_hold(&replier, 1);
	socket = caller(over);
	payload_fill_request(request, sizeof(request), 1, MIB);
	assert_int_equal(nng_msg_alloc(&msg, 0), 0);
	assert_int_equal(nng_msg_append(msg, request, sizeof(request)), 0);
	assert_int_equal(nng_sendmsg(socket, msg, 0), 0);
	assert_becomes(replier_held_count(&replier) == 1, BOUND_MS);
	stock_close(socket);
	assert_becomes(atomic_load(&replier.live) == 0, BOUND_MS);
	replier_answer_held(&replier);
	socket = caller(over);
	stock_in_parallel(socket, 4, work_batch, &small);
	stock_close(socket);
	replier_close(&replier);
}

/* A stock socket of another protocol is sent away, and nobody else notices. */
static void check_other_protocol(enum transport over)
{
	struct batch small = {.calls = 10, .request_bytes = 64, .answer_bytes = 64};
	nng_socket stranger;
	nng_socket socket;

	open_replier(over);
	socket = caller(over);
	assert_int_equal(nng_sub0_open(&stranger), 0);
	(void)nng_dial(stranger, replier_url(&replier), NULL, NNG_FLAG_NONBLOCK);
	assert_becomes(atomic_load(&replier.last_reason) == WIRE_PROTOCOL, BOUND_MS);
	stock_in_parallel(socket, 4, work_batch, &small);
	nng_close(stranger);
	stock_close(socket);
	replier_close(&replier);
}

static void test_other_protocol(void **state)
{
	(void)state;
	check_other_protocol(OVER_TCP);
	check_other_protocol(OVER_IPC);
}

/* The listener demands a certificate: one that its authority has signed is good, none is not. */
static void test_mutual_tls(void **state)
{
	struct batch small = {.calls = 10, .request_bytes = 64, .answer_bytes = 64};
	wire_tls *tls = certificates_for_wire(&transports.certificates, true, true);
	char url[URL_BYTES];
	nng_socket stranger;
	nng_socket socket;

	(void)state;
	transports_url(&transports, OVER_TLS, url);
	replier_open(&replier, url, tls);
	assert_int_equal(stock_try_req(replier_url(&replier), &transports.certificates, true, &socket), 0);
	stock_in_parallel(socket, 4, work_batch, &small);
	assert_int_not_equal(stock_try_req(replier_url(&replier), &transports.certificates, false, &stranger), 0);
	assert_int_equal(atomic_load(&replier.requests), 40);
	stock_in_parallel(socket, 4, work_batch, &small);
	stock_close(socket);
	replier_close(&replier);
	wire_tls_release(&tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    OVER_EACH(test_sizes),
	    OVER_EACH(test_contexts),
	    OVER_EACH(test_several_sockets),
	    OVER_EACH(test_answers_in_opposite_order),
	    OVER_EACH(test_too_large),
	    OVER_EACH(test_caller_gone),
	    cmocka_unit_test(test_other_protocol),
	    cmocka_unit_test(test_mutual_tls),
	};

	return cmocka_run_group_tests(tests, open_transports, close_transports);
}
