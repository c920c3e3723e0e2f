#ifndef LATCHKEY_AUTH_H
#define LATCHKEY_AUTH_H

/* Answers about users that are dear to find, such as token introspections and permission checks, kept for a while and
 * shared by all servers. A part of liblatchkey; the rules of latchkey/latchkey.h hold.
 *
 *	static enum lk_err introspect(lk_auth_load *load, void *arg)
 *	{
 *		... ask, for at most lk_auth_load_left_ms(load) ...
 *		return lk_auth_load_found(load, lk_text(answer));  // or lk_auth_load_none(load): there is none
 *	}
 *
 *	struct lk_auth_get_request get = LK_AUTH_GET_REQUEST_INIT;
 *	lk_auth_answer *answer = NULL;
 *
 *	get.subject = lk_text("ann");
 *	get.key = lk_text("may:edit:42");
 *	if (lk_auth_get_or_load(client, &get, introspect, arg, &answer, &error) != LK_OK)
 *		...                                  // neither kept nor to be found: not a "no"
 *	if (lk_auth_state_of(answer) != LK_AUTH_NEGATIVE)
 *		... lk_auth_answer_bytes(answer) ...
 *	lk_auth_answer_free(&answer); */

#include <latchkey/latchkey.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Answers ---- */

/* name, number (as on the wire). */
#define LK_AUTH_STATE_MAP(X)                                                                                           \
	X(LK_AUTH_UNKNOWN, 0)                                                                                          \
	X(LK_AUTH_HIT, 1)      /* here is the answer */                                                                \
	X(LK_AUTH_STALE, 2)    /* here is the answer, past its time: serve it. With a lease: load it anew */           \
	X(LK_AUTH_NEGATIVE, 3) /* it was loaded, and there is none */                                                  \
	X(LK_AUTH_MISS, 4)     /* with a lease: load it, and fill */                                                   \
	X(LK_AUTH_WAIT, 5)     /* somebody loads it */

enum lk_auth_state {
#define X(name, number) name = number,
	LK_AUTH_STATE_MAP(X)
#undef X
};

/* "HIT". Never NULL. */
LK_API const char *lk_auth_state_name(enum lk_auth_state state);

typedef struct lk_auth_answer lk_auth_answer;

LK_API enum lk_auth_state lk_auth_state_of(const lk_auth_answer *answer);
/* Of HIT and STALE; data NULL otherwise. */
LK_API struct lk_bytes lk_auth_answer_bytes(const lk_auth_answer *answer);
/* Until when it is fresh, of HIT, STALE and NEGATIVE. 0: not known. */
LK_API uint64_t lk_auth_answer_expires_at_ms(const lk_auth_answer *answer);
/* Of MISS and STALE, for lk_auth_fill; data NULL: none was given. */
LK_API struct lk_bytes lk_auth_answer_lease(const lk_auth_answer *answer);
/* Of WAIT. */
LK_API uint32_t lk_auth_answer_retry_after_ms(const lk_auth_answer *answer);
/* STALE before its time: refreshed early, so that no herd comes when it is over. */
LK_API bool lk_auth_answer_is_early(const lk_auth_answer *answer);
/* Of lk_auth_get_or_load: it comes from a loader, this call's or one that it waited for, and not from the cache. */
LK_API bool lk_auth_answer_is_loaded(const lk_auth_answer *answer);
LK_API void lk_auth_answer_free(lk_auth_answer **answer);

/* ---- Get, or load ---- */

/* Of get_or_load, where the request does not say. A lookup is answered in a millisecond or two: whoever has to wait for
 * so much longer is better off with the loader. */
#define LK_AUTH_LOOKUP_MS  250
#define LK_AUTH_LEASE_MS   5000
#define LK_AUTH_TIMEOUT_MS 15000

struct lk_auth_get_request {
	size_t struct_size;
	const char *realm;
	/* Of all of it: lookups, waiting and loading. Default LK_AUTH_TIMEOUT_MS, not the client's. */
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes subject;       /* 1 to 256 bytes; required: the user that it is about. Logging it out everywhere
				  * forgets it */
	struct lk_bytes key;	       /* 1 to 256 bytes; required: what is asked, such as "may:edit:42" */
	const struct lk_bytes *groups; /* what it depends on besides, such as a role: each 1 to 64 bytes. The same at
					* each lookup of the key */
	size_t group_count;	       /* at most 4 */
	/* How long loading may take; then another is asked to. 10 to 60,000. Default LK_AUTH_LEASE_MS. */
	uint32_t lease_ms;
	uint32_t
	    lookup_ms; /* how long to wait for Latchkey before the loader goes without it. Default LK_AUTH_LOOKUP_MS */
	bool no_fallback; /* never load without a lease: when Latchkey is away, that is the error */
};
#define LK_AUTH_GET_REQUEST_INIT LK_INIT_(struct lk_auth_get_request)

/* One run of a loader. */
typedef struct lk_auth_load lk_auth_load;

LK_API struct lk_bytes lk_auth_load_subject(const lk_auth_load *load);
LK_API struct lk_bytes lk_auth_load_key(const lk_auth_load *load);
/* The loader's deadline: so long its answer is still worth something. 0: over. */
LK_API uint32_t lk_auth_load_left_ms(const lk_auth_load *load);
/* Fresh for so long; at most the realm's time, which is the default. */
LK_API void lk_auth_load_set_ttl_ms(lk_auth_load *load, uint32_t ttl_ms);
/* The answer, 0 to 32,768 bytes, copied; or that there is none. The last one counts. */
LK_API LK_MUST_CHECK enum lk_err lk_auth_load_found(lk_auth_load *load, struct lk_bytes answer);
LK_API LK_MUST_CHECK enum lk_err lk_auth_load_none(lk_auth_load *load);

