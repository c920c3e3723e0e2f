#ifndef LK_FAULT_LINEAGE_H
#define LK_FAULT_LINEAGE_H

#include "fault/history.h"

/* The tokens of one session, each made by a rotation of one before it, and what of each is known. A token stands for its
 * successor until its grace is over; from then on its use ends the session. When exactly the grace began only the service
 * knows: after the rotation was asked for first, and before it was acknowledged. */

struct lineage_token {
	uint64_t asked_us;   /* when its rotation was asked for first; 0: never */
	uint64_t rotated_us; /* when that was acknowledged, or seen; 0: it was not */
	uint16_t successor;  /* then */
	bool is_known;	     /* somebody was given it */
};

struct lineage {
	struct lineage_token tokens[HISTORY_TOKENS_MAX];
};

/* A rotation was asked for, whatever the answer. */
void lineage_ask(struct lineage *l, const struct history_entry *e);

/* The answer names the token that stands for the one used (none: HISTORY_NO_TOKEN). False: that contradicts what is
 * known: the session has forked, or a rotation was undone. */
bool lineage_learn(struct lineage *l, const struct history_entry *e);

/* May the use of the token have ended the session? */
bool lineage_may_end(const struct lineage *l, const struct history_entry *e, uint64_t grace_us);

/* Must the token be good for nothing? */
bool lineage_must_end(const struct lineage *l, const struct history_entry *e, uint64_t grace_us);

#endif
