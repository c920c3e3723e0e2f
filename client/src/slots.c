#include "slots.h"

#include <assert.h>
#include <stdlib.h>

#include "wire/channel.h"

#define SLOT_BITS	16
#define SLOT_MASK	((1U << SLOT_BITS) - 1)
#define GENERATION_MASK 0x7fffU
#define NONE		UINT32_MAX

_Static_assert(LK_IN_FLIGHT_MAX <= SLOT_MASK + 1, "a slot's number must fit into an id");
_Static_assert((WIRE_ID_BIT & (GENERATION_MASK << SLOT_BITS | SLOT_MASK)) == 0, "the top bit is the id's mark");

bool slots_init(struct slots *slots, uint32_t count)
{
	assert(count >= 1 && count <= LK_IN_FLIGHT_MAX);
	*slots = (struct slots){.rows = calloc(count, sizeof(slots->rows[0])), .count = count};
	slots->free_first = NONE;
	slots->free_last = NONE;
	return slots->rows != NULL;
}

void slots_clear(struct slots *slots)
{
	assert(slots->taken == 0);
	free(slots->rows);
	slots->rows = NULL;
}

static uint32_t pop_free(struct slots *slots)
{
	uint32_t slot = slots->free_first;

	slots->free_first = slots->rows[slot].next_free;
	if (slots->free_first == NONE)
		slots->free_last = NONE;
	return slot;
}

bool slots_take(struct slots *slots, lk_call *call, uint32_t *ret_slot)
{
	uint32_t slot;

	if (slots->taken == slots->count)
		return false;
	/* Beyond the turn, a slot used before comes first: the table that is swept stays as small as the load. */
	if (slots->free_first == NONE || (slots->used_end < SLOTS_IN_TURN && slots->used_end < slots->count))
		slot = slots->used_end++;
	else
		slot = pop_free(slots);
	assert(slots->rows[slot].call == NULL);
	slots->rows[slot].call = call;
	slots->taken++;
	*ret_slot = slot;
	return true;
}

void slots_release(struct slots *slots, uint32_t slot)
{
	struct slot *row = &slots->rows[slot];

	assert(slot < slots->used_end && row->call != NULL);
	row->call = NULL;
	row->next_free = NONE;
	if (slots->free_last == NONE)
		slots->free_first = slot;
	else
		slots->rows[slots->free_last].next_free = slot;
	slots->free_last = slot;
	slots->taken--;
}

uint32_t slots_renew(struct slots *slots, uint32_t slot)
{
	struct slot *row = &slots->rows[slot];

	assert(row->call != NULL);
	row->generation = (row->generation + 1) & GENERATION_MASK;
	return WIRE_ID_BIT | (uint32_t)row->generation << SLOT_BITS | slot;
}

lk_call *slots_find(const struct slots *slots, uint32_t id)
{
	uint32_t slot = id & SLOT_MASK;

	if ((id & WIRE_ID_BIT) == 0 || slot >= slots->used_end)
		return NULL;
	if (slots->rows[slot].generation != (id >> SLOT_BITS & GENERATION_MASK))
		return NULL;
	return slots->rows[slot].call;
}
