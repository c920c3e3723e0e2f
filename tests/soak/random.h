#ifndef LK_SOAK_RANDOM_H
#define LK_SOAK_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood 2014): fast, and the same run again from the same seed. */
struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0..n-1; 0 of 0. */
static inline size_t random_below(struct random *r, size_t n)
{
	return n == 0 ? 0 : (size_t)(random_next(r) % n);
}

#endif
