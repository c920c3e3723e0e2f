#ifndef LK_REDIS_VERDICT_H
#define LK_REDIS_VERDICT_H

#include "redis/address.h"
#include "store/store.h"

/* What an error reply of Redis means for the command that got it. Nothing was carried out in any of these cases, but for
 * one of WAIT: a script in a slot that is being moved may stop half-way, at a key of the same hash tag which it did not
 * declare and which has moved already. So a script that reaches for such keys must bear a second run. */
enum verdict_action {
	VERDICT_FINAL, /* the caller's to know */
	VERDICT_MOVED, /* another node has the slot, for good: send it there, and read the map anew */
	VERDICT_ASK,   /* another node has the key already, the slot is on its way: send it there once, behind ASKING */
	VERDICT_WAIT,  /* it will pass by itself: the same again after a pause */
	VERDICT_REFRESH, /* the same, and the topology may have changed: ask for it */
};

struct verdict {
	enum verdict_action action;
	uint16_t slot;		/* MOVED, ASK */
	struct address address; /* the same; host empty: that of the node that answered */
};

/* A MOVED or ASK that cannot be read is FINAL; one whose host is unknown to the node itself ("?") is REFRESH. */
struct verdict verdict_of(const struct store_reply *error);

#endif