/* Finds an answer where it truly is. Runs in the thread of one of those who ask for it, and may block, until its
 * deadline. LK_OK: lk_auth_load_found or lk_auth_load_none has been called. Anything else: it could not tell, and that is
 * the error of all who wait for this run. It must not ask for the key that it loads. */
typedef enum lk_err (*lk_auth_loader)(lk_auth_load *load, void *arg);

/* Cache-aside, done once and right. LK_OK: *ret_answer is HIT, STALE or NEGATIVE. Otherwise it is not known.
 *
 * What happens, by what the lookup says:
 *
 *	HIT, NEGATIVE         that is the answer.
 *	STALE                 the stale answer, at once.
 *	STALE, with a lease   this thread loads, and has the new answer; others have the stale one meanwhile. If loading
 *	                      fails, this one has the stale one too.
 *	MISS, with a lease    this thread loads. Threads of this client that ask for the same realm, subject and key wait
 *	                      for it and share its answer; other processes wait at the server.
 *	WAIT                  somebody else loads: one thread of this client waits at the server, the others for that one.
 *	                      When the lease ends without an answer, one of all who wait is given a new one.
 *	no answer             within lookup_ms, or it is unavailable, or has no room: the loader runs without a lease, and
 *	                      its answer is not kept. Of the threads that ask for one key one loads at a time, for all who came before
 *	                      it began. After 5 such lookups in a row the client does not ask at all for a second, then
 *	                      with one call only, until one is answered: its circuit breaker.
 *
 * Never an answer that was forgotten (lk_auth_forget) before this was called: an answer that is loaded while that happens
 * goes to those only who had asked before.
 *
 * LK_E_TIMED_OUT: timeout_ms have passed. The errors of the loader are its own. LK_E_MISUSE within a callback. */
LK_API LK_MUST_CHECK enum lk_err lk_auth_get_or_load(lk_client *client, const struct lk_auth_get_request *request,
						     lk_auth_loader loader, void *arg, lk_auth_answer **ret_answer,
						     struct lk_error *error);

/* ---- One step at a time ---- */

struct lk_auth_lookup_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms; /* Default: the client's, and load_wait_ms on top */
	const char *traceparent;
	struct lk_bytes subject; /* this and what follows as above */
	struct lk_bytes key;
	const struct lk_bytes *groups;
	size_t group_count;
	uint32_t load_wait_ms; /* to wait for whoever loads, less than timeout_ms. Default: not at all */
	uint32_t lease_ms;     /* Default: the realm's */
	bool no_lease;	       /* only look */
};
#define LK_AUTH_LOOKUP_REQUEST_INIT LK_INIT_(struct lk_auth_lookup_request)

LK_API LK_MUST_CHECK enum lk_err lk_auth_lookup(lk_client *client, const struct lk_auth_lookup_request *request,
						lk_auth_answer **ret_answer, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_auth_lookup_async(lk_call *call, const struct lk_auth_lookup_request *request);

struct lk_auth_fill_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes subject; /* as at the lookup */
	struct lk_bytes key;
	struct lk_bytes lease;	/* lk_auth_answer_lease; required */
	struct lk_bytes answer; /* 0 to 32,768 bytes; data NULL is an empty answer too */
	bool negative;		/* there is none */
	uint32_t ttl_ms;	/* fresh for so long; at most the realm's time, which is the default */
	uint32_t load_ms;	/* how long loading took: decides how early it is refreshed. Default: since the lease */
};
#define LK_AUTH_FILL_REQUEST_INIT LK_INIT_(struct lk_auth_fill_request)

/* ret_stored: false where the key was forgotten, or the lease ended and another loads, since loading began. Then the
 * answer may be used for the request that caused it, and not be kept. ret_expires_at_ms may be NULL. */
LK_API LK_MUST_CHECK enum lk_err lk_auth_fill(lk_client *client, const struct lk_auth_fill_request *request,
					      bool *ret_stored, uint64_t *ret_expires_at_ms, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_auth_fill_async(lk_call *call, const struct lk_auth_fill_request *request);

/* One of: a key of a subject, all of a subject, or a group. */
struct lk_auth_forget_request {
	size_t struct_size;
	const char *realm;
	uint32_t timeout_ms;
	const char *traceparent;
	struct lk_bytes idempotency_key;
	struct lk_bytes subject;
	struct lk_bytes key;
	struct lk_bytes group;
	uint32_t wait_replicas; /* as for lk_session_create */
	uint32_t wait_ms;
};
#define LK_AUTH_FORGET_REQUEST_INIT LK_INIT_(struct lk_auth_forget_request)

/* What is forgotten is never served again. ret_forgotten, which may be NULL: of a key, whether there was an answer; of a
 * subject or a group, true. */
LK_API LK_MUST_CHECK enum lk_err lk_auth_forget(lk_client *client, const struct lk_auth_forget_request *request,
						bool *ret_forgotten, struct lk_error *error);
LK_API LK_MUST_CHECK enum lk_err lk_auth_forget_async(lk_call *call, const struct lk_auth_forget_request *request);

/* ---- Results of calls in the background ---- */

LK_API bool lk_call_stored(const lk_call *call);	    /* fill, */
LK_API uint64_t lk_call_expires_at_ms(const lk_call *call); /* and this */
LK_API bool lk_call_forgotten(const lk_call *call);	    /* forget */
/* As lk_call_take_session. */
LK_API lk_auth_answer *lk_call_take_auth_answer(lk_call *call); /* lookup */

#ifdef __cplusplus
}
#endif

#endif
