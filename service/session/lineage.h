#ifndef LK_SESSION_LINEAGE_H
#define LK_SESSION_LINEAGE_H

/* Tokens whose session was rotated. In its grace such a token stands for the successor, and calls go on there; shown later
 * it ends all that came of it. */

#include "session/forward.h"
#include "session/state.h"

/* Forwards from a token that is in its grace to the session that lives, one round trip each: a rotation every ten seconds
 * in the longest grace. */
#define FORWARD_HOPS_MAX 32
/* Forwards that a script follows by their names, 2 us each measured: 2 ms in all, and 5 ms when all of them are buried on
 * a primary that takes over. At one rotation in ten minutes they reach back for a week. */
#define LINEAGE_HOPS_MAX 1000

enum follow {
	FOLLOW_ON,   /* the state is the successor's: decided, or its command is to be planned */
	FOLLOW_LATE, /* the grace is over, nothing was changed: lineage_plan_end */
};

/* This forward was found in the place of the state's session. The grace is that of the token shown: what it stands for
 * may have been rotated since, in a grace of its own. is_granted: it is followed even after it.
 * FAILED_PRECONDITION: FORWARD_HOPS_MAX. */
enum status_code lineage_follow(const struct plan_env *env, span value, bool is_granted, struct session_state *s,
				enum follow *ret, struct status *st) MUST_CHECK;

/* Whether the session has been stepped up since the token shown was replaced. Whoever still has that token has not shown
 * what the step-up asked for, and is not given the successor. */
bool lineage_is_stepped_up(const struct session_state *s, const struct session_authentication *a);
/* What a session's authentication is worth for the token shown: no more than it was before the rotation. */
void lineage_limit(const struct session_state *s, uint64_t created_ms, struct session_authentication *a);

/* Plans session_reuse. memory: the key that would remember a rotation by this very token; SPAN_EMPTY: none. */
enum status_code lineage_plan_end(const struct plan_env *env, struct session_state *s, span memory, struct plan *plan,
				  struct status *st) MUST_CHECK;
/* Of all replies but `replay`. */
enum status_code lineage_answer_end(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct session_outcome *ret, struct status *st) MUST_CHECK;

#endif
