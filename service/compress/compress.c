/* One shot each way. The library's contexts would be worth keeping a thread, but that is a global, and only parts from
 * COMPRESS_BYTES_MIN up come here: few of them, at tens of microseconds each. */

#include "compress/compress.h"

#include <assert.h>
#include <zstd.h>

/* zstd's own default: most of the gain at a tenth of the highest levels' time. */
#define LEVEL 3

bool compress_text(arena *a, span text, span *ret)
{
	const size_t worth_bytes = text.len - text.len / 8;
	uint8_t *packed;
	size_t n;

	if (text.len < COMPRESS_BYTES_MIN)
		return false;
	packed = arena_alloc(a, worth_bytes);
	if (packed == NULL)
		return false;
	/* A result that is not worth it does not fit, and fails. */
	n = ZSTD_compress(packed, worth_bytes, text.ptr, text.len, LEVEL);
	if (ZSTD_isError(n))
		return false;
	*ret = span_of(packed, n);
	return true;
}

bool decompress_text(arena *a, span packed, size_t text_max, span *ret)
{
	const unsigned long long announced = ZSTD_getFrameContentSize(packed.ptr, packed.len);
	uint8_t *text;
	size_t n;

	_Static_assert(ZSTD_CONTENTSIZE_UNKNOWN > SIZE_MAX / 2 && ZSTD_CONTENTSIZE_ERROR > SIZE_MAX / 2,
		       "both of zstd's non-sizes are beyond any text_max");
	assert(text_max <= SIZE_MAX / 2);
	if (announced > text_max)
		return false;
	text = arena_alloc(a, (size_t)announced);
	if (text == NULL)
		return false;
	n = ZSTD_decompress(text, (size_t)announced, packed.ptr, packed.len);
	if (ZSTD_isError(n) || n != announced)
		return false;
	*ret = span_of(text, n);
	return true;
}
