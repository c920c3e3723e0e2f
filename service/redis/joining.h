#ifndef LK_REDIS_JOINING_H
#define LK_REDIS_JOINING_H

#include "redis/node.h"

/* What a node that takes over, or comes back as another run, goes through before commands are sent to it: what was
 * acknowledged lately in its slots is carried out again. */

/* Notes a replay as due if it is time for one. With the topology's lock held. */
void joining_consider_locked(struct node *n);

/* Takes the replay that was due upon oneself, with the lock held; then carries it out, without. */
void joining_begin_locked(struct node *n);
void joining_replay(struct node *n);

#endif
