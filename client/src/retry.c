#include "retry.h"

#include <assert.h>

#define ONE_RETRY	100U
#define FLOOR_REFILL_MS 1000U

static uint64_t doubled(uint64_t base, uint32_t times, uint64_t max)
{
	uint64_t bound = base;

	while (times-- > 0 && bound < max)
		bound *= 2;
	return bound < max ? bound : max;
}

void retry_budget_init(struct retry_budget *budget, uint32_t percent, uint64_t now_ms)
{
	assert(percent >= 1 && percent <= 100);
	*budget = (struct retry_budget){
	    .percent = percent, .credit = RETRY_BUDGET_FLOOR * ONE_RETRY, .refilled_at_ms = now_ms};
}

void retry_budget_earn(struct retry_budget *budget)
{
	budget->credit += budget->percent;
	if (budget->credit > RETRY_BUDGET_MAX * ONE_RETRY)
		budget->credit = RETRY_BUDGET_MAX * ONE_RETRY;
}

static void refill(struct retry_budget *budget, uint64_t now_ms)
{
	uint64_t periods = now_ms > budget->refilled_at_ms ? (now_ms - budget->refilled_at_ms) / FLOOR_REFILL_MS : 0;
	uint64_t room;

	budget->refilled_at_ms += periods * FLOOR_REFILL_MS;
	if (budget->credit >= RETRY_BUDGET_FLOOR * ONE_RETRY)
		return;
	room = RETRY_BUDGET_FLOOR * ONE_RETRY - budget->credit;
	budget->credit += (uint32_t)(periods > room / ONE_RETRY ? room : periods * ONE_RETRY);
}

bool retry_budget_spend(struct retry_budget *budget, uint64_t now_ms)
{
	refill(budget, now_ms);
	if (budget->credit < ONE_RETRY)
		return false;
	budget->credit -= ONE_RETRY;
	return true;
}

uint64_t retry_delay_ms(uint32_t failed, uint32_t retry_after_ms, uint64_t random)
{
	assert(failed >= 1);
	return retry_after_ms + random % (doubled(RETRY_DELAY_MS_BASE, failed - 1, RETRY_DELAY_MS_MAX) + 1);
}

uint64_t redial_delay_ms(uint32_t failures, uint64_t random)
{
	uint64_t bound;

	assert(failures >= 1);
	bound = doubled(REDIAL_DELAY_MS_BASE, failures - 1, REDIAL_DELAY_MS_MAX);
	return bound / 2 + random % (bound / 2 + 1);
}

uint64_t random_next(uint64_t *state)
{
	uint64_t z;

	*state += 0x9e3779b97f4a7c15U;
	z = *state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}
