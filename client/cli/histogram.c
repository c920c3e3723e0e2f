/* Log-linear: below 2^(BITS + 1) each value has its slot; above, each power of two has 2^BITS slots of equal width. */

#include "histogram.h"

#include <assert.h>

static size_t slot_of(uint64_t value)
{
	const uint64_t kept = value < HISTOGRAM_VALUE_MAX ? value : HISTOGRAM_VALUE_MAX;
	unsigned shift;

	if (kept < UINT64_C(2) << HISTOGRAM_BITS)
		return (size_t)kept;
	shift = 63 - (unsigned)__builtin_clzll(kept) - HISTOGRAM_BITS;
	return ((size_t)shift << HISTOGRAM_BITS) + (size_t)(kept >> shift);
}

static uint64_t largest_of(size_t slot)
{
	unsigned shift;

	if (slot < (size_t)2 << HISTOGRAM_BITS)
		return slot;
	shift = (unsigned)(slot >> HISTOGRAM_BITS) - 1;
	return ((slot - ((size_t)shift << HISTOGRAM_BITS) + 1) << shift) - 1;
}

static uint64_t count_at(const struct histogram *h, size_t slot)
{
	return atomic_load_explicit(&h->counts[slot], memory_order_relaxed);
}

/* What the values of the slot count as: none was larger. */
static uint64_t value_at(const struct histogram *h, size_t slot)
{
	const uint64_t max = atomic_load_explicit(&h->max, memory_order_relaxed);
	const uint64_t largest = largest_of(slot);

	return largest < max ? largest : max;
}

static void raise_max(struct histogram *h, uint64_t value)
{
	uint64_t max = atomic_load_explicit(&h->max, memory_order_relaxed);

	while (value > max &&
	       !atomic_compare_exchange_weak_explicit(&h->max, &max, value, memory_order_relaxed, memory_order_relaxed))
		;
}

void histogram_add(struct histogram *h, uint64_t value, uint64_t times)
{
	(void)atomic_fetch_add_explicit(&h->counts[slot_of(value)], times, memory_order_relaxed);
	raise_max(h, value);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (size_t i = 0; i < HISTOGRAM_SLOTS; i++)
		(void)atomic_fetch_add_explicit(&into->counts[i], count_at(from, i), memory_order_relaxed);
	raise_max(into, atomic_load_explicit(&from->max, memory_order_relaxed));
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t count = 0;

	for (size_t i = 0; i < HISTOGRAM_SLOTS; i++)
		count += count_at(h, i);
	return count;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
	const double wanted = share * (double)histogram_count(h);
	uint64_t passed = 0;

	assert(share >= 0 && share <= 1);
	for (size_t i = 0; i < HISTOGRAM_SLOTS; i++) {
		passed += count_at(h, i);
		if (passed > 0 && (double)passed >= wanted)
			return value_at(h, i);
	}
	return 0;
}

void histogram_correct(struct histogram *into, const struct histogram *from, uint64_t interval)
{
	assert(interval > 0);
	for (size_t i = 0; i < HISTOGRAM_SLOTS; i++) {
		const uint64_t count = count_at(from, i);

		if (count == 0)
			continue;
		for (uint64_t missed = value_at(from, i); missed >= 2 * interval;) {
			missed -= interval;
			histogram_add(into, missed, count);
		}
	}
	histogram_merge(into, from);
}
