/* Our requester against stock REP sockets. */

#include "interop/requester.h"

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <stdio.h>

#include "interop/payload.h"
#include "interop/stock.h"
#include "support/port.h"
#include "support/wait.h"

#define MIB (1U << 20)

THE_TRANSPORTS

static struct stock_rep server;
static struct requester requester;

static void open_both(enum transport over)
{
	char url[URL_BYTES];

	transports_url(&transports, over, url);
	stock_rep_open(&server, url, transports_certificates(&transports, over));
	requester_open(&requester, server.url, transports_client(&transports, over));
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {PAYLOAD_HEAD, 100, 4083, 4096, 16384, 16385, 65536, 262144, MIB};

	open_both(*(enum transport *)*state);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		requester_ask(&requester, 2 * i, 1, sizes[i], 16);
		requester_ask(&requester, 2 * i + 1, 1, 16, (uint32_t)sizes[i]);
	}
	requester_ask(&requester, 1000, 1, 16, 0);
	requester_close(&requester);
	stock_rep_close(&server);
}

static void test_many_at_once(void **state)
{
	open_both(*(enum transport *)*state);
	for (unsigned i = 0; i < 4; i++)
		requester_ask(&requester, i * 1000, 1000, 64, 200);
	/* The highest ids. */
	requester_ask(&requester, 0x7FFFFF00, 0x100, 64, 16);
	requester_ask(&requester, 1, 32, 64, MIB);
	requester_ask(&requester, 1, 16, MIB, MIB);
	requester_close(&requester);
	stock_rep_close(&server);
}

static void test_several_requesters(void **state)
{
	enum transport over = *(enum transport *)*state;
	struct requester others[4];

	open_both(over);
	for (unsigned i = 0; i < 4; i++)
		requester_open(&others[i], server.url, transports_client(&transports, over));
	for (unsigned i = 0; i < 4; i++)
		requester_ask(&others[i], i, 200, 64, 200);
	requester_ask(&requester, 7, 200, 64, 200);
	/* wire_drain waits for all: the last one asks for it. */
	for (unsigned i = 0; i < 4; i++) {
		wire_channel_close(others[i].channel, WIRE_CLOSED, true);
		assert_becomes(atomic_load(&others[i].closed), BOUND_MS);
		wire_channel_release(&others[i].channel);
	}
	requester_close(&requester);
	stock_rep_close(&server);
}

/* The server goes and comes back at its address; the requester is told, and a new one gets through. */
static void test_server_gone_and_back(void **state)
{
	enum transport over = *(enum transport *)*state;
	struct requester refused;
	char url[URL_BYTES];

	open_both(over);
	requester_ask(&requester, 1, 10, 64, 64);
	snprintf(url, sizeof(url), "%s", server.url);
	stock_rep_close(&server);
	assert_becomes(atomic_load(&requester.closed), BOUND_MS);
	assert_int_equal(atomic_load(&requester.reason), WIRE_PEER_CLOSED);
	requester_close(&requester);

	requester_dial(&refused, url, transports_client(&transports, over));
	assert_becomes(atomic_load(&refused.closed), BOUND_MS);
	assert_false(atomic_load(&refused.ready));
	requester_close(&refused);

	stock_rep_open(&server, url, transports_certificates(&transports, over));
	requester_open(&requester, url, transports_client(&transports, over));
	requester_ask(&requester, 2, 10, 64, 64);
	requester_close(&requester);
	stock_rep_close(&server);
}

static void test_other_protocol(void **state)
{
	nng_socket stranger;
	char url[URL_BYTES];

	(void)state;
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", (unsigned)port_free());
	assert_int_equal(nng_pub0_open(&stranger), 0);
	assert_int_equal(nng_listen(stranger, url, NULL, 0), 0);
	requester_dial(&requester, url, NULL);
	assert_becomes(atomic_load(&requester.closed), BOUND_MS);
	/* Either side may be the first to see it. */
	assert_true(atomic_load(&requester.reason) == WIRE_PROTOCOL ||
		    atomic_load(&requester.reason) == WIRE_PEER_CLOSED);
	assert_false(atomic_load(&requester.ready));
	requester_close(&requester);
	nng_close(stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    OVER_EACH(test_sizes),
	    OVER_EACH(test_many_at_once),
	    OVER_EACH(test_several_requesters),
	    OVER_EACH(test_server_gone_and_back),
	    cmocka_unit_test(test_other_protocol),
	};

	return cmocka_run_group_tests(tests, open_transports, close_transports);
}
