#ifndef LK_CONFIG_ORIGIN_H
#define LK_CONFIG_ORIGIN_H

/* Where each value comes from: path ("redis.url", "realms[0].classes[1].name") to place in the file, or to variable. */

#include "config/config.h"

struct origin {
	struct origin *next;
	const char *path;
	const char *variable; /* NULL: from the file, at */
	size_t line;	      /* counted from 1 */
	size_t column;
};

struct origins {
	arena *memory;
	const char *file; /* NULL: none */
	struct origin *newest;
};

/* Longest known path: realms[1023].classes[31].absolute_timeout_s; an unknown key may be longer, and is cut. */
#define ORIGIN_PATH_BYTES 256

/* Later ones hide earlier ones of the same path. False: out of memory. */
bool origin_add(struct origins *o, const char *path, size_t line, size_t column) MUST_CHECK;
bool origin_add_variable(struct origins *o, const char *path, const char *variable) MUST_CHECK;

/* NULL: not set anywhere, a default. */
const struct origin *origin_find(const struct origins *o, const char *path);

/* Fills in the error: "FILE:LINE:COLUMN: PATH: ..." or "VARIABLE in the environment: ..."; returns false, so that
 * `return origin_fail(...)` refuses. For a path not found, its nearest parent's place. */
bool origin_fail(const struct origins *o, struct config_error *error, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
