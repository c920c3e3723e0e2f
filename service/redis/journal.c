/* The journal: a ledger of entries, and replays, which are pipelines over some of them.
 *
 *   journal --> ledger --> origins --> entries
 *           --> replay --> strands, each a stretch of the replay's own list of entries
 *                      --> flights: operations under way, at most JOURNAL_IN_FLIGHT
 *
 * Strands. Commands of one hash tag must stay in order, those of different tags need not. A strand holds what shares a
 * slot by CRC16, in every mode: with 256 of 16384 in flight few have to wait for a stranger. A strand is ready (in a
 * queue), in flight, pausing after `again` (in another queue), or at its end. One thread at a time sends what is ready,
 * in a loop: a submit that answers at once only makes its strand ready again, so the stack does not grow.
 *
 * Ownership. An entry is held by its origin's list and by each replay it is part of, and goes with the last of them. A
 * replay frees itself before it says that it is done; it is the sending thread that finds out, so nobody else can be at
 * it then.
 *
 * One lock covers everything. is_wanted, is_trusted, submit and done are called without it. There is no clock here: now
 * is the latest time that any call brought. */

#include "redis/journal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "redis/ledger.h"
#include "redis/slot.h"
#include "redis/verdict.h"

struct strand {
	struct strand *next; /* in a queue */
	size_t at;	     /* the entry to be sent, or under way */
	size_t end;
	uint32_t agains; /* in a row */
	uint64_t due_ms; /* while it pauses */
};

struct strands {
	struct strand *first;
	struct strand *last;
};

struct flight {
	struct store_op op;
	struct flight *next; /* while it is free */
	struct replay *replay;
	struct strand *strand;
};

struct replay {
	struct replay *next;
	journal *journal;
	struct journal_replay task;
	struct origin *origin;
	uint64_t number;
	bool is_sending;
	size_t carried_out;
	size_t failed;
	size_t count;
	struct entry **entries; /* by strand, then by number; held until they are settled */
	struct strand *strands;
	struct strands ready;
	struct strands pausing;
	struct flight *flights;
	struct flight *free_flights;
};

struct journal {
	pthread_mutex_t lock;
	struct ledger ledger;
	uint64_t replay_count;
	struct replay *replays;
};

journal *journal_new(uint32_t window_ms, size_t bytes_max)
{
	journal *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->ledger = (struct ledger){.window_ms = window_ms, .bytes_max = bytes_max};
	pthread_mutex_init(&j->lock, NULL);
	return j;
}

static void lock_at(journal *j, uint64_t now_ms)
{
	pthread_mutex_lock(&j->lock);
	if (now_ms > j->ledger.now_ms)
		j->ledger.now_ms = now_ms;
}

bool journal_put(journal *j, const struct store_command *redo, uint16_t slot, struct journal_origin origin,
		 uint64_t lifetime_ms, uint64_t now_ms)
{
	struct entry *garbage = NULL;
	struct entry *e;
	struct origin *o;

	assert(slot < SLOTS);
	if (j->ledger.window_ms == 0)
		return true;
	e = entry_new(redo, slot);
	lock_at(j, now_ms);
	o = e == NULL || e->bytes > j->ledger.bytes_max ? NULL : ledger_origin(&j->ledger, origin);
	if (o != NULL)
		ledger_put(&j->ledger, o, e, lifetime_ms, &garbage);
	else
		j->ledger.dropped++;
	pthread_mutex_unlock(&j->lock);
	if (o == NULL)
		free(e);
	entry_free_all(garbage);
	return o != NULL;
}

void journal_expire(journal *j, bool (*is_trusted)(void *owner, struct journal_origin origin), void *owner,
		    uint64_t now_ms)
{
	struct entry *garbage = NULL;

	lock_at(j, now_ms);
	for (struct origin *o = j->ledger.origins; o != NULL; o = o->next) {
		struct journal_origin name = o->name;
		bool may_age = true;

		if (o->first != NULL) {
			pthread_mutex_unlock(&j->lock);
			may_age = is_trusted(owner, name);
			pthread_mutex_lock(&j->lock);
		}
		/* Meanwhile it may have been given to another. */
		if (origin_is(o, name))
			ledger_expire(&j->ledger, o, may_age, &garbage);
	}
	pthread_mutex_unlock(&j->lock);
	entry_free_all(garbage);
}

static void append(struct strands *strands, struct strand *strand)
{
	strand->next = NULL;
	if (strands->last == NULL)
		strands->first = strand;
	else
		strands->last->next = strand;
	strands->last = strand;
}

static struct strand *take_first(struct strands *strands)
{
	struct strand *strand = strands->first;

	strands->first = strand->next;
	if (strands->first == NULL)
		strands->last = NULL;
	return strand;
}

