#ifndef LK_CLI_TEXT_H
#define LK_CLI_TEXT_H

/* Values as people and programs read them. */

#include <jansson.h>
#include <stdio.h>

#include <latchkey/latchkey.h>

#define TIME_TEXT_BYTES 32

/* "2026-01-31T12:00:00.123Z". Returns `to`. */
const char *text_of_time(uint64_t at_ms, char to[static TIME_TEXT_BYTES]);

/* Bytes on a terminal: UTF-8 goes through, and all else becomes "?": what is not UTF-8, and control characters (C0, DEL,
 * C1), so that no name of a device moves a cursor. What is longer than `columns` is cut. Returns the columns taken, one
 * for each character. */
int text_print(FILE *to, struct lk_bytes bytes, int columns);
/* What text_print takes for all of it. */
int text_columns(struct lk_bytes bytes);

/* A string; {"base64": "..."} where the bytes are not UTF-8. */
json_t *json_of_bytes(struct lk_bytes bytes);
/* Into an object, under a name that may be any bytes: base64 of it where it is not UTF-8. Takes `value` over. */
void json_set_named(json_t *object, struct lk_bytes name, json_t *value);
/* A sentence, as text_print has it: always a string. */
json_t *json_of_message(const char *message);
/* null for 0. */
json_t *json_of_time(uint64_t at_ms);
/* What is known of a session: verdict, reason, handle, user, ..., attributes, device, authentication. */
json_t *json_of_session(const lk_session *session);

/* Prints, and frees. Returns false when the output could not be written. */
bool json_print(json_t *json);

#endif
