#ifndef LK_FAULT_CHECKER_H
#define LK_FAULT_CHECKER_H

#include "fault/history.h"

/* Says which answers in a history were not possible, if the service keeps its promises. */

enum checker_kind {
	CHECKER_LOST, /* an acknowledged create or update is gone, or somebody was logged out whom nobody logged out */
	CHECKER_REVIVED,   /* VALID after an acknowledged revocation, a detected reuse, or the token's grace */
	CHECKER_STALE,	   /* an older state than was acknowledged before the question */
	CHECKER_FORKED,	   /* two successors of one token, or a replaced token that lives by itself */
	CHECKER_UNAUDITED, /* at the end nothing could be learnt of the session */
	CHECKER_FAILED,	   /* not answered OK within its deadline; told of, but no broken promise by itself */
	CHECKER_KINDS
};

const char *checker_kind_name(enum checker_kind kind);

/* A time in which the instances could not reach one another's Redis. What one of them acknowledges then, the other cannot
 * know before they have met again: answers of the other that contradict it count as `crossed`. */
struct checker_parting {
	uint64_t cut_us;
	uint64_t healed_us;
	uint64_t settled_us; /* they have met */
};

#define CHECKER_PARTINGS_MAX 32

struct checker_rules {
	/* Whose failures count, and whose writes make up the gap; NULL: everybody's. */
	bool (*is_judged)(void *owner, const struct history_entry *entry);
	void *owner;
	uint64_t grace_us; /* how long a replaced token stands for its successor */
	unsigned shards;   /* each has a gap of its own; 0 or 1: there are none */
	struct checker_parting partings[CHECKER_PARTINGS_MAX];
	size_t parting_count;
};

/* What a violation is shown with. */
#define CHECKER_SHOWN_MAX 5

struct checker_shown {
	enum checker_kind kind;
	const struct history *history;
	size_t entry;
};

struct checker_result {
	uint64_t operations;   /* without the final reading */
	uint64_t acknowledged; /* creates, updates, rotations, revocations */
	uint64_t failed;
	uint64_t unknown;
	uint64_t lost;
	uint64_t revived;
	uint64_t stale;
	uint64_t forked;
	uint64_t unaudited;
	uint64_t crossed;
	uint64_t crossed_after_us; /* the longest time between an acknowledgement and such an answer */
	uint64_t gap_us;	   /* the longest time without an acknowledged write in some shard */
	size_t shown_count;
	struct checker_shown shown[CHECKER_SHOWN_MAX]; /* borrows the histories */
};

/* Several histories of one run, one a worker. */
void checker_run(const struct history *histories, size_t count, const struct checker_rules *rules,
		 struct checker_result *ret);

/* When the last write of an instance was acknowledged before a moment; 0: none after `since_us`. */
uint64_t checker_last_acknowledged_us(const struct history *histories, size_t count, uint8_t instance,
				      uint64_t since_us, uint64_t until_us);

/* The violations with the last entries of their sessions before them. */
void checker_print(FILE *out, const struct checker_result *result, uint64_t origin_us);

#endif
