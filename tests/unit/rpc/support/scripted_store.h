#ifndef LK_TESTS_RPC_SCRIPTED_STORE_H
#define LK_TESTS_RPC_SCRIPTED_STORE_H

/* A store that does what a real Redis cannot be made to do on demand: every operation waits until the test answers it,
 * with whatever outcome, when and from whichever thread it likes. */

#include <pthread.h>

#include "store/store.h"

#define SCRIPTED_WAITING_MAX 2048

struct scripted_store {
	struct store store;
	pthread_mutex_t lock;
	pthread_cond_t came;
	bool is_ready;
	const struct store_node *nodes; /* what store_nodes tells; borrowed */
	size_t node_count;
	/* Answers at once, from within store_submit; NULL: the operation waits for scripted_take. */
	void (*at_once)(struct store_op *op);
	/* What store_keep got and took, and store_pend got, by script; and the last announcement. */
	unsigned kept[STORE_SCRIPTS];
	unsigned pended[STORE_SCRIPTS];
	unsigned refuse_keeps; /* as many are refused first */
	bool refuse_pends;
	uint8_t announced[256];
	size_t announced_len;
	size_t taken;
	size_t count; /* ever submitted */
	struct store_op *waiting[SCRIPTED_WAITING_MAX];
};

void scripted_start(struct scripted_store *s);
void scripted_stop(struct scripted_store *s);

/* The next operation, in the order of their coming; fails the test when none comes in time. */
struct store_op *scripted_take(struct scripted_store *s);
/* Operations ever submitted. */
size_t scripted_count(struct scripted_store *s);

void scripted_outcome(struct store_op *op, enum store_outcome outcome);
void scripted_refuse(struct store_op *op, const char *error);
void scripted_nil(struct store_op *op);
void scripted_string(struct store_op *op, span s);
/* An array of strings. */
void scripted_strings(struct store_op *op, const span *strings, size_t count);
/* An array of one string and one integer. */
void scripted_word_number(struct store_op *op, const char *word, int64_t number);
/* What session_revoke_user answers. */
void scripted_chunk(struct store_op *op, int64_t revoked, const char *score, const char *name, const char *names);
/* What session_revoke answers: of the session named, and no other. */
void scripted_revoked(struct store_op *op, const struct store_result *like, int64_t was_alive);
/* REPLIED, with what else `like` says. */
void scripted_result(struct store_op *op, const struct store_result *like, const struct store_reply *reply);

#endif
