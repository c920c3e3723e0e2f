#ifndef LK_BASE_LOG_H
#define LK_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Structured log lines on stderr: `2026-01-31T12:00:00.123Z info redis_connected node=unix:/run/x.sock took_ms=3`.
 *
 * An event name and typed fields; never a token, a secret, a user id or an attribute: there is no field type that
 * takes them. Sessions are named by handle. Lines are written whole, by one write. Text values are quoted and escaped
 * where they hold anything but [A-Za-z0-9_.:/@+-]. Only main, rpc and ops log. */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *name;
	enum { LOG_FIELD_TEXT, LOG_FIELD_SPAN, LOG_FIELD_UINT, LOG_FIELD_INT } type;
	const char *text;
	span bytes;
	uint64_t number_u;
	int64_t number_i;
};

#define LOG_STR(n, v)  ((struct log_field){.name = (n), .type = LOG_FIELD_TEXT, .text = (v)})
#define LOG_SPAN(n, v) ((struct log_field){.name = (n), .type = LOG_FIELD_SPAN, .bytes = (v)})
#define LOG_UINT(n, v) ((struct log_field){.name = (n), .type = LOG_FIELD_UINT, .number_u = (v)})
#define LOG_INT(n, v)  ((struct log_field){.name = (n), .type = LOG_FIELD_INT, .number_i = (v)})

/* log_event(LOG_INFO, "listening", LOG_STR("url", url)); at least one field. */
#define log_event(level, event, ...)                                                                                   \
	log_write((level), (event), (const struct log_field[]){__VA_ARGS__},                                           \
		  sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* The level is one of the program's two globals. Default LOG_INFO. */
void log_set_level(enum log_level level);
bool log_level_parse(const char *name, enum log_level *ret_level);

#endif
