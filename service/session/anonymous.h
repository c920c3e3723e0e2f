#ifndef LK_SESSION_ANONYMOUS_H
#define LK_SESSION_ANONYMOUS_H

/* Sessions of nobody in particular, such as a cart before the login: all of one is inside its token, and nothing is
 * stored. "lka1_" and in base64url, big-endian:
 *
 *      0  version u8 = 1 | 1 key id u16 | 3 created_s u40 | 8 lifetime_s u32 | 12 class tag u16
 *     14  sealed: the attributes' text (session/attributes.h), packed (session/packing.h)
 *
 * The seal is bound to the realm's name and to all before it. What is inside a token cannot be revoked singly, nor does
 * it slide: it ends at its deadline, with its realm, or with the key that sealed it. */

#include "session/session.h"
#include "session/state.h"

struct anonymous {
	uint64_t created_s;
	uint32_t lifetime_s;
	uint16_t class_tag;
	size_t attribute_count;
	const struct session_attribute *attributes;
	span token; /* that holds it */
};

/* Whether a token looks like one. */
bool anonymous_is(span token);
/* RESOURCE_EXHAUSTED: the token would be too large. Fills in a->token. */
enum status_code anonymous_write(const struct plan_env *env, struct anonymous *a, struct status *st) MUST_CHECK;
/* VALID, or INVALID: MALFORMED, RETIRED_KEY, FORGED, ABSOLUTE_TIMEOUT, REALM_REVOKED; UNKNOWN when it opens, and this
 * version cannot read it. *ret is written with VALID only. */
enum status_code anonymous_read(const struct plan_env *env, span token, struct anonymous *ret,
				struct session_outcome *ret_outcome, struct status *st) MUST_CHECK;

/* For a call about what is stored: FAILED_PRECONDITION if the token is a living one, else why it is none. */
enum status_code anonymous_refuse(const struct plan_env *env, span token, struct session_outcome *ret_outcome,
				  struct status *st) MUST_CHECK;

/* ---- The calls. None has a command. ---- */

/* class: the one asked for. INVALID_ARGUMENT. */
enum status_code anonymous_create_plan(const struct plan_env *env, const struct session_create_request *req,
				       const struct session_class *class, struct plan *ret_plan,
				       struct status *st) MUST_CHECK;
void anonymous_create_answer(const struct plan_env *env, const struct session_state *s,
			     struct session_create_result *ret);

/* Of a Get or Update: the state is decided. */
enum status_code anonymous_plan(const struct plan_env *env, span token, struct plan *ret_plan,
				struct status *st) MUST_CHECK;
enum status_code anonymous_get(const struct plan_env *env, const struct session_get_request *req,
			       const struct session_state *s, struct session_get_result *ret,
			       struct status *st) MUST_CHECK;
enum status_code anonymous_update(const struct plan_env *env, const struct session_update_request *req,
				  const struct session_state *s, struct session_update_result *ret,
				  struct status *st) MUST_CHECK;

/* The request of a session that takes over what is in req->promoted: its own attributes win. INVALID_ARGUMENT: the token
 * is dead, or both together are too much. */
enum status_code anonymous_promote(const struct plan_env *env, const struct session_create_request *req,
				   const struct session_create_request **ret, struct status *st) MUST_CHECK;

#endif
