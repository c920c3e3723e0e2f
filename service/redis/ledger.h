#ifndef LK_REDIS_LEDGER_H
#define LK_REDIS_LEDGER_H

#include "redis/journal.h"
#include "redis/packed.h"

/* The journal's entries, each in the list of its origin. Not thread-safe. There is no clock here: whoever calls keeps
 * now_ms.
 *
 * An origin has a clock that only runs while it is trusted, and an entry's age is told by it: letting time stand still
 * costs nothing, and expiring looks at the front of each list only. An origin is never freed, so that the list of them
 * can be walked without a lock; one that is empty is given to the next. */

struct entry {
	struct entry *prev; /* in its origin's list */
	struct entry *next;
	struct origin *origin; /* NULL: dropped, only others hold it */
	uint64_t number;       /* order of put, for good */
	uint64_t put_ms;       /* by the origin's clock */
	uint64_t ends_ms;      /* end of its lifetime */
	uint64_t settled_by;   /* the latest replay that carried it out */
	uint32_t holders;      /* its origin's list is one */
	uint32_t bytes;
	uint16_t slot;
	uint16_t strand; /* the same for all keys of a hash tag, in every mode */
	struct packed redo;
};

struct origin {
	struct origin *next;
	struct journal_origin name;
	uint32_t pins; /* replays that will bring entries */
	uint64_t clock_ms;
	uint64_t looked_ms; /* until when clock_ms counts */
	struct entry *first;
	struct entry *last;
};

struct ledger {
	uint32_t window_ms;
	size_t bytes_max;
	uint64_t now_ms; /* never goes back */
	uint64_t puts;
	struct origin *origins;
	size_t entries;
	size_t bytes;
	uint64_t dropped;
};

/* NULL when memory is out. Held by the caller, who hands it to ledger_put. */
struct entry *entry_new(const struct store_command *redo, uint16_t slot) MUST_CHECK;

/* What nobody holds any more joins *garbage, which is for entry_free_all: with no lock held. */
void entry_release(struct entry *e, struct entry **garbage);
void entry_free_all(struct entry *garbage);

bool origin_is(const struct origin *o, struct journal_origin name);

/* Found or made. NULL when memory is out. */
struct origin *ledger_origin(struct ledger *l, struct journal_origin name) MUST_CHECK;

/* Takes e over. The oldest of all go when there is no room. */
void ledger_put(struct ledger *l, struct origin *o, struct entry *e, uint64_t lifetime_ms, struct entry **garbage);

/* Counts as put by another now, if it was not dropped meanwhile. */
void ledger_hand_over(struct ledger *l, struct entry *e, struct origin *to);

/* Lets the origin's clock run on, if it is trusted, and drops what is too old by it. */
void ledger_expire(struct ledger *l, struct origin *o, bool is_trusted, struct entry **garbage);

/* Frees everything. Nobody else may hold an entry. */
void ledger_clear(struct ledger *l);

#endif
