#ifndef LK_SUPPORT_RAW_H
#define LK_SUPPORT_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "latchkey/v1/frame.pb-c.h"
#include "latchkey/v1/health.pb-c.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"

/* A caller on a plain blocking socket: SP request bytes written by hand, so that a test can send what no library
 * would. Not thread-safe. */
struct raw {
	int fd;
	bool is_ipc;
	const char *credential; /* of all frames of calls; set it behind raw_connect. NULL: none */
};

struct raw_call {
	const char *method;
	const ProtobufCMessage *request;
	uint32_t timeout_ms;	     /* 0: the server's default */
	const char *idempotency_key; /* NULL: none */
	ProtobufCBinaryData body;    /* sent as it is when request is NULL */
};

#define RAW_ID_BIT 0x80000000U

/* Connects to tcp://127.0.0.1:PORT or ipc://PATH and exchanges greetings. False when that fails. */
bool raw_try_connect(struct raw *r, const char *url);
/* The same; failure fails the test. */
void raw_connect(struct raw *r, const char *url);
/* Only the connection: the greeting is the test's. */
bool raw_connect_silent(struct raw *r, const char *url);
bool raw_greet(struct raw *r);
void raw_close(struct raw *r);

/* From now on a send that the peer does not take within bound_ms fails. */
void raw_set_send_bound(struct raw *r, uint32_t bound_ms);

/* False when the connection has ended. */
bool raw_send_bytes(struct raw *r, const void *bytes, size_t len);

/* One SP message: length, request id (RAW_ID_BIT is added) and body. */
bool raw_send_body(struct raw *r, uint32_t id, const void *body, size_t len);

/* Only a message's beginning: a length of `announced` bytes of body, and the id. */
bool raw_announce(struct raw *r, uint32_t id, uint64_t announced);

/* A well-formed frame of calls, packed; the caller frees. */
uint8_t *raw_pack_calls(uint32_t protocol, const struct raw_call *calls, size_t count, size_t *ret_len);
bool raw_send_calls(struct raw *r, uint32_t id, const struct raw_call *calls, size_t count);

/* The next reply. ret_id (NULL allowed) without RAW_ID_BIT. False when the connection ended or bound_ms passed: errno
 * is ETIMEDOUT then. The caller frees the frame with raw_free. */
bool raw_receive(struct raw *r, uint32_t *ret_id, Latchkey__V1__ReplyFrame **ret_frame, uint32_t bound_ms);

/* True when the peer closes the connection within bound_ms; what it sends before is dropped. */
bool raw_is_closed(struct raw *r, uint32_t bound_ms);

/* Sends and receives; failure fails the test. */
Latchkey__V1__ReplyFrame *raw_exchange(struct raw *r, const struct raw_call *calls, size_t count);

/* The response in a reply; the caller frees with raw_free. NULL when there is none or it does not parse. */
ProtobufCMessage *raw_unpack(const Latchkey__V1__Reply *reply, const ProtobufCMessageDescriptor *type);

/* Frees any unpacked message; accepts NULL. */
void raw_free(void *message);

/* One call that must be answered with this code. Returns the response (NULL when the type is NULL or there is none);
 * the caller frees. */
ProtobufCMessage *raw_call_expect(struct raw *r, Latchkey__V1__Code code, const struct raw_call *call,
				  const ProtobufCMessageDescriptor *type);

ProtobufCBinaryData raw_text(const char *text);

#endif
