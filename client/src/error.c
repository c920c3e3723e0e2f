/* Errors, reasons and verdicts as names, sentences and numbers: the header's lists, as tables. */

#include "error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "latchkey/v1/frame.pb-c.h"

/* What a caller's struct holds at least: all fields of the first version. */
#define ERROR_BYTES_MIN sizeof(struct lk_error)

struct err_row {
	const char *name;
	const char *text;
	bool retryable;
};

static const struct err_row errors[] = {
#define X(name, number, text, retryable) [number] = {#name, text, retryable},
    LK_ERR_MAP(X)
#undef X
};

static const struct {
	const char *name;
	const char *text;
} reasons[] = {
/* The names for people and programs go without the prefix: "IDLE_TIMEOUT". */
#define X(name, number, text) [number] = {&#name[sizeof("LK_REASON_") - 1], text},
    LK_REASON_MAP(X)
#undef X
};

#define CODE(name) LATCHKEY__V1__CODE__##name

static const enum lk_err codes[] = {
    [CODE(OK)] = LK_OK,
    [CODE(CANCELLED)] = LK_E_CANCELED,
    [CODE(UNKNOWN_ERROR)] = LK_E_INTERNAL,
    [CODE(INVALID_ARGUMENT)] = LK_E_INVALID_ARGUMENT,
    [CODE(DEADLINE_EXCEEDED)] = LK_E_TIMED_OUT,
    [CODE(NOT_FOUND)] = LK_E_NOT_FOUND,
    [CODE(ALREADY_EXISTS)] = LK_E_ALREADY_EXISTS,
    [CODE(PERMISSION_DENIED)] = LK_E_DENIED,
    [CODE(RESOURCE_EXHAUSTED)] = LK_E_LIMIT,
    [CODE(FAILED_PRECONDITION)] = LK_E_FAILED_PRECONDITION,
    [CODE(ABORTED)] = LK_E_CONFLICT,
    [CODE(OUT_OF_RANGE)] = LK_E_INVALID_ARGUMENT,
    [CODE(UNIMPLEMENTED)] = LK_E_UNIMPLEMENTED,
    [CODE(INTERNAL)] = LK_E_INTERNAL,
    [CODE(UNAVAILABLE)] = LK_E_UNAVAILABLE,
    [CODE(DATA_LOSS)] = LK_E_UNREADABLE,
    [CODE(UNAUTHENTICATED)] = LK_E_UNAUTHENTICATED,
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct err_row *row_of(enum lk_err err)
{
	static const struct err_row unrecognized = {"LK_E_UNRECOGNIZED", "not an error of this version", false};

	/* A caller may hand in any number: it is looked up, not trusted. */
	return (size_t)err < COUNT(errors) ? &errors[err] : &unrecognized;
}

const char *lk_err_name(enum lk_err err)
{
	return row_of(err)->name;
}

const char *lk_err_message(enum lk_err err)
{
	return row_of(err)->text;
}

bool lk_err_is_retryable(enum lk_err err)
{
	return row_of(err)->retryable;
}

const char *lk_version(void)
{
	return LK_VERSION;
}

const char *lk_reason_name(enum lk_reason reason)
{
	return (size_t)reason < COUNT(reasons) ? reasons[reason].name : "UNRECOGNIZED";
}

const char *lk_reason_message(enum lk_reason reason)
{
	return (size_t)reason < COUNT(reasons) ? reasons[reason].text : "a reason that this version does not know";
}

const char *lk_verdict_name(enum lk_verdict verdict)
{
	static const char *const names[] = {"UNKNOWN", "VALID", "INVALID"};

	return (size_t)verdict < COUNT(names) ? names[verdict] : names[LK_UNKNOWN];
}

const char *lk_serving_name(enum lk_serving serving)
{
	static const char *const names[] = {"SERVING_UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};

	return (size_t)serving < COUNT(names) ? names[serving] : names[LK_SERVING_UNKNOWN];
}

enum lk_err error_set(struct lk_error *err, enum lk_err code, const char *format, ...)
{
	va_list args;

	*err = (struct lk_error){.struct_size = sizeof(*err), .code = code, .attempts = err->attempts};
	va_start(args, format);
	(void)vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return code;
}

enum lk_err not_understood(struct lk_error *error, const char *what)
{
	return error_set(error, LK_E_PROTOCOL, "the server's answer cannot be understood: %s", what);
}

enum lk_err out_of_memory(struct lk_error *error)
{
	return error_set(error, LK_E_NO_MEMORY, "out of memory for the answer");
}

void error_clear(struct lk_error *err)
{
	/* Not the whole message: this is on the path of every call. */
	err->struct_size = sizeof(*err);
	err->code = LK_OK;
	err->reason = LK_REASON_NONE;
	err->version = 0;
	err->retry_after_ms = 0;
	err->attempts = 0;
	err->message[0] = '\0';
}

void error_copy(const struct lk_error *from, struct lk_error *to)
{
	size_t room;

	if (to == NULL)
		return;
	room = to->struct_size;
	assert(room >= ERROR_BYTES_MIN && "start a struct lk_error with LK_ERROR_INIT");
	memcpy(to, from, room < sizeof(*from) ? room : sizeof(*from));
	to->struct_size = room;
}

enum lk_err error_of_code(uint32_t code)
{
	return code < COUNT(codes) ? codes[code] : LK_E_INTERNAL;
}
