#ifndef LATCHKEY_LATCHKEY_H
#define LATCHKEY_LATCHKEY_H

/* liblatchkey: login sessions kept by latchkeyd. This header is the manual; latchkey/watch.h has the events of a realm,
 * latchkey/auth.h answers that are dear to find, latchkey/profile.h what is kept about users, latchkey/visitors.h,
 * latchkey/limit.h and latchkey/lock.h what their names say, latchkey/admin.h what administrators' tools call.
 *
 *	struct lk_options options = LK_OPTIONS_INIT;
 *	struct lk_session_get_request get = LK_SESSION_GET_REQUEST_INIT;
 *	enum lk_verdict verdict;
 *	lk_session *session = NULL;
 *	lk_client *client;
 *
 *	if (lk_client_open(&options, &client, NULL) != LK_OK)
 *		...
 *	get.token = lk_text(cookie);
 *	(void)lk_session_get(client, &get, &verdict, &session, NULL);
 *	switch (verdict) {
 *	case LK_VALID:   serve the request as lk_session_user(session); break;
 *	case LK_INVALID: ask to log in; break;
 *	case LK_UNKNOWN: answer "try again"; break;   // never log anybody out here
 *	}
 *	lk_session_free(&session);
 *	lk_client_close(&client);
 *
 * Threads. A client may be used by any number of threads at once. A call object belongs to one thread at a time, but
 * for lk_call_cancel and lk_call_wait, which any thread may use. Sessions and the other results never change once made:
 * any number of threads may read one.
 *
 * Ownership. What a function gives by a `ret_` pointer, or by lk_call_take_..., is the caller's, to be freed by the
 * function of its type. What getters give is borrowed: it lives as long as the object asked. Everything passed into a
 * function is copied before it returns. Functions that free take a pointer to the pointer, null it, and accept NULL.
 *
 * Outputs. `ret_` outputs are written only when the function returns LK_OK, but for two kinds that are always written:
 * a verdict (LK_UNKNOWN on failure) and a struct lk_error. Where it says "may be NULL", NULL means: not wanted.
 *
 * Errors. Functions return enum lk_err; all of them may return LK_E_INVALID_ARGUMENT and LK_E_NO_MEMORY. A struct
 * lk_error, where given, holds the sentence: what was wrong, the limit, the remedy. NULL for a client, a call, a result
 * or a required output, or a struct lk_error without its size, is a defect of the caller and ends the program. The
 * library never logs.
 *
 * Blocking. Only the functions that make calls and have no `_async` in their names, lk_call_wait, lk_call_free,
 * lk_lock_drop and lk_client_close block: calls for no longer than their timeout (kept to 10 ms).
 *
 * Time. Names say the unit. `_at_ms` is Unix time in milliseconds; other `_ms` and `_s` are durations. 0: not stated.
 *
 * Growth. Structs passed in start with their own size; set it by the LK_..._INIT macro, which zeroes all else. A zero
 * always means the default. Later versions only append fields, so an old program runs with a newer library.
 *
 * Processes. A client does not survive fork(): open clients in the process that uses them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LK_VERSION_MAJOR 0
#define LK_VERSION_MINOR 1
#define LK_VERSION_PATCH 0

#define LK_API	      __attribute__((visibility("default")))
#define LK_MUST_CHECK __attribute__((warn_unused_result))

#ifdef __cplusplus
template <typename T> inline T lk_init_()
{
	T t = T();
	t.struct_size = sizeof(T);
	return t;
}
#define LK_INIT_(type) lk_init_<type>()
extern "C" {
#else
/* clang-format off */
#define LK_INIT_(type) {.struct_size = sizeof(type)}
/* clang-format on */
#endif

/* ---- Limits ---- */

#define LK_ENDPOINTS_MAX       16     /* each is one connection: more servers belong behind a name or a load balancer */
#define LK_IN_FLIGHT_MAX       65536  /* 16 bits of the request id; the other 15 tell a late reply from a new one */
#define LK_TIMEOUT_MS_MAX      600000 /* ten minutes: nothing here waits for ever */
#define LK_TOKEN_BYTES_MAX     8192   /* whatever is longer is cut to this, and is no token either way */
#define LK_REQUEST_BYTES_MAX   65536  /* a request as sent, with its envelope: the server's own limit */
#define LK_ERROR_MESSAGE_BYTES 200

/* ---- Bytes ---- */

/* Bytes given or borrowed: any octets, no terminator needed. What getters return is followed by a NUL all the same,
 * so that text can be used as a C string. data is NULL where there is nothing. */
