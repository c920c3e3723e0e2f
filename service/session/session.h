#ifndef LK_SESSION_SESSION_H
#define LK_SESSION_SESSION_H

/* The life of a session, as plans and answers: see plan/plan.h. */

#include "plan/plan.h"
#include "plan/subject.h"
#include "session/not_before.h"
#include "session/recent.h"

#define TOKEN_CHARS 105 /* "lks1_" and 75 bytes in base64url */
/* "lka1_" and the sealed attributes in base64url: with the largest it still fits a cookie, which browsers cut at 4096. */
#define ANONYMOUS_TOKEN_CHARS_MAX      3072
#define ANONYMOUS_ATTRIBUTES_BYTES_MAX 2048 /* keys and values, and two to four bytes for the lengths of both */
#define HANDLE_CHARS		       28   /* TAG (11 base64url) "." NAME (16 base64url) */
#define ATTRIBUTES_MAX		       64   /* in a request */
#define ATTRIBUTES_STORED_MAX	       256
#define ATTRIBUTE_KEY_BYTES_MAX	       64
#define ATTRIBUTE_VALUE_BYTES_MAX      16384
/* A session's attributes as stored, two to four bytes and key and value each, uncompressed: an answer with all of them, and
 * several such answers, fit a reply frame whatever zstd makes of the record. */
#define ATTRIBUTES_TEXT_BYTES_MAX 32768
#define RECORD_BYTES_MAX	  32768
#define LIST_PAGE_MAX		  500
#define LIST_PAGE_DEFAULT	  100
#define VERIFY_TOKENS_MAX	  64
/* The clocks of two instances may differ by so much: half a second and a token's rounding to the second. */
#define YOUNG_SLACK_MS 1500

/* Numbers as in proto/latchkey/v1/sessions.proto; a unit test holds the two together. */
enum session_verdict { VERDICT_VALID = 1, VERDICT_INVALID = 2, VERDICT_UNKNOWN = 3 };

#define SESSION_REASON_MAP(X)                                                                                          \
	X(NONE, 0)                                                                                                     \
	X(MALFORMED, 1)                                                                                                \
	X(FORGED, 2)                                                                                                   \
	X(RETIRED_KEY, 3)                                                                                              \
	X(ABSOLUTE_TIMEOUT, 4)                                                                                         \
	X(IDLE_TIMEOUT, 5)                                                                                             \
	X(NOT_FOUND_IN_STORE, 6)                                                                                       \
	X(LOGOUT, 7)                                                                                                   \
	X(LOGOUT_EVERYWHERE, 8)                                                                                        \
	X(ADMIN, 9)                                                                                                    \
	X(EVICTED, 10)                                                                                                 \
	X(ROTATED, 11)                                                                                                 \
	X(REUSE_DETECTED, 12)                                                                                          \
	X(REALM_REVOKED, 13)                                                                                           \
	X(CREDENTIAL_CHANGE, 14)                                                                                       \
	X(UNREADABLE, 15)                                                                                              \
	X(NEWER_FORMAT, 16)                                                                                            \
	X(ASSURANCE_TOO_LOW, 17)

enum session_reason {
#define X(name, number) REASON_##name = number,
	SESSION_REASON_MAP(X)
#undef X
};

struct session_attribute {
	span key;
	span value;
};

struct session_device {
	span user_agent; /* at most 512 bytes */
	span ip;	 /* at most 45 */
	span label;	 /* at most 64 */
};

#define AMR_MAX	      8
#define AMR_BYTES_MAX 16

struct session_authentication {
	uint64_t at_ms; /* 0: at creation */
	uint32_t aal;	/* 0..3 */
	size_t amr_count;
	span amr[AMR_MAX];
};

struct session_info {
	char handle[HANDLE_CHARS];
	span user;
	span class_name;
	uint64_t created_at_ms;
	uint64_t last_seen_at_ms;
	uint64_t idle_expires_at_ms;
	uint64_t expires_at_ms;
	uint64_t version;
	uint64_t privileged_until_ms; /* 0: never was, or the policy knows no privilege */
	bool is_anonymous;	      /* then there is no handle, user, version, device or authentication */
	struct session_device device;
	struct session_authentication authentication;
};

struct event_log; /* session/event_log.h */

/* Who wants to know what is announced on STORE_CHANNEL. NULL: nobody. */
struct session_ears {
	recent *recent;
	not_before *not_before;
	const struct realms *realms; /* that it knows of */
	struct event_log *events;
	uint64_t source; /* the connection that it came by, of several that may bring the same */
	uint64_t now_ms; /* wall clock */
};

/* Takes an announcement, of this instance or another; what is none is ignored, and what cannot be true. */
void session_hear(const struct session_ears *ears, span message, uint64_t mono_ms);

/* What is known of a session that was asked about. */
struct session_outcome {
	enum session_verdict verdict;
	enum session_reason reason;
	uint64_t revoked_at_ms; /* 0: not known */
};

