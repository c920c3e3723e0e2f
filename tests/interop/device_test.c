/* nng's forwarders between callers and servers. Each adds a word in front of the request id, which the reply must bring
 * back. */

#include <stdio.h>

#include "interop/calls.h"
#include "interop/replier.h"
#include "interop/requester.h"
#include "interop/stock.h"
#include "support/latchkeyd.h"
#include "support/wait.h"

/* nng's limit; a message that has passed so many bears WIRE_HOPS_MAX words. */
#define DEVICES_MAX 15

THE_TRANSPORTS

static struct replier replier;
static struct stock_device devices[DEVICES_MAX];

/* Device i dials device i - 1, the first dials back. */
static void open_chain(unsigned count, enum transport over, const char *back)
{
	char front[URL_BYTES];

	for (unsigned i = 0; i < count; i++) {
		transports_url(&transports, over, front);
		stock_device_open(&devices[i], front, i == 0 ? back : devices[i - 1].url, DEVICES_MAX);
	}
}

static void close_chain(unsigned count)
{
	while (count > 0)
		stock_device_close(&devices[--count]);
}

static bool work_asks(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES])
{
	const unsigned *calls = arg;

	for (unsigned i = 0; i < *calls; i++) {
		if (stock_ask(ctx, index << 16 | i, 64, i % 10 == 0 ? 100000 : 500))
			continue;
		snprintf(complaint, COMPLAINT_BYTES, "context %u, call %u: no answer or a wrong one", index, i);
		return false;
	}
	return true;
}

static void pass_through(unsigned count, enum transport over)
{
	unsigned calls = 100;
	char url[URL_BYTES];
	nng_socket socket;

	transports_url(&transports, over, url);
	replier_open(&replier, url, NULL);
	open_chain(count, over, replier_url(&replier));
	socket = stock_req(devices[count - 1].url, NULL);
	stock_in_parallel(socket, 8, work_asks, &calls);
	assert_int_equal(atomic_load(&replier.requests), 800);
	assert_int_equal(atomic_load(&replier.route_bytes_max), 4 * (count + 1));
	stock_close(socket);
	close_chain(count);
	replier_close(&replier);
}

static void test_one_device(void **state)
{
	(void)state;
	pass_through(1, OVER_TCP);
	pass_through(1, OVER_IPC);
}

static void test_three_devices(void **state)
{
	(void)state;
	pass_through(3, OVER_TCP);
	pass_through(3, OVER_IPC);
}

static void test_longest_route(void **state)
{
	_Static_assert(DEVICES_MAX + 1 == WIRE_HOPS_MAX, "the longest route that nng can make");
	(void)state;
	pass_through(DEVICES_MAX, OVER_IPC);
}

/* Two callers behind one device share its connection: their ids may be the same, their routes are not. */
static void test_callers_behind_a_device(void **state)
{
	struct requester callers[2];
	char url[URL_BYTES];

	(void)state;
	transports_url(&transports, OVER_TCP, url);
	replier_open(&replier, url, NULL);
	open_chain(1, OVER_TCP, replier_url(&replier));
	for (unsigned i = 0; i < 2; i++)
		requester_open(&callers[i], devices[0].url, NULL);
	/* A raw REP socket drops what exceeds its queue of 64 replies for a caller. */
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 2; i++)
			requester_ask(&callers[i], 1, 32, 64, 100 + 100 * i);
	}
	assert_int_equal(atomic_load(&replier.accepted), 1);
	for (unsigned i = 0; i < 2; i++) {
		wire_channel_close(callers[i].channel, WIRE_CLOSED, true);
		assert_becomes(atomic_load(&callers[i].closed), BOUND_MS);
		wire_channel_release(&callers[i].channel);
	}
	close_chain(1);
	replier_close(&replier);
}

/* Our requester, a device, and a stock REP socket behind it. */
static void test_requester_and_stock_server(void **state)
{
	struct requester requester;
	struct stock_rep server;
	char url[URL_BYTES];

	(void)state;
	transports_url(&transports, OVER_IPC, url);
	stock_rep_open(&server, url, NULL);
	open_chain(2, OVER_TCP, server.url);
	requester_open(&requester, devices[1].url, NULL);
	for (unsigned round = 0; round < 20; round++)
		requester_ask(&requester, round, 32, 64, 500);
	requester_ask(&requester, 1, 1, 1U << 20, 1U << 20);
	requester_close(&requester);
	close_chain(2);
	stock_rep_close(&server);
}

static void test_service_behind_a_device(void **state)
{
	struct latchkeyd service;
	unsigned lives = 10;
	nng_socket socket;

	(void)state;
	latchkeyd_init(&service, NULL);
	latchkeyd_start_serving(&service);
	open_chain(2, OVER_TCP, service.url);
	socket = stock_req(devices[1].url, NULL);
	stock_in_parallel(socket, 8, work_session_lives, &lives);
	stock_close(socket);
	close_chain(2);
	latchkeyd_end(&service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_device),
	    cmocka_unit_test(test_three_devices),
	    cmocka_unit_test(test_longest_route),
	    cmocka_unit_test(test_callers_behind_a_device),
	    cmocka_unit_test(test_requester_and_stock_server),
	    cmocka_unit_test(test_service_behind_a_device),
	};

	return cmocka_run_group_tests(tests, open_transports, close_transports);
}
