#ifndef LK_CLI_REPORT_H
#define LK_CLI_REPORT_H

/* How a verb ends: what goes to stderr, what --json says of a failure, and the exit status. */

#include <jansson.h>

#include "line.h"

/* The error's fields into `object`: error, message, reason, and version and retry_after_ms where they are known. */
void report_fields(const struct lk_error *error, json_t *object);

/* The sentence on stderr alone. */
void report_sentence(const struct lk_error *error);

/* The exit status for it. */
int report_status(const struct lk_error *error);

/* The sentence of a failure on stderr; with --json also an object on stdout. Returns the exit status for it. */
int report_failure(const struct line *line, const struct lk_error *error);

/* The end of a verb that printed its result: a result that nobody gets is no success. `written`: what was printed so
 * far could be. */
int say_done(bool written);

#endif
