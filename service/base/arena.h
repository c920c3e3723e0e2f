#ifndef LK_BASE_ARENA_H
#define LK_BASE_ARENA_H

#include "base/block_pool.h"
#include "base/span.h"

/* Bump allocation with a hard cap, freed as a whole. One owner at a time; not thread-safe.
 *
 * An arena lives at the head of its own first block, so that a request with all that belongs to it costs one malloc
 * in the common case. When the cap is reached, or memory is out, arena_alloc returns NULL and the arena stays usable:
 * the caller refuses the request. */
typedef struct arena arena;

/* first_bytes: usable bytes of the first block. cap_bytes: over all blocks. Returns NULL when memory is out. */
arena *arena_new(size_t first_bytes, size_t cap_bytes) __attribute__((warn_unused_result));

/* The first block is one of the pool's, with as much usable as that has, if first_bytes fit into one. */
arena *arena_new_from(block_pool *pool, size_t first_bytes, size_t cap_bytes) __attribute__((warn_unused_result));

/* Frees and nulls *a; accepts NULL in it. Wipes every block: requests carry tokens and attributes. */
void arena_free(arena **a);

/* Gives everything back but the first block, which is wiped and kept: for a loop that needs the same little memory again
 * and again. What was allocated before is gone. */
void arena_reset(arena *a);

/* Zeroed memory, aligned for any type. NULL beyond the cap. bytes may be 0: a valid pointer comes back. */
void *arena_alloc(arena *a, size_t bytes) __attribute__((warn_unused_result));

/* As arena_alloc for an array; NULL also when the product overflows. */
void *arena_array(arena *a, size_t count, size_t bytes_each) __attribute__((warn_unused_result));

/* Copies; *ret is untouched on failure. */
bool arena_copy(arena *a, span s, span *ret) __attribute__((warn_unused_result));

/* printf into the arena. The span excludes the terminating NUL, which is there. SPAN_EMPTY beyond the cap. */
span arena_printf(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What is left of the block in use, zeroed, for who writes from the end to the front and does not know yet how much it will
 * be. It is his with arena_keep_end only, before anything else is allocated; what he wrote and does not keep he clears. */
uint8_t *arena_rest(const arena *a, size_t *ret_len);
void arena_keep_end(arena *a, size_t bytes);

/* Bytes handed out so far, with alignment. */
size_t arena_used(const arena *a);

#endif