struct lk_bytes {
	const char *data;
	size_t len;
};

/* A C string as bytes; NULL is empty. */
static inline struct lk_bytes lk_text(const char *text)
{
	struct lk_bytes bytes;

	bytes.data = text;
	bytes.len = text != NULL ? strlen(text) : 0;
	return bytes;
}

static inline struct lk_bytes lk_bytes_of(const void *data, size_t len)
{
	struct lk_bytes bytes;

	bytes.data = (const char *)data;
	bytes.len = len;
	return bytes;
}

/* An attribute of a session. key: 1 to 64 bytes; value: 0 to 16,384 bytes. */
struct lk_attribute {
	struct lk_bytes key;
	struct lk_bytes value;
};

/* ---- Errors ---- */

/* name, number (never changes), sentence, whether the same request may succeed later. */
#define LK_ERR_MAP(X)                                                                                                  \
	X(LK_OK, 0, "no error", false)                                                                                 \
	X(LK_E_INVALID_ARGUMENT, 1, "the request can never succeed as it is", false)                                   \
	X(LK_E_NO_MEMORY, 2, "out of memory", true)                                                                    \
	X(LK_E_MISUSE, 3, "the function may not be called here, or the call object is in use", false)                  \
	X(LK_E_CANCELED, 4, "canceled by lk_call_cancel or lk_client_close", false)                                    \
	X(LK_E_UNAVAILABLE, 5, "no server, or its store, can be reached now", true)                                    \
	X(LK_E_TIMED_OUT, 6, "no answer in time; a mutating call may have been carried out", true)                     \
	X(LK_E_LIMIT, 7, "a limit was reached", true)                                                                  \
	X(LK_E_CONFLICT, 8, "another version is stored than the one expected", false)                                  \
	X(LK_E_SESSION_INVALID, 9, "the session has ended: nothing was written", false)                                \
	X(LK_E_NOT_FOUND, 10, "no such realm, class or handle", false)                                                 \
	X(LK_E_ALREADY_EXISTS, 11, "the idempotency key was used for another request", false)                          \
	X(LK_E_DENIED, 12, "the credential does not allow this", false)                                                \
	X(LK_E_UNAUTHENTICATED, 13, "the credential is missing or wrong", false)                                       \
	X(LK_E_FAILED_PRECONDITION, 14, "the server cannot do this in its present state or version", false)            \
	X(LK_E_UNIMPLEMENTED, 15, "the server does not serve this", false)                                             \
	X(LK_E_UNREADABLE, 16, "the stored session cannot be read: damaged, or written by a newer version", false)     \
	X(LK_E_INTERNAL, 17, "the server reports a defect of its own", false)                                          \
	X(LK_E_PROTOCOL, 18, "the peer does not speak this protocol", false)                                           \
	X(LK_E_TLS, 19, "TLS: a certificate or key file cannot be used", false)

enum lk_err {
#define X(name, number, text, retryable) name = number,
	LK_ERR_MAP(X)
#undef X
};

/* "LK_E_UNAVAILABLE", and the sentence. Never NULL, whatever the number. */
LK_API const char *lk_err_name(enum lk_err err);
LK_API const char *lk_err_message(enum lk_err err);
/* Whether the same request may succeed later. Calls have then been tried again already, as far as their timeout and
 * the retry budget went. */
LK_API bool lk_err_is_retryable(enum lk_err err);

/* "0.1.0": of the library at run time. */
LK_API const char *lk_version(void);

/* Why a session is invalid (or, where marked, unreadable). name, number (as on the wire), sentence. */
#define LK_REASON_MAP(X)                                                                                               \
	X(LK_REASON_NONE, 0, "no reason")                                                                              \
	X(LK_REASON_MALFORMED, 1, "not a token")                                                                       \
	X(LK_REASON_FORGED, 2, "the token was altered, made up, or issued for another realm")                          \
	X(LK_REASON_RETIRED_KEY, 3, "the token was issued under a key that is no longer in use")                       \
	X(LK_REASON_ABSOLUTE_TIMEOUT, 4, "the session reached its absolute timeout")                                   \
	X(LK_REASON_IDLE_TIMEOUT, 5, "the session was idle for too long")                                              \
	X(LK_REASON_NOT_FOUND_IN_STORE, 6, "the session is gone from the store")                                       \
	X(LK_REASON_LOGOUT, 7, "logged out")                                                                           \
	X(LK_REASON_LOGOUT_EVERYWHERE, 8, "logged out everywhere")                                                     \
	X(LK_REASON_ADMIN, 9, "revoked by an administrator")                                                           \
	X(LK_REASON_EVICTED, 10, "ended to make room for a newer session of the same user")                            \
	X(LK_REASON_ROTATED, 11, "replaced by a newer token")                                                          \
	X(LK_REASON_REUSE_DETECTED, 12, "a replaced token was used again: this line of tokens has ended")              \
	X(LK_REASON_REALM_REVOKED, 13, "all sessions of the realm were revoked")                                       \
	X(LK_REASON_CREDENTIAL_CHANGE, 14, "revoked because a password or another factor changed")                     \
	X(LK_REASON_UNREADABLE, 15, "with LK_E_UNREADABLE: the stored record does not open")                           \
	X(LK_REASON_NEWER_FORMAT, 16, "with LK_E_UNREADABLE: the record was written by a newer version")               \
	X(LK_REASON_ASSURANCE_TOO_LOW, 17, "the session is alive, but the request demands a stronger login")

