#ifndef LK_SUPPORT_WAIT_H
#define LK_SUPPORT_WAIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Waiting for a condition, never for a time. Bounds say when to give up on a condition that should have come long ago:
 * they are generous, and cost nothing when all is well. */

/* Sanitizers, two cores and a full test run together make a step that takes 10 ms take a second. */
#define BOUND_MS 20000

uint64_t now_mono_ms(void);
uint64_t now_wall_ms(void);
void nap_ms(uint32_t ms);

/* True as soon as the condition holds; false when it did not within bound_ms. */
#define WAIT_FOR(condition, bound_ms)                                                                                  \
	({                                                                                                             \
		uint64_t wait_until_ms = now_mono_ms() + (bound_ms);                                                   \
		bool wait_holds;                                                                                       \
		while (!(wait_holds = (condition)) && now_mono_ms() < wait_until_ms)                                   \
			nap_ms(2);                                                                                     \
		wait_holds;                                                                                            \
	})

/* Fails the test when the condition does not come to hold. */
#define assert_becomes(condition, bound_ms)                                                                            \
	do {                                                                                                           \
		if (!WAIT_FOR(condition, bound_ms))                                                                    \
			fail_msg("not so within %u ms: %s", (unsigned)(bound_ms), #condition);                         \
	} while (0)

#endif
