#ifndef LK_CLI_LINE_READ_H
#define LK_CLI_LINE_READ_H

#include "line.h"

/* Reads the line, then the environment for what the line leaves open. Ends the program with EXIT_USAGE, and a sentence
 * that names the mistake, when it makes no sense. */
void line_read(int argc, char **argv, struct line *ret);

#endif