enum lk_reason {
#define X(name, number, text) name = number,
	LK_REASON_MAP(X)
#undef X
};

/* "IDLE_TIMEOUT", and the sentence. Never NULL. A reason that a newer server knows and this library does not is
 * passed on as its number and called "UNRECOGNIZED". */
LK_API const char *lk_reason_name(enum lk_reason reason);
LK_API const char *lk_reason_message(enum lk_reason reason);

/* What is known of a session. LK_UNKNOWN is the answer of every failure: the store could not tell. Refuse the request
 * with "try again" then, or serve it with less; never log anybody out and never delete a cookie on LK_UNKNOWN. */
enum lk_verdict { LK_UNKNOWN = 0, LK_VALID = 1, LK_INVALID = 2 };

/* "UNKNOWN", "VALID", "INVALID". */
LK_API const char *lk_verdict_name(enum lk_verdict verdict);

/* What a call ended with, in full. Always written, on success with LK_OK and an empty message. */
struct lk_error {
	size_t struct_size;
	enum lk_err code;
	enum lk_reason reason;	 /* with LK_E_SESSION_INVALID and LK_E_UNREADABLE */
	uint64_t version;	 /* with LK_E_CONFLICT: the version that is stored */
	uint32_t retry_after_ms; /* with LK_E_UNAVAILABLE and LK_E_LIMIT: do not try again sooner. 0: not stated */
	uint32_t attempts;	 /* how often the request was sent */
	char message[LK_ERROR_MESSAGE_BYTES]; /* for people; NUL-terminated, cut where too long */
};
#define LK_ERROR_INIT LK_INIT_(struct lk_error)

/* ---- Clients ---- */

typedef struct lk_client lk_client;

struct lk_options {
	size_t struct_size;
	/* Servers: "tcp://host:port", "tls+tcp://host:port" or "ipc:///path". Calls go to the connected one with the
	 * fewest in flight, and move to another when a connection is lost, or its server asks for it. Default:
	 * tcp://127.0.0.1:7373. */
	const char *const *endpoints;
	size_t endpoint_count;	     /* at most LK_ENDPOINTS_MAX */
	const char *realm;	     /* of requests that name none. Default: the server's, "default" */
	const char *credential;	     /* "id.secret", at most 128 bytes. Default: none */
	uint32_t connect_timeout_ms; /* TLS handshake included. Default 2,000 */
	uint32_t call_timeout_ms;    /* of requests that name none; retries included. Default 2,000 */
	uint32_t attempts_max;	     /* how often a request is sent at most, 1 to 3. Default 3 */
	/* Retries, in percent of calls, 1 to 100. Default 10. Besides: one a second. Calls that a lost connection
	 * leaves behind are sent again without it, within attempts_max. */
	uint32_t retry_budget_percent;
	uint32_t in_flight_max; /* calls at once, at most LK_IN_FLIGHT_MAX; beyond: LK_E_LIMIT. Default 4,096 */
	/* While no server is connected, calls wait for one until their timeout. True: once every server has failed,
	 * or was lost, they end with LK_E_UNAVAILABLE at once. For tools. */
	bool fail_fast;
	const char *tls_ca_file;     /* PEM: verifies servers. Required for tls+tcp */
	const char *tls_cert_file;   /* PEM, for mutual TLS, with */
	const char *tls_key_file;    /* PEM */
	const char *tls_server_name; /* in the servers' certificates. Default: the host of the endpoint */
};
#define LK_OPTIONS_INIT LK_INIT_(struct lk_options)

/* Opens a client. Does not wait for a connection: that is made in the background, and again whenever it is lost, after
 * a pause that grows to 5 s. options may be NULL: all defaults. error may be NULL.
 * LK_E_TLS: a certificate or key file cannot be read. */
