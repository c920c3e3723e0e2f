#include "auth/early.h"

#include <math.h>

#define RANDOM_BITS 53 /* as many as a double holds exactly */

uint64_t early_factor(uint32_t beta_percent, uint64_t random)
{
	const double uniform = (double)((random >> (64 - RANDOM_BITS)) + 1) / (double)(1ULL << RANDOM_BITS);

	return (uint64_t)(-log(uniform) * beta_percent * 10000.0);
}
