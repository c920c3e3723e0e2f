#include "redis/ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "redis/slot.h"

/* What malloc keeps beside each block, and rounds up by on average. */
#define ALLOCATOR_BYTES 16

struct entry *entry_new(const struct store_command *redo, uint16_t slot)
{
	size_t bytes = offsetof(struct entry, redo) + packed_bytes(redo);
	struct entry *e;

	if (bytes > UINT32_MAX - ALLOCATOR_BYTES)
		return NULL;
	e = malloc(bytes < sizeof(*e) ? sizeof(*e) : bytes);
	if (e == NULL)
		return NULL;
	memset(e, 0, offsetof(struct entry, redo));
	e->holders = 1;
	e->bytes = (uint32_t)bytes + ALLOCATOR_BYTES;
	e->slot = slot;
	e->strand = slot_of_key(redo->key);
	packed_write(redo, &e->redo);
	return e;
}

void entry_release(struct entry *e, struct entry **garbage)
{
	assert(e->holders > 0);
	if (--e->holders > 0)
		return;
	e->next = *garbage;
	*garbage = e;
}

void entry_free_all(struct entry *garbage)
{
	while (garbage != NULL) {
		struct entry *next = garbage->next;

		free(garbage);
		garbage = next;
	}
}

static void push(struct ledger *l, struct origin *o, struct entry *e)
{
	e->origin = o;
	e->put_ms = o->clock_ms + (l->now_ms - o->looked_ms);
	e->prev = o->last;
	e->next = NULL;
	if (o->last == NULL)
		o->first = e;
	else
		o->last->next = e;
	o->last = e;
	l->entries++;
	l->bytes += e->bytes;
}

static void unlink_entry(struct ledger *l, struct entry *e)
{
	struct origin *o = e->origin;

	assert(o != NULL);
	if (e->prev == NULL)
		o->first = e->next;
	else
		e->prev->next = e->next;
	if (e->next == NULL)
		o->last = e->prev;
	else
		e->next->prev = e->prev;
	e->origin = NULL;
	l->entries--;
	l->bytes -= e->bytes;
}

static void drop(struct ledger *l, struct entry *e, struct entry **garbage)
{
	unlink_entry(l, e);
	entry_release(e, garbage);
}

bool origin_is(const struct origin *o, struct journal_origin name)
{
	return o->name.node == name.node && o->name.tenure == name.tenure;
}

struct origin *ledger_origin(struct ledger *l, struct journal_origin name)
{
	struct origin *o = l->origins;

	while (o != NULL && !origin_is(o, name))
		o = o->next;
	if (o != NULL)
		return o;
	for (o = l->origins; o != NULL; o = o->next)
		if (o->first == NULL && o->pins == 0)
			break;
	if (o == NULL) {
		o = calloc(1, sizeof(*o));
		if (o == NULL)
			return NULL;
		o->next = l->origins;
		l->origins = o;
	}
	o->name = name;
	o->looked_ms = l->now_ms;
	return o;
}

static struct entry *oldest(const struct ledger *l)
{
	struct entry *found = NULL;

	for (const struct origin *o = l->origins; o != NULL; o = o->next)
		if (o->first != NULL && (found == NULL || o->first->number < found->number))
			found = o->first;
	return found;
}

static void make_room(struct ledger *l, struct entry **garbage)
{
	while (l->bytes > l->bytes_max) {
		drop(l, oldest(l), garbage);
		l->dropped++;
	}
}

void ledger_put(struct ledger *l, struct origin *o, struct entry *e, uint64_t lifetime_ms, struct entry **garbage)
{
	e->ends_ms = lifetime_ms > UINT64_MAX - l->now_ms ? UINT64_MAX : l->now_ms + lifetime_ms;
	e->number = ++l->puts;
	push(l, o, e);
	make_room(l, garbage);
}

void ledger_hand_over(struct ledger *l, struct entry *e, struct origin *to)
{
	if (e->origin == NULL)
		return;
	unlink_entry(l, e);
	push(l, to, e);
}

static bool is_over(const struct ledger *l, const struct entry *e)
{
	assert(e->origin != NULL);
	return e->origin->clock_ms >= e->put_ms + l->window_ms || l->now_ms >= e->ends_ms;
}

void ledger_expire(struct ledger *l, struct origin *o, bool is_trusted, struct entry **garbage)
{
	if (is_trusted)
		o->clock_ms += l->now_ms - o->looked_ms;
	o->looked_ms = l->now_ms;
	while (o->first != NULL && is_over(l, o->first))
		drop(l, o->first, garbage);
}

void ledger_clear(struct ledger *l)
{
	while (l->origins != NULL) {
		struct origin *o = l->origins;

		l->origins = o->next;
		entry_free_all(o->first);
		free(o);
	}
}