LK_API LK_MUST_CHECK enum lk_err lk_client_open(const struct lk_options *options, lk_client **ret_client,
						struct lk_error *error);

/* Ends every call in flight with LK_E_CANCELED, waits until their callbacks have returned, closes the connections.
 * No other thread may use the client from then on, but call objects may still be freed. Aborts within a callback. */
LK_API void lk_client_close(lk_client **client);

/* ---- Sessions as results ---- */

typedef struct lk_session lk_session;

/* LK_VALID or LK_INVALID; of NULL, LK_UNKNOWN, and of one that lk_session_get_many could not tell of. */
LK_API enum lk_verdict lk_session_verdict(const lk_session *session);
LK_API enum lk_reason lk_session_reason(const lk_session *session);
/* When it was revoked; 0 where that is not known. */
LK_API uint64_t lk_session_revoked_at_ms(const lk_session *session);

/* The token: only of a session just created or rotated, and of an anonymous one just updated; NULL otherwise. Hand it to
 * the user's browser or app; store and log it nowhere. */
LK_API const char *lk_session_token(const lk_session *session);
/* The token to hand on in place of the one that was got: that one was rotated a moment ago, and is good for its grace
 * period only. NULL otherwise, and after a step-up: whoever has only the old token has not proved anything. */
LK_API const char *lk_session_successor(const lk_session *session);

/* What follows is known of valid and of listed sessions; zero, or data NULL, otherwise.
 * The handle names the session in lists, logs and lk_session_revoke. It is no credential. */
LK_API const char *lk_session_handle(const lk_session *session);
LK_API struct lk_bytes lk_session_user(const lk_session *session);
LK_API struct lk_bytes lk_session_class(const lk_session *session);
LK_API uint64_t lk_session_created_at_ms(const lk_session *session);
LK_API uint64_t lk_session_last_seen_at_ms(const lk_session *session);
LK_API uint64_t lk_session_idle_expires_at_ms(const lk_session *session); /* if nobody uses it until then */
LK_API uint64_t lk_session_expires_at_ms(const lk_session *session);	  /* the absolute deadline */
LK_API uint64_t lk_session_version(const lk_session *session);		  /* counts the updates; 1 at creation */
LK_API struct lk_bytes lk_session_user_agent(const lk_session *session);
LK_API struct lk_bytes lk_session_ip(const lk_session *session);
LK_API struct lk_bytes lk_session_label(const lk_session *session);
LK_API uint64_t lk_session_authenticated_at_ms(const lk_session *session);
LK_API uint32_t lk_session_aal(const lk_session *session);
/* Until when the last authentication lets the user do what needs a fresh one, by the policy's privileged_s. It may have
 * passed; 0: the policy knows no such thing. */
LK_API uint64_t lk_session_privileged_until_ms(const lk_session *session);
/* Then there is no handle, user, version, device or authentication. */
LK_API bool lk_session_is_anonymous(const lk_session *session);
LK_API size_t lk_session_amr_count(const lk_session *session);
LK_API struct lk_bytes lk_session_amr(const lk_session *session, size_t index);

/* Attributes, of a session that was got (lists and created sessions have none). By key: data is NULL when there is
 * none of that key. By index: in the order of their keys; empty beyond the last. */
LK_API struct lk_bytes lk_session_attribute(const lk_session *session, const char *key);
LK_API size_t lk_session_attribute_count(const lk_session *session);
LK_API struct lk_attribute lk_session_attribute_at(const lk_session *session, size_t index);

/* Of a session just created: the handles of those that ended to make room. NULL beyond the last. */
LK_API size_t lk_session_evicted_count(const lk_session *session);
LK_API const char *lk_session_evicted(const lk_session *session, size_t index);

/* Wipes and frees. */
LK_API void lk_session_free(lk_session **session);

/* Every request has these: realm, NULL for the client's; timeout_ms, 0 for the client's; traceparent, W3C Trace
 * Context, may be NULL. Mutating ones have idempotency_key: with the same key (1 to 64 random bytes) and the same
 * request, the first answer comes again for ten minutes. When it is empty the library makes one, so that its own
 * retries never act twice; give one to repeat a request across restarts of your own program.
 *
 * Every call may return, besides what it names: LK_E_UNAVAILABLE, LK_E_TIMED_OUT, LK_E_LIMIT, LK_E_NOT_FOUND (the
 * realm), LK_E_UNAUTHENTICATED, LK_E_DENIED, LK_E_UNIMPLEMENTED, LK_E_INTERNAL, LK_E_PROTOCOL, LK_E_CANCELED (the
 * client is closing) and LK_E_MISUSE (within a callback: use `_async` there). error may be NULL everywhere. */

