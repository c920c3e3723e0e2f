#ifndef LK_STORE_STORE_H
#define LK_STORE_STORE_H

/* The port between the domain folders and Redis. Domain code plans a command and reads a reply; service/redis carries
 * commands out; service/rpc brings the two together. Nothing here knows hiredis, sockets or protobuf. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* The scripts, one file each in service/scripts/. X(identifier, "file without .lua") */
#define STORE_SCRIPT_MAP(X)                                                                                            \
	X(SESSION_CREATE, "session_create")                                                                            \
	X(SESSION_PEEK, "session_peek")                                                                                \
	X(SESSION_UPDATE, "session_update")                                                                            \
	X(SESSION_REPLACE, "session_replace")                                                                          \
	X(SESSION_REVOKE, "session_revoke")                                                                            \
	X(SESSION_REVOKE_USER, "session_revoke_user")                                                                  \
	X(SESSION_LIST, "session_list")

enum store_script {
	STORE_NO_SCRIPT, /* argv[0] names a command */
#define X(id, file) STORE_SCRIPT_##id,
	STORE_SCRIPT_MAP(X)
#undef X
	    STORE_SCRIPTS
};

/* The longest argument list: session_create, 3 keys and 12 arguments, with room. */
#define STORE_ARGS_MAX 24

struct store_command {
	enum store_script script;
	bool is_write; /* true: when the connection is lost its outcome is unknown; false: nothing can have changed */
	uint8_t key_count; /* scripts: argv starts with this many keys */
	uint8_t argc;
	span key;		   /* decides the slot: all keys of a command share one hash tag */
	span argv[STORE_ARGS_MAX]; /* borrowed until the operation is done */
};

enum store_reply_type { STORE_NIL, STORE_INTEGER, STORE_STRING, STORE_STATUS, STORE_ERROR, STORE_ARRAY };

struct store_reply {
	enum store_reply_type type;
	int64_t integer;
	span string;  /* STRING, STATUS, ERROR */
	size_t count; /* ARRAY */
	const struct store_reply *const *elements;
};

enum store_outcome {
	STORE_REPLIED,	   /* `reply` is set and is not an ERROR */
	STORE_REFUSED,	   /* `reply` is Redis's ERROR; nothing was changed */
	STORE_UNAVAILABLE, /* not sent: no connection. Nothing was changed */
	STORE_OVERLOADED,  /* not sent: too many commands or bytes in flight. Nothing was changed */
	STORE_EXPIRED,	   /* not sent: the deadline came first. Nothing was changed */
	STORE_LOST,	   /* sent, and no reply came: the connection ended. A write may have happened */
};

struct store_result {
	enum store_outcome outcome;
	uint32_t retry_after_ms;	 /* with UNAVAILABLE and OVERLOADED */
	const struct store_reply *reply; /* borrowed until `done` returns */
};

/* One operation under way. The submitter allocates it and keeps it, the command's bytes included, until `done` has been
 * called: exactly once, from a library thread or from within store_submit itself, with no lock held. */
struct store_op {
	struct store_command command;
	uint64_t
	    deadline_ms; /* monotonic. Not sent after it; once sent, `done` comes with the reply or the connection's end */
	void (*done)(struct store_op *op, const struct store_result *result);
	struct store_op *next; /* the store's own */
	uint32_t store_flags;  /* the store's own */
};

struct store_state {
	bool is_ready;	  /* a command submitted now would be sent */
	const char *mode; /* "embedded", "standalone", "unix" */
	char version[32]; /* Redis's own; empty before it is known */
};

struct store_ops {
	void (*submit)(void *self, struct store_op *op);
	void (*state)(void *self, struct store_state *ret);
};

struct store {
	const struct store_ops *ops;
	void *self;
};

static inline void store_submit(const struct store *s, struct store_op *op)
{
	s->ops->submit(s->self, op);
}

static inline void store_get_state(const struct store *s, struct store_state *ret)
{
	s->ops->state(s->self, ret);
}

#endif
