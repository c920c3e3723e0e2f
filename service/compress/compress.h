#ifndef LK_COMPRESS_COMPRESS_H
#define LK_COMPRESS_COMPRESS_H

/* zstd for what is sealed, with a dictionary of what sessions usually hold: attributes of 256 bytes shrink by two fifths, a
 * browser's name to a third. Without one, nothing under a kilobyte gains. The only folder that sees zstd. */

#include "base/arena.h"
#include "base/status.h"

/* Below this nothing is tried: a frame has ten bytes of its own. */
#define COMPRESS_BYTES_MIN 32

/* The dictionary in both of zstd's forms, and some contexts of zstd's, which cost more to make than to use. Shared by all
 * threads, without a lock. */
typedef struct compressor compressor;

/* NULL when memory is out. */
compressor *compressor_new(void) MUST_CHECK;
/* Nulls *c; accepts NULL in it. */
void compressor_free(compressor **c);

/* True, and *ret in the arena, when the result is smaller than the text by at least an eighth. */
bool compress_text(compressor *c, arena *a, span text, span *ret);

/* text_max bounds what a hostile frame can make us allocate. False: damaged, or larger than text_max. */
bool decompress_text(compressor *c, arena *a, span packed, size_t text_max, span *ret);

#endif