/* ---- Create ---- */

struct lk_session_create_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes user;	   /* 1 to 256 bytes; required unless anonymous */
	const char *session_class; /* of the realm's policy. Default: its first */
	const struct lk_attribute *attributes;
	size_t attribute_count;	      /* at most 64 */
	uint32_t idle_timeout_s;      /* at most the policy's. Default: the policy's */
	uint32_t absolute_timeout_s;  /* at most the policy's. Default: the policy's */
	struct lk_bytes user_agent;   /* at most 512 bytes */
	struct lk_bytes ip;	      /* as text, at most 45 bytes */
	struct lk_bytes label;	      /* at most 64 bytes, such as "Ann's phone" */
	uint64_t authenticated_at_ms; /* when the user proved who it is. Default: now */
	uint32_t aal;		      /* NIST SP 800-63B, 1 to 3. Default: not stated */
	const char *const *amr;	      /* RFC 8176, at most 8 of at most 16 bytes */
	size_t amr_count;
	/* Answer when so many replicas of Redis have it too, 1 to 8; 0: as the realm's configuration says. Waiting ends after
	 * wait_ms, 0: the realm's, with LK_OK all the same: lk_call_replicas tells how far it got. */
	uint32_t wait_replicas;
	uint32_t wait_ms;
	/* The token of an anonymous session whose attributes the new one takes over; those given here win. One that is dead
	 * by now is LK_E_INVALID_ARGUMENT: create without it. */
	struct lk_bytes promote;
	/* A session of nobody, sealed inside its token: the server keeps nothing of it, and it cannot be revoked but with
	 * its whole realm. It ends at its absolute deadline, whatever idle_timeout_s says; no idempotency key is remembered:
	 * a repetition makes another, which costs nothing. No user, device or authentication; attributes of at most 2,048
	 * bytes together. The token has up to 3,072 bytes. */
	bool anonymous;
};
#define LK_SESSION_CREATE_REQUEST_INIT LK_INIT_(struct lk_session_create_request)

/* Starts a session: call it when a user has logged in. *ret_session is valid and has the token.
 * LK_E_LIMIT: the user has as many sessions as the policy allows, and it refuses more. LK_E_NOT_FOUND also: the
 * class. */
LK_API LK_MUST_CHECK enum lk_err lk_session_create(lk_client *client, const struct lk_session_create_request *request,
						   lk_session **ret_session, struct lk_error *error);

/* ---- Get ---- */

struct lk_session_get_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes token;		 /* whatever the caller was shown: it may be anything */
	bool peek;			 /* do not slide the idle timeout */
	uint32_t minimum_aal;		 /* below it: LK_INVALID, LK_REASON_ASSURANCE_TOO_LOW */
	uint32_t authenticated_within_s; /* authenticated longer ago: the same */
	const char *const *amr;		 /* authenticated by none of these: the same. At most 8 */
	size_t amr_count;
	bool privileged; /* not privileged now (lk_session_privileged_until_ms): the same */
	/* With peek: an answer up to this old will do, so that a replica of Redis may give it. 0: none but the latest. */
	uint32_t staleness_ms;
};
#define LK_SESSION_GET_REQUEST_INIT LK_INIT_(struct lk_session_get_request)

/* Judges a token: call it on each request. Returns LK_OK with LK_VALID or LK_INVALID, and the session (which has the
 * reason, if it is invalid); anything else with LK_UNKNOWN. *ret_verdict is always written, and is all that must be
 * acted upon. ret_session may be NULL.
 * LK_E_UNREADABLE: there is a record, but it does not open. */
LK_API enum lk_err lk_session_get(lk_client *client, const struct lk_session_get_request *request,
				  enum lk_verdict *ret_verdict, lk_session **ret_session, struct lk_error *error);

struct lk_session_get_many_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	/* As for get; but the request as a whole has at most LK_REQUEST_BYTES_MAX, or it is LK_E_INVALID_ARGUMENT. Of one that
	 * is longer than any token only as much is sent as shows that. Those of stored sessions always fit; what begins as
	 * an anonymous one may have 3,073 bytes: where strangers may show such, send at most 20 at once. */
	const struct lk_bytes *tokens;
	size_t token_count; /* 1 to 64 */
	bool peek;
};
#define LK_SESSION_GET_MANY_REQUEST_INIT LK_INIT_(struct lk_session_get_many_request)

/* A page of sessions. */
typedef struct lk_sessions lk_sessions;

