#ifndef LK_CLIENT_ERROR_H
#define LK_CLIENT_ERROR_H

#include "latchkey/latchkey.h"

/* Fills err anew with a code and a sentence, and returns the code. */
enum lk_err error_set(struct lk_error *err, enum lk_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What is said of an answer that makes no sense, or does not fit into memory. */
enum lk_err not_understood(struct lk_error *error, const char *what);
enum lk_err out_of_memory(struct lk_error *error);

/* LK_OK and no message. */
void error_clear(struct lk_error *err);

/* Into a caller's struct, as much as that one has room for. to may be NULL. */
void error_copy(const struct lk_error *from, struct lk_error *to);

/* A gRPC status code of the wire as this library's. Numbers beyond the known are LK_E_INTERNAL. */
enum lk_err error_of_code(uint32_t code);

#endif
