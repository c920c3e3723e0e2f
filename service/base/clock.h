#ifndef LK_BASE_CLOCK_H
#define LK_BASE_CLOCK_H

#include <stdint.h>

/* Unix time in ms: what tokens, records and tombstones hold. May jump. */
uint64_t clock_wall_ms(void);

/* Monotonic ms since an arbitrary moment: what deadlines and timeouts are measured by. */
uint64_t clock_mono_ms(void);

/* Monotonic microseconds, for measuring how long something took. */
uint64_t clock_mono_us(void);

#endif
