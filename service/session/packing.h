#ifndef LK_SESSION_PACKING_H
#define LK_SESSION_PACKING_H

/* What goes into a seal: one byte, 0 for plain or the number of zstd's dictionary, and the text. */

#include "compress/compress.h"
#include "session/record.h"

/* Compressed if that helps. False: the arena is full. */
bool pack_text(compressor *c, arena *a, span text, span *ret) MUST_CHECK;
/* UNREADABLE also when the text is longer than text_max, or the arena is full. A plain text is borrowed. */
enum record_result unpack_text(compressor *c, arena *a, span packed, size_t text_max, span *ret) MUST_CHECK;

#endif
