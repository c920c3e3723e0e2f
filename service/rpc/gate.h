#ifndef LK_RPC_GATE_H
#define LK_RPC_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Lets an event be logged once a second: what befalls every call must not fill the disk. Zeroed: open. Any thread. */
struct gate {
	_Atomic uint64_t opens_at_ms;
	_Atomic uint64_t held_back;
};

#define GATE_PERIOD_MS 1000

/* True: log it now, and say that *ret_held_back others were not. now_ms is monotonic. */
bool gate_pass(struct gate *g, uint64_t now_ms, uint64_t *ret_held_back);

#endif
