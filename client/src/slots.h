#ifndef LK_CLIENT_SLOTS_H
#define LK_CLIENT_SLOTS_H

/* Request ids. A call in flight has a slot; each time that it is sent it gets a new id: WIRE_ID_BIT, 15 bits of
 * generation, 16 bits of slot. A late reply, to an attempt given up or to a call that is over, then finds no call.
 * Taking one call's answer for another's would show somebody a stranger's session, so ids come back as late as can be:
 * slots are used in turn, SLOTS_IN_TURN of them even if one call at a time is made, which gives 2^25 ids (of 1,024
 * slots); and an id only counts on the connection that it was sent on. No lock of its own: the client's. */

#include "latchkey/latchkey.h"

#define SLOTS_IN_TURN 1024

struct slot {
	lk_call *call; /* NULL: free */
	uint64_t due_ms;
	uint32_t next_free;
	uint16_t generation;
};

struct slots {
	struct slot *rows;
	uint32_t count;
	uint32_t taken;
	uint32_t used_end; /* no slot at or beyond it was ever taken */
	uint32_t free_first;
	uint32_t free_last;
};

/* False when memory is out. count: 1..LK_IN_FLIGHT_MAX. */
bool slots_init(struct slots *slots, uint32_t count) __attribute__((warn_unused_result));
void slots_clear(struct slots *slots);

/* False when all are taken. */
bool slots_take(struct slots *slots, lk_call *call, uint32_t *ret_slot) __attribute__((warn_unused_result));
void slots_release(struct slots *slots, uint32_t slot);

/* A new id for the call in the slot; ids given before find nothing any more. */
uint32_t slots_renew(struct slots *slots, uint32_t slot);
/* NULL: an id that is not, or no longer, anybody's. Any number may be asked. */
lk_call *slots_find(const struct slots *slots, uint32_t id);

#endif
