#ifndef LK_REDIS_WAITING_H
#define LK_REDIS_WAITING_H

#include <pthread.h>

#include "redis/node.h"

/* Commands that wait: for a node that takes over, for a slot to have moved, for a moment. In the order of their coming,
 * linked through store_op.next. Thread-safe; nothing is called with its lock held but `may_go`, which only looks. */

/* What a frozen node may hold back: a quarter of all, so that it does not use up what others need. */
#define WAITING_OF_NODE_MAX 2048U
#define WAITING_MAX	    8192U
/* Of arguments; a thousand of the longest commands. */
#define WAITING_BYTES_MAX ((size_t)32 * 1024 * 1024)

struct waiting {
	pthread_mutex_t lock;
	struct store_op *first;
	struct store_op *last;
	size_t bytes;
	uint32_t
	    ownerless; /* that wait for no node: nobody has their slot, or their time has not come. Bounded like a node's */
	bool is_closed;
	atomic_uint count;
};

void waiting_init(struct waiting *w);

/* op is not to go before due_ms. n: the node that it waits for, or NULL. False: there is no room. */
bool waiting_add(struct waiting *w, struct store_op *op, struct node *n, uint64_t due_ms) MUST_CHECK;

/* Takes off all that may go; linked, in order. */
struct store_op *waiting_take(struct waiting *w, bool (*may_go)(void *owner, const struct store_op *op), void *owner);

/* Takes off all that is there; from now on nothing is added. */
struct store_op *waiting_close(struct waiting *w);

void waiting_destroy(struct waiting *w);

#endif
