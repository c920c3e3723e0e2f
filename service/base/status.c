#include "base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
#define X(name, number) [number] = #name,
    STATUS_MAP(X)
#undef X
};

enum status_code status_set(struct status *st, enum status_code code, const char *format, ...)
{
	va_list args;

	assert(code != STATUS_OK && code < STATUS_CODES);
	st->code = code;
	st->retry_after_ms = 0;
	va_start(args, format);
	(void)vsnprintf(st->text, sizeof(st->text), format, args);
	va_end(args);
	return code;
}

const char *status_name(enum status_code code)
{
	assert(code < STATUS_CODES);
	return names[code];
}
