#ifndef LK_TESTS_RPC_FIXTURE_H
#define LK_TESTS_RPC_FIXTURE_H

/* A server over the scripted store, with one caller. */

#include "rpc/server.h"
#include "support/caller.h"
#include "support/scripted_store.h"

struct fixture {
	char folder[64];
	char url[96];
	char keyring[96]; /* the file that keys were loaded from */
	keyring *keys;
	struct realms realms;
	struct realm realm;
	struct session_class classes[2];
	struct scripted_store script;
	event_log *events;
	rpc_server *server;
	struct caller *caller;
};

/* The defaults of a server under test; change what the test is about, then fixture_start. */
struct rpc_options fixture_options(void);

struct fixture *fixture_start(const struct rpc_options *options);
/* Ends all. The server may be gone already, and the caller too. */
void fixture_stop(struct fixture **f);

/* A session, created over the wire: its token, and the record that went to the store. */
struct minted {
	char token[106];
	struct bytes record;
};

struct minted fixture_mint(struct fixture *f, size_t attribute_bytes);
void minted_free(struct minted *m);

Latchkey__V1__GetSessionRequest get_request(const char *token);

/* A Get of one token, sent. */
uint32_t fixture_get(struct fixture *f, const char *token, uint32_t timeout_ms);
/* A List of a user's sessions, sent. */
uint32_t fixture_list(struct fixture *f, uint32_t timeout_ms);
/* The code of the only reply to it. */
void fixture_expect(struct fixture *f, uint32_t id, Latchkey__V1__Code code);

/* Waits for a Get's one reply, which must be OK with this verdict and reason. */
void fixture_expect_verdict(struct fixture *f, uint32_t id, Latchkey__V1__Verdict verdict, Latchkey__V1__Reason reason);

/* One call, one reply: its code, the frame in *ret. */
Latchkey__V1__Code ask_one(struct fixture *f, const char *method, const ProtobufCMessage *body,
			   Latchkey__V1__ReplyFrame **ret);
/* The same, when the code is all that counts. */
Latchkey__V1__Code code_of(struct fixture *f, const char *method, const ProtobufCMessage *body);

bool message_has(ProtobufCBinaryData message, const char *part);

#endif
