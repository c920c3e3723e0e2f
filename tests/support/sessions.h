#ifndef LK_SUPPORT_SESSIONS_H
#define LK_SUPPORT_SESSIONS_H

#include "support/raw.h"

/* The Sessions service over a raw caller, for tests whose theme is something else. Codes are returned, never judged;
 * a connection that ended is CODE_NO_REPLY. */

#define TOKEN_BYTES  106 /* 105 characters and a NUL */
#define HANDLE_BYTES 29

/* No code of the protocol: no reply came. */
#define CODE_NO_REPLY ((Latchkey__V1__Code)99)

/* How long a call may take beyond its own deadline before it counts as late: sanitizers and a busy machine. */
#define LATE_MS 10000

struct session_wish {
	const char *realm; /* NULL: "default" */
	const char *user;
	const char *session_class;
	const char *key; /* one attribute; NULL: none */
	const char *value;
	const char *user_agent; /* NULL: no device */
	uint32_t idle_s;	/* 0: the policy's */
	uint32_t max_s;
	uint32_t timeout_ms;
	const char *idempotency_key;
};

struct session_seen {
	Latchkey__V1__Verdict verdict;
	Latchkey__V1__Reason reason;
	uint64_t version;
	uint64_t idle_expires_at_ms;
	uint64_t expires_at_ms;
	char handle[HANDLE_BYTES];
	char value[64]; /* of the first attribute */
};

Latchkey__V1__Code session_try_create(struct raw *r, const struct session_wish *wish,
				      char ret_token[static TOKEN_BYTES]);

/* Fails the test unless it is OK. */
void session_create(struct raw *r, const struct session_wish *wish, char ret_token[static TOKEN_BYTES]);

Latchkey__V1__Code session_get(struct raw *r, const char *realm, const char *token, uint32_t timeout_ms,
			       struct session_seen *ret);
Latchkey__V1__Code session_peek(struct raw *r, const char *realm, const char *token, struct session_seen *ret);
Latchkey__V1__Code session_update(struct raw *r, const char *token, const char *key, const char *value,
				  struct session_seen *ret);
Latchkey__V1__Code session_revoke(struct raw *r, const char *token, bool *ret_was_alive);
/* Of now. */
Latchkey__V1__Code session_revoke_realm(struct raw *r, const char *realm, uint64_t *ret_not_before_ms);
Latchkey__V1__Code session_revoke_user(struct raw *r, const char *user, uint32_t *ret_revoked);

/* Fails the test unless OK with this verdict. */
void session_must_be(struct raw *r, const char *token, Latchkey__V1__Verdict verdict, Latchkey__V1__Reason reason);

/* A counter of Server/Stats by its name; fails the test when there is none. */
uint64_t server_counter(struct raw *r, const char *name);

#endif
