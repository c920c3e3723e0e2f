#include "callers/line.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static span take_until(span *from, uint8_t end)
{
	const uint8_t *at = memchr(from->ptr, end, from->len);
	const size_t len = at == NULL ? from->len : (size_t)(at - from->ptr);
	const size_t taken = at == NULL ? len : len + 1;
	const span out = span_of(from->ptr, len);

	*from = span_of(from->ptr + taken, from->len - taken);
	return out;
}

static span take_word(span *line)
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

bool line_next(struct line_reader *r, struct line *ret)
{
	while (r->rest.len > 0) {
		span rest = take_until(&r->rest, '\n');
		struct line line = {.number = ++r->number};

		do
			line.words[line.word_count] = take_word(&rest);
		while (line.words[line.word_count].len > 0 && ++line.word_count < LINE_WORDS_MAX);
		if (line.word_count == 0 || line.words[0].ptr[0] == '#')
			continue;
		*ret = line;
		return true;
	}
	return false;
}

bool line_take_item(span *list, span *ret)
{
	const bool is_last = list->ptr == NULL;

	if (is_last)
		return false;
	*ret = take_until(list, ',');
	/* Behind the last one there is nothing; behind a comma at the end there is an empty one. */
	if (list->len == 0 && (ret->ptr + ret->len == list->ptr))
		*list = SPAN_EMPTY;
	return true;
}
