#ifndef LK_BASE_COPIES_H
#define LK_BASE_COPIES_H

/* Which copy of a counter a thread counts in: for base's own files. */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* nng runs up to 16 threads; which share is no matter of correctness. */
#define COPIES_LOG2	 4
#define COPIES		 (1U << COPIES_LOG2)
#define CACHE_LINE_BYTES 64

/* The address of a thread's descriptor, well mixed. */
static inline size_t copy_of_thread(void)
{
	return (uint64_t)pthread_self() * 0x9e3779b97f4a7c15U >> (64 - COPIES_LOG2);
}

#endif
