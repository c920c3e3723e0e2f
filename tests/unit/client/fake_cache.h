#ifndef LK_TEST_CLIENT_FAKE_CACHE_H
#define LK_TEST_CLIENT_FAKE_CACHE_H

/* A server of the auth cache that says what a test sets and counts what it is asked, and a client of it. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "latchkey/latchkey.h"
#include "latchkey/v1/auth_cache.pb-c.h"

#define STATE(s) LATCHKEY__V1__AUTH_STATE__##s

/* What it says to a lookup, and what it was asked. */
struct fake_cache {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	Latchkey__V1__AuthState state;
	bool leases;  /* the next MISS or STALE comes with a lease */
	bool parks;   /* a lookup that may wait does */
	bool refuses; /* fills */
	bool is_away; /* UNAVAILABLE */
	bool is_denied;
	char answer[64];
	unsigned lookups;
	unsigned waits;
	unsigned fills;
	unsigned forgets;
	uint32_t lease_ms;
	uint32_t load_ms;
	bool filled_negative;
	lk_client *client;
};

extern struct fake_cache cache;

/* For each test, by cmocka. */
int fake_cache_open(void **state);
int fake_cache_close(void **state);

/* Answers the lookups that wait by what it would say now. */
void fake_cache_answer_held(void);

/* Until a counter of the cache is that high. */
void fake_cache_wait_for(const unsigned *counter, unsigned wanted);

#endif
