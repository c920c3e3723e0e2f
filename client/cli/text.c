#include "text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *text_of_time(uint64_t at_ms, char to[static TIME_TEXT_BYTES])
{
	time_t seconds = (time_t)(at_ms / 1000);
	struct tm parts;
	size_t len;

	if (gmtime_r(&seconds, &parts) == NULL)
		return "?";
	len = strftime(to, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(to + len, TIME_TEXT_BYTES - len, ".%03uZ", (unsigned)(at_ms % 1000));
	return to;
}

void text_print(struct lk_bytes bytes, int columns)
{
	int printed = 0;

	for (size_t i = 0; i < bytes.len && printed < columns; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		/* UTF-8 goes through: a lead byte and what follows it take one column. */
		(void)putchar(c >= 0x20 && c != 0x7f ? c : '?');
		if ((c & 0xc0) != 0x80)
			printed++;
	}
	if (printed < columns)
		(void)printf("%*s", columns - printed, "");
}

static char *base64_of(struct lk_bytes bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((bytes.len + 2) / 3 * 4 + 1);
	char *at = text;

	assert(bytes.data != NULL);
	if (text == NULL)
		abort();
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t word = (uint32_t)(unsigned char)bytes.data[i] << 16;

		word |= left > 1 ? (uint32_t)(unsigned char)bytes.data[i + 1] << 8 : 0;
		word |= left > 2 ? (uint32_t)(unsigned char)bytes.data[i + 2] : 0;
		*at++ = digits[word >> 18];
		*at++ = digits[word >> 12 & 63];
		*at++ = left > 1 ? digits[word >> 6 & 63] : '=';
		*at++ = left > 2 ? digits[word & 63] : '=';
	}
	*at = '\0';
	return text;
}

json_t *json_of_bytes(struct lk_bytes bytes)
{
	json_t *json = json_stringn(bytes.data != NULL ? bytes.data : "", bytes.len);
	char *base64;

	if (json != NULL)
		return json;
	base64 = base64_of(bytes);
	json = json_pack("{s:s}", "base64", base64);
	free(base64);
	return json;
}

json_t *json_of_time(uint64_t at_ms)
{
	char text[TIME_TEXT_BYTES];

	return at_ms > 0 ? json_string(text_of_time(at_ms, text)) : json_null();
}

static json_t *json_of_attributes(const lk_session *session)
{
	json_t *json = json_object();

	for (size_t i = 0; i < lk_session_attribute_count(session); i++) {
		struct lk_attribute attribute = lk_session_attribute_at(session, i);
		char *base64;

		if (json_object_setn_new(json, attribute.key.data, attribute.key.len, json_of_bytes(attribute.value)) ==
		    0)
			continue;
		/* A key that is not UTF-8 can be no key in JSON. */
		base64 = base64_of(attribute.key);
		(void)json_object_set_new(json, base64, json_of_bytes(attribute.value));
		free(base64);
	}
	return json;
}

static json_t *json_of_device(const lk_session *session)
{
	const struct {
		const char *name;
		struct lk_bytes value;
	} rows[] = {
	    {"user_agent", lk_session_user_agent(session)},
	    {"ip", lk_session_ip(session)},
	    {"label", lk_session_label(session)},
	};
	json_t *json = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].value.data != NULL)
			(void)json_object_set_new(json, rows[i].name, json_of_bytes(rows[i].value));
	return json;
}

static json_t *json_of_authentication(const lk_session *session)
{
	json_t *amr = json_array();

	for (size_t i = 0; i < lk_session_amr_count(session); i++)
		(void)json_array_append_new(amr, json_of_bytes(lk_session_amr(session, i)));
	return json_pack("{s:o, s:I, s:o}", "at", json_of_time(lk_session_authenticated_at_ms(session)), "aal",
			 (json_int_t)lk_session_aal(session), "amr", amr);
}

static json_t *json_of_invalid(const lk_session *session)
{
	json_t *json = json_pack("{s:s, s:s}", "verdict", lk_verdict_name(lk_session_verdict(session)), "reason",
				 lk_reason_name(lk_session_reason(session)));

	if (lk_session_revoked_at_ms(session) > 0)
		(void)json_object_set_new(json, "revoked_at", json_of_time(lk_session_revoked_at_ms(session)));
	return json;
}

json_t *json_of_session(const lk_session *session)
{
	const char *handle = lk_session_handle(session);

	if (lk_session_verdict(session) != LK_VALID)
		return json_of_invalid(session);
	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "verdict", "VALID",
			 "reason", "NONE", "handle", handle, "user", json_of_bytes(lk_session_user(session)), "class",
			 json_of_bytes(lk_session_class(session)), "created_at",
			 json_of_time(lk_session_created_at_ms(session)), "last_seen_at",
			 json_of_time(lk_session_last_seen_at_ms(session)), "idle_expires_at",
			 json_of_time(lk_session_idle_expires_at_ms(session)), "expires_at",
			 json_of_time(lk_session_expires_at_ms(session)), "version",
			 (json_int_t)lk_session_version(session), "attributes", json_of_attributes(session), "device",
			 json_of_device(session), "authentication", json_of_authentication(session));
}

bool json_print(json_t *json)
{
	bool written = json != NULL && json_dumpf(json, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;

	json_decref(json);
	return written && fflush(stdout) == 0;
}
