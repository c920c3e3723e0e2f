#ifndef LK_WIRE_TICKER_H
#define LK_WIRE_TICKER_H

#include <stdint.h>

/* Calls one function every period, from a library thread, never two at once; corked like an event. Deadlines are kept
 * by sweeping on a tick, so that starting and ending a call costs no timer. */
typedef struct wire_ticker wire_ticker;

/* period_ms 1..60000. NULL when memory is out. The first tick comes after one period. */
wire_ticker *wire_ticker_start(uint32_t period_ms, void (*tick)(void *owner), void *owner)
    __attribute__((warn_unused_result));

/* Returns when no tick runs and none will. Frees and nulls *t; accepts NULL in it. Not from within the tick. */
void wire_ticker_stop(wire_ticker **t);

/* Monotonic time; comparable with CLOCK_MONOTONIC. */
uint64_t wire_now_ms(void);
uint64_t wire_now_ns(void);

#endif