/* ---- Create: mints a token, stores the record, enters it in the index, makes room at the cap, in one script. When the
 * idempotency key has an answer already, PLAN_AGAIN reads the session that was created then: if it is there still, it
 * can be kept like a new one. ---- */

struct session_create_request {
	span user;
	span class_name; /* empty: the realm's first class */
	size_t attribute_count;
	const struct session_attribute *attributes;
	uint32_t idle_timeout_s;     /* 0: the policy's */
	uint32_t absolute_timeout_s; /* 0: the policy's */
	struct session_device device;
	struct session_authentication authentication;
	bool is_anonymous; /* no user, device or authentication then; nothing goes to the store */
	span promoted;	   /* an anonymous token whose attributes are taken over; those given win. Empty: none */
};

struct session_create_result {
	span token;
	struct session_info info;
	size_t evicted_count;
	char (*evicted)[HANDLE_CHARS];
};

/* INVALID_ARGUMENT, NOT_FOUND (class); answer: RESOURCE_EXHAUSTED (cap, when the policy refuses), ALREADY_EXISTS
 * (idempotency key used for another request), DATA_LOSS, UNAVAILABLE (the session created then may have been lost). */
enum status_code session_create_plan(const struct plan_env *env, const struct session_create_request *req,
				     struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_create_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct session_create_result *ret,
				       struct status *st) MUST_CHECK;

/* ---- Get: GETEX key PX min(idle, deadline - now). With peek: session_peek (value and time left, no sliding); with a
 * touch interval: session_touch. PLAN_AGAIN: the token was rotated, and its successor is read, or its lineage ended. ---- */

struct session_get_request {
	span token;
	bool peek;
	uint32_t staleness_ms; /* with peek: a replica that is less behind may answer */
	uint32_t minimum_aal;
	uint32_t authenticated_within_s; /* 0: no demand */
	size_t amr_count;		 /* one of these methods is demanded; 0: no demand */
	const span *amr;
	bool is_privileged; /* is demanded */
};

struct session_get_result {
	struct session_outcome outcome;
	struct session_info info; /* VALID. Otherwise the handle only, and that only if a record was there */
	span successor; /* VALID: the token was rotated, within its grace; this is the one to hand on. Else empty */
	size_t attribute_count;
	const struct session_attribute *attributes; /* sorted by key */
};

/* No command is planned for a token that is malformed, forged, under a retired key or past its deadline, or whose
 * session or realm was revoked a moment ago: then has_command is false and the answer (reply NULL) has the reason. So it
 * is for an anonymous session. A session that is missing, young, and asked for when the store is unsettled is UNKNOWN,
 * with no reason. Answer: UNAVAILABLE where VALID is not to be said, because whether the realm was revoked has not been
 * known for NOT_BEFORE_TRUST_MS. */
enum status_code session_get_plan(const struct plan_env *env, const struct session_get_request *req,
				  struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_get_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    enum plan_next *ret_next, struct session_get_result *ret,
				    struct status *st) MUST_CHECK;
/* Redis takes no writes, and GETEX is one: plans to read without sliding instead. A second round trip, which keeps
 * people logged in while a disk is full. False: it was a peek already, or the arena is full. */
bool session_get_unslid(const struct plan_env *env, struct plan *plan) MUST_CHECK;

/* ---- Update: appends one sealed change to a living record, in one script. When the record has no room for another
 * change (DELTAS_MAX of them, or RECORD_BYTES_MAX), or was sealed under an earlier key than the first, the script answers
 * with the record instead, and a second command replaces it by the merged one: PLAN_AGAIN, once in DELTAS_MAX updates
 * and once in a rotation of keys, and again if another update came between.
 * ---- */

struct session_update_request {
	span token;
	size_t set_count;
	const struct session_attribute *set;
	size_t remove_count;
	const span *remove;
	bool has_expected_version;
	uint64_t expected_version;
};

struct session_update_result {
	struct session_outcome outcome;
	uint64_t version;
	uint64_t idle_expires_at_ms;
	span token; /* anonymous: the token that has the attributes now. Else empty */
};

/* Answer: ABORTED (ret is filled: the version stored), RESOURCE_EXHAUSTED (record too large), ALREADY_EXISTS. */
enum status_code session_update_plan(const struct plan_env *env, const struct session_update_request *req,
				     struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_update_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct session_update_result *ret,
				       struct status *st) MUST_CHECK;

/* ---- Rotate: a new id for the session, with the same deadline, class and attributes. The attributes are sealed under
 * the id, so the record is read first and sealed anew: two round trips. The second is one script: it stores the
 * successor, moves the index entry, and puts a forward (session/forward.h) in the old record's place.
 *
 * For grace_s the old token stands for the successor: Get, Update, Revoke and Rotate follow it, and all who rotate it get
 * the same successor. Shown later, it was kept by somebody who should not have it: the lineage ends, the session that
 * came of it included, with REUSE_DETECTED. Algorithm: refresh token rotation, RFC 9700 section 4.14.2. ---- */

