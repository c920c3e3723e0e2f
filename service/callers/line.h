#ifndef LK_CALLERS_LINE_H
#define LK_CALLERS_LINE_H

/* Lines of words. For this folder only. */

#include "base/span.h"
#include "base/status.h"

#define LINE_WORDS_MAX 5 /* one more than any line may have */

struct line_reader {
	span rest;
	unsigned number;
};

struct line {
	unsigned number;
	size_t word_count; /* LINE_WORDS_MAX: or more */
	span words[LINE_WORDS_MAX];
};

/* The next line that is neither empty nor a comment; false at the end. */
bool line_next(struct line_reader *r, struct line *ret);

/* The next of a list with commas, which may be empty: between two commas nothing is an item too. False at the end. */
bool line_take_item(span *list, span *ret);

#endif
