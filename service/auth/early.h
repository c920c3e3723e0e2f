#ifndef LK_AUTH_EARLY_H
#define LK_AUTH_EARLY_H

/* Probabilistic early refresh ("XFetch"): Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede
 * Prevention", PVLDB 8(8), 2015. An answer that took D to load is refreshed when now - D * beta * ln(random) is at or
 * beyond its end, random in (0, 1]: the later, and the dearer to load, the likelier. */

#include <stdint.h>

/* -beta * ln(random) in millionths; random: 64 bits. At most 45 times beta. */
uint64_t early_factor(uint32_t beta_percent, uint64_t random);

#endif