/* Judges many tokens at once. LK_OK: lk_sessions_at has the session of each token, in the tokens' order, with a verdict
 * of its own: LK_UNKNOWN where the store could not tell, by the rule above. Anything else: LK_UNKNOWN of all. */
LK_API LK_MUST_CHECK enum lk_err lk_session_get_many(lk_client *client,
						     const struct lk_session_get_many_request *request,
						     lk_sessions **ret_sessions, struct lk_error *error);

/* ---- Update ---- */

struct lk_session_update_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes token;
	const struct lk_attribute *set;
	size_t set_count; /* at most 64 */
	const struct lk_bytes *remove;
	size_t remove_count;	   /* at most 64; a key that is not there is no error */
	uint64_t expected_version; /* compare-and-set: write only if the session has this version. 0: whatever it has */
	uint32_t wait_replicas;	   /* as for create */
	uint32_t wait_ms;
	/* Where lk_session_update puts an anonymous session with the token that has its attributes now
	 * (lk_session_token); the token that was sent keeps the old ones. NULL is put for others. Required of anonymous
	 * sessions: without it they are LK_E_INVALID_ARGUMENT, and remain as they were. lk_session_update_async does not
	 * look at it: lk_call_take_session has that session. */
	lk_session **ret_session;
};
#define LK_SESSION_UPDATE_REQUEST_INIT LK_INIT_(struct lk_session_update_request)

/* Sets and removes attributes, all or none. LK_OK: it is written. Both outputs may be NULL.
 * LK_E_CONFLICT: another version is stored (in error->version): get the session again and decide again.
 * LK_E_SESSION_INVALID: the session has ended (error->reason says why) and an update never revives it.
 * LK_E_LIMIT also: the session would have more than 256 attributes or 32,768 bytes. LK_E_UNREADABLE as for get. */
LK_API LK_MUST_CHECK enum lk_err lk_session_update(lk_client *client, const struct lk_session_update_request *request,
						   uint64_t *ret_version, uint64_t *ret_idle_expires_at_ms,
						   struct lk_error *error);

/* ---- Rotate ---- */

struct lk_session_rotate_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes token;
	/* The user has proved anew who it is, a step-up: what follows replaces what the session says of that. Any of them
	 * says so too. */
	bool authenticated;
	uint64_t authenticated_at_ms; /* default: now */
	uint32_t aal;
	const char *const *amr;
	size_t amr_count;
	/* For so long the old token stands for the new one: for requests that are on their way. At most the policy's, which
	 * is the default. With has_grace, 0 ends the old token at once. */
	uint32_t grace_s;
	bool has_grace;
	uint32_t wait_replicas; /* as for create */
	uint32_t wait_ms;
};
#define LK_SESSION_ROTATE_REQUEST_INIT LK_INIT_(struct lk_session_rotate_request)

/* Gives a session a new token, with the same attributes and the same absolute deadline: call it whenever what the session
 * may do grows, at a step-up above all. *ret_session has the token. All who rotate one token within its grace period get
 * the same, after a step-up if they bring an authentication as strong; a token that is used after it was kept by a thief,
 * and ends the session: LK_REASON_REUSE_DETECTED.
 * LK_E_SESSION_INVALID: the session has ended (error->reason says why); or, with LK_REASON_ASSURANCE_TOO_LOW, it is alive,
 * was stepped up, and this request has not proved as much. LK_E_UNREADABLE as for get. */
LK_API LK_MUST_CHECK enum lk_err lk_session_rotate(lk_client *client, const struct lk_session_rotate_request *request,
						   lk_session **ret_session, struct lk_error *error);

/* ---- Revoke ---- */

struct lk_session_revoke_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes token;	/* either this */
	struct lk_bytes handle; /* or this */
	enum lk_reason reason;	/* LK_REASON_LOGOUT (default), _ADMIN or _CREDENTIAL_CHANGE */
	/* Where lk_session_revoke says whether the revocation is pending; may be NULL. In force it is either way: while
	 * Redis takes no writes, all servers that are up refuse the session, and it is written as soon as Redis can.
	 * lk_session_revoke_async does not look at it: lk_call_pending tells. */
	bool *ret_pending;
	uint32_t wait_replicas; /* as for create */
	uint32_t wait_ms;
};
#define LK_SESSION_REVOKE_REQUEST_INIT LK_INIT_(struct lk_session_revoke_request)

