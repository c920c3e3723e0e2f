#ifndef LK_INTEROP_STOCK_H
#define LK_INTEROP_STOCK_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "interop/tls.h"
#include "interop/transports.h"

/* nng's own sockets, as a stranger would use them: with every default. Failures fail the test, except in what may run
 * on threads of its own and says so. */

/* A REQ socket that is connected when this returns. certificates: NULL unless the address is tls+tcp. */
nng_socket stock_req(const char *url, const struct certificates *certificates);
/* The same, with a certificate to show when is_mutual; 0 or nng's error, and then there is no socket. */
int stock_try_req(const char *url, const struct certificates *certificates, bool is_mutual, nng_socket *ret);
void stock_close(nng_socket socket);

/* A request and its answer on a context; 0 or nng's error. The caller frees the answer. Any thread. */
int stock_exchange(nng_ctx ctx, const void *body, size_t len, nng_msg **ret_answer);

/* A payload request and the right answer to it? Any thread. */
bool stock_ask(nng_ctx ctx, uint32_t serial, size_t request_bytes, uint32_t answer_bytes);

/* Runs work on so many contexts of a socket at once, each on a thread of its own. work returns false with a complaint,
 * which fails the test. */
#define COMPLAINT_BYTES 160
typedef bool stock_work(nng_ctx ctx, unsigned index, void *arg, char complaint[static COMPLAINT_BYTES]);
void stock_in_parallel(nng_socket socket, unsigned contexts, stock_work *work, void *arg);

/* The same on one context and the caller's thread. */
void stock_alone(nng_socket socket, stock_work *work, void *arg);

/* A REP socket that answers payload requests on several contexts. */
#define STOCK_REP_CONTEXTS 8
struct stock_rep {
	nng_socket socket;
	pthread_t threads[STOCK_REP_CONTEXTS];
	nng_ctx contexts[STOCK_REP_CONTEXTS];
	char url[URL_BYTES]; /* with the real port */
};

void stock_rep_open(struct stock_rep *s, const char *url, const struct certificates *certificates);
void stock_rep_close(struct stock_rep *s);

/* nng's forwarder: a raw REP socket that listens on front, a raw REQ socket that dials back. */
struct stock_device {
	nng_socket front;
	nng_socket back;
	pthread_t thread;
	char url[URL_BYTES]; /* of the front */
};

/* hops: the most words of route that it lets through, its own included not. 0: nng's default. */
void stock_device_open(struct stock_device *d, const char *front, const char *back, int hops);
void stock_device_close(struct stock_device *d);

#endif
