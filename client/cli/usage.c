#include "usage.h"

#include <stdarg.h>
#include <stdio.h>

#include "line.h"

int usage_error(const char *format, ...)
{
	va_list args;

	(void)fputs("latchkey: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputs("\nTry \"latchkey --help\".\n", stderr);
	return EXIT_USAGE;
}
