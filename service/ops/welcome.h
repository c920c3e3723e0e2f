#ifndef LK_OPS_WELCOME_H
#define LK_OPS_WELCOME_H

#include <stdbool.h>

/* Whether somebody sits in front of it: stdout or stderr is a terminal, or LATCHKEY_WELCOME is set. */
bool welcome_is_wanted(void);

/* Prints to stdout what to type next. program is this one's argv[0]: the command is shown with its folder when it lies
 * beside it. */
void welcome_print(const char *url, const char *program, const char *state_dir);

#endif
