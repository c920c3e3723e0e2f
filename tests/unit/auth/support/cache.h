#ifndef LK_TESTS_AUTH_CACHE_H
#define LK_TESTS_AUTH_CACHE_H

/* Whole calls of the auth cache on a real Redis: all of a call's plans, as often as they ask for. */

#include "auth/news.h"
#include "auth/state.h"
#include "calls.h"

#define CACHE_TTL_S	     60
#define CACHE_NEGATIVE_TTL_S 10
#define CACHE_STALE_S	     30
#define CACHE_LEASE_MS	     5000

/* With a realm of that policy, without jitter and early refresh, and no news. */
int cache_reset(void **state);

/* What came of a Lookup; outlives the arena. */
struct looked {
	enum auth_answer state;
	bool is_later; /* it would wait */
	char answer[AUTH_ANSWER_BYTES_MAX + 1];
	size_t answer_len;
	uint8_t lease_bytes[AUTH_LEASE_BYTES_MAX];
	size_t lease_len;
	uint64_t expires_at_ms;
	bool is_early;
	unsigned commands;
};

span lease_of(const struct looked *l);

/* Of subject "ann". */
struct looked look_up(struct stage *s, const char *key);
/* groups: names with commas between, NULL: none. */
struct looked look_up_in(struct stage *s, const char *key, const char *groups);
struct looked look_up_as(struct stage *s, const struct auth_lookup_request *req);
void expect_answer(const struct looked *l, enum auth_answer state, const char *answer);

/* answer NULL: negative. True: stored. */
bool fill(struct stage *s, const char *key, span lease, const char *answer);
bool fill_as(struct stage *s, const struct auth_fill_request *req, uint64_t *ret_expires_at_ms);
/* A miss, and its fill, which must be stored. */
void load(struct stage *s, const char *key, const char *answer);
void load_in(struct stage *s, const char *key, const char *groups, const char *answer);

bool forget_key(struct stage *s, const char *key);
void forget_subject(struct stage *s, const char *subject);
void forget_group(struct stage *s, const char *group);

/* The key in Redis of an answer about "ann", terminated; and of her epoch. */
void answer_key(struct stage *s, const char *key, char out[static 64]);
void epoch_key(struct stage *s, const char *subject, char out[static 64]);
/* As if it had been stored, and leased, so much earlier. */
void make_older(struct stage *s, const char *key, uint64_t ms);

#endif
