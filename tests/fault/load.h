#ifndef LK_FAULT_LOAD_H
#define LK_FAULT_LOAD_H

#include "fault/history.h"

/* Continuous load whose every answer is written down. Each worker is a thread with users and sessions of its own:
 * creates, reads, updates (every second one conditional), rotates, revokes, logs users out, and goes on asking after the
 * dead; now and then by a token that was replaced. */

#define LOAD_INSTANCES_MAX 2
#define LOAD_WORKERS_MAX   64
/* One slot for each session of a worker at once, and as many users as can differ in their fate. */
#define LOAD_ALIVE 6
#define LOAD_USERS 2
/* Sessions live for two seconds or so: about as many replaced tokens are used within their grace as after it. */
#define LOAD_GRACE_S 1

struct load_options {
	lk_client *clients[LOAD_INSTANCES_MAX]; /* [i] reaches instance i only, unless: */
	bool is_any_instance;			/* each reaches all: nobody knows who answered */
	bool is_pinned; /* a worker knows only its own instance (its number modulo 2), but asks all after the dead */
	unsigned workers;
	unsigned operations_per_s; /* of all workers */
	/* Worker i's users have slots of shard i modulo so many, in equal ranges. 1: any. */
	unsigned shards;
};

struct load;

/* Returns when every worker has its sessions. Fails the test when they cannot be had. */
struct load *load_start(const struct load_options *options);

/* Waits until every worker has been answered OK a few times more, by each instance that it uses. False when that does
 * not come. */
bool load_wait_advanced(struct load *l, uint32_t bound_ms);

/* So many calls were answered OK until now. */
uint64_t load_answered(struct load *l);

/* Waits for the calls under way. */
void load_stop(struct load *l);

/* After the stop: every session ever created is read through every instance, again and again until the answer is not
 * UNKNOWN, or bound_ms have passed. */
void load_audit(struct load *l, uint32_t bound_ms);

/* After the stop; borrowed. */
const struct history *load_histories(const struct load *l, size_t *ret_count);
uint64_t load_origin_us(const struct load *l);

void load_free(struct load **l);

uint64_t load_now_us(void);

#endif
