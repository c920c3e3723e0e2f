#ifndef LK_TESTS_RPC_FRAMES_H
#define LK_TESTS_RPC_FRAMES_H

/* Request frames made, and response messages read, as a caller would. */

#include "latchkey/v1/frame.pb-c.h"
#include "latchkey/v1/health.pb-c.h"
#include "latchkey/v1/server.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "rpc/frame.h"
#include "wire/channel.h"

#define GET	     "/latchkey.v1.Sessions/Get"
#define GET_MANY     "/latchkey.v1.Sessions/GetMany"
#define CREATE	     "/latchkey.v1.Sessions/Create"
#define UPDATE	     "/latchkey.v1.Sessions/Update"
#define REVOKE	     "/latchkey.v1.Sessions/Revoke"
#define REVOKE_USER  "/latchkey.v1.Sessions/RevokeUser"
#define REVOKE_REALM "/latchkey.v1.Sessions/RevokeRealm"
#define LIST	     "/latchkey.v1.Sessions/List"
#define HEALTH	     "/latchkey.v1.Health/Check"

/* A frame's bytes: malloc'd. */
struct bytes {
	size_t len;
	uint8_t *data;
};

void bytes_free(struct bytes *b);
struct bytes bytes_of(const void *data, size_t len);
ProtobufCBinaryData text(const char *s);

struct sent_call {
	const char *method;
	const ProtobufCMessage *body; /* NULL: none */
	uint32_t timeout_ms;	      /* 0: none sent */
	const char *idempotency_key;  /* NULL: none sent */
	bool has_wait;		      /* wait_replicas and wait_ms are sent */
	uint32_t wait_replicas;
	uint32_t wait_ms;
};

struct bytes frame_of(const struct sent_call *calls, size_t count);
struct bytes frame_of_one(const char *method, const ProtobufCMessage *body, uint32_t timeout_ms);
struct bytes frame_packed(const Latchkey__V1__RequestFrame *frame);

/* A reply's body as a message of the type; free with protobuf_c_message_free_unpacked. Fails the test if it is none. */
void *body_of(const Latchkey__V1__Reply *reply, const ProtobufCMessageDescriptor *type);
void body_free(void *message);

#endif
