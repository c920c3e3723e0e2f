#include "session/packing.h"

enum packing { PACKED_PLAIN = 0, PACKED_DICTIONARY_1 = 1 };

bool pack_text(compressor *c, arena *a, span text, span *ret)
{
	enum packing packing = PACKED_PLAIN;
	uint8_t *out;

	if (compress_text(c, a, text, &text))
		packing = PACKED_DICTIONARY_1;
	out = arena_alloc(a, 1 + text.len);
	if (out == NULL)
		return false;
	out[0] = (uint8_t)packing;
	if (text.len > 0)
		memcpy(out + 1, text.ptr, text.len);
	*ret = span_of(out, 1 + text.len);
	return true;
}

enum record_result unpack_text(compressor *c, arena *a, span packed, size_t text_max, span *ret)
{
	const span text = packed.len == 0 ? SPAN_EMPTY : span_of(packed.ptr + 1, packed.len - 1);

	if (packed.len == 0)
		return RECORD_UNREADABLE;
	if (packed.ptr[0] == PACKED_DICTIONARY_1)
		return decompress_text(c, a, text, text_max, ret) ? RECORD_OK : RECORD_UNREADABLE;
	if (packed.ptr[0] != PACKED_PLAIN)
		return RECORD_NEWER;
	*ret = text;
	return text.len <= text_max ? RECORD_OK : RECORD_UNREADABLE;
}
