#include "rpc/registry.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "rpc/connection.h"

/* Design notes.
 *
 * The due moments stand in an array of their own, eight to a cache line, so that a tick over 4,096 connections reads
 * 32 KiB and takes no lock unless something is due. A connection writes its moment only when it moves: with equal
 * timeouts that is once per timeout, not once per call (connection.c).
 *
 * A slot is given out and taken back under the lock; a reference is taken under it as well, so that a connection found
 * here cannot be freed before the visit. The lock is a leaf: nothing else is taken under it. */

struct registry {
	pthread_mutex_t lock;
	pthread_cond_t emptied;
	uint32_t capacity;
	uint32_t count;
	_Atomic uint32_t high; /* slots ever used: lowest are given out first, so scans stay short */
	uint32_t *vacant;      /* a stack of capacity - count slots */
	struct connection **connections;
	_Atomic uint64_t due_ms[];
};

static bool start_sync(registry *r)
{
	pthread_condattr_t attr;

	if (pthread_condattr_init(&attr) != 0)
		return false;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->emptied, &attr);
	(void)pthread_condattr_destroy(&attr);
	return true;
}

registry *registry_new(uint32_t capacity)
{
	registry *r = calloc(1, sizeof(*r) + capacity * sizeof(r->due_ms[0]));

	assert(capacity > 0);
	if (r == NULL)
		return NULL;
	r->capacity = capacity;
	r->vacant = calloc(capacity, sizeof(r->vacant[0]));
	r->connections = calloc(capacity, sizeof(struct connection *));
	if (r->vacant == NULL || r->connections == NULL || !start_sync(r)) {
		free(r->vacant);
		free(r->connections);
		free(r);
		return NULL;
	}
	for (uint32_t i = 0; i < capacity; i++) {
		r->vacant[i] = capacity - 1 - i;
		atomic_init(&r->due_ms[i], REGISTRY_NEVER);
	}
	return r;
}

void registry_free(registry **r)
{
	registry *old = *r;

	if (old == NULL)
		return;
	*r = NULL;
	assert(old->count == 0);
	(void)pthread_cond_destroy(&old->emptied);
	(void)pthread_mutex_destroy(&old->lock);
	free(old->vacant);
	free(old->connections);
	free(old);
}

bool registry_add(registry *r, struct connection *c, size_t *ret_slot)
{
	uint32_t slot = 0;
	bool is_full;

	(void)pthread_mutex_lock(&r->lock);
	is_full = r->count == r->capacity;
	if (!is_full) {
		slot = r->vacant[r->capacity - r->count - 1];
		r->count++;
		r->connections[slot] = c;
		if (slot >= atomic_load_explicit(&r->high, memory_order_relaxed))
			atomic_store_explicit(&r->high, slot + 1, memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&r->lock);
	if (is_full)
		return false;
	*ret_slot = slot;
	return true;
}

void registry_remove(registry *r, size_t slot)
{
	(void)pthread_mutex_lock(&r->lock);
	assert(slot < r->capacity && r->connections[slot] != NULL && r->count > 0);
	r->connections[slot] = NULL;
	registry_set_due(r, slot, REGISTRY_NEVER);
	r->count--;
	r->vacant[r->capacity - r->count - 1] = (uint32_t)slot;
	if (r->count == 0)
		(void)pthread_cond_broadcast(&r->emptied);
	(void)pthread_mutex_unlock(&r->lock);
}

void registry_set_due(registry *r, size_t slot, uint64_t due_ms)
{
	atomic_store_explicit(&r->due_ms[slot], due_ms, memory_order_relaxed);
}

uint64_t registry_due(const registry *r, size_t slot)
{
	return atomic_load_explicit(&r->due_ms[slot], memory_order_relaxed);
}

static struct connection *retained_at(registry *r, size_t slot)
{
	struct connection *c;

	(void)pthread_mutex_lock(&r->lock);
	c = r->connections[slot];
	if (c != NULL)
		connection_retain(c);
	(void)pthread_mutex_unlock(&r->lock);
	return c;
}

void registry_visit_due(registry *r, uint64_t now_ms, void (*visit)(struct connection *c, void *arg), void *arg)
{
	const uint32_t high = atomic_load_explicit(&r->high, memory_order_relaxed);

	for (uint32_t i = 0; i < high; i++) {
		struct connection *c;

		if (registry_due(r, i) > now_ms)
			continue;
		c = retained_at(r, i);
		if (c == NULL)
			continue;
		visit(c, arg);
		connection_release(&c);
	}
}

bool registry_wait_empty(registry *r, uint32_t timeout_ms)
{
	struct timespec until;
	bool is_empty;
	int err = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_mutex_lock(&r->lock);
	while (r->count > 0 && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&r->emptied, &r->lock, &until);
	is_empty = r->count == 0;
	(void)pthread_mutex_unlock(&r->lock);
	return is_empty;
}
