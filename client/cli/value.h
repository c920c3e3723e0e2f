#ifndef LK_CLI_VALUE_H
#define LK_CLI_VALUE_H

#include "option.h"

/* Puts the value of an option into the line; `name` is what it comes from: "--timeout", or "LATCHKEY_TIMEOUT". Ends the
 * program with EXIT_USAGE, and a sentence, when it makes no sense. */
void value_take(struct line *line, enum option_key key, const char *name, const char *arg);

#endif
