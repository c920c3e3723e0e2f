#ifndef LK_CLI_TEXT_H
#define LK_CLI_TEXT_H

/* Values as people and programs read them. */

#include <jansson.h>

#include <latchkey/latchkey.h>

#define TIME_TEXT_BYTES 32

/* "2026-01-31T12:00:00.123Z". Returns `to`. */
const char *text_of_time(uint64_t at_ms, char to[static TIME_TEXT_BYTES]);

/* Bytes on a terminal: what is no printable text becomes "?", what is longer than `columns` is cut. */
void text_print(struct lk_bytes bytes, int columns);

/* A string; {"base64": "..."} where the bytes are not UTF-8. */
json_t *json_of_bytes(struct lk_bytes bytes);
/* null for 0. */
json_t *json_of_time(uint64_t at_ms);
/* What is known of a session: verdict, reason, handle, user, ..., attributes, device, authentication. */
json_t *json_of_session(const lk_session *session);

/* Prints, and frees. Returns false when the output could not be written. */
bool json_print(json_t *json);

#endif
