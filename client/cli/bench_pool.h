#ifndef LK_CLI_BENCH_POOL_H
#define LK_CLI_BENCH_POOL_H

/* The sessions that a load is about: their tokens, and who uses them. A call that ends a session, or gives it another
 * token, gets one that no other call is using: so a session that is found to have ended is never the load's own doing. */

#include <stdbool.h>
#include <stdint.h>

/* A token of a stored session has 105 characters; a later version's may be longer. */
#define BENCH_TOKEN_BYTES 160

struct bench_pool;

/* A session in use. */
struct bench_holding {
	uint32_t id;
	uint32_t user;
	char token[BENCH_TOKEN_BYTES];
};

/* NULL: out of memory. */
struct bench_pool *bench_pool_new(void);
void bench_pool_free(struct bench_pool **pool);

/* False: out of memory, or not a token that fits. */
bool bench_pool_add(struct bench_pool *pool, const char *token, uint32_t user);

/* One that others may use too. False: there is none. */
bool bench_pool_share(struct bench_pool *pool, uint64_t random, struct bench_holding *ret);
/* `ended`: nobody is to get it any more. */
void bench_pool_unshare(struct bench_pool *pool, uint32_t id, bool ended);

/* One that nobody uses. False: none was found. */
bool bench_pool_take(struct bench_pool *pool, uint64_t random, struct bench_holding *ret);
/* Back, with the token it has now; NULL, or a token that does not fit: it is gone. */
void bench_pool_put(struct bench_pool *pool, uint32_t id, const char *token);

#endif