struct session_rotate_request {
	span token;
	bool has_authentication; /* a step-up: replaces what the session says */
	struct session_authentication authentication;
	bool has_grace;
	uint32_t grace_s; /* at most the policy's */
};

struct session_rotate_result {
	struct session_outcome outcome;
	char token[TOKEN_CHARS]; /* VALID */
	struct session_info info;
};

enum status_code session_rotate_plan(const struct plan_env *env, const struct session_rotate_request *req,
				     struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_rotate_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct session_rotate_result *ret,
				       struct status *st) MUST_CHECK;

/* ---- Revoke: puts a tombstone in the record's place and takes it off the index. By token it leaves a tombstone even
 * where no record is (an earlier write may yet arrive by a failover); by handle only on a record of this realm. ---- */

struct session_revoke_request {
	span token; /* one of the two */
	span handle;
	enum session_reason reason; /* NONE: LOGOUT */
};

struct session_revoke_result {
	bool was_alive;
	enum session_reason reason; /* not NONE: the token names no session known here, and nothing was revoked */
	bool is_pending;	    /* see session_revoke_pend */
};

enum status_code session_revoke_plan(const struct plan_env *env, const struct session_revoke_request *req,
				     struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_revoke_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       struct session_revoke_result *ret, struct status *st) MUST_CHECK;

/* For when Redis takes no writes (MISCONF): the revocation counts from now on, because every instance hears of it and
 * remembers; plan.redos are to be kept pending (store_pend) and plan.announcement to be announced, then the caller is
 * answered. By token only, since a handle proves nothing: false, and so when nothing is remembered here. */
bool session_revoke_pend(const struct plan_env *env, struct plan *plan, struct session_revoke_result *ret) MUST_CHECK;

/* ---- RevokeUser: a tombstone for each session in the user's index. One script does up to REVOKE_CHUNK of them
 * (0.2 ms); with more, PLAN_AGAIN continues. Interrupted half-way, the caller has no answer, and a repetition
 * finishes. Where the session to be spared is missing, PLAN_AGAIN goes on without it; UNAVAILABLE, and nothing is
 * revoked, when it may yet be brought back. ---- */

struct session_revoke_user_request {
	span user; /* one of the two */
	span token;
	span except;		    /* empty: none. A token of the same user */
	span class_name;	    /* empty: all */
	enum session_reason reason; /* NONE: LOGOUT_EVERYWHERE */
};

struct session_revoke_user_result {
	uint32_t revoked; /* alive before; after a repetition perhaps fewer than were */
};

enum status_code session_revoke_user_plan(const struct plan_env *env, const struct session_revoke_user_request *req,
					  struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_revoke_user_answer(const struct plan_env *env, struct plan *plan,
					    const struct store_reply *reply, enum plan_next *ret_next,
					    struct session_revoke_user_result *ret, struct status *st) MUST_CHECK;

/* ---- RevokeRealm: sessions created before a moment, in whole seconds, end: one write. Instances hear of it by the
 * announcement, and ask once a second (session/not_before.h). ---- */

struct session_revoke_realm_request {
	uint64_t not_before_ms; /* 0: all end that there are. Rounded up to a whole second; at most a minute ahead */
};

struct session_revoke_realm_result {
	uint64_t not_before_ms; /* in force */
};

enum status_code session_revoke_realm_plan(const struct plan_env *env, const struct session_revoke_realm_request *req,
					   struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_revoke_realm_answer(const struct plan_env *env, struct plan *plan,
					     const struct store_reply *reply, struct session_revoke_realm_result *ret,
					     struct status *st) MUST_CHECK;

/* ---- Verify: holds the user's index against their sessions, a chunk in each script, and repairs the index. ---- */

struct session_verify_request {
	span user;
	size_t token_count; /* of sessions that must have an entry: it is added where it is missing */
	const span *tokens;
};

struct session_verify_result {
	uint32_t sessions; /* alive */
	uint32_t dangling;
	uint32_t wrong_score;
	uint32_t missing;
};

enum status_code session_verify_plan(const struct plan_env *env, const struct session_verify_request *req,
				     struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_verify_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct session_verify_result *ret,
				       struct status *st) MUST_CHECK;

/* ---- List: a page of the user's living sessions; entries of dead ones leave the index in the same script. ---- */

struct session_list_request {
	span user;
	uint32_t page_size; /* 0: LIST_PAGE_DEFAULT */
	span page_token;    /* empty: the first page */
};

struct session_list_result {
	size_t count;
	const struct session_info *sessions;
	span next_page_token;
};

enum status_code session_list_plan(const struct plan_env *env, const struct session_list_request *req,
				   struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code session_list_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				     struct session_list_result *ret, struct status *st) MUST_CHECK;

#endif
