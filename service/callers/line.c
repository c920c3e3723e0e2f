#include "callers/line.h"

#include "base/words.h"

bool line_next(struct line_reader *r, struct line *ret)
{
	while (r->rest.len > 0) {
		span rest = span_take_until(&r->rest, '\n');
		struct line line = {.number = ++r->number};

		do
			line.words[line.word_count] = span_take_word(&rest);
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
	*ret = span_take_until(list, ',');
	/* Behind the last one there is nothing; behind a comma at the end there is an empty one. */
	if (list->len == 0 && (ret->ptr + ret->len == list->ptr))
		*list = SPAN_EMPTY;
	return true;
}
