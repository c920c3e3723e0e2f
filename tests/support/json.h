#ifndef LK_SUPPORT_JSON_H
#define LK_SUPPORT_JSON_H

/* JSON that programs print. Each fails the test where it is not as expected. */

#include <jansson.h>

#include "support/wait.h"

static inline json_t *json_read(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (json == NULL)
		fail_msg("not JSON (%s): %s", error.text, text);
	return json;
}

static inline const char *json_text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (value == NULL) {
		fail_msg("no text \"%s\"", key);
		return "";
	}
	return value;
}

static inline json_int_t json_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		fail_msg("no number \"%s\"", key);
	return json_integer_value(value);
}

#endif
