/* An entry is in the list from pending_add until its command was carried out or its time is up; while it is being tried,
 * its operation is the store's and it stays where it is. Only the tick takes entries off the list. */

#include "redis/pending.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "redis/packed.h"

/* Redis looks twice a second or so at whether it can save again. */
#define AGAIN_MS 500U
/* Of one try. */
#define TRY_MS 2000U
/* The list is looked through so often, and so many are tried then: 10 k a second, far below what Redis does. */
#define SWEEP_MS  100U
#define SWEEP_MAX 1024U

enum entry_fate { ENTRY_DUE, ENTRY_TRIED, ENTRY_OVER };

struct entry {
	struct store_op op; /* first: that is how `done` finds the rest */
	struct pending *pending;
	struct entry *next;
	struct entry *next_due; /* the tick's */
	enum entry_fate fate;
	uint64_t due_ms;
	uint64_t until_ms;
	struct packed *command;
};

struct pending {
	const struct store *store;
	pthread_mutex_t lock;
	struct entry *first;
	struct entry **end;
	uint32_t count;
	uint64_t swept_ms; /* the tick's */
};

struct pending *pending_new(const struct store *store)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->store = store;
	p->end = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

static void free_entry(struct entry *e)
{
	free(e->command);
	free(e);
}

static struct entry *new_entry(struct pending *p, const struct store_command *redo)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->pending = p;
	e->command = malloc(packed_bytes(redo));
	if (e->command == NULL) {
		free(e);
		return NULL;
	}
	packed_write(redo, e->command);
	return e;
}

size_t pending_count(struct pending *p)
{
	size_t count;

	pthread_mutex_lock(&p->lock);
	count = p->count;
	pthread_mutex_unlock(&p->lock);
	return count;
}

bool pending_add(struct pending *p, const struct store_command *redo, uint64_t lifetime_ms, uint64_t now_ms)
{
	struct entry *e = new_entry(p, redo);
	bool has_room = false;

	pthread_mutex_lock(&p->lock);
	if (e != NULL && p->count < PENDING_MAX) {
		has_room = true;
		e->due_ms = now_ms + AGAIN_MS;
		e->until_ms = now_ms + lifetime_ms;
		*p->end = e;
		p->end = &e->next;
		p->count++;
	}
	pthread_mutex_unlock(&p->lock);
	if (has_room)
		return true;
	metric_add(METRIC_REDIS_JOURNAL_DROPPED, 1);
	if (e != NULL)
		free_entry(e);
	return false;
}

static void on_done(struct store_op *op, const struct store_result *result)
{
	struct entry *e = (struct entry *)op;
	struct pending *p = e->pending;
	const uint64_t now_ms = clock_mono_ms();
	bool is_carried_out = result->outcome == STORE_REPLIED;

	/* Late, or by a primary that is none any more: then it is tried again. */
	if (is_carried_out && now_ms < e->until_ms)
		is_carried_out = store_keep(p->store, op, &op->command, e->until_ms - now_ms);
	pthread_mutex_lock(&p->lock);
	e->fate = is_carried_out ? ENTRY_OVER : ENTRY_DUE;
	e->due_ms = now_ms + AGAIN_MS;
	pthread_mutex_unlock(&p->lock);
}

/* Takes off what is over, and returns what is to be tried now. */
static struct entry *sweep(struct pending *p, uint64_t now_ms)
{
	struct entry **at = &p->first;
	struct entry *due = NULL;
	struct entry **end = &due;
	uint32_t tried = 0;

	pthread_mutex_lock(&p->lock);
	while (*at != NULL) {
		struct entry *e = *at;

		if (e->fate == ENTRY_OVER || (e->fate == ENTRY_DUE && now_ms >= e->until_ms)) {
			*at = e->next;
			p->count--;
			free_entry(e);
			continue;
		}
		if (e->fate == ENTRY_DUE && now_ms >= e->due_ms && tried < SWEEP_MAX) {
			tried++;
			e->fate = ENTRY_TRIED;
			e->next_due = NULL;
			*end = e;
			end = &e->next_due;
		}
		at = &e->next;
	}
	p->end = at;
	pthread_mutex_unlock(&p->lock);
	return due;
}

void pending_tick(struct pending *p, uint64_t now_ms)
{
	struct entry *e;

	if (now_ms < p->swept_ms + SWEEP_MS)
		return;
	p->swept_ms = now_ms;
	e = sweep(p, now_ms);
	while (e != NULL) {
		/* Once submitted it may be swept away. */
		struct entry *next = e->next_due;

		e->op = (struct store_op){.deadline_ms = now_ms + TRY_MS, .done = on_done};
		packed_read(e->command, &e->op.command);
		store_submit(p->store, &e->op);
		e = next;
	}
}

void pending_free(struct pending **p)
{
	struct pending *old = *p;

	if (old == NULL)
		return;
	*p = NULL;
	for (struct entry *e = old->first; e != NULL;) {
		struct entry *next = e->next;

		free_entry(e);
		e = next;
	}
	pthread_mutex_destroy(&old->lock);
	free(old);
}
