/* Locks that are kept until they are dropped.
 *
 *	HELD --> LOST: not extended before its end, or the server says so --> DROPPED
 *	  \-----------------------------------------------------------------> DROPPED
 *
 * Nothing here waits: the client's tick starts an extension, a call in the background, and its callback notes what came
 * of it. `until_ms` is the end by this machine's monotonic clock, reckoned from before the request was sent, so that it
 * comes no later than the server's; lk_lock_is_held reads nothing else.
 *
 * `busy`: so many threads of the library are about to start a call for the lock or to tell its holder, without
 * holds.lock; lk_lock_drop waits for them. */

#include "hold.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "call.h"
#include "client.h"
#include "error.h"
#include "latchkey/lock.h"
#include "options.h"

/* Of the ttl, when it is extended: two more tries fit in before the end. */
#define EXTEND_AT 3
/* After a failure it is tried again when so small a part of the ttl has passed, */
#define RETRY_PART 12
/* at least so much later. */
#define RETRY_MS_MIN 10
/* Clocks may run differently: Redis's by a hundredth, which no oscillator comes near, and a tick. */
#define DRIFT_PART 100
#define DRIFT_MS   TICK_MS

#define HOLD_STATE_MAP(X) X(HELD) X(LOST) X(DROPPED)

enum hold_state {
#define X(name) HOLD_##name,
	HOLD_STATE_MAP(X)
#undef X
	    HOLD_STATES
};

struct lk_lock {
	lk_client *client; /* a reference */
	lk_lock_lost_fn on_lost;
	void *arg;
	lk_call *extension;
	uint32_t ttl_ms;
	uint64_t fencing_token;
	char owner[LK_LOCK_OWNER_BYTES_MAX];
	size_t owner_bytes;
	char *realm; /* NULL: none */
	struct lk_bytes name;
	atomic_uint_fast64_t until_ms; /* 0: not held */

	/* Under holds.lock. */
	enum hold_state state;
	bool is_extending;
	unsigned busy;
	uint64_t sent_at_ms;
	uint64_t extend_at_ms;
	struct lk_lock *next;
	struct lk_lock **link;

	char bytes[]; /* the name, the realm and a NUL */
};

/* The one place that changes the state. Under the lock. */
static void move(struct lk_lock *lock, enum hold_state to)
{
	static const bool allowed[HOLD_STATES][HOLD_STATES] = {
	    [HOLD_HELD] = {[HOLD_LOST] = true, [HOLD_DROPPED] = true},
	    [HOLD_LOST] = {[HOLD_DROPPED] = true},
	};

	assert(allowed[lock->state][to]);
	lock->state = to;
	atomic_store(&lock->until_ms, 0);
}

void holds_init(struct holds *holds)
{
	/* With the default attributes neither can fail. */
	(void)pthread_mutex_init(&holds->lock, NULL);
	(void)pthread_cond_init(&holds->changed, NULL);
	holds->first = NULL;
}

void holds_clear(struct holds *holds)
{
	assert(holds->first == NULL);
	(void)pthread_cond_destroy(&holds->changed);
	(void)pthread_mutex_destroy(&holds->lock);
}

/* ---- Extending ---- */

/* Held anew, by a request that was sent then. */
static void renew(struct lk_lock *lock, uint64_t sent_at_ms)
{
	atomic_store(&lock->until_ms, sent_at_ms + lock->ttl_ms - lock->ttl_ms / DRIFT_PART - DRIFT_MS);
	lock->extend_at_ms = sent_at_ms + lock->ttl_ms / EXTEND_AT;
}

/* The lock is busy, and its state LOST. */
static void tell(struct lk_lock *lock)
{
	bool before = call_enter_callback();

	if (lock->on_lost != NULL)
		lock->on_lost(lock, lock->arg);
	call_leave_callback(before);
}

static void leave_alone(struct holds *holds, struct lk_lock *lock)
{
	pthread_mutex_lock(&holds->lock);
	lock->busy--;
	(void)pthread_cond_broadcast(&holds->changed);
	pthread_mutex_unlock(&holds->lock);
}

/* Under the lock. */
static void put_off(struct lk_lock *lock)
{
	uint32_t pause_ms = lock->ttl_ms / RETRY_PART;

	lock->extend_at_ms = wire_now_ms() + (pause_ms > RETRY_MS_MIN ? pause_ms : RETRY_MS_MIN);
}

