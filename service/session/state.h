#ifndef LK_SESSION_STATE_H
#define LK_SESSION_STATE_H

/* What the calls of this folder share: what an answer remembers of its plan, how commands are put together and how
 * replies are judged. */

#include "plan/command.h"
#include "plan/reply.h"
#include "session/handle.h"
#include "session/record.h"
#include "session/token.h"

struct create_state {
	const struct session_create_request *req;
	const struct session_class *class;
	uint8_t token[TOKEN_BYTES];
	uint64_t created_ms;
	span idempotency_key_name; /* of the key in Redis that remembers the answer */
	uint8_t fingerprint[16];
	span record;
	/* An answer remembered, while the session of that time is read; else NULL. */
	const struct session_create_result *replayed;
};

struct get_state {
	const struct session_get_request *req;
	bool is_peek;  /* asked for, or all that Redis does now */
	bool is_touch; /* some class of the realm has a touch interval */
	bool has_slid; /* as far as is known, once it is answered */
};

struct update_state {
	const struct session_update_request *req;
	span change;	/* its text */
	span delta;	/* the same, sealed */
	span rewritten; /* the record with it, when it had to be written anew */
	span idempotency_key_name;
	uint8_t fingerprint[16];
	bool is_wide;	   /* up to what readers can take may be appended, and under whatever key */
	bool is_resealing; /* `rewritten` brings the record under the first key */
	unsigned steps;
};

struct revoke_state {
	bool by_token;
	enum session_reason reason;
	uint8_t tombstone[TOMBSTONE_BYTES];
	uint64_t tombstone_ms;
};

struct revoke_realm_state {
	span name; /* of the revocation: tells its own earlier run from another */
};

/* The steps of a rotation: see rotate.c. */
enum rotate_step { ROTATE_READ, ROTATE_STORE, ROTATE_REMEMBER, ROTATE_END };

struct rotate_state {
	const struct session_rotate_request *req;
	enum rotate_step step;
	bool is_remembered;  /* the idempotency key's memory is written */
	unsigned tries;	     /* of storing the successor */
	size_t bytes_before; /* of the arena, taken when the call began */
	span idempotency_key_name;
	uint8_t fingerprint[16];
	/* What ROTATE_STORE stores. */
	struct token successor;
	span record;
	span forward;
	const struct session_info *info;
};

/* Of a token that was rotated: see lineage.h. */
struct lineage_state {
	unsigned hops;	/* forwards followed */
	span successor; /* the token that the state is about now, as text; empty: no hop */
	/* What the token shown is worth at most; NULL: no hop. */
	struct session_authentication *authentication;
	uint8_t tombstone[TOMBSTONE_BYTES];
	uint64_t tombstone_ms;
};

struct list_state {
	const struct session_list_request *req;
};

struct verify_state {
	span names; /* of the sessions that must have an entry, one behind the other */
	span cursor_score;
	span cursor_name;
	struct session_verify_result sum;
};

struct revoke_user_state {
	enum session_reason reason;
	uint8_t tombstone[TOMBSTONE_BYTES];
	uint64_t tombstone_ms;
	span scope; /* class tag and name spared, or neither */
	bool has_except;
	struct handle except;
	struct token except_token;
	bool is_sure; /* what is to be spared is where it was looked for, or not at all */
	bool has_class;
	uint16_t class_tag;
	span cursor_score;
	span cursor_name;
	uint32_t revoked;
};

struct anonymous;

struct session_state {
	/* verdict 0: the store is to be asked. */
	struct session_outcome decided;
	struct token token;
	struct handle handle;
	span key;	    /* of the session */
	uint64_t now_ms;    /* when the command was planned */
	uint64_t record_ms; /* the time to live that the command gives */
	/* The call is about an anonymous session: decided, and of all the others only now_ms is filled in. Else NULL. */
	const struct anonymous *anonymous;
	struct lineage_state lineage;
	union {
		struct create_state create;
		struct get_state get;
		struct update_state update;
		struct rotate_state rotate;
		struct revoke_state revoke;
		struct list_state list;
		struct verify_state verify;
		struct revoke_user_state revoke_user;
		struct revoke_realm_state revoke_realm;
	};
};

