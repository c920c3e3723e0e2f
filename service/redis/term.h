#ifndef LK_REDIS_TERM_H
#define LK_REDIS_TERM_H

#include <stdbool.h>

/* A node's terms as a primary, as they look from here.
 *
 * IDLE     Known, and owns no slot.
 * JOINING  Owns slots. Its role is being verified, and what was acknowledged lately is carried out again on it; commands
 *          wait. Each time this is entered a new term begins (node.tenure).
 * SERVING  Commands are sent.
 * SUSPECT  It served and cannot now: commands wait for it or its successor, within their deadlines.
 * DOWN     That has lasted for too long, or it never served: commands are refused at once.
 * LEAVING  Its slots were taken from it. Nothing is sent; what it PUBLISHes is still listened to: others may not have
 *          heard yet.
 *
 * from                            to        when
 * IDLE, LEAVING                   JOINING   it owns slots
 * JOINING, SERVING, SUSPECT, DOWN LEAVING   it owns none any more
 * LEAVING                         IDLE      it is forgotten
 * JOINING                         SERVING   it is well, and has joined
 * JOINING                         DOWN      it is not well, for too long
 * SERVING                         SUSPECT   it is not well
 * SUSPECT                         DOWN      for too long
 * SUSPECT, DOWN                   SERVING   it is well again, and it is the same run
 * SERVING, SUSPECT, DOWN          JOINING   it is another run, or has yet to join */
enum term { TERM_IDLE, TERM_JOINING, TERM_SERVING, TERM_SUSPECT, TERM_DOWN, TERM_LEAVING, TERMS };

struct term_facts {
	bool owns;	     /* slots */
	bool is_well;	     /* connected, a primary as far as it says, breaker closed, confirmed, not CLUSTERDOWN */
	bool is_another_run; /* than the one that served: what that had acknowledged may be gone */
	bool is_joined;	     /* role verified, journal carried out */
	bool is_overdue;     /* not serving for longer than anybody waits for it */
	bool is_forgotten;   /* it left long enough ago */
};

/* The one place that says what follows what. */
enum term term_next(enum term from, const struct term_facts *facts);

/* "idle", "joining", ... */
const char *term_name(enum term term);

#endif
