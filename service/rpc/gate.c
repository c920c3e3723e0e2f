#include "rpc/gate.h"

bool gate_pass(struct gate *g, uint64_t now_ms, uint64_t *ret_held_back)
{
	uint64_t opens_at_ms = atomic_load_explicit(&g->opens_at_ms, memory_order_relaxed);

	if (now_ms < opens_at_ms ||
	    !atomic_compare_exchange_strong_explicit(&g->opens_at_ms, &opens_at_ms, now_ms + GATE_PERIOD_MS,
						     memory_order_relaxed, memory_order_relaxed)) {
		atomic_fetch_add_explicit(&g->held_back, 1, memory_order_relaxed);
		return false;
	}
	*ret_held_back = atomic_exchange_explicit(&g->held_back, 0, memory_order_relaxed);
	return true;
}
