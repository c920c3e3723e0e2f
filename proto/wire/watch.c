/* Looks at every live link now and then, so that time-outs need no timer each, and counts links for wire_drain.
 *
 * A wheel of SLOTS lists, one tick each: a link lies in the list of the tick at which it wants to be looked at, and
 * moves on from there. What happens on a link costs the wheel nothing. A thread turns it while links exist.
 *
 * It also frees links that were dialed: freeing an nng dialer waits for other callbacks on nng's task threads, so if
 * all of those threads did it at once none would come back.
 *
 * This is the process's only shared state in this folder. `lock` guards it; it may be taken with a link's lock held,
 * and nothing is called with it held. */

#include <assert.h>

#include "wire/private.h"
#include "wire/thread.h"
#include "wire/ticker.h"

#define TICK_MS 20U
#define SLOTS	64U

#define SOON_MS 100U

static struct {
	pthread_once_t once;
	pthread_mutex_t lock;
	pthread_cond_t quiet;
	bool turning;
	size_t live;
	size_t ending; /* of these */
	uint64_t tick; /* the last one done */
	struct watch_node slots[SLOTS];
	struct watch_node graves;
} watch = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

static void list_init(struct watch_node *head)
{
	head->next = head->prev = head;
}

static void list_append(struct watch_node *head, struct watch_node *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static void list_remove(struct watch_node *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

/* Moves what is in `from` to the empty list `to`. */
static void list_move(struct watch_node *from, struct watch_node *to)
{
	list_init(to);
	while (from->next != from) {
		struct watch_node *node = from->next;

		list_remove(node);
		list_append(to, node);
	}
}

/* The first link of the list, taken off it, or NULL. */
static wire_link *pop(struct watch_node *head)
{
	struct watch_node *node;

	pthread_mutex_lock(&watch.lock);
	node = head->next;
	if (node != head)
		list_remove(node);
	pthread_mutex_unlock(&watch.lock);
	return node != head ? (wire_link *)(void *)node : NULL;
}

static void place_locked(wire_link *link, uint32_t ms)
{
	uint64_t ticks = 1 + ms / TICK_MS;

	assert(ticks < SLOTS);
	list_append(&watch.slots[(watch.tick + ticks) % SLOTS], &link->node);
}

static void look_at(wire_link *link)
{
	uint32_t ms = link_check(link);
	bool done;

	pthread_mutex_lock(&watch.lock);
	done = link->unwatched;
	if (!done)
		place_locked(link, ms);
	pthread_mutex_unlock(&watch.lock);
	if (done)
		wire_link_release(&link);
}

static void turn(void)
{
	uint64_t until = wire_now_ms() / TICK_MS;
	struct watch_node due;
	wire_link *link;

	pthread_mutex_lock(&watch.lock);
	/* After a standstill one round sees every link. */
	if (until - watch.tick > SLOTS)
		watch.tick = until - SLOTS;
	while (watch.tick < until) {
		watch.tick++;
		list_move(&watch.slots[watch.tick % SLOTS], &due);
		pthread_mutex_unlock(&watch.lock);
		while ((link = pop(&due)) != NULL)
			look_at(link);
		pthread_mutex_lock(&watch.lock);
	}
	pthread_mutex_unlock(&watch.lock);
}

static void dig(void)
{
	wire_link *link;

	while ((link = pop(&watch.graves)) != NULL)
		link_free(link);
}

/* True while links exist; after the tick. */
static bool await_tick(void)
{
	uint64_t due_ms = wire_now_ms() + TICK_MS;
	bool goes_on;

	pthread_mutex_lock(&watch.lock);
	goes_on = watch.live > 0;
	while (goes_on && thread_wait_until(&watch.quiet, &watch.lock, due_ms))
		;
	if (!goes_on) {
		watch.turning = false;
		pthread_cond_broadcast(&watch.quiet);
	}
	pthread_mutex_unlock(&watch.lock);
	return goes_on;
}

static void *run(void *arg)
{
	(void)arg;
	while (await_tick()) {
		turn();
		dig();
	}
	return NULL;
}

static void init_once(void)
{
	for (size_t i = 0; i < SLOTS; i++)
		list_init(&watch.slots[i]);
	list_init(&watch.graves);
	thread_condition_init(&watch.quiet);
}

/* Nobody joins the thread: it ends by itself, and wire_drain waits for that. */
static bool start_locked(void)
{
	pthread_t thread;

	watch.tick = wire_now_ms() / TICK_MS;
	if (!thread_start(&thread, run, NULL))
		return false;
	pthread_detach(thread);
	watch.turning = true;
	return true;
}

enum wire_error watch_born(void)
{
	enum wire_error err = WIRE_OK;

	pthread_once(&watch.once, init_once);
	pthread_mutex_lock(&watch.lock);
	if (watch.turning || start_locked())
		watch.live++;
	else
		err = WIRE_NO_MEMORY;
	pthread_mutex_unlock(&watch.lock);
	return err;
}

void watch_ends(void)
{
	pthread_mutex_lock(&watch.lock);
	watch.ending++;
	pthread_mutex_unlock(&watch.lock);
}

void watch_died(bool has_ended)
{
	pthread_mutex_lock(&watch.lock);
	assert(watch.live > 0 && (!has_ended || watch.ending > 0));
	watch.live--;
	if (has_ended && --watch.ending == 0)
		pthread_cond_broadcast(&watch.quiet);
	pthread_mutex_unlock(&watch.lock);
}

void watch_add(wire_link *link)
{
	wire_link_retain(link);
	pthread_mutex_lock(&watch.lock);
	place_locked(link, TICK_MS);
	pthread_mutex_unlock(&watch.lock);
}

void watch_remove(wire_link *link)
{
	bool listed;

	pthread_mutex_lock(&watch.lock);
	/* Not listed: look_at has it in hand and sees the flag, or it was never added. */
	listed = link->node.next != NULL;
	link->unwatched = true;
	if (listed)
		list_remove(&link->node);
	pthread_mutex_unlock(&watch.lock);
	if (listed)
		wire_link_release(&link);
}

void watch_soon(wire_link *link)
{
	pthread_mutex_lock(&watch.lock);
	/* Not listed: being looked at, and about to be put in its new place. */
	if (link->node.next != NULL) {
		list_remove(&link->node);
		place_locked(link, SOON_MS);
	}
	pthread_mutex_unlock(&watch.lock);
}

void watch_bury(wire_link *link)
{
	pthread_mutex_lock(&watch.lock);
	list_append(&watch.graves, &link->node);
	pthread_mutex_unlock(&watch.lock);
}

/* Links of others in the process go on, and the thread with them; with the last link it ends, and that is waited for:
 * the code may be unloaded after. */
static bool is_drained_locked(void)
{
	return watch.ending == 0 && (watch.live > 0 || !watch.turning);
}

bool wire_drain(uint32_t timeout_ms)
{
	uint64_t until_ms = wire_now_ms() + timeout_ms;
	bool drained;

	pthread_once(&watch.once, init_once);
	pthread_mutex_lock(&watch.lock);
	while (!is_drained_locked() && thread_wait_until(&watch.quiet, &watch.lock, until_ms))
		;
	drained = is_drained_locked();
	pthread_mutex_unlock(&watch.lock);
	return drained;
}
