#ifndef LK_BASE_STATUS_H
#define LK_BASE_STATUS_H

#include <stdint.h>

/* gRPC's status codes: name, number. proto/latchkey/v1/frame.proto says what each means to a caller; a unit test
 * holds the two together. */
#define STATUS_MAP(X)                                                                                                  \
	X(OK, 0)                                                                                                       \
	X(CANCELLED, 1)                                                                                                \
	X(UNKNOWN, 2)                                                                                                  \
	X(INVALID_ARGUMENT, 3)                                                                                         \
	X(DEADLINE_EXCEEDED, 4)                                                                                        \
	X(NOT_FOUND, 5)                                                                                                \
	X(ALREADY_EXISTS, 6)                                                                                           \
	X(PERMISSION_DENIED, 7)                                                                                        \
	X(RESOURCE_EXHAUSTED, 8)                                                                                       \
	X(FAILED_PRECONDITION, 9)                                                                                      \
	X(ABORTED, 10)                                                                                                 \
	X(OUT_OF_RANGE, 11)                                                                                            \
	X(UNIMPLEMENTED, 12)                                                                                           \
	X(INTERNAL, 13)                                                                                                \
	X(UNAVAILABLE, 14)                                                                                             \
	X(DATA_LOSS, 15)                                                                                               \
	X(UNAUTHENTICATED, 16)

enum status_code {
#define X(name, number) STATUS_##name = number,
	STATUS_MAP(X)
#undef X
	    STATUS_CODES
};

/* Longest sentence that an error carries: names the thing, the limit and the remedy. Longer ones are cut. */
#define STATUS_TEXT_BYTES 200

struct status {
	enum status_code code;
	uint32_t retry_after_ms; /* 0: no advice */
	char text[STATUS_TEXT_BYTES];
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Fills *st and returns code, so that `return status_set(st, STATUS_..., "...")` refuses in one line. code is not OK. */
enum status_code status_set(struct status *st, enum status_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "INVALID_ARGUMENT"; "CODE_99" style names never occur: an unknown number aborts. */
const char *status_name(enum status_code code);

#endif
