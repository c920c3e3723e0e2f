#ifndef LK_SESSION_REDO_H
#define LK_SESSION_REDO_H

/* The commands that bring about again what an answer acknowledges. Each becomes the first of the plan's redos. False: the
 * arena is full. */

#include "session/announce.h"
#include "session/state.h"

enum redo_scope {
	REDO_SESSION, /* that the session is there was acknowledged */
	REDO_RECORD,  /* and that its record holds all that this one does */
};

/* The session is there, with this record or what came of it. */
bool redo_restore(const struct plan_env *env, const struct session_state *s, span record, enum redo_scope scope,
		  struct plan *plan) MUST_CHECK;

struct redo_change {
	span delta;
	uint64_t version; /* that it made */
	size_t attributes_added;
	size_t text_added;
	span rewritten; /* the record, if it had to be written anew; else empty */
};

/* The change is in the session's record. */
bool redo_reapply(const struct plan_env *env, const struct session_state *s, const struct redo_change *change,
		  struct plan *plan) MUST_CHECK;

/* The session was rotated, and this is what stands in the record's place. s is that of the token rotated. */
bool redo_forward(const struct plan_env *env, const struct session_state *s, span forward,
		  struct plan *plan) MUST_CHECK;

struct redo_end {
	span names; /* one behind the other; copied */
	span tombstone;
	uint64_t tombstone_ms;
	bool is_scoped; /* it was a logout everywhere: of a class, or all; but for one, or none */
	span scope;
};

/* The sessions of s's user that have these names are dead. */
bool redo_bury(const struct plan_env *env, const struct session_state *s, const struct redo_end *end,
	       struct plan *plan) MUST_CHECK;

/* The longest that an end may be pending. Redis is not written to meanwhile, so records that nobody uses expire: after a
 * day that is all but those of long idle timeouts. What is announced for longer is nobody's. */
#define PENDING_S_MAX 86400

/* The announcement of an end that Redis cannot write now. SPAN_EMPTY when the arena is full. */
span pending_write(const struct plan_env *env, const struct session_state *s, const struct redo_end *end);

/* This instance remembers it: all names. lives_ms as for recent_put. */
void remember_end(const struct plan_env *env, const struct session_state *s, const struct redo_end *end,
		  uint64_t lives_ms);

/* And that the state's session was rotated, as those hear of it who hear announcement_rotated. */
void remember_rotated(const struct plan_env *env, const struct session_state *s);

#endif
