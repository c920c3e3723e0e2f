#ifndef LK_COMPRESS_COMPRESS_H
#define LK_COMPRESS_COMPRESS_H

#include "base/arena.h"

/* zstd for parts of records that are large enough to gain by it. The only folder that sees zstd. */

/* Below this nothing is tried: the frame's own header eats the gain. */
#define COMPRESS_BYTES_MIN 1024

/* True, and *ret in the arena, when the result is smaller than the text by at least an eighth. */
bool compress_text(arena *a, span text, span *ret);

/* text_max bounds what a hostile frame can make us allocate. False: damaged, or larger than text_max. */
bool decompress_text(arena *a, span packed, size_t text_max, span *ret);

#endif