static void extended(lk_call *call, enum lk_err err, void *arg)
{
	struct lk_lock_state state = LK_LOCK_STATE_INIT;
	struct lk_lock *lock = arg;
	struct holds *holds = &lock->client->holds;
	bool is_lost = false;

	if (err == LK_OK)
		lk_call_lock(call, &state);
	pthread_mutex_lock(&holds->lock);
	lock->is_extending = false;
	if (lock->state == HOLD_HELD && err != LK_OK)
		put_off(lock);
	else if (lock->state == HOLD_HELD && state.held)
		renew(lock, lock->sent_at_ms);
	else
		is_lost = lock->state == HOLD_HELD;
	if (is_lost) {
		move(lock, HOLD_LOST);
		lock->busy++;
	}
	pthread_mutex_unlock(&holds->lock);
	if (!is_lost)
		return;
	tell(lock);
	leave_alone(holds, lock);
}

static struct lk_lock_extend_request extension_of(const struct lk_lock *lock)
{
	struct lk_lock_extend_request request = LK_LOCK_EXTEND_REQUEST_INIT;

	request.realm = lock->realm;
	request.name = lock->name;
	request.owner = lk_bytes_of(lock->owner, lock->owner_bytes);
	request.ttl_ms = lock->ttl_ms;
	return request;
}

/* The lock is busy, and extending. */
static void extend(struct holds *holds, struct lk_lock *lock)
{
	struct lk_lock_extend_request request = extension_of(lock);

	request.timeout_ms = lk_lock_left_ms(lock);
	if (request.timeout_ms > 0 && lk_lock_extend_async(lock->extension, &request) == LK_OK)
		return;
	pthread_mutex_lock(&holds->lock);
	lock->is_extending = false;
	put_off(lock);
	pthread_mutex_unlock(&holds->lock);
}

/* Under the lock: one for which something is to be done now, and then it is busy. */
static struct lk_lock *take_due(struct holds *holds, uint64_t now_ms)
{
	for (struct lk_lock *lock = holds->first; lock != NULL; lock = lock->next) {
		bool is_over = now_ms >= atomic_load(&lock->until_ms);

		if (lock->state != HOLD_HELD || lock->busy > 0)
			continue;
		if (!is_over && (lock->is_extending || now_ms < lock->extend_at_ms))
			continue;
		lock->busy++;
		if (is_over)
			move(lock, HOLD_LOST);
		else
			lock->is_extending = true;
		lock->sent_at_ms = is_over ? lock->sent_at_ms : now_ms;
		return lock;
	}
	return NULL;
}

void holds_tick(struct holds *holds)
{
	uint64_t now_ms = wire_now_ms();

	for (;;) {
		struct lk_lock *lock;
		bool is_lost;

		pthread_mutex_lock(&holds->lock);
		lock = take_due(holds, now_ms);
		is_lost = lock != NULL && lock->state == HOLD_LOST;
		pthread_mutex_unlock(&holds->lock);
		if (lock == NULL)
			return;
		if (is_lost)
			tell(lock);
		else
			extend(holds, lock);
		leave_alone(holds, lock);
	}
}

/* ---- Holding ---- */

static void destroy(struct lk_lock *lock)
{
	lk_call_free(&lock->extension);
	client_release(&lock->client);
	explicit_bzero(lock->owner, sizeof(lock->owner));
	free(lock);
}

static struct lk_lock *lock_new(lk_client *client, const struct lk_lock_acquire_request *request)
{
	size_t realm_bytes = request->realm != NULL ? strlen(request->realm) + 1 : 0;
	struct lk_lock *lock = calloc(1, sizeof(*lock) + request->name.len + realm_bytes);

	if (lock == NULL)
		return NULL;
	lock->client = client_retain(client);
	lock->ttl_ms = request->ttl_ms;
	if (request->name.len > 0)
		memcpy(lock->bytes, request->name.data, request->name.len);
	lock->name = lk_bytes_of(lock->bytes, request->name.len);
	if (realm_bytes > 0)
		lock->realm = memcpy(lock->bytes + request->name.len, request->realm, realm_bytes);
	atomic_init(&lock->until_ms, 0);
	if (lk_call_new(client, extended, lock, &lock->extension) == LK_OK)
		return lock;
	destroy(lock);
	return NULL;
}

/* Whoever waited may have used up most of the ttl: then the lock is extended before it is handed out. *ret_held: whether
 * it is held. */
static enum lk_err settle(struct lk_lock *lock, uint64_t sent_at_ms, bool *ret_held, struct lk_error *error)
{
	struct lk_lock_extend_request request = extension_of(lock);
	struct lk_lock_state state = LK_LOCK_STATE_INIT;
	enum lk_err err;

