#ifndef LK_SOAK_MUTATE_H
#define LK_SOAK_MUTATE_H

#include "random.h"
#include "shelf.h"

/* The largest record there is, once more, and what is added to it. */
#define MUTANT_BYTES_MAX 16384

#define MUTATION_MAP(X)                                                                                                \
	X(FLIP, "bits flipped")                                                                                        \
	X(OVERWRITE, "bytes overwritten")                                                                              \
	X(CUT, "cut short, or bytes added")                                                                            \
	X(SPLICE, "the head of one and the tail of another")                                                           \
	X(PARTS, "header, metadata, data and updates of different records")                                            \
	X(HEADER, "fields of the header set")                                                                          \
	X(UPDATES, "updates reordered, doubled, dropped, or another's")                                                \
	X(MOVED, "under another session's key")

enum mutation {
#define X(id, text) MUTATE_##id,
	MUTATION_MAP(X)
#undef X
	    MUTATIONS
};

/* A record that stands under `at`'s key now. */
struct mutant {
	enum mutation kind;
	const struct good *at;
	size_t len;
	uint8_t bytes[MUTANT_BYTES_MAX];
};

void mutate(const struct shelf *s, struct random *r, struct mutant *ret);

#endif
