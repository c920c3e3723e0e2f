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
	X(SESSION_TOUCH, "session_touch")                                                                              \
	X(SESSION_VERIFY, "session_verify")                                                                            \
	X(SESSION_UPDATE, "session_update")                                                                            \
	X(SESSION_REPLACE, "session_replace")                                                                          \
	X(SESSION_REVOKE, "session_revoke")                                                                            \
	X(SESSION_REVOKE_USER, "session_revoke_user")                                                                  \
	X(SESSION_REVOKE_REALM, "session_revoke_realm")                                                                \
	X(SESSION_ROTATE, "session_rotate")                                                                            \
	X(SESSION_REUSE, "session_reuse")                                                                              \
	X(SESSION_FORWARD, "session_forward")                                                                          \
	X(SESSION_LIST, "session_list")                                                                                \
	X(SESSION_RESTORE, "session_restore")                                                                          \
	X(SESSION_REAPPLY, "session_reapply")                                                                          \
	X(SESSION_BURY, "session_bury")                                                                                \
	X(PROFILE_CHANGE, "profile_change")                                                                            \
	X(PROFILE_DELETE, "profile_delete")                                                                            \
	X(PROFILE_REDO, "profile_redo")                                                                                \
	X(PROFILE_GET, "profile_get")                                                                                  \
	X(PROFILE_PUBLISH, "profile_publish")                                                                          \
	X(PROFILE_SENT, "profile_sent")                                                                                \
	X(PROFILE_CHANGES, "profile_changes")                                                                          \
	X(PROFILE_ACK, "profile_ack")                                                                                  \
	X(PROFILE_DEAD, "profile_dead")                                                                                \
	X(AUTH_LOOKUP, "auth_lookup")                                                                                  \
	X(AUTH_PEEK, "auth_peek")                                                                                      \
	X(AUTH_FILL, "auth_fill")                                                                                      \
	X(AUTH_EPOCH, "auth_epoch")                                                                                    \
	X(AUTH_FORGET, "auth_forget")                                                                                  \
	X(VISITORS_RECORD, "visitors_record")                                                                          \
	X(VISITORS_MERGE, "visitors_merge")                                                                            \
	X(LIMIT_GCRA, "limit_gcra")                                                                                    \
	X(LIMIT_SLIDING, "limit_sliding")                                                                              \
	X(LIMIT_FIXED, "limit_fixed")                                                                                  \
	X(LIMIT_RESET, "limit_reset")                                                                                  \
	X(LOCK_ACQUIRE, "lock_acquire")                                                                                \
	X(LOCK_EXTEND, "lock_extend")                                                                                  \
	X(LOCK_RELEASE, "lock_release")                                                                                \
	X(LOCK_RESTORE, "lock_restore")

enum store_script {
	STORE_NO_SCRIPT, /* argv[0] names a command */
#define X(id, file) STORE_SCRIPT_##id,
	STORE_SCRIPT_MAP(X)
#undef X
	    STORE_SCRIPTS
};

/* Where scripts PUBLISH what every instance should hear; payloads are the domain's. */
#define STORE_CHANNEL "lk1:e"

/* The longest argument list: session_create, 3 keys and 16 arguments, with room. */
#define STORE_ARGS_MAX 24

struct store_command {
	enum store_script script;
	bool is_write; /* true: when the connection is lost its outcome is unknown; false: nothing can have changed */
	/* A second run, after a first whose reply was lost, does no harm and gives the same answer: the store may send it
	 * again by itself. Reads always are. */
	bool is_repeatable;
	uint32_t staleness_ms; /* reads: 0: of the primary only; else a replica known to be less behind may answer */
	/* Not sent to a primary that took over, or came back as another run, less than so long ago, for other instances may
	 * not have brought back yet what they had acknowledged: it waits, as a command does whose primary is lost. 0: never.
	 * The first primary that this instance finds is not held for one that took over. */
	uint32_t settling_ms;
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
	const struct store_reply *reply; /* borrowed until `done` returns; the same: */
	const char *node;		 /* with REFUSED: who said so. May be NULL */
	/* Of a write, REPLIED or REFUSED: the reply took longer than redis.late_ms, or the server is no longer the primary.
	 * What it says may be undone by a failover: see store_keep. A late reply to a read never comes here: the store asks
	 * again. */
	bool is_late;
	/* The primary that answered took over, or came back, less than redis.replay_window_ms ago: what other instances had
	 * acknowledged may not be there again yet. That a young key is missing proves nothing then. */
	bool is_unsettled;
	uint32_t replicas; /* that had the write in time, when the operation asked for it */
};