/* A zeroed state, NULL when the arena is full. */
struct session_state *state_new(const struct plan_env *env);

/* A state for a call about one token: either decided (the token itself says INVALID, or its realm was revoked since) or
 * with token, handle, key and times filled in. FAILED_PRECONDITION: the token is an anonymous one. */
enum status_code state_of_token(const struct plan_env *env, span text, struct session_state **ret,
				struct status *st) MUST_CHECK;

/* Makes the state one about this token, which is good. False: the arena is full. */
bool state_become(const struct plan_env *env, const struct token *t, struct session_state *s) MUST_CHECK;

struct record_place place_of(const struct plan_env *env, const struct session_state *s);

/* ---- Judgement. ---- */

struct session_outcome outcome_valid(void);
struct session_outcome outcome_invalid(enum session_reason reason);
/* No record was found. */
struct session_outcome outcome_gone(const struct plan_env *env, const struct session_state *s);
/* That a session of this age is missing may mean that it is not there yet. */
bool is_missing_unproven(const struct plan_env *env, const struct token *t);
/* UNAVAILABLE: the realm's not-before, believed by a clock that has been set back since, is further ahead than any is; a
 * session created at it would live that much longer than its policy says. */
enum status_code check_realm_not_ahead(const struct plan_env *env, struct status *st) MUST_CHECK;
/* When a session that begins now is created: not before its realm's not-before, by whose clock that may be. */
uint64_t creation_ms(const struct plan_env *env);
/* Whether its realm was revoked since it was created. */
bool outcome_realm_revoked(const struct plan_env *env, uint64_t created_s, struct session_outcome *ret);
/* Whether the state's session has ended by what this instance knows: with its realm, or a moment ago. */
bool outcome_ended(const struct plan_env *env, const struct session_state *s, struct session_outcome *ret);
/* UNAVAILABLE: whether the realm was revoked is not known, so VALID must not be said. */
enum status_code check_realm_known(const struct plan_env *env, struct status *st) MUST_CHECK;
/* Whether this instance has made or heard of its rotation in the last moments. */
bool is_rotated_lately(const struct plan_env *env, const struct handle *h);
/* What was found in the session's place, or that nothing was, is from before it was rotated: the forward is yet to be
 * brought back, and with it an end perhaps. Not to be asked of a forward or a tombstone. */
bool is_forward_missing(const struct plan_env *env, const struct handle *h);
/* Whether it was revoked a moment ago. */
bool outcome_recent(const struct plan_env *env, const struct handle *h, struct session_outcome *ret);
/* A part did not open. NO_MEMORY is not for here. */
struct session_outcome outcome_closed(enum record_result result);
/* What a value says: VALID, with the record taken apart; INVALID by a tombstone; or UNKNOWN. */
struct session_outcome outcome_of_value(span value, struct record *ret_record);

/* Seals the content as a record of this header, whose bounds are set here. RESOURCE_EXHAUSTED: too large. */
enum status_code write_record(const struct plan_env *env, const struct record_place *place,
			      struct record_header *header, const struct record_content *content, span *ret,
			      struct status *st) MUST_CHECK;

struct info_times {
	uint64_t last_seen_ms;
	uint64_t idle_expires_ms;
	uint64_t expires_ms;
};

void info_fill(const struct plan_env *env, const struct handle *h, const struct record_header *header,
	       const struct metadata *metadata, const struct info_times *times, struct session_info *ret);
/* When it was used last: what is left of its time to live tells, once it was given min(idle timeout, rest). */
uint64_t last_seen_ms(const struct record_header *header, uint64_t now_ms, uint64_t left_ms);

#endif
