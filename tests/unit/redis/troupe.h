#ifndef LK_TESTS_REDIS_TROUPE_H
#define LK_TESTS_REDIS_TROUPE_H

#include "actor.h"
#include "call.h"
#include "redis/slot.h"

/* A cluster of two primaries that the test plays. Keys: {a} is in slot 15495, {b} in 3300. */

enum { SLOT_OF_A = 15495, SLOT_OF_B = 3300, ANSWERS_MAX = 16 };

/* What a node says to the next commands with a key, one after the other; after that it answers +NAME. "block": it does nothing more
 * until the scene is open. */
struct node_script {
	struct actor actor;
	struct scene *scene;
	const char *name;
	char answers[ANSWERS_MAX][128];
	unsigned count;
	unsigned next;
	char seen[4096]; /* all commands with a key */
	char map[1024];	 /* its own reply to CLUSTER SLOTS, and */
	char state[128]; /* to CLUSTER INFO; empty: the scene's */
};

struct scene {
	struct node_script nodes[2];
	pthread_mutex_t lock;
	char map[1024]; /* the reply to CLUSTER SLOTS of both */
	char state[128];
	atomic_bool is_open; /* what "block" waits for */
	struct events events;
	char url[128];
	struct redis_options options;
	redis *redis;
};

/* Slots 0..middle-1 are the first node's. */
void set_map(struct scene *s, unsigned middle);
/* What both say of the cluster. */
void set_epoch(struct scene *s, unsigned epoch, const char *state);
/* What one says from now on, whatever is set for both after that. */
void keep_opinion(struct scene *s, int node, const char *state);

/* %s stands for the other node's address. */
void say(struct scene *s, int node, const char *answer);
bool has_seen(struct scene *s, int node, const char *words);

/* For cmocka; *state is the scene. */
int set_up(void **state);
int tear_down(void **state);

/* Opens, and waits until both serve. */
void start(struct scene *s);
/* The state of the node at that address; empty: it is not known. */
void state_of_node(struct scene *s, const char *address, struct store_node *ret);

/* The actor's part: for those that a test opens itself. */
void play(void *owner, struct actor *a, const char *words, char reply[ACTOR_REPLY_BYTES]);

#endif
