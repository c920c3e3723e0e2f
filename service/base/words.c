#include "base/words.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

span span_take_until(span *from, uint8_t end)
{
	const uint8_t *at = memchr(from->ptr, end, from->len);
	const size_t len = at == NULL ? from->len : (size_t)(at - from->ptr);
	const size_t taken = at == NULL ? len : len + 1;
	const span out = span_of(from->ptr, len);

	*from = span_of(from->ptr + taken, from->len - taken);
	return out;
}

span span_take_word(span *line)
{
	size_t start = 0;
	size_t end;
	span word;

	while (start < line->len && is_blank(line->ptr[start]))
		start++;
	end = start;
	while (end < line->len && !is_blank(line->ptr[end]))
		end++;
	word = span_of(line->ptr + start, end - start);
	*line = span_of(line->ptr + end, line->len - end);
	return word;
}