/* One operation under way. The submitter allocates it and keeps it, the command's bytes included, until `done` has been
 * called: exactly once, from a library thread or from within store_submit itself, with no lock held. */
struct store_op {
	struct store_command command;
	uint64_t
	    deadline_ms; /* monotonic. Not sent after it; once sent, `done` comes with the reply or the connection's end */
	/* A write: `done` is to wait until so many replicas have it too, for wait_ms at most. 0: none. */
	uint32_t wait_replicas;
	uint32_t wait_ms;
	void (*done)(struct store_op *op, const struct store_result *result);

	/* From here on the store's own. */
	struct store_op *next;
	uint32_t store_flags;
	void *node;	 /* that it was sent to, */
	uint32_t tenure; /* in this term of the node as a primary */
	uint16_t slot;
	uint8_t sends;
	uint8_t redirects;
	uint64_t due_ms; /* while it waits: not sent before */
};

struct store_state {
	bool is_ready;	  /* a command submitted now would be sent; with several primaries: to most of the slots */
	const char *mode; /* "embedded", "standalone", "unix", "sentinel", "cluster" */
	char version[32]; /* Redis's own; empty before it is known */
	/* What was acknowledged lately, and would be carried out again on a primary that takes over; */
	uint64_t journal_entries;
	uint64_t journal_bytes;
	uint64_t pending; /* and what waits until Redis takes writes again: see store_pend */
};

/* One server, as far as it is known; for people and metrics. Text is empty, numbers are 0 where nothing is known. */
struct store_node {
	char address[280]; /* host:port or a socket's path */
	char role[12];	   /* "primary", "replica", "sentinel", "unknown" */
	char state[12];	   /* of the topology: "serving", "joining", "suspect", "down", "leaving", "idle" */
	char breaker[12];  /* "closed", "open", "half-open" */
	char version[32];
	uint32_t slots; /* 16384: all */
	uint32_t connections_ready;
	uint32_t connections; /* that are wanted now */
	uint32_t in_flight;
	bool has_lag; /* replicas: */
	uint64_t lag_ms;
	uint64_t commands;
	uint64_t errors;
	uint64_t timeouts;
	uint64_t breaker_opened;
	uint64_t reconnects;
	char error[160]; /* why none of the connections that are wanted is open, or what is wrong with the server */
};

struct store_ops {
	void (*submit)(void *self, struct store_op *op);
	bool (*keep)(void *self, const struct store_op *op, const struct store_command *redo, uint64_t lifetime_ms);
	bool (*pend)(void *self, const struct store_command *redo, uint64_t lifetime_ms);
	void (*announce)(void *self, span message);
	void (*state)(void *self, struct store_state *ret);
	size_t (*nodes)(void *self, struct store_node *ret, size_t max);
};

struct store {
	const struct store_ops *ops;
	void *self;
};

static inline void store_submit(const struct store *s, struct store_op *op)
{
	s->ops->submit(s->self, op);
}

/* To be called before a write is acknowledged, op being the one that was just REPLIED to, perhaps within its `done`:
 * `redo` brings about the same effect again, any number of times, and changes nothing where it is there already. It is
 * copied, and carried out on whatever primary takes over in the next redis.replay_window_ms, or lifetime_ms if that is
 * less. False: the primary has changed already, or the reply was late; nothing is kept. Then carry `redo` out as an
 * operation of its own, keep that, and acknowledge only after it. */
static inline bool store_keep(const struct store *s, const struct store_op *op, const struct store_command *redo,
			      uint64_t lifetime_ms)
{
	return s->ops->keep(s->self, op, redo, lifetime_ms);
}

/* Has `redo` carried out as soon as its primary takes writes again, tried again and again for lifetime_ms. False: there is
 * no room for it. */
static inline bool store_pend(const struct store *s, const struct store_command *redo, uint64_t lifetime_ms)
{
	return s->ops->pend(s->self, redo, lifetime_ms);
}

/* Tells all instances, this one excepted: what scripts announce by PUBLISH, for when no script can. Best effort. */
static inline void store_announce(const struct store *s, span message)
{
	s->ops->announce(s->self, message);
}

/* Fills at most max; returns how many there are. */
static inline size_t store_nodes(const struct store *s, struct store_node *ret, size_t max)
{
	return s->ops->nodes(s->self, ret, max);
}

static inline void store_get_state(const struct store *s, struct store_state *ret)
{
	s->ops->state(s->self, ret);
}

#endif
