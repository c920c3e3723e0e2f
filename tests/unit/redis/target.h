#ifndef LK_TESTS_REDIS_TARGET_H
#define LK_TESTS_REDIS_TARGET_H

#include "redis/journal.h"
#include "support/wait.h"

/* What tests of the journal share: commands to put, and a node that replays go to. */

enum { WINDOW = 10000, ROOM = 1 << 26 };

extern const struct journal_origin old_primary;
extern const struct journal_origin new_primary;

extern const struct store_reply yes;
extern const struct store_reply again;
extern const struct store_reply no;

/* A script on that key; text is its second argument, by which it is told from others. */
struct store_command redo_of(const char *key, const char *text);

/* Acknowledged by old_primary; without an end. */
void put_into(journal *j, uint16_t slot, const char *key, const char *text, uint64_t now_ms);
void put(journal *j, const char *key, const char *text, uint64_t now_ms);

struct journal_state state_of(journal *j);

/* The node that a replay goes to. Answers `answer` at once, or holds operations until the test answers them. */
enum { HELD_MAX = 2 * JOURNAL_IN_FLIGHT };

struct target {
	bool holds;
	struct store_result answer;
	const char *again_text; /* arguments that are answered `again`... */
	unsigned agains;	/* so many times more */
	struct store_op *held[HELD_MAX];
	size_t held_count;
	char sent[4096]; /* the second arguments, each with a space behind it */
	size_t sends;
	size_t done;
	size_t carried_out;
	size_t failed;
	int wanted; /* slot; -1: all */
};

struct target target_that_answers(enum store_outcome outcome, const struct store_reply *reply);
struct target target_that_holds(void);

void replay(journal *j, struct target *t, struct journal_origin origin, uint64_t now_ms);

/* As journal_replay's submit. */
void target_submit(struct target *t, struct store_op *op);

/* The held operation whose second argument is this: it must be there. */
void answer(struct target *t, const char *text, enum store_outcome outcome, const struct store_reply *reply);

/* The latest first. Returns how many were in flight at most. */
size_t answer_all(struct target *t);

/* Once, with these numbers. */
void assert_done(const struct target *t, size_t carried_out, size_t failed);

/* For journal_expire. owner of trusts_only: a struct journal_origin. */
bool trusts_all(void *owner, struct journal_origin origin);
bool trusts_only(void *owner, struct journal_origin origin);

journal *open_journal(size_t room);

/* Everything is dropped, and nothing is counted as kept. */
void close_journal(journal **j);

#endif
