#ifndef LK_CLIENT_HOLD_H
#define LK_CLIENT_HOLD_H

/* The locks that a client keeps extending. */

#include <pthread.h>

struct lk_lock;

struct holds {
	pthread_mutex_t lock; /* of the list and of what changes in the locks. No other is taken under it */
	pthread_cond_t changed;
	struct lk_lock *first;
};

void holds_init(struct holds *holds);
/* The list is empty: each lock has a reference to its client. */
void holds_clear(struct holds *holds);

/* Each tick of the client: extensions that are due, and locks that are over. */
void holds_tick(struct holds *holds);

#endif
