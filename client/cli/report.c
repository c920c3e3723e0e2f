#include "report.h"

#include <limits.h>
#include <stdio.h>

#include "text.h"

static const enum exit_status statuses[] = {
    [LK_OK] = EXIT_DONE,
    [LK_E_INVALID_ARGUMENT] = EXIT_USAGE,
    [LK_E_NO_MEMORY] = EXIT_UNKNOWN,
    [LK_E_MISUSE] = EXIT_UNKNOWN,
    [LK_E_CANCELED] = EXIT_UNKNOWN,
    [LK_E_UNAVAILABLE] = EXIT_UNKNOWN,
    [LK_E_TIMED_OUT] = EXIT_UNKNOWN,
    [LK_E_LIMIT] = EXIT_REFUSED,
    [LK_E_CONFLICT] = EXIT_REFUSED,
    [LK_E_SESSION_INVALID] = EXIT_INVALID,
    [LK_E_NOT_FOUND] = EXIT_USAGE,
    [LK_E_ALREADY_EXISTS] = EXIT_REFUSED,
    [LK_E_DENIED] = EXIT_REFUSED,
    [LK_E_UNAUTHENTICATED] = EXIT_REFUSED,
    [LK_E_FAILED_PRECONDITION] = EXIT_REFUSED,
    [LK_E_UNIMPLEMENTED] = EXIT_REFUSED,
    [LK_E_UNREADABLE] = EXIT_UNKNOWN,
    [LK_E_INTERNAL] = EXIT_UNKNOWN,
    [LK_E_PROTOCOL] = EXIT_UNKNOWN,
    [LK_E_TLS] = EXIT_USAGE,
};

void report_fields(const struct lk_error *error, json_t *object)
{
	(void)json_object_set_new(object, "error", json_string(lk_err_name(error->code)));
	(void)json_object_set_new(object, "message", json_of_message(error->message));
	(void)json_object_set_new(object, "reason", json_string(lk_reason_name(error->reason)));
	if (error->code == LK_E_CONFLICT)
		(void)json_object_set_new(object, "version", json_integer((json_int_t)error->version));
	if (error->retry_after_ms > 0)
		(void)json_object_set_new(object, "retry_after_ms", json_integer(error->retry_after_ms));
}

void report_sentence(const struct lk_error *error)
{
	(void)fputs("latchkey: ", stderr);
	(void)text_print(stderr, lk_text(error->message), INT_MAX);
	(void)fprintf(stderr, " (%s)\n", lk_err_name(error->code));
}

int report_status(const struct lk_error *error)
{
	size_t known = sizeof(statuses) / sizeof(statuses[0]);

	return (size_t)error->code < known ? (int)statuses[error->code] : EXIT_UNKNOWN;
}

int report_failure(const struct line *line, const struct lk_error *error)
{
	if (line->json) {
		json_t *object = json_object();

		report_fields(error, object);
		(void)say_done(json_print(object));
	}
	report_sentence(error);
	return report_status(error);
}

int say_done(bool written)
{
	/* The stream remembers a failure of any write before. */
	if (written && fflush(stdout) == 0 && ferror(stdout) == 0)
		return EXIT_DONE;
	(void)fputs("latchkey: the result could not be written\n", stderr);
	return EXIT_UNKNOWN;
}
