#ifndef LK_TEST_CLIENT_FAKE_SERVER_H
#define LK_TEST_CLIENT_FAKE_SERVER_H

/* A scripted latchkeyd: real frames over a real socket, answers as a test wants them, for orders of events that a true
 * server cannot be made to produce. */

#include <pthread.h>
#include <stdbool.h>

#include "latchkey/v1/frame.pb-c.h"
#include "latchkey/v1/health.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "wire/channel.h"
#include "wire/listener.h"

#define FAKE_CALLS_KEPT 64

struct fake_server;

/* One call that has come. Borrowed until the script returns. nth counts from 1, over all connections. */
struct fake_call {
	struct fake_server *server;
	wire_channel *channel;
	const struct wire_route *route;
	const Latchkey__V1__RequestFrame *frame;
	const Latchkey__V1__Call *call;
	unsigned nth;
};

typedef void (*fake_script)(const struct fake_call *call);

/* A call put aside, to be answered later. */
struct fake_held {
	wire_channel *channel;
	struct wire_route route;
};

struct fake_server {
	wire_channel_listener *listener;
	fake_script script;
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned calls;
	unsigned channels; /* open now */
	unsigned accepted; /* ever */
	struct {
		uint8_t key[64];
		size_t key_bytes;
		uint32_t timeout_ms;
	} seen[FAKE_CALLS_KEPT];
	struct fake_held held[FAKE_CALLS_KEPT];
	unsigned held_count;
};

/* url: "tcp://127.0.0.1:0" or "ipc:///path". Stops the test when it fails. */
void fake_start(struct fake_server *server, const char *url, fake_script script, void *arg);
/* Waits until all its connections have gone: end them first, by closing the clients. */
void fake_stop(struct fake_server *server);
/* Forgets the calls put aside. */
void fake_release_held(struct fake_server *server);
/* No new connections; those there are stay. */
void fake_stop_listening(struct fake_server *server);
const char *fake_url(const struct fake_server *server);

/* Answers: within a script, or of a call that was held. */
void fake_reply(wire_channel *channel, const struct wire_route *route, Latchkey__V1__Code code, const char *message,
		const ProtobufCMessage *body, uint32_t retry_after_ms);
void fake_reply_raw(wire_channel *channel, const struct wire_route *route, const void *bytes, size_t len);
void fake_hold(const struct fake_call *call);
void fake_answer_held(struct fake_server *server, unsigned index, Latchkey__V1__Code code,
		      const ProtobufCMessage *body);

/* Answers of good servers. */
void fake_serving(const struct fake_call *call);
void fake_valid(const struct fake_call *call);
Latchkey__V1__HealthCheckResponse fake_health(void);

/* Waits, at most 10 s, until so many calls have come, or stops the test. */
void fake_wait_calls(struct fake_server *server, unsigned count);
void fake_wait_channels(struct fake_server *server, unsigned count);
unsigned fake_call_count(struct fake_server *server);

#endif
