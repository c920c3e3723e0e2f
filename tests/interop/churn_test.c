/* Peers that connect and go, at every point of a conversation and by the hundred. nng's own ipc listener ends for ever
 * at the first of them; ours must serve the next stock caller as if nothing had been, and keep nothing of them. */

#include <stdio.h>
#include <sys/socket.h>

#include "interop/calls.h"
#include "interop/replier.h"
#include "support/latchkeyd.h"
#include "support/raw.h"
#include "support/wait.h"

#define ROUNDS 60

THE_TRANSPORTS

static struct replier replier;

/* The connection ends by a reset, where there is such a thing. */
static void reset_on_close(struct raw *r)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void go_at_once(struct raw *r)
{
	(void)r;
}

static void go_in_the_greeting(struct raw *r)
{
	(void)raw_send_bytes(r, "\0SP", 3);
}

static void go_after_the_greeting(struct raw *r)
{
	assert_true(raw_greet(r));
}

static void go_in_a_message(struct raw *r)
{
	assert_true(raw_greet(r));
	(void)raw_announce(r, 1, 1000);
	(void)raw_send_bytes(r, "half", 4);
}

static void go_before_the_reply(struct raw *r)
{
	assert_true(raw_greet(r));
	(void)raw_send_body(r, 1, NULL, 0);
}

static void (*const ways[])(struct raw *) = {
    go_at_once, go_in_the_greeting, go_after_the_greeting, go_in_a_message, go_before_the_reply,
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void churn(const char *url)
{
	struct raw r;

	for (unsigned i = 0; i < ROUNDS * WAYS * 2; i++) {
		if (!raw_connect_silent(&r, url))
			fail_msg("connection %u to %s is refused", i, url);
		if (i >= ROUNDS * WAYS)
			reset_on_close(&r);
		ways[i % WAYS](&r);
		raw_close(&r);
	}
}

static bool work_asks(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES])
{
	(void)arg;
	for (unsigned i = 0; i < 20; i++) {
		if (stock_ask(ctx, index << 16 | i, 64, 500))
			continue;
		snprintf(complaint, COMPLAINT_BYTES, "context %u, call %u: no answer or a wrong one", index, i);
		return false;
	}
	return true;
}

static bool work_asks_once(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES])
{
	(void)index;
	(void)arg;
	if (stock_ask(ctx, 1, 64, 500))
		return true;
	snprintf(complaint, COMPLAINT_BYTES, "no answer or a wrong one");
	return false;
}

/* A caller that was there before and one that comes after are both served. */
static void check_replier(enum transport over)
{
	nng_socket before;
	nng_socket after;
	char url[URL_BYTES];

	transports_url(&transports, over, url);
	replier_open(&replier, url, NULL);
	before = stock_req(replier_url(&replier), NULL);
	churn(replier_url(&replier));
	after = stock_req(replier_url(&replier), NULL);
	stock_in_parallel(before, 8, work_asks, NULL);
	stock_in_parallel(after, 8, work_asks, NULL);
	assert_becomes(atomic_load(&replier.live) == 2, BOUND_MS);
	assert_int_equal(atomic_load(&replier.accepted), ROUNDS * WAYS * 2 + 2);
	stock_close(before);
	stock_close(after);
	replier_close(&replier);
}

static void test_replier(void **state)
{
	(void)state;
	check_replier(OVER_TCP);
	check_replier(OVER_IPC);
}

/* The same by stock sockets, which come and go with or without a call. None goes while its reply is on the way: then
 * nng_close of nng 1.5.2 may never return, whoever serves. */
static void test_stock_callers(void **state)
{
	enum transport over = *(enum transport *)*state;
	/* A handshake costs 10 ms of CPU, more with a sanitizer. */
	const unsigned rounds = over == OVER_TLS ? 20 : 200;
	char url[URL_BYTES];
	nng_socket socket;

	transports_url(&transports, over, url);
	replier_open(&replier, url, transports_server(&transports, over));
	for (unsigned i = 0; i < rounds; i++) {
		socket = stock_req(replier_url(&replier), transports_certificates(&transports, over));
		if (i % 2 == 0)
			stock_alone(socket, work_asks_once, NULL);
		stock_close(socket);
	}
	socket = stock_req(replier_url(&replier), transports_certificates(&transports, over));
	stock_in_parallel(socket, 8, work_asks, NULL);
	stock_close(socket);
	replier_close(&replier);
}

static void check_service(const char *listen_url)
{
	struct latchkeyd service;
	unsigned lives = 5;
	nng_socket before;
	nng_socket after;

	latchkeyd_init(&service, &(struct latchkeyd_options){.listen_url = listen_url});
	latchkeyd_start_serving(&service);
	before = stock_req(service.url, NULL);
	churn(service.url);
	after = stock_req(service.url, NULL);
	stock_in_parallel(before, 8, work_session_lives, &lives);
	stock_in_parallel(after, 8, work_session_lives, &lives);
	stock_close(before);
	stock_close(after);
	latchkeyd_end(&service);
}

static void test_service(void **state)
{
	char url[URL_BYTES];

	(void)state;
	check_service(NULL);
	transports_url(&transports, OVER_IPC, url);
	check_service(url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replier),
	    OVER_EACH(test_stock_callers),
	    cmocka_unit_test(test_service),
	};

	return cmocka_run_group_tests(tests, open_transports, close_transports);
}
