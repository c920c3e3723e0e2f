#include "rpc/text.h"

struct text_quoted text_quote(span s)
{
	const size_t len = s.len < TEXT_QUOTED_BYTES_MAX ? s.len : TEXT_QUOTED_BYTES_MAX;
	struct text_quoted q;

	for (size_t i = 0; i < len; i++) {
		const bool is_printable = s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f;

		q.chars[i] = is_printable ? (char)s.ptr[i] : '?';
	}
	q.chars[len] = '\0';
	return q;
}