/* Ends a session. LK_OK: it is dead, for good. ret_was_alive, which may be NULL: whether this call is what ended it.
 * LK_E_SESSION_INVALID: the token names no session known here (error->reason: malformed, forged or of another realm, or
 * under a retired key), and nothing was revoked. LK_E_NOT_FOUND also: the realm has no session of this handle. */
LK_API LK_MUST_CHECK enum lk_err lk_session_revoke(lk_client *client, const struct lk_session_revoke_request *request,
						   bool *ret_was_alive, struct lk_error *error);

struct lk_session_revoke_user_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes user;	   /* either this */
	struct lk_bytes token;	   /* or the user of this token */
	struct lk_bytes except;	   /* a token of the same user that stays alive */
	const char *session_class; /* only sessions of this class */
	enum lk_reason reason;	   /* LK_REASON_LOGOUT_EVERYWHERE (default), _ADMIN or _CREDENTIAL_CHANGE */
	uint32_t wait_replicas;	   /* as for create */
	uint32_t wait_ms;
};
#define LK_SESSION_REVOKE_USER_REQUEST_INIT LK_INIT_(struct lk_session_revoke_user_request)

/* Ends a user's sessions: "log out everywhere". ret_revoked, which may be NULL: how many were alive. */
LK_API LK_MUST_CHECK enum lk_err lk_session_revoke_user(lk_client *client,
							const struct lk_session_revoke_user_request *request,
							uint32_t *ret_revoked, struct lk_error *error);

/* ---- List ---- */

struct lk_session_list_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes user;	    /* 1 to 256 bytes; required */
	uint32_t page_size;	    /* 1 to 500. Default 100 */
	struct lk_bytes page_token; /* lk_sessions_next_page of the page before; empty for the first */
};
#define LK_SESSION_LIST_REQUEST_INIT LK_INIT_(struct lk_session_list_request)

/* The living sessions of a user, the first to end first, without tokens and attributes. */
LK_API LK_MUST_CHECK enum lk_err lk_session_list(lk_client *client, const struct lk_session_list_request *request,
						 lk_sessions **ret_sessions, struct lk_error *error);

LK_API size_t lk_sessions_count(const lk_sessions *sessions);
/* Borrowed; NULL beyond the last. */
LK_API const lk_session *lk_sessions_at(const lk_sessions *sessions, size_t index);
/* Empty: this was the last page. */
LK_API struct lk_bytes lk_sessions_next_page(const lk_sessions *sessions);
LK_API void lk_sessions_free(lk_sessions **sessions);

/* ---- The server ---- */

/* Where a function takes it, NULL means: all defaults. */
struct lk_server_request {
	size_t struct_size;
	uint32_t timeout_ms;
	const char *traceparent;
	const char *service; /* lk_health only: a service's full name. Default: the server as a whole */
};
#define LK_SERVER_REQUEST_INIT LK_INIT_(struct lk_server_request)

enum lk_serving {
	LK_SERVING_UNKNOWN = 0,
	LK_SERVING = 1,
	LK_NOT_SERVING = 2,    /* it is ending, or cannot reach its store */
	LK_SERVICE_UNKNOWN = 3 /* it has no such service */
};

/* "SERVING". Never NULL. */
LK_API const char *lk_serving_name(enum lk_serving serving);

LK_API LK_MUST_CHECK enum lk_err lk_health(lk_client *client, const struct lk_server_request *request,
					   enum lk_serving *ret_serving, struct lk_error *error);

/* What a server says of itself. Texts are never NULL; empty where not stated. */
typedef struct lk_info lk_info;

LK_API LK_MUST_CHECK enum lk_err lk_server_info(lk_client *client, const struct lk_server_request *request,
						lk_info **ret_info, struct lk_error *error);

LK_API const char *lk_info_version(const lk_info *info);
LK_API uint32_t lk_info_protocol(const lk_info *info);
LK_API const char *lk_info_instance(const lk_info *info); /* new at each start */
LK_API uint64_t lk_info_started_at_ms(const lk_info *info);
LK_API const char *lk_info_store_mode(const lk_info *info);
LK_API bool lk_info_store_ready(const lk_info *info);
LK_API const char *lk_info_store_version(const lk_info *info);
LK_API bool lk_info_draining(const lk_info *info);
LK_API size_t lk_info_realm_count(const lk_info *info);
LK_API const char *lk_info_realm(const lk_info *info, size_t index); /* NULL beyond the last */
LK_API void lk_info_free(lk_info **info);

/* A server's counters. */
typedef struct lk_stats lk_stats;

LK_API LK_MUST_CHECK enum lk_err lk_server_stats(lk_client *client, const struct lk_server_request *request,
						 lk_stats **ret_stats, struct lk_error *error);

