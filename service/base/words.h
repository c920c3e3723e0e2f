#ifndef LK_BASE_WORDS_H
#define LK_BASE_WORDS_H

/* Text files of ours, a line at a time and a word at a time. */

#include "base/span.h"

/* All before the next `end`, which leaves *from with it; all of *from when there is none. */
span span_take_until(span *from, uint8_t end);

/* The next word between blanks (space, tab, carriage return), which leaves *line with all before it. Empty at the end. */
span span_take_word(span *line);

#endif