static void free_replay(struct replay *r)
{
	free(r->entries);
	free(r->strands);
	free(r->flights);
	free(r);
}

/* Lock held. */
static void unlink_replay(struct replay *r)
{
	struct replay **at = &r->journal->replays;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->origin->pins--;
}

/* It is linked no more, and nothing of it under way. */
static void finish(struct replay *r)
{
	struct journal_replay task = r->task;
	size_t carried_out = r->carried_out;
	size_t failed = r->failed;

	free_replay(r);
	task.done(task.owner, carried_out, failed);
}

enum answer { CARRIED_OUT, AGAIN, FAILED };

static enum answer answer_of(const struct store_result *result)
{
	const struct store_reply *reply = result->reply;

	if (result->outcome == STORE_OVERLOADED)
		return AGAIN;
	/* Replicas that have yet to follow their new primary, for one. */
	if (result->outcome == STORE_REFUSED && verdict_of(reply).action != VERDICT_FINAL)
		return AGAIN;
	if (result->outcome != STORE_REPLIED || result->is_late)
		return FAILED;
	if (reply->type != STORE_STATUS && reply->type != STORE_STRING)
		return CARRIED_OUT;
	if (span_eq(reply->string, SPAN_LIT("again")))
		return AGAIN;
	return span_eq(reply->string, SPAN_LIT("conflict")) ? FAILED : CARRIED_OUT;
}

/* A later replay, to the primary after this one, has the last word on whose an entry is. */
static void hand_over(struct replay *r, struct entry *e)
{
	if (e->settled_by > r->number)
		return;
	e->settled_by = r->number;
	ledger_hand_over(&r->journal->ledger, e, r->origin);
}

/* The strand's entry was answered. Once patience is over it stays so until something of the strand succeeds: what builds on
 * the first that is missing would only wait for the same. */
static void settle(struct replay *r, struct strand *strand, enum answer answer, struct entry **garbage)
{
	struct entry *e = r->entries[strand->at];

	if (answer == AGAIN && strand->agains < JOURNAL_AGAIN_MAX) {
		strand->agains++;
		strand->due_ms = r->journal->ledger.now_ms + JOURNAL_AGAIN_MS;
		append(&r->pausing, strand);
		return;
	}
	if (answer == CARRIED_OUT) {
		strand->agains = 0;
		r->carried_out++;
		hand_over(r, e);
	} else {
		r->failed++;
	}
	entry_release(e, garbage);
	strand->at++;
	if (strand->at < strand->end)
		append(&r->ready, strand);
}

static void on_done(struct store_op *op, const struct store_result *result);

static struct flight *take_off(struct replay *r)
{
	struct strand *strand = take_first(&r->ready);
	struct flight *f = r->free_flights;

	r->free_flights = f->next;
	f->strand = strand;
	f->op = (struct store_op){.deadline_ms = r->task.deadline_ms, .done = on_done};
	packed_read(&r->entries[strand->at]->redo, &f->op.command);
	return f;
}

/* Sends what is ready, unless another thread does, which then finds what is ready now as well. Called with the lock,
 * returns without it. r may be gone then. */
static void send_ready(struct replay *r)
{
	journal *j = r->journal;
	bool is_done;

	if (r->is_sending) {
		pthread_mutex_unlock(&j->lock);
		return;
	}
	r->is_sending = true;
	while (r->ready.first != NULL && r->free_flights != NULL) {
		struct flight *f = take_off(r);

		pthread_mutex_unlock(&j->lock);
		r->task.submit(r->task.owner, &f->op);
		pthread_mutex_lock(&j->lock);
	}
	r->is_sending = false;
	is_done = r->carried_out + r->failed == r->count;
	if (is_done)
		unlink_replay(r);
	pthread_mutex_unlock(&j->lock);
	if (is_done)
		finish(r);
}

static void on_done(struct store_op *op, const struct store_result *result)
{
	struct flight *f = (struct flight *)op;
	struct replay *r = f->replay;
	enum answer answer = answer_of(result);
	struct entry *garbage = NULL;

	_Static_assert(offsetof(struct flight, op) == 0, "an operation is its flight's beginning");
	pthread_mutex_lock(&r->journal->lock);
	f->next = r->free_flights;
	r->free_flights = f;
	settle(r, f->strand, answer, &garbage);
	send_ready(r);
	entry_free_all(garbage);
}

static bool is_part(const journal *j, const struct entry *e, const bool is_wanted[SLOTS])
{
	return is_wanted[e->slot] && j->ledger.now_ms < e->ends_ms;
}