LK_API size_t lk_stats_count(const lk_stats *stats);
/* NULL, 0 and NULL beyond the last. */
LK_API const char *lk_stats_name(const lk_stats *stats, size_t index);
LK_API uint64_t lk_stats_value(const lk_stats *stats, size_t index);
LK_API const char *lk_stats_help(const lk_stats *stats, size_t index);
LK_API void lk_stats_free(lk_stats **stats);

/* ---- Calls in the background ---- */

/* One call at a time, used again and again: started by an `_async` function, it ends exactly once. */
typedef struct lk_call lk_call;

/* Called once for each start that returned LK_OK, from a thread of the library, with no lock held. By then the call is
 * free again: the callback may take its results, start it again or start others, and free it. It must not block: it
 * holds up the connection that it was called from. */
typedef void (*lk_call_fn)(lk_call *call, enum lk_err err, void *arg);

/* fn may be NULL: then lk_call_wait tells. */
LK_API LK_MUST_CHECK enum lk_err lk_call_new(lk_client *client, lk_call_fn fn, void *arg, lk_call **ret_call);

/* Cancels, waits until the callback has returned, frees, with results that were not taken. Within a callback, the
 * call's own or another's, it does not wait: the call is freed when it has ended and its callback has returned. */
LK_API void lk_call_free(lk_call **call);

/* These start a call and return at once. LK_OK: it is under way, and its callback will come (perhaps before this
 * returns). Anything else: it is not, no callback will come, and lk_call_detail says why. LK_E_LIMIT: in_flight_max
 * calls are in flight. LK_E_CANCELED: the client is closing. LK_E_MISUSE, without detail: the call object is in flight.
 * Starting drops the results of the time before. Calls started within a callback are written together. */
LK_API LK_MUST_CHECK enum lk_err lk_session_create_async(lk_call *call,
							 const struct lk_session_create_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_session_get_async(lk_call *call, const struct lk_session_get_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_session_get_many_async(lk_call *call,
							   const struct lk_session_get_many_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_session_rotate_async(lk_call *call,
							 const struct lk_session_rotate_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_session_update_async(lk_call *call,
							 const struct lk_session_update_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_session_revoke_async(lk_call *call,
							 const struct lk_session_revoke_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_session_revoke_user_async(lk_call *call,
							      const struct lk_session_revoke_user_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_session_list_async(lk_call *call, const struct lk_session_list_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_health_async(lk_call *call, const struct lk_server_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_server_info_async(lk_call *call, const struct lk_server_request *request);
LK_API LK_MUST_CHECK enum lk_err lk_server_stats_async(lk_call *call, const struct lk_server_request *request);

/* Waits until the start that was the last when this was called has ended and its callback has returned, and returns
 * what it ended with; LK_OK at once where none was started. LK_E_MISUSE within a callback. */
LK_API LK_MUST_CHECK enum lk_err lk_call_wait(lk_call *call);

/* Asks a call in flight to end with LK_E_CANCELED, within 10 ms, from a thread of the library. A reply that is being
 * handled wins. The server may carry it out all the same. Without effect on a call that is not in flight. */
LK_API void lk_call_cancel(lk_call *call);

/* Results of the last start, once it has ended. */
LK_API void lk_call_detail(const lk_call *call, struct lk_error *error);
LK_API enum lk_verdict lk_call_verdict(const lk_call *call);	 /* get: LK_UNKNOWN unless it ended with LK_OK */
LK_API uint64_t lk_call_version(const lk_call *call);		 /* update */
LK_API uint64_t lk_call_idle_expires_at_ms(const lk_call *call); /* update */
LK_API bool lk_call_was_alive(const lk_call *call);		 /* revoke */
LK_API bool lk_call_pending(const lk_call *call);		 /* revoke */
/* A change that was to be waited for (wait_replicas, or the realm's): so many replicas of Redis had it in time. */
LK_API uint32_t lk_call_replicas(const lk_call *call);
LK_API uint32_t lk_call_revoked(const lk_call *call);	     /* revoke_user */
LK_API enum lk_serving lk_call_serving(const lk_call *call); /* health */
/* The caller's from then on. NULL where there is none, or it was taken before. */
LK_API lk_session *lk_call_take_session(lk_call *call);	  /* create, get, rotate; update of an anonymous session */
LK_API lk_sessions *lk_call_take_sessions(lk_call *call); /* list and get_many */
LK_API lk_info *lk_call_take_info(lk_call *call);
LK_API lk_stats *lk_call_take_stats(lk_call *call);

#ifdef __cplusplus
}
#endif

#endif
