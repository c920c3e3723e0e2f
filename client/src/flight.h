#ifndef LK_CLIENT_FLIGHT_H
#define LK_CLIENT_FLIGHT_H

/* Single flight: of the threads that want one answer of the auth cache, one gets it and the others wait for it.
 *
 * A flight is led by the thread that began it, in one of two ways: it loads, and its answer may serve those who wait; or
 * it waits at the server, and then all go and look again.
 *
 * Whom a loaded answer may serve. What was forgotten before somebody asked must not reach them. An answer that the
 * server took under a lease was not forgotten while it was loaded: it serves all who joined, and none can join once the
 * fill is under way (flight_close). Of any other nobody knows: it serves those who had asked before loading began, by
 * the order of tickets. The rest look again. */

#include <pthread.h>
#include <stdatomic.h>

#include "latchkey/auth.h"

/* Threads that load or wait at once are few hundreds at most. */
#define FLIGHT_ROWS 256

struct flight;

struct flights {
	atomic_uint_fast64_t tickets;
	pthread_mutex_t lock; /* of the rows and all flights. No other is taken under it */
	struct flight *rows[FLIGHT_ROWS];
};

/* What is asked for. */
struct flight_key {
	struct lk_bytes realm;
	struct lk_bytes subject;
	struct lk_bytes key;
};

void flights_init(struct flights *flights);
/* None is under way. */
void flights_clear(struct flights *flights);

/* Each greater than all before. */
uint64_t flights_ticket(struct flights *flights);

/* One that loads; NULL: there is none. For flight_wait. */
struct flight *flights_join(struct flights *flights, const struct flight_key *key);
/* The one that is listed, for flight_wait; else a new one, to be led: *ret_leads. With `to_load` only one that loads will
 * do, and a new one does from the start. NULL when memory is out. */
struct flight *flights_enter(struct flights *flights, const struct flight_key *key, bool to_load, bool *ret_leads);
/* A new one that loads, to be led, listed in place of any other. NULL when memory is out. */
struct flight *flights_begin(struct flights *flights, const struct flight_key *key);

/* The leader has waited, and loads from now on. */
void flight_load(struct flights *flights, struct flight *flight);
/* Nobody joins any more. */
void flight_close(struct flights *flights, struct flight *flight);

/* What a flight ended with. Nothing of it is set: look again. */
struct landing {
	lk_auth_answer *answer; /* loaded; borrowed */
	bool is_for_all;	/* it was not forgotten meanwhile */
	enum lk_err err;	/* the loader could not tell */
};

/* The end of the leader's part: wakes all who wait. Nulls *flight. */
void flight_end(struct flights *flights, struct flight **flight, const struct landing *landing);

enum flight_news {
	FLIGHT_ANSWER, /* *ret_answer, which is the caller's */
	FLIGHT_ERROR,  /* *ret_err */
	FLIGHT_AGAIN,  /* look again */
	FLIGHT_LATE,   /* deadline_ms has come */
};

/* Waits for its end, as somebody who asked at `ticket`. Nulls *flight. */
enum flight_news flight_wait(struct flights *flights, struct flight **flight, uint64_t ticket, uint64_t deadline_ms,
			     lk_auth_answer **ret_answer, enum lk_err *ret_err);

#endif