/* Memory for `count` entries, each in a strand of its own at worst. */
static bool allocate(struct replay *r)
{
	size_t strands = r->count < SLOTS ? r->count : SLOTS;
	size_t flights = r->count < JOURNAL_IN_FLIGHT ? r->count : JOURNAL_IN_FLIGHT;

	/* calloc(0) may give NULL. */
	r->entries = calloc(r->count + 1, sizeof(r->entries[0]));
	r->strands = calloc(strands + 1, sizeof(r->strands[0]));
	r->flights = calloc(flights + 1, sizeof(r->flights[0]));
	for (size_t i = 0; r->flights != NULL && i < flights; i++) {
		r->flights[i].replay = r;
		r->flights[i].next = r->free_flights;
		r->free_flights = &r->flights[i];
	}
	return r->entries != NULL && r->strands != NULL && r->flights != NULL;
}

/* False when memory is out; nothing is held then. Lock held. */
static bool collect(struct replay *r, const bool is_wanted[SLOTS])
{
	journal *j = r->journal;
	size_t i = 0;

	for (const struct origin *o = j->ledger.origins; o != NULL; o = o->next)
		for (const struct entry *e = o->first; e != NULL; e = e->next)
			r->count += is_part(j, e, is_wanted);
	r->origin = ledger_origin(&j->ledger, r->task.origin);
	if (r->origin == NULL || !allocate(r))
		return false;
	for (const struct origin *o = j->ledger.origins; o != NULL; o = o->next)
		for (struct entry *e = o->first; e != NULL; e = e->next)
			if (is_part(j, e, is_wanted)) {
				e->holders++;
				r->entries[i++] = e;
			}
	r->origin->pins++;
	r->number = ++j->replay_count;
	return true;
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = *(struct entry *const *)left;
	const struct entry *b = *(struct entry *const *)right;

	if (a->strand != b->strand)
		return a->strand < b->strand ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

static void make_strands(struct replay *r)
{
	struct strand *strand = r->strands;

	qsort(r->entries, r->count, sizeof(r->entries[0]), compare);
	for (size_t i = 0; i < r->count; i++) {
		bool is_first = i == 0 || r->entries[i]->strand != r->entries[i - 1]->strand;

		if (is_first && i > 0)
			strand++;
		if (is_first) {
			strand->at = i;
			append(&r->ready, strand);
		}
		strand->end = i + 1;
	}
}

/* NULL when memory is out. Not linked yet, so nobody else sees it. */
static struct replay *replay_new(journal *j, const struct journal_replay *task, const bool is_wanted[SLOTS],
				 uint64_t now_ms)
{
	struct replay *r = calloc(1, sizeof(*r));
	bool has_memory;

	if (r == NULL)
		return NULL;
	r->journal = j;
	r->task = *task;
	lock_at(j, now_ms);
	has_memory = collect(r, is_wanted);
	pthread_mutex_unlock(&j->lock);
	if (!has_memory) {
		free_replay(r);
		return NULL;
	}
	make_strands(r);
	return r;
}

void journal_replay(journal *j, const struct journal_replay *replay, uint64_t now_ms)
{
	bool is_wanted[SLOTS];
	struct journal_state state;
	struct replay *r;

	for (uint16_t slot = 0; slot < SLOTS; slot++)
		is_wanted[slot] = replay->is_wanted(replay->owner, slot);
	r = replay_new(j, replay, is_wanted, now_ms);
	if (r == NULL) {
		journal_get_state(j, &state);
		replay->done(replay->owner, 0, state.entries);
		return;
	}
	pthread_mutex_lock(&j->lock);
	r->next = j->replays;
	j->replays = r;
	send_ready(r);
}

/* True: strands have become ready. Lock held. */
static bool wake(struct replay *r)
{
	bool has_woken = false;

	while (r->pausing.first != NULL && r->pausing.first->due_ms <= r->journal->ledger.now_ms) {
		append(&r->ready, take_first(&r->pausing));
		has_woken = true;
	}
	return has_woken;
}

void journal_tick(journal *j, uint64_t now_ms)
{
	struct replay *r;

	lock_at(j, now_ms);
	r = j->replays;
	while (r != NULL) {
		if (!wake(r)) {
			r = r->next;
			continue;
		}
		send_ready(r);
		/* The list may be another by now. */
		pthread_mutex_lock(&j->lock);
		r = j->replays;
	}
	pthread_mutex_unlock(&j->lock);
}

void journal_get_state(journal *j, struct journal_state *ret)
{
	pthread_mutex_lock(&j->lock);
	*ret = (struct journal_state){
	    .entries = j->ledger.entries,
	    .bytes = j->ledger.bytes,
	    .dropped = j->ledger.dropped,
	};
	pthread_mutex_unlock(&j->lock);
}

void journal_free(journal **j)
{
	journal *old = *j;

	if (old == NULL)
		return;
	*j = NULL;
	assert(old->replays == NULL);
	ledger_clear(&old->ledger);
	pthread_mutex_destroy(&old->lock);
	free(old);
}
