#ifndef LK_RPC_SLEEPERS_H
#define LK_RPC_SLEEPERS_H

/* Tasks whose command is to be carried out again after a pause, or as soon as there is news. */

#include "auth/news.h"

struct exchange;

typedef struct sleepers sleepers;

/* Beyond so many nobody waits: each is looked at every few milliseconds, at 30 ns, and asks the store every 250 ms. */
#define SLEEPERS_MAX 8192

/* Part of a task, and of the list: from sleepers_add until it is woken nobody else touches it. */
struct sleeper {
	struct sleeper *next;
	struct exchange *exchange;
	uint64_t due_ms; /* monotonic */
	uint32_t place;	 /* of news, */
	uint32_t seen;	 /* of which so many were there before it asked */
};

/* NULL when memory is out. */
sleepers *sleepers_new(void) MUST_CHECK;
/* Nulls *s; accepts NULL in it. It must be empty. */
void sleepers_free(sleepers **s);

bool sleepers_is_full(const sleepers *s);
/* Takes a reference of the exchange. */
void sleepers_add(sleepers *s, struct sleeper *sleeper);
/* Calls wake for each that is due at or before now_ms (UINT64_MAX: all), or has news, and gives its reference back; with
 * no lock held. news may be NULL. */
void sleepers_wake(sleepers *s, const auth_news *news, uint64_t now_ms, void (*wake)(struct sleeper *sleeper));

#endif
