#ifndef LK_INTEROP_TRANSPORTS_H
#define LK_INTEROP_TRANSPORTS_H

#include "interop/tls.h"

/* The three kinds of address, each with what it needs, for tests that run over all of them. */
enum transport { OVER_TCP, OVER_IPC, OVER_TLS, TRANSPORTS };

struct transports {
	struct tmpdir dir;
	struct certificates certificates;
	wire_tls *server;
	wire_tls *client;
	unsigned sockets; /* names of unix sockets given out */
};

#define URL_BYTES 160

void transports_open(struct transports *t);
void transports_close(struct transports *t);

/* Those of a test program, for cmocka_run_group_tests(tests, open_transports, close_transports). */
#define THE_TRANSPORTS                                                                                                 \
	static struct transports transports;                                                                           \
                                                                                                                       \
	static int open_transports(void **state)                                                                       \
	{                                                                                                              \
		(void)state;                                                                                           \
		transports_open(&transports);                                                                          \
		return 0;                                                                                              \
	}                                                                                                              \
                                                                                                                       \
	static int close_transports(void **state)                                                                      \
	{                                                                                                              \
		(void)state;                                                                                           \
		transports_close(&transports);                                                                         \
		return 0;                                                                                              \
	}

/* A new address to listen on: port 0, or a socket in the temporary folder. */
void transports_url(struct transports *t, enum transport over, char out[static URL_BYTES]);

/* NULL when the transport has none. */
const struct certificates *transports_certificates(const struct transports *t, enum transport over);
wire_tls *transports_server(const struct transports *t, enum transport over);
wire_tls *transports_client(const struct transports *t, enum transport over);

/* One entry for each transport in a table of cmocka tests; *state is an enum transport. */
extern enum transport transport_states[TRANSPORTS];
#define OVER_EACH(test)                                                                                                \
	{#test " over tcp", test, NULL, NULL, &transport_states[OVER_TCP]},                                            \
	    {#test " over ipc", test, NULL, NULL, &transport_states[OVER_IPC]},                                        \
	{                                                                                                              \
#test " over tls+tcp", test, NULL, NULL, &transport_states[OVER_TLS]                                   \
	}

#endif
