/* A row is free (in the list of free ones), idle or shared (in `live`, with so many users), taken (by one, not in `live`),
 * or ended (not in `live`; it becomes free when its last user has gone). */

#include "bench_pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST 64
#define NONE	   UINT32_MAX
/* Of many sessions few are in use: one that is not is found at once. Of a handful it may take all these. */
#define TRIES 16

enum row_state { ROW_FREE, ROW_LIVE, ROW_TAKEN, ROW_ENDED };

struct row {
	enum row_state state;
	uint32_t user;
	uint32_t users;
	uint32_t at; /* in `live`; of a free row, the next free one */
	char token[BENCH_TOKEN_BYTES];
};

struct bench_pool {
	pthread_mutex_t lock;
	struct row *rows;
	uint32_t *live;
	uint32_t room;
	uint32_t live_count;
	uint32_t free;
};

struct bench_pool *bench_pool_new(void)
{
	struct bench_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	(void)pthread_mutex_init(&pool->lock, NULL);
	pool->free = NONE;
	return pool;
}

void bench_pool_free(struct bench_pool **pool)
{
	struct bench_pool *own = *pool;

	*pool = NULL;
	if (own == NULL)
		return;
	(void)pthread_mutex_destroy(&own->lock);
	if (own->rows != NULL)
		explicit_bzero(own->rows, own->room * sizeof(*own->rows));
	free(own->rows);
	free(own->live);
	free(own);
}

/* ---- With the lock held ---- */

static bool grow(struct bench_pool *pool)
{
	const uint32_t room = pool->room == 0 ? ROWS_FIRST : 2 * pool->room;
	struct row *rows = realloc(pool->rows, room * sizeof(*rows));
	uint32_t *live;

	if (rows == NULL)
		return false;
	pool->rows = rows;
	live = realloc(pool->live, room * sizeof(*live));
	if (live == NULL)
		return false;
	pool->live = live;
	for (uint32_t i = room; i-- > pool->room;) {
		rows[i] = (struct row){.at = pool->free};
		pool->free = i;
	}
	pool->room = room;
	return true;
}

static void set_live(struct bench_pool *pool, uint32_t id)
{
	pool->rows[id].state = ROW_LIVE;
	pool->rows[id].at = pool->live_count;
	pool->live[pool->live_count++] = id;
}

static void leave_live(struct bench_pool *pool, uint32_t id, enum row_state to)
{
	struct row *row = &pool->rows[id];
	const uint32_t last = pool->live[--pool->live_count];

	assert(row->state == ROW_LIVE);
	pool->live[row->at] = last;
	pool->rows[last].at = row->at;
	row->state = to;
}

static void set_free(struct bench_pool *pool, uint32_t id)
{
	pool->rows[id].state = ROW_FREE;
	pool->rows[id].at = pool->free;
	pool->free = id;
}

static void hold(const struct bench_pool *pool, uint32_t id, struct bench_holding *ret)
{
	ret->id = id;
	ret->user = pool->rows[id].user;
	memcpy(ret->token, pool->rows[id].token, sizeof(ret->token));
}

/* ---- */

bool bench_pool_add(struct bench_pool *pool, const char *token, uint32_t user)
{
	bool is_added = false;
	uint32_t id;

	if (token == NULL || strlen(token) >= BENCH_TOKEN_BYTES)
		return false;
	(void)pthread_mutex_lock(&pool->lock);
	if (pool->free != NONE || grow(pool)) {
		id = pool->free;
		pool->free = pool->rows[id].at;
		pool->rows[id].user = user;
		(void)stpcpy(pool->rows[id].token, token);
		set_live(pool, id);
		is_added = true;
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return is_added;
}

bool bench_pool_share(struct bench_pool *pool, uint64_t random, struct bench_holding *ret)
{
	bool is_found = false;

	(void)pthread_mutex_lock(&pool->lock);
	if (pool->live_count > 0) {
		hold(pool, pool->live[random % pool->live_count], ret);
		pool->rows[ret->id].users++;
		is_found = true;
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return is_found;
}

void bench_pool_unshare(struct bench_pool *pool, uint32_t id, bool ended)
{
	struct row *row;

	(void)pthread_mutex_lock(&pool->lock);
	row = &pool->rows[id];
	assert(row->users > 0);
	row->users--;
	if (ended && row->state == ROW_LIVE)
		leave_live(pool, id, ROW_ENDED);
	if (row->state == ROW_ENDED && row->users == 0)
		set_free(pool, id);
	(void)pthread_mutex_unlock(&pool->lock);
}

bool bench_pool_take(struct bench_pool *pool, uint64_t random, struct bench_holding *ret)
{
	bool is_found = false;

	(void)pthread_mutex_lock(&pool->lock);
	for (unsigned i = 0; i < TRIES && !is_found && pool->live_count > 0; i++) {
		const uint32_t id = pool->live[(random + i) % pool->live_count];

		if (pool->rows[id].users > 0)
			continue;
		hold(pool, id, ret);
		leave_live(pool, id, ROW_TAKEN);
		is_found = true;
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return is_found;
}

void bench_pool_put(struct bench_pool *pool, uint32_t id, const char *token)
{
	(void)pthread_mutex_lock(&pool->lock);
	assert(pool->rows[id].state == ROW_TAKEN);
	if (token != NULL && strlen(token) < BENCH_TOKEN_BYTES) {
		(void)stpcpy(pool->rows[id].token, token);
		set_live(pool, id);
	} else {
		set_free(pool, id);
	}
	(void)pthread_mutex_unlock(&pool->lock);
}