	*ret_held = true;
	if (wire_now_ms() < sent_at_ms + lock->ttl_ms / EXTEND_AT) {
		renew(lock, sent_at_ms);
		return LK_OK;
	}
	sent_at_ms = wire_now_ms();
	err = lk_lock_extend(lock->client, &request, &state, error);
	*ret_held = err == LK_OK && state.held;
	if (*ret_held)
		renew(lock, sent_at_ms);
	return err;
}

static void list(struct lk_lock *lock)
{
	struct holds *holds = &lock->client->holds;

	pthread_mutex_lock(&holds->lock);
	lock->next = holds->first;
	lock->link = &holds->first;
	if (lock->next != NULL)
		lock->next->link = &lock->next;
	holds->first = lock;
	pthread_mutex_unlock(&holds->lock);
}

static void let_go(struct lk_lock *lock)
{
	struct lk_lock_release_request request = LK_LOCK_RELEASE_REQUEST_INIT;
	enum lk_err err;

	request.realm = lock->realm;
	request.name = lock->name;
	request.owner = lk_bytes_of(lock->owner, lock->owner_bytes);
	err = lk_lock_release(lock->client, &request, NULL, NULL);
	/* Not released, it ends by itself. */
	(void)err;
}

/* *ret_held: whether the lock is to be handed out. */
static enum lk_err acquire(struct lk_lock *lock, const struct lk_lock_acquire_request *request, bool *ret_held,
			   struct lk_error *error)
{
	struct lk_lock_state state = LK_LOCK_STATE_INIT;
	uint64_t sent_at_ms = wire_now_ms();
	enum lk_err err = lk_lock_acquire(lock->client, request, &state, error);

	*ret_held = false;
	if (err != LK_OK || !state.held)
		return err;
	memcpy(lock->owner, state.owner, state.owner_bytes);
	lock->owner_bytes = state.owner_bytes;
	explicit_bzero(state.owner, sizeof(state.owner));
	lock->fencing_token = state.fencing_token;
	err = settle(lock, sent_at_ms, ret_held, error);
	if (!*ret_held)
		let_go(lock);
	return err;
}

enum lk_err lk_lock_hold(lk_client *client, const struct lk_lock_acquire_request *request, lk_lock_lost_fn on_lost,
			 void *arg, lk_lock **ret_lock, struct lk_error *error)
{
	struct lk_error own = LK_ERROR_INIT;
	struct lk_lock_acquire_request known;
	struct lk_lock *lock;
	bool held;
	enum lk_err err;

	assert(client != NULL && ret_lock != NULL);
	err = struct_take(request, &known, sizeof(known),
			  offsetof(struct lk_lock_acquire_request, lock_wait_ms) + sizeof(known.lock_wait_ms),
			  "lk_lock_acquire_request", &own);
	lock = err == LK_OK ? lock_new(client, &known) : NULL;
	if (err == LK_OK && lock == NULL)
		err = error_set(&own, LK_E_NO_MEMORY, "out of memory");
	if (err != LK_OK) {
		error_copy(&own, error);
		return err;
	}
	lock->on_lost = on_lost;
	lock->arg = arg;
	err = acquire(lock, &known, &held, error);
	if (held)
		list(lock);
	else
		destroy(lock);
	if (err == LK_OK)
		*ret_lock = held ? lock : NULL;
	return err;
}

uint32_t lk_lock_left_ms(const lk_lock *lock)
{
	uint64_t until_ms = atomic_load(&lock->until_ms);
	uint64_t now_ms = wire_now_ms();

	return now_ms < until_ms ? (uint32_t)(until_ms - now_ms) : 0;
}

bool lk_lock_is_held(const lk_lock *lock)
{
	return lk_lock_left_ms(lock) > 0;
}

uint64_t lk_lock_fencing_token(const lk_lock *lock)
{
	return lock->fencing_token;
}

void lk_lock_drop(lk_lock **lock)
{
	struct lk_lock *own = *lock;
	struct holds *holds;
	bool was_held;

	*lock = NULL;
	if (own == NULL)
		return;
	assert(!call_in_callback() && "a lock cannot be dropped within a callback, which it waits for");
	holds = &own->client->holds;
	pthread_mutex_lock(&holds->lock);
	while (own->busy > 0)
		(void)pthread_cond_wait(&holds->changed, &holds->lock);
	was_held = own->state == HOLD_HELD;
	move(own, HOLD_DROPPED);
	*own->link = own->next;
	if (own->next != NULL)
		own->next->link = own->link;
	pthread_mutex_unlock(&holds->lock);
	if (was_held)
		let_go(own);
	destroy(own);
}
