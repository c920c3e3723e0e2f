#ifndef LK_CLI_USAGE_H
#define LK_CLI_USAGE_H

/* What is wrong with the line. */

#include <stdlib.h>

/* "latchkey: ..." on stderr. Returns EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define FAIL(...) exit(usage_error(__VA_ARGS__))

#endif
