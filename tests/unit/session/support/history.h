#ifndef LK_TESTS_HISTORY_H
#define LK_TESTS_HISTORY_H

/* An old primary's history taken away, in part or all, and what users do to their sessions meanwhile. */

#include "calls.h"

#define VALUE_BYTES_MAX 65536

/* A key as it was, to be put back: what a replica had when the primary was lost. */
struct snapshot {
	char key[64];
	char value[VALUE_BYTES_MAX];
	size_t len;
};

/* To be freed by the caller. */
struct snapshot *take_snapshot(struct stage *s, const struct held_token *t);
void put_back(struct stage *s, const struct snapshot *shot);
void flush(struct stage *s);

/* Revokes the session. */
void end(struct stage *s, const struct held_token *t);
/* Revokes ann's sessions; how many there were. */
uint32_t end_all(struct stage *s, span except, const char *class_name);

#endif
